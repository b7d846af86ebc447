"""The prover's ladder is the kernel's: the same moments, the same rung, command and memory. And what is proved of it."""

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from typing import Any

import pytest

z3 = pytest.importorskip("z3")

from safety.envelope import Envelope  # noqa: E402
from safety.loading.spec import build_envelope, load_envelope  # noqa: E402
from safety.proof.about_guard import guarded, the_guard, watched  # noqa: E402
from safety.proof.about_ladder import Ladder, ladder_of, obligations_of, the_ladder  # noqa: E402
from safety.proof.counterexample_text import shown  # noqa: E402
from safety.proof.replay import call_of, without_inputs  # noqa: E402
from safety.proof.solver import Answer, Ground  # noqa: E402
from safety.proof.symbolic_decide import Decided, Mistake, decided  # noqa: E402
from safety.proof.symbolic_state import RUNGS, moment  # noqa: E402
from safety.values import Ruling, Rung, Source  # noqa: E402
from tests.paths import ROOT  # noqa: E402
from tests.safety.support.drawn_states import Drawing, Drawn  # noqa: E402
from tests.safety.support.formulas import evaluator, symbols_of  # noqa: E402
from tests.safety.support.golden import FOLDER, model_of  # noqa: E402
from tests.safety.support.random_envelopes import envelope_of  # noqa: E402

ENVELOPES = {
    "small": lambda: build_envelope(model_of({})),
    "demo": lambda: load_envelope(ROOT / "deploy/sites/demo/envelope.toml"),
    "bidding-demo": lambda: load_envelope(ROOT / "deploy/sites/bidding-demo/envelope.toml"),
    "tank": lambda: load_envelope(ROOT / "examples/third_plant/site/envelope.toml"),
    "pumps": lambda: build_envelope(model_of({"base": "pumps"})),
    "many": lambda: envelope_of(3, setpoints=6, signals=8, rules=40),
}
SOURCES = tuple(Source)
USUAL = {name: FOLDER.usual(name)["signals"] for name in ("small", "demo", "bidding-demo", "pumps")}


class Both:
    """One envelope asked twice: the kernel, and the prover's formulas on the same numbers."""

    def __init__(self, envelope: Envelope, mistake: Mistake | None = None) -> None:
        self.envelope = without_inputs(envelope)
        self.names = [spec.name for spec in envelope.setpoints]
        now = moment(envelope)
        self.formulas = formulas_of(decided(envelope, now, exact=True, mistake=mistake), self.names)
        self.symbols = {name: z3.is_bool(s) for name, s in symbols_of([*self.formulas, *now.assumed]).items()}
        self.symbols |= {f"age_us.{spec.name}": False for spec in envelope.signals}
        self.evaluate = evaluator(self.formulas)

    def predicted(self, given: Drawn) -> dict[str, Any]:
        values = self.evaluate({k: v if isinstance(v, bool) else Fraction(v) for k, v in given.items()})
        return named_values(values, self.names)

    def ruling(self, given: Drawn) -> Ruling:
        return call_of(given, self.envelope).ruling(self.envelope)


def formulas_of(found: Decided, names: Sequence[str]) -> list[Any]:
    """The formulas of all that is compared, in a fixed order."""
    made = [found.rung, found.entry, found.held_us, found.latched]
    made += [found.removed[source] for source in SOURCES]
    for source in SOURCES:
        judged = found.judged[source]
        made += [judged.accepted, *(judged.step[name] for name in names), *judged.waiting.values()]
    return made


def named_values(values: list[Any], names: Sequence[str]) -> dict[str, Any]:
    rest = iter(values)
    predicted = {"rung": RUNGS[int(next(rest))], "entry": int(next(rest)), "held_us": next(rest), "latched": next(rest)}
    predicted["removed"] = tuple(source for source in SOURCES if next(rest))
    waits = (len(values) - 7) // 3 - 1 - len(names)
    for source in SOURCES:
        accepted, step = next(rest), {name: next(rest) for name in names}
        predicted[source] = (accepted, step, tuple(next(rest) for _ in range(waits)))
    return predicted


def drawing_of(name: str, seed: int) -> Drawing:
    return Drawing(both(name).envelope, seed, USUAL.get(name))


@cache
def both(name: str) -> Both:
    return Both(ENVELOPES[name]())


def differences(of: Both, given: Drawn) -> list[str]:
    """The differences between the prover's ladder and the kernel at one moment."""
    predicted, ruling = of.predicted(given), of.ruling(given)
    ids = [entry.id for entry in of.envelope.failsafe]
    place = -1 if ruling.memory.failsafe is None else ids.index(ruling.memory.failsafe)
    pairs = {
        "rung": (predicted["rung"], ruling.command.rung),
        "removed": (tuple(sorted(predicted["removed"])), ruling.removed),
        "entry": (predicted["entry"], place),
        "held_us": (predicted["held_us"], ruling.memory.held_us),
        "latched": (predicted["latched"], bool(ruling.memory.latches)),
    }
    for judgement in ruling.judgements:
        source = Source(judgement.rung.value)
        accepted, step, waiting = predicted[source]
        pairs[f"{source} accepted"] = (accepted, judgement.verdict.accepted)
        if judgement.verdict.accepted:
            waits = tuple(name in judgement.waiting for name in of.envelope.ramp_plan.discrete)
            pairs[f"{source} waiting"] = (waiting, waits)
            pairs[f"{source} step"] = (True, near(step, judgement.step))
    return [f"{name}: formula {one}, kernel {two}" for name, (one, two) in pairs.items() if one != two]


def near(step: dict[str, Fraction], command: Any) -> bool:
    return all(abs(float(value) - command[name]) <= 1e-9 * max(1.0, abs(command[name])) for name, value in step.items())


@pytest.mark.parametrize("name", ENVELOPES)
def test_the_ladder_in_symbols_is_the_kernels(name: str) -> None:
    of, drawing = both(name), drawing_of(name, 7)
    rungs: Counter[Rung] = Counter()
    for _ in range(250):
        given = drawing.moment(of.symbols)
        found = differences(of, given)
        assert not found, (found, given)
        rungs[of.ruling(given).command.rung] += 1
    never = set() if of.envelope.failsafe else {Rung.FAILSAFE}
    if name == "many":
        never.add(Rung.CANDIDATE)  # forty rules made up at random leave a candidate next to nothing
    assert min(rungs[rung] for rung in Rung if rung not in never) > 5, rungs


@pytest.mark.parametrize("name", ENVELOPES)
def test_the_guard_in_symbols_is_the_kernels(name: str) -> None:
    envelope, drawing = both(name).envelope, drawing_of(name, 13)
    now = moment(envelope)
    found = watched(envelope, now)
    formulas = [found.decide_now, *(found.removed[source] for source in SOURCES)]
    evaluate, symbols = evaluator(formulas), {*symbols_of([*formulas, *now.assumed]), *both(name).symbols}
    looks: Counter[bool] = Counter()
    for _ in range(250):
        given = drawing.moment(symbols) | {f"without.{source}": False for source in SOURCES}
        seen = guarded(given, envelope)
        decide_now, *removed = evaluate({k: v if isinstance(v, bool) else Fraction(v) for k, v in given.items()})
        assert decide_now == seen.decide_now, given
        assert {source for source, gone in zip(SOURCES, removed, strict=True) if gone} == seen.removed, given
        looks[seen.decide_now] += 1
    assert min(looks[True], looks[False]) > 5


def test_guard_theorems_are_refuted_with_a_seeded_mistake() -> None:
    found = list(the_guard(both("small").envelope))
    assert [each.name for each in found] == ["guard/limits", "guard/authority"]
    assert all(each.answer is Answer.PROVED and each.seeded for each in found)


# With one value to change to, or with every setpoint on its own, these cannot show.
_OF_THE_RAMP = (Mistake.GIVES_WAY_TO_GROUPS, Mistake.ENTERS_ANY_VALUE)


# A step is within its rates by itself: that the judge looks at them again shows only if the ramp were wrong.
@pytest.mark.parametrize("mistake", [each for each in Mistake if each is not Mistake.GIVES_WAY_ALWAYS])
def test_a_ladder_with_a_mistake_is_not_the_kernels(mistake: Mistake) -> None:
    """The comparison above would see it: some drawn moment tells the two apart."""
    name = "pumps" if mistake in _OF_THE_RAMP else "small"
    of, drawing = Both(ENVELOPES[name](), mistake), drawing_of(name, 11)
    assert any(differences(of, drawing.moment(both(name).symbols)) for _ in range(1000))


@pytest.fixture(scope="module")
def ladder() -> Ladder:
    return ladder_of(both("small").envelope)


def test_everything_about_the_ladder_is_proved_of_small(ladder: Ladder) -> None:
    found = list(the_ladder(ladder.envelope))
    assert all(each.answer is Answer.PROVED and each.seeded for each in found), [e for e in found if e.fails]
    assert {"emitted/candidate", "available", "latch/stays", "induction/hold", "removed/local"} <= {
        e.name for e in found
    }


@pytest.mark.parametrize(
    ("mistake", "obligation"),
    [
        (Mistake.STEP_NOT_JUDGED, "emitted/candidate"),
        (Mistake.TARGET_NOT_JUDGED, "emitted/candidate"),
        (Mistake.RANGE_NOT_CHECKED, "emitted/candidate"),
        (Mistake.GIVES_WAY_ALWAYS, "emitted/incumbent"),
        (Mistake.HOLD_NOT_JUDGED, "emitted/hold"),
        (Mistake.VERDICT_IGNORED, "available"),
        (Mistake.VERDICT_IGNORED, "emitted/incumbent"),
        (Mistake.STATE_RULES_IGNORED, "removed/INLET-TRIP"),
        (Mistake.GUARD_IGNORED, "removed/guard/candidate"),
        (Mistake.LOCAL_IGNORED, "removed/local"),
        (Mistake.LATCH_FORGOTTEN, "latch/stays"),
        (Mistake.LATCH_FORGOTTEN, "latch/keeps_out"),
        (Mistake.ACTS_WHILE_LATCHED, "latch/keeps_out"),
        (Mistake.HELD_TIME_RESET, "induction/hold"),
        (Mistake.FAILSAFE_FLAPS, "induction/failsafe"),
    ],
)
def test_seeded_mistake_refutes_the_ladder_and_not_the_kernel(
    ladder: Ladder, mistake: Mistake, obligation: str
) -> None:
    """The counterexample is of the mistake: the kernel, asked about the same moment, does not reproduce it."""
    wrong = Ladder(ladder.envelope, ladder.now, *wrong_of(ladder, mistake))
    found = {each.name: each for each in obligations_of(wrong)}[obligation]
    assert found.answer is Answer.UNKNOWN
    assert "does not reproduce" in found.detail
    assert list(shown(found.example, ladder.envelope))


@pytest.mark.parametrize("mistake", [*_OF_THE_RAMP, Mistake.STEP_RANGE_NOT_CHECKED])
def test_ramp_that_waives_too_much_is_refuted(mistake: Mistake) -> None:
    """As `test_a_ladder_with_a_mistake_is_refuted...`, of an envelope in which one setpoint's waiver could be another's."""
    right = ladder_of(both("pumps").envelope)
    wrong = Ladder(right.envelope, right.now, *wrong_of(right, mistake))
    found, sound = (next(obligations_of(of)) for of in (wrong, right))
    assert found.name == sound.name == "emitted/candidate"
    assert (found.answer, sound.answer) == (Answer.UNKNOWN, Answer.PROVED)
    assert "does not reproduce" in found.detail


def wrong_of(ladder: Ladder, mistake: Mistake) -> tuple[Decided, Ground]:
    found = decided(ladder.envelope, ladder.now, exact=False, mistake=mistake)
    return found, Ground([*ladder.now.assumed, *found.facts])


def test_what_the_formulas_say_is_what_z3_says() -> None:
    """The evaluator of formulas is itself held against z3's own."""
    of, drawing = both("tank"), drawing_of("tank", 3)
    given = drawing.moment(of.symbols)
    symbols = symbols_of(of.formulas)
    pairs = [(symbols[name], constant(symbols[name], value)) for name, value in given.items() if name in symbols]
    values = of.evaluate({k: v if isinstance(v, bool) else Fraction(v) for k, v in given.items()})
    for formula, value in zip(of.formulas, values, strict=True):
        simplified = z3.simplify(z3.substitute(formula, *pairs))
        assert z3.is_true(simplified) == value if z3.is_bool(formula) else Fraction(str(simplified)) == value


def constant(symbol: Any, value: float | bool) -> Any:
    if isinstance(value, bool):
        return z3.BoolVal(value)
    return z3.IntVal(int(value)) if z3.is_int(symbol) else z3.RealVal(str(Fraction(value)))
