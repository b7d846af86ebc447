"""How a written-out envelope is put: what is used once stands where it is used, what is used twice is worked out once.

None of this changes an answer. It is what makes the written form quick, and a reader of its text can rely on it.
"""

import re
from itertools import pairwise
from typing import Any

import pytest

from safety.forms.compiled import Compiled
from safety.forms.phrases import Phrases, is_odd
from safety.forms.written import Writer, _shape, _tightest, finite
from safety.loading.when import parse_linear, parse_when
from safety.rules.base import CommandRule
from safety.rules.command_rules import Bound, Interlock, RateWindow, Slew, TrustRegion
from safety.rules.conditions import Linear
from safety.values import Tier

WHY: dict[str, Any] = {"tier": Tier.T2, "hazard": "h", "basis": "b"}


def bound(name: str, setpoint: str = "x", low: float = 0.0, high: float = 9.0) -> Bound:
    return Bound(id=name, **WHY, setpoint=setpoint, low=low, high=high)


def interlock(name: str, setpoint: str = "x", **ends: Any) -> Interlock:
    return Interlock(id=name, **WHY, setpoint=setpoint, **ends)


def phrases(*rules: CommandRule, **how: bool) -> Phrases:
    return Phrases(rules, **how)


CLOSED = interlock("I", when=parse_when("v > 1 && w < 2"), low=parse_linear("v + 2 * w"))
OPEN = interlock("O", low=parse_linear("v + 2 * w"), high=Linear((), 8.0))


def test_target_and_step_are_looked_at_unless_they_are_one() -> None:
    assert (phrases(CLOSED).sides, phrases(CLOSED).step, phrases(CLOSED).split) == ("ts", "s", False)
    assert (phrases(CLOSED, arrived=True).sides, phrases(CLOSED, arrived=True).step) == ("t", "t")
    assert phrases(CLOSED, split=True).split is True


def test_expression_used_once_stands_where_it_is_used() -> None:
    say = phrases(CLOSED)
    assert say.settled(f"m = {say.share('a + b')}") == "m = (a + b)"


def test_expression_used_twice_is_computed_before() -> None:
    say = phrases(CLOSED)
    one = say.share("a + b")
    assert say.settled(f"m = {one}\nn = {one}") == "q0 = a + b\nm = q0\nn = q0"
    assert say.settled(f"m = {one}\nn = {one}\no = {one}") == "q0 = a + b\nm = q0\nn = q0\no = q0"


def test_kept_condition_is_stored_as_the_answer_of_a_branch() -> None:
    say = phrases(CLOSED)
    one = say.flag("a < b")
    assert say.settled(f"{one} or {one}") == "q0 = True if a < b else False\nq0 or q0"


def test_a_shared_piece_may_hold_another() -> None:
    say = phrases(CLOSED)
    inner = say.share("a + b")
    outer = say.share(f"2.0 * {inner}")
    assert say.settled(f"m = {outer}\nn = {outer}\no = {inner}") == "q0 = a + b\nq1 = 2.0 * q0\nm = q1\nn = q1\no = q0"


@pytest.mark.parametrize(
    ("when", "written"),
    [
        ("v - w < 3", "(x0 - x1 < 3.0)"),
        ("2 * v + 1 > w", "(1.0 + 2.0 * x0 > x1)"),
        ("v > 1 && !(w < 2 || v == 3)", "((x0 > 1.0) and (not ((x1 < 2.0) or (x0 == 3.0))))"),
    ],
)
def test_a_comparison_is_written_as_one_would_write_it(when: str, written: str) -> None:
    say = phrases(interlock("I", when=parse_when(when), low=Linear((), 1.0)))
    assert say.settled(say.condition(parse_when(when), "t")) == f"({written})"


def test_condition_on_signals_is_shared_but_not_on_setpoints() -> None:
    say = phrases(interlock("I", when=parse_when("v > 1 && n < 2"), low=Linear((), 1.0)), bound("N", "n"))
    shared, own = say.condition(parse_when("v > 1"), "t"), say.condition(parse_when("v > 1 && n < 2"), "s")
    assert say.settled(f"{shared} {shared}") == "q0 = True if (x0 > 1.0) else False\nq0 q0"
    assert own == "((x0 > 1.0) and (s0 < 2.0))"


def test_limit_is_shared_unless_it_counts_only_under_a_condition() -> None:
    say = phrases(CLOSED, OPEN)
    assert say.limits(CLOSED, "t") == ("(0.0 + x0 + 2.0 * x1)", "")
    always, constant = say.limits(OPEN, "t")
    assert constant == "8.0"
    assert say.settled(f"{always} {always}") == "q0 = 0.0 + x0 + 2.0 * x1\nq0 q0"


def test_limits_are_split_only_where_what_decides_differs() -> None:
    rules = interlock("I", when=parse_when("n > 1"), low=Linear((), 1.0)), bound("N", "n")
    assert phrases(*rules).is_split(rules[0]) is False
    assert phrases(*rules, split=True).is_split(rules[0]) is True
    assert phrases(*rules, split=True).is_split(rules[1]) is False


@pytest.mark.parametrize(
    ("number", "odd"), [(0.0, False), (-0.0, True), (1.0, False), (-1e100, False), (1.1e100, True), (-1.1e100, True)]
)
def test_number_is_odd_if_sums_may_overflow_or_negative_zero(number: float, odd: bool) -> None:
    assert is_odd(bound("B", low=-2e99, high=number)) is odd
    assert is_odd(interlock("I", high=Linear((("v", 1.0),), number))) is odd
    assert is_odd(interlock("I", high=Linear((("v", number),)))) is odd


def test_tightest_of_several_trust_regions_decides() -> None:
    near, far, other = (
        TrustRegion(id=name, **WHY, setpoint=on, distance=away)
        for name, on, away in (("A", "x", 2.0), ("B", "x", 3.0), ("C", "y", 9.0))
    )
    for rules in ((near, far, other), (far, near, other), (other, far, near)):
        assert {rule.id for _, rule in _tightest(rules)} == {"A", "C"}
        assert all(rules[at] is rule for at, rule in _tightest(rules))


def test_finiteness_check_groups_numbers_and_reads_each_once() -> None:
    for count, calls in ((1, 1), (28, 1), (29, 2), (56, 2), (57, 3)):
        (text,) = finite([f"x{at}" for at in range(count)])
        assert text.count("hypot(") == calls
        assert len(re.findall(r"x\d+", text)) == count


JUMBLED = (
    interlock("A", "y", low=parse_linear("2 + v")),
    Slew(id="B", **WHY, setpoint="x", up_per_s=0.3, down_per_s=0.1),
    interlock("C", "x", low=parse_linear("11 + v")),
    TrustRegion(id="D", **WHY, setpoint="y", distance=3.0),
    interlock("E", "x", when=parse_when("w > 1"), high=Linear((), 7.0)),
    interlock("F", "y", when=parse_when("v > 10"), high=Linear((), 5.0)),
    TrustRegion(id="G", **WHY, setpoint="x", distance=20.0),
    Slew(id="H", **WHY, setpoint="y", up_per_s=11.0, down_per_s=2.0),
)


def test_like_demands_stand_side_by_side() -> None:
    """A processor guesses better what comes next."""
    lines = [line for line in Writer(phrases(*JUMBLED)).accepts().splitlines() if "abs(" in line]
    (together,) = (re.sub(r"^ *if not \(|\): return False$", "", line).split(" and ") for line in lines)
    is_distance = ["abs(" in part for part in together]
    assert is_distance.count(True) == 2
    assert sum(one != other for one, other in pairwise(is_distance)) == 1


def test_shape_of_a_text_is_the_text_without_numbers() -> None:
    assert _shape(["x1 < 2.5", " and y10"]) == ("x <  and y", "x1 < 2.5 and y10")
    assert sorted(["b < 1", "a < 20", "a > 1", "a < 3"], key=_shape) == ["a < 20", "a < 3", "a > 1", "b < 1"]


def test_equal_target_and_step_are_looked_up_once() -> None:
    compiled = Compiled((bound("B"), interlock("I", when=parse_when("v > 1"), low=Linear((), 1.0))))
    assert "s0" in compiled.margins.__code__.co_varnames
    assert "s0" in compiled.accepts.__code__.co_varnames
    assert "s0" not in compiled.arrived.__code__.co_varnames
    assert "s0" not in compiled.stands.__code__.co_varnames


def test_nothing_is_taken_that_no_rule_looks_at() -> None:
    window = RateWindow(id="W", **WHY, setpoint="x", most=1.0, window_us=100)
    for rules, windows, signals in (((bound("B"),), 0, 0), ((bound("B"), window), 1, 0), ((OPEN,), 0, 1)):
        text = Compiled(rules).source()
        assert (text.count("now.states"), text.count("now.signals")) == (windows, signals)
        assert "pass" not in text


def test_the_longer_form_is_taken_only_where_what_decides_differs() -> None:
    rules = interlock("I", when=parse_when("n > 1 && m > 1"), low=Linear((), 1.0)), bound("M", "m"), bound("N", "n")
    text = Compiled(rules).source()
    assert "if not (t0 == s0 and t1 == s1): return split(target, step, now)" in text
    assert "split" not in Compiled((bound("B"),)).source()
