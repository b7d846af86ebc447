"""What people can do to a rollout. Taking authority from the candidate is one person's right; giving it is not."""

from dataclasses import replace

from controller.rollout.blocks import block_of
from controller.rollout.breakers import BreakerReading, open_breakers
from controller.rollout.effects import AuditNote
from controller.rollout.errors import ActRefusedError
from controller.rollout.gates import GateOutcome, judge
from controller.rollout.spec import RolloutSpec
from controller.rollout.state import DRIVING, LATCHED, Promotion, RolloutState, RolloutStatus, Signature
from controller.rollout.transitions import Change, end, enter, open_latch
from shadow.evidence import Evidence


def abort(state: RolloutState, now_us: int, who: str, reason: str) -> Change:
    """End the rollout, from any state. Aborting twice changes nothing."""
    _signed(who, reason)
    return (state, ()) if state.status is RolloutStatus.ABORTED else end(state, now_us, reason, who)


def trip(spec: RolloutSpec, state: RolloutState, now_us: int, who: str, reason: str) -> Change:
    """Open the latch by hand, from any state that is not already without authority for good."""
    _signed(who, reason)
    if state.status is RolloutStatus.ABORTED or state.status in LATCHED:
        return state, ()
    cause = BreakerReading("operator", "open", f"{who}: {reason}", critical=False)
    return open_latch(spec, state, now_us, (cause,))


def pause(state: RolloutState, now_us: int, who: str, reason: str) -> Change:
    """Give the plant to the incumbent, without a latch. Gates and breakers go on being watched."""
    _signed(who, reason)
    if state.status is RolloutStatus.PAUSED:
        return state, ()
    _wants(state, DRIVING, "pause")
    paused = replace(state, status=RolloutStatus.PAUSED, approvals=(), promotion=None, version=state.version + 1)
    return paused, (AuditNote(now_us, "paused", reason, who),)


def resume(spec: RolloutSpec, state: RolloutState, now_us: int, who: str, reason: str) -> Change:
    """Go on after a pause, with new groups from the next block; or give an inconclusive gate a new term of patience."""
    _signed(who, reason)
    if state.status is not RolloutStatus.PAUSED and not (state.status is RolloutStatus.RUNNING and state.held):
        raise ActRefusedError(
            f"cannot resume: the rollout is {state.status.value}, not paused and not held as inconclusive"
        )
    again = replace(state, patience_from_us=now_us, held="", version=state.version + 1)
    if state.status is RolloutStatus.PAUSED:
        again = replace(
            again, status=RolloutStatus.RUNNING, entry=state.entry + 1, first_block=block_of(spec, now_us) + 1
        )
    return again, (AuditNote(now_us, "resumed", reason, who),)


def demote(
    spec: RolloutSpec,
    state: RolloutState,
    evidence: Evidence,
    now_us: int,
    to_stage: str,
    who: str,
    reason: str,
) -> Change:
    """Go back to a lower stage from the next tick on (the present block is the incumbent's)."""
    _signed(who, reason)
    _wants(state, DRIVING, "demote")
    names = [stage.name for stage in spec.stages]
    if to_stage not in names[: state.stage]:
        raise ActRefusedError(f"cannot demote to `{to_stage}`: name one of the lower stages {names[: state.stage]}")
    return enter(spec, state, evidence, now_us, names.index(to_stage), f"demoted: {reason}", (who,))


def promote(
    spec: RolloutSpec,
    state: RolloutState,
    evidence: Evidence,
    now_us: int,
    who: str,
    reason: str,
    *,
    skip_gate: bool = False,
) -> Change:
    """Approve the next stage. With enough different people it is entered at the next end of a block or group.

    This is the one place that judges whether a gate is skipped: it is where it has not passed, or the stage is held. Each
    approver must then say `skip_gate`, at least `skip_approvals` people are needed, and it is recorded. A gate that has
    FAILED cannot be skipped.
    """
    _signed(who, reason)
    _wants(state, frozenset({RolloutStatus.RUNNING, RolloutStatus.WAITING_APPROVAL}), "promote")
    if state.stage + 1 >= len(spec.stages):
        raise ActRefusedError(f"cannot promote: `{spec.stages[state.stage].name}` is the last stage")
    gate = judge(spec, state, evidence, now_us)
    if gate.outcome is GateOutcome.FAILED or open_breakers(spec, evidence):
        raise ActRefusedError(f"cannot promote: {gate.why or 'a breaker is open'}")
    skips = gate.outcome is not GateOutcome.PASSED or bool(state.held)
    if skips and not skip_gate:
        raise ActRefusedError(f"the gate has not passed ({state.held or gate.why}): skip it knowingly, or wait")
    approvals = _cosign(state.approvals, Signature(who, now_us, reason), "promote")
    wanted = max(1, spec.stages[state.stage + 1].approvals, spec.skip_approvals if skips else 1)
    what = "gate skip agreed to" if skips else "promotion agreed to"
    note = AuditNote(
        now_us, f"{what} ({len(approvals)} of {wanted})", f"{reason}; gate: {gate.outcome.value}, {gate.why}", who
    )
    promotion = None
    if len(approvals) >= wanted:
        why = f"gate skipped ({gate.outcome.value}: {gate.why}): {reason}" if skips else gate.why
        promotion = Promotion(state.stage + 1, why, tuple(s.who for s in approvals), skips)
    status = state.status if skips else RolloutStatus.WAITING_APPROVAL
    agreed = replace(state, status=status, approvals=approvals, promotion=promotion, version=state.version + 1)
    return agreed, (note,)


def reset(
    spec: RolloutSpec,
    state: RolloutState,
    evidence: Evidence,
    now_us: int,
    expected_trip_id: str,
    who: str,
    reason: str,
) -> Change:
    """Close the latch of the trip named. A critical trip, or a lock-out, needs two different people.

    Refused while any cause is present or the cool-down runs. The rollout goes on in shadow, at the lowest stage, and
    must settle there; evidence is kept.
    """
    _signed(who, reason)
    _wants(state, LATCHED, "reset")
    latched = state.trip
    if latched is None or latched.id != expected_trip_id:
        raise ActRefusedError(
            f"cannot reset trip `{expected_trip_id}`: the latched one is `{latched.id if latched else None}`"
        )
    _cooled(spec, latched.at_us, now_us)
    if causes := open_breakers(spec, evidence):
        raise ActRefusedError(f"cannot reset: still present: {'; '.join(reading.reason for reading in causes)}")
    signatures = _cosign(state.reset_by, Signature(who, now_us, reason), "reset")
    needed = 2 if latched.critical or state.status is RolloutStatus.LOCKED_OUT else 1
    note = AuditNote(now_us, f"reset of trip {latched.id} ({len(signatures)} of {needed})", reason, who)
    if len(signatures) < needed:
        return replace(state, reset_by=signatures, version=state.version + 1), (note,)
    by = tuple(s.who for s in signatures)
    shadowed, effects = enter(spec, state, evidence, now_us, 0, f"reset after `{latched.cause}`: {reason}", by)
    digest = spec.digest()
    return replace(shadowed, re_entry=True, trip=None, reset_by=(), spec_digest=digest), (note, *effects)


def _cooled(spec: RolloutSpec, tripped_at_us: int, now_us: int) -> None:
    waited_s = (now_us - tripped_at_us) // 1_000_000
    if waited_s < spec.reset.cool_down_s:
        raise ActRefusedError(
            f"cannot reset: seconds since the trip ({waited_s}) < cool-down ({spec.reset.cool_down_s})"
        )


def _cosign(signatures: tuple[Signature, ...], new: Signature, act: str) -> tuple[Signature, ...]:
    if any(signature.who == new.who for signature in signatures):
        raise ActRefusedError(f"cannot {act}: `{new.who}` has agreed already, another person is needed")
    return (*signatures, new)


def _signed(who: str, reason: str) -> None:
    if not who.strip() or not reason.strip():
        raise ActRefusedError(f"an act needs a name and a reason, got who `{who}` and reason `{reason}`")


def _wants(state: RolloutState, statuses: frozenset[RolloutStatus], act: str) -> None:
    if state.status not in statuses:
        wanted = ", ".join(sorted(status.value for status in statuses))
        raise ActRefusedError(f"cannot {act}: the rollout is {state.status.value}, it must be one of: {wanted}")
