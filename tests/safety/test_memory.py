"""The memory: it ages, latches, trips and resets, and what it does not know counts as just changed."""

from math import nan

import pytest

from safety.decide import observe
from safety.envelope import fresh_memory
from safety.memory import aged, remembered, reset, tripped
from safety.spec import build_envelope
from safety.values import Command, Memory, Observation, Quality, Rung, Signal
from tests.safety.golden import USUAL, model_of

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


def test_relinquishing_leaves_no_command_of_ours() -> None:
    memory = remembered(
        Memory(last=USUAL["targets"]), ENVELOPE, USUAL["targets"], Command({}, Rung.RELINQUISH, 1, 1), "X"
    )
    assert memory.last is None
    assert memory.failsafe == "X"
