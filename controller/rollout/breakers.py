"""Which causes are present now, and which breakers they would open. Reading only; `advance` does the tripping."""

from dataclasses import dataclass
from typing import Literal

from controller.rollout.spec import INSTANT_CAUSES, InstantBreaker, RolloutSpec, StatisticalBreaker
from shadow.evidence import Evidence


@dataclass(frozen=True, slots=True)
class BreakerReading:
    """One breaker: `open` trips; `unknown` is a statistical one that has seen too little, which is not `closed`."""

    cause: str
    state: Literal["closed", "open", "unknown"]
    reason: str
    critical: bool


def read_breakers(spec: RolloutSpec, evidence: Evidence) -> tuple[BreakerReading, ...]:
    """Every breaker, in first-out order: instant causes as `INSTANT_CAUSES` lists them, then the statistical ones.

    A cause the specification does not know counts as critical.
    """
    instant = {b.cause: b for b in spec.breakers if isinstance(b, InstantBreaker)}
    readings = [_instant(instant[cause], evidence) for cause in INSTANT_CAUSES]
    undeclared = [] if evidence.last is None else [c for c in evidence.last.causes if c not in instant]
    readings += [BreakerReading(c, "open", f"`{c}` was reported, which no breaker declares", True) for c in undeclared]
    return (*readings, *(_statistical(b, evidence) for b in spec.breakers if isinstance(b, StatisticalBreaker)))


def open_breakers(spec: RolloutSpec, evidence: Evidence) -> tuple[BreakerReading, ...]:
    """The breakers that are open, first-out first."""
    return tuple(reading for reading in read_breakers(spec, evidence) if reading.state == "open")


def _instant(breaker: InstantBreaker, evidence: Evidence) -> BreakerReading:
    seen, what = _instant_evidence(breaker.cause, evidence)
    state: Literal["closed", "open"] = "open" if seen >= breaker.in_a_row else "closed"
    sign = ">=" if state == "open" else "<"
    return BreakerReading(breaker.cause, state, f"{what} ({seen}) {sign} limit ({breaker.in_a_row})", breaker.critical)


def _instant_evidence(cause: str, evidence: Evidence) -> tuple[int, str]:
    """The number of consecutive ticks with the cause, and what was counted."""
    tick, tally = evidence.last, evidence.tally
    if tick is None:
        return 0, cause
    match cause:
        case "breach":
            return int(tally.last_driven_breach_s > 0.0), "intervals outside limits with the candidate in control"
        case "hard_veto":
            return int(tick.hard_veto and tick.assigned == "candidate"), "hard vetoes with the candidate in control"
        case _ if cause.startswith("candidate_"):
            present = tick.candidate_status == cause.removeprefix("candidate_")
            return (tally.status_in_a_row if present else 0), f"`{cause}` ticks in a row"
        case _:
            return int(cause in tick.causes), f"`{cause}` reports"


def _statistical(breaker: StatisticalBreaker, evidence: Evidence) -> BreakerReading:
    detector = evidence.detector(breaker.signal)
    if detector is None or detector.count < breaker.minimum:
        count = 0 if detector is None else detector.count
        reason = f"`{breaker.signal}` values ({count}) < minimum ({breaker.minimum})"
        return BreakerReading(breaker.signal, "unknown", reason, breaker.critical)
    value, limit = detector.shiryaev_roberts, breaker.false_trip_every
    state: Literal["closed", "open"] = "open" if value >= limit else "closed"
    sign = ">=" if state == "open" else "<"
    reason = f"evidence of change in `{breaker.signal}` ({value:.3g}) {sign} limit ({limit:.3g})"
    return BreakerReading(breaker.signal, state, reason, breaker.critical)
