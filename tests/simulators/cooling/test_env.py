"""The environments keep gymnasium's contract and are the same plant."""

import numpy as np
from gymnasium.utils.env_checker import check_env

from simulators.cooling.env import CoolingEnv, CoolingVectorEnv


def test_the_single_environment_passes_gymnasiums_checker() -> None:
    check_env(CoolingEnv(episode_steps=20), skip_render_check=True)


def test_one_environment_is_a_batch_of_one() -> None:
    single, batch = CoolingEnv(episode_steps=20), CoolingVectorEnv(3, episode_steps=20)
    first, firsts = single.reset(seed=4)[0], batch.reset(seed=4)[0]
    assert np.array_equal(first, firsts[0])
    action = np.array([0.1, -0.5, -0.4, -0.3, -0.2, 0.5, 0.0, -1.0], dtype=np.float32)
    for _ in range(5):
        observation, reward, *_ = single.step(action)
        observations, rewards, *_ = batch.step(np.tile(action, (3, 1)))
        assert np.array_equal(observation, observations[0])
        assert reward == rewards[0]


def test_all_lanes_restart_in_the_step_that_ends_them() -> None:
    batch = CoolingVectorEnv(2, episode_steps=3)
    batch.reset(seed=0)
    action = np.zeros((2, 8), dtype=np.float32)
    for _ in range(2):
        *_, truncated, info = batch.step(action)
        assert not truncated.any()
    observation, _, terminated, truncated, info = batch.step(action)
    assert truncated.all()
    assert not terminated.any()
    assert not np.array_equal(np.stack(list(info["final_obs"])), observation)
