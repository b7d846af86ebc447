"""Plants quite unlike the shipped ones: what is sound is proved, and each fault put in is named in an operator's words."""

import tomllib
from collections.abc import Iterable
from typing import Any

import pytest

pytest.importorskip("z3")

from safety.envelope import Envelope
from safety.loading.spec import EnvelopeModel, build_envelope
from safety.proof.about_handover import the_incumbent_regains_the_plant
from safety.proof.about_rules import last_resorts_stand
from safety.proof.about_rules import rules_are_neither_dead_nor_contradictory as sets
from safety.proof.counterexample_text import shown
from safety.proof.prove import prove_envelope
from safety.proof.solver import Answer, Obligation
from safety.proof.sweep import sweep
from tests.paths import ROOT

PLANTS = ROOT / "tests" / "cases" / "plants"
NAMES = ["water", "battery", "greenhouse"]
WHY = {"hazard": "made up", "basis": "a fault put in"}


def plant(name: str, *, add: tuple[dict[str, Any], ...] = (), drop: str = "", **tables: Any) -> Envelope:
    raw = tomllib.loads((PLANTS / f"{name}.toml").read_text())
    raw["rule"] = [rule for rule in raw["rule"] if rule["id"] != drop] + [{**WHY, **rule} for rule in add]
    return build_envelope(EnvelopeModel.model_validate({**raw, **tables}))


def failures(answers: Iterable[Obligation]) -> dict[str, Obligation]:
    return {each.name: each for each in answers if each.fails}


@pytest.mark.parametrize("name", NAMES)
def test_a_sound_plant_is_proved_and_handed_over(name: str) -> None:
    envelope = plant(name)
    proof = prove_envelope(envelope)
    assert proof.holds, failures(proof.obligations)
    assert all(
        each.by and (each.seeded or each.by == "analytic") for each in proof.obligations if each.answer is Answer.PROVED
    )
    swept = sweep(plant(name, drop="MAINS"), 100, seed=3)
    assert swept.passes, "\n".join(swept.lines())


def test_a_limit_that_nothing_can_break_is_dead() -> None:
    rule = {"id": "ROOMY", "kind": "bound", "tier": "T2", "setpoint": "charge_kw", "low": -90, "high": 90, "unit": "kW"}
    found = failures(sets(plant("battery", add=(rule,))))["alive/ROOMY"]
    assert found.answer is Answer.REFUTED
    assert "widen the domain" in found.detail


def test_limits_that_leave_no_command_are_named_together() -> None:
    rules = (
        {"id": "AT-LEAST", "kind": "interlock", "tier": "T2", "setpoint": "charge_kw", "low": 20, "unit": "kW"},
        {"id": "AT-MOST", "kind": "interlock", "tier": "T2", "setpoint": "charge_kw", "high": 10, "unit": "kW"},
    )
    found = failures(sets(plant("battery", add=rules)))["consistent"]
    assert found.detail == "no command satisfies `AT-LEAST` and `AT-MOST` together: one of them has to give way"


def test_last_resort_breaking_a_moving_limit_shows_its_moment() -> None:
    envelope = plant("battery", failsafe=[{"id": "CHARGE", "vector": {"charge_kw": 5}}])
    found = failures(last_resorts_stand(envelope))
    assert set(found) == {"failsafe/CHARGE/NOT-OVERFULL", "failsafe/CHARGE/NOT-EMPTY"}
    obligation = found["failsafe/CHARGE/NOT-OVERFULL"]
    assert obligation.detail.startswith("`charge_kw` 5 kW is outside")
    assert any("soc_frac" in line for line in shown(obligation.example, envelope))


def test_a_last_resort_that_breaks_a_relation_is_shown() -> None:
    vector = {"pump_a_on": 0, "pump_b_on": 0, "inlet_frac": 0.8, "outlet_frac": 0}
    found = failures(last_resorts_stand(plant("water", failsafe=[{"id": "FILL", "vector": vector}])))
    assert "is over its limit by 0.3 frac" in found["failsafe/FILL/FILLS-TOO-FAST"].detail
    assert "failsafe/FILL/FULL" in found


def test_start_both_demanded_and_forbidden_stops_the_incumbent() -> None:
    """Above 5.2 m pump A must run; without suction it may not start: from a standstill no step is accepted."""
    rule = {
        "id": "EMPTY-IT",
        "kind": "interlock",
        "tier": "T2",
        "setpoint": "pump_a_on",
        "when": "level_m > 5.2",
        "low": 1,
        "unit": "count",
    }
    envelope = plant("water", add=(rule,))
    found = failures(the_incumbent_regains_the_plant(envelope))
    assert set(found) >= {"handover/first_step"}
    obligation = found["handover/first_step"]
    assert (
        obligation.detail
        == "`PRIMED-A` refuses the step: `pump_a_on` may not be raised to 1: its permissive does not hold"
    )
    assert any("`level_m`" in line for line in shown(obligation.example, envelope))


def test_limit_on_a_discrete_setpoint_is_warned_of_with_example() -> None:
    found = {each.name: each for each in the_incumbent_regains_the_plant(plant("greenhouse"))}["handover/lamps_on"]
    assert found.answer is Answer.WARNED
    assert "`MAINS` refuses the step" in found.detail


def test_a_rule_that_others_always_forestall_is_warned_of() -> None:
    rule = {"id": "LATE", "kind": "bound", "tier": "T2", "setpoint": "heater_kw", "low": 0, "high": 36, "unit": "kW"}
    found = {each.name: each for each in sets(plant("greenhouse", add=(rule,)))}
    assert found["shadowed/LATE"].answer is Answer.WARNED
    assert found["alive/LATE"].answer is Answer.PROVED


def test_the_proof_says_how_it_came_by_each_answer() -> None:
    lines = list(prove_envelope(plant("battery")).lines())
    assert any(
        line.startswith("proved emitted/candidate") and "refuted with a ladder that forgets" in line for line in lines
    )
    assert any(line.startswith("proved float/bound") and "QF_FP" in line for line in lines)
    assert any(line.startswith("proved float/last_bit") and "analytic" in line for line in lines)
    assert any("at most 350 s" in line for line in lines)
