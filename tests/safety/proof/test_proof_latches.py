"""The prover's reset of a latch is the kernel's, and what is proved of it is refuted with a mistake."""

from collections import Counter
from dataclasses import replace
from fractions import Fraction
from functools import cache

import pytest

z3 = pytest.importorskip("z3")

from safety.envelope import Envelope  # noqa: E402
from safety.loading.spec import build_envelope  # noqa: E402
from safety.memory import reset, tripped  # noqa: E402
from safety.proof import about_latches  # noqa: E402
from safety.proof.about_latches import latches_clear_on_their_own_evidence, resettable  # noqa: E402
from safety.proof.counterexample_text import shown  # noqa: E402
from safety.proof.replay import call_of, without_inputs  # noqa: E402
from safety.proof.solver import Answer  # noqa: E402
from safety.proof.symbolic_state import Moment, moment  # noqa: E402
from safety.rules.base import StateRule  # noqa: E402
from tests.safety.support.drawn_states import Drawing, Drawn  # noqa: E402
from tests.safety.support.formulas import evaluator, symbols_of  # noqa: E402
from tests.safety.support.golden import model_of  # noqa: E402

TRIP = {"kind": "trip", "tier": "T1", "unit": "C", "hazard": "h", "basis": "b"}


@cache
def small() -> Envelope:
    """The small envelope with a second trip, which waits before it is set."""
    late = {**TRIP, "id": "LATE-TRIP", "signal": "dew_point_c", "low": -5, "high": 18, "on_delay_s": 90}
    return without_inputs(build_envelope(model_of({"add": [late]})))


def is_reset(given: Drawn, rule: StateRule) -> bool:
    call = call_of(given, small())
    try:
        after = reset(tripped(call.memory, rule.id, "a test"), small(), call.observation, rule.id)
    except ValueError:
        return False
    others = {latch.rule for latch in call.memory.latches} - {rule.id}
    assert {latch.rule for latch in after.latches} == others, "another latch went with it"
    return True


def test_the_reset_in_symbols_is_the_kernels() -> None:
    now, latching = moment(small()), [rule for rule in small().state_rules if rule.latching]
    formulas = [resettable(rule, now) for rule in latching]
    evaluate, symbols = evaluator(formulas), symbols_of([*formulas, *now.assumed])
    drawing, counts = Drawing(small(), 11), Counter[tuple[str, bool]]()
    for _ in range(400):
        given = drawing.moment(symbols)
        answers = evaluate({k: v if isinstance(v, bool) else Fraction(v) for k, v in given.items()})
        for rule, answer in zip(latching, answers, strict=True):
            assert bool(answer) == is_reset(given, rule), (rule.id, given)
            counts[rule.id, bool(answer)] += 1
    assert len(latching) > 1
    assert min(counts[rule.id, answer] for rule in latching for answer in (True, False)) > 5, counts


def test_a_latch_clears_only_on_its_own_evidence() -> None:
    found = list(latches_clear_on_their_own_evidence(small()))
    assert {each.name for each in found} >= {"latch/reset/LATE-TRIP"}
    assert all(each.answer is Answer.PROVED and "missing signal" in each.seeded for each in found)


def test_reset_on_another_signal_is_refuted_with_a_readable_example(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The kernel does not do so, and says so: such a formula is a fault of the prover and proves nothing."""
    right = about_latches.resettable

    def careless(rule: StateRule, now: Moment) -> z3.BoolRef:
        return right(replace(rule, signal="inlet_c"), now)  # type: ignore[call-arg]

    monkeypatch.setattr(about_latches, "resettable", careless)
    found = {each.name: each for each in latches_clear_on_their_own_evidence(small())}["latch/reset/LATE-TRIP"]
    assert found.answer is Answer.UNKNOWN
    assert "fault of the prover" in found.detail
    assert any("`dew_point_c`" in line for line in shown(found.example, small()))


def test_latching_kind_without_a_reset_formula_is_an_error() -> None:
    class Unheard(StateRule):
        """A kind the prover does not know."""

        latching = True

    rule = Unheard(id="U", tier=small().state_rules[0].tier, hazard="h", basis="b")
    with pytest.raises(TypeError, match="its reset has no formula"):
        resettable(rule, moment(small()))
