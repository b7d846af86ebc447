"""Training needs no more of a plant than its training site: a tank of three lines is trained, exported and signed."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from controller.learning.conformal import statistics_of
from controller.learning.spec import Clone, Output, Ppo, Reward, TrainingSpec, World
from controller.learning.tensors import Tensors
from controller.learning.training_site import Control, Say, Table
from controller.policies.bundle import load_bundle
from controller.policies.manifest import Manifest, NoveltyStatistics
from controller.policies.trust import TrustStore
from safety.envelope import Envelope
from safety.loading.spec import load_envelope
from simulators.common.signals import SetpointSpec, SignalSpec
from tests.paths import ROOT

pytestmark = pytest.mark.needs("torch")
if find_spec("torch"):
    from controller.learning.evaluate import evaluate_bundle
    from controller.learning.train import train_candidate

Floats = NDArray[np.float64]
LANES, STEPS, PERIOD_US = 3, 4, 300_000_000


class Tanks:
    """A training site of tanks that warm by a tenth of the heat above 5 kW; the setpoint is 55 C."""

    count = LANES

    def reset(self) -> None:
        self.tank_c, self.heater_kw, self.steps = np.linspace(50.0, 56.0, LANES), np.full(LANES, 5.0), 0

    @property
    def signals(self) -> Floats:
        return self.tank_c[:, None]

    @property
    def setpoints(self) -> Floats:
        return self.heater_kw[:, None]

    @property
    def taken_at(self) -> NDArray[np.int64]:
        return np.full(LANES, self.steps * PERIOD_US)

    @property
    def done(self) -> bool:
        return self.steps == STEPS

    def step(self, setpoints: Floats) -> None:
        self.heater_kw, self.steps = setpoints[:, 0], self.steps + 1
        self.tank_c = self.tank_c + 0.1 * (self.heater_kw - 5.0)

    def reward(self) -> Floats:
        return -np.abs(self.tank_c - 55.0)

    def incumbent(self) -> Control:
        return lambda signals, applied: 5.0 + 2.0 * (55.0 - signals)

    def summary(self) -> str:
        return "three tanks"


class TankSite:
    """Implements `TrainingSite`."""

    signals: Sequence[SignalSpec] = (SignalSpec("tank_c", "C", 40.0, 60.0, "hot water"),)
    setpoints: Sequence[SetpointSpec] = (SetpointSpec("heater_kw", "kW", 0.0, 40.0),)

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.envelope: Envelope = load_envelope(ROOT / "examples" / "third_plant" / "site" / "envelope.toml")

    def training_spec(self) -> TrainingSpec:
        return TrainingSpec(
            schema_version=1,
            name="tank",
            plant_kind="warm_tank",
            control_period_s=300.0,
            signals=["tank_c"],
            output=[Output(setpoint="heater_kw", low=0.0, high=40.0)],
            world=World(scenario="any", lanes=LANES, episode_steps=STEPS),
            reward=Reward(move_weight=0.1, refusal_weight=0.5),
            clone=Clone(steps=5, epochs=2, batch=8, learning_rate=1e-3),
            ppo=Ppo(
                iterations=1,
                n_steps=4,
                batch_size=6,
                n_epochs=1,
                gamma=0.9,
                gae_lambda=0.9,
                learning_rate=1e-3,
                clip_range=0.2,
                log_std_init=-1.0,
                hidden=[4],
            ),
        )

    def training_plants(self, spec: TrainingSpec, seed: int) -> Tanks:
        return Tanks()

    def novelty(self, graph: bytes, tensors: Tensors) -> tuple[NoveltyStatistics, Mapping[str, float]]:
        rows = np.random.default_rng(1).normal(size=(200, len(tensors.inputs) + len(tensors.outputs)))
        return statistics_of(rows, [rows]), {"incumbent": 0.01}

    def evaluate(self, graph: bytes, manifest: Manifest, tensors: Tensors, seeds: Sequence[int], say: Say) -> Table:
        rows = {str(seed): {"candidate": {"cost": float(seed)}} for seed in seeds}
        return {**rows, "mean": {"candidate": {"cost": float(np.mean(seeds))}}}

    def shown(self, table: Table) -> str:
        return f"mean cost {table['mean']['candidate']['cost']:g}"


def test_a_plant_is_trained_for_through_its_training_site(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = TankSite(tmp_path)
    digest = train_candidate(site, tmp_path / "bundle", 1, key=tmp_path / "trust" / "key.pem")
    bundle = load_bundle(tmp_path / "bundle", TrustStore.load(tmp_path / "trust"))
    assert bundle.digest == digest
    assert (bundle.manifest.plant_kind, bundle.manifest.score) == ("warm_tank", {"cost": 102.0})
    assert bundle.scorecard["evaluation_read"] == ["mean cost 102"]
    assert "three tanks" in capsys.readouterr().out

    lines: list[str] = []
    evaluate_bundle(site, tmp_path / "bundle", range(7, 10), lines.append)
    assert lines == ["mean cost 8"]
