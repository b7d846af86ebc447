"""The loader: what a file means, what it is called, and everything it refuses with one sentence."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety.loading.spec import SpecError, build_envelope, load_envelope, parse_envelope
from safety.rules.command_rules import Interlock, Relation, Slew
from safety.values import Tier
from tests.safety.support.golden import CASES, model_of
from tests.safety.support.seeded import seeded

SMALL = (CASES / "envelopes" / "small.toml").read_text(encoding="utf-8")
WHY = {"unit": "C", "hazard": "h", "basis": "b"}


def refused(changes: dict[str, Any]) -> str:
    with pytest.raises((SpecError, ValueError)) as caught:
        build_envelope(model_of(changes))
    return str(caught.value)


def with_rule(**rule: Any) -> dict[str, Any]:
    return {"add": [{"id": "NEW", **WHY, **rule}]}


def test_the_small_envelope_loads() -> None:
    envelope = load_envelope(CASES / "envelopes" / "small.toml")
    assert [spec.name for spec in envelope.setpoints][:2] == ["supply_c", "fan_frac"]
    assert {rule.tier for rule in envelope.command_rules} == {Tier.T1, Tier.T2, Tier.T3, Tier.T4, Tier.T5}
    assert envelope.period_us == 300_000_000
    slew = next(rule for rule in envelope.command_rules if isinstance(rule, Slew) and rule.setpoint == "fan_frac")
    assert slew.up_per_s == float("inf")


def test_the_order_of_rules_in_the_file_means_nothing() -> None:
    head, *rules = SMALL.split("[[rule]]")
    tail = rules[-1].split("[[failsafe]]", 1)
    rules[-1] = tail[0]
    turned = head + "".join("[[rule]]" + rule + "\n" for rule in reversed(rules)) + "[[failsafe]]" + tail[1]
    assert tomllib.loads(turned) != tomllib.loads(SMALL)
    assert parse_envelope(turned) == parse_envelope(SMALL)


def test_the_layout_of_the_file_means_nothing_and_a_limit_means_everything() -> None:
    assert parse_envelope("# a comment\n" + SMALL.replace(" = ", "=")).digest == parse_envelope(SMALL).digest
    assert parse_envelope(SMALL.replace("distance = 3", "distance = 3.5")).digest != parse_envelope(SMALL).digest


def test_a_default_written_out_does_not_rename_the_envelope() -> None:
    written = SMALL.replace('id = "INLET-TRIP"', 'id = "INLET-TRIP"\non_delay_s = 0')
    assert parse_envelope(written).digest == parse_envelope(SMALL).digest


def test_if_unknown_can_be_written() -> None:
    envelope = build_envelope(model_of({"change": {"DEW": {"if_unknown": [16, 30]}}}))
    assert next(rule for rule in envelope.command_rules if isinstance(rule, Interlock)).if_unknown == (16.0, 30.0)
    envelope = build_envelope(model_of({"change": {"PUMP-SHARE": {"limit": "dew_point_c", "if_unknown": 20}}}))
    assert next(rule for rule in envelope.command_rules if isinstance(rule, Relation)).if_unknown == 20.0


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"remove": ["FAN-BOUND"]}, "setpoint `fan_frac` has no `bound` of tier T1"),
        ({"change": {"FAN-BOUND": {"tier": "T5"}}}, "setpoint `fan_frac` has no `bound` of tier T1"),
        ({"change": {"FAN-BOUND": {"low": 2}}}, "swap them"),
        ({"change": {"FAN-BOUND": {"hazard": ""}}}, "at least 1 character"),
        ({"change": {"FAN-BOUND": {"surprise": 1}}}, "surprise"),
        ({"change": {"FAN-BOUND": {"low": "0.2"}}}, "valid number"),
        ({"change": {"FAN-BOUND": {"low": True}}}, "valid number"),
        ({"change": {"FAN-BOUND": {"low": float("nan")}}}, "a number between"),
        ({"change": {"FAN-BOUND": {"high": float("inf")}}}, "a number between"),
        ({"change": {"FAN-BOUND": {"high": 10**400}}}, "a number between"),
        ({"change": {"FAN-BOUND": {"unit": "percent"}}}, "unit `percent` where `frac` is wanted"),
        ({"change": {"DEW": {"low": "inlet_c * 0.5 + fan_frac"}}}, "non-convex"),
        ({"change": {"DEW": {"when": "fan_frac > 0.5"}}}, "non-convex"),
        ({"change": {"DEW": {"when": "humidity > 1"}}}, "no declared signal or discrete setpoint"),
        ({"change": {"DEW": {"low": "dew_point_c * 2 * 3"}}}, "left over"),
        ({"change": {"DEW": {"when": "inlet_c > "}}}, "ends too early"),
        ({"change": {"ONE-CHILLER-MILD": {"when": "chillers_on <= inlet_c"}}}, "units `C` and `count`"),
        ({"change": {"FAN-SLEW": {"tier": "T5"}}}, "not for this kind"),
        ({"change": {"FAN-SLEW": {"safe_direction": "down"}}}, "may be left out only if"),
        ({"change": {"FAN-SLEW": {"down": 0}}}, "greater than 0"),
        ({"change": {"FAN-SLEW": {"setpoint": "chillers_on"}}}, "is discrete and cannot slew"),
        ({"change": {"CHILLERS-DWELL": {"setpoint": "fan_frac"}}}, "is continuous and has no dwell"),
        ({"change": {"CHILLERS-DWELL": {"window_s": 0}}}, "both, or neither"),
        ({"change": {"PUMP-SHARE": {"terms": {"flow_a_kg_s": 1, "flow_b_kg_s": 0}}}}, "leave the setpoint out"),
        ({"change": {"PUMP-SHARE": {"terms": {"flow_a_kg_s": 1, "fan_frac": 1}}}}, "unit `kg_s` where `frac`"),
        ({"change": {"TRUST": {"applies_to": "any"}}}, "T5 binds the policy only"),
        ({"change": {"DEW": {"applies_to": "policy"}}}, "has tier T5"),
        ({"change": {"FAN-BOUND": {"id": "T0-range"}}}, "the kernel's own"),
        ({"change": {"FAN-BOUND": {"id": "SUPPLY-BOUND"}}}, "is given twice"),
        ({"change": {"INLET-TRIP": {"signal": "fan_frac"}}}, "continuous setpoint"),
        ({"change": {"SUPPLY-READBACK": {"setpoint": "nothing"}}}, "no declared setpoint"),
        (with_rule(kind="bound", tier="T9", setpoint="supply_c", low=1, high=2), "tier"),
        (with_rule(kind="opinion", tier="T1"), "opinion"),
        (with_rule(kind="interlock", tier="T2", setpoint="supply_c"), "needs `low`, `high` or both"),
        ({"set": {"valid_for_s": 100}}, "expire before"),
        ({"set": {"guard_period_s": 301}}, "looks between decisions"),
        ({"set": {"period_s": 0}}, "greater than 0"),
        ({"set": {"failsafe": [{"id": "A", "vector": {"supply_c": 20}}]}}, "setpoints missing"),
        ({"set": {"failsafe": [{"id": "A"}]}}, "either `vector` or `relinquish"),
        (
            {"set": {"failsafe": [{"id": "A", "relinquish": True}, {"id": "B", "relinquish": True}]}},
            "can never be taken",
        ),
    ],
)
def test_the_loader_refuses(changes: dict[str, Any], says: str) -> None:
    assert says in refused(changes)


def test_a_failsafe_outside_a_static_limit_is_refused() -> None:
    with pytest.raises(SpecError, match="breaks rule `FAN-BOUND`"):
        parse_envelope(SMALL.replace("fan_frac = 1, chillers", "fan_frac = 0.1, chillers"))


def test_a_relation_across_veto_groups_is_refused() -> None:
    with pytest.raises(SpecError, match="spans veto groups"):
        parse_envelope(SMALL.replace('name = "flow_b_kg_s"', 'name = "flow_b_kg_s"\ngroup = "other"'))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("plant = ", "not understood"),
        ("plant = 'x'", "field required"),
        (
            SMALL.replace("low = 0.2", "low = 0.20000000000000000011102230246251565404"),
            "more digits than a number keeps",
        ),
        (SMALL.replace("low = 0.2", "low = 1e999"), "no finite number"),
        ("a = " + "[" * 5000, "nested too deeply"),
        ("x" * 1_000_001, "at most 1000000"),
    ],
)
def test_a_text_that_is_no_envelope_is_refused(text: str, says: str) -> None:
    with pytest.raises(SpecError, match=re.escape(says)):
        parse_envelope(text)


def test_a_file_that_cannot_be_read_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="give the path of an envelope"):
        load_envelope(tmp_path / "absent.toml")
    (tmp_path / "latin.toml").write_bytes(b"plant = '\xff'")
    with pytest.raises(SpecError, match="save it as UTF-8"):
        load_envelope(tmp_path / "latin.toml")


@seeded(150)
@given(at=st.integers(0, len(SMALL) - 1), put=st.sampled_from(list('"[]={}.,-#\n 09eXx\x00')))
def test_one_wrong_character_is_refused_or_still_an_envelope(at: int, put: str) -> None:
    try:
        says = parse_envelope(SMALL[:at] + put + SMALL[at + 1 :]).digest
    except SpecError as error:
        says = str(error)
    assert says
