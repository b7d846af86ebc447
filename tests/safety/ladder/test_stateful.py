"""A plant driven at random: ticks, guards, sensor faults, clock jumps, dead policy, dead incumbent, resets,
overrides, a local system that takes over, a plant that disobeys, and envelopes that are reloaded.

A second bookkeeper (`Book`) keeps the timers and latches from what it sees go in and out, sharing nothing with
`safety.memory`; after every step both must say the same.
"""

from collections import Counter
from dataclasses import dataclass, field, replace
from math import inf, isfinite, nan
from typing import Any, ClassVar

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from safety.decide import decide
from safety.envelope import fresh_memory
from safety.guard import guard
from safety.loading.spec import build_envelope
from safety.memory import remembered, reset, tripped
from safety.rules.command_rules import Bound, Slew
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
from safety.verify import escaped
from tests.safety.support.golden import USUAL, model_of

ENVELOPE = build_envelope(model_of({}))
TIGHTER = build_envelope(model_of({"change": {"SUPPLY-BOUND": {"high": 27}, "FAN-BOUND": {"low": 0.3}}}))
S = 1_000_000
PERIOD_US, WINDOW_US, HOLD_MAX_US = 300 * S, 3600 * S, 600 * S
USUAL_TARGETS: dict[str, float] = dict(USUAL["targets"])
SLEWS = [each for each in ENVELOPE.command_rules if isinstance(each, Slew)]
RUNG_OF = {Source.CANDIDATE: Rung.CANDIDATE, Source.OPERATOR: Rung.OPERATOR, Source.INCUMBENT: Rung.INCUMBENT}
BY_SOURCE = set(RUNG_OF.values())

# Every other policy stays near the incumbent, or it would never be let act.
PROPOSED = st.fixed_dictionaries(
    {"supply_c": st.floats(17.5, 19.5), "fan_frac": st.floats(0.4, 1)}
) | st.fixed_dictionaries(
    {"supply_c": st.floats(8, 32), "fan_frac": st.floats(0.1, 1), "chillers_on": st.sampled_from([1.0, 2.0])}
)
STEADY: st.SearchStrategy[dict[str, float]] = st.just({}) | st.fixed_dictionaries(
    {"supply_c": st.floats(15, 26), "flow_a_kg_s": st.floats(1, 10)}
)
DEAD = [Status.LATE, Status.FAILED, Status.NOT_FINITE, Status.WRONG_SHAPE, Status.ABSENT]
# Half of the sources answer; the others report a failure, stay silent, or send nonsense.
FATES = st.sampled_from(["well"] * 8 + [each.value for each in DEAD] + ["gone", "nan", "short", "word"])
ELAPSED = st.sampled_from([PERIOD_US] * 4 + [30 * S, 7200 * S, 0, -5, -3600 * S])


def proposal(source: Source, changes: dict[str, float], fate: str) -> Proposal | None:
    targets: dict[str, Any] = {**USUAL_TARGETS, **changes}
    match fate:
        case "well":
            return Proposal(source, targets)
        case "gone":
            return None
        case "nan":
            return Proposal(source, {**targets, "supply_c": nan})
        case "short":
            return Proposal(source, {"supply_c": 20.0})
        case "word":
            return Proposal(source, {**targets, "supply_c": "warm"})  # type: ignore[dict-item]
        case _:
            return Proposal(source, {}, Status(fate))


@dataclass
class Book:
    """What ought to be remembered, kept in clock times rather than durations."""

    now_us: int = 0
    raised_us: int = 0
    lowered_us: int = 0
    commanded_us: int = 0
    held_us: int = 0
    starts_us: list[int] = field(default_factory=list)
    disagrees_since_us: int | None = None
    latched: list[str] = field(default_factory=list)

    def sees(self, seen: Observation, elapsed_us: int, rung: Rung | None) -> None:
        """Time passes, unless it would go back, and something is measured."""
        passed = max(0, elapsed_us)
        self.now_us += passed
        self.held_us += passed if rung is Rung.HOLD else 0
        self.starts_us = [at for at in self.starts_us if self.now_us - at < WINDOW_US]
        commanded, read = (seen.applied or {}).get("supply_c"), (seen.readback or {}).get("supply_c")
        if commanded is None or read is None or abs(commanded - read) <= 0.5:
            self.disagrees_since_us = None
        elif self.disagrees_since_us is None:
            self.disagrees_since_us = self.now_us
        if "INLET-TRIP" not in self.latched and self.inlet_is(seen) is False:
            self.latched.append("INLET-TRIP")

    @staticmethod
    def inlet_is(seen: Observation) -> bool | None:
        """Whether the inlet is where it may be; None where nobody knows."""
        inlet = seen.signals["inlet_c"]
        known = inlet.quality is Quality.GOOD and isfinite(inlet.value)
        return 10 <= inlet.value <= 32 if known else None

    def commands(self, last: dict[str, float] | None, ruling: Ruling) -> None:
        """A command goes out."""
        sent = ruling.command.setpoints
        self.commanded_us = self.now_us
        self.held_us = self.held_us if ruling.command.rung is Rung.HOLD else 0
        if last is None or not sent:
            self.raised_us = self.lowered_us = self.now_us
        elif sent["chillers_on"] > last["chillers_on"]:
            self.raised_us = self.now_us
            self.starts_us.append(self.now_us)
        elif sent["chillers_on"] < last["chillers_on"]:
            self.lowered_us = self.now_us

    def agrees(self, memory: Memory) -> None:
        now = self.now_us
        dwell = (now - self.raised_us, now - self.lowered_us, *(now - at for at in self.starts_us))
        assert memory.rules["CHILLERS-DWELL"] == dwell
        since = self.disagrees_since_us
        assert memory.rules["SUPPLY-READBACK"] == ((0.0, 0.0) if since is None else (now - since, 1.0))
        assert memory.since_us == now - self.commanded_us
        assert memory.held_us == self.held_us
        assert [latch.rule for latch in memory.latches] == self.latched


class PlantLife(RuleBasedStateMachine):
    """What the loop does, without the loop: memory, plant and clock are this machine's."""

    lived: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.envelope = ENVELOPE
        self.memory: Memory = fresh_memory(ENVELOPE)
        self.book = Book()
        self.signals = {name: Signal(value) for name, value in USUAL["signals"].items()}
        self.readback: dict[str, float] | None = dict(USUAL_TARGETS)
        self.authority = Authority.OURS
        self.before: Memory = self.memory
        self.last: dict[str, float] | None = None
        self.ruling: Ruling | None = None
        self.assigned: Source = Source.INCUMBENT
        self.waited_us = (0, 0)

    def seen(self) -> Observation:
        return Observation(
            "small", "plant", self.book.now_us, self.signals, self.memory.last, self.readback, authority=self.authority
        )

    def in_force(self) -> dict[str, float] | None:
        """Our last command; without one, what the plant reads back, if that is all there."""
        if self.memory.last is not None:
            return dict(self.memory.last)
        return self.readback if self.readback and self.readback.keys() == USUAL_TARGETS.keys() else None

    @initialize()
    def begin(self) -> None:
        self.tick({}, {}, "well", "well", Source.INCUMBENT, 0)

    @rule(
        one=PROPOSED,
        two=STEADY,
        candidate=FATES,
        incumbent=FATES,
        assigned=st.sampled_from([Source.CANDIDATE, Source.CANDIDATE, Source.INCUMBENT]),
        elapsed_us=ELAPSED,
    )
    def tick(
        self,
        one: dict[str, float],
        two: dict[str, float],
        candidate: str,
        incumbent: str,
        assigned: Source,
        elapsed_us: int,
        operator: dict[str, float] | None = None,
        without: frozenset[Source] = frozenset(),
    ) -> None:
        proposed = {
            Source.CANDIDATE: proposal(Source.CANDIDATE, one, candidate),
            Source.INCUMBENT: proposal(Source.INCUMBENT, two, incumbent),
            Source.OPERATOR: None if operator is None else proposal(Source.OPERATOR, operator, "well"),
        }
        given = {source: each for source, each in proposed.items() if each is not None}
        seen, self.before, self.last, self.assigned = self.seen(), self.memory, self.in_force(), assigned
        self.book.sees(seen, elapsed_us, self.memory.rung)
        self.waited_us = (self.book.now_us - self.book.raised_us, self.book.now_us - self.book.lowered_us)
        self.ruling = decide(
            seen, given, assigned, self.envelope, self.memory, elapsed_us=elapsed_us, epoch=1, without=without
        )
        assert without <= set(self.ruling.removed)
        self.book.commands(self.last, self.ruling)
        self.memory = self.ruling.memory
        if self.ruling.command.setpoints:
            self.readback = dict(self.ruling.command.setpoints)
        self.lived[self.ruling.command.rung.value] += 1
        self.lived["waived"] += any(f.outcome is Outcome.WAIVED for f in self.ruling.chosen.verdict.findings)
        self.lived["clock went back"] += elapsed_us < 0

    @rule(two=STEADY)
    def a_usual_day(self, two: dict[str, float]) -> None:
        """Chance alone makes few of them: what the examples are depends on all that is imported beside this file."""
        self.everything_recovers()
        for assigned in (Source.INCUMBENT, Source.CANDIDATE, Source.CANDIDATE):
            self.tick(two, two, "well", "well", assigned, PERIOD_US)

    @rule(one=PROPOSED, two=STEADY, dead=FATES)
    def operator_overrides(self, one: dict[str, float], two: dict[str, float], dead: str) -> None:
        self.tick(one, two, dead, dead, Source.OPERATOR, PERIOD_US, operator=two)

    @rule(elapsed_us=st.sampled_from([30 * S, 30 * S, 30 * S, 0, -1]), two=STEADY)
    def watch(self, elapsed_us: int, two: dict[str, float]) -> None:
        seen, before = self.seen(), self.memory
        guarded = guard(seen, self.memory.last, self.envelope, self.memory, elapsed_us=elapsed_us)
        self.book.sees(seen, elapsed_us, self.memory.rung)
        self.memory, self.ruling = guarded.memory, None
        assert (self.memory.last, self.memory.rung, self.memory.failsafe) == (before.last, before.rung, before.failsafe)
        if guarded.decide_now:
            self.lived["guard asked"] += 1
            self.tick({}, two, "well", "well", Source.CANDIDATE, 0, without=guarded.removed)

    @rule(
        name=st.sampled_from(["inlet_c", "dew_point_c"]),
        value=st.floats(-10, 40) | st.sampled_from([nan, inf, -inf, 10.0, 32.0]),
        quality=st.sampled_from([*Quality, Quality.GOOD]),
        age_us=st.sampled_from([0, 0, 90 * S, 200 * S, 900 * S, -1]),
    )
    def a_sensor_fails(self, name: str, value: float, quality: Quality, age_us: int) -> None:
        self.signals = {**self.signals, name: Signal(value, quality, age_us)}

    @rule()
    def everything_recovers(self) -> None:
        self.signals = {name: Signal(value) for name, value in USUAL["signals"].items()}
        self.readback = dict(self.memory.last or USUAL_TARGETS)

    @rule(off=st.floats(-2, 2), known=st.booleans())
    def the_plant_disobeys(self, off: float, known: bool) -> None:
        if known and self.readback:
            self.readback = {**self.readback, "supply_c": self.readback["supply_c"] + off}
        else:
            self.readback = None

    @rule(local=st.booleans())
    def the_local_system_takes_over_or_gives_back(self, local: bool) -> None:
        self.authority = Authority.LOCAL if local else Authority.OURS
        self.ruling = None  # the last command was given before that

    @rule()
    def operator_trips(self) -> None:
        self.memory = tripped(self.memory, "OPERATOR", "a smell")
        if "OPERATOR" not in self.book.latched:
            self.book.latched.append("OPERATOR")
        self.ruling = None

    @rule(name=st.sampled_from(["OPERATOR", "INLET-TRIP", "NOBODY"]))
    def operator_resets(self, name: str) -> None:
        granted = name in self.book.latched and (name != "INLET-TRIP" or Book.inlet_is(self.seen()) is True)
        self.ruling = None
        if not granted:
            with pytest.raises(ValueError, match=r"nothing to reset|still active"):
                reset(self.memory, self.envelope, self.seen(), name)
            return
        self.memory = reset(self.memory, self.envelope, self.seen(), name)
        self.book.latched.remove(name)
        self.lived["reset"] += 1

    @rule(tighter=st.booleans())
    def the_envelope_is_reloaded(self, tighter: bool) -> None:
        self.lived["reloaded"] += self.envelope is not (TIGHTER if tighter else ENVELOPE)
        self.envelope = TIGHTER if tighter else ENVELOPE
        self.ruling = None  # the last command was judged by the other envelope

    @invariant()
    def timers_and_latches_are_what_the_second_book_says(self) -> None:
        self.book.agrees(self.memory)

    @invariant()
    def nothing_escapes(self) -> None:
        if self.ruling is not None:
            assert not escaped(self.envelope, self.ruling, self.last)
            assert set(self.ruling.command.setpoints) in (set(), set(USUAL_TARGETS))

    @invariant()
    def what_is_commanded_is_inside_every_static_limit(self) -> None:
        if self.ruling is not None and self.ruling.command.setpoints:
            for each in self.envelope.command_rules:
                if isinstance(each, Bound):
                    assert each.low <= self.ruling.command.setpoints[each.setpoint] <= each.high

    @invariant()
    def no_step_is_faster_than_its_rate_unless_that_is_recorded(self) -> None:
        ruling = self.ruling
        if ruling is None or self.last is None or ruling.command.rung not in BY_SOURCE:
            return
        waived = {f.rule for f in ruling.chosen.verdict.findings if f.outcome is Outcome.WAIVED}
        for each in SLEWS:
            if each.id not in waived:
                moved = ruling.command.setpoints[each.setpoint] - self.last[each.setpoint]
                rate = each.up_per_s if moved >= 0 else each.down_per_s
                assert rate == inf or abs(moved) <= rate * ruling.dt_s

    @invariant()
    def a_chiller_keeps_its_dwell_and_its_starts_unless_that_is_recorded(self) -> None:
        ruling = self.ruling
        if ruling is None or self.last is None or ruling.command.rung not in BY_SOURCE:
            return
        if "CHILLERS-DWELL" in {f.rule for f in ruling.chosen.verdict.findings}:
            return
        since_raise_us, since_lowering_us = self.waited_us
        way = ruling.command.setpoints["chillers_on"] - self.last["chillers_on"]
        assert way <= 0 or (since_lowering_us >= 600 * S and len(self.book.starts_us) <= 2)
        assert way >= 0 or since_raise_us >= 900 * S

    @invariant()
    def the_highest_rung_that_may_act_acts(self) -> None:
        if self.ruling is None:
            return
        judged = {judgement.rung: judgement.verdict.accepted for judgement in self.ruling.judgements}
        able = [s for s in (self.assigned, Source.INCUMBENT) if judged.get(RUNG_OF[s]) and s not in self.ruling.removed]
        rung = self.ruling.command.rung
        assert rung is RUNG_OF[able[0]] if able else rung in (Rung.HOLD, Rung.FAILSAFE, Rung.RELINQUISH)

    @invariant()
    def a_latched_policy_never_acts(self) -> None:
        if self.ruling is not None and self.book.latched:
            assert self.ruling.command.rung is not Rung.CANDIDATE

    @invariant()
    def nobody_of_ours_acts_while_the_local_system_has_the_plant(self) -> None:
        if self.ruling is not None and self.authority is Authority.LOCAL:
            assert self.ruling.command.rung is Rung.RELINQUISH

    @invariant()
    def a_command_is_held_no_longer_than_it_may(self) -> None:
        if self.ruling is not None and self.ruling.command.rung is Rung.HOLD:
            assert self.book.held_us < HOLD_MAX_US
            assert self.ruling.command.setpoints == self.before.last

    @invariant()
    def a_last_resort_once_taken_is_kept(self) -> None:
        if self.ruling is not None and self.ruling.command.rung is Rung.FAILSAFE and self.before.failsafe is not None:
            assert self.ruling.memory.failsafe == self.before.failsafe


LIVES = settings(derandomize=True, max_examples=200, stateful_step_count=30, deadline=None)


def test_many_lives_of_a_plant() -> None:
    PlantLife.lived.clear()
    run_state_machine_as_test(PlantLife, settings=LIVES)
    wanted = {*(rung.value for rung in Rung), "waived", "clock went back", "guard asked", "reset", "reloaded"}
    assert {what: PlantLife.lived[what] for what in wanted if PlantLife.lived[what] < 5} == {}


def without_starts(*given: Any) -> Memory:
    memory = remembered(*given)
    return replace(memory, rules={**memory.rules, "CHILLERS-DWELL": memory.rules["CHILLERS-DWELL"][:2]})


def still_holding(*given: Any) -> Memory:
    return replace(remembered(*given), held_us=0)


def forgetful(*given: Any) -> Memory:
    return replace(remembered(*given), latches=())


@pytest.mark.parametrize("lying", [without_starts, still_holding, forgetful])
def test_a_memory_that_lies_is_found_out(monkeypatch: pytest.MonkeyPatch, lying: Any) -> None:
    monkeypatch.setattr("safety.decide.remembered", lying)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(PlantLife, settings=settings(LIVES, phases=(Phase.generate,), print_blob=False))
