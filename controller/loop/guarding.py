"""Between decisions: the command in force is judged again, and what that comes to for the loop."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from controller.loop.checkpoint import LoopState
from controller.loop.evidence import HARD_VETO
from controller.rollout.state import RolloutStatus
from safety.envelope import Envelope
from safety.guard import Guarded, guard
from safety.values import Memory, Observation, Rung, Signal, Source, Tier


@dataclass(frozen=True, slots=True)
class Watched:
    """The loop's state after a guard; whether to decide at once, and without which sources."""

    state: LoopState
    decide_now: bool
    without: frozenset[Source]


def guard_command(
    state: LoopState,
    seen: Observation,
    envelope: Envelope,
    *,
    elapsed_us: int,
    measured: Mapping[str, Signal],
    withdrawn: bool,
) -> Watched:
    """Guard the command in force. `withdrawn` says that the candidate has lost its authority outside the rules."""
    memory = in_force(state.memory, seen)
    guarded = guard(seen, memory.last, envelope, memory, elapsed_us=elapsed_us, measured=measured)
    # A latch is set by the decision that makes it durable, not here.
    kept = guarded.memory
    state = state.remembering(kept if kept.latches == memory.latches else replace(kept, latches=memory.latches))
    without = guarded.removed | ({Source.CANDIDATE} if withdrawn else frozenset())
    acting = state.memory.rung is Rung.CANDIDATE
    decide_now = guarded.decide_now or (acting and Source.CANDIDATE in without)
    if decide_now and acting and _violates_hard_tier(guarded):
        state = state.with_cause(HARD_VETO)
    return Watched(state, decide_now, without)


def aged(measured: Mapping[str, Signal], age_us: int) -> Mapping[str, Signal]:
    """Measures of a proposal made `age_us` ago."""
    return {name: replace(signal, age_us=age_us) for name, signal in measured.items()}


def in_force(memory: Memory, seen: Observation) -> Memory:
    """The memory as the plant sees it: a command that it has dropped (expired, or never taken) is not in force."""
    if seen.applied is None and memory.last is not None:
        return replace(memory, last=None, rung=Rung.RELINQUISH)
    return memory


def is_driving(state: LoopState) -> bool:
    """Whether the rollout gives the candidate a share at all."""
    return state.rollout.status in (RolloutStatus.RUNNING, RolloutStatus.WAITING_APPROVAL, RolloutStatus.COMPLETED)


def _violates_hard_tier(guarded: Guarded) -> bool:
    """Whether a tier that protects equipment or people refuses the command in force; a sensor that is stale does not."""
    return any(f.refuses and f.about != "state" and f.tier in (Tier.T1, Tier.T2) for f in guarded.findings)
