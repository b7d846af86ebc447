"""Training keeps the envelope's limits, repeats with its seed, and ends in a graph that answers as torch does."""

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

from controller.learning.batched_ramp import Limits, limits_of
from controller.learning.tensors import Tensors
from controller.plants.cooling.training.halls import TrainingHalls
from controller.plants.cooling.training.randomisation import AutomaticSpec, RandomisationSpec
from controller.plants.cooling.training.reward import reward_of, usual_kwh
from controller.plants.cooling.training.spec import CoolingSpec
from controller.plants.cooling.training.training_site import CoolingTrainingSite
from controller.policies.graph import inspect
from simulators.cooling.episode import Episodes, Measured
from simulators.cooling.world.scenario import scenario

pytestmark = pytest.mark.needs("torch")
if find_spec("torch"):
    import torch
    from stable_baselines3 import PPO

    from controller.learning.cloning import clone, watch
    from controller.learning.environment import TrainingEnv
    from controller.learning.export import Actor, ExportError, check, export_actor
    from controller.learning.ppo_training import train_policy

LANES = 3
STILL = np.zeros((LANES, 8))


@pytest.fixture(scope="module")
def limits(site: CoolingTrainingSite) -> Limits:
    return limits_of(site.envelope)


@pytest.fixture
def env(spec: CoolingSpec, tensors: Tensors, site: CoolingTrainingSite) -> "TrainingEnv":
    halls = TrainingHalls(Episodes(scenario("greensboro-train"), 5, LANES, 4), spec.reward)
    return TrainingEnv(halls, tensors, site.envelope, spec.reward)


def tiny(spec: CoolingSpec) -> CoolingSpec:
    """The demo's training, but for its size."""
    world = spec.world.model_copy(update={"lanes": LANES, "episode_steps": 6})
    cloning = spec.clone.model_copy(update={"steps": 5, "epochs": 2, "batch": 8})
    ppo = spec.ppo.model_copy(update={"iterations": 2, "n_steps": 4, "batch_size": 6, "n_epochs": 2, "hidden": [8]})
    return spec.model_copy(update={"world": world, "clone": cloning, "ppo": ppo})


def test_a_step_moves_no_further_than_the_envelope_lets_it(env: "TrainingEnv", limits: Limits) -> None:
    env.reset()
    for answer in (-1.0, 1.0, 1.0):
        before = env.plants.setpoints
        env.step(np.full((LANES, len(limits.names)), answer, dtype=np.float32))
        moved = env.plants.setpoints - before
        assert np.all(moved <= limits.up + 1e-9)
        assert np.all(moved >= -limits.down - 1e-9)


def test_chillers_wait_for_their_timer(env: "TrainingEnv", limits: Limits) -> None:
    env.reset()
    on, off = np.ones((LANES, 8), dtype=np.float32), -np.ones((LANES, 8), dtype=np.float32)
    env.step(on)
    counts = [env.plants.setpoints[0, -1]]
    for _ in range(3):
        env.step(off)
        counts.append(env.plants.setpoints[0, -1])
    assert limits.wait_down[-1] == 3
    assert counts == [2.0, 2.0, 2.0, 1.0]


def test_an_episodes_end_hands_over_its_last_features(env: "TrainingEnv") -> None:
    env.reset()
    for step in range(4):
        features, _, ended, infos = env.step(np.zeros((LANES, 8), dtype=np.float32))
        assert ended.all() == (step == 3)
    assert infos[0]["TimeLimit.truncated"]
    assert not np.array_equal(infos[0]["terminal_observation"], features[0])


def test_heat_costs_its_excess_and_its_square(env: "TrainingEnv", spec: CoolingSpec) -> None:
    env.reset()
    measured = _replaced(env, inlet_max_c=np.full((LANES, 4), spec.reward.inlet_soft_c + 3.0))
    cold = replace(measured, inlet_max_c=np.zeros((LANES, 4)))
    heat = reward_of(cold, spec.reward, 1.0) - reward_of(measured, spec.reward, 1.0)
    np.testing.assert_allclose(heat, spec.reward.inlet_weight * (3.0 + 9.0))


def test_usual_energy_costs_one(env: "TrainingEnv", spec: CoolingSpec) -> None:
    env.reset()
    usual = usual_kwh(scenario("greensboro-train"))
    measured = _replaced(env, inlet_max_c=np.zeros((LANES, 4)), cooling_kwh=np.full(LANES, usual))
    assert reward_of(measured, spec.reward, usual).tolist() == [-1.0] * LANES


def test_a_move_over_all_spans_costs_the_move_weight(env: "TrainingEnv", limits: Limits, spec: CoolingSpec) -> None:
    env.reset()
    moved = env._rewards(np.tile(limits.high - limits.low, (LANES, 1)))
    np.testing.assert_allclose(env._rewards(STILL) - moved, spec.reward.move_weight, rtol=1e-5)


def test_the_clone_comes_nearer_to_the_incumbent(env: "TrainingEnv", spec: CoolingSpec) -> None:
    model = PPO("MlpPolicy", env, n_steps=4, batch_size=12, seed=1, device="cpu")
    seen, commanded = watch(env, 20)
    settings = tiny(spec).clone
    first = clone(model.policy, seen, commanded, settings, 1)
    assert clone(model.policy, seen, commanded, settings.model_copy(update={"epochs": 40}), 1) < 0.5 * first


def test_the_same_seed_gives_the_same_graph_to_the_byte(
    spec: CoolingSpec, tensors: Tensors, site: CoolingTrainingSite
) -> None:
    first, again, other = (train_policy(site, tiny(spec), tensors, seed, lambda line: None).graph for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_the_exported_graph_is_the_actor_and_nothing_else(env: "TrainingEnv", tensors: Tensors) -> None:
    model = PPO("MlpPolicy", env, n_steps=4, batch_size=12, seed=1, device="cpu")
    graph = export_actor(model.policy, len(tensors.inputs))
    found = inspect(graph)
    assert (found.input_shape, found.output_shape) == ((None, len(tensors.inputs)), (None, len(tensors.outputs)))
    assert b"/controller/learning" not in graph


def test_a_graph_that_answers_otherwise_is_refused(env: "TrainingEnv", tensors: Tensors) -> None:
    model = PPO("MlpPolicy", env, n_steps=4, batch_size=12, seed=1, device="cpu")
    graph = export_actor(model.policy, len(tensors.inputs))
    with torch.no_grad():
        model.policy.action_net.bias += 0.01
    with pytest.raises(ExportError, match="differs from torch"):
        check(graph, Actor(model.policy), len(tensors.inputs))


def _replaced(env: "TrainingEnv", **changes: object) -> Measured:
    assert isinstance(env.plants, TrainingHalls)
    return replace(env.plants.measured, **changes)  # type: ignore[arg-type]


def test_training_adapts_the_ranges_of_randomised_plants(
    spec: CoolingSpec, tensors: Tensors, site: CoolingTrainingSite
) -> None:
    how = RandomisationSpec(automatic=AutomaticSpec(episodes=1, edge_frac=1.0))
    lines: list[str] = []
    train_policy(site, tiny(spec).model_copy(update={"randomisation": how}), tensors, 1, lines.append)
    assert "automatic randomisation in the end" in lines[-1]


def test_what_an_interlock_refuses_is_not_done_and_costs(env: "TrainingEnv") -> None:
    """One chiller under more than one carries."""
    env.reset()
    column = env.tensors.signals.index("it_power_kw")
    signals = env.plants.signals.copy()
    signals[:, column] = np.where(np.arange(LANES) == 0, 900.0, 500.0)
    assert isinstance(env.plants, TrainingHalls)
    env.plants.measured = _replaced(env, signals=signals)
    last = env.plants.setpoints.copy()
    commanded = last.copy()
    commanded[:, -1] = 1.0
    refused = env._refused(commanded)
    assert refused[0]
    assert not refused[1:].any()
