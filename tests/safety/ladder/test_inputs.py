"""The input manager: what is believed of a sensor, and how three become one."""

from math import nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety.decide import observe
from safety.envelope import fresh_memory
from safety.inputs import Amended, Plausibility, Vote
from safety.loading.spec import SpecError, build_envelope
from safety.loading.when import parse_when
from safety.values import Observation, Quality, Signal
from tests.safety.support.golden import model_of
from tests.safety.support.seeded import seeded

S = 1_000_000
PLAUSIBLE = Plausibility(
    id="P", signal="a", low=0, high=50, rate_per_s=0.5, stuck_us=60 * S, agrees=parse_when("a <= b")
)
VOTE = Vote(id="V", signal="v", sensors=("a", "b", "c"), deviation=2.0, safe_side="high")


def good(a: float, b: float = 99.0, state: tuple[float, ...] = (), elapsed_s: float = 10) -> bool:
    signal, _ = PLAUSIBLE.managed({"a": Signal(a), "b": Signal(b)}, state, int(elapsed_s * S))
    assert signal is not None
    return signal.good


def test_a_plausible_signal_stays_good() -> None:
    assert good(20.0)
    assert good(20.0, state=(18.0, 0.0, 0.0))


def test_a_signal_out_of_range_is_bad() -> None:
    assert not good(50.5)
    assert not good(-0.5)


def test_signal_that_moves_too_fast_is_bad() -> None:
    assert not good(26.0, state=(20.0, 0.0, 0.0))
    assert good(26.0, state=(20.0, 10.0 * S, 0.0))


def test_a_signal_that_is_stuck_is_bad() -> None:
    assert good(20.0, state=(20.0, 0.0, 50.0 * S))
    assert not good(20.0, state=(20.0, 0.0, 51.0 * S))


def test_a_signal_that_contradicts_another_is_bad() -> None:
    assert not good(20.0, 19.0)


def test_a_bad_signal_stays_bad_and_time_goes_on() -> None:
    raw = {"a": Signal(20.0, Quality.BAD)}
    assert PLAUSIBLE.managed(raw, (1.0, 2.0, 3.0), 4) == (raw["a"], (1.0, 6.0, 7.0))
    assert PLAUSIBLE.managed({}, (), 4) == (None, ())


def voted(a: Any, b: Any, c: Any) -> float | None:
    raw = {n: Signal(v) if v is not None else Signal(0.0, Quality.BAD) for n, v in zip("abc", (a, b, c), strict=True)}
    signal, _ = VOTE.managed(raw, (), 0)
    assert signal is not None
    return signal.value if signal.good else None


@pytest.mark.parametrize(
    ("a", "b", "c", "expected"),
    [
        (20.0, 21.0, 22.0, 21.0),
        (20.0, 21.0, 40.0, 21.0),
        (5.0, 21.0, 22.0, 22.0),
        (None, 21.0, 22.0, 22.0),
        (nan, 22.0, 21.0, 22.0),
        (None, None, 21.0, None),
        (None, None, None, None),
        (0.0, 20.0, 40.0, None),
    ],
)
def test_two_out_of_three(a: float | None, b: float | None, c: float | None, expected: float | None) -> None:
    assert voted(a, b, c) == expected


@seeded(300)
@given(
    truth=st.floats(-40, 40),
    errors=st.tuples(st.floats(-1, 1), st.floats(-1, 1)),
    liar=st.floats(allow_nan=True, allow_infinity=True),
    order=st.permutations([0, 1, 2]),
)
def test_one_liar_cannot_move_the_vote_beyond_the_honest(
    truth: float, errors: tuple[float, float], liar: float, order: list[int]
) -> None:
    sensors = [truth + errors[0], truth + errors[1], liar]
    result = voted(*(sensors[at] for at in order))
    assert result is not None
    assert min(sensors[:2]) <= result <= max(sensors[:2]) or abs(result - truth) <= 1.0 + VOTE.deviation


def test_an_age_is_that_of_the_oldest_voter() -> None:
    signal, _ = VOTE.managed({"a": Signal(1.0, age_us=5), "b": Signal(1.0, age_us=9), "c": Signal(1.0)}, (), 0)
    assert signal == Signal(1.0, Quality.GOOD, 9)


WHY = {"unit": "C", "hazard": "h", "basis": "b"}
SENSORS = [{"name": f"raw_{n}_c", "unit": "C", "low": -50, "high": 90} for n in "abc"]


def with_vote(**changes: Any) -> Any:
    base = model_of({})
    vote = {
        "id": "INLET-VOTE", "signal": "inlet_c", "sensors": ["raw_a_c", "raw_b_c", "raw_c_c"],
        "deviation": 2, "safe_side": "high", **WHY, **changes,
    }  # fmt: skip
    signals = [*(spec.model_dump() for spec in base.signal), *SENSORS]
    plausible = [{"id": "A-RANGE", "signal": "raw_a_c", "low": 0, "high": 60, **WHY}]
    return type(base).model_validate(
        {**base.model_dump(exclude_defaults=True), "signal": signals, "vote": [vote], "plausibility": plausible}
    )


def test_rules_see_the_voted_signal() -> None:
    envelope = build_envelope(with_vote())
    raw = {"raw_a_c": Signal(90.0), "raw_b_c": Signal(33.0), "raw_c_c": Signal(32.5), "dew_point_c": Signal(8.0)}
    observation, memory, findings = observe(Observation("p", "p", 0, raw), envelope, fresh_memory(envelope), 0)
    assert observation.signals["raw_a_c"].quality is Quality.BAD
    assert observation.signals["inlet_c"].value == 33.0
    assert [latch.rule for latch in memory.latches] == ["INLET-TRIP"]
    assert [finding.rule for finding in findings] == ["INLET-TRIP"]
    assert memory.rules["A-RANGE"] == (90.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("changes", "message_id"),
    [
        ({"sensors": ["raw_a_c", "raw_b_c", "raw_b_c"]}, "vote-without-three-sensors"),
        ({"sensors": ["raw_a_c", "raw_b_c", "inlet_c"]}, "vote-without-three-sensors"),
        ({"sensors": ["raw_a_c", "raw_b_c", "nowhere_c"]}, "unknown-name"),
        ({"id": "DEW"}, "duplicate"),
    ],
)
def test_a_vote_that_makes_no_sense_is_refused(changes: dict[str, Any], message_id: str) -> None:
    with pytest.raises(SpecError) as caught:
        build_envelope(with_vote(**changes))
    assert caught.value.id == message_id


def test_amended_signals_are_the_old_with_the_new_replaced() -> None:
    rest, new = {"a": Signal(1.0), "b": Signal(2.0)}, {"b": Signal(3.0), "c": Signal(4.0)}
    amended = Amended(rest, new)
    assert list(amended) == ["a", "b", "c"]
    assert len(amended) == 3
    assert dict(amended) == {**rest, **new}
    assert [amended.get(name) for name in "abc"] == [Signal(1.0), Signal(3.0), Signal(4.0)]
    assert amended.get("d") is None
    assert amended.get("d", 5) == 5
    with pytest.raises(KeyError):
        amended["d"]
