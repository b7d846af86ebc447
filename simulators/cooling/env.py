"""gymnasium environments around the plant: one natively batched, and a single one that is a batch of one."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from simulators.cooling.episode import Episodes, Floats, Measured
from simulators.cooling.scaling import OBSERVATION_LIMIT, Scaling
from simulators.cooling.world.scenario import Scenario, scenario

DAY_STEPS = 288
INLET_LIMIT_C = 27.0
COOLING_SHARE = 0.15
PENALTY_PER_K = 1.0


def reward(measured: Measured, it_design_kwh: float) -> Floats:
    """`[n]`: -1 for cooling that takes 15 % of design IT energy, -1 for each kelvin above 27 C, mean of zones."""
    above = np.maximum(measured.inlet_max_c - INLET_LIMIT_C, 0.0)
    penalty = np.add.reduce(above, axis=1) * (PENALTY_PER_K / above.shape[1])
    return np.asarray(-measured.cooling_kwh / (COOLING_SHARE * it_design_kwh) - penalty)


class CoolingVectorEnv(gym.vector.VectorEnv):  # type: ignore[misc]
    """`num_envs` plants in one batched step. All lanes end together; the reset happens in the same step.

    Actions and observations are normalised as `Scaling` says. `info` carries engineering units: `signals`, `setpoints`,
    `readback`, `inlet_max_c`, `cooling_kwh`, `it_kwh`, `parts_kwh`, one row for each lane.
    """

    metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012  # gymnasium's contract

    def __init__(
        self,
        num_envs: int = 1,
        name: str | Scenario = "greensboro-train",
        episode_steps: int = DAY_STEPS,
        seed: int = 0,
    ) -> None:
        world = name if isinstance(name, Scenario) else scenario(name)
        self.num_envs, self.scenario, self.scaling = num_envs, world, Scaling(world.zones)
        self.episodes = Episodes(world, seed, num_envs, episode_steps)
        width, actions = len(self.scaling.signals) + len(self.scaling.setpoints), len(self.scaling.setpoints)
        limit = OBSERVATION_LIMIT
        self.single_observation_space = gym.spaces.Box(-limit, limit, (width,), np.float32)
        self.single_action_space = gym.spaces.Box(-1.0, 1.0, (actions,), np.float32)
        self.observation_space = gym.vector.utils.batch_space(self.single_observation_space, num_envs)
        self.action_space = gym.vector.utils.batch_space(self.single_action_space, num_envs)
        self._it_design_kwh = float(np.sum(world.params()["it_design_kw"])) * 300.0 / 3600.0
        self._started = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Observations `[n, ..]` of new episodes; `options={"start": [n nodes]}` fixes where in the year they begin."""
        if seed is not None:
            super().reset(seed=seed)
        self._started = True
        measured = self.episodes.reset(seed, None if options is None else options.get("start"))
        return self._observation(measured), _info(measured)

    def step(
        self, actions: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], Floats, NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Five minutes under normalised actions `[n, ..]`."""
        if not self._started:
            raise gym.error.ResetNeeded("call `reset` before `step`")
        measured = self.episodes.step(self.scaling.command(actions))
        observation, rewards, info = self._observation(measured), reward(measured, self._it_design_kwh), _info(measured)
        ended = np.full(self.num_envs, self.episodes.done)
        if self.episodes.done:
            finals = np.empty(self.num_envs, dtype=object)
            finals[:] = list(observation)
            last_info = info
            observation, info = self.reset()
            info = {**info, "final_obs": finals, "_final_obs": ended, "final_info": last_info, "_final_info": ended}
        return observation, rewards, np.zeros(self.num_envs, dtype=np.bool_), ended, info

    def _observation(self, measured: Measured) -> NDArray[np.float32]:
        return self.scaling.observation(measured.signals, measured.setpoints)


def _info(measured: Measured) -> dict[str, Any]:
    return {name: getattr(measured, name) for name in Measured.__dataclass_fields__}


class CoolingEnv(gym.Env):  # type: ignore[misc]
    """One plant: the first lane of `CoolingVectorEnv`, without the automatic reset."""

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012  # gymnasium's contract

    def __init__(
        self, name: str | Scenario = "greensboro-train", episode_steps: int = DAY_STEPS, seed: int = 0
    ) -> None:
        self._batch = CoolingVectorEnv(1, name, episode_steps, seed)
        self.scenario, self.scaling, self.episodes = self._batch.scenario, self._batch.scaling, self._batch.episodes
        self.observation_space = self._batch.single_observation_space
        self.action_space = self._batch.single_action_space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """The observation of a new episode; `options={"start": [node]}` fixes where in the year it begins."""
        super().reset(seed=seed)
        observation, info = self._batch.reset(seed=seed, options=options)
        return observation[0], _first(info)

    def step(self, action: NDArray[np.float32]) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Five minutes under one normalised action."""
        measured = self.episodes.step(self.scaling.command(np.asarray(action)[None, :]))
        observation = self.scaling.observation(measured.signals, measured.setpoints)[0]
        value = float(reward(measured, self._batch._it_design_kwh)[0])
        return observation, value, False, self.episodes.done, _first(_info(measured))


def _first(info: dict[str, Any]) -> dict[str, Any]:
    return {name: value[0] for name, value in info.items()}
