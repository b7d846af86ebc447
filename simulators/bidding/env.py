"""gymnasium environments: one account (`BiddingEnv`) and a batch of accounts (`BiddingVectorEnv`)."""

from typing import Any, Literal

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from simulators.bidding.physics.params import Params
from simulators.bidding.physics.state import State, initial
from simulators.bidding.physics.step import Outputs, step
from simulators.bidding.tools.evaluate import soft_score
from simulators.bidding.world.build import build
from simulators.bidding.world.observation import FEATURES, account, features
from simulators.bidding.world.scenario import SPLIT_SIZE, Scenario, scenario, split_seed
from simulators.bidding.world.streams import Noise

Reward = Literal["score", "conversions", "expected", "clicks"]
REWARDS: tuple[Reward, ...] = ("score", "conversions", "expected", "clicks")
MULTIPLIER_SPAN = 8.0
FEATURE_MAX = 10.0
Float32s = NDArray[np.float32]
Floats = NDArray[np.float64]


def multiplier_of(action: NDArray[np.floating[Any]]) -> Floats:
    """Multipliers of actions in [-1, 1]: 0 bids at target, the ends are an eighth and eight times that."""
    return np.asarray(MULTIPLIER_SPAN ** np.clip(action.astype(np.float64), -1.0, 1.0))


def action_of(multiplier: NDArray[np.floating[Any]]) -> Float32s:
    """The action nearest to a multiplier."""
    low = np.maximum(multiplier, 1 / MULTIPLIER_SPAN)
    return np.asarray(np.clip(np.log(low) / np.log(MULTIPLIER_SPAN), -1.0, 1.0), dtype=np.float32)


def reward_of(kind: Reward, before: State, after: State, outputs: Outputs, params: Params) -> Floats:
    """Reward of a tick per lane and campaign [L, C]; one unit is what the whole budget buys at target.

    `score`: the gain in E[conv] * min(1, (K / CPA)^2), so an episode's rewards add up to its score. `expected`: gain in
    E[conv]. `conversions`: those that result from this tick's clicks. `clicks`: clicks at the mean predicted rate of
    conversions per click, which is the reward that clickbait hacks.
    """
    per_unit = params.target_cpa_micros / params.budget_micros
    if kind == "score":
        return np.asarray((_score(after, params) - _score(before, params)) * per_unit)
    if kind == "expected":
        return np.asarray(outputs.expected_conversions * per_unit)
    if kind == "conversions":
        return np.asarray(outputs.conversions * per_unit)
    return np.asarray(outputs.clicks * params.predicted.mean(axis=2) * per_unit)


def _score(state: State, params: Params) -> Floats:
    """The soft score of the flight so far."""
    return soft_score(state.expected_pico * 1e-12, state.incurred_micros.astype(np.float64), params.target_cpa_micros)


def _observe(state: State, params: Params) -> Float32s:
    """Features of all campaigns in a row, within the observation space: [L, C * 16]."""
    flat = features(account(state, params)).reshape(params.shape[0], -1)
    return np.clip(flat, 0.0, FEATURE_MAX)


def _spaces(campaigns: int) -> tuple[gymnasium.spaces.Box, gymnasium.spaces.Box]:
    """Observation and action space of one account."""
    return (
        gymnasium.spaces.Box(0.0, FEATURE_MAX, (campaigns * len(FEATURES),), np.float32),
        gymnasium.spaces.Box(-1.0, 1.0, (campaigns,), np.float32),
    )


def _check_reward(kind: str) -> None:
    """Refuse an unknown reward."""
    if kind not in REWARDS:
        raise ValueError(f"unknown reward `{kind}`: choose one of {list(REWARDS)}")


class BiddingVectorEnv(gymnasium.vector.VectorEnv):  # type: ignore[misc]  # gymnasium ships no usable types
    """`num_envs` accounts of `campaigns` campaigns, one flight an episode; all end together and reset in the same step.

    An episode is a seed of the scenario's split; lanes are its lanes. A seed given to `reset` names the first
    episode, later episodes follow it. The last observation of an episode is in `infos["final_obs"]`.
    """

    metadata: dict[str, Any] = {"render_modes": [], "autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012 - gymnasium's own form

    def __init__(
        self,
        num_envs: int = 1,
        world: str | Scenario = "mixed",
        campaigns: int = 1,
        split: str = "train",
        reward: Reward = "score",
    ) -> None:
        _check_reward(reward)
        self.world = scenario(world) if isinstance(world, str) else world
        self.num_envs, self.campaigns, self.split, self.reward = num_envs, campaigns, split, reward
        self.single_observation_space, self.single_action_space = _spaces(campaigns)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._episode = -1

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Float32s, dict[str, Any]]:
        """Start an episode in every lane; the first entry of a list of seeds counts."""
        first = seed[0] if isinstance(seed, list) else seed
        if first is not None:
            super().reset(seed=first)
            self._episode = first % SPLIT_SIZE
        elif self._episode < 0:
            self._episode = int(self.np_random.integers(SPLIT_SIZE))
        else:
            self._episode = (self._episode + 1) % SPLIT_SIZE
        self._begin()
        return _observe(self.state, self.params), {}

    def _begin(self) -> None:
        """Build the episode's accounts."""
        index = split_seed(self.split, self._episode)
        self.noise = Noise(self.world.name, (index,) * self.num_envs, tuple(range(self.num_envs)))
        self.params = build(self.world, self.noise, self.campaigns)
        self.state = initial(self.params)

    def step(
        self, actions: Float32s
    ) -> tuple[Float32s, Float32s, NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Advance every account by one tick; reward is the mean over its campaigns."""
        before = self.state
        multiplier = multiplier_of(np.asarray(actions).reshape(self.num_envs, self.campaigns))
        self.state, outputs = step(before, multiplier, self.params, self.noise)
        reward = reward_of(self.reward, before, self.state, outputs, self.params).mean(axis=1).astype(np.float32)
        over = self.state.tick >= self.params.ticks
        truncated = np.zeros(self.num_envs, dtype=np.bool_)
        observation = _observe(self.state, self.params)
        infos = _infos(outputs)
        if over:
            infos |= self._final(observation)
            observation, _ = self.reset()
        return observation, reward, np.full(self.num_envs, over), truncated, infos

    def _final(self, observation: Float32s) -> dict[str, Any]:
        """Results of the finished episode in gymnasium's layout: values and masks."""
        score = _score(self.state, self.params).sum(axis=1)
        every = np.ones(self.num_envs, dtype=np.bool_)
        last = np.empty(self.num_envs, dtype=object)
        last[:] = list(observation)
        return {
            "final_obs": last,
            "_final_obs": every,
            "final_info": {"score": score, "_score": every},
            "_final_info": every,
        }


def _infos(outputs: Outputs) -> dict[str, Any]:
    """Sums of a tick per lane, with gymnasium's masks."""
    values = {
        "clicks": outputs.clicks.sum(axis=1),
        "conversions": outputs.conversions.sum(axis=1),
        "incurred_micros": outputs.incurred_micros.sum(axis=1),
    }
    masks = {f"_{name}": np.ones(len(value), dtype=np.bool_) for name, value in values.items()}
    return values | masks


class BiddingEnv(gymnasium.Env):  # type: ignore[misc]  # gymnasium ships no usable types
    """One account of `campaigns` campaigns; an episode is a flight. A batch of one of the same step.

    Observation: the sixteen features of each campaign in a row. Action: one number in [-1, 1] per campaign.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - gymnasium's own form

    def __init__(
        self, world: str | Scenario = "mixed", campaigns: int = 1, split: str = "train", reward: Reward = "score"
    ) -> None:
        _check_reward(reward)
        self.world = scenario(world) if isinstance(world, str) else world
        self.campaigns, self.split, self.reward = campaigns, split, reward
        self.observation_space, self.action_space = _spaces(campaigns)
        self.render_mode = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Float32s, dict[str, Any]]:
        """Start a flight: the seed names it, or one of the split is drawn."""
        super().reset(seed=seed)
        index = split_seed(self.split, int(self.np_random.integers(SPLIT_SIZE)) if seed is None else seed % SPLIT_SIZE)
        self.noise = Noise(self.world.name, (index,), (0,))
        self.params = build(self.world, self.noise, self.campaigns)
        self.state = initial(self.params)
        return _observe(self.state, self.params)[0], {}

    def step(self, action: Float32s) -> tuple[Float32s, float, bool, bool, dict[str, Any]]:
        """Advance one tick."""
        before = self.state
        multiplier = multiplier_of(np.asarray(action).reshape(1, self.campaigns))
        self.state, outputs = step(before, multiplier, self.params, self.noise)
        reward = float(reward_of(self.reward, before, self.state, outputs, self.params).mean())
        over = self.state.tick >= self.params.ticks
        info: dict[str, Any] = {n: v[0] for n, v in _infos(outputs).items() if not n.startswith("_")}
        if over:
            info["score"] = float(_score(self.state, self.params).sum())
        return _observe(self.state, self.params)[0], reward, over, False, info
