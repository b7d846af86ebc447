"""Conditions: what the language says, what it refuses, and that an unknown is never absorbed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety.loading.when import WhenError, exact, names_in, parse_linear, parse_when
from safety.rules.conditions import AllOf, AnyOf, Comparison, Linear, Names, Not
from safety.values import Quality, Signal
from tests.safety.support.seeded import seeded

NAMES = Names(
    {"a": Signal(1.0), "b": Signal(2.0), "bad": Signal(5.0, Quality.BAD), "nan": Signal(float("nan"))}, {"n": 2.0}
)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("a < b", True),
        ("a >= b", False),
        ("2 * a == b", True),
        ("b * 0.5 != a", False),
        ("-a + 3 - b <= 0", True),
        ("n >= 2 && a < b", True),
        ("n >= 3 || a > b", False),
        ("!(a > b) && !(n == 1)", True),
        ("a < b || b < a && n == 1", True),
        ("bad > 0", None),
        ("gone > 0", None),
        ("nan == nan", None),
        ("a < b || bad > 0", None),
        ("a > b && bad > 0", None),
        ("!(bad > 0)", None),
    ],
)
def test_a_condition_means(text: str, answer: bool | None) -> None:
    assert parse_when(text).holds(NAMES) is answer


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a <",
        "a < b < n",
        "a = b",
        "a * b > 1",
        "2 * 3 > a",
        "a / 2 > 1",
        "f(a) > 1",
        "a > 'x'",
        "(a > 1",
        "a > 1)",
        "a > 1 &&",
        "a > 1 and b > 1",
        "1e999 > a",
        "a > 0.1000000000000000055511151231257827",
        "ａ > 1",
        "(" * 300 + "a > 1" + ")" * 300,
        "!" * 900 + "a > 1",
        "a > 1 || " * 200 + "a > 1",
    ],
)
def test_what_is_not_of_the_language_is_refused(text: str) -> None:
    with pytest.raises(WhenError):
        parse_when(text)


@seeded(500)
@given(st.text(alphabet="abn01.e+-*<>=!&|() ", max_size=60))
def test_the_parser_answers_or_refuses_and_nothing_else(text: str) -> None:
    try:
        condition = parse_when(text)
    except WhenError:
        return
    assert names_in(condition) <= set("abn") | names_in(condition)
    assert condition.holds(NAMES) in (True, False, None)


def test_names_in_finds_every_name() -> None:
    condition = AnyOf(
        (Not(Comparison(Linear((("a", 1.0),)), "<", Linear((("b", 2.0),)))), AllOf((parse_when("n > 0"),)))
    )
    assert names_in(condition) == {"a", "b", "n"}


def test_a_sum_that_overflows_is_unknown() -> None:
    names = Names({"a": Signal(1.7e308), "b": Signal(1.7e308)}, {})
    assert parse_linear("a + b").value(names) is None
    assert parse_when("a + b != 0").holds(names) is None


def test_a_linear_term_is_evaluated_from_left_to_right() -> None:
    assert parse_linear("2 * a - b * 3 + 0.5").value(NAMES) == -3.5


def test_a_number_is_kept_or_refused() -> None:
    assert exact("27.50") == 27.5
    assert exact("1_000.25") == 1000.25
    for text, message_id in (("0.30000000000000004441", "number-not-exact"), ("inf", "number-not-finite")):
        with pytest.raises(WhenError) as caught:
            exact(text)
        assert caught.value.id == message_id


def test_what_is_not_finite_is_unknown_by_itself() -> None:
    for odd in (float("nan"), float("inf"), -float("inf")):
        assert Names({"a": Signal(odd)}, {}).value("a") is None
        assert Names({"a": Signal(1.0)}, {"a": odd}).value("a") is None
    assert Names({"a": Signal(1.0)}, {"a": 2.0}).value("a") == 2.0
    assert Names({}, {}).value("a") is None


@pytest.mark.parametrize("before", ["", "!(x > 1) && ", "!!!(x > 1) && !(x > 2) && "])
def test_the_depth_limit_is_the_same_after_other_conditions(before: str) -> None:
    parse_when(f"{before}{'!' * 39}x > 1")
    with pytest.raises(WhenError) as caught:
        parse_when(f"{before}{'!' * 40}x > 1")
    assert (caught.value.id, caught.value.values) == ("condition-too-deep", {"most": 40})


@pytest.mark.parametrize(
    ("text", "terms", "constant"),
    [
        ("-v", (("v", -1.0),), 0.0),
        ("-2 * v", (("v", -2.0),), 0.0),
        ("-3", (), -3.0),
        ("1 + 2 - 5", (), -2.0),
        ("1 - v + 2 - w * 3 - 4", (("v", -1.0), ("w", -3.0)), -1.0),
    ],
)
def test_a_sum_keeps_its_signs_and_all_of_its_constants(
    text: str, terms: tuple[tuple[str, float], ...], constant: float
) -> None:
    assert parse_linear(text) == Linear(terms, constant)


def test_a_number_may_be_grouped_as_toml_groups_it() -> None:
    assert exact("1_000.25") == 1000.25
    assert exact("0.000_000_1") == 1e-7
    assert exact("1_234_567.891") == 1234567.891
