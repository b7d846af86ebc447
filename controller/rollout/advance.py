"""`advance`: what one tick of evidence does to a rollout. Pure, and the same on replay."""

from collections.abc import Callable
from dataclasses import replace

from controller.rollout.blocks import block_of, is_last_tick_of_block
from controller.rollout.breakers import open_breakers
from controller.rollout.effects import ApprovalWanted, AuditNote, Completed
from controller.rollout.gates import Gate, GateOutcome, judge_once
from controller.rollout.spec import RolloutSpec
from controller.rollout.state import LATCHED, RolloutState, RolloutStatus
from controller.rollout.transitions import Change, end, enter, hold, open_latch
from shadow.evidence import Evidence


def advance(
    spec: RolloutSpec, state: RolloutState, evidence: Evidence, now_us: int, gate: Callable[[], Gate] | None = None
) -> Change:
    """The state after the tick just observed, and what to do about it. Call it once after each `observe_tick`.

    `gate` judges the gate of this state on this evidence, for a caller who wants it too (`judge_once`).

    A trip beats everything; a FAILED gate aborts; nothing else happens before the last tick of a block, so that a stage
    begins with a block. Most ticks bring no news and return the same state.
    """
    if not evidence.news and not is_last_tick_of_block(spec, now_us):
        return state, ()
    if state.status is RolloutStatus.ABORTED or state.status in LATCHED:
        return state, ()
    if causes := open_breakers(spec, evidence):
        return open_latch(spec, state, now_us, causes)
    gate = gate or judge_once(spec, state, evidence, now_us)
    return _follow(spec, state, evidence, now_us, gate())


def _follow(spec: RolloutSpec, state: RolloutState, evidence: Evidence, now_us: int, gate: Gate) -> Change:
    """Change the state by a gate's outcome. A pair not named here changes nothing."""
    due = _may_leave(spec, state, now_us)
    match state.status, gate.outcome:
        case _, GateOutcome.FAILED:
            return end(state, now_us, f"gate of stage `{gate.stage}` failed: {gate.why}")
        case RolloutStatus.PAUSED, _:
            return state, ()
        case _, _ if state.promotion is not None and state.promotion.skips_gate:
            return _promote(spec, state, evidence, now_us) if due else (state, ())
        case RolloutStatus.RUNNING, GateOutcome.INCONCLUSIVE if not state.held:
            return hold(spec, state, now_us, gate.why)
        case ((RolloutStatus.RUNNING | RolloutStatus.WAITING_APPROVAL), GateOutcome.PASSED) if not state.held:
            return _passed(spec, state, evidence, now_us, gate, due)
        case RolloutStatus.WAITING_APPROVAL, _:
            return _no_longer_passed(state, now_us, gate)
        case _:
            return state, ()


def _may_leave(spec: RolloutSpec, state: RolloutState, now_us: int) -> bool:
    """At the end of a block; where groups are scored, of a group, so that no promotion cuts one short.

    Every stage lasts a block at least, whatever evidence was brought into it.
    """
    if block_of(spec, now_us) < state.first_block or not is_last_tick_of_block(spec, now_us):
        return False
    if not spec.scores_benefit(state.stage):
        return True
    size, _ = spec.group_of(state.stage)
    return (block_of(spec, now_us) + 1 - state.first_block) % size == 0


def _passed(spec: RolloutSpec, state: RolloutState, evidence: Evidence, now_us: int, gate: Gate, due: bool) -> Change:
    if state.stage + 1 >= len(spec.stages):
        completed = replace(state, status=RolloutStatus.COMPLETED, version=state.version + 1)
        return completed, (Completed(now_us, gate.why),)
    following = spec.stages[state.stage + 1]
    if state.promotion is not None:
        return _promote(spec, state, evidence, now_us) if due else (state, ())
    if following.approvals == 0:
        return enter(spec, state, evidence, now_us, state.stage + 1, gate.why) if due else (state, ())
    if state.status is RolloutStatus.WAITING_APPROVAL:
        return state, ()
    waiting = replace(state, status=RolloutStatus.WAITING_APPROVAL, version=state.version + 1)
    return waiting, (ApprovalWanted(now_us, gate.stage, following.name, following.approvals, gate.why),)


def _promote(spec: RolloutSpec, state: RolloutState, evidence: Evidence, now_us: int) -> Change:
    promotion = state.promotion
    assert promotion is not None
    return enter(spec, state, evidence, now_us, promotion.to_stage, promotion.why, promotion.by)


def _no_longer_passed(state: RolloutState, now_us: int, gate: Gate) -> Change:
    """Drop the promotion that awaited approval, and its approvals, because the gate no longer passes."""
    running = replace(state, status=RolloutStatus.RUNNING, approvals=(), promotion=None, version=state.version + 1)
    return running, (AuditNote(now_us, "approval no longer asked for", gate.why),)
