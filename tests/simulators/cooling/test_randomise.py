"""Randomised plants are plausible, repeatable and a lane's own."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from simulators.cooling.env import CoolingVectorEnv
from simulators.cooling.params import DESCRIPTIONS, default_params
from simulators.cooling.randomise import AutoWidth, Randomisation, from_params_toml, plausible, randomised
from simulators.cooling.scenario import scenario

LANES = np.arange(50)


def test_every_factor_lies_in_the_stated_range() -> None:
    plants = randomised(default_params(), Randomisation(), "x", 1, LANES, 0)
    for name, (low, high) in plausible().items():
        factors = getattr(plants, name) / getattr(default_params(), name)
        assert factors.shape == (50, 1)
        assert np.all((factors >= low) & (factors <= high)), name
        assert np.ptp(factors) > 0.5 * (high - low), name


def test_a_width_of_zero_is_the_default_plant() -> None:
    plants = randomised(default_params(), Randomisation(width=0.0), "x", 1, LANES, 0)
    assert all(np.all(getattr(plants, n) == getattr(default_params(), n)) for n in DESCRIPTIONS)


def test_a_lanes_plant_is_its_own_and_changes_with_the_episode() -> None:
    def fans(lanes: np.ndarray, episode: int) -> np.ndarray:
        return randomised(default_params(), Randomisation(), "x", 1, lanes, episode).fan_rated_kw

    assert fans(LANES, 3)[7] == fans(LANES[7:8], 3)[0]
    assert not np.any(fans(LANES, 3) == fans(LANES, 4))


def test_the_environment_trains_on_spread_plants_and_adapts_its_width() -> None:
    world = replace(scenario("greensboro-train"), randomisation=Randomisation())
    env = CoolingVectorEnv(6, world, episode_steps=4)
    env.reset(seed=0, options={"start": np.full(6, 20_000)})
    _, rewards, *_ = env.step(np.zeros((6, 8), dtype=np.float32))
    assert len(set(rewards)) == 6
    env.episodes.width = 0.0
    env.reset(seed=0, options={"start": np.full(6, 20_000)})
    assert np.ptp(env.episodes.params.fan_rated_kw) == 0.0


def test_the_spread_grows_while_the_policy_copes_and_shrinks_while_it_does_not() -> None:
    width = AutoWidth(0.5)
    assert width.after(0.9).width == pytest.approx(0.55)
    assert width.after(0.6).width == 0.5
    assert width.after(0.1).width == pytest.approx(0.45)
    assert AutoWidth(1.0).after(1.0).width == 1.0


def test_a_calibrated_plant_is_spread_by_its_own_uncertainty(tmp_path: Path) -> None:
    path = tmp_path / "params.toml"
    path.write_text("[parameter.fan_rated_kw]\nvalue = 26.0\nrelative_sd = 0.1\n")
    (name, low, high), *_ = from_params_toml(path).factors
    assert (name, low, high) == ("fan_rated_kw", pytest.approx(2 * np.exp(-0.2)), pytest.approx(2 * np.exp(0.2)))
    path.write_text("[parameter.flux]\nvalue = 26.0\nrelative_sd = 0.1\n")
    with pytest.raises(ValueError, match="`flux`"):
        from_params_toml(path)
