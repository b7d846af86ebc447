"""The evaluation says what service would: refusals cost the candidate its tick and the plant nothing."""

from dataclasses import replace
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest

from controller.learning.tensors import Tensors
from controller.plants.cooling.training.evaluate import evaluate, evaluate_seeds
from controller.plants.cooling.training.hall import Hall
from controller.plants.cooling.training.score_card import WEEKS, held_out_weeks, shown
from safety.rules.state_rules import Novelty

pytestmark = pytest.mark.needs("torch")
if find_spec("torch"):
    from controller.plants.cooling.training.bad_bundles import reckless, stuck

STEPS = 24


def plain(tensors: Tensors) -> SimpleNamespace:
    """As much of a manifest as is looked at, without statistics of novelty."""
    return SimpleNamespace(inputs=tensors.inputs, outputs=tensors.outputs, novelty=None)


def familiar(hall: Hall) -> Hall:
    """The site without its novelty rule, to which a graph without statistics is unknown."""
    rules = tuple(rule for rule in hall.envelope.state_rules if not isinstance(rule, Novelty))
    return replace(hall, envelope=replace(hall.envelope, state_rules=rules))


def test_candidate_without_novelty_statistics_never_acts_and_is_reported(site: Hall, tensors: Tensors) -> None:
    rows = evaluate(stuck(tensors), plain(tensors), tensors, site, 1, steps=2)  # type: ignore[arg-type]
    assert (rows["candidate"]["novelty_frac"], rows["candidate"]["removed_frac"]) == (1.0, 1.0)
    assert rows["candidate"]["energy_kwh"] == pytest.approx(rows["incumbent"]["energy_kwh"], rel=1e-6)


def test_always_refused_candidate_costs_as_much_as_the_incumbent(site: Hall, tensors: Tensors) -> None:
    rows = evaluate(reckless(tensors), plain(tensors), tensors, familiar(site), 1, steps=STEPS)  # type: ignore[arg-type]
    assert rows["candidate"]["veto_frac"] == 1.0
    assert rows["candidate"]["energy_kwh"] == pytest.approx(rows["incumbent"]["energy_kwh"], rel=1e-6)


def test_wasteful_command_inside_the_envelope_raises_the_energy(site: Hall, tensors: Tensors) -> None:
    rows = evaluate(stuck(tensors), plain(tensors), tensors, familiar(site), 1, steps=STEPS)  # type: ignore[arg-type]
    assert rows["candidate"]["veto_frac"] == 0.0
    assert rows["candidate"]["saving_frac"] < -0.1


def test_over_a_third_of_the_year_was_never_trained_on() -> None:
    assert held_out_weeks().shape == (WEEKS,)
    assert 0.3 < np.mean(held_out_weeks()) < 0.5


def test_the_mean_row_keeps_the_hottest_moment_of_all_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    def fake(graph: bytes, manifest: object, tensors: object, hall: object, seed: int) -> dict[str, dict[str, float]]:
        return {"candidate": {"saving_frac": seed / 10, "hottest_c": 20.0 + seed}}

    monkeypatch.setattr("controller.plants.cooling.training.evaluate.evaluate", fake)
    nothing = SimpleNamespace()
    table = evaluate_seeds(b"", nothing, nothing, nothing, (1, 3), lambda line: None)  # type: ignore[arg-type]
    assert table["mean"]["candidate"] == {"saving_frac": 0.2, "hottest_c": 23.0}


def test_the_table_has_a_line_for_each_seed_and_controller(site: Hall, tensors: Tensors) -> None:
    rows = evaluate(stuck(tensors), plain(tensors), tensors, familiar(site), 1, steps=2)  # type: ignore[arg-type]
    assert len(shown({"1": rows, "mean": rows}).splitlines()) == 7
