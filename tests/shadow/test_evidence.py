"""What ticks add up to: blocks, groups, paired differences, counts."""

import math
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shadow.evidence import (
    ABSENT,
    DetectorSettings,
    Evidence,
    EvidenceError,
    EvidenceSettings,
    Expectation,
    TickEvidence,
    from_plain,
    observe_tick,
    to_plain,
)
from shadow.evidence.expectation import expected_cost

PERIOD_US = 300_000_000
SMALL = EvidenceSettings(
    block_ticks=4,
    washout_ticks=1,
    model_blocks=2,
    detectors=(DetectorSettings("refused", 0.01, 50.0), DetectorSettings("inferior", 0.55, 1.7)),
)
FAST = settings(derandomize=True, max_examples=40, deadline=None)


def _start() -> Evidence:
    return Evidence.start("bundle", "plant", SMALL)


def _tick(i: int, candidate: bool = False, cost: float | None = 10.0, **changes: object) -> TickEvidence:
    """Tick `i` of blocks of four; the candidate has `group`, `share` only where a test says so."""
    who = "candidate" if candidate else "incumbent"
    tick = TickEvidence(i * PERIOD_US, "25 %", i // 4, who, who, cost=cost, covariates=(5.0,))
    return replace(tick, **changes)  # type: ignore[arg-type]


def _shadowed(blocks: int) -> Evidence:
    evidence = _start()
    for i in range(4 * blocks):
        evidence = observe_tick(evidence, _tick(i))
    return evidence


def _grouped(evidence: Evidence, first_block: int, blocks: list[bool], costs: list[float]) -> Evidence:
    """One group of blocks, then the first tick of the next; a block's cost per tick arrives one tick later."""
    last = 10.0
    for b, (candidate, cost) in enumerate(zip(blocks, costs, strict=True)):
        for k in range(4):
            tick = _tick(4 * (first_block + b) + k, candidate, last, group=0, entry=1, share=0.25)
            evidence, last = observe_tick(evidence, tick), cost
    return observe_tick(evidence, _tick(4 * (first_block + len(blocks)), False, last, group=1, entry=1, share=0.25))


def test_candidate_costing_eight_percent_less_has_benefit_eight_percent() -> None:
    evidence = _grouped(_shadowed(4), 4, [False, True, False, False], [10.0, 9.2, 10.0, 10.0])
    assert evidence.benefit.blocks.groups == 1
    assert evidence.benefit.cost.mean() == pytest.approx(0.08)


def test_washout_is_excluded_from_cost_but_not_from_breaches() -> None:
    evidence = _start()
    for i in range(5):
        # The interval after tick 0 is the washout: it ends at tick 1.
        cost = 99.0 if i == 1 else 10.0
        evidence = observe_tick(evidence, _tick(i, cost=cost, breach_s=2.0 * (i == 1)))
    assert evidence.benefit.model.mean() == pytest.approx(10.0)
    assert evidence.tally.incumbent_breach_s == 2.0


def test_interval_belongs_to_the_source_in_control_at_its_start() -> None:
    evidence = observe_tick(_start(), _tick(0, candidate=True))
    evidence = observe_tick(evidence, _tick(1, candidate=False, breach_s=30.0))
    assert evidence.tally.last_driven_breach_s == 30.0
    evidence = observe_tick(evidence, _tick(2, candidate=False, breach_s=30.0))
    assert (evidence.tally.driven_breach_s, evidence.tally.incumbent_breach_s) == (30.0, 30.0)


def test_block_ended_by_a_breaker_counts_for_the_candidate() -> None:
    evidence, last = _shadowed(4), 10.0
    for k in range(4):
        # The latch opens after the first tick; the incumbent needs 20 % more to recover.
        tick = _tick(16 + k, k == 0, last, group=0 if k == 0 else -1, entry=1, share=0.25 if k == 0 else 0.0)
        evidence, last = observe_tick(evidence, tick), 12.0
    evidence = observe_tick(evidence, _tick(20, False, last))
    blocks = evidence.benefit.blocks
    assert (blocks.candidate, blocks.candidate_clean, blocks.candidate_cut, blocks.groups) == (1, 0, 1, 1)
    assert evidence.benefit.cost.mean() == pytest.approx(-0.2)


def test_group_without_a_measured_candidate_block_is_not_scored() -> None:
    evidence = _grouped(_shadowed(4), 4, [False, True, False, False], [10.0, math.nan, 10.0, 10.0])
    assert (evidence.benefit.blocks.groups, evidence.benefit.blocks.groups_unscored) == (0, 1)


def test_a_group_without_an_expectation_is_not_scored() -> None:
    assert _grouped(_shadowed(1), 1, [False, True, False, False], [10.0, 9.2, 10.0, 10.0]).benefit.blocks.groups == 0


def test_small_shares_are_not_scored_for_benefit() -> None:
    evidence = _shadowed(4)
    for i in range(16, 40):
        evidence = observe_tick(evidence, _tick(i, i // 4 == 5, group=(i - 16) // 20, entry=1, share=0.05))
    assert evidence.benefit.blocks.groups == 0
    assert evidence.benefit.blocks.candidate_clean == 1


def test_cost_over_a_gap_is_not_credited_to_anyone() -> None:
    evidence = observe_tick(observe_tick(_start(), _tick(0)), _tick(1))
    evidence = observe_tick(evidence, _tick(3, cost=500.0))
    assert evidence.block is not None
    assert (evidence.block.measured, evidence.block.cost) == (0, 0.0)


def test_decision_between_ticks_measures_nothing_and_ends_no_block() -> None:
    evidence = _start()
    for i in range(5):
        evidence = observe_tick(evidence, _tick(i, True))
        if i == 1:
            between = replace(_tick(i, True, cost=1.0), at_us=PERIOD_US + PERIOD_US // 10)
            evidence = observe_tick(evidence, between)
        if i == 3:
            assert evidence.block is not None
            assert (evidence.block.measured, evidence.block.cost) == (1, 10.0)
    assert evidence.benefit.blocks.candidate_clean == 1


def test_only_blocks_driven_wholly_by_the_incumbent_teach_the_expectation() -> None:
    evidence = _grouped(_shadowed(4), 4, [True, False, False, False], [1.0, 10.0, 10.0, 10.0])
    assert evidence.benefit.model.blocks == 7
    assert evidence.benefit.model.mean() == pytest.approx(10.0)


def test_a_tick_delivered_twice_changes_nothing() -> None:
    evidence = _shadowed(2)
    assert observe_tick(evidence, _tick(7)) is evidence
    assert observe_tick(evidence, _tick(3)) is evidence


def test_tick_without_a_proposal_gives_no_evidence() -> None:
    before = _shadowed(2)
    after = observe_tick(before, _tick(8, candidate_status=ABSENT))
    assert after.tally.shadowed == before.tally.shadowed
    assert after.detectors == before.detectors
    assert after.tally.clean_in_a_row == 0


def test_late_proposals_are_unusable_but_only_vetoes_are_refusals() -> None:
    evidence = observe_tick(_start(), _tick(0, candidate_status="late"))
    evidence = observe_tick(evidence, _tick(1, candidate_refused=True))
    assert (evidence.tally.shadowed_unusable, evidence.tally.shadowed_refused) == (2, 1)


def test_a_driven_tick_that_was_vetoed_counts_as_driven() -> None:
    evidence = observe_tick(_start(), _tick(0, True, in_control="incumbent", candidate_refused=True))
    assert (evidence.tally.driven, evidence.tally.driven_refused, evidence.tally.shadowed) == (1, 1, 0)


def test_weather_and_load_cancel_out_of_the_differences() -> None:
    """Cost is an exact quadratic of two covariates: the residual of any later block is nothing."""
    rng, model = np.random.default_rng(2), Expectation()

    def truth(x: np.ndarray) -> float:
        return float(20 + 3 * x[0] - x[1] + 0.1 * x[0] ** 2 + 0.05 * x[0] * x[1])

    for _ in range(60):
        x = rng.uniform([5, -10], [15, 25])
        model = model.update(x.tolist(), truth(x), 1.0)
    for _ in range(20):
        x = rng.uniform([5, -10], [15, 25])
        assert expected_cost(model.fit(), x.tolist(), 0.0) == pytest.approx(truth(x), rel=0.01)


def test_the_expectation_equals_ordinary_least_squares() -> None:
    rng = np.random.default_rng(4)
    x, y = rng.normal(10, 3, 80), rng.normal(50, 5, 80)
    model = Expectation()
    for a, b in zip(x, y, strict=True):
        model = model.update([float(a)], float(b), 1.0)
    ols = np.polynomial.Polynomial.fit(x, y, 2).convert().coef
    for at in (6.0, 10.0, 14.0):
        assert expected_cost(model.fit(), [at], 0.0) == pytest.approx(float(np.polyval(ols[::-1], at)), rel=2e-3)


def test_a_constant_covariate_or_none_at_all_gives_the_mean() -> None:
    model = bare = Expectation()
    for cost in (8.0, 10.0, 12.0):
        model, bare = model.update([5.0], cost, 1.0), bare.update([], cost, 1.0)
    assert expected_cost(model.fit(), [5.0], 0.0) == pytest.approx(10.0)
    assert expected_cost(bare.fit(), [], 0.0) == pytest.approx(10.0)


def test_an_expectation_that_extrapolates_below_its_floor_is_the_floor() -> None:
    assert expected_cost((1.0, -5.0, 0.0), [10.0], 2.5) == 2.5


TWO = replace(SMALL, guard_clips={"hot": 60.0, "damp": 5.0})


def _guarded(guards: list[dict[str, float]]) -> Evidence:
    """A scored group of four blocks, the candidate's the second; each block has its guards in every interval."""
    evidence, last = Evidence.start("bundle", "plant", TWO), guards[0]
    for i in range(16):
        evidence = observe_tick(evidence, _tick(i, guards=last))
    for i in range(16, 33):
        block = i // 4 - 4
        tick = _tick(i, block == 1, guards=last, group=block // 4, entry=1, share=0.25)
        evidence = observe_tick(evidence, tick)
        last = guards[min(block, 3)]
    return evidence


def test_each_guard_has_its_own_sequence() -> None:
    usual, candidate = {"hot": 2.0, "damp": 0.5}, {"hot": 5.0, "damp": 0.25}
    benefit = _guarded([usual, candidate, usual, usual]).benefit
    assert benefit.blocks.groups == 1
    # Four intervals of a block: 8 and 2 of the incumbent's, 20 and 1 of the candidate's; first intervals belong to the last block.
    assert benefit.guards["hot"].mean() == pytest.approx(-12.0)
    assert benefit.guards["damp"].mean() == pytest.approx(1.0)
    assert {name: sequence.clip for name, sequence in benefit.guards.items()} == {"hot": 60.0, "damp": 5.0}


def test_an_interval_without_its_guard_is_not_measured() -> None:
    evidence = observe_tick(observe_tick(_start(), _tick(0)), _tick(1))
    evidence = observe_tick(evidence, _tick(2, guards={"hot": math.nan}))
    assert evidence.block is not None
    assert (evidence.block.measured, evidence.block.guards) == (0, {})
    evidence = observe_tick(evidence, _tick(3, guards={"hot": 1.5}))
    assert evidence.block is not None
    assert (evidence.block.measured, evidence.block.guards) == (1, {"hot": 1.5})


def _schema_1(evidence: Evidence) -> dict[str, Any]:
    """The evidence in the keys of schema 1, which knew one guard."""

    def former(part: dict[str, Any], **names: str) -> dict[str, Any]:
        kept = {names.get(key, key): value for key, value in part.items() if key not in ("guards", "guard_clips")}
        return kept | ({"hot_degree_minutes": part["guards"].get("hot", 0.0)} if "guards" in part else {})

    plain = to_plain(evidence)
    benefit, clip = plain["benefit"], plain["settings"]["guard_clips"]["hot"]
    quality = benefit.pop("guards")["hot"]
    if benefit["group"] is not None:
        sides = {side: former(benefit["group"][side]) for side in ("candidate", "incumbent")}
        benefit["group"] = former(benefit["group"], floor="floor_kwh") | sides
    return plain | {
        "schema": 1,
        "settings": former(plain["settings"], cost_clip_frac="energy_clip_frac")
        | {"quality_clip_degree_minutes": clip},
        "benefit": former(benefit, cost="energy") | {"quality": quality},
        "last": former(plain["last"], cost="energy_kwh"),
        "block": former(plain["block"], cost="energy_kwh"),
    }


def test_evidence_of_schema_1_is_read_to_the_bit() -> None:
    one = replace(SMALL, guard_clips={"hot": 60.0})
    evidence = Evidence.start("bundle", "plant", one)
    for i in range(30):  # ends inside a group with a block of each side
        tick = _tick(i, i // 4 == 5, 10.0 + i % 3, guards={"hot": 0.1 * i}, share=0.25 * (i >= 16))
        evidence = observe_tick(evidence, replace(tick, group=0 if i >= 16 else -1, entry=int(i >= 16)))
    assert evidence.benefit.group is not None
    assert evidence.benefit.group.candidate.guards["hot"] > 0.0
    assert from_plain(_schema_1(evidence), ["hot"]) == evidence


def test_evidence_of_schema_1_without_a_guard_drops_its_zeros() -> None:
    evidence = from_plain(_schema_1(_guarded([{"hot": 1.0}] * 4)))
    assert evidence.benefit.guards == evidence.settings.guard_clips == {}


def test_evidence_of_schema_1_is_refused_with_two_guards() -> None:
    with pytest.raises(EvidenceError, match="hot, damp"):
        from_plain(_schema_1(_guarded([{"hot": 1.0}] * 4)), ["hot", "damp"])


def test_a_changed_number_of_covariates_is_refused() -> None:
    with pytest.raises(ValueError, match="start new evidence"):
        Expectation().update([1.0], 10.0, 1.0).update([1.0, 2.0], 10.0, 1.0)


TICKS = st.lists(
    st.tuples(
        st.booleans(),
        st.sampled_from(["ok", "ok", "ok", "late", "failed", "nan", "shape", "absent"]),
        st.booleans(),
        st.sampled_from([None, 9.0, 10.0, 11.5, math.nan, math.inf]),
        st.integers(1, 3),
    ),
    max_size=60,
)


def _ticks_of(rows: list[tuple[bool, str, bool, float | None, int]]) -> list[TickEvidence]:
    ticks, i = [], 0
    for candidate, status, refused, cost, step in rows:
        i += step
        ticks.append(
            _tick(
                i,
                candidate,
                cost,
                candidate_status=status,
                candidate_refused=refused,
                group=i // 16,
                entry=1,
                share=0.25,
                targets=(float(i % 3),),
            )
        )
    return ticks


@FAST
@given(TICKS)
def test_evidence_survives_storage_exactly_at_every_moment(
    rows: list[tuple[bool, str, bool, float | None, int]],
) -> None:
    straight = stored = _shadowed(3)
    for tick in _ticks_of(rows):
        tick = replace(tick, at_us=tick.at_us + 12 * PERIOD_US, block=tick.block + 3)
        straight = observe_tick(straight, tick)
        stored = observe_tick(from_plain(msgspec.msgpack.decode(msgspec.msgpack.encode(to_plain(stored)))), tick)
    # NaN in the last tick compares unequal to itself, its plain form does not.
    assert repr(to_plain(stored)) == repr(to_plain(straight))


@FAST
@given(TICKS)
def test_counts_only_grow_and_add_up(rows: list[tuple[bool, str, bool, float | None, int]]) -> None:
    evidence = _start()
    for tick in _ticks_of(rows):
        before, evidence = evidence, observe_tick(evidence, tick)
        tally = evidence.tally
        assert tally.ticks == before.tally.ticks + 1
        assert tally.shadowed + tally.driven <= tally.ticks
        assert tally.shadowed_refused <= tally.shadowed_unusable <= tally.shadowed
        assert tally.driven_refused <= tally.driven_unusable <= tally.driven
        assert evidence.benefit.blocks.groups >= before.benefit.blocks.groups


def test_evidence_of_another_schema_or_shape_is_refused() -> None:
    plain = to_plain(_shadowed(2))
    with pytest.raises(EvidenceError, match="reads 1 and 2"):
        from_plain(plain | {"schema": 0})
    with pytest.raises(EvidenceError, match="cannot be read"):
        from_plain(plain | {"tally": 3})
    with pytest.raises(EvidenceError, match="detectors"):
        from_plain(plain | {"detectors": []})


@pytest.mark.parametrize("changes", [{"candidate_status": "asleep"}, {"assigned": "operator"}])
def test_a_tick_with_an_unknown_word_is_refused(changes: dict[str, str]) -> None:
    ((key, value),) = changes.items()
    with pytest.raises(ValueError, match=f"`{key}`.*`{value}`"):
        _tick(0, **changes)  # type: ignore[arg-type]
