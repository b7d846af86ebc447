"""Builds the live status of `controller.protocol.status` after each decision and publishes it as JSON text."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol

from controller.loop.checkpoint import LoopState
from controller.loop.guarding import is_driving
from controller.loop.operator_commands import Operators
from controller.loop.parts import Tick, Watcher
from controller.ports import Event, OutcomeSpec, Quantity
from controller.protocol.status import (
    BlockStatus,
    BreakerStatus,
    CheckStatus,
    GateStatus,
    MeasuredStatus,
    OverrideStatus,
    PlantStatus,
    PolicyStatus,
    ReadingStatus,
    SetpointStatus,
    SignalStatus,
    SiteStatus,
    StageStatus,
    StopStatus,
    TripStatus,
    encode,
)
from controller.records.decision import Decision
from controller.rollout.blocks import block_of
from controller.rollout.breakers import read_breakers
from controller.rollout.gates import Gate
from controller.rollout.plan import plan
from controller.rollout.spec import RolloutSpec
from controller.rollout.state import LATCHED, RolloutStatus
from safety.envelope import Envelope
from safety.rules.state_rules import Trip
from safety.values import Judgement, Ruling, Rung

LEAST_GAP_S = 0.1
HEARTBEAT_S = 1.0
DAY_US = 86_400_000_000
NO_LIMITS = (None, None)


class Publisher(Protocol):
    """Where the status goes."""

    def publish_live(self, json_text: str) -> None: ...


class StatusPublisher(Watcher):
    """Publishes at most ten times a second of wall time, and at once when stage, trip, control, override or STOP change.

    `site`, `speed` (plant seconds per wall second, None as fast as possible) and `outcome`, which names what `lanes`
    measures, do not change during a run; `lanes` and `policy` are asked for each status.
    """

    def __init__(
        self,
        publisher: Publisher,
        envelope: Envelope,
        spec: RolloutSpec,
        operators: Operators,
        site: SiteStatus,
        speed: float | None,
        outcome: OutcomeSpec,
        lanes: Callable[[], Mapping[str, Mapping[str, float]]],
        policy: Callable[[], PolicyStatus],
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.publisher, self.envelope, self.spec, self.operators = publisher, envelope, spec, operators
        self.outcome = outcome
        self.site, self.speed, self.lanes, self.policy, self.monotonic_s = site, speed, lanes, policy, monotonic_s
        self.units = {signal.name: signal.unit for signal in envelope.signals}
        self.limits = {rule.signal: (rule.low, rule.high) for rule in envelope.state_rules if isinstance(rule, Trip)}
        self.critical = {rule.id for rule in envelope.state_rules if isinstance(rule, Trip) and rule.critical}
        self.plan = plan(spec)
        self._lock = threading.Lock()  # in push mode `waiting` comes from another thread than decisions do
        self._published_s = float("-inf")
        self._seen: tuple[object, ...] = ()
        self._last: PlantStatus | None = None

    def decided(self, tick: Tick) -> None:
        state = tick.state
        news = (state.rollout.version, tick.ruling.command.rung, state.override, self.operators.stopped)
        if news == self._seen and self.monotonic_s() - self._published_s < LEAST_GAP_S:
            return
        self._seen = news
        with self._lock:
            self._publish(self.status(tick))

    def happened(self, event: Event) -> None:
        self._published_s = float("-inf")

    def waiting(self) -> None:
        """Publish the last status again while nothing is decided: its age (`wall_us`) says whether this process runs."""
        with self._lock:
            if self._last is not None and self.monotonic_s() - self._published_s >= HEARTBEAT_S:
                self._publish(replace(self._last, wall_us=time.time_ns() // 1000))

    def _publish(self, status: PlantStatus) -> None:
        self._last, self._published_s = status, self.monotonic_s()
        self.publisher.publish_live(encode(status))

    def status(self, tick: Tick) -> PlantStatus:
        """The whole status after a tick."""
        decision, ruling, state = tick.decision, tick.ruling, tick.state
        seen, rollout, lanes = decision.observation, state.rollout, self.lanes()
        return PlantStatus(
            plant=seen.plant,
            at_us=seen.taken_at,
            wall_us=time.time_ns() // 1000,
            tick=state.counters.ticks,
            speed=self.speed,
            version=rollout.version,
            mode=self._mode(state),
            in_control=ruling.command.rung.value,
            assigned=decision.assignment.source.value,
            why=decision.assignment.why,
            stage=self.spec.stages[rollout.stage].name,
            stage_status=rollout.held or rollout.aborted_why or rollout.status.value,
            stage_entered_us=rollout.entered_at_us,
            block=self._block(decision),
            gate=self._gate(state, tick.gate()),
            stages=self._stages(state),
            setpoints=self._setpoints(decision, ruling),
            signals=self._signals(decision),
            last_decision=decision.id,
            vetoes=dict(state.counters.vetoes),
            escapes=state.counters.escapes,
            breach_s=dict(lanes["breach_s"]),
            cost=_measured(self.outcome.cost, lanes["cost"]),
            guards=[_measured(guard, lanes[guard.name]) for guard in self.outcome.guards],
            trips=self._trips(state),
            latches=[latch.rule for latch in state.memory.latches],
            breaker=self._breaker(state),
            override=_override(state),
            stop=StopStatus(active=self.operators.stopped),
            policy=self.policy(),
            site=self.site,
        )

    def _mode(self, state: LoopState) -> str:
        if self.operators.stopped:
            return "stopped"
        if state.override is not None:
            return "override"
        status = state.rollout.status
        if status in LATCHED or state.memory.latches:
            return "tripped"
        if not is_driving(state) or status is RolloutStatus.COMPLETED:
            return status.value
        return "shadow" if state.rollout.stage == 0 else "rollout"

    def _block(self, decision: Decision) -> BlockStatus:
        index = block_of(self.spec, decision.observation.taken_at)
        return BlockStatus(index, (index + 1) * self.spec.block_us, decision.assignment.source.value)

    def _gate(self, state: LoopState, gate: Gate) -> GateStatus:
        checks = [CheckStatus(check.name, check.outcome.value, check.reason) for check in gate.checks]
        earliest_us = state.rollout.entered_at_us + int(self.plan[state.rollout.stage].earliest_days * DAY_US)
        return GateStatus(gate.stage, gate.outcome.value, checks, earliest_us)

    def _stages(self, state: LoopState) -> list[StageStatus]:
        now = state.rollout.stage
        return [
            StageStatus(stage.name, "done" if index < now else "now" if index == now else "next")
            for index, stage in enumerate(self.spec.stages)
        ]

    def _setpoints(self, decision: Decision, ruling: Ruling) -> dict[str, SetpointStatus]:
        judged = {judgement.rung: judgement for judgement in ruling.judgements}
        allowed = decision.observation.permitted
        return {
            spec.name: SetpointStatus(
                unit=spec.unit,
                applied=ruling.command.setpoints.get(spec.name),
                incumbent=_target(judged.get(Rung.INCUMBENT), spec.name),
                candidate=_target(judged.get(Rung.CANDIDATE), spec.name),
                low=allowed[spec.name].low,
                high=allowed[spec.name].high,
            )
            for spec in self.envelope.setpoints
        }

    def _signals(self, decision: Decision) -> dict[str, SignalStatus]:
        return {
            name: SignalStatus(
                self.units.get(name, ""),
                signal.value,
                signal.quality.value,
                signal.age_us,
                *self.limits.get(name, NO_LIMITS),
            )
            for name, signal in decision.signals.items()
        }

    def _trips(self, state: LoopState) -> list[TripStatus]:
        trips = [
            TripStatus(
                id=f"latch:{latch.rule}",
                cause=latch.rule,
                first_out=latch.first_out.detail,
                critical=latch.rule in self.critical,
            )
            for latch in state.memory.latches
        ]
        trip = state.rollout.trip
        if trip is not None:
            trips.append(TripStatus(trip.id, trip.cause, trip.reason, trip.at_us, trip.critical))
        return trips

    def _breaker(self, state: LoopState) -> BreakerStatus:
        return BreakerStatus(
            state="tripped" if state.rollout.status in LATCHED else "armed",
            cause=state.rollout.trip.cause if state.rollout.trip else "",
            readings=[
                ReadingStatus(reading.cause, reading.state, reading.reason, reading.critical)
                for reading in read_breakers(self.spec, state.evidence)
            ],
        )


def _override(state: LoopState) -> OverrideStatus | None:
    override = state.override
    if override is None:
        return None
    return OverrideStatus(
        setpoints=None if override.setpoints is None else dict(override.setpoints),
        reject=override.setpoints is None,
        until_us=override.until_us or None,
        actor=override.actor,
        reason=override.reason,
    )


def _measured(quantity: Quantity, by_lane: Mapping[str, float]) -> MeasuredStatus:
    return MeasuredStatus(quantity.name, quantity.unit, quantity.label, dict(by_lane))


def _target(judgement: Judgement | None, name: str) -> float | None:
    return None if judgement is None else judgement.target.get(name)
