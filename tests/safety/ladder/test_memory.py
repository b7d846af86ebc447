"""The memory: it ages, latches, trips and resets, and what it does not know counts as just changed."""

from dataclasses import replace
from math import nan

import pytest

from safety.decide import observe
from safety.envelope import fresh_memory
from safety.inputs import Plausibility
from safety.loading.spec import build_envelope
from safety.memory import aged, latched, remembered, reset, tripped
from safety.rules.state_rules import Trip
from safety.values import (
    Command,
    Finding,
    Latch,
    Memory,
    Observation,
    Outcome,
    Quality,
    RuleState,
    Rung,
    Signal,
    Tier,
)
from tests.safety.support.golden import USUAL, model_of

ENVELOPE = build_envelope(model_of({}))


def seen(inlet_c: float, quality: Quality = Quality.GOOD) -> Observation:
    signals = {"inlet_c": Signal(inlet_c, quality), "dew_point_c": Signal(8.0)}
    return Observation("small", "plant", 0, signals, applied=USUAL["targets"], readback=USUAL["targets"])


def test_a_fresh_memory_has_every_timer_at_zero() -> None:
    memory = fresh_memory(ENVELOPE)
    assert memory.last is None
    assert memory.rules["CHILLERS-DWELL"] == (0.0, 0.0)


def test_memory_ages_by_the_whole_time() -> None:
    memory, faults = aged(fresh_memory(ENVELOPE), ENVELOPE, seen(24.0), 7_000_000)
    assert memory.since_us == 7_000_000
    assert memory.rules["CHILLERS-DWELL"] == (7e6, 7e6)
    assert faults == ()


def test_time_running_backwards_counts_as_zero() -> None:
    memory, _ = aged(fresh_memory(ENVELOPE), ENVELOPE, seen(24.0), -5)
    assert memory.since_us == 0


@pytest.mark.parametrize("state", [(nan, 5.0), (1.0,), ()])
def test_a_state_that_cannot_be_one_counts_as_just_changed(state: tuple[float, ...]) -> None:
    memory, _ = aged(Memory(rules={"CHILLERS-DWELL": state}), ENVELOPE, seen(24.0), 10)
    assert memory.rules["CHILLERS-DWELL"] == (10.0, 10.0)


def test_a_trip_latches_once_and_keeps_its_first_cause() -> None:
    _, memory, _ = observe(seen(33.0), ENVELOPE, fresh_memory(ENVELOPE), 0)
    _, memory, _ = observe(seen(40.0), ENVELOPE, memory, 0)
    assert [latch.rule for latch in memory.latches] == ["INLET-TRIP"]
    assert "33" in memory.latches[0].first_out.detail


def test_a_latch_outlives_its_cause() -> None:
    _, memory, _ = observe(seen(33.0), ENVELOPE, fresh_memory(ENVELOPE), 0)
    _, memory, findings = observe(seen(24.0), ENVELOPE, memory, 0)
    assert memory.latches
    assert findings == ()


def test_a_reset_is_refused_while_the_cause_is_active() -> None:
    _, memory, _ = observe(seen(33.0), ENVELOPE, fresh_memory(ENVELOPE), 0)
    with pytest.raises(ValueError, match="still active"):
        reset(memory, ENVELOPE, seen(33.0), "INLET-TRIP")


def test_a_reset_is_refused_while_nobody_can_tell() -> None:
    _, memory, _ = observe(seen(33.0), ENVELOPE, fresh_memory(ENVELOPE), 0)
    with pytest.raises(ValueError, match="not good"):
        reset(memory, ENVELOPE, seen(24.0, Quality.BAD), "INLET-TRIP")


def test_a_reset_clears_the_latch_it_names() -> None:
    _, memory, _ = observe(seen(33.0), ENVELOPE, fresh_memory(ENVELOPE), 0)
    memory = tripped(memory, "OPERATOR", "smell of smoke")
    memory = reset(memory, ENVELOPE, seen(24.0), "INLET-TRIP")
    assert [latch.rule for latch in memory.latches] == ["OPERATOR"]


def test_a_reset_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="nothing to reset"):
        reset(fresh_memory(ENVELOPE), ENVELOPE, seen(24.0), "INLET-TRIP")


def test_an_operators_trip_keeps_its_first_cause() -> None:
    memory = tripped(tripped(Memory(), "OPERATOR", "first"), "OPERATOR", "second")
    assert [latch.first_out.detail for latch in memory.latches] == ["first"]


def test_a_command_restarts_the_clock_and_hold_keeps_counting() -> None:
    memory = Memory(last=USUAL["targets"], rung=Rung.HOLD, since_us=5, held_us=5)
    held = remembered(memory, ENVELOPE, memory.last, Command(USUAL["targets"], Rung.HOLD, 1, 1), None)
    assert (held.since_us, held.held_us) == (0, 5)
    led = remembered(memory, ENVELOPE, memory.last, Command(USUAL["targets"], Rung.INCUMBENT, 1, 1), None)
    assert led.held_us == 0


def test_relinquishing_leaves_no_command_in_force() -> None:
    memory = remembered(
        Memory(last=USUAL["targets"]), ENVELOPE, USUAL["targets"], Command({}, Rung.RELINQUISH, 1, 1), "X"
    )
    assert memory.last is None
    assert memory.failsafe == "X"


def test_an_operators_trip_is_a_finding_like_any_other() -> None:
    (latch,) = tripped(Memory(), "OPERATOR", "smell of smoke").latches
    assert latch.rule == latch.first_out.rule == "OPERATOR"
    assert repr(latch.first_out) == repr(Finding("OPERATOR", Tier.T1, Outcome.VETO, nan, "state", "smell of smoke"))


def test_only_what_is_measured_latches() -> None:
    def after(margin: float) -> tuple[Latch, ...]:
        return latched(Memory(), ENVELOPE, (Finding("INLET-TRIP", Tier.T1, Outcome.VETO, margin, "state", ""),)).latches

    assert len(after(-5e-324)) == 1
    assert after(0.0) == after(0.5) == after(nan) == ()
    unmoved = Memory()
    assert latched(unmoved, ENVELOPE, ()) is unmoved


def test_what_is_commanded_is_remembered() -> None:
    before = Memory(last=None, rung=Rung.HOLD, since_us=7, held_us=9, rules={"CHILLERS-DWELL": (5.0, 5.0)})
    command = Command({**USUAL["targets"], "chillers_on": 2.0}, Rung.INCUMBENT, 1, 1)
    after = remembered(before, ENVELOPE, USUAL["targets"], command, "FULL-COOLING")
    assert after.last == command.setpoints
    assert (after.rung, after.since_us, after.held_us, after.failsafe) == (Rung.INCUMBENT, 0, 0, "FULL-COOLING")
    assert after.rules["CHILLERS-DWELL"] == (0.0, 5.0, 0.0)
    assert remembered(before, ENVELOPE, None, command, None).rules["CHILLERS-DWELL"] == (0.0, 0.0)


def test_time_on_hold_counts_on_that_rung_only() -> None:
    for rung in Rung:
        memory, _ = aged(Memory(rung=rung, held_us=10), ENVELOPE, seen(24.0), 5)
        assert memory.held_us == (15 if rung is Rung.HOLD else 10)


def test_reset_succeeds_on_the_edge_and_gives_reasons_beyond_it() -> None:
    tripped_memory = tripped(Memory(), "INLET-TRIP", "hot")
    assert reset(tripped_memory, ENVELOPE, seen(32.0), "INLET-TRIP").latches == ()
    assert reset(tripped_memory, ENVELOPE, seen(31.5), "INLET-TRIP").latches == ()
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        reset(tripped_memory, ENVELOPE, seen(32.5), "INLET-TRIP")
    assert str(caught.value) == "the cause of `INLET-TRIP` is still active: `inlet_c` 32.5 C is outside [10, 32]"
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        reset(Memory(), ENVELOPE, seen(24.0), "INLET-TRIP")
    assert str(caught.value) == "no latch of rule `INLET-TRIP` is set: nothing to reset"


def test_reset_manages_its_inputs_as_a_decision_does() -> None:
    plausible = Plausibility(id="INLET-OK", signal="inlet_c", low=0, high=60, rate_per_s=0.001)
    envelope = replace(ENVELOPE, inputs=(plausible,))
    memory = tripped(Memory(rules={"INLET-OK": (33.0, 0.0, 0.0)}), "INLET-TRIP", "hot")
    with pytest.raises(ValueError, match="not good"):
        reset(memory, envelope, seen(24.0), "INLET-TRIP")
    near = tripped(Memory(rules={"INLET-OK": (24.0, 0.0, 0.0)}), "INLET-TRIP", "hot")
    assert reset(near, envelope, seen(24.0), "INLET-TRIP").latches == ()


def test_a_reset_takes_no_time() -> None:
    plausible = Plausibility(id="INLET-OK", signal="inlet_c", low=0, high=60, stuck_us=10)
    memory = tripped(Memory(rules={"INLET-OK": (24.0, 0.0, 10.0)}), "INLET-TRIP", "hot")
    assert reset(memory, replace(ENVELOPE, inputs=(plausible,)), seen(24.0), "INLET-TRIP").latches == ()


class Odd(Trip):
    """A trip that cannot age, and that tells the state it is asked with."""

    def aged(self, state: RuleState, observation: Observation, elapsed_us: int) -> RuleState:
        raise ZeroDivisionError("made to fail")

    def explain(self, observation: Observation, state: RuleState) -> str:
        return f"asked with {state!r}"


def test_rule_that_cannot_age_is_reported_and_remembers_nothing() -> None:
    odd = Odd(id="ODD", tier=Tier.T1, hazard="h", basis="b", signal="inlet_c", low=0, high=10)
    envelope = replace(ENVELOPE, state_rules=(odd,))
    memory, faults = aged(Memory(rules={"ODD": (5.0, 1.0)}), envelope, seen(24.0), 5)
    assert memory.rules["ODD"] == odd.fresh() == (0.0, 0.0)
    assert [(rule.id, str(error)) for rule, error in faults] == [("ODD", "made to fail")]
    with pytest.raises(ValueError, match=r"still active: asked with \(\)$"):
        reset(tripped(Memory(), "ODD", "x"), envelope, seen(24.0), "ODD")
