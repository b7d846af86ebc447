"""The prover: its formulas are the rules, what ships is proved, and a mistake put in on purpose is found."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

z3 = pytest.importorskip("z3")

from safety.envelope import Envelope  # noqa: E402
from safety.kernel import kernel_digest  # noqa: E402
from safety.loading.spec import build_envelope, load_envelope  # noqa: E402
from safety.proof import replay as replayed  # noqa: E402
from safety.proof.about_rules import last_resorts_stand, rules_are_neither_dead_nor_contradictory  # noqa: E402
from safety.proof.certificate import Certificate, CertificateError, verify_certificate  # noqa: E402
from safety.proof.difference import difference  # noqa: E402
from safety.proof.prove import Proof, prove_envelope  # noqa: E402
from safety.proof.solver import QF_FP, Answer, Ground, Obligation, Seeded, prove  # noqa: E402
from safety.proof.symbolic_rules import satisfied, slots, vector, world  # noqa: E402
from safety.rules.base import CommandRule, Situation  # noqa: E402
from safety.rules.command_rules import Bound, Dwell, RateWindow  # noqa: E402
from safety.values import Quality, Signal, Tier  # noqa: E402
from tests.paths import ROOT  # noqa: E402
from tests.safety.support.golden import model_of  # noqa: E402
from tests.safety.support.random_envelopes import envelope_of  # noqa: E402

SITES = ROOT / "deploy" / "sites"
DEMO = load_envelope(SITES / "demo" / "envelope.toml")
SMALL = build_envelope(model_of({}))


@pytest.fixture(scope="module")
def proof() -> Proof:
    return prove_envelope(DEMO)


def test_the_demo_envelope_is_proved(proof: Proof) -> None:
    assert proof.holds, "\n".join(proof.lines())


def test_several_processes_give_the_same_answers_in_the_same_order() -> None:
    alone, together = prove_envelope(SMALL), prove_envelope(SMALL, processes=2)
    assert [(o.name, o.says, o.answer, o.by) for o in together.obligations] == [
        (o.name, o.says, o.answer, o.by) for o in alone.obligations
    ]
    assert together.certificate().canonical() == alone.certificate().canonical()


def test_a_counterexample_in_floats_is_written_to_the_last_bit() -> None:
    x = z3.FP("x", z3.Float64())
    one = z3.FPVal(1.0, z3.Float64())
    above = [z3.fpGT(x, one), z3.fpLT(x, z3.FPVal(1.0000000000000004, z3.Float64()))]
    found = prove("float/x", "x is one", above, z3.fpLEQ(x, one), Seeded("-", z3.BoolVal(False)), by=QF_FP)
    assert found.answer is Answer.REFUTED
    lines = list(Proof(SMALL.digest, (found,), SMALL).lines())
    assert "    `x` 1.0000000000000002 (0x1.0000000000001p+0)" in lines


def test_the_proof_speaks_of_every_rule(proof: Proof) -> None:
    spoken = " ".join(each.name for each in proof.obligations)
    assert all(rule.id in spoken for rule in DEMO.rules)


def test_the_time_to_regain_the_plant_is_printed(proof: Proof) -> None:
    assert any("at most 7500 s" in line and "CHILLERS-DWELL" in line for line in proof.lines())


@pytest.mark.parametrize("seed", range(3))
def test_the_formulas_are_the_rules(seed: int) -> None:
    """Values are multiples of 1/8, so that floats and exact numbers can be held against each other without rounding."""
    envelope, draw = envelope_of(seed, setpoints=6, signals=8, rules=40), np.random.default_rng(seed)
    at, proposed = world(envelope), vector(envelope, "step")
    formulas = {rule.id: satisfied(rule, proposed, at) for rule in envelope.command_rules}
    for _ in range(40):
        values, now, step = drawn(envelope, draw)
        for rule in envelope.command_rules:
            if "Relation" in type(rule).__name__:
                continue  # forgives its last bit; see below
            value = z3.simplify(z3.substitute(formulas[rule.id], *values))
            assert z3.is_true(value) == (rule.margin(step, now) >= 0), (rule, step, now)


def drawn(envelope: Envelope, draw: np.random.Generator) -> tuple[list[Any], Situation, dict[str, float]]:
    """A situation as substitutions for z3 and as the rules take it."""
    values: list[Any] = []

    def real(name: str, value: float) -> float:
        values.append((z3.Real(name), z3.RealVal(str(Fraction(value)))))
        return value

    def eighth(most: float) -> float:
        return float(np.round(draw.uniform(-most, most) * 8) / 8)

    def vector_of(prefix: str) -> dict[str, float]:
        return {
            s.name: real(f"{prefix}.{s.name}", eighth(70) if s.values is None else float(draw.choice(s.values)))
            for s in envelope.setpoints
        }

    signals = {}
    for spec in envelope.signals:
        known = bool(draw.random() < 0.9)
        values.append((z3.Bool(f"known.{spec.name}"), z3.BoolVal(known)))
        money = spec.unit == "micros"
        value = float(draw.integers(0, 900)) if money else eighth(40)
        if money:
            values.append((z3.Int(f"signal.{spec.name}"), z3.IntVal(int(value))))
        else:
            real(f"signal.{spec.name}", value)
        signals[spec.name] = Signal(value, Quality.GOOD if known else Quality.BAD)
    states: dict[str, tuple[float, ...]] = {}
    for rule in envelope.command_rules:
        if isinstance(rule, Dwell | RateWindow):
            drawn_of = [float(draw.integers(0, 80)) * 6e7 for _ in slots(rule, envelope, "timer")]
            if isinstance(rule, RateWindow):
                drawn_of[1::2] = [abs(eighth(4)) for _ in drawn_of[1::2]]
            else:
                drawn_of[2:] = sorted(drawn_of[2:])
            kept = {str(symbol): value for symbol, value in zip(slots(rule, envelope, "timer"), drawn_of, strict=True)}
            for name, value in kept.items():
                real(name, value)
            states[rule.id] = replayed.remembered(rule, kept, "timer", envelope)
    now = Situation(signals, vector_of("last"), vector_of("reference"), real("dt_s", 256.0), states)
    return values, now, vector_of("step")


def test_a_relation_forgives_no_more_than_rounding() -> None:
    rule = next(rule for rule in SMALL.command_rules if rule.id == "PUMP-SHARE")
    now = Situation({}, None, None, 0.0, {})
    for a in np.linspace(1.0, 12.0, 200):
        for b in (20.0 - a, 20.0 - a + 1e-12, 20.0 - a - 1e-12):
            exact = Fraction(float(a)) + Fraction(float(b)) - 20
            accepted = rule.margin({"flow_a_kg_s": float(a), "flow_b_kg_s": float(b)}, now) >= 0
            assert not (exact <= 0 and not accepted)
            assert not (exact > Fraction(1, 10**12) * 2 and accepted)


def test_last_resort_breaking_an_interlock_is_found_and_reproduced() -> None:
    found = [each for each in last_resorts_stand(SMALL) if each.fails]
    assert {each.name for each in found} == {"failsafe/COLD-HALL/DEW", "failsafe/FULL-COOLING/DEW"}
    assert all(each.answer is Answer.REFUTED for each in found)
    assert [each.detail for each in found] == [
        "`supply_c` 20 C is outside [21, inf] now in force",
        "`supply_c` 14 C is outside [15, inf] now in force",
    ]
    assert [each.example["signal.dew_point_c"] for each in found] == [20.0, 14.0]
    assert all(each.example["known.dew_point_c"] is True for each in found)


def test_last_resort_that_needs_a_good_signal_is_found() -> None:
    """The dew point is never above 13 C here, so that what is wrong is that it may be unknown."""
    dry = replace(SMALL, signals=tuple(replace(s, high=13.0) if s.name == "dew_point_c" else s for s in SMALL.signals))
    found = [each for each in last_resorts_stand(dry) if each.fails and each.name.startswith("failsafe/FULL-COOLING")]
    assert [each.example["known.dew_point_c"] for each in found] == [False]
    assert "signal that is not good" in found[0].detail


def test_an_example_does_not_depend_on_earlier_queries() -> None:
    """z3 numbers all it has ever met, and its answers depend on it."""
    x, flag = z3.Real("x"), z3.Bool("flag")
    facts = [z3.Or(x > 3, x < -3), z3.Implies(flag, x * x > 10)]
    before = list(Ground(facts).examples())
    others = [z3.Real(f"other.{at}") for at in range(50)]
    Ground([one + 1 < two for one, two in pairwise(others)]).ask()
    assert list(Ground(list(facts)).examples()) == before
    assert all(example["flag"] is False and float(example["x"]).is_integer() for example in before)


def test_example_on_an_edge_lost_to_rounding_is_replaced() -> None:
    x = z3.Real("x")
    ground = Ground([3 * x > 10, 7 * x < 60])
    values = [example["x"] for example in ground.examples()]
    assert values[-1] != values[0]
    assert ground.reproduced(lambda found: "yes" if found["x"] == values[-1] else None) == ({"x": values[-1]}, "yes")
    assert ground.reproduced(lambda found: None) == ({"x": values[0]}, None)


def test_rules_that_contradict_each_other_are_named() -> None:
    low = {"id": "LOW", "kind": "interlock", "tier": "T2", "setpoint": "supply_c", "high": 12, "unit": "C"}
    high = {"id": "HIGH", "kind": "interlock", "tier": "T2", "setpoint": "supply_c", "low": 20, "unit": "C"}
    why = {"hazard": "h", "basis": "b"}
    envelope = build_envelope(model_of({"add": [{**low, **why}, {**high, **why}]}))
    found = {each.name: each for each in rules_are_neither_dead_nor_contradictory(envelope)}
    assert found["consistent"].answer is Answer.REFUTED
    assert "`HIGH`" in found["consistent"].detail
    assert "`LOW`" in found["consistent"].detail


def test_dead_rule_is_refused_and_shadowed_rule_warned_of() -> None:
    dead = {"id": "DEAD", "kind": "bound", "tier": "T2", "setpoint": "fan_frac", "low": 0, "high": 1, "unit": "frac"}
    shadowed = {**dead, "id": "SHADOWED", "low": 0.1}
    why = {"hazard": "h", "basis": "b"}
    envelope = build_envelope(model_of({"add": [{**dead, **why}, {**shadowed, **why}]}))
    found = {each.name: each.answer for each in rules_are_neither_dead_nor_contradictory(envelope)}
    assert found["alive/DEAD"] is Answer.REFUTED
    assert found["shadowed/SHADOWED"] is Answer.WARNED


def test_a_claim_that_anything_would_follow_from_is_not_proved() -> None:
    x = z3.Real("x")
    assert prove("n", "s", [x > 1, x < 0], x == 7, Seeded("eight", x == 8)).answer is Answer.REFUTED


def test_proof_that_misses_the_seeded_mistake_fails() -> None:
    x = z3.Real("x")
    assert prove("n", "s", [x > 1], x > 0, Seeded("nothing wrong", x > 0)).answer is Answer.REFUTED
    found = prove("n", "s", [x > 1], x > 0, Seeded("two", x > 2))
    assert (found.answer, found.seeded) == (Answer.PROVED, "two")


def test_counterexample_that_does_not_reproduce_is_a_prover_fault() -> None:
    x = z3.Real("x")
    seeded = Seeded("two", x > 2)
    assert prove("n", "s", [x > 1], x > 3, seeded, replay=lambda example: None).answer is Answer.UNKNOWN
    found = prove("n", "s", [x > 1], x > 3, seeded, replay=lambda example: f"it is {example['x']:g}")
    assert (found.answer, found.detail) == (Answer.REFUTED, "it is 2")


def test_kind_without_a_formula_is_an_error() -> None:
    class Unheard(CommandRule):
        """A kind the prover does not know."""

    rule = Unheard(id="U", tier=Tier.T1, hazard="h", basis="b")
    with pytest.raises(TypeError, match="has no formula"):
        satisfied(rule, vector(SMALL, "step"), world(SMALL))


def test_certificate_is_reproducible_and_of_one_envelope(proof: Proof) -> None:
    certificate = proof.certificate()
    assert (
        certificate.canonical()
        == replace(certificate, answers=dict(reversed(list(certificate.answers.items())))).canonical()
    )
    assert Certificate.parse(certificate.canonical()) == certificate
    verify_certificate(certificate, DEMO, kernel_digest())
    with pytest.raises(CertificateError, match=r"is of envelope .* run `understudy envelope prove`"):
        verify_certificate(certificate, SMALL, kernel_digest())
    with pytest.raises(CertificateError, match=r"is of kernel .* run `understudy envelope prove`"):
        verify_certificate(certificate, DEMO, "another")


def test_a_certificate_of_a_failure_is_refused() -> None:
    failed = Certificate(DEMO.digest, "k", "p", "z", {"alive/X": "unknown"})
    with pytest.raises(CertificateError, match="not proved: alive/X"):
        verify_certificate(failed, DEMO, "k")
    with pytest.raises(CertificateError, match="nothing at all"):
        verify_certificate(replace(failed, answers={}), DEMO, "k")


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"null", b'{"version":2}', b"\xff"])
def test_bytes_that_are_not_a_certificate_are_refused(data: bytes) -> None:
    with pytest.raises(CertificateError):
        Certificate.parse(data)


def test_a_certificate_with_something_added_is_refused() -> None:
    data = Certificate(DEMO.digest, "k", "p", "z", {"a": "proved"}).canonical()
    with pytest.raises(CertificateError, match="more than was proved"):
        Certificate.parse(data.replace(b"{", b'{"more":1,', 1))


def changed(**changes: Any) -> Envelope:
    return build_envelope(model_of({"change": changes}))


def test_nothing_changed_needs_nobody() -> None:
    found = difference(SMALL, build_envelope(model_of({})))
    assert (found.rules, found.looser, found.tighter, found.approvals) == ((), (), (), 0)


def test_wider_limit_shows_an_example_and_needs_two() -> None:
    found = difference(SMALL, changed(**{"SUPPLY-BOUND": {"high": 31}}))
    assert found.looser
    assert not found.tighter
    assert all(30 < change.example["proposed.supply_c"] <= 31 for change in found.looser)
    assert found.approvals == 2
    assert any("`high` 30.0 -> 31.0" in line for line in found.lines())


def test_a_tighter_hard_limit_also_needs_two() -> None:
    found = difference(SMALL, changed(**{"SUPPLY-BOUND": {"high": 29}}))
    assert found.tighter
    assert not found.looser
    assert found.approvals == 2


def test_tighter_policy_rule_needs_one_approval_and_looser_two() -> None:
    assert difference(SMALL, changed(TRUST={"distance": 2})).approvals == 1
    assert difference(SMALL, changed(TRUST={"distance": 4})).approvals == 2
    older, fresher = (difference(SMALL, changed(**{"INLET-FRESH": {"max_age_s": age}})) for age in (500, 30))
    assert (older.approvals, bool(older.looser), bool(older.tighter)) == (2, True, False)
    assert (fresher.approvals, bool(fresher.looser), bool(fresher.tighter)) == (1, False, True)
    assert "only the policy's own rules get tighter" in "\n".join(fresher.lines())


def test_changed_timed_rule_of_the_policy_needs_two_approvals() -> None:
    slow = {"id": "BEAT", "kind": "watchdog", "tier": "T5", "signal": "inlet_c", "max_silence_s": 600, "unit": "s"}
    slow |= {"hazard": "h", "basis": "b"}
    one, other = (build_envelope(model_of({"add": [{**slow, "max_silence_s": each}]})) for each in (600, 300))
    assert difference(one, other).approvals == 2
    assert "remembers" in "\n".join(difference(one, other).lines())


def test_a_rule_deleted_or_a_setting_changed_is_shown() -> None:
    found = difference(SMALL, build_envelope(model_of({"remove": ["DEW"], "set": {"hold_max_s": 900}})))
    sentences = [change.says for change in found.rules]
    assert "rule `DEW` (T2) is gone" in sentences
    assert "`hold_max_s` 600 s -> 900 s" in sentences
    assert found.approvals == 2


@pytest.mark.parametrize("rule", [rule.id for rule in SMALL.command_rules])
def test_the_deletion_of_any_command_rule_is_seen(rule: str) -> None:
    fewer = replace(SMALL, command_rules=tuple(r for r in SMALL.command_rules if r.id != rule))
    found = difference(SMALL, fewer)
    only_discrete_bound = (
        isinstance(next(r for r in SMALL.command_rules if r.id == rule), Bound) and rule == "CHILLERS-BOUND"
    )
    assert found.looser or only_discrete_bound
    assert found.approvals == 2


def test_an_obligation_fails_when_it_is_not_decided() -> None:
    assert Obligation("n", "s", Answer.UNKNOWN).fails
    assert not Obligation("n", "s", Answer.WARNED).fails
