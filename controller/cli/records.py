"""`understudy replay`: judge a stored decision again."""

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console

from controller.cli.options import DEMO, SiteOption, StateOption
from controller.cli.places import running_state
from controller.records.chain import Link, check_link
from controller.records.codec import RecordError, decode
from controller.records.decision import Decision
from controller.records.lookup import envelope_of, find_link, store_url
from controller.records.replay import reinfer
from controller.records.replay import replay as judge_again
from controller.settings import Site
from safety.envelope import Envelope
from safety.kernel import verify_kernel, verify_packages

console = Console(highlight=False)


def replay(
    id: Annotated[str, typer.Argument(help="A decision's id, or `last`.")],  # noqa: A002 - the command's own word
    reinfer_: Annotated[bool, typer.Option("--reinfer", help="Ask the policy again too, and compare to 1e-5.")] = False,
    site: SiteOption = DEMO,
    state: StateOption = None,
) -> None:
    """Judge a stored decision again. Exit code 1 if a recorded id or value differs by a bit."""
    found, folder = running_state(site, state)
    link = find_link(id, folder, store_url(found.settings.store.url, folder))
    changed = check_link(link)
    decision = _readable(link, changed)
    envelope = envelope_of(found, decision.digests.envelope, folder)
    verify_packages()
    result = judge_again(decision, envelope, verify_kernel())
    differences = [f"record: {changed}"] if changed else []
    differences += result.differences
    if reinfer_:
        differences += _reinferred(found, decision, envelope)
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
    for note in result.notes:
        console.print(f"  note: {note}")
    for difference in differences:
        console.print(f"  DIFFERS: {difference}", style="bold yellow")
    if not differences:
        also = "; the policy, asked again, proposes the same to 1e-5" if reinfer_ else ""
        console.print(f"  the same to the last bit{also}")
    raise typer.Exit(1 if differences else 0)


def _reinferred(site: Site, decision: Decision, envelope: Envelope) -> Sequence[str]:
    """Run the policy again on the decision's observation; return the differences from its recorded proposal."""
    from controller import bootstrap  # only to serve a policy: judging again does not wait for the whole system

    with bootstrap.serving(bootstrap.load_for(site, decision.digests.policy)) as candidate:
        return reinfer(decision, envelope, candidate)


def _readable(link: Link, changed: str) -> Decision:
    """The decision of a record; one so changed that nothing can be read ends the replay as any other difference would."""
    try:
        return decode(link[4])
    except RecordError as error:
        console.print(f"  DIFFERS: record: {changed}: {error}", style="bold yellow")
        raise typer.Exit(1) from error
