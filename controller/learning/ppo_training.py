"""Training: watch the incumbent, clone it, then improve on it by PPO in the batched plant under the envelope's limits."""

from dataclasses import dataclass

import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback

from controller.learning.cloning import clone, watch
from controller.learning.environment import TrainingEnv
from controller.learning.export import export_actor
from controller.learning.spec import Ppo
from controller.learning.tensors import Tensors
from controller.learning.training_site import Say, Spec, TrainingSite


@dataclass(frozen=True, slots=True)
class TrainedPolicy:
    """The graph that came out of a training run, and what it took."""

    graph: bytes
    steps: int
    clone_error: float


def train_policy(site: TrainingSite[Spec], spec: Spec, tensors: Tensors, seed: int, say: Say) -> TrainedPolicy:
    """Train one policy on the site's training plants, under its envelope. One seed, machine and thread give one graph.

    Args:
        site: whose plants and envelope it is trained with.
        spec: of the run.
        tensors: of the policy.
        seed: of everything random.
        say: called with each line of progress.
    """
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    plants = site.training_plants(spec, seed)
    env = TrainingEnv(plants, tensors, site.envelope, spec.reward)
    model = _ppo(env, spec.ppo, seed)
    seen, targets = watch(env, spec.clone.steps)
    error = clone(model.policy, seen, targets, spec.clone, seed)
    say(f"cloned the incumbent from {len(seen)} steps: mean squared error {error:.4f}")
    total = spec.ppo.iterations * spec.ppo.n_steps * plants.count
    if total:
        model.learn(total, callback=_Progress(say, spec.ppo.iterations))
    if summary := plants.summary():
        say(summary)
    return TrainedPolicy(export_actor(model.policy, len(tensors.inputs)), total + len(seen), error)


def _ppo(env: TrainingEnv, settings: Ppo, seed: int) -> PPO:
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
