"""What a run did, as one JSON object. The same seed gives the same report, but for `wall_s` and `ticks_per_s`."""

from collections.abc import Mapping
from typing import Any

from controller.loop.checkpoint import LoopState
from controller.ports import OutcomeSpec, Quantity
from controller.rollout.spec import RolloutSpec
from controller.rollout.state import RolloutStatus

Lanes = Mapping[str, Mapping[str, float]]


def report_of(
    state: LoopState,
    spec: RolloutSpec,
    outcome: OutcomeSpec,
    start_us: int,
    now_us: int,
    lanes: Lanes,
) -> dict[str, Any]:
    """The report of a run from plant time `start_us` to `now_us`, without the wall clock's part.

    `lanes` is what was measured: `cost`, each guard of `outcome` by its name, and `breach_s`, by lane.
    """
    counters = state.counters
    return {
        "ticks": counters.ticks,
        "decisions": counters.decisions,
        "guard_decisions": counters.guard_decisions,
        "rungs": dict(sorted(counters.rungs.items())),
        "vetoes": dict(sorted(counters.vetoes.items())),
        "escapes": counters.escapes,
        "breach_s": dict(lanes["breach_s"]),
        "stages": stages_of(state, spec, start_us, now_us),
        "status": state.rollout.status.value,
        "cost": measured(outcome.cost, lanes["cost"]),
        "guards": [measured(guard, lanes[guard.name]) for guard in outcome.guards],
        "simulated_s": (now_us - start_us) / 1_000_000,
    }


def measured(quantity: Quantity, by_lane: Mapping[str, float]) -> dict[str, Any]:
    """A quantity as the plant declares it, with what each lane has come to, in its unit."""
    return {"name": quantity.name, "unit": quantity.unit, "label": quantity.label, "lanes": dict(by_lane)}


def stages_of(state: LoopState, spec: RolloutSpec, start_us: int, now_us: int) -> list[dict[str, Any]]:
    """Each stage entered, when [s since the start], when left and why. The last one is still open (`left_at_s` null) or
    ended by an abort or a trip."""
    rows: list[dict[str, Any]] = []
    name, entered_us = spec.stages[0].name, start_us
    for move in state.rollout.history:
        rows.append(_row(name, entered_us, move.at_us, move.why, start_us))
        name, entered_us = move.to_stage, move.at_us
    rows.append(_row(name, entered_us, None, _standing(state), start_us))
    return rows


def _standing(state: LoopState) -> str:
    rollout = state.rollout
    if rollout.status is RolloutStatus.ABORTED:
        return f"aborted: {rollout.aborted_why}"
    if rollout.trip is not None:
        return f"{rollout.status.value}: {rollout.trip.cause}"
    return rollout.held or rollout.status.value


def _row(name: str, entered_us: int, left_us: int | None, why: str, start_us: int) -> dict[str, Any]:
    left_s = None if left_us is None else (left_us - start_us) / 1_000_000
    return {"name": name, "entered_at_s": (entered_us - start_us) / 1_000_000, "left_at_s": left_s, "why": why}
