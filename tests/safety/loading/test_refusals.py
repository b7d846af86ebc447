"""The envelopes the loader refuses: each case pins the message id, the key path and the values that the message names."""

import tomllib
from pathlib import Path
from typing import Any, get_args

import pytest

from safety.loading.messages import MESSAGES, SpecError
from safety.loading.spec import (
    EnvelopeModel,
    build_envelope,
    canonical_of,
    load_envelope,
    parse_envelope,
    parse_model,
)
from safety.loading.spec_rules import AnyRule
from safety.loading.when import WhenError, parse_linear, parse_when
from tests.paths import ROOT
from tests.safety.support.every_kind import EVERY, PATH, every_with
from tests.safety.support.golden import CASES, model_of

SMALL = CASES / "envelopes" / "small.toml"
TEXT = SMALL.read_text(encoding="utf-8")
KINDS = [get_args(model.model_fields["kind"].annotation)[0] for model in get_args(get_args(AnyRule)[0])]
COMPARATORS = ("<=", "<", ">=", ">", "==", "!=")
UNITS = {"units": ("C", "micros")}
UNKNOWN = {"what": "signal or discrete setpoint", "given": "q", "similar": ()}
VECTOR = {"supply_c": 20, "fan_frac": 1, "chillers_on": 1, "flow_a_kg_s": 5, "flow_b_kg_s": 5}


def added(*, unit: str = "C", **rule: Any) -> dict[str, Any]:
    return {"add": [{"id": "NEW", "unit": unit, "hazard": "h", "basis": "b", **rule}]}


def failsafe(entry: dict[str, Any]) -> dict[str, Any]:
    return {"set": {"failsafe": [{"id": "F", **entry}]}}


def assert_refused(error: SpecError, message_id: str, path: str, values: dict[str, Any]) -> None:
    """The error has this id, path and values, and its sentence is one line that names all of them."""
    assert (error.id, error.path, error.values) == (message_id, path, values)
    text = str(error)
    assert text.isprintable()
    assert all(part in text for part in path.split("."))
    for value in values.values():
        parts = value if isinstance(value, tuple) else (value,)
        assert all(str(part) in text or f"{part:g}" in text for part in parts), value


# The file with every kind of rule: (text replaced, by, id, path, values).
EVERY_KIND = [
    ("values = [0, 1, 2]", "values = [0, 1, 3]", "discrete-value-out-of-range", "setpoint.n", {"given": 3, "low": 0, "high": 2}),
    ("values = [0, 1, 2]", "values = [-1, 0, 1]", "discrete-value-out-of-range", "setpoint.n", {"given": -1, "low": 0, "high": 2}),
    ("values = [0, 1, 2]", "values = [0, 1, 1]", "discrete-value-twice", "setpoint.n", {"given": 1}),
    ("v > 1.5", "v > s", "mixed-units", "rule.I", UNITS),
    ('low = "0.5 * v + 2"', 'low = "s + 2"', "mixed-units", "rule.I", UNITS),
    ('low = "0.5 * v + 2"', 'high = "2 - s"', "mixed-units", "rule.I", UNITS),
    ('when = "v > 1.5 && n >= 1"', 'when = "v > 1.5 && v > s"', "mixed-units", "rule.I", UNITS),
    ('when = "v > 1.5 && n >= 1"', 'when = "v > 1.5 || v > s"', "mixed-units", "rule.I", UNITS),
    ('when = "v > 1.5 && n >= 1"', 'when = "!(v > s)"', "mixed-units", "rule.I", UNITS),
    ('require = "v < 30"', 'require = "v < s"', "mixed-units", "rule.Q", UNITS),
    ('spent = "s"', 'spent = "v"', "mixed-units", "rule.M", UNITS),
    ('limit = "60 - v"', 'limit = "s - v"', "mixed-units", "rule.R", UNITS),
    ('when = "v > 30"', 'when = "v > s"', "mixed-units", "failsafe.F", UNITS),
    ('agrees = "x <= y"', 'agrees = "x <= s"', "mixed-units", "plausibility.P", UNITS),
    ('sensors = ["x", "y", "z"]', 'sensors = ["x", "y", "s"]', "vote-with-two-units", "vote.V.sensors", UNITS),
    ('sensors = ["x", "y", "z"]', 'sensors = ["x", "y", "v"]', "vote-without-three-sensors", "vote.V.sensors", {}),
    ('sensors = ["x", "y", "z"]', 'sensors = ["x", "y", "y"]', "vote-without-three-sensors", "vote.V.sensors", {}),
    (
        '"b", unit = "C", low = 0, high = 40', '"b", unit = "C", low = 41, high = 40',
        "reversed-range", "setpoint.b", {"low": 41, "high": 40},
    ),
    (
        '"x", unit = "C", low = -10, high = 50', '"x", unit = "C", low = 51, high = 50',
        "reversed-range", "signal.x", {"low": 51, "high": 50},
    ),
    (
        'safe_side = "high", unit = "C"', 'safe_side = "high", unit = "kW"',
        "wrong-unit", "vote.V.unit", {"given": "kW", "expected": "C"},
    ),
    (
        'agrees = "x <= y", unit = "C"', 'agrees = "x <= y", unit = "K"',
        "wrong-unit", "plausibility.P.unit", {"given": "K", "expected": "C"},
    ),
    ('low = "0.5 * v + 2"', 'high = "q - 2"', "unknown-name", "rule.I", UNKNOWN),
    ('low = "0.5 * v + 2"', 'high = "v -"', "condition-ends-too-early", "rule.I.high", {"text": "v -"}),
    (
        'vote = [{id = "V"',
        'vote = [{id = "V2", signal = "v", sensors = ["x", "y", "z"], '
        'deviation = 1, safe_side = "high", unit = "C", hazard = "h", basis = "b"}, {id = "V"',
        "signal-voted-twice", "signal.v", {},
    ),
    ('name = "b", unit = "C"', 'name = "a", unit = "C"', "duplicate", "setpoint.a", {}),
    ('{name = "y", unit', '{name = "x", unit', "duplicate", "signal.x", {}),
    ('{id = "G", relinquish', '{id = "F", relinquish', "duplicate", "failsafe.F", {}),
    ('{name = "y", unit', '{name = "a", unit', "name-with-two-meanings", "signal.a", {}),
    ('id = "V", signal', 'id = "P", signal', "duplicate", "input.P", {}),
    ('id = "V", signal', 'id = "A", signal', "duplicate", "input.A", {}),
    (
        'kind = "slew", tier = "T4", setpoint = "a"', 'kind = "slew", tier = "T4", setpoint = "n"',
        "discrete-setpoint-slews", "rule.S", {"name": "n"},
    ),
    (
        'kind = "rate_window", tier = "T4", setpoint = "b"', 'kind = "rate_window", tier = "T4", setpoint = "n"',
        "discrete-setpoint-slews", "rule.W", {"name": "n"},
    ),
    (
        'kind = "dwell", tier = "T3", setpoint = "n"', 'kind = "dwell", tier = "T3", setpoint = "a"',
        "continuous-setpoint-dwells", "rule.D", {"name": "a"},
    ),
    (
        'kind = "permissive", tier = "T3", setpoint = "n"', 'kind = "permissive", tier = "T3", setpoint = "a"',
        "continuous-setpoint-dwells", "rule.Q", {"name": "a"},
    ),
    (
        'name = "b", unit = "C", low = 0, high = 40', 'name = "b", unit = "C", low = 0, high = 40, group = "other"',
        "relation-spans-groups", "rule.R", {"groups": ("other", "plant")},
    ),
    ("b = 20, n = 1}}", "b = 20}}", "failsafe-wrong-setpoints", "failsafe.F.vector", {"names": ("n",)}),
    ("b = 20, n = 1}}", "b = 20, n = 1, m = 1, k = 2}}", "failsafe-wrong-setpoints", "failsafe.F.vector", {"names": ("k", "m")}),
    (
        "b = 20, n = 1}}", "b = 20, n = 1.5}}",
        "failsafe-not-a-discrete-value", "failsafe.F.vector", {"name": "n", "given": 1.5, "valid": ("0", "1", "2")},
    ),
    (
        "b = 20, n = 1}}", "b = 5.2, n = 1}}",
        "failsafe-breaks-rule", "failsafe.F.vector", {"name": "b", "given": 5.2, "rule": "B", "low": 5.5, "high": 35},
    ),
    (
        "b = 20, n = 1}}", "b = 36, n = 1}}",
        "failsafe-breaks-rule", "failsafe.F.vector", {"name": "b", "given": 36, "rule": "B", "low": 5.5, "high": 35},
    ),
    (
        '{id = "F", when = "v > 30", vector = {a = 20, b = 20, n = 1}}', '{id = "F", vector = {a = 20, b = 20, n = 1}}',
        "failsafe-unreachable", "failsafe.G", {"before": "F"},
    ),
    (
        '{id = "G", relinquish', '{id = "E1", relinquish = true}, {id = "G", relinquish',
        "failsafe-unreachable", "failsafe.G", {"before": "E1"},
    ),
    ('when = "v > 30"', 'when = "q > 30"', "unknown-name", "failsafe.F", UNKNOWN),
    ('agrees = "x <= y"', 'agrees = "x <= q"', "unknown-name", "plausibility.P", UNKNOWN | {"what": "signal"}),
    ('id = "V", signal = "v"', 'id = "V", signal = "q"', "unknown-name", "vote.V", UNKNOWN | {"what": "signal"}),
    ('signals = ["x", "v"]', 'signals = ["x", "q"]', "unknown-name", "rule.E", UNKNOWN),
    ('signal = "y"', 'signal = "q"', "unknown-name", "rule.H", UNKNOWN),
    ('signal = "v", rise', 'signal = "q", rise', "unknown-name", "rule.K", UNKNOWN),
    ("0.01 * x", "0.01 * q", "unknown-name", "rule.K", UNKNOWN),
    (
        'kind = "novelty", tier = "T5", signal = "v"', 'kind = "novelty", tier = "T5", signal = "q"',
        "unknown-name", "rule.L", UNKNOWN,
    ),
    ('kind = "trip", tier = "T1", signal = "v"', 'kind = "trip", tier = "T1", signal = "q"', "unknown-name", "rule.U", UNKNOWN),
    (
        'kind = "readback", tier = "T2", setpoint = "a"', 'kind = "readback", tier = "T2", setpoint = "q"',
        "unknown-name", "rule.Y", UNKNOWN | {"what": "setpoint"},
    ),
    ('reserved = "s"', 'reserved = "q"', "unknown-name", "rule.M", UNKNOWN),
    ('require = "v < 30"', 'require = "q < 30"', "unknown-name", "rule.Q", UNKNOWN),
    ('limit = "60 - v"', 'limit = "60 - q"', "unknown-name", "rule.R", UNKNOWN),
    ("terms = {a = 1", "terms = {q = 1", "unknown-name", "rule.R", UNKNOWN | {"what": "setpoint"}),
    (
        'kind = "trust_region", tier = "T5", setpoint = "a"', 'kind = "trust_region", tier = "T5", setpoint = "q"',
        "unknown-name", "rule.T", UNKNOWN | {"what": "setpoint"},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("was", "becomes", "message_id", "path", "values"), EVERY_KIND)
def test_entries_that_do_not_fit_are_refused(
    was: str, becomes: str, message_id: str, path: str, values: dict[str, Any]
) -> None:
    with pytest.raises(SpecError) as caught:
        every_with(was, becomes)
    assert_refused(caught.value, message_id, path, values)


# The same file, with a fault in one key.
KEYS = [
    ("max_age_s = 90", "max_age_s = 0.0000004", "time-not-whole-microseconds", "rule.E.max_age_s", {"given": 4e-07}),
    ("period_s = 300", "period_s = 300.0000001", "time-not-whole-microseconds", "period_s", {"given": 300.0000001}),
    ("hold_max_s = 600", "hold_max_s = 0.12345678", "time-not-whole-microseconds", "hold_max_s", {"given": 0.12345678}),
    ("stuck_s = 60", "stuck_s = 1e-7", "time-not-whole-microseconds", "plausibility.P.stuck_s", {"given": 1e-07}),
    ("max_silence_s = 90", "max_silence_s = 9e-7", "time-not-whole-microseconds", "rule.H.max_silence_s", {"given": 9e-07}),
    (
        "max_silence_s = 90", "max_silence_s = 0",
        "number-out-of-range", "rule.H.max_silence_s", {"given": "0", "expected": "above 0"},
    ),
    ("delay_s = 60", "delay_s = -1", "number-out-of-range", "rule.Y.delay_s", {"given": "-1", "expected": "at least 0"}),
    (
        'id = "A", kind = "bound"', 'id = "A", kind = "bund"',
        "unknown-kind", "rule.A", {"given": "bund", "valid": ", ".join(f"`{kind}`" for kind in KINDS)},
    ),
    ('id = "A", kind = "bound", ', 'id = "A", ', "missing-key", "rule.A.kind", {}),
    ('id = "A", kind = "bound", ', 'kind = "bound", ', "missing-key", "rule.#1.id", {}),
    ("low = 5, high = 35", "low = 5, hihg = 35", "missing-key", "rule.A.high", {}),
    ("low = 5, high = 35", "low = 5, high = 35, hihg = 1", "unknown-key", "rule.A.hihg", {}),
    ('["x", "y", "z"]', '["x", "y", 3]', "wrong-type", "vote.V.sensors.2", {"given": "3", "expected": "a text"}),
    ('{name = "y", unit = "C"', '{name = "y", unit = 3', "wrong-type", "signal.y.unit", {"given": "3", "expected": "a text"}),
    ('{name = "y", unit = "C"', '{name = 3, unit = "C"', "wrong-type", "signal.#2.name", {"given": "3", "expected": "a text"}),
    ('basis = "b"}]', 'basis = " "}]', "blank-text", "vote.V.basis", {}),
    ('plant = "p"', 'plant = ""', "blank-text", "plant", {}),
    ("rule = [", "rule = [3, ", "wrong-type", "rule.#1", {"given": "3", "expected": "a table"}),
    ("period_s = 300", "period_s = []", "wrong-type", "period_s", {"given": "a list", "expected": "a number"}),
    ("low = 5, high", "low = true, high", "wrong-type", "rule.A.low", {"given": "true", "expected": "a number"}),
    ("max_starts = 2", "max_starts = 2.5", "wrong-type", "rule.D.max_starts", {"given": "2.5", "expected": "a whole number"}),
    ("max_starts = 2", "max_starts = 200", "number-out-of-range", "rule.D.max_starts", {"given": "200", "expected": "at most 100"}),
    ("low = 5, high", "low = 2e12, high", "number-too-large", "rule.A.low", {"given": "2.00000e+12", "most": 1e12}),
    ("low = 5, high", f"low = 0x{'f' * 5000}, high", "number-too-large", "rule.A.low", {"given": "3.98028e+6020", "most": 1e12}),
    ('"x", "y", "z"', '"x", "y"', "wrong-count", "vote.V.sensors", {"given": 2, "expected": "at least 3"}),
    ('"x", "y", "z"', '"x", "y", "z", "v"', "wrong-count", "vote.V.sensors", {"given": 4, "expected": "at most 3"}),
    ("terms = {a = 1", "terms = {A = 1", "malformed-name", "rule.R.terms.A", {"given": "A", "pattern": "^[a-z][a-z0-9_]{0,63}$"}),
    ('tier = "T1"', 'tier = "T9"', "unknown-choice", "rule.A.tier", {"given": "T9", "valid": "`T1`, `T2`, `T3`, `T4` or `T5`"}),
    ("relinquish = true", "relinquish = false", "unknown-choice", "failsafe.G.relinquish", {"given": "false", "valid": "true"}),
    ('"G", relinquish = true', '"G"', "failsafe-without-one-action", "failsafe.G", {}),
    ('plant = "p"', f'plant = "{"p" * 1001}"', "text-too-long", "plant", {"most": 1000}),
    ("if_unknown = [10, 30]", "if_unknown = [1]", "missing-key", "rule.I.if_unknown.1", {}),
]  # fmt: skip


@pytest.mark.parametrize(("was", "becomes", "message_id", "path", "values"), KEYS)
def test_a_fault_in_a_key_is_refused_by_its_path(
    was: str, becomes: str, message_id: str, path: str, values: dict[str, Any]
) -> None:
    with pytest.raises(SpecError) as caught:
        every_with(was, becomes)
    assert_refused(caught.value, message_id, path, values)
    assert str(caught.value).startswith("`envelope.toml`: ")


# The small envelope: (changes, id, path, values).
CHANGES = [
    ({"set": {"valid_for_s": 299}}, "validity-below-period", "valid_for_s", {}),
    ({"set": {"guard_period_s": 301}}, "guard-period-above-period", "guard_period_s", {}),
    ({"change": {"DEW": {"low": "fan_frac * 2"}}}, "limit-on-continuous-setpoint", "rule.DEW", {"name": "fan_frac"}),
    (
        {"change": {"DEW": {"low": "cold_c"}}},
        "unknown-name", "rule.DEW", {"what": "signal or discrete setpoint", "given": "cold_c", "similar": ()},
    ),
    (
        {"change": {"DEW": {"setpoint": "nowhere"}}},
        "unknown-name", "rule.DEW", {"what": "setpoint", "given": "nowhere", "similar": ()},
    ),
    ({"change": {"DEW": {"unit": "K"}}}, "wrong-unit", "rule.DEW.unit", {"given": "K", "expected": "C"}),
    ({"change": {"SUPPLY-SLEW": {"unit": "F"}}}, "wrong-unit", "rule.SUPPLY-SLEW.unit", {"given": "F", "expected": "K"}),
    ({"change": {"FAN-BOUND": {"id": "SUPPLY-BOUND"}}}, "duplicate", "rule.SUPPLY-BOUND", {}),
    (
        {"change": {"FAN-BOUND": {"tier": "T4"}}},
        "tier-not-for-kind", "rule.FAN-BOUND.tier", {"given": "T4", "valid": ("T1", "T2", "T5")},
    ),
    ({"change": {"FAN-BOUND": {"id": "T0-x"}}}, "reserved-id", "rule.T0-x.id", {}),
    ({"change": {"TRUST": {"applies_to": "any"}}}, "policy-tier-binds-any", "rule.TRUST.applies_to", {}),
    ({"change": {"DEW": {"applies_to": "policy"}}}, "policy-rule-without-policy-tier", "rule.DEW.tier", {"given": "T2"}),
    ({"change": {"FAN-BOUND": {"low": 2}}}, "reversed-range", "rule.FAN-BOUND", {"low": 2, "high": 1}),
    ({"change": {"DEW": {"if_unknown": [30, 16]}}}, "reversed-range", "rule.DEW", {"low": 30, "high": 16}),
    (added(kind="interlock", tier="T2", setpoint="supply_c", low=3, high=2), "reversed-range", "rule.NEW", {"low": 3, "high": 2}),
    (added(kind="trip", tier="T1", signal="inlet_c", low=3, high=2), "reversed-range", "rule.NEW", {"low": 3, "high": 2}),
    (added(kind="interlock", tier="T2", setpoint="supply_c"), "interlock-without-limit", "rule.NEW", {}),
    (
        {"change": {"PUMP-SHARE": {"terms": {"flow_a_kg_s": 1, "flow_b_kg_s": 0}}}},
        "zero-coefficient", "rule.PUMP-SHARE.terms", {"name": "flow_b_kg_s"},
    ),
    ({"change": {"FAN-SLEW": {"safe_direction": "down"}}}, "slew-without-rate", "rule.FAN-SLEW.up", {"missing": "up"}),
    ({"change": {"CHILLERS-DWELL": {"max_starts": 1, "window_s": 0}}}, "starts-without-window", "rule.CHILLERS-DWELL", {}),
    ({"change": {"DEW": {"low": "a b"}}}, "condition-left-over", "rule.DEW.low", {"text": "a b", "given": "b"}),
    ({"change": {"DEW": {"when": "a"}}}, "condition-without-comparison", "rule.DEW.when", {"text": "a", "valid": COMPARATORS}),
    (
        added(kind="permissive", tier="T3", setpoint="chillers_on", require="a", unit="count"),
        "condition-without-comparison", "rule.NEW.require", {"text": "a", "valid": COMPARATORS},
    ),
    (
        added(kind="recoverability", tier="T5", signal="inlet_c", rise_per_s="a b", horizon_s=1, high=2, margin=1),
        "condition-left-over", "rule.NEW.rise_per_s", {"text": "a b", "given": "b"},
    ),
    ({"change": {"PUMP-SHARE": {"limit": "a b"}}}, "condition-left-over", "rule.PUMP-SHARE.limit", {"text": "a b", "given": "b"}),
    (
        failsafe({"vector": {"supply_c": 20, "odd": 1}}),
        "failsafe-wrong-setpoints", "failsafe.F.vector",
        {"names": ("chillers_on", "fan_frac", "flow_a_kg_s", "flow_b_kg_s", "odd")},
    ),
    (
        failsafe({"vector": VECTOR | {"supply_c": 99}}),
        "failsafe-out-of-range", "failsafe.F.vector", {"name": "supply_c", "given": 99, "low": 5, "high": 35, "unit": "C"},
    ),
    (
        failsafe({"vector": VECTOR | {"chillers_on": 1.5}}),
        "failsafe-not-a-discrete-value", "failsafe.F.vector", {"name": "chillers_on", "given": 1.5, "valid": ("1", "2")},
    ),
    (
        failsafe({"vector": VECTOR | {"fan_frac": 0.1}}),
        "failsafe-breaks-rule", "failsafe.F.vector", {"name": "fan_frac", "given": 0.1, "rule": "FAN-BOUND", "low": 0.2, "high": 1},
    ),
    (
        failsafe({"when": "a", "relinquish": True}),
        "condition-without-comparison", "failsafe.F.when", {"text": "a", "valid": COMPARATORS},
    ),
    (
        failsafe({"when": "a > 1", "relinquish": True}),
        "unknown-name", "failsafe.F", {"what": "signal or discrete setpoint", "given": "a", "similar": ()},
    ),
    (failsafe({"when": "inlet_c > chillers_on", "relinquish": True}), "mixed-units", "failsafe.F", {"units": ("C", "count")}),
    (
        {"set": {"failsafe": [{"id": "A", "relinquish": True}, {"id": "B", "relinquish": True}]}},
        "failsafe-unreachable", "failsafe.B", {"before": "A"},
    ),
    (
        {"set": {"failsafe": [{"id": "A", "when": "inlet_c > 1", "relinquish": True}, {"id": "A", "relinquish": True}]}},
        "duplicate", "failsafe.A", {},
    ),
    ({"remove": ["FAN-BOUND"]}, "setpoint-without-bound", "setpoint.fan_frac", {}),
    (
        {"change": {"DEW": {"low": "dew_point"}}}, "unknown-name", "rule.DEW",
        {"what": "signal or discrete setpoint", "given": "dew_point", "similar": ("dew_point_c",)},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "message_id", "path", "values"), CHANGES)
def test_a_changed_small_envelope_is_refused(
    changes: dict[str, Any], message_id: str, path: str, values: dict[str, Any]
) -> None:
    with pytest.raises(SpecError) as caught:
        build_envelope(model_of(changes))
    assert_refused(caught.value, message_id, path, values)


CONDITIONS = [
    ("(a > 1", "condition-unclosed", "", {"text": "(a > 1", "expected": ")"}),
    ("2 * 3 > a", "condition-number-times-number", "", {"text": "2 * 3 > a", "given": "3"}),
    ("a * b > 1", "condition-not-linear", "", {"text": "a * b > 1", "given": "b"}),
    ("a > 1)", "condition-left-over", "", {"text": "a > 1)", "given": ")"}),
    ("a", "condition-without-comparison", "", {"text": "a", "valid": COMPARATORS}),
    ("a > <", "condition-without-operand", "", {"text": "a > <", "given": "<"}),
    ("a >", "condition-ends-too-early", "", {"text": "a >"}),
    (
        "a > 1 ~ and what comes after it",
        "condition-unknown-text", "", {"text": "a > 1 ~ and what comes after it", "given": "~ and what comes aft"},
    ),
    ("a > 1e999", "number-not-finite", "", {"given": "1e999"}),
    ("a > 0.30000000000000000001", "number-not-exact", "", {"given": "0.30000000000000000001", "nearest": 0.3}),
    ("x" * 1001, "condition-too-long", "", {"given": 1001, "most": 1000}),
    ("!" * 50 + "a > 1", "condition-too-deep", "", {"most": 40}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message_id", "path", "values"), CONDITIONS)
def test_a_condition_outside_the_language_is_refused(
    text: str, message_id: str, path: str, values: dict[str, Any]
) -> None:
    with pytest.raises(WhenError) as caught:
        parse_when(text)
    assert_refused(caught.value, message_id, path, values)


def test_the_longest_and_the_deepest_condition_are_accepted() -> None:
    assert parse_when("!" * 39 + "a > 1") is not None
    assert parse_when("a > 1" + " " * 995) is not None
    assert parse_when(" && ".join(["(a > 1)"] * 60)) is not None
    assert parse_linear("1").value is not None


# Texts that are not an envelope: (text, id, path, values).
TEXTS = [
    ("a = [", "file-not-toml", "", {"file": "o.toml", "reason": "Invalid value (at end of document)"}),
    ("a = " + "[" * 9000, "file-nested-too-deeply", "", {"file": "o.toml"}),
    ("x" * 1_000_001, "file-too-long", "", {"file": "o.toml", "given": 1_000_001, "most": 1_000_000}),
    (TEXT.replace("low = 0.2", "low = nan", 1), "number-not-finite", "", {"given": "nan"}),
    (TEXT.replace("low = 0.2", "low = 1e999", 1), "number-not-finite", "", {"given": "1e999"}),
    (
        TEXT.replace("low = 0.2", "low = 0.20000000000000000001", 1), "number-not-exact", "",
        {"given": "0.20000000000000000001", "nearest": 0.2},
    ),
    (
        TEXT.replace("period_s = 300", f'period_s = "{"y" * 80}"', 1), "wrong-type", "period_s",
        {"given": "y" * 60, "expected": "a number"},
    ),
    (TEXT.replace("hold_max_s = ", "surprise = 1\nhold_max_s = ", 1), "unknown-key", "surprise", {}),
    (TEXT.replace("low = 5", 'low = "5"', 1), "wrong-type", "setpoint.supply_c.low", {"given": "5", "expected": "a number"}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message_id", "path", "values"), TEXTS, ids=range(len(TEXTS)))
def test_a_text_that_is_not_an_envelope_is_refused(
    text: str, message_id: str, path: str, values: dict[str, Any]
) -> None:
    with pytest.raises(SpecError) as caught:
        parse_envelope(text, origin="o.toml")
    assert_refused(caught.value, message_id, path, values)
    assert str(caught.value).startswith("`o.toml`")


@pytest.mark.parametrize("parse", [parse_envelope, parse_model])
def test_a_text_without_a_file_is_named_envelope_toml(parse: Any) -> None:
    with pytest.raises(SpecError) as caught:
        parse("a = [")
    assert caught.value.values["file"] == "envelope.toml"


def test_the_longest_text_is_read() -> None:
    with pytest.raises(SpecError) as caught:
        parse_envelope("#" + "x" * 999_999)
    assert caught.value.id == "missing-key"


def test_the_first_fault_is_shown_and_the_others_are_counted() -> None:
    two = TEXT.replace("period_s = 300", 'period_s = "x"', 1).replace("low = 5", 'low = "5"', 1)
    for text, path, more in (("plant = 1", "plant", 6), (two, "period_s", 1)):
        with pytest.raises(SpecError) as caught:
            parse_envelope(text)
        assert caught.value.path == path
        assert str(caught.value).endswith(f" (and {more} more)")


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "e.toml"
    with pytest.raises(SpecError) as caught:
        load_envelope(path)
    assert_refused(caught.value, "file-unreadable", "", {"file": str(path), "reason": "No such file or directory"})
    path.write_bytes(b"plant = '\xff'")
    with pytest.raises(SpecError) as caught:
        load_envelope(path)
    assert_refused(caught.value, "file-not-utf8", "", {"file": str(path), "byte": 9})


class Written(type(Path())):  # type: ignore[misc]
    """A path that refuses to be read in an encoding other than UTF-8."""

    def read_text(self, encoding: str | None = None, errors: str | None = None) -> str:
        assert (encoding or "the machine's own").lower() == "utf-8"
        return str(super().read_text(encoding, errors))


def test_a_file_is_read_as_utf_8_on_every_machine(tmp_path: Path) -> None:
    assert load_envelope(Written(SMALL)).digest == load_envelope(SMALL).digest
    assert canonical_of(Written(SMALL)) == canonical_of(SMALL)
    path = tmp_path / "e.toml"
    path.write_bytes("plant = 'é'".encode())
    for load in (load_envelope, canonical_of):
        with pytest.raises(SpecError) as caught:
            load(path)
        assert (caught.value.id, caught.value.path) == ("missing-key", "period_s")
        assert str(caught.value).startswith(f"`{path}`: ")


def test_each_message_id_is_raised_by_a_case() -> None:
    in_the_file = {"file-unreadable", "file-not-utf8"}
    raised = {case[-3] for case in (*EVERY_KIND, *KEYS, *CHANGES, *CONDITIONS, *TEXTS)}
    assert raised | in_the_file == set(MESSAGES)


def test_each_message_id_is_on_the_reference_page() -> None:
    page = (ROOT / "docs" / "reference" / "messages.md").read_text()
    rows = [line.split("`")[1] for line in page.splitlines() if line.startswith("| `")]
    assert rows == list(MESSAGES)


@pytest.mark.parametrize("given", ["3", '"ab"', "[1]", "[1, 2, 3]", "{}"])
def test_a_pair_is_a_list_of_two_numbers(given: str) -> None:
    with pytest.raises(SpecError) as caught:
        every_with("if_unknown = [10, 30]", f"if_unknown = {given}")
    assert caught.value.path.startswith("rule.I.if_unknown")


@pytest.mark.parametrize("rule", EVERY.rules, ids=lambda rule: type(rule).__name__)
def test_a_wrong_unit_is_refused_in_every_kind(rule: Any) -> None:
    raw = tomllib.loads(PATH.read_text())
    next(each for each in raw["rule"] if each["id"] == rule.id)["unit"] = "furlong"
    with pytest.raises(SpecError) as caught:
        build_envelope(EnvelopeModel.model_validate(raw))
    assert_refused(caught.value, "wrong-unit", f"rule.{rule.id}.unit", {"given": "furlong", "expected": rule.unit})


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
