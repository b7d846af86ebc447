"""The loader: the meaning of a file, its digest, and the message id of everything that it refuses."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from safety.loading.spec import SpecError, build_envelope, load_envelope, message_of, parse_envelope
from safety.rules.command_rules import Interlock, Relation, Slew
from safety.values import Tier
from tests.safety.support.golden import CASES, model_of
from tests.safety.support.seeded import seeded

SMALL = (CASES / "envelopes" / "small.toml").read_text(encoding="utf-8")
WHY = {"unit": "C", "hazard": "h", "basis": "b"}


def refused(changes: dict[str, Any]) -> str:
    """The message id with which the small envelope so changed is refused."""
    with pytest.raises((SpecError, ValidationError)) as caught:
        build_envelope(model_of(changes))
    error = caught.value
    return message_of(error.errors(include_url=False)[0])[0] if isinstance(error, ValidationError) else error.id


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


def test_the_digest_follows_the_limits_and_not_the_layout() -> None:
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
    ("changes", "message_id"),
    [
        ({"remove": ["FAN-BOUND"]}, "setpoint-without-bound"),
        ({"change": {"FAN-BOUND": {"tier": "T5"}}}, "setpoint-without-bound"),
        ({"change": {"FAN-BOUND": {"low": 2}}}, "reversed-range"),
        ({"change": {"FAN-BOUND": {"hazard": ""}}}, "blank-text"),
        ({"change": {"FAN-BOUND": {"surprise": 1}}}, "unknown-key"),
        ({"change": {"FAN-BOUND": {"low": "0.2"}}}, "wrong-type"),
        ({"change": {"FAN-BOUND": {"low": True}}}, "wrong-type"),
        ({"change": {"FAN-BOUND": {"low": float("nan")}}}, "number-too-large"),
        ({"change": {"FAN-BOUND": {"high": float("inf")}}}, "number-too-large"),
        ({"change": {"FAN-BOUND": {"high": 10**400}}}, "number-too-large"),
        ({"change": {"FAN-BOUND": {"unit": "percent"}}}, "wrong-unit"),
        ({"change": {"DEW": {"low": "inlet_c * 0.5 + fan_frac"}}}, "limit-on-continuous-setpoint"),
        ({"change": {"DEW": {"when": "fan_frac > 0.5"}}}, "limit-on-continuous-setpoint"),
        ({"change": {"DEW": {"when": "humidity > 1"}}}, "unknown-name"),
        ({"change": {"DEW": {"low": "dew_point_c * 2 * 3"}}}, "condition-left-over"),
        ({"change": {"DEW": {"when": "inlet_c > "}}}, "condition-ends-too-early"),
        ({"change": {"ONE-CHILLER-MILD": {"when": "chillers_on <= inlet_c"}}}, "mixed-units"),
        ({"change": {"FAN-SLEW": {"tier": "T5"}}}, "tier-not-for-kind"),
        ({"change": {"FAN-SLEW": {"safe_direction": "down"}}}, "slew-without-rate"),
        ({"change": {"FAN-SLEW": {"down": 0}}}, "number-out-of-range"),
        ({"change": {"FAN-SLEW": {"setpoint": "chillers_on"}}}, "discrete-setpoint-slews"),
        ({"change": {"CHILLERS-DWELL": {"setpoint": "fan_frac"}}}, "continuous-setpoint-dwells"),
        ({"change": {"CHILLERS-DWELL": {"window_s": 0}}}, "starts-without-window"),
        ({"change": {"PUMP-SHARE": {"terms": {"flow_a_kg_s": 1, "flow_b_kg_s": 0}}}}, "zero-coefficient"),
        ({"change": {"PUMP-SHARE": {"terms": {"flow_a_kg_s": 1, "fan_frac": 1}}}}, "wrong-unit"),
        ({"change": {"TRUST": {"applies_to": "any"}}}, "policy-tier-binds-any"),
        ({"change": {"DEW": {"applies_to": "policy"}}}, "policy-rule-without-policy-tier"),
        ({"change": {"FAN-BOUND": {"id": "T0-range"}}}, "reserved-id"),
        ({"change": {"FAN-BOUND": {"id": "SUPPLY-BOUND"}}}, "duplicate"),
        ({"change": {"INLET-TRIP": {"signal": "fan_frac"}}}, "limit-on-continuous-setpoint"),
        ({"change": {"SUPPLY-READBACK": {"setpoint": "nothing"}}}, "unknown-name"),
        (with_rule(kind="bound", tier="T9", setpoint="supply_c", low=1, high=2), "unknown-choice"),
        (with_rule(kind="opinion", tier="T1"), "unknown-kind"),
        (with_rule(kind="interlock", tier="T2", setpoint="supply_c"), "interlock-without-limit"),
        ({"set": {"valid_for_s": 100}}, "validity-below-period"),
        ({"set": {"guard_period_s": 301}}, "guard-period-above-period"),
        ({"set": {"period_s": 0}}, "number-out-of-range"),
        ({"set": {"failsafe": [{"id": "A", "vector": {"supply_c": 20}}]}}, "failsafe-wrong-setpoints"),
        ({"set": {"failsafe": [{"id": "A"}]}}, "failsafe-without-one-action"),
        (
            {"set": {"failsafe": [{"id": "A", "relinquish": True}, {"id": "B", "relinquish": True}]}},
            "failsafe-unreachable",
        ),
    ],
)
def test_the_loader_refuses(changes: dict[str, Any], message_id: str) -> None:
    assert refused(changes) == message_id


def test_a_failsafe_outside_a_static_limit_is_refused() -> None:
    with pytest.raises(SpecError) as caught:
        parse_envelope(SMALL.replace("fan_frac = 1, chillers", "fan_frac = 0.1, chillers"))
    assert (caught.value.id, caught.value.values["rule"]) == ("failsafe-breaks-rule", "FAN-BOUND")


def test_a_relation_across_veto_groups_is_refused() -> None:
    with pytest.raises(SpecError) as caught:
        parse_envelope(SMALL.replace('name = "flow_b_kg_s"', 'name = "flow_b_kg_s"\ngroup = "other"'))
    assert (caught.value.id, caught.value.path) == ("relation-spans-groups", "rule.PUMP-SHARE")


@pytest.mark.parametrize(
    ("text", "message_id"),
    [
        ("plant = ", "file-not-toml"),
        ("plant = 'x'", "missing-key"),
        (
            SMALL.replace("low = 0.2", "low = 0.20000000000000000011102230246251565404"),
            "number-not-exact",
        ),
        (SMALL.replace("low = 0.2", "low = 1e999"), "number-not-finite"),
        ("a = " + "[" * 5000, "file-nested-too-deeply"),
        ("x" * 1_000_001, "file-too-long"),
    ],
)
def test_a_text_that_is_not_an_envelope_is_refused(text: str, message_id: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_envelope(text)
    assert caught.value.id == message_id


def test_a_file_that_cannot_be_read_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        load_envelope(tmp_path / "absent.toml")
    assert caught.value.id == "file-unreadable"
    (tmp_path / "latin.toml").write_bytes(b"plant = '\xff'")
    with pytest.raises(SpecError) as caught:
        load_envelope(tmp_path / "latin.toml")
    assert caught.value.id == "file-not-utf8"


@seeded(150)
@given(at=st.integers(0, len(SMALL) - 1), put=st.sampled_from(list('"[]={}.,-#\n 09eXx\x00')))
def test_one_wrong_character_is_refused_or_still_an_envelope(at: int, put: str) -> None:
    try:
        name = parse_envelope(SMALL[:at] + put + SMALL[at + 1 :]).digest
    except SpecError as error:
        name = error.id
    assert name
