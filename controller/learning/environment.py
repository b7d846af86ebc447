"""The batched plant as Stable-Baselines3 wants it: one `VecEnv`, one step for all lanes, no process and no loop over them.

The policy's answer becomes targets by the manifest's outputs, and targets become steps by the envelope's slews and dwells,
so that what is learned holds under the envelope. The range of each output lies inside the envelope's bounds. What an
interlock refuses is not done, the last command stands, and it costs: a policy that is refused seldom is worth more.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv

from controller.learning.batched_ramp import limits_of
from controller.learning.spec import Reward
from controller.learning.tensors import Tensors
from controller.learning.training_site import TrainingPlants
from safety.envelope import Envelope
from safety.forms.vectorised import Batch, accepts
from safety.rules.command_rules import Interlock
from safety.values import Rung

Floats = NDArray[np.float64]
_LIMIT = 10.0


class TrainingEnv(VecEnv):  # type: ignore[misc]
    """Training plants under the candidate's normalised answers."""

    def __init__(self, plants: TrainingPlants, tensors: Tensors, envelope: Envelope, reward: Reward) -> None:
        self.plants, self.tensors, limits = plants, tensors, limits_of(envelope)
        self._limits, self._reward, self._period_s = limits, reward, envelope.period_us / 1e6
        interlocks = tuple(rule for rule in envelope.command_rules if isinstance(rule, Interlock))
        self._interlocks = replace(envelope, command_rules=interlocks)
        width, count = len(tensors.inputs), len(tensors.outputs)
        super().__init__(
            plants.count,
            gym.spaces.Box(-_LIMIT, _LIMIT, (width,), np.float32),
            gym.spaces.Box(-1.0, 1.0, (count,), np.float32),
        )
        self._span = limits.high - limits.low

    def reset(self) -> NDArray[np.float32]:
        """Features [n, inputs] of new episodes."""
        self.plants.reset()
        self._since = np.full((self.num_envs, len(self._limits.names)), 1_000.0)
        return self.features()

    def features(self) -> NDArray[np.float32]:
        """The policy's inputs now, [n, inputs]."""
        return self.tensors.features(self.plants.signals, self.plants.setpoints, self.plants.taken_at)

    def step_async(self, actions: NDArray[np.float32]) -> None:
        self._actions = actions

    def step_wait(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        """One control step of every lane. All episodes end together; the terminal features go into `infos`."""
        targets = self.tensors.targets(self._actions)
        refused = self._refused(targets)
        targets = np.where(refused[:, None], self.plants.setpoints, targets)
        rewards = self.advance(targets) - np.float32(self._reward.refusal_weight) * refused.astype(np.float32)
        features = self.features()
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        done = self.plants.done
        if done:
            for info, last in zip(infos, features, strict=True):
                info.update({"terminal_observation": last, "TimeLimit.truncated": True})
            features = self.reset()
        return features, rewards, np.full(self.num_envs, done), infos

    def advance(self, targets: Floats) -> NDArray[np.float32]:
        """Ramp towards `targets` [n, k] under the limits, run one control step, return rewards [n]."""
        last = self.plants.setpoints
        step = self._limits.ramp(targets, last, self._since)
        changed = self._limits.discrete & (step != last)
        self._since = np.where(changed, 0.0, self._since) + 1.0
        self.plants.step(step)
        return self._rewards(step - last)

    def _refused(self, targets: Floats) -> NDArray[np.bool_]:
        """Whether an interlock refuses target or step, [n]."""
        names, last = self._limits.names, self.plants.setpoints
        step = self._limits.ramp(targets, last, self._since)
        batch = Batch(
            target=dict(zip(names, targets.T, strict=True)),
            step=dict(zip(names, step.T, strict=True)),
            signals=dict(zip(self.tensors.signals, self.plants.signals.T, strict=True)),
            dt_s=np.full(self.num_envs, self._period_s),
            last=dict(zip(names, last.T, strict=True)),
        )
        return ~accepts(self._interlocks, Rung.CANDIDATE, batch)

    def _rewards(self, moved: Floats) -> NDArray[np.float32]:
        """[n], after setpoints moved by `moved` [n, k]."""
        moves = self._reward.move_weight * np.mean(np.abs(moved) / self._span, axis=1)
        rewards: NDArray[np.float32] = (self.plants.reward() - moves).astype(np.float32)
        return rewards

    def close(self) -> None:
        """Nothing to close."""

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Episodes are seeded where they are made."""
        return [None] * self.num_envs

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        return [getattr(self, attr_name, None)] * self.num_envs

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        raise NotImplementedError(attr_name)

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        raise NotImplementedError(method_name)

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        return [False] * self.num_envs
