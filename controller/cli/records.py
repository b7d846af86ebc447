"""`understudy replay`: judge a stored decision again."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from controller import bootstrap
from controller.cli.options import DEMO, SiteOption, StateOption, running_state, spool_of
from controller.decision import Decision
from controller.errors import StateError
from controller.record import RecordError, decode
from controller.replay import reinfer
from controller.replay import replay as judge_again
from controller.store.chain import Link, check_link
from controller.store.store import Store
from safety.kernel import verify_kernel, verify_packages

console = Console(highlight=False)


def replay(
    id: Annotated[str, typer.Argument(help="A decision's id, or `last`.")],  # noqa: A002 - the command's own word
    reinfer_: Annotated[bool, typer.Option("--reinfer", help="Ask the policy again too, and compare to 1e-5.")] = False,
    site: SiteOption = DEMO,
    state: StateOption = None,
) -> None:
    """Judge a stored decision again. Exit code 1 if verdict or command differ by a bit."""
    found, folder = running_state(site, state)
    link = find_link(id, folder, bootstrap.store_url(found.settings.store.url, folder))
    changed = check_link(link)
    decision = _readable(link, changed)
    envelope = bootstrap.envelope_of(found, decision.digests.envelope, folder)
    verify_packages()
    result = judge_again(decision, envelope, verify_kernel())
    differences = [f"record: {changed}"] if changed else []
    differences += result.differences
    if reinfer_:
        with bootstrap.serving(bootstrap.load_for(found, decision.digests.policy)) as candidate:
            differences += reinfer(decision, envelope, candidate)
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
    return decode(find_link(decision_id, folder, url)[4])


def find_link(decision_id: str, folder: Path, url: str) -> Link:
    """The record of a decision with its hashes, from spool or store; `last` is the one written last. Raises StateError."""
    spool = spool_of(folder)
    found = spool.link(None if decision_id == "last" else decision_id)
    if found is not None:
        return found
    if decision_id == "last":
        raise StateError("there is no decision yet")
    stored = Store(url).decision(decision_id)
    if stored is None:
        raise StateError(
            f"no decision `{decision_id}` in spool or store: `understudy replay last` shows what an id looks like"
        )
    return (0, stored.plant, stored.subject, stored.taken_at, stored.record, stored.prev_hash, stored.hash)


def _readable(link: Link, changed: str) -> Decision:
    """The decision of a record; one so changed that nothing can be read ends the replay as any other difference would."""
    try:
        return decode(link[4])
    except RecordError as error:
        console.print(f"  DIFFERS: record: {changed}: {error}", style="bold yellow")
        raise typer.Exit(1) from error
