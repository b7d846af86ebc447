"""`understudy replay`: judge a stored decision again."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from controller import bootstrap
from controller.cli.options import DEMO, SiteOption, StateOption, running_state, spool_of
from controller.decision import Decision
from controller.errors import StateError
from controller.record import decode
from controller.replay import reinfer
from controller.replay import replay as judge_again
from controller.store.store import Store

console = Console(highlight=False)


def replay(
    id: Annotated[str, typer.Argument(help="A decision's id, or `last`.")],  # noqa: A002 - the command's own word
    reinfer_: Annotated[bool, typer.Option("--reinfer", help="Ask the policy again too, and compare to 1e-5.")] = False,
    site: SiteOption = DEMO,
    state: StateOption = None,
) -> None:
    """Judge a stored decision again. Exit code 1 if verdict or command differ by a bit."""
    found, folder = running_state(site, state)
    decision = find_decision(id, folder, bootstrap.store_url(found.settings.store.url, folder))
    loaded = bootstrap.load_for(found, decision.digests.policy)
    result = judge_again(decision, loaded.envelope, loaded.kernel_digest)
    differences = list(result.differences)
    if reinfer_:
        with bootstrap.serving(loaded) as candidate:
            differences += reinfer(decision, loaded.envelope, candidate)
    chosen = result.ruling.chosen
    console.print(f"{decision.id}: {decision.command.rung.value}, assigned to {decision.assignment.source.value}")
    for judgement in result.ruling.judgements:
        verdict = judgement.verdict
        console.print(
            f"  {judgement.rung.value}: {'accepted' if verdict.accepted else 'refused by ' + verdict.first_out}"
        )
        for finding in verdict.findings:
            console.print(f"    {finding.outcome.value} {finding.rule} ({finding.about}): {finding.detail}")
    console.print(
        f"  command: {', '.join(f'{name} {value:.6g}' for name, value in chosen.step.items()) or 'relinquish'}"
    )
    for difference in differences:
        console.print(f"  DIFFERS: {difference}", style="bold yellow")
    if not differences:
        also = "; the policy, asked again, proposes the same to 1e-5" if reinfer_ else ""
        console.print(f"  the same to the last bit{also}")
    raise typer.Exit(1 if differences else 0)


def find_decision(decision_id: str, folder: Path, url: str) -> Decision:
    """A decision of spool or store. Raises StateError where neither has it."""
    spool = spool_of(folder)
    if decision_id == "last":
        last = spool.last_decision()
        if last is None:
            raise StateError("there is no decision yet")
        return last
    found = spool.decision(decision_id)
    if found is not None:
        return found
    stored = Store(url).decision(decision_id)
    if stored is None:
        raise StateError(
            f"no decision `{decision_id}` in spool or store: `understudy replay last` shows what an id looks like"
        )
    return decode(stored.record)
