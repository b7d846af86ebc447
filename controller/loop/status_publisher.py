"""The live status: one JSON object the control process publishes for everybody who only looks."""

import json
import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from controller.loop.checkpoint import LoopState
from controller.loop.guarding import is_driving
from controller.loop.operator_commands import Operators
from controller.loop.parts import Tick, Watcher
from controller.ports import Event
from controller.records.decision import Decision
from controller.rollout.blocks import block_of
from controller.rollout.breakers import read_breakers
from controller.rollout.gates import Gate
from controller.rollout.plan import plan
from controller.rollout.spec import RolloutSpec
from controller.rollout.state import LATCHED, Status
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


@dataclass(frozen=True, slots=True)
class About:
    """What does not change during a run."""

    site: str
    simulated: bool
    speed: float | None
    candidate: str
    policy_digest: str
    kernel_digest: str


class LiveStatus(Watcher):
    """Publishes at most ten times a second of wall time, and at once when stage, trip or control change."""

    def __init__(
        self,
        publisher: Publisher,
        envelope: Envelope,
        spec: RolloutSpec,
        operators: Operators,
        about: About,
        lanes: Callable[[], Mapping[str, Mapping[str, float]]],
        policy: Callable[[], Mapping[str, Any]],
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.publisher, self.envelope, self.spec, self.operators = publisher, envelope, spec, operators
        self.about, self.lanes, self.policy, self.monotonic_s = about, lanes, policy, monotonic_s
        self.units = {signal.name: signal.unit for signal in envelope.signals}
        self.limits = {rule.signal: (rule.low, rule.high) for rule in envelope.state_rules if isinstance(rule, Trip)}
        self.critical = {rule.id for rule in envelope.state_rules if isinstance(rule, Trip) and rule.critical}
        self.plan = plan(spec)
        self._turn = threading.Lock()  # in push mode `waiting` comes from another thread than decisions do
        self._said_s = float("-inf")
        self._seen: tuple[object, ...] = ()
        self._last: dict[str, Any] | None = None

    def decided(self, tick: Tick) -> None:
        state = tick.state
        news = (state.rollout.version, tick.ruling.command.rung, state.override, self.operators.stopped)
        if news == self._seen and self.monotonic_s() - self._said_s < LEAST_GAP_S:
            return
        self._seen = news
        with self._turn:
            self._publish(self.status(tick))

    def happened(self, event: Event) -> None:
        self._said_s = float("-inf")

    def waiting(self) -> None:
        """Say again that we are here while nothing is decided: whoever looks judges by `wall_us`."""
        with self._turn:
            if self._last is not None and self.monotonic_s() - self._said_s >= HEARTBEAT_S:
                self._publish(self._last | {"wall_us": time.time_ns() // 1000})

    def _publish(self, status: dict[str, Any]) -> None:
        self._last, self._said_s = status, self.monotonic_s()
        self.publisher.publish_live(json.dumps(_finite(status), allow_nan=False))

    def status(self, tick: Tick) -> dict[str, Any]:
        """The whole status; its fields are described in docs/reference/live-status.md."""
        decision, ruling, state = tick.decision, tick.ruling, tick.state
        seen, rollout, lanes = decision.observation, state.rollout, self.lanes()
        return {
            "plant": seen.plant,
            "at_us": seen.taken_at,
            "wall_us": time.time_ns() // 1000,
            "tick": state.counters.ticks,
            "speed": self.about.speed,
            "version": rollout.version,
            "mode": self._mode(state),
            "in_control": ruling.command.rung.value,
            "assigned": decision.assignment.source.value,
            "why": decision.assignment.why,
            "stage": self.spec.stages[rollout.stage].name,
            "stage_status": rollout.held or rollout.aborted_why or rollout.status.value,
            "stage_entered_us": rollout.entered_at_us,
            "block": self._block(decision),
            "gate": self._gate(tick.gate(), state),
            "stages": self._stages(state),
            "setpoints": self._setpoints(decision, ruling),
            "signals": self._signals(decision),
            "last_decision": decision.id,
            "vetoes": dict(state.counters.vetoes),
            "escapes": state.counters.escapes,
            "breach_s": lanes["breach_s"],
            "energy_kwh": lanes["energy_kwh"],
            "trips": self._trips(state),
            "latches": [latch.rule for latch in state.memory.latches],
            "breaker": self._breaker(state),
            "override": self._override(state),
            "stop": {"active": self.operators.stopped},
            "policy": {**self.policy(), "digest": self.about.policy_digest, "name": self.about.candidate},
            "site": {
                "name": self.about.site,
                "simulated": self.about.simulated,
                "envelope_digest": self.envelope.digest,
                "kernel_digest": self.about.kernel_digest,
            },
        }

    def _mode(self, state: LoopState) -> str:
        if self.operators.stopped:
            return "stopped"
        if state.override is not None:
            return "override"
        status = state.rollout.status
        if status in LATCHED or state.memory.latches:
            return "tripped"
        if not is_driving(state) or status is Status.COMPLETED:
            return status.value
        return "shadow" if state.rollout.stage == 0 else "rollout"

    def _block(self, decision: Decision) -> dict[str, Any]:
        index = block_of(self.spec, decision.observation.taken_at)
        ends_us = (index + 1) * self.spec.block_us
        return {"index": index, "ends_us": ends_us, "assigned": decision.assignment.source.value}

    def _gate(self, gate: Gate, state: LoopState) -> dict[str, Any]:
        checks = [{"name": c.name, "outcome": c.outcome.value, "reason": c.reason} for c in gate.checks]
        soonest_us = state.rollout.entered_at_us + int(self.plan[state.rollout.stage].earliest_days * DAY_US)
        return {"stage": gate.stage, "outcome": gate.outcome.value, "checks": checks, "earliest_us": soonest_us}

    def _stages(self, state: LoopState) -> list[dict[str, Any]]:
        now = state.rollout.stage
        return [
            {"name": stage.name, "state": "done" if index < now else "now" if index == now else "next"}
            for index, stage in enumerate(self.spec.stages)
        ]

    def _setpoints(self, decision: Decision, ruling: Ruling) -> dict[str, Any]:
        wanted = {judgement.rung: judgement for judgement in ruling.judgements}
        allowed = decision.observation.permitted
        return {
            spec.name: {
                "unit": spec.unit,
                "applied": ruling.command.setpoints.get(spec.name),
                "incumbent": _target(wanted.get(Rung.INCUMBENT), spec.name),
                "candidate": _target(wanted.get(Rung.CANDIDATE), spec.name),
                "low": allowed[spec.name].low,
                "high": allowed[spec.name].high,
            }
            for spec in self.envelope.setpoints
        }

    def _signals(self, decision: Decision) -> dict[str, Any]:
        return {
            name: {
                "unit": self.units.get(name, ""),
                "value": signal.value,
                "quality": signal.quality.value,
                "age_us": signal.age_us,
                "low": self.limits.get(name, NO_LIMITS)[0],
                "high": self.limits.get(name, NO_LIMITS)[1],
            }
            for name, signal in decision.signals.items()
        }

    def _trips(self, state: LoopState) -> list[dict[str, Any]]:
        trip = state.rollout.trip
        rows = [
            {
                "id": f"latch:{latch.rule}",
                "cause": latch.rule,
                "first_out": latch.first_out.detail,
                "critical": latch.rule in self.critical,
            }
            for latch in state.memory.latches
        ]
        if trip is not None:
            row = {
                "id": trip.id,
                "cause": trip.cause,
                "first_out": trip.reason,
                "at_us": trip.at_us,
                "critical": trip.critical,
            }
            rows.append(row)
        return rows

    def _breaker(self, state: LoopState) -> dict[str, Any]:
        readings = [
            {"cause": r.cause, "state": r.state, "reason": r.reason, "critical": r.critical}
            for r in read_breakers(self.spec, state.evidence)
        ]
        latched = state.rollout.status in LATCHED
        cause = state.rollout.trip.cause if state.rollout.trip else ""
        return {"state": "tripped" if latched else "armed", "cause": cause, "readings": readings}

    def _override(self, state: LoopState) -> dict[str, Any] | None:
        override = state.override
        if override is None:
            return None
        return {
            "setpoints": None if override.setpoints is None else dict(override.setpoints),
            "reject": override.setpoints is None,
            "until_us": override.until_us or None,
            "actor": override.actor,
            "reason": override.reason,
        }


def _target(judgement: Judgement | None, name: str) -> float | None:
    return None if judgement is None else judgement.target.get(name)


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinities: they become null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    return value
