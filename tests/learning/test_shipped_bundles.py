"""The bundles that ship with the demo are what they say they are."""

from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from controller.learning.evaluate import bundle_tensors
from controller.plants.cooling.training.score_card import WEEKS
from controller.plants.cooling.training.training_site import CoolingTrainingSite
from controller.policies.bundle import Bundle, load_bundle
from controller.policies.client import ChildCandidate
from controller.policies.features import DAY_US
from controller.policies.server import Run, load
from controller.policies.trust import TrustStore
from controller.protocol import policy_wire
from safety.values import Observation, Signal, Status
from tests.learning.conftest import DEMO

NAMES = ("candidate", "reckless", "stuck", "slow-drift")
YEAR_2023_US = 1_672_531_200_000_000


def shipped(name: str) -> Bundle:
    return load_bundle(DEMO / "bundles" / name, TrustStore.load(DEMO / "trust"))


def runner(bundle: Bundle) -> Run:
    return load(policy_wire.Load(bundle.policy, bundle.manifest.input_width, len(bundle.manifest.outputs)))


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_bundle_is_trusted_small_and_fits_the_site(name: str, site: CoolingTrainingSite) -> None:
    bundle = shipped(name)
    assert bundle.manifest.name == name
    assert bundle.signer == "demo"
    assert bundle.manifest.envelope_digest == site.envelope.digest
    assert bundle_tensors(bundle.manifest, site).inputs == bundle.manifest.inputs
    assert sum(path.stat().st_size for path in (DEMO / "bundles" / name).iterdir()) < 1_000_000


def test_no_private_key_ships() -> None:
    assert not [path for path in DEMO.rglob("*") if path.is_file() and b"PRIVATE KEY" in path.read_bytes()]


def test_score_card_has_the_training_command_and_the_savings() -> None:
    card = shipped("candidate").scorecard
    assert card["command"].startswith("understudy train --site deploy/sites/demo --seed ")
    mean = card["evaluation"]["mean"]["candidate"]
    assert mean["saving_frac"] >= 0.08
    assert mean["saving_held_out_frac"] >= 0.08
    assert mean["veto_frac"] < 0.001
    assert mean["breach_steps"] == 0


def test_the_candidate_answers_the_demos_plant() -> None:
    bundle = shipped("candidate")
    inputs = bundle.manifest.inputs
    seen = Observation(
        plant="hall",
        subject="",
        taken_at=YEAR_2023_US,
        signals={spec.name: Signal(spec.centre) for spec in inputs if spec.kind == "signal"},
        applied={spec.name: spec.centre for spec in inputs if spec.kind == "setpoint"},
    )
    with closing(ChildCandidate(bundle, deadline_us=None)) as candidate:
        (proposal,) = candidate.propose([seen])
    assert proposal.status is Status.OK
    assert len(proposal.targets) == 8


def _spread(bundle: Bundle, days: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Features of the candidate [n, inputs], and the year's phase [n, 1] on these days of 2023."""
    features = np.random.default_rng(0).normal(size=(len(days), bundle.manifest.input_width)).astype(np.float32)
    phase = 2 * np.pi * ((YEAR_2023_US + np.array(days) * DAY_US) % 31_556_952_000_000) / 31_556_952_000_000
    return features, np.cos(phase)[:, None].astype(np.float32)


def test_slow_drift_equals_candidate_in_january_and_wastes_in_may() -> None:
    candidate, drifting, stuck = shipped("candidate"), shipped("slow-drift"), shipped("stuck")
    features, phase = _spread(candidate, [0, 10, 25, 60, 125, 140])
    wanted, given = runner(candidate)(features), runner(drifting)(np.hstack([features, phase]))
    waste = runner(stuck)(features)
    np.testing.assert_allclose(given[:3], wanted[:3], atol=1e-5)
    np.testing.assert_allclose(given[4:], waste[4:], atol=0.03)
    assert not np.allclose(given[3], wanted[3], atol=0.05)


def test_slow_drift_drifts_a_little_each_week_of_spring() -> None:
    candidate, drifting = shipped("candidate"), shipped("slow-drift")
    days = list(range(35, 115, 7))
    features, phase = _spread(candidate, [0] * len(days))
    features[:] = features[0]
    _, phase = _spread(candidate, days)
    given = runner(drifting)(np.hstack([features, phase]))
    steps = np.diff(given[:, 0])
    assert np.all(np.sign(steps) == np.sign(steps[0]))
    assert np.max(np.abs(np.diff(given, axis=0))) < 0.5


def test_the_weeks_of_the_evaluation_are_a_year() -> None:
    assert WEEKS * 7 == 364


def test_replacing_a_bundles_graph_by_anothers_is_noticed() -> None:
    candidate, stuck = shipped("candidate"), shipped("stuck")
    assert replace(candidate, policy=stuck.policy).manifest.weights_sha256 != stuck.manifest.weights_sha256
