"""The few ways a state becomes another. Pure; who may ask for which is decided by `advance` and `acts`."""

from dataclasses import replace

from controller.rollout.blocks import block_of
from controller.rollout.breakers import BreakerReading
from controller.rollout.effects import Aborted, Effect, Held, StageEntered, Tripped
from controller.rollout.gates import marks_of
from controller.rollout.spec import RolloutSpec
from controller.rollout.state import RolloutState, RolloutStatus, RolloutTrip, Transition, trip_id
from shadow.evidence import Evidence

Change = tuple[RolloutState, tuple[Effect, ...]]


def start(spec: RolloutSpec, rollout_id: str, evidence: Evidence, now_us: int) -> Change:
    """A rollout in its first stage, shadow. Evidence gathered before on the same bundle and plant counts."""
    state = RolloutState(
        rollout_id,
        spec.digest(),
        RolloutStatus.RUNNING,
        stage=0,
        entry=0,
        entered_at_us=now_us,
        first_block=block_of(spec, now_us) + 1,
        patience_from_us=now_us,
        marks=marks_of(evidence),
    )
    return state, (StageEntered(now_us, spec.stages[0].name, state.first_block, "the rollout begins"),)


def enter(
    spec: RolloutSpec,
    state: RolloutState,
    evidence: Evidence,
    now_us: int,
    stage: int,
    why: str,
    by: tuple[str, ...] = (),
) -> Change:
    """Enter `stage`: it begins with the next block, with new groups, marks and patience."""
    move = Transition(now_us, spec.stages[state.stage].name, spec.stages[stage].name, why, by)
    entered = replace(
        state,
        status=RolloutStatus.RUNNING,
        stage=stage,
        entry=state.entry + 1,
        entered_at_us=now_us,
        first_block=block_of(spec, now_us) + 1,
        patience_from_us=now_us,
        marks=marks_of(evidence),
        re_entry=state.re_entry and stage == 0,
        held="",
        version=state.version + 1,
        history=(*state.history, move),
        approvals=(),
        promotion=None,
    )
    return entered, (StageEntered(now_us, move.to_stage, entered.first_block, why, by),)


def open_latch(spec: RolloutSpec, state: RolloutState, now_us: int, causes: tuple[BreakerReading, ...]) -> Change:
    """Trip on the first of `causes`; after too many trips in the window the latch takes two people to reset."""
    first, others = causes[0], causes[1:]
    critical = any(reading.critical for reading in causes)
    identity = trip_id(state.rollout_id, state.version, now_us)
    trip = RolloutTrip(
        identity, now_us, first.cause, first.reason, critical, tuple(reading.cause for reading in others)
    )
    trips = (*state.trips_at_us, now_us)
    recent = sum(at > now_us - spec.reset.lock_out_window_s * 1_000_000 for at in trips)
    locked = recent >= spec.reset.lock_out_trips
    stage, lowest = spec.stages[state.stage].name, spec.stages[0].name
    tripped = replace(
        state,
        status=RolloutStatus.LOCKED_OUT if locked else RolloutStatus.TRIPPED,
        stage=0,
        version=state.version + 1,
        history=(*state.history, Transition(now_us, stage, lowest, f"tripped by `{first.cause}`: {first.reason}")),
        trip=trip,
        trips_at_us=trips,
        reset_by=(),
        held="",
        approvals=(),
        promotion=None,
    )
    return tripped, (Tripped(now_us, trip, locked),)


def end(state: RolloutState, now_us: int, why: str, by: str = "") -> Change:
    """Abort: terminal."""
    ended = replace(
        state, status=RolloutStatus.ABORTED, version=state.version + 1, aborted_why=why, approvals=(), promotion=None
    )
    return ended, (Aborted(now_us, why, by),)


def hold(spec: RolloutSpec, state: RolloutState, now_us: int, why: str) -> Change:
    """The gate is inconclusive: stay at this stage until a person decides."""
    held = replace(
        state, status=RolloutStatus.RUNNING, held=why, approvals=(), promotion=None, version=state.version + 1
    )
    return held, (Held(now_us, spec.stages[state.stage].name, why),)
