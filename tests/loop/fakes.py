"""A small site for tests of the face: real envelope, real decisions, and a control process that is a few lines.

`FakeSite` keeps its spool in memory and stands behind `Backend`; nothing in it sleeps or opens a socket.
"""

import math
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from controller.api.backend import PENDING, REFUSED, STALE, BackendAwayError
from controller.ports import Event
from controller.protocol.push import DecideRequest, DecideResponse, answer, observation, proposal
from controller.protocol.status import PlantStatus, decode
from controller.records.codec import ruling_digest
from controller.records.decision import Assignment, Decision, Digests, assemble
from controller.records.operator_queue import Intent, IntentState
from safety.decide import decide
from safety.envelope import Envelope, fresh_memory
from safety.loading.spec import parse_envelope
from safety.values import Memory, Observation, Proposal, Quality, Ruling, Signal, Source, Status

PERIOD_US = 300_000_000
START_US = 1_767_225_600_000_000
WALL_US = 1_800_000_000_000_000
ZONES = ("zone_1_c", "zone_2_c", "zone_3_c", "zone_4_c")
LIMIT_C = 27.0

_RULE = 'hazard = "halls get too hot or too damp"\nbasis = "vendor data sheet"\n'
ENVELOPE = f"""
plant = "hall-a"
period_s = 300
guard_period_s = 30
valid_for_s = 600
hold_max_s = 900

[[setpoint]]
name = "supply_air_c"
unit = "degC"
low = 10
high = 35

[[setpoint]]
name = "chw_supply_c"
unit = "degC"
low = 4
high = 20

[[setpoint]]
name = "fan_frac"
unit = "frac"
low = 0
high = 1

[[signal]]
name = "outdoor_wetbulb_c"
unit = "degC"
low = -30
high = 35
{
    "".join(
        f'''
[[signal]]
name = "{zone}"
unit = "degC"
low = 0
high = 60
'''
        for zone in ZONES
    )
}
[[rule]]
kind = "bound"
id = "T1-supply-air"
tier = "T1"
unit = "degC"
setpoint = "supply_air_c"
low = 18
high = 24
{_RULE}
[[rule]]
kind = "bound"
id = "T1-chilled-water"
tier = "T1"
unit = "degC"
setpoint = "chw_supply_c"
low = 5
high = 18
{_RULE}
[[rule]]
kind = "bound"
id = "T2-condensation"
tier = "T2"
unit = "degC"
setpoint = "chw_supply_c"
low = 6
high = 12
{_RULE}
[[rule]]
kind = "bound"
id = "T1-fan"
tier = "T1"
unit = "frac"
setpoint = "fan_frac"
low = 0.4
high = 1
{_RULE}
[[rule]]
kind = "slew"
id = "T4-supply-slew"
tier = "T4"
unit = "degC"
setpoint = "supply_air_c"
up = 1.5
down = 1.5
per_s = 300
{_RULE}
[[failsafe]]
id = "cold"
vector = {{ supply_air_c = 18, chw_supply_c = 7, fan_frac = 1 }}
"""


def envelope() -> Envelope:
    """A hall's envelope, with two temperatures and a fan."""
    return parse_envelope(ENVELOPE)


@dataclass
class FakeSite:
    """One plant, its control process and its spool. `away` and `control_down` are the faults tests set."""

    plant: str = "hall-a"
    envelope_held: Envelope = field(default_factory=envelope)
    history: list[Decision] = field(default_factory=list)
    happened: list[Event] = field(default_factory=list)
    handed: dict[str, IntentState] = field(default_factory=dict)
    memory: Memory | None = None
    version: int = 7
    mode: str = "rollout"
    stage: str = "4%"
    trips: list[dict[str, Any]] = field(default_factory=list)
    override: dict[str, Any] | None = None
    stopped: dict[str, Any] = field(default_factory=lambda: {"active": False, "actor": "", "reason": ""})
    store_away: bool = False
    policy_down: bool = False
    control_down: bool = False
    away: bool = False
    intents_away: bool = False
    wall_us: int = WALL_US
    latched: list[str] = field(default_factory=list)
    viewer_token: str = ""

    # -- the control process ------------------------------------------------------------------------------------

    def tick(self, count: int = 1) -> None:
        """Take `count` more decisions."""
        for _ in range(count):
            n = len(self.history)
            self._decide(self._observed(n), self._proposals(n))

    def _decide(self, seen: Observation, proposals: dict[Source, Proposal]) -> tuple[Decision, Ruling]:
        before = self.memory or fresh_memory(self.envelope_held)
        source = Source.CANDIDATE if self._candidate_rules() else Source.INCUMBENT
        without = frozenset({Source.CANDIDATE}) if self.stopped["active"] or self.trips else frozenset()
        ruling = decide(
            seen, proposals, source, self.envelope_held, before, elapsed_us=PERIOD_US, epoch=3, without=without
        )
        made = assemble(
            seen,
            proposals,
            Assignment(source, f"block 41 of stage {self.stage}", self.stage, 41, 0.04),
            before,
            ruling,
            without=without,
            elapsed_us=PERIOD_US,
            digests=Digests("b" * 64, self.envelope_held.digest, "c" * 64, "d" * 64),
            ruling_digest=ruling_digest(ruling),
            latencies_us={"incumbent": 40, "candidate": 95, "decide": 210, "tick": 600},
            measured={},
        )
        self.memory = ruling.memory
        self.history.append(made)
        return made, ruling

    def _candidate_rules(self) -> bool:
        return self.mode == "rollout" and not self.stopped["active"] and not self.trips

    def _observed(self, n: int) -> Observation:
        signals = {zone: Signal(self._zone(n, i)) for i, zone in enumerate(ZONES)}
        signals["outdoor_wetbulb_c"] = Signal(11 + 6 * math.sin(n / 46))
        if n % 97 == 96:
            signals["zone_4_c"] = Signal(math.nan, Quality.BAD, 90_000_000)
        applied = None if self.memory is None else self.memory.last
        return Observation(self.plant, "plant", START_US + n * PERIOD_US, signals, applied, applied)

    def _zone(self, n: int, i: int) -> float:
        return 23.4 + 0.5 * i + 1.2 * math.sin(n / 46 + i / 3) + 0.2 * math.sin(n * 1.7 + i * 2.1)

    def _proposals(self, n: int) -> dict[Source, Proposal]:
        wave = math.sin(n / 46)
        incumbent = {"supply_air_c": 20.0 + 0.5 * wave, "chw_supply_c": 8.0, "fan_frac": 0.75}
        wanted = {"supply_air_c": 21.6 + 1.2 * wave, "chw_supply_c": 9.5 + 1.5 * wave, "fan_frac": 0.68}
        if n % 12 == 7:
            wanted["chw_supply_c"] = 13.5 + wave
        candidate = Proposal(Source.CANDIDATE, wanted)
        if n % 53 == 52:
            candidate = Proposal(Source.CANDIDATE, {}, Status.LATE, "no answer within 20 ms")
        return {Source.INCUMBENT: Proposal(Source.INCUMBENT, incumbent), Source.CANDIDATE: candidate}

    def resolve(self) -> None:
        """Carry out what is pending, as the control process does."""
        for act_id, state in list(self.handed.items()):
            if state.outcome == PENDING:
                self.handed[act_id] = self._resolved(state.intent)

    def _resolved(self, act: Intent) -> IntentState:
        if act.expected_version is not None and act.expected_version != self.version:
            return IntentState(act, STALE, "", self.version)
        if act.kind in ("promote", "approve") and not act.payload.get("skip_gate"):
            return IntentState(act, REFUSED, "paired blocks (41) < required (100)", self.version)
        self._apply(act)
        self.version += 1
        self.note("intent", act.actor, f"{act.kind}: {act.payload.get('reason', '')}")
        return IntentState(act, "applied", "", self.version)

    def _apply(self, act: Intent) -> None:
        if act.kind == "stop":
            self.mode = "stopped"
            self.stopped = {"active": True, "actor": act.actor, "reason": act.payload["reason"]}
        elif act.kind == "start":
            self.mode, self.stopped = "rollout", {"active": False, "actor": "", "reason": ""}
        elif act.kind in ("pause", "abort", "trip"):
            self.mode = {"pause": "paused", "abort": "aborted", "trip": "tripped"}[act.kind]
            if act.kind == "trip":
                self.trip("by hand", act.payload["reason"])
        elif act.kind in ("resume", "reset"):
            self.mode, self.trips = "rollout", []
        elif act.kind == "override":
            self.override = {**act.payload, "until_us": self.now_us() + 3600 * 10**6, "actor": act.actor}
        elif act.kind == "override_clear":
            self.override = None

    def trip(self, cause: str, first_out: str, *, critical: bool = False, active: bool = False) -> None:
        trip_id = f"0197f2c4-{len(self.trips)}"
        at = self.now_us()
        self.trips.append(
            {"id": trip_id, "cause": cause, "first_out": first_out, "at_us": at, "critical": critical, "active": active}
        )
        self.mode = "tripped"

    def note(self, kind: str, actor: str, text: str) -> None:
        place = len(self.happened) + 1
        self.happened.append(Event(f"e{place}", self.now_us(), kind, actor, text))

    def now_us(self) -> int:
        return START_US + max(0, len(self.history) - 1) * PERIOD_US

    def status(self) -> PlantStatus:
        """The live status."""
        return decode(msgspec.json.encode(self.plain_status()))

    def plain_status(self) -> dict[str, Any]:
        """The live status as plain values."""
        last = self.history[-1] if self.history else None
        return {
            "plant": self.plant,
            "at_us": self.now_us(),
            "wall_us": self.wall_us,
            "tick": len(self.history),
            "speed": 60.0,
            "version": self.version,
            "mode": self.mode,
            "in_control": last.command.rung.value if last else "incumbent",
            "assigned": last.assignment.source.value if last else "incumbent",
            "why": last.assignment.why if last else "",
            "stage": self.stage,
            "stage_status": "running",
            "stage_entered_us": START_US,
            "block": {"index": 41, "ends_us": self.now_us() + 7200 * 10**6, "assigned": "candidate"},
            "gate": {
                "stage": self.stage,
                "outcome": "pending",
                "checks": [
                    {"name": "paired blocks", "outcome": "pending", "reason": "paired blocks (41) < required (100)"},
                    {"name": "vetoes", "outcome": "passed", "reason": "veto rate (0.8 %) <= allowed (5 %)"},
                    {"name": "saving", "outcome": "inconclusive", "reason": "lower bound (-0.4 %) < required (0 %)"},
                ],
                "earliest_us": self.now_us() + 5 * 86_400 * 10**6,
            },
            "stages": [
                {"name": "shadow", "state": "done"},
                {"name": "1%", "state": "done"},
                {"name": "4%", "state": "now"},
                {"name": "25%", "state": "next"},
                {"name": "50%", "state": "next"},
                {"name": "100%", "state": "next"},
            ],
            "setpoints": self._setpoints(last),
            "signals": self._signals(last),
            "last_decision": last.id if last else "",
            "vetoes": {"T2-condensation": 11},
            "escapes": 0,
            "breach_s": {"applied": 0.0, "incumbent": 120.0},
            "cost": {
                "name": "energy",
                "unit": "kWh",
                "label": "Energy used",
                "lanes": {"applied": 5120.0, "incumbent": 5310.0, "candidate": 5010.0, "best_static": 5200.0},
            },
            "guards": [
                {"name": "hot", "unit": "K min", "label": "Too hot", "lanes": {"applied": 3.5, "incumbent": 2.0}}
            ],
            "trips": self.trips,
            "latches": self.latched,
            "breaker": {
                "state": "tripped" if self.trips else "armed",
                "cause": self.trips[0]["cause"] if self.trips else "",
            },
            "override": self.override,
            "stop": self.stopped,
            "store": {
                "away": self.store_away,
                "lag": 412 if self.store_away else 0,
                "last_ok_wall_us": self.wall_us - 10**6,
            },
            "policy": {
                "state": "down" if self.policy_down else "up",
                "pid": 4711,
                "rss_mb": 118.0,
                "latency_us": 95.0,
                "digest": "b" * 64,
                "name": "ppo-cooling-7",
            },
            "site": {
                "name": "demo",
                "simulated": True,
                "envelope_digest": self.envelope_held.digest,
                "kernel_digest": "c" * 64,
            },
        }

    def _setpoints(self, last: Decision | None) -> dict[str, Any]:
        if last is None:
            return {}
        wanted = {p.source: p.targets for p in last.proposals}
        bands = {"supply_air_c": (18.0, 24.0), "chw_supply_c": (6.0, 12.0), "fan_frac": (0.4, 1.0)}
        return {
            spec.name: {
                "unit": spec.unit,
                "applied": last.command.setpoints.get(spec.name),
                "incumbent": wanted.get(Source.INCUMBENT, {}).get(spec.name),
                "candidate": wanted.get(Source.CANDIDATE, {}).get(spec.name),
                "low": bands[spec.name][0],
                "high": bands[spec.name][1],
            }
            for spec in self.envelope_held.setpoints
        }

    def _signals(self, last: Decision | None) -> dict[str, Any]:
        if last is None:
            return {}
        return {
            name: {
                "unit": "degC",
                "value": s.value,
                "quality": s.quality.value,
                "age_us": s.age_us,
                "low": 15.0 if name in ZONES else None,
                "high": LIMIT_C if name in ZONES else None,
            }
            for name, s in last.observation.signals.items()
        }

    # -- Backend ------------------------------------------------------------------------------------------------

    def plants(self) -> list[str]:
        self._there()
        return [self.plant]

    def live(self, plant: str) -> PlantStatus | None:
        self._there()
        return self.status() if self.history else None

    def decisions(
        self, plant: str, *, limit: int, before: str | None = None, subject: str | None = None
    ) -> list[Decision]:
        self._there()
        newest = [decision for decision in reversed(self.history) if subject in (None, decision.observation.subject)]
        start = 0 if before is None else next((n + 1 for n, d in enumerate(newest) if d.id == before), len(newest))
        return newest[start : start + limit]

    def decision(self, decision_id: str) -> Decision | None:
        self._there()
        return next((decision for decision in self.history if decision.id == decision_id), None)

    def envelope(self, digest: str) -> Envelope | None:
        return self.envelope_held if digest == self.envelope_held.digest else None

    def events(self, plant: str, *, after: int, limit: int) -> list[tuple[int, Event]]:
        self._there()
        return list(enumerate(self.happened, start=1))[after : after + limit]

    def last_event(self, plant: str) -> int:
        return len(self.happened)

    def submit(self, act: Intent) -> Intent:
        if self.intents_away:
            raise BackendAwayError("the intents cannot be written")
        stored = self.handed.setdefault(act.id, IntentState(act, PENDING, "", None)).intent
        if not self.control_down:
            self.resolve()
        return stored

    def act(self, act_id: str) -> IntentState | None:
        return self.handed.get(act_id)

    def acts(self, plant: str, *, limit: int) -> list[IntentState]:
        return list(reversed(self.handed.values()))[:limit]

    def stop(self, plant: str, *, actor: str, reason: str) -> None:
        self.latched.append(reason)

    async def decide(self, plant: str, request: DecideRequest) -> DecideResponse:
        """Decide at once, as the control process would behind its socket."""
        if self.control_down:
            return DecideResponse("unavailable", "the control process is not reachable: your own command stands")
        wanted = {Source.INCUMBENT: proposal(request)}
        made, _ = self._decide(observation(plant, request), wanted)
        return answer(replace(made, assignment=Assignment(Source.INCUMBENT, "no candidate is loaded")))

    def _there(self) -> None:
        if self.away:
            raise BackendAwayError("the spool cannot be read: is the control process running?")
