"""Vote and plausibility in symbols are the kernel's, and their theorems are refuted where a mistake is put in."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

z3 = pytest.importorskip("z3")

from safety.inputs import Vote  # noqa: E402
from safety.loading.spec import build_envelope  # noqa: E402
from safety.proof.about_inputs import (  # noqa: E402
    inputs_are_sound,
    plausibility_in_symbols,
    plausibility_of,
    sensors_of,
    vote_in_symbols,
)
from safety.proof.solver import Answer  # noqa: E402
from tests.safety.support.formulas import evaluator  # noqa: E402
from tests.safety.support.golden import model_of  # noqa: E402


def exact(given: dict[str, Any]) -> dict[str, Any]:
    return {name: value if isinstance(value, bool) else Fraction(value) for name, value in given.items()}


def test_the_vote_in_symbols_is_the_kernels() -> None:
    voted, draw = vote_in_symbols(), np.random.default_rng(1)
    evaluate = evaluator([voted.value, voted.good])
    kinds = set()
    for _ in range(4000):
        given: dict[str, Any] = {f"sensor.{name}": float(draw.integers(-40, 41)) / 8 for name in "abc"}
        given |= {f"good.{name}": bool(draw.random() < 0.8) for name in "abc"}
        given |= {"deviation": float(draw.integers(0, 20)) / 8, "safe_side_high": bool(draw.random() < 0.5)}
        side = "high" if given["safe_side_high"] else "low"
        vote = Vote(id="V", signal="v", sensors=("a", "b", "c"), deviation=given["deviation"], safe_side=side)
        signal, _ = vote.managed(sensors_of(given), (), 0)
        assert signal is not None
        value, good = evaluate(exact(given))
        assert good == signal.good
        assert not good or value == Fraction(signal.value)
        kinds.add((good, sum(given[f"good.{name}"] for name in "abc")))
    assert {(True, 3), (False, 3), (True, 2), (False, 1), (False, 0)} <= kinds


def test_the_plausibility_in_symbols_is_the_kernels() -> None:
    believed, draw = plausibility_in_symbols(), np.random.default_rng(2)
    evaluate = evaluator([believed.good])
    answers = []
    for _ in range(4000):
        given: dict[str, Any] = {"value": float(draw.integers(-8, 40)) / 8, "before": float(draw.integers(0, 32)) / 8}
        given |= {"low": 0.0, "high": 4.0, "rate_per_s": float(draw.integers(0, 9)) / 8, "stuck_us": 60e6}
        given |= {name: float(draw.integers(0, 5)) * 1e6 for name in ("since_us", "elapsed_us")}
        given["unchanged_us"] = float(draw.integers(40, 70)) * 1e6
        given |= {
            name: bool(draw.random() < 0.85) for name in ("raw_good", "seen_before", "agrees_known", "agrees_holds")
        }
        kind, signals, state, elapsed_us = plausibility_of(given)
        signal, _ = kind.managed(signals, state, elapsed_us)
        assert signal is not None
        assert evaluate(exact(given)) == [signal.good], given
        answers.append(signal.good)
    assert 0.1 < sum(answers) / len(answers) < 0.9


def test_every_input_manager_theorem_is_proved_with_mistakes_found() -> None:
    found = list(inputs_are_sound(build_envelope(model_of({}))))
    assert {each.name.split("/")[0] for each in found} == {"vote", "plausibility"}
    assert all(each.answer is Answer.PROVED and each.seeded for each in found)
