"""Both simulators are found by name in gymnasium's registry."""

import gymnasium
import numpy as np
import pytest

from simulators.registered import BIDDING, COOLING


@pytest.mark.parametrize("name", [COOLING, BIDDING])
def test_make_gives_the_environment_itself(name: str) -> None:
    env = gymnasium.make(f"simulators.registered:{name}")
    first, _ = env.reset(seed=3)
    again, _ = env.reset(seed=3)
    assert np.array_equal(first, again)
    after, reward, _, _, _ = env.step(env.action_space.sample())
    assert env.observation_space.contains(after)
    assert np.isfinite(reward)
    env.close()


@pytest.mark.parametrize("name", [COOLING, BIDDING])
def test_make_vec_gives_the_batch_and_not_so_many_copies(name: str) -> None:
    envs = gymnasium.make_vec(name, num_envs=3)
    assert type(envs.unwrapped).__module__.startswith("simulators.")
    observations, _ = envs.reset(seed=3)
    assert observations.shape[0] == envs.num_envs == 3
    envs.close()


@pytest.mark.parametrize(("name", "option"), [(COOLING, "name"), (BIDDING, "world")])
def test_an_unknown_scenario_is_one_clear_error(name: str, option: str) -> None:
    with pytest.raises((KeyError, ValueError), match="atlantis"):
        gymnasium.make(name, **{option: "atlantis"})
