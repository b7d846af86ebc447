"""The columns behind the trends: zone temperatures against their limits, and every setpoint with who wanted what."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from controller.api.live import PlantStatus, number
from controller.decision import Decision
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
    """The signals worth a line: those with a limit, of the unit most of them have; at most MOST_LINES."""
    limited = {name: s.unit for name, s in live.signals.items() if s.low is not None or s.high is not None}
    chosen = limited or {name: s.unit for name, s in live.signals.items()}
    if not chosen:
        return []
    unit, _ = Counter(chosen.values()).most_common(1)[0]
    return [name for name, its in chosen.items() if its == unit][:MOST_LINES]


def _signal(name: str, live: PlantStatus, ordered: Sequence[Decision]) -> dict[str, Any]:
    status = live.signals[name]
    seen = [decision.observation.signals.get(name) for decision in ordered]
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
