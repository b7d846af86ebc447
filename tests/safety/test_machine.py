"""A plant lived through at random: ticks, guards, sensor faults, clock jumps, dead sources, resets, overrides, reloads."""

from math import inf
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from safety.command_rules import Bound, Slew
from safety.decide import decide
from safety.envelope import fresh_memory
from safety.guard import guard
from safety.memory import reset, tripped
from safety.spec import build_envelope
from safety.values import (
    Authority,
    Memory,
    Observation,
    Outcome,
    Proposal,
    Quality,
    Ruling,
    Rung,
    Signal,
    Source,
    Status,
)
from tests.safety.golden import USUAL, model_of

ENVELOPE = build_envelope(model_of({}))
TIGHTER = build_envelope(model_of({"change": {"SUPPLY-BOUND": {"high": 27}, "FAN-BOUND": {"low": 0.3}}}))
PERIOD_US = ENVELOPE.period_us
SLEWS = [each for each in ENVELOPE.command_rules if isinstance(each, Slew)]


PROPOSED = st.fixed_dictionaries(
    {"supply_c": st.floats(8, 32), "fan_frac": st.floats(0.1, 1), "chillers_on": st.sampled_from([1.0, 2.0])}
)
STEADY = st.fixed_dictionaries({"supply_c": st.floats(15, 26), "flow_a_kg_s": st.floats(1, 10)})


def proposal(source: Source, changes: dict[str, float], status: Status) -> Proposal:
    return Proposal(source, {**USUAL["targets"], **changes} if status is Status.OK else {}, status)


class PlantLife(RuleBasedStateMachine):
    """What the loop does, without the loop: memory, plant and clock are this machine's."""

    def __init__(self) -> None:
        super().__init__()
        self.envelope = ENVELOPE
        self.memory: Memory = fresh_memory(ENVELOPE)
        self.signals = {name: Signal(value) for name, value in USUAL["signals"].items()}
        self.readback: dict[str, float] | None = dict(USUAL["targets"])
        self.authority = Authority.OURS
        self.latched: list[str] = []
        self.ruling: Ruling | None = None
        self.last: Any = None
        self.chiller_changes: list[tuple[int, float]] = []
        self.now_us = 0

    def seen(self) -> Observation:
        return Observation(
            "small", "plant", self.now_us, self.signals, self.memory.last, self.readback, authority=self.authority
        )

    @initialize()
    def begin(self) -> None:
        self.tick(USUAL["targets"], USUAL["targets"], Status.OK, Status.OK, Source.INCUMBENT, 0)

    @rule(
        one=PROPOSED,
        two=STEADY,
        candidate=st.sampled_from([Status.OK, Status.OK, Status.LATE, Status.FAILED]),
        incumbent=st.sampled_from([Status.OK, Status.OK, Status.OK, Status.FAILED]),
        assigned=st.sampled_from(list(Source)),
        elapsed_us=st.sampled_from([PERIOD_US, PERIOD_US, PERIOD_US, 30_000_000, 7_200_000_000, -5]),
    )
    def tick(
        self,
        one: dict[str, float],
        two: dict[str, float],
        candidate: Status,
        incumbent: Status,
        assigned: Source,
        elapsed_us: int,
    ) -> None:
        self.now_us += max(0, elapsed_us)
        proposals = {
            Source.CANDIDATE: proposal(Source.CANDIDATE, one, candidate),
            Source.INCUMBENT: proposal(Source.INCUMBENT, two, incumbent),
            Source.OPERATOR: proposal(Source.OPERATOR, two, Status.OK),
        }
        self.last = self.memory.last
        self.ruling = decide(
            self.seen(), proposals, assigned, self.envelope, self.memory, elapsed_us=elapsed_us, epoch=1
        )
        self.take(self.ruling)

    def take(self, ruling: Ruling) -> None:
        self.memory = ruling.memory
        self.latched = [latch.rule for latch in self.memory.latches]
        if ruling.command.setpoints:
            after = ruling.command.setpoints["chillers_on"]
            if self.last is not None and after != self.last["chillers_on"]:
                self.chiller_changes.append((self.now_us, after - self.last["chillers_on"]))
            self.readback = dict(ruling.command.setpoints)

    @rule(elapsed_us=st.sampled_from([30_000_000, 30_000_000, -1]))
    def watch(self, elapsed_us: int) -> None:
        self.now_us += max(0, elapsed_us)
        guarded = guard(self.seen(), self.memory.last, self.envelope, self.memory, elapsed_us=elapsed_us)
        assert set(self.latched) <= {latch.rule for latch in guarded.memory.latches}
        assert guarded.memory.last == self.memory.last
        self.memory = guarded.memory
        self.latched = [latch.rule for latch in self.memory.latches]

    @rule(
        name=st.sampled_from(["inlet_c", "dew_point_c"]),
        value=st.floats(-10, 40),
        quality=st.sampled_from(list(Quality)),
    )
    def fault(self, name: str, value: float, quality: Quality) -> None:
        self.signals[name] = Signal(value, quality)

    @rule()
    def recover(self) -> None:
        self.signals = {name: Signal(value) for name, value in USUAL["signals"].items()}

    @rule()
    def operator_trips(self) -> None:
        self.memory = tripped(self.memory, "OPERATOR", "a smell")
        self.latched = [latch.rule for latch in self.memory.latches]

    @rule()
    def operator_resets(self) -> None:
        for name in list(self.latched):
            try:
                self.memory = reset(self.memory, self.envelope, self.seen(), name)
            except ValueError:
                continue
        self.latched = [latch.rule for latch in self.memory.latches]

    @rule(local=st.booleans())
    def local_system(self, local: bool) -> None:
        self.authority = Authority.LOCAL if local else Authority.OURS

    @rule(tighter=st.booleans())
    def reload(self, tighter: bool) -> None:
        self.envelope = TIGHTER if tighter else ENVELOPE
        self.ruling = None  # the last command was judged by the other envelope

    @invariant()
    def what_is_commanded_is_inside_every_static_limit(self) -> None:
        if self.ruling is not None and self.ruling.command.setpoints:
            for each in self.envelope.command_rules:
                if isinstance(each, Bound) and self.ruling.command.rung is not Rung.FAILSAFE:
                    assert each.low <= self.ruling.command.setpoints[each.setpoint] <= each.high

    @invariant()
    def no_step_is_faster_than_its_rate_unless_that_is_recorded(self) -> None:
        ruling = self.ruling
        if ruling is None or self.last is None or ruling.command.rung in (Rung.FAILSAFE, Rung.RELINQUISH):
            return
        waived = {f.rule for f in ruling.chosen.verdict.findings if f.outcome is Outcome.WAIVED}
        for each in SLEWS:
            if each.id not in waived:
                moved = ruling.command.setpoints[each.setpoint] - self.last[each.setpoint]
                rate = each.up_per_s if moved >= 0 else each.down_per_s
                assert rate == inf or abs(moved) <= rate * ruling.dt_s

    @invariant()
    def a_latched_policy_never_acts(self) -> None:
        if self.ruling is not None and self.ruling.memory.latches:
            assert self.ruling.command.rung is not Rung.CANDIDATE

    @invariant()
    def nobody_of_ours_acts_while_the_local_system_has_the_plant(self) -> None:
        if self.ruling is not None and set(self.ruling.removed) == set(Source):
            assert self.ruling.command.rung in (Rung.HOLD, Rung.FAILSAFE, Rung.RELINQUISH)

    @invariant()
    def a_chiller_keeps_its_dwell_unless_that_is_recorded(self) -> None:
        ruling = self.ruling
        if ruling is None or len(self.chiller_changes) < 2 or self.chiller_changes[-1][0] != self.now_us:
            return
        (before_us, _), (after_us, way) = self.chiller_changes[-2:]
        told = {f.rule for f in ruling.chosen.verdict.findings}
        if "CHILLERS-DWELL" not in told and ruling.command.rung is not Rung.FAILSAFE:
            assert after_us - before_us >= (600_000_000 if way > 0 else 900_000_000)


PlantLife.TestCase.settings = settings(derandomize=True, max_examples=40, stateful_step_count=25, deadline=None)


class TestPlantLife(PlantLife.TestCase):
    """Forty lives of twenty-five steps."""
