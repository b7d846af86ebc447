"""What the loader refuses, and in which words: the file with every kind of rule, spoilt in one place."""

import tomllib
from typing import Any, get_args

import pytest

from safety.loading.spec import EnvelopeModel, SpecError, build_envelope
from safety.loading.spec_rules import AnyRule
from tests.safety.support.every_kind import EVERY, PATH, every_with


def refusal(was: str, becomes: str) -> str:
    """What the loader says of the file with one place written otherwise."""
    with pytest.raises(SpecError) as caught:
        every_with(was, becomes)
    return str(caught.value)


@pytest.mark.parametrize("given", ["3", '"ab"', "[1]", "[1, 2, 3]", "{}"])
def test_a_pair_is_a_list_of_two_numbers(given: str) -> None:
    with pytest.raises(SpecError, match="if_unknown"):
        every_with("if_unknown = [10, 30]", f"if_unknown = {given}")


@pytest.mark.parametrize("rule", EVERY.rules, ids=lambda rule: type(rule).__name__)
def test_a_rule_of_any_kind_in_a_unit_that_is_not_its_own_is_refused(rule: Any) -> None:
    raw = tomllib.loads(PATH.read_text())
    next(each for each in raw["rule"] if each["id"] == rule.id)["unit"] = "furlong"
    with pytest.raises(SpecError) as caught:
        build_envelope(EnvelopeModel.model_validate(raw))
    assert str(caught.value) == f"rule `{rule.id}`: unit `furlong` where `{rule.unit}` is wanted"


DECLARE = "declare it or mend the name"
UNITS = "units `C` and `micros` are added or compared"
FAILSAFE_F = '{id = "F", when = "v > 30", vector = {a = 20, b = 20, n = 1}}'


@pytest.mark.parametrize(
    ("was", "becomes", "says"),
    [
        ("values = [0, 1, 2]", "values = [0, 1, 3]", "setpoint `n`: value 3 is outside [0, 2]"),
        ("values = [0, 1, 2]", "values = [-1, 0, 1]", "setpoint `n`: value -1 is outside [0, 2]"),
        ("values = [0, 1, 2]", "values = [0, 1, 1]", "setpoint `n`: value 1 is given twice: keep one"),
        ("v > 1.5", "v > s", f"rule `I`: {UNITS}"),
        ('low = "0.5 * v + 2"', 'low = "s + 2"', f"rule `I`: {UNITS}"),
        ('low = "0.5 * v + 2"', 'high = "2 - s"', f"rule `I`: {UNITS}"),
        ('when = "v > 1.5 && n >= 1"', 'when = "v > 1.5 && v > s"', f"rule `I`: {UNITS}"),
        ('when = "v > 1.5 && n >= 1"', 'when = "v > 1.5 || v > s"', f"rule `I`: {UNITS}"),
        ('when = "v > 1.5 && n >= 1"', 'when = "!(v > s)"', f"rule `I`: {UNITS}"),
        ('require = "v < 30"', 'require = "v < s"', f"rule `Q`: {UNITS}"),
        ('spent = "s"', 'spent = "v"', f"rule `M`: {UNITS}"),
        ('limit = "60 - v"', 'limit = "s - v"', f"rule `R`: {UNITS}"),
        ('when = "v > 30"', 'when = "v > s"', f"rule `F`: {UNITS}"),
        ('agrees = "x <= y"', 'agrees = "x <= s"', f"rule `P`: {UNITS}"),
        ('sensors = ["x", "y", "z"]', 'sensors = ["x", "y", "s"]', "vote `V`: sensors and result share one unit"),
        (
            'sensors = ["x", "y", "z"]',
            'sensors = ["x", "y", "v"]',
            "vote `V`: three sensors, each a signal of its own, and another name for the result",
        ),
        (
            'sensors = ["x", "y", "z"]',
            'sensors = ["x", "y", "y"]',
            "vote `V`: three sensors, each a signal of its own, and another name for the result",
        ),
        (
            '"b", unit = "C", low = 0, high = 40',
            '"b", unit = "C", low = 41, high = 40',
            "setpoint `b`: `low` 41 is above `high` 40: swap them",
        ),
        (
            '"x", unit = "C", low = -10, high = 50',
            '"x", unit = "C", low = 51, high = 50',
            "signal `x`: `low` 51 is above `high` 50: swap them",
        ),
        ('safe_side = "high", unit = "C"', 'safe_side = "high", unit = "kW"', "vote `V`: unit `kW` where `C` is wanted"),
        ('agrees = "x <= y", unit = "C"', 'agrees = "x <= y", unit = "K"', "plausibility `P`: unit `K` where `C` is wanted"),
        ('low = "0.5 * v + 2"', 'high = "q - 2"', f"rule `I`: `q` is no declared signal or discrete setpoint: {DECLARE}"),
        ('low = "0.5 * v + 2"', 'high = "v -"', "rule `I`: `v -`: ends too early"),
        (
            'vote = [{id = "V"',
            'vote = [{id = "V2", signal = "v", sensors = ["x", "y", "z"], deviation = 1, safe_side = "high", unit = "C", '
            'hazard = "h", basis = "b"}, {id = "V"',
            "voted signal `v` is given twice: keep one",
        ),
        ('name = "b", unit = "C"', 'name = "a", unit = "C"', "setpoint `a` is given twice: keep one"),
        ('{name = "y", unit', '{name = "x", unit', "signal `x` is given twice: keep one"),
        ('{id = "G", relinquish', '{id = "F", relinquish', "failsafe `F` is given twice: keep one"),
        (
            '{name = "y", unit',
            '{name = "a", unit',
            "`a` is both a signal and a setpoint: a name has one meaning, rename one",
        ),
        ('id = "V", signal', 'id = "P", signal', "input or rule `P` is given twice: keep one"),
        ('id = "V", signal', 'id = "A", signal', "input or rule `A` is given twice: keep one"),
        (
            'kind = "slew", tier = "T4", setpoint = "a"',
            'kind = "slew", tier = "T4", setpoint = "n"',
            "rule `S`: `n` is discrete and cannot slew: give it a `dwell`",
        ),
        (
            'kind = "rate_window", tier = "T4", setpoint = "b"',
            'kind = "rate_window", tier = "T4", setpoint = "n"',
            "rule `W`: `n` is discrete and cannot slew: give it a `dwell`",
        ),
        (
            'kind = "dwell", tier = "T3", setpoint = "n"',
            'kind = "dwell", tier = "T3", setpoint = "a"',
            "rule `D`: `a` is continuous and has no dwell: give it a `slew`",
        ),
        (
            'kind = "permissive", tier = "T3", setpoint = "n"',
            'kind = "permissive", tier = "T3", setpoint = "a"',
            "rule `Q`: `a` is continuous and has no dwell: give it a `slew`",
        ),
        (
            'name = "b", unit = "C", low = 0, high = 40',
            'name = "b", unit = "C", low = 0, high = 40, group = "other"',
            "rule `R` spans veto groups: a relation stays within one group",
        ),
        ("b = 20, n = 1}}", "b = 20}}", "failsafe `F`: setpoints missing or not known: n"),
        ("b = 20, n = 1}}", "b = 20, n = 1, m = 1, k = 2}}", "failsafe `F`: setpoints missing or not known: k, m"),
        ("b = 20, n = 1}}", "b = 20, n = 1.5}}", "failsafe `F`: `n` 1.5 is outside its range"),
        ("b = 20, n = 1}}", "b = 5.2, n = 1}}", "failsafe `F`: `b` breaks rule `B`: a last resort keeps T1"),
        ("b = 20, n = 1}}", "b = 36, n = 1}}", "failsafe `F`: `b` breaks rule `B`: a last resort keeps T1"),
        (
            FAILSAFE_F,
            FAILSAFE_F.replace('when = "v > 30", ', ""),
            "failsafe `G` can never be taken: `F` before it has no `when`",
        ),
        (
            '{id = "G", relinquish',
            '{id = "E1", relinquish = true}, {id = "G", relinquish',
            "failsafe `G` can never be taken: `E1` before it has no `when`",
        ),
        ('when = "v > 30"', 'when = "q > 30"', f"rule `F`: `q` is no declared signal or discrete setpoint: {DECLARE}"),
        ('agrees = "x <= y"', 'agrees = "x <= q"', f"rule `P`: `q` is no declared signal: {DECLARE}"),
        ('id = "V", signal = "v"', 'id = "V", signal = "q"', f"rule `V`: `q` is no declared signal: {DECLARE}"),
    ],
)  # fmt: skip
def test_the_loader_refuses_in_these_words(was: str, becomes: str, says: str) -> None:
    assert refusal(was, becomes) == says


SIGNAL, SETPOINT = "signal or discrete setpoint", "setpoint"


@pytest.mark.parametrize(
    ("rule", "was", "becomes", "what"),
    [
        ("E", 'signals = ["x", "v"]', 'signals = ["x", "q"]', SIGNAL),
        ("H", 'signal = "y"', 'signal = "q"', SIGNAL),
        ("K", 'signal = "v", rise', 'signal = "q", rise', SIGNAL),
        ("K", '0.01 * x', '0.01 * q', SIGNAL),
        ("L", 'kind = "novelty", tier = "T5", signal = "v"', 'kind = "novelty", tier = "T5", signal = "q"', SIGNAL),
        ("U", 'kind = "trip", tier = "T1", signal = "v"', 'kind = "trip", tier = "T1", signal = "q"', SIGNAL),
        ("Y", 'kind = "readback", tier = "T2", setpoint = "a"', 'kind = "readback", tier = "T2", setpoint = "q"', SETPOINT),
        ("M", 'reserved = "s"', 'reserved = "q"', SIGNAL),
        ("Q", 'require = "v < 30"', 'require = "q < 30"', SIGNAL),
        ("R", 'limit = "60 - v"', 'limit = "60 - q"', SIGNAL),
        ("R", 'terms = {a = 1', 'terms = {q = 1', SETPOINT),
        ("T", 'kind = "trust_region", tier = "T5", setpoint = "a"', 'kind = "trust_region", tier = "T5", setpoint = "q"', SETPOINT),
    ],
)  # fmt: skip
def test_a_name_that_nobody_declared_is_refused_wherever_it_stands(
    rule: str, was: str, becomes: str, what: str
) -> None:
    assert refusal(was, becomes) == f"rule `{rule}`: `q` is no declared {what}: {DECLARE}"


KINDS = ", ".join(f"'{get_args(model.model_fields['kind'].annotation)[0]}'" for model in get_args(get_args(AnyRule)[0]))
BUND = f"rule `A`: input tag 'bund' found using 'kind' does not match any of the expected tags: {KINDS}"
WHOLE = "whole microseconds are wanted: give at most six decimals"


@pytest.mark.parametrize(
    ("was", "becomes", "says"),
    [
        ("max_age_s = 90", "max_age_s = 0.0000004", f"rule `E`: `max_age_s`: {WHOLE}, given `4e-07`"),
        ("period_s = 300", "period_s = 300.0000001", f"`period_s`: {WHOLE}, given `300.0000001`"),
        ("hold_max_s = 600", "hold_max_s = 0.12345678", f"`hold_max_s`: {WHOLE}, given `0.12345678`"),
        ("stuck_s = 60", "stuck_s = 1e-7", f"plausibility `P`: `stuck_s`: {WHOLE}, given `1e-07`"),
        ("max_silence_s = 90", "max_silence_s = 9e-7", f"rule `H`: `max_silence_s`: {WHOLE}, given `9e-07`"),
        ("max_silence_s = 90", "max_silence_s = 0", "rule `H`: `max_silence_s`: input should be greater than 0, given `0`"),
        ("delay_s = 60", "delay_s = -1", "rule `Y`: `delay_s`: input should be greater than or equal to 0, given `-1`"),
        ('id = "A", kind = "bound"', 'id = "A", kind = "bund"', BUND),
        ('id = "A", kind = "bound", ', 'id = "A", ', "rule `A`: `kind` is missing"),
        ('id = "A", kind = "bound", ', 'kind = "bound", ', "rule number 1: `id`: field required"),
        ("low = 5, high = 35", "low = 5, hihg = 35", "rule `A`: `high`: field required (and 1 more)"),
        ("low = 5, high = 35", "low = 5, high = 35, hihg = 1", "rule `A`: `hihg`: extra inputs are not permitted, given `1`"),
        ('["x", "y", "z"]', '["x", "y", 3]', "vote `V`: `sensors.2`: input should be a valid string, given `3`"),
        ('{name = "y", unit = "C"', '{name = "y", unit = 3', "signal `y`: `unit`: input should be a valid string, given `3`"),
        ('{name = "y", unit = "C"', '{name = 3, unit = "C"', "signal number 2: `name`: input should be a valid string, given `3`"),
        ('basis = "b"}]', 'basis = " "}]', "vote `V`: `basis`: a text is wanted, not blanks, given ` `"),
        ('plant = "p"', 'plant = ""', "`plant`: string should have at least 1 character, given ``"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_by_the_rule_it_is_in(was: str, becomes: str, says: str) -> None:
    assert refusal(was, becomes) == f"`envelope.toml`: {says}"


def test_an_entry_that_is_no_table_is_named_by_its_place() -> None:
    assert refusal("rule = [", "rule = [3, ").startswith("`envelope.toml`: rule number 1: ")


def test_times_to_the_microsecond_are_kept() -> None:
    assert every_with("period_s = 300", "period_s = 300.000001").period_us == 300_000_001
    assert every_with("hold_max_s = 600", "hold_max_s = 0").hold_max_us == 0
    assert every_with("hold_max_s = 600", "hold_max_s = 1234567.891234").hold_max_us == 1_234_567_891_234


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ('"x", unit = "C", low = -10, high = 50', '"x", unit = "C", low = 50, high = 50'),
        ("low = 0, high = 2, values = [0, 1, 2]", "low = 1, high = 1, values = [1]"),
        ("valid_for_s = 600", "valid_for_s = 300"),
        ("guard_period_s = 30", "guard_period_s = 300"),
    ],
)
def test_what_just_fits_is_loaded(was: str, becomes: str) -> None:
    assert every_with(was, becomes).plant == "p"
