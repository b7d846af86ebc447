"""Operators' acts, as the control process carries them out: overrides, STOP, and everything a rollout lets people do.

An act is an intent row (idempotency key, expected version); its outcome is written back to the row. STOP is also a
latch file, so that it works with the web process and every database gone.
"""

import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from controller.errors import IntentRefusedError
from controller.loop.checkpoint import LoopState, Override
from controller.ports import NO_DETAIL, Event, EventDetail
from controller.records.errors import RecordsError
from controller.records.operator_queue import Intent
from controller.records.stop_latch import clear_stop, stop_path, write_stop
from controller.rollout import acts
from controller.rollout.effects import (
    Aborted,
    ApprovalWanted,
    AuditNote,
    Completed,
    Effect,
    Held,
    StageEntered,
    Tripped,
)
from controller.rollout.errors import ActRefusedError
from controller.rollout.spec import RolloutSpec
from safety.envelope import Envelope
from safety.memory import reset as reset_latch
from safety.rules.command_rules import Bound
from safety.rules.state_rules import Trip
from safety.values import Observation, Proposal, Source, Status

log = logging.getLogger("understudy.operate")
LATCH = "latch:"
MAX_OVERRIDE_S = 24 * 3600
POLL_S = 0.02
AWAY_S = 5.0


class Queue(Protocol):
    """The operator queue, as far as the control process needs it."""

    def pending(self, plant: str) -> list[Intent]: ...

    def resolve(
        self, intent_id: str, outcome: Literal["applied", "refused", "stale"], detail: str, version: int | None
    ) -> None: ...


class Operators:
    """Carries out one plant's intents. Looks at the queue every 20 ms of wall time at most, and after `notify` at once."""

    def __init__(
        self,
        plant: str,
        queue: Queue,
        state_dir: Path,
        recorded: Callable[[str], bool],
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.plant = plant
        self.queue = queue
        self.state_dir = state_dir
        self._stop_file = str(stop_path(state_dir))  # asked for ten times a period, which is slow on a `Path`
        self.recorded = recorded
        self.monotonic_s = monotonic_s
        self.stopped = False
        self._looked_s = float("-inf")
        self._outcomes: list[tuple[str, Literal["applied", "refused", "stale"], str, int]] = []
        self._away = ""
        self._settle_from_s = float("-inf")

    def notify(self) -> None:
        """Look at the queue on the next occasion."""
        if not self._away:
            self._looked_s = float("-inf")

    def carry_out_pending(
        self, state: LoopState, envelope: Envelope, spec: RolloutSpec, seen: Observation
    ) -> tuple[LoopState, tuple[Event, ...]]:
        """Carry out the pending intents; return the new state and the events to record.

        Outcomes are written back by `settle`, after the record: an act is never lost between the two, and
        one that is recorded already (its id is its event's) is not carried out again.
        """
        was_stopped, self.stopped = self.stopped, os.path.exists(self._stop_file)
        events: tuple[Event, ...] = ()
        if self.stopped != was_stopped:
            text = "STOP is set" if self.stopped else "STOP is cleared"
            events = (
                Event(f"{self.plant}.{seen.taken_at}.stop.{self.stopped}", seen.taken_at, "note", "system", text),
            )
        if self.monotonic_s() - self._looked_s < (AWAY_S if self._away else POLL_S):
            return state, events
        try:
            waiting = [(intent, self.recorded(intent.id)) for intent in self._pending()]
        except RecordsError as error:
            return state, (*events, *self._is_away(str(error), seen))
        finally:
            self._looked_s = self.monotonic_s()  # after the wait for a locked file, or there would be nothing else
        events += self._is_away("", seen)
        for intent, recorded in waiting:
            if recorded:
                self._outcomes.append((intent.id, "applied", "recorded before a restart", state.rollout.version))
                continue
            state, made = self._carry_out(intent, state, envelope, spec, seen)
            events += made
        return state, events

    def settle(self) -> None:
        """Write back the outcomes of recorded acts. What cannot be written now waits."""
        if not self._outcomes or self.monotonic_s() < self._settle_from_s:
            return
        try:
            while self._outcomes:
                intent_id, outcome, detail, version = self._outcomes[0]
                self.queue.resolve(intent_id, outcome, detail, version)
                self._outcomes.pop(0)
        except RecordsError as error:
            log.warning("%s", error)
            self._outcomes.append(self._outcomes.pop(0))
            self._settle_from_s = self.monotonic_s() + AWAY_S

    def _pending(self) -> list[Intent]:
        """The intents to carry out, without those whose outcome only waits to be written back."""
        carried_out = {intent_id for intent_id, *_ in self._outcomes}
        return [intent for intent in self.queue.pending(self.plant) if intent.id not in carried_out]

    def _is_away(self, why: str, seen: Observation) -> tuple[Event, ...]:
        """The alarm when the operator queue becomes unreadable, or readable again."""
        before, self._away = self._away, why
        if bool(before) == bool(why):
            return ()
        text = (
            f"the operator queue cannot be read, STOP still works: {why}"
            if why
            else "the operator queue can be read again"
        )
        number = f"{self.plant}.{seen.taken_at}.intents.{'away' if why else 'back'}"
        return (Event(number, seen.taken_at, "alarm", "system", text),)

    def _carry_out(
        self, intent: Intent, state: LoopState, envelope: Envelope, spec: RolloutSpec, seen: Observation
    ) -> tuple[LoopState, tuple[Event, ...]]:
        version = state.rollout.version
        if intent.expected_version is not None and intent.expected_version != version:
            stale = f"the rollout is at version {version}, this act was made for {intent.expected_version}: look again"
            self._outcomes.append((intent.id, "stale", stale, version))
            return state, (Event(intent.id, seen.taken_at, "intent", intent.actor, f"{intent.kind} stale: {stale}"),)
        try:
            after, effects = self._act(intent, state, envelope, spec, seen)
        except (IntentRefusedError, ActRefusedError, ValueError, TypeError, OSError) as error:
            self._outcomes.append((intent.id, "refused", str(error), version))
            return state, (Event(intent.id, seen.taken_at, "intent", intent.actor, f"{intent.kind} refused: {error}"),)
        text = f"{intent.kind}: {intent.payload.get('reason', '')}"
        self._outcomes.append((intent.id, "applied", text, after.rollout.version))
        act = (Event(intent.id, seen.taken_at, _kind(intent, state, after), intent.actor, text, _detail(intent)),)
        return after, (*act, *events_of(effects, state, after, seen.taken_at))

    def _act(
        self, intent: Intent, state: LoopState, envelope: Envelope, spec: RolloutSpec, seen: Observation
    ) -> tuple[LoopState, tuple[Effect, ...]]:
        """The state after one act, and its effects. Raises the error that says why it is refused."""
        who, reason, now_us = intent.actor, str(intent.payload.get("reason", "")), seen.taken_at
        rollout, evidence = state.rollout, state.evidence
        match intent.kind:
            case "pause":
                changed = acts.pause(rollout, now_us, who, reason)
            case "resume":
                changed = acts.resume(spec, rollout, now_us, who, reason)
            case "promote" | "approve":
                skip_gate = bool(intent.payload.get("skip_gate"))
                changed = acts.promote(spec, rollout, evidence, now_us, who, reason, skip_gate=skip_gate)
            case "abort":
                changed = acts.abort(rollout, now_us, who, reason)
            case "trip":
                changed = acts.trip(spec, rollout, now_us, who, reason)
            case "reset":
                trip_id = str(intent.payload.get("trip_id", ""))
                if trip_id.startswith(LATCH):
                    return _unlatched(state, envelope, seen, trip_id.removeprefix(LATCH), who, reason), ()
                changed = acts.reset(spec, rollout, evidence, now_us, trip_id, who, reason)
            case "override":
                return replace(state, override=_override(intent, envelope, now_us)), ()
            case "override_clear":
                return replace(state, override=None), ()
            case "stop":
                write_stop(self.state_dir, who, reason)
                self.stopped = True
                return state, ()
            case "start":
                clear_stop(self.state_dir)
                self.stopped = False
                return state, ()
            case _:
                raise IntentRefusedError(f"`{intent.kind}` is not an act of this version")
        return replace(state, rollout=changed[0]), changed[1]


def _unlatched(
    state: LoopState, envelope: Envelope, seen: Observation, rule_id: str, who: str, reason: str
) -> LoopState:
    """The state without the latch of a rule; of a critical one, once a second person agrees. The cause must be over."""
    if not reason.strip():
        raise IntentRefusedError("a reset needs a reason")
    memory = reset_latch(state.memory, envelope, seen, rule_id)
    agreed = state.unlatching.get(rule_id, ())
    if who in agreed:
        raise IntentRefusedError(f"cannot reset: `{who}` has agreed already, another person is needed")
    critical = any(isinstance(rule, Trip) and rule.critical and rule.id == rule_id for rule in envelope.state_rules)
    if critical and not agreed:
        return replace(state, unlatching={**state.unlatching, rule_id: (who,)})
    others = {rule: people for rule, people in state.unlatching.items() if rule != rule_id}
    return replace(state, memory=memory, unlatching=others)


def _kind(intent: Intent, before: LoopState, after: LoopState) -> str:
    """Return the event kind of an act: `reset` only once the latch is lifted, which may take two people."""
    lifted = before.rollout.trip is not None and after.rollout.trip is None
    unlatched = before.memory.latches != after.memory.latches
    if intent.kind == "reset":
        return "reset" if lifted or unlatched else "intent"
    return "override" if intent.kind.startswith("override") else "intent"


def _detail(intent: Intent) -> EventDetail:
    detail = EventDetail(intent=intent.id, kind=intent.kind, reason=str(intent.payload.get("reason", "")))
    if intent.kind != "reset":
        return detail
    trip_id = str(intent.payload.get("trip_id", ""))
    if trip_id.startswith(LATCH):
        return msgspec.structs.replace(detail, latch=trip_id.removeprefix(LATCH))
    return msgspec.structs.replace(detail, trip=trip_id)


def _override(intent: Intent, envelope: Envelope, now_us: int) -> Override:
    """The override an intent asks for; refused at once where its values could never be accepted."""
    payload = intent.payload
    standing = payload.get("scope", "next") == "standing"
    for_s = float(payload.get("for_s", 0.0) or 0.0)
    if standing and not 0 < for_s <= MAX_OVERRIDE_S:
        raise IntentRefusedError(
            f"a standing override needs `for_s` above 0 and at most {MAX_OVERRIDE_S}, given {for_s:g}"
        )
    if payload.get("reject"):
        setpoints = None
    else:
        setpoints = {str(name): float(value) for name, value in dict(payload.get("setpoints") or {}).items()}
        if not setpoints:
            raise IntentRefusedError("an override needs `setpoints`, or `reject` to refuse the candidate")
        _refuse_impossible(setpoints, envelope)
    until_us = now_us + int(for_s * 1_000_000) if standing else 0
    return Override(intent.id, setpoints, standing, until_us, intent.actor, str(payload.get("reason", "")))


def _refuse_impossible(setpoints: Mapping[str, float], envelope: Envelope) -> None:
    specs = {spec.name: spec for spec in envelope.setpoints}
    for name, value in setpoints.items():
        spec = specs.get(name)
        if spec is None:
            raise IntentRefusedError(f"unknown setpoint `{name}`; valid: {', '.join(sorted(specs))}")
        if not spec.fits(value):
            among = f", one of {', '.join(f'{each:g}' for each in spec.values)}" if spec.values is not None else ""
            raise IntentRefusedError(
                f"`{name}` = {value:g} is outside its range {spec.low:g} to {spec.high:g} {spec.unit}{among}"
            )
    for rule in envelope.command_rules:
        if (
            isinstance(rule, Bound)
            and rule.setpoint in setpoints
            and not rule.low <= setpoints[rule.setpoint] <= rule.high
        ):
            raise IntentRefusedError(
                f"rule `{rule.id}` would veto it: {rule.setpoint} must be in [{rule.low:g}, {rule.high:g}]"
            )


def override_proposal(override: Override | None, incumbent: Proposal, at_us: int) -> dict[Source, Proposal]:
    """The operator's proposal of an override, completed by the incumbent's targets; none without an override."""
    if override is None or override.setpoints is None:
        return {}
    if incumbent.status is not Status.OK:
        return {Source.OPERATOR: Proposal(Source.OPERATOR, override.setpoints)}
    return {Source.OPERATOR: Proposal(Source.OPERATOR, {**incumbent.targets, **override.setpoints})}


def unexpired(override: Override | None, at_us: int) -> Override | None:
    """The override, unless its time is over."""
    return None if override is not None and override.standing and at_us >= override.until_us else override


def remaining_override(override: Override | None, at_us: int) -> Override | None:
    """Return the override that remains after a tick: a standing one until it expires, else None."""
    return override if override is not None and override.standing and at_us < override.until_us else None


def events_of(effects: tuple[Effect, ...], before: LoopState, after: LoopState, at_us: int) -> tuple[Event, ...]:
    """The events of a rollout's effects, and of latches newly set."""
    plant, version = after.evidence.plant, after.rollout.version
    set_before = {latch.rule for latch in before.memory.latches}
    made = [_event_of(effect) for effect in effects]
    made += [
        _event("trip", f"latched by `{latch.rule}`: {latch.first_out.detail}", EventDetail(latch=latch.rule))
        for latch in after.memory.latches
        if latch.rule not in set_before
    ]
    return tuple(replace(event, id=f"{plant}.{at_us}.v{version}.{n}", at=at_us) for n, event in enumerate(made))


def _event(kind: str, text: str, detail: EventDetail, by: str = "") -> Event:
    """An event whose id and time `events_of` fills in."""
    return Event("", 0, kind, by or "system", text, detail)


def _event_of(effect: Effect) -> Event:
    match effect:
        case StageEntered(_, stage, first_block, why, by):
            detail = EventDetail(stage=stage, first_block=first_block)
            return _event("stage", f"entered `{stage}`: {why}", detail, ", ".join(by))
        case Tripped(_, trip, locked_out):
            detail = EventDetail(trip=trip.id, cause=trip.cause, critical=trip.critical, locked_out=locked_out)
            return _event("trip", f"tripped by `{trip.cause}`: {trip.reason}", detail)
        case Aborted(_, why, by):
            return _event("stage", f"aborted: {why}", EventDetail(aborted=True), by)
        case Held(_, stage, why):
            return _event("note", f"`{stage}` is held, a person must decide: {why}", EventDetail(stage=stage))
        case ApprovalWanted(_, stage, next_stage, wanted, why):
            return _event("note", f"`{next_stage}` wants {wanted} approvals: {why}", EventDetail(stage=stage))
        case Completed(_, why):
            return _event("stage", f"completed: {why}", EventDetail(completed=True))
        case AuditNote(_, what, reason, by):
            return _event("intent", f"{what}: {reason}", NO_DETAIL, by)
