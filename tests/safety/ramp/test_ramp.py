"""The ramp by itself: where it goes, how fast, and what may make it go faster."""

from fractions import Fraction
from math import ulp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety.loading.spec import build_envelope
from safety.ramp import ramp
from safety.rules.base import Situation
from safety.values import Signal
from tests.safety.support.golden import USUAL, model_of
from tests.safety.support.seeded import seeded

ENVELOPE = build_envelope(model_of({}))
PLAN = ENVELOPE.ramp_plan
SLEWS = [rule for group in PLAN.groups for rule in group.slews]
AIR = st.floats(14, 30)
FLOW = st.floats(1, 10)


def now(last: dict[str, float] | None = None, *, dt_s: float = 300.0, dew_point_c: float = 8.0) -> Situation:
    signals = {"inlet_c": Signal(24.0), "dew_point_c": Signal(dew_point_c)}
    return Situation(signals, last, None, dt_s, {"CHILLERS-DWELL": (7.2e9, 7.2e9)})


def vector(**changes: float) -> dict[str, float]:
    return {**USUAL["targets"], **changes}


@st.composite
def vectors(draw: st.DrawFn) -> dict[str, float]:
    """Permitted vectors under a dew point of 8 C: each flow at most 10, so the pump is never asked for more than 20."""
    return vector(supply_c=draw(AIR), fan_frac=draw(st.floats(0.2, 1)), flow_a_kg_s=draw(FLOW), flow_b_kg_s=draw(FLOW))


def test_the_plan_joins_what_a_relation_joins() -> None:
    assert [group.setpoints for group in PLAN.groups] == [
        ("supply_c",),
        ("fan_frac",),
        ("flow_a_kg_s", "flow_b_kg_s"),
    ]
    assert PLAN.discrete == ("chillers_on",)


def test_a_target_in_reach_is_reached_to_the_bit() -> None:
    target = vector(supply_c=18.3, fan_frac=0.61)
    assert ramp(target, now(vector()), PLAN).step == target


def test_without_time_nothing_moves_but_the_unlimited_direction() -> None:
    step = ramp(vector(supply_c=25.0, fan_frac=0.9), now(vector(), dt_s=0.0), PLAN).step
    assert step == vector(fan_frac=0.9)


@seeded(300)
@given(last=vectors(), target=vectors(), dt_s=st.floats(0, 300))
def test_slew_is_never_exceeded(last: dict[str, float], target: dict[str, float], dt_s: float) -> None:
    situation_now = now(last, dt_s=dt_s)
    step = ramp(target, situation_now, PLAN).step
    assert all(rule.margin(step, situation_now) >= 0 for rule in SLEWS)


@seeded(300)
@given(last=vectors(), target=vectors(), dt_s=st.floats(0, 300))
def test_the_ramp_never_leaves_the_permitted_set(last: dict[str, float], target: dict[str, float], dt_s: float) -> None:
    situation_now = now(last, dt_s=dt_s)
    step = ramp(target, situation_now, PLAN).step
    for rule in ENVELOPE.command_rules:
        if not rule.step_only:
            assert rule.margin(step, situation_now) >= 0, rule.id


@seeded(300)
@given(last=vectors(), target=vectors(), dt_s=st.floats(0, 300))
def test_a_step_lies_between_last_and_target(last: dict[str, float], target: dict[str, float], dt_s: float) -> None:
    step = ramp(target, now(last, dt_s=dt_s), PLAN).step
    assert all(min(last[name], target[name]) <= step[name] <= max(last[name], target[name]) for name in target)


@seeded(300)
@given(a=FLOW, target_a=FLOW)
def test_a_step_along_the_edge_of_a_relation_is_permitted(a: float, target_a: float) -> None:
    last, target = vector(flow_a_kg_s=a, flow_b_kg_s=20 - a), vector(flow_a_kg_s=target_a, flow_b_kg_s=20 - target_a)
    share = next(rule for rule in ENVELOPE.command_rules if rule.id == "PUMP-SHARE")
    for point in (last, target, ramp(target, now(last), PLAN).step):
        if all(1 <= point[name] <= 12 for name in ("flow_a_kg_s", "flow_b_kg_s")):
            assert share.margin(point, now(last)) >= 0


def hold_to_the_edge(last: float, dew_point_c: float, target: float) -> None:
    """In exact numbers: float sums of last and rate may round across the very edge that is asked about."""
    edge = max(dew_point_c + 1.0, 14.0)
    if not last < edge <= target:
        return
    ramped = ramp(vector(supply_c=target), now(vector(supply_c=last), dew_point_c=dew_point_c), PLAN)
    needed, moved = Fraction(edge) - Fraction(last), Fraction(ramped.step["supply_c"]) - Fraction(last)
    by_rate_k = 1
    assert needed <= moved <= max(needed, by_rate_k)
    assert ("supply_c" in ramped.waived) == (needed > by_rate_k)


@seeded(300)
@given(last=st.floats(10, 30), dew_point_c=st.floats(10, 28), target=st.floats(10, 30))
def test_forbidden_last_command_moves_to_the_edge_and_no_further(
    last: float, dew_point_c: float, target: float
) -> None:
    hold_to_the_edge(last, dew_point_c, target)


@seeded(300)
@given(
    dew_point_c=st.floats(13, 28), nearer=st.integers(-8, 8) | st.integers(-(10**6), 10**6), beyond_k=st.floats(0, 1)
)
def test_slew_gives_way_exactly_as_far_as_entering_needs(dew_point_c: float, nearer: int, beyond_k: float) -> None:
    """The last command lies one step below the edge, but for some units in the last place."""
    one_step_below = dew_point_c
    hold_to_the_edge(one_step_below + nearer * ulp(one_step_below), dew_point_c, dew_point_c + 1.0 + beyond_k)


@pytest.mark.parametrize(("last", "edge", "target"), [(8.0, 14.0, 29.5), (36.0, 30.0, 14.5)])
def test_nearer_edge_is_entered_whatever_the_other_limit_is(last: float, edge: float, target: float) -> None:
    ramped = ramp(vector(supply_c=target), now(vector(supply_c=last), dew_point_c=0.0), PLAN)
    assert ramped.step["supply_c"] == edge
    assert ramped.waived == {"supply_c"}


def test_repeated_steps_arrive() -> None:
    last, target = vector(), vector(supply_c=29.0, flow_a_kg_s=8.0, flow_b_kg_s=2.0)
    for _ in range(12):
        last = dict(ramp(target, now(last), PLAN).step)
    assert last == target


def test_a_huge_readback_neither_hangs_nor_gives_a_nan() -> None:
    last = vector(supply_c=1.7e308, flow_a_kg_s=-1.7e308)
    step = ramp(vector(), now(last), PLAN).step
    assert all(value == value for value in step.values())
