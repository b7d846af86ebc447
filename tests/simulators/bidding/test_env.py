"""The gymnasium environments."""

from dataclasses import replace

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from simulators.bidding.env import REWARDS, BiddingEnv, BiddingVectorEnv, action_of, multiplier_of
from simulators.bidding.world.observation import FEATURES
from simulators.bidding.world.scenario import SCENARIOS, resized, scenario


def small(name: str = "mixed", per_day: float = 4000.0) -> object:
    """A scenario with little traffic."""
    return resized(scenario(name), per_day)


@pytest.mark.parametrize("campaigns", [1, 3])
def test_the_environment_passes_gymnasiums_checker(campaigns: int) -> None:
    check_env(BiddingEnv(small(), campaigns=campaigns), skip_render_check=True)


def test_gymnasium_makes_both_environments() -> None:
    spec = gymnasium.envs.registration.EnvSpec(
        "understudy/Bidding-v0",
        entry_point="simulators.bidding.env:BiddingEnv",
        vector_entry_point="simulators.bidding.env:BiddingVectorEnv",
        kwargs={"world": small()},
    )
    env = gymnasium.make(spec)
    env.reset(seed=1)
    assert env.step(env.action_space.sample())[0].shape == (16,)
    many = gymnasium.make_vec(spec, num_envs=3, vectorization_mode="vector_entry_point")
    assert many.reset(seed=1)[0].shape == (3, 16)


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_observations_stay_inside_their_space(name: str) -> None:
    world = small(name, 2000.0)
    env = BiddingVectorEnv(3, world, campaigns=2)
    env.action_space.seed(1)
    observation, _ = env.reset(seed=5)
    for _ in range(20):
        assert env.observation_space.contains(observation)
        observation, reward, terminated, truncated, _ = env.step(env.action_space.sample())
        assert reward.shape == terminated.shape == truncated.shape == (3,)


def test_there_are_sixteen_features() -> None:
    assert len(FEATURES) == len(set(FEATURES)) == 16


def test_one_environment_is_the_first_lane_of_a_batch() -> None:
    alone, many = BiddingEnv(small(), campaigns=2), BiddingVectorEnv(4, small(), campaigns=2)
    a, b = alone.reset(seed=11)[0], many.reset(seed=11)[0]
    for tick in range(48):
        assert np.array_equal(a, b[0])
        action = np.full(2, np.sin(tick), dtype=np.float32)
        a, reward, over, _, _ = alone.step(action)
        b, rewards, overs, _, infos = many.step(np.tile(action, (4, 1)))
        assert reward == pytest.approx(rewards[0], rel=1e-6)
        assert over == overs[0] == (tick == 47)
        b = np.stack(infos["final_obs"]) if over else b
    assert np.array_equal(a, b[0])


def test_finished_batch_starts_the_next_flight_in_that_step() -> None:
    env = BiddingVectorEnv(2, small())
    env.reset(seed=3)
    for _ in range(48):
        observation, _, terminated, _, infos = env.step(np.zeros((2, 1), dtype=np.float32))
    assert terminated.all()
    assert infos["final_info"]["score"].shape == (2,)
    fresh = BiddingVectorEnv(2, small())
    assert np.array_equal(observation, fresh.reset(seed=4)[0])


def test_splits_are_other_worlds() -> None:
    def first_traffic(split: str) -> float:
        env = BiddingEnv(small(), split=split)
        env.reset(seed=1)
        return float(env.params.budget_micros[0, 0])

    assert len({first_traffic(split) for split in ("train", "validation", "test")}) == 3


def test_score_rewards_add_up_to_the_score() -> None:
    env = BiddingEnv(small(per_day=20_000.0), campaigns=1, reward="score")
    env.reset(seed=2)
    total, over = 0.0, False
    while not over:
        _, reward, over, _, info = env.step(np.asarray([0.2], dtype=np.float32))
        total += reward
    unit = float(env.params.target_cpa_micros[0, 0] / env.params.budget_micros[0, 0])
    assert total == pytest.approx(info["score"] * unit, rel=1e-9)


def fly(reward: str, by_day: float, by_night: float) -> float:
    """The reward of six baited campaigns, with one multiplier by day and another by night."""
    env = BiddingVectorEnv(6, replace(small("clickbait", 60_000.0), bait_every=1), reward=reward)
    env.reset(seed=7)
    total = 0.0
    for tick in range(48):
        multiplier = by_night if tick >= 40 or tick < 12 else by_day
        total += env.step(np.full((6, 1), action_of(np.asarray(multiplier))))[1].sum()
    return float(total)


def test_bait_raises_a_click_reward_but_not_a_conversion_reward() -> None:
    # Buying the night gets more clicks for the same budget, and less of the value that counts.
    assert fly("clicks", by_day=0.125, by_night=0.8) > 1.2 * fly("clicks", by_day=0.4, by_night=0.125)
    for wanted in ("score", "expected"):
        assert fly(wanted, by_day=0.125, by_night=0.8) < 0.7 * fly(wanted, by_day=0.4, by_night=0.125)


def test_bait_clicks_often_rarely_converts_and_deceives_the_model() -> None:
    env = BiddingEnv(replace(scenario("clickbait"), bait_every=1))
    env.reset(seed=1)
    click, true, predicted = (x[0, 0] for x in (env.params.click_rate, env.params.conversions, env.params.predicted))
    assert click[2] / (0.6 * click[0] + 0.4 * click[1]) == pytest.approx(5.6, rel=1e-5)
    assert true[2] < 0.02 * true[:2].min()
    assert predicted[2] > 0.9 * predicted[0]


def test_actions_and_multipliers_are_inverse() -> None:
    actions = np.linspace(-1, 1, 9, dtype=np.float32)
    assert action_of(multiplier_of(actions)) == pytest.approx(actions, abs=1e-6)
    assert multiplier_of(np.asarray([0.0])) == pytest.approx(1.0)


def test_unknown_names_are_one_clear_error() -> None:
    with pytest.raises(ValueError, match="unknown reward `fame`"):
        BiddingEnv(reward="fame")
    with pytest.raises(ValueError, match="unknown bidding scenario `moon`"):
        BiddingEnv("moon")
    assert len(REWARDS) == 4
    assert replace(scenario("mixed"), name="x").name == "x"
