"""Conditions held against CEL's own implementation, whose look they have: on complete, finite inputs both must agree.

Where they differ on purpose is said too: CEL lets `a || b` be true while `a` is missing, which a veto may not.
"""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety.loading.when import WhenError, parse_when
from safety.rules.conditions import Names
from safety.values import Quality, Signal
from tests.safety.support.seeded import seeded

pytestmark = pytest.mark.needs("cel")

SIGNALS = ("a", "b", "c")
# Eighths: sums of them have no rounding, so that the order of additions cannot show.
EIGHTHS = st.integers(-80, 80).map(lambda n: n / 8)
NUMBERS = st.integers(0, 80).map(lambda n: f"{n / 8:g}")
NAMES = st.sampled_from(SIGNALS)
WORDS = st.sampled_from(
    [*SIGNALS, "0", "2", "1.5", "-", "+", "*", "!", "(", ")", "&&", "||", "<=", "<", ">=", ">", "==", "!="]
)


def cel_says(text: str, values: dict[str, float]) -> bool:
    """What CEL makes of a condition. Its numbers have types: ours are all doubles, so `2` is written `2.0`."""
    from cel_expr_python import cel

    double = re.sub(r"(?<![\w.])\d+(?![\w.])", lambda found: f"{found.group()}.0", text)
    environment = cel.NewEnv(variables=dict.fromkeys(SIGNALS, cel.Type.DOUBLE))
    answer = environment.compile(double).eval(data=values)
    assert answer.type() == cel.Type.BOOL, (text, answer.value())
    return bool(answer.value())


def we_say(text: str, values: dict[str, float]) -> bool | None:
    return parse_when(text).holds(Names({name: Signal(value) for name, value in values.items()}, {}))


@st.composite
def sums(draw: st.DrawFn) -> str:
    def term() -> str:
        return draw(st.one_of(NUMBERS, NAMES, st.builds("{} * {}".format, NUMBERS, NAMES)))

    text = ("-" if draw(st.booleans()) else "") + term()
    for _ in range(draw(st.integers(0, 2))):
        text += draw(st.sampled_from([" + ", " - "])) + term()
    return text


COMPARED = st.builds("{} {} {}".format, sums(), st.sampled_from(["<=", "<", ">=", ">", "==", "!="]), sums())
CONDITIONS = st.recursive(
    COMPARED,
    lambda inner: st.one_of(
        st.builds("{} && {}".format, inner, inner),
        st.builds("{} || {}".format, inner, inner),
        st.builds("({})".format, inner),
        st.builds("!({})".format, inner),
    ),
    max_leaves=6,
)
VALUES = st.fixed_dictionaries(dict.fromkeys(SIGNALS, EIGHTHS))


@seeded(400)
@given(text=CONDITIONS, values=VALUES)
def test_a_condition_means_what_cel_says_it_means(text: str, values: dict[str, float]) -> None:
    assert we_say(text, values) is cel_says(text, values)


@seeded(600)
@given(words=st.lists(WORDS, min_size=3, max_size=9), values=VALUES)
def test_what_we_accept_is_cel_and_means_the_same(words: list[str], values: dict[str, float]) -> None:
    text = " ".join(words)
    try:
        answer = we_say(text, values)
    except WhenError:
        return  # we may refuse more than CEL does, never less
    assert answer is cel_says(text, values)


def test_a_missing_signal_decides_in_cel_and_never_here() -> None:
    values: dict[str, Any] = {"b": 1.0, "c": 0.0}
    assert cel_says("a > 0 || b > 0", values)
    known = {name: Signal(value) for name, value in values.items()}
    assert parse_when("a > 0 || b > 0").holds(Names(known, {})) is None
    assert parse_when("a > 0 || b > 0").holds(Names({**known, "a": Signal(1.0, Quality.BAD)}, {})) is None
