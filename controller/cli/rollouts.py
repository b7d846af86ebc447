"""`understudy rollout get | status | pause | resume | promote | abort`."""

import time
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from controller.cli.acts import submit
from controller.cli.options import DEMO, ReasonOption, SiteOption, StateOption
from controller.cli.places import running_state
from controller.cli.view import TerminalView
from controller.errors import StateError
from controller.protocol.status import CheckStatus, PlantStatus, encode
from controller.protocol.status_reader import read_status
from controller.records.operator_queue import Kind
from controller.records.spool_reader import SpoolReader

app = typer.Typer(no_args_is_help=True, help="Look at the rollout, and act on it.")
console = Console()
HEALTHY, INCONCLUSIVE, TRIPPED, TIMEOUT = 0, 3, 4, 5


@app.command()
def get(
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Keep looking.")] = False,
    timeout_s: Annotated[float, typer.Option("--timeout", help="Stop watching after so many seconds.")] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="The live status as JSON.")] = False,
    site: SiteOption = DEMO,
    state: StateOption = None,
) -> None:
    """Show stage, gate and who is in control. Exit code 0 healthy, 3 inconclusive, 4 tripped, 5 timeout."""
    found, folder = running_state(site, state)
    spool = spool_of(folder)
    status = status_of(spool, folder)
    if as_json:
        typer.echo(msgspec.json.format(encode(status), indent=2))
    elif watch:
        status = _watch(spool, folder, found.start_us, timeout_s)
    else:
        _print(status)
    raise typer.Exit(_code(status))


@app.command()
def status(
    timeout_s: Annotated[float, typer.Option("--timeout", help="Wait so long for a stage to be decided.")] = 0.0,
    stage: Annotated[str, typer.Option(help="Wait until this stage is reached.")] = "",
    site: SiteOption = DEMO,
    state: StateOption = None,
) -> None:
    """One line, and an exit code for scripts: 0 healthy, 3 inconclusive, 4 tripped or aborted, 5 timeout."""
    _, folder = running_state(site, state)
    spool = spool_of(folder)
    until_s = time.monotonic() + timeout_s
    while True:
        seen = status_of(spool, folder)
        code = _code(seen)
        if not stage or seen.stage == stage or code == TRIPPED:
            break
        if time.monotonic() >= until_s:
            code = TIMEOUT
            break
        time.sleep(0.2)
    typer.echo(f"{seen.mode}: stage {seen.stage}, {seen.stage_status}, {seen.in_control} in control")
    raise typer.Exit(code)


def spool_of(folder: Path) -> SpoolReader:
    """The spool of a state directory, to read."""
    return SpoolReader(folder / "spool.sqlite")


def _act(kind: Kind, reason: str, site: Any, state: Any, **payload: Any) -> None:
    found, folder = running_state(site, state)
    console.print(submit(folder, found.settings.plant.name, kind, {"reason": reason, **payload}))


@app.command()
def pause(reason: ReasonOption, site: SiteOption = DEMO, state: StateOption = None) -> None:
    """Give the plant to the incumbent, without a latch."""
    _act("pause", reason, site, state)


@app.command()
def resume(reason: ReasonOption, site: SiteOption = DEMO, state: StateOption = None) -> None:
    """Go on after a pause, or give an inconclusive gate another term."""
    _act("resume", reason, site, state)


@app.command()
def promote(
    reason: ReasonOption,
    skip_gate: Annotated[bool, typer.Option("--skip-gate", help="Although the gate has not passed; recorded.")] = False,
    site: SiteOption = DEMO,
    state: StateOption = None,
) -> None:
    """Consent to the next stage."""
    _act("promote", reason, site, state, skip_gate=skip_gate)


@app.command()
def abort(reason: ReasonOption, site: SiteOption = DEMO, state: StateOption = None) -> None:
    """End the rollout. Works from every state and cannot be undone."""
    _act("abort", reason, site, state)


def status_of(spool: SpoolReader, folder: Path) -> PlantStatus:
    """The live status in a state directory. Raises StateError before the first decision."""
    status = read_status(spool, folder)
    if status is None:
        raise StateError("nothing has been published yet: the control process has not made its first decision")
    return status


def _code(seen: PlantStatus) -> int:
    if seen.mode in ("tripped", "aborted"):
        return TRIPPED
    return INCONCLUSIVE if seen.gate.outcome == "inconclusive" else HEALTHY


def _watch(spool: SpoolReader, folder: Path, start_us: int, timeout_s: float) -> PlantStatus:
    until_s = time.monotonic() + timeout_s if timeout_s else float("inf")
    with TerminalView(start_us, None, live=True) as view:
        while True:
            seen = status_of(spool, folder)
            view.show(seen)
            if _code(seen) == TRIPPED:
                return seen
            if time.monotonic() >= until_s:
                raise typer.Exit(TIMEOUT)
            time.sleep(0.25)


def _print(seen: PlantStatus) -> None:
    console.print(f"{seen.plant}: {seen.mode}, [bold]{seen.in_control}[/] in control ({seen.why})")
    table = Table("", "stage", "check", "outcome", "reason", box=None, header_style="grey62", pad_edge=False)
    for stage in seen.stages:
        mark = {"done": "✓", "now": "▸", "next": " "}[stage.state]
        checks = seen.gate.checks if stage.state == "now" else []
        table.add_row(mark, stage.name, *(_check(checks[0]) if checks else ("", "", "")))
        for check in checks[1:]:
            table.add_row("", "", *_check(check))
    console.print(table)


def _check(check: CheckStatus) -> tuple[str, str, str]:
    return check.name, check.outcome, check.reason
