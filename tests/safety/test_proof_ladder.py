"""The prover's ladder is the kernel's: the same moments, the same rung, command and memory. And what is proved of it."""

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import pytest

z3 = pytest.importorskip("z3")

from safety.envelope import Envelope  # noqa: E402
from safety.proof.ladder import Decided, Mistake, decided  # noqa: E402
from safety.proof.moment import RUNGS, moment  # noqa: E402
from safety.proof.replay import call_of, without_inputs  # noqa: E402
from safety.spec import build_envelope, load_envelope  # noqa: E402
from safety.values import Ruling, Rung, Source  # noqa: E402
from tests.safety.formulas import evaluator, symbols_of  # noqa: E402
from tests.safety.golden import FOLDER, model_of  # noqa: E402
from tests.safety.many import envelope_of  # noqa: E402
from tests.safety.moments import Drawing, Drawn  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
ENVELOPES = {
    "small": lambda: build_envelope(model_of({})),
    "demo": lambda: load_envelope(ROOT / "deploy/sites/demo/envelope.toml"),
    "bidding": lambda: load_envelope(ROOT / "deploy/sites/bidding/envelope.toml"),
    "tank": lambda: load_envelope(ROOT / "examples/third_plant/site/envelope.toml"),
    "many": lambda: envelope_of(3, setpoints=6, signals=8, rules=40),
}
SOURCES = tuple(Source)
USUAL = {name: FOLDER.usual(name)["signals"] for name in ("small", "demo", "bidding")}


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
        return told(values, self.names)

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


def told(values: list[Any], names: Sequence[str]) -> dict[str, Any]:
    rest = iter(values)
    said = {"rung": RUNGS[int(next(rest))], "entry": int(next(rest)), "held_us": next(rest), "latched": next(rest)}
    said["removed"] = tuple(source for source in SOURCES if next(rest))
    waits = (len(values) - 7) // 3 - 1 - len(names)
    for source in SOURCES:
        accepted, step = next(rest), {name: next(rest) for name in names}
        said[source] = (accepted, step, tuple(next(rest) for _ in range(waits)))
    return said


def drawing_of(name: str, seed: int) -> Drawing:
    return Drawing(both(name).envelope, seed, USUAL.get(name))


@cache
def both(name: str) -> Both:
    return Both(ENVELOPES[name]())


def differences(of: Both, given: Drawn) -> list[str]:
    """What the prover's ladder and the kernel say differently of one moment."""
    said, ruling = of.predicted(given), of.ruling(given)
    ids = [entry.id for entry in of.envelope.failsafe]
    place = -1 if ruling.memory.failsafe is None else ids.index(ruling.memory.failsafe)
    pairs = {
        "rung": (said["rung"], ruling.command.rung),
        "removed": (tuple(sorted(said["removed"])), ruling.removed),
        "entry": (said["entry"], place),
        "held_us": (said["held_us"], ruling.memory.held_us),
        "latched": (said["latched"], bool(ruling.memory.latches)),
    }
    for judgement in ruling.judgements:
        source = Source(judgement.rung.value)
        accepted, step, waiting = said[source]
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
    for _ in range(400):
        given = drawing.moment(of.symbols)
        found = differences(of, given)
        assert not found, (found, given)
        rungs[of.ruling(given).command.rung] += 1
    assert (
        min(rungs[Rung.CANDIDATE], rungs[Rung.INCUMBENT], rungs[Rung.HOLD], rungs[Rung.FAILSAFE]) > 5
        or not of.envelope.failsafe
    )
