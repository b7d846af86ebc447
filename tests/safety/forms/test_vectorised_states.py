"""State rules asked of many observations at once say what they say one by one, to the bit."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from math import inf, isnan, nan
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safety.decide import observe_plainly
from safety.envelope import fresh_memory
from safety.forms.vectorised import Floats
from safety.forms.vectorised_states import Found, Observations, replay, watch
from safety.rules.base import StateRule
from safety.rules.conditions import Linear
from safety.rules.state_rules import Novelty, Readback, Recoverability, Staleness, Trip, Watchdog
from safety.values import Observation, RuleState, Signal, Tier
from tests.safety.campaigns import differential_states
from tests.safety.campaigns.differential_states import compare, differing, main, plainly, run, same_bits
from tests.safety.support.state_boundary_cases import SETPOINTS, Cases, cases_of, watching_envelope

KINDS = {"Novelty", "Readback", "Recoverability", "Staleness", "Trip", "Watchdog"}
WHY: dict[str, Any] = {"hazard": "made up", "basis": "made up"}
ENVELOPE = watching_envelope(0)
RULES = {rule.id: rule for rule in ENVELOPE.state_rules}
NOW = np.array([0])


def test_every_form_agrees_and_every_rule_is_fully_exercised() -> None:
    mix = run(range(1, 5), batches=1, service_every=20, processes=1)
    assert mix.wrong == []
    assert mix.idle() == []
    assert set(mix.kinds.values()) == KINDS
    for kind in KINDS:
        mine = [key for key, of_kind in mix.kinds.items() if of_kind == kind]
        for counts in (mix.accepted, mix.refused, mix.sole, mix.near):
            assert min(counts[key] for key in mine) > 10, (kind, counts)
        assert (sum(mix.unknown[key] for key in mine) > 0) is (kind != "Watchdog")
    assert 0.3 < mix.satisfied / mix.cases < 0.7
    assert min(mix.quiet, mix.unusual) > 0.05 * mix.cases
    assert mix.quiet + mix.unusual == mix.satisfied


def test_on_delays_are_drawn_before_at_and_after_their_end() -> None:
    cases, trip = cases_of(ENVELOPE, 3, 20_000), replace(RULES["INLET-TRIP"], on_delay_us=300_000_000)
    found = watch((trip,), cases.seen, {trip.id: cases.states[trip.id]})[trip.id]
    violated_us = found.state[:, 0]
    assert ((found.margin == 0) & (violated_us > 0)).any()
    assert ((found.margin < 0) & (violated_us >= 300_000_000)).any()
    assert not ((found.margin < 0) & (violated_us < 300_000_000)).any()


WRONG: Mapping[str, Mapping[str, Callable[[Any], float]]] = {
    "FRESH": {"max_age_us": lambda age: age + 1},
    "INLET-TRIP": {"low": lambda low: np.nextafter(low, -inf)},
    "FLOW-TRIP": {"high": lambda high: np.nextafter(high, inf)},
    "HEART": {"max_silence_us": lambda silence: silence + 1},
    "INLET-RISE": {"horizon_us": lambda horizon: horizon + 1},
    "SUPPLY-RISE": {"high": lambda high: np.nextafter(high, inf)},
    "STRANGE": {"high": lambda high: np.nextafter(high, inf)},
    "AIR-OBEYED": {"tolerance": lambda tolerance: np.nextafter(tolerance, inf)},
    "WATER-OBEYED": {"delay_us": lambda delay: delay + 1},
}


@pytest.mark.parametrize("name", sorted(RULES))
def test_form_wrong_by_one_bit_or_one_microsecond_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def wider(rules: Iterable[StateRule], seen: Observations, states: Mapping[str, Floats]) -> dict[str, Found]:
        (what,) = WRONG[name].items()
        return watch(
            [
                replace(rule, **{what[0]: what[1](getattr(rule, what[0]))}) if rule.id == name else rule
                for rule in rules
            ],
            seen,
            states,
        )

    monkeypatch.setattr(differential_states, "watch", wider)
    assert any(f"`{name}`" in line for line in compare(3, batches=1, service_every=5000).wrong)


def log_of(seed: int, *, ticks: int, lanes: int) -> tuple[Observations, dict[str, Floats], list[Cases]]:
    """A log in which every observation lasts for some ticks; the states before its first; and its cases, tick by tick."""
    cases = [cases_of(ENVELOPE, 100 * seed + at // 6, lanes) for at in range(ticks)]

    def stacked(part: str) -> dict[str, Any]:
        stack = np.ma.stack if part in ("applied", "readback") else np.stack
        rows = [getattr(each.seen, part) for each in cases]
        return {name: stack([row[name] for row in rows]) for name in rows[0]}

    log = Observations(
        np.stack([each.seen.elapsed_us for each in cases]),
        *(stacked(part) for part in ("signals", "ages_us", "applied", "readback")),
    )
    return log, dict(cases[0].states), cases


def test_a_log_is_replayed_as_the_kernel_runs_it() -> None:
    ticks, lanes = 36, 60
    log, states, cases = log_of(1, ticks=ticks, lanes=lanes)
    found = replay(ENVELOPE.state_rules, log, states)
    rows = [list(each.each()) for each in cases]
    for lane in range(lanes):
        memory = replace(fresh_memory(ENVELOPE), rules=rows[0][lane][1])
        for tick in range(ticks):
            seen, _, elapsed_us = rows[tick][lane]
            memory, findings = observe_plainly(seen, ENVELOPE, memory, elapsed_us)
            violated = {name for name, each in found.items() if not each.satisfied[tick, lane]}
            assert {finding.rule for finding in findings} == violated
            for rule, _ in ENVELOPE.stateful:
                assert repr(tuple(found[rule.id].state[tick, lane].tolist())) == repr(memory.rules[rule.id])
            for finding in findings:
                assert same_bits(found[finding.rule].margin[tick, lane], np.array(finding.margin))
    assert all(0 < each.satisfied.sum() < ticks * lanes for each in found.values())


@given(seed=st.integers(0, 10**6), cut=st.integers(0, 12))
@settings(max_examples=15, derandomize=True, deadline=None)
def test_a_log_may_be_replayed_in_two_parts(seed: int, cut: int) -> None:
    log, states, _ = log_of(seed, ticks=12, lanes=20)
    whole, first = replay(RULES.values(), log, states), replay(RULES.values(), log.at(slice(cut)), states)
    kept = {name: found.state[-1] for name, found in first.items()} if cut else states
    second = replay(RULES.values(), log.at(slice(cut, None)), kept)
    for name, found in whole.items():
        assert same_bits(found.margin, np.concatenate([first[name].margin, second[name].margin])).all()
        assert same_bits(found.state, np.concatenate([first[name].state, second[name].state])).all()


def picked(states: Mapping[str, Floats], which: Any) -> dict[str, Floats]:
    return {name: state[which] for name, state in states.items()}


@given(seed=st.integers(0, 10**6), order=st.permutations(range(25)))
@settings(max_examples=25, derandomize=True, deadline=None)
def test_lanes_are_independent_and_their_order_does_not_matter(seed: int, order: list[int]) -> None:
    cases = cases_of(ENVELOPE, seed, 25)
    together = watch(RULES.values(), cases.seen, cases.states)
    shuffled = watch(RULES.values(), cases.seen.at(order), picked(cases.states, order))
    for name, found in together.items():
        assert same_bits(shuffled[name].margin, found.margin[order]).all()
        assert same_bits(shuffled[name].state, found.state[order]).all()
    for lane in range(25):
        alone = watch(RULES.values(), cases.seen.at([lane]), picked(cases.states, [lane]))
        for name, found in together.items():
            assert same_bits(alone[name].margin, found.margin[[lane]]).all()
            assert same_bits(alone[name].state, found.state[[lane]]).all()


@given(seed=st.integers(0, 10**6))
@settings(max_examples=10, derandomize=True, deadline=None)
def test_what_is_given_is_left_as_it_was(seed: int) -> None:
    cases, twin = cases_of(ENVELOPE, seed, 30), cases_of(ENVELOPE, seed, 30)
    watch(RULES.values(), cases.seen, cases.states)
    for part in ("signals", "ages_us"):
        assert all(np.array_equal(v, getattr(twin.seen, part)[n], True) for n, v in getattr(cases.seen, part).items())
    assert all(same_bits(state, twin.states[name]).all() for name, state in cases.states.items())


def margin_of(rule: StateRule, seen: Observations, state: RuleState | None = None) -> float:
    states = {} if state is None else {rule.id: np.array([state])}
    return float(watch((rule,), seen, states)[rule.id].margin[0])


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_unknown_observation_satisfies_only_readback_and_watchdog(rule: StateRule) -> None:
    nothing = Observations(NOW)
    assert margin_of(rule, nothing) == rule.margin(Observation("p", "", 0, {}), rule.fresh()) or isnan(
        margin_of(rule, nothing)
    )
    assert watch((rule,), nothing, {})[rule.id].satisfied[0] == isinstance(rule, Readback | Watchdog)


def test_missing_readback_is_unknown_and_no_command_is_satisfied() -> None:
    rule, commanded = RULES["AIR-OBEYED"], {"air": np.array([1.0]), "water": np.array([2.0])}
    masked = {name: np.ma.masked_array(values, True) for name, values in commanded.items()}
    assert margin_of(rule, Observations(NOW, applied=commanded, readback=commanded)) > 0
    assert isnan(margin_of(rule, Observations(NOW, applied=commanded)))
    assert isnan(margin_of(rule, Observations(NOW, applied=commanded, readback=masked)))
    assert isnan(margin_of(rule, Observations(NOW, applied={**commanded, "air": masked["air"]}, readback=commanded)))
    assert margin_of(rule, Observations(NOW, readback=commanded)) == inf
    assert margin_of(rule, Observations(NOW, applied=masked, readback=commanded)) == inf


def test_times_that_no_float_holds_are_compared_as_integers() -> None:
    far, state = 2**53 + 1, (float(2**53), 1.0)
    trip = Trip(id="T", tier=Tier.T1, signal="a", low=0.0, high=1.0, on_delay_us=far, **WHY)
    back = Readback(id="R", tier=Tier.T5, setpoint="s", tolerance=0.5, delay_us=far, **WHY)
    fresh = Staleness(id="S", tier=Tier.T5, signals=("a",), max_age_us=10**18, **WHY)
    vectors: Any = {"applied": {"s": 1.0}, "readback": {"s": 3.0}}
    arrays = {part: {"s": np.array([vector["s"]])} for part, vector in vectors.items()}
    for age_us in (0, far, 10**18 - far, 10**18 - 2**53 + 1, 10**18 + 1):
        seen = Observation("p", "", 0, {"a": Signal(2.0, age_us=age_us)}, **vectors)
        many = Observations(NOW, {"a": np.array([2.0])}, {"a": np.array([age_us])}, **arrays)
        for rule in (trip, back, fresh):
            kept = state if rule.fresh() else ()
            assert margin_of(rule, many, kept) == rule.margin(seen, rule.aged(kept, seen, 0))
    assert margin_of(trip, many, state) == margin_of(back, many, state) == 0.0


@pytest.mark.parametrize("state", [(0.0, 0.0), (5e6, 1.0), (0.0, 1.0)])
def test_unseen_trip_keeps_its_count_without_another_violated_lane(state: RuleState) -> None:
    trip = Trip(id="T", tier=Tier.T1, signal="a", low=0.0, high=1.0, on_delay_us=8_000_000, **WHY)
    elapsed_us, values = np.full((4, 1), 4_000_000), np.array([[nan], [nan], [2.0], [0.5]])
    found = replay((trip,), Observations(elapsed_us, {"a": values}), {"T": np.array([state])})["T"]
    after = (state[0] + 4e6, 1.0) if state[1] else (0.0, 1.0)
    assert [tuple(row) for row in found.state[:, 0].tolist()] == [state, state, after, (0.0, 0.0)]


def test_a_rise_beyond_all_floats_is_unknown() -> None:
    rise = Linear((("b", 1e10), ("c", -1e10)))
    rule = Recoverability(id="R", tier=Tier.T5, signal="a", rise=rise, horizon_us=1, high=5.0, **WHY)
    for high, low in ((1e308, 0.0), (0.0, 1e308), (1e308, 1e308), (inf, 0.0)):
        seen = Observation("p", "", 0, {name: Signal(value) for name, value in (("a", 1.0), ("b", high), ("c", low))})
        many = Observations(NOW, {name: np.array([signal.value]) for name, signal in seen.signals.items()})
        assert isnan(rule.margin(seen, ()))
        assert isnan(margin_of(rule, many))


@pytest.mark.parametrize("low", [0.0, -0.0])
@pytest.mark.parametrize("high", [0.0, -0.0])
@pytest.mark.parametrize("value", [0.0, -0.0, 5e-324, -5e-324])
def test_zeros_keep_their_signs(low: float, high: float, value: float) -> None:
    trip = Trip(id="T", tier=Tier.T1, signal="a", low=low, high=high, **WHY)
    novelty = Novelty(id="N", tier=Tier.T5, signal="a", high=high, **WHY)
    seen, many = Observation("p", "", 0, {"a": Signal(value)}), Observations(NOW, {"a": np.array([value])})
    for rule in (trip, novelty):
        assert repr(margin_of(rule, many)) == repr(rule.margin(seen, rule.aged(rule.fresh(), seen, 0)))


def test_a_rise_without_signals_is_a_number() -> None:
    rule = Recoverability(id="R", tier=Tier.T5, signal="a", rise=Linear((), 0.5), horizon_us=2_000_000, high=5.0, **WHY)
    seen = Observations(np.zeros(3, dtype=int), {"a": np.array([4.0, 4.5, nan])})
    assert np.array_equal(watch((rule,), seen, {})["R"].satisfied, [True, False, False])


def test_empty_lanes_and_ticks_give_empty_answers() -> None:
    nobody = watch(RULES.values(), Observations(np.array([], dtype=int)), {})
    never = replay(RULES.values(), Observations(np.zeros((0, 4), dtype=int)), {})
    assert {(each.margin.shape, each.satisfied.shape) for each in nobody.values()} == {((0,), (0,))}
    assert {(each.margin.shape, each.state.shape[:2]) for each in never.values()} == {((0, 4), (0, 4))}


def test_state_of_another_shape_is_refused_with_expected_shape() -> None:
    with pytest.raises(
        ValueError, match=r"state of rule `HEART` has shape \(1, 3\), wanted \(1, 2\): give a row per lane"
    ):
        margin_of(RULES["HEART"], Observations(NOW), (1.0, 2.0, 3.0))


def test_a_kind_that_is_not_known_is_named() -> None:
    with pytest.raises(TypeError, match="rule `X`: kind StateRule has no vectorised form"):
        watch((StateRule(id="X", tier=Tier.T5, **WHY),), Observations(NOW), {})


def test_each_kind_agrees_on_numbers_anybody_can_check() -> None:
    """One lane by hand, so that not all that is known comes from the same drawing."""
    signals = {"a": np.array([3.0]), "beat": np.array([7.0])}
    seen = Observations(np.array([4_000_000]), signals, {"a": np.array([2_000_000])})
    assert margin_of(Staleness(id="S", tier=Tier.T5, signals=("a",), max_age_us=5_000_000, **WHY), seen) == 3.0
    assert margin_of(Novelty(id="N", tier=Tier.T5, signal="a", high=2.5, **WHY), seen) == -0.5
    watchdog = Watchdog(id="W", tier=Tier.T5, signal="beat", max_silence_us=10_000_000, **WHY)
    assert margin_of(watchdog, seen, (7.0, 5_000_000.0)) == 1.0
    assert margin_of(watchdog, seen, (6.0, 5_000_000.0)) == 10.0
    trip = Trip(id="T", tier=Tier.T1, signal="a", low=0.0, high=2.0, on_delay_us=8_000_000, **WHY)
    found = [watch((trip,), seen, {"T": np.array([state])})["T"] for state in ((0.0, 0.0), (3e6, 1.0), (4e6, 1.0))]
    assert [float(each.margin[0]) for each in found] == [0.0, 0.0, -1.0]
    assert [each.state[0].tolist() for each in found] == [[0.0, 1.0], [7e6, 1.0], [8e6, 1.0]]


def test_comparison_separates_negative_zero_and_finds_a_wrong_answer() -> None:
    assert same_bits(np.array([0.0, nan, 1.0]), np.array([-0.0, nan, 1.0])).tolist() == [False, True, True]
    cases = cases_of(ENVELOPE, 5, 50)
    many = watch(RULES.values(), cases.seen, cases.states)
    plain = [plainly(ENVELOPE, *row) for row in cases.each()]
    assert differing("here", plain, many) == []
    margin, state = plain[7]["HEART"]
    plain[7]["HEART"] = (margin, (state[0], state[1] + 1.0))
    assert differing("here", plain, many) == ["here differ in `HEART`"]


def test_command_prints_its_mix_and_fails_on_too_few_cases(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(differential_states, "BATCH", 40)
    assert main(["--cases", "40", "--envelopes", "1", "--processes", "1"]) == 1
    printed = capsys.readouterr().out
    assert "| vectorised against rule by rule | 40 |" in printed
    assert "| disagreements | 0 |" in printed
    assert "never was the sole reason" in printed
    monkeypatch.setattr(differential_states, "BATCH", 1500)
    assert main(["--cases", "1500", "--envelopes", "1", "--processes", "1"]) == 0


def test_drawn_cases_have_all_that_is_odd() -> None:
    cases = cases_of(ENVELOPE, 9, 3000)
    rows = list(cases.each())
    assert {seen.applied is None for seen, _, _ in rows} == {True, False}
    assert any(seen.applied == {} for seen, _, _ in rows)
    assert any(seen.applied and not seen.readback for seen, _, _ in rows)
    assert any(seen.applied and len(seen.applied) < len(SETPOINTS) for seen, _, _ in rows)
    assert any(elapsed_us < 0 for _, _, elapsed_us in rows)
    assert {len(states) for _, states, _ in rows} >= {4, 5}
    assert {len(state) for _, states, _ in rows for state in states.values()} == {1, 2}
    signals = [signal for seen, _, _ in rows for signal in seen.signals.values()]
    assert {signal.quality.value for signal in signals} == {"good", "bad", "stale"}
    assert any(isnan(signal.value) and signal.good for signal in signals)
    assert any(signal.value == inf and signal.good for signal in signals)
    assert any(signal.age_us < 0 for signal in signals)
