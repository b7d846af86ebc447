"""Practice: watch the incumbent, clone it, then improve on it by PPO in the batched plant under the envelope's limits."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback

from controller.learning.cloning import clone, watch
from controller.learning.environment import PracticeEnv
from controller.learning.export import export_actor
from controller.plants.cooling.training.randomisation import randomisation_of
from controller.learning.spec import Ppo, TrainingSpec
from controller.learning.tensors import Tensors
from safety.envelope import Envelope
from simulators.cooling.controllers.incumbents import TrimConfig
from simulators.cooling.episode import Episodes
from simulators.cooling.world.adr import Ranges
from simulators.cooling.world.scenario import scenario

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Practised:
    """The graph that came out of a training run, and what it took."""

    graph: bytes
    steps: int
    clone_error: float


def practise(
    spec: TrainingSpec, tensors: Tensors, envelope: Envelope, seed: int, say: Say, folder: Path = Path()
) -> Practised:
    """Train one policy. Deterministic for a seed on one machine and one thread.

    Args:
        spec: of the run.
        tensors: of the policy.
        envelope: that it practises under.
        seed: of everything random.
        say: told of progress.
        folder: where the files lie that the spec names.
    """
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    world = spec.world
    how = None if spec.randomisation is None else randomisation_of(spec.randomisation, folder)
    place = scenario(world.scenario, randomisation=how)
    episodes = Episodes(place, seed, world.lanes, world.episode_steps)
    env = PracticeEnv(episodes, tensors, envelope, spec.reward)
    model = _ppo(env, spec.ppo, seed)
    seen, asked = watch(env, spec.clone.steps, TrimConfig(zones=episodes.scenario.zones))
    error = clone(model.policy, seen, asked, spec.clone, seed)
    say(f"cloned the incumbent from {len(seen)} steps: mean squared error {error:.4f}")
    total = spec.ppo.iterations * spec.ppo.n_steps * world.lanes
    if total:
        model.learn(total, callback=_Progress(say, spec.ppo.iterations))
    if how is not None and how.automatic is not None and episodes.ranges is not None:
        say(f"automatic randomisation in the end: {_shown(episodes.ranges)}")
    return Practised(export_actor(model.policy, len(tensors.inputs)), total + len(seen), error)


def _shown(ranges: Ranges) -> str:
    used = [0.5 * (low + high) for low, high in ranges.table().values()]
    least, most = (sorted(zip(used, ranges.names, strict=True))[i] for i in (0, -1))
    return (
        f"{100.0 * float(np.mean(used)):.0f} % of all ranges, least `{least[1]}` ({100.0 * least[0]:.0f} %), "
        f"most `{most[1]}` ({100.0 * most[0]:.0f} %)"
    )


def _ppo(env: PracticeEnv, settings: Ppo, seed: int) -> PPO:
    rate = settings.learning_rate
    return PPO(
        "MlpPolicy",
        env,
        learning_rate=lambda left: rate * max(left, 0.05),
        n_steps=settings.n_steps,
        batch_size=settings.batch_size,
        n_epochs=settings.n_epochs,
        gamma=settings.gamma,
        gae_lambda=settings.gae_lambda,
        clip_range=settings.clip_range,
        policy_kwargs={
            "net_arch": {"pi": list(settings.hidden), "vf": list(settings.hidden)},
            "log_std_init": settings.log_std_init,
            "ortho_init": True,
        },
        seed=seed,
        device="cpu",
        verbose=0,
    )


class _Progress(BaseCallback):  # type: ignore[misc]
    """One line for every tenth of the run: the mean reward of a step."""

    def __init__(self, say: Say, iterations: int) -> None:
        super().__init__()
        self._say, self._every, self._done = say, max(1, iterations // 10), 0

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        self._done += 1
        if self._done % self._every == 0:
            rewards = self.model.rollout_buffer.rewards
            spread = float(np.exp(self.model.policy.log_std.detach().numpy()).mean())
            self._say(f"iteration {self._done}: mean reward {float(np.mean(rewards)):.4f}, exploring +-{spread:.3f}")
