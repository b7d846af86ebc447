"""The guard: it re-judges the standing command, takes authority away, and invents no command."""

from dataclasses import replace
from typing import Any

import pytest

from safety.envelope import fresh_memory
from safety.guard import guard
from safety.loading.spec import build_envelope
from safety.values import Authority, Latch, Memory, Observation, Quality, Rung, Signal, Source
from tests.safety.support.golden import USUAL, model_of

ENVELOPE = build_envelope(model_of({}))
LAST = USUAL["targets"]
WELL = Observation(
    "small", "plant", 0, {"inlet_c": Signal(24.0), "dew_point_c": Signal(8.0)}, applied=LAST, readback=LAST
)


def memory(rung: Rung = Rung.CANDIDATE, **changes: Any) -> Memory:
    return replace(fresh_memory(ENVELOPE), last=LAST, rung=rung, **changes)


def seen(**signals: Signal) -> Observation:
    return replace(WELL, signals={**WELL.signals, **signals})


@pytest.mark.parametrize("rung", list(Rung))
def test_nothing_happens_while_every_rule_is_satisfied(rung: Rung) -> None:
    guarded = guard(WELL, LAST, ENVELOPE, memory(rung), elapsed_us=30_000_000)
    assert not guarded.decide_now
    assert guarded.removed == frozenset()
    assert guarded.memory.since_us == 30_000_000


def test_candidate_loses_authority_when_its_command_no_longer_stands() -> None:
    guarded = guard(seen(dew_point_c=Signal(20.0)), LAST, ENVELOPE, memory(), elapsed_us=1)
    assert guarded.decide_now
    assert guarded.removed == {Source.CANDIDATE}
    assert [finding.rule for finding in guarded.findings] == ["DEW"]


def test_guard_requests_a_decision_and_keeps_the_incumbent() -> None:
    guarded = guard(seen(dew_point_c=Signal(20.0)), LAST, ENVELOPE, memory(Rung.INCUMBENT), elapsed_us=1)
    assert guarded.decide_now
    assert guarded.removed == frozenset()


def test_a_stale_sensor_removes_the_candidate_at_once() -> None:
    guarded = guard(seen(inlet_c=Signal(24.0, age_us=200_000_000)), LAST, ENVELOPE, memory(), elapsed_us=1)
    assert guarded.decide_now
    assert guarded.removed == {Source.CANDIDATE}


def test_stale_sensor_waits_while_the_incumbent_acts() -> None:
    old = seen(inlet_c=Signal(24.0, age_us=200_000_000))
    assert not guard(old, LAST, ENVELOPE, memory(Rung.INCUMBENT), elapsed_us=1).decide_now


def test_trip_between_decisions_latches_and_requests_a_decision() -> None:
    guarded = guard(seen(inlet_c=Signal(33.0)), LAST, ENVELOPE, memory(Rung.INCUMBENT), elapsed_us=1)
    assert guarded.decide_now
    assert [latch.rule for latch in guarded.memory.latches] == ["INLET-TRIP"]
    again = guard(seen(inlet_c=Signal(33.0)), LAST, ENVELOPE, guarded.memory, elapsed_us=1)
    assert not again.decide_now


def test_a_hold_that_has_run_out_asks_for_a_decision() -> None:
    held = memory(Rung.HOLD, held_us=599_999_999)
    assert guard(WELL, LAST, ENVELOPE, held, elapsed_us=1).decide_now


def test_a_failsafe_that_breaks_an_interlock_is_left_alone() -> None:
    wet = seen(dew_point_c=Signal(20.0))
    assert not guard(wet, LAST, ENVELOPE, memory(Rung.FAILSAFE, failsafe="FULL-COOLING"), elapsed_us=1).decide_now


@pytest.mark.parametrize("rung", [Rung.CANDIDATE, Rung.INCUMBENT, Rung.HOLD, Rung.FAILSAFE])
def test_a_local_system_that_takes_over_asks_for_a_decision(rung: Rung) -> None:
    local = replace(WELL, authority=Authority.LOCAL)
    guarded = guard(local, LAST, ENVELOPE, memory(rung), elapsed_us=1)
    assert guarded.decide_now
    assert guarded.removed == frozenset(Source)


def test_without_a_command_only_the_state_is_judged() -> None:
    wet = seen(dew_point_c=Signal(20.0))
    assert not guard(wet, None, ENVELOPE, replace(memory(Rung.RELINQUISH), last=None), elapsed_us=1).decide_now


def test_a_command_with_a_setpoint_missing_does_not_stand() -> None:
    guarded = guard(WELL, {"supply_c": 18.0}, ENVELOPE, memory(), elapsed_us=1)
    assert guarded.decide_now
    assert guarded.removed == {Source.CANDIDATE}


def test_an_unknown_limit_does_not_stand() -> None:
    guarded = guard(seen(dew_point_c=Signal(8.0, Quality.BAD)), LAST, ENVELOPE, memory(), elapsed_us=1)
    assert guarded.decide_now


def test_everything_that_is_wrong_is_found_and_everybody_concerned_removed() -> None:
    wet_and_old = seen(dew_point_c=Signal(20.0), inlet_c=Signal(24.0, age_us=700_000_000))
    guarded = guard(wet_and_old, LAST, ENVELOPE, memory(), elapsed_us=1)
    assert [finding.rule for finding in guarded.findings] == ["INLET-OLD", "INLET-FRESH", "DEW"]
    assert guarded.removed == frozenset(Source)
    wet_and_latched = replace(memory(), latches=(Latch("X", guarded.findings[0]),))
    assert guard(seen(dew_point_c=Signal(20.0)), LAST, ENVELOPE, wet_and_latched, elapsed_us=1).removed == {
        Source.CANDIDATE
    }


def test_a_hold_runs_out_to_the_microsecond() -> None:
    assert guard(WELL, LAST, ENVELOPE, memory(Rung.HOLD, held_us=599_999_999), elapsed_us=1).decide_now
    assert not guard(WELL, LAST, ENVELOPE, memory(Rung.HOLD, held_us=599_999_998), elapsed_us=1).decide_now
    assert not guard(WELL, LAST, ENVELOPE, memory(Rung.INCUMBENT, held_us=600_000_000), elapsed_us=1).decide_now
