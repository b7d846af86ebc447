"""The terminal's view of a running site: calm, one screen, the same facts as the console."""

from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from controller.protocol.status import MeasuredStatus, PlantStatus

QUIET, LOUD = "grey62", "bold yellow"


class TerminalView:
    """Shows the live status while a run goes on. Without a terminal it prints one line per simulated week instead."""

    def __init__(self, start_us: int, until_us: int | None, *, live: bool) -> None:
        self.start_us, self.until_us = start_us, until_us
        self.console = Console(stderr=True)
        self.live = Live(console=self.console, refresh_per_second=5) if live and self.console.is_terminal else None
        self._week = -1

    def __enter__(self) -> "TerminalView":
        if self.live is not None:
            self.live.start()
            self.live.update(Text("starting ...", style=QUIET))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.live is not None:
            self.live.stop()

    def show(self, seen: PlantStatus | None) -> None:
        """Show a status; without one the screen stays as it is."""
        if seen is None:
            return
        if not seen.cost.lanes:  # published by an earlier version; this one's own follows
            return
        if self.live is not None:
            self.live.update(self._screen(seen))
        elif (week := (seen.at_us - self.start_us) // (7 * 86400 * 1_000_000)) != self._week:
            self._week = week
            self.console.print(_line(seen, self.start_us), style=QUIET, highlight=False, soft_wrap=True)

    def _screen(self, seen: PlantStatus) -> Group:
        rows = Table.grid(padding=(0, 2))
        rows.add_column(style=QUIET, min_width=14)
        rows.add_column()
        rows.add_row("plant time", f"{_clock(seen.at_us)}   day {_days(seen, self.start_us):.1f}   {seen.plant}")
        rows.add_row("in control", _control(seen))
        if seen.mode in ("stopped", "override", "tripped", "paused", "aborted"):
            rows.add_row("mode", Text(f"{seen.mode}{_since(seen)}", style=LOUD))
        rows.add_row("stage", Text(f"{seen.stage}   {seen.stage_status}"))
        rows.add_row("stages", _stages(seen))
        rows.add_row("cost", _cost(seen.cost))
        rows.add_row("outside limits", _breaches(seen.breach_s))
        rows.add_row("vetoes", _vetoes(seen))
        for index, check in enumerate(_open_checks(seen)):
            rows.add_row("next gate" if index == 0 else "", Text(check))
        for trip in seen.trips:
            rows.add_row("TRIPPED", Text(f"{trip.cause}: {trip.first_out}", style=LOUD))
        parts: list[Any] = [rows]
        if self.until_us is not None:
            done = seen.at_us - self.start_us
            parts.append(ProgressBar(total=self.until_us - self.start_us, completed=done, width=60, style=QUIET))
        return Group(*parts)


def _clock(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / 1e6, UTC).strftime("%d %b %H:%M UTC")


def _days(seen: PlantStatus, start_us: int) -> float:
    return float((seen.at_us - start_us) / 86400e6)


def _control(seen: PlantStatus) -> Text:
    style = "" if seen.in_control in ("incumbent", "candidate") else LOUD
    return Text(f"{seen.in_control}   ({seen.why})", style=style)


def _since(seen: PlantStatus) -> str:
    """The operator behind the mode and the reason; empty for a mode that no operator set."""
    override = seen.override
    if seen.mode == "override" and override:
        return f" by {override.actor}: {override.reason}"
    return ": the incumbent is in control" if seen.mode == "stopped" else ""


def _open_checks(seen: PlantStatus) -> list[str]:
    """The checks that still stand between the candidate and the next stage."""
    checks = [f"{check.outcome}: {check.reason}" for check in seen.gate.checks if check.outcome != "passed"]
    return checks or ["every check has passed: it is entered at the end of a block"]


def _stages(seen: PlantStatus) -> Text:
    text = Text()
    for stage in seen.stages:
        mark = {"done": "✓ ", "now": "▸ ", "next": "  "}[stage.state]
        text.append(f"{mark}{stage.name}   ", style="" if stage.state == "now" else QUIET)
    return text


def _cost(cost: MeasuredStatus) -> Text:
    """The cost of the incumbent alone, and of each other lane relative to it; without twins, the plant's own cost."""
    lanes, what = cost.lanes, f"{cost.unit} {cost.name.replace('_', ' ')}".strip()
    base = lanes.get("incumbent") or 0.0
    if not base:
        own = lanes.get("applied") or 0.0
        return Text(f"{own:,.0f} {what}", style=QUIET)
    parts = [
        f"{name.replace('_', ' ')} {value / base - 1:+.1%}"
        for name, value in lanes.items()
        if name != "incumbent" and value is not None
    ]
    return Text(f"incumbent alone {base:,.0f} {what}   " + "   ".join(parts))


def _breaches(breach_s: dict[str, float | None]) -> Text:
    known = {name: value for name, value in breach_s.items() if value is not None}
    loud = known.get("applied", 0.0) > known.get("incumbent", 0.0)
    return Text("   ".join(f"{name} {value:.0f} s" for name, value in known.items()), style=LOUD if loud else "")


def _vetoes(seen: PlantStatus) -> Text:
    total = sum(seen.vetoes.values())
    rules = ", ".join(f"{rule} {count}" for rule, count in sorted(seen.vetoes.items(), key=lambda item: -item[1])[:4])
    return Text(f"{total} of the candidate   {rules}" if total else "none", style="" if not seen.escapes else LOUD)


def _line(seen: PlantStatus, start_us: int) -> str:
    lanes = seen.cost.lanes
    base, candidate = lanes.get("incumbent"), lanes.get("candidate")
    saved = f"candidate {candidate / base - 1:+.1%} cost, " if base and candidate is not None else ""
    return (
        f"day {_days(seen, start_us):6.1f}  {seen.stage:>7} {seen.stage_status[:40]:<12} "
        f"{'' if seen.mode in ('shadow', 'rollout', 'completed') else seen.mode.upper() + '  '}"
        f"in control: {seen.in_control:<10} "
        f"{saved}{sum(seen.vetoes.values())} vetoes"
    )
