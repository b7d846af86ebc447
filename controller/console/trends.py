"""The columns behind the trends: one group of signals against its limits, and every setpoint with who wanted what."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from controller.console.present import unit
from controller.protocol.status import PlantStatus, number
from controller.records.decision import Decision
from safety.values import Source

POINTS = 288
MOST_LINES = 12
US_PER_S = 1_000_000


def trends(live: PlantStatus, decisions: Sequence[Decision]) -> dict[str, Any]:
    """Columns over the decisions given newest first; null where a value was not there. Times in seconds, UTC."""
    ordered = list(reversed(decisions))
    return {
        "t_s": [decision.observation.taken_at / US_PER_S for decision in ordered],
        "signals": {name: _signal(name, live, ordered) for name in charted(live)},
        "setpoints": {name: _setpoint(name, live, ordered) for name in live.setpoints},
    }


def charted(live: PlantStatus) -> list[str]:
    """The signals worth a line: the largest group that shares unit and limits, so that one band is true of all of them.

    At most MOST_LINES; groups without a limit count only if no group has one.
    """
    groups = Counter((s.unit, s.low, s.high) for s in live.signals.values())
    limited = Counter({group: count for group, count in groups.items() if group[1:] != (None, None)}) or groups
    if not limited:
        return []
    chosen, _ = limited.most_common(1)[0]
    return [name for name, s in live.signals.items() if (s.unit, s.low, s.high) == chosen][:MOST_LINES]


def heading(live: PlantStatus) -> str:
    """Return the heading of the trend of signals, with the unit if it has one."""
    shown = [live.signals[name] for name in charted(live)]
    if not shown:
        return "Signals"
    in_unit = f" in {unit(shown[0].unit)}" if unit(shown[0].unit) else ""
    limits = "" if (shown[0].low, shown[0].high) == (None, None) else " and their limits"
    return f"Signals{in_unit}{limits}"


def _signal(name: str, live: PlantStatus, ordered: Sequence[Decision]) -> dict[str, Any]:
    status = live.signals[name]
    seen = [decision.signals.get(name) for decision in ordered]
    values = [None if signal is None or not signal.good else number(signal.value) for signal in seen]
    return {"unit": status.unit, "low": status.low, "high": status.high, "values": values}


def _setpoint(name: str, live: PlantStatus, ordered: Sequence[Decision]) -> dict[str, Any]:
    status = live.setpoints[name]
    return {
        "unit": status.unit,
        "low": status.low,
        "high": status.high,
        "applied": [decision.command.setpoints.get(name) for decision in ordered],
        "incumbent": [_wanted(decision, Source.INCUMBENT, name) for decision in ordered],
        "candidate": [_wanted(decision, Source.CANDIDATE, name) for decision in ordered],
    }


def _wanted(decision: Decision, source: Source, name: str) -> float | None:
    for proposal in decision.proposals:
        if proposal.source is source and name in proposal.targets:
            return number(proposal.targets[name])
    return None
