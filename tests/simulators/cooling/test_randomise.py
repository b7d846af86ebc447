"""Randomised plants are plausible, repeatable and a lane's own; automatic ranges grow where the policy copes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.cooling.env import CoolingVectorEnv
from simulators.cooling.episode import Episodes
from simulators.cooling.physics.params import PARAMETERS, default_params
from simulators.cooling.simulation import start_setpoints
from simulators.cooling.world import adr
from simulators.cooling.world.randomisation import (
    Automatic,
    Randomisation,
    Spread,
    fixed,
    from_params_toml,
    lognormal,
    normal,
    plausible,
    randomised,
    uniform,
)
from simulators.cooling.world.scenario import scenario

LANES = np.arange(50)
STRUCTURAL = {"it_power_slope_frac_per_k", "water_economiser_frac", "air_economiser_frac"}
"""Off by default, so no factor of it is a spread; `training.toml` may give them a distribution."""


def test_every_parameter_has_a_spread_but_those_that_are_off() -> None:
    assert set(plausible()) == set(PARAMETERS) - STRUCTURAL


def test_every_value_lies_in_the_stated_range() -> None:
    plants = randomised(default_params(), Randomisation(), "x", 1, LANES, 0)
    for name, spread in plausible().items():
        values = plants[name]
        assert len(values) == 50
        assert np.all((values >= spread.low) & (values <= spread.high)), name
        assert np.ptp(values) > 0.4 * (spread.high - spread.low), name


def test_a_width_of_zero_is_the_default_plant() -> None:
    plants = randomised(default_params(), Randomisation(width=0.0), "x", 1, LANES, 0)
    assert all(np.all(plants[n] == default_params()[n]) for n in PARAMETERS)


def test_plant_wide_parameters_grow_with_the_number_of_zones() -> None:
    how = Randomisation((("chw_pump_rated_kw", fixed(10.0)), ("fan_rated_kw", fixed(10.0))))
    plants = randomised(default_params(8), how, "x", 1, LANES, 0)
    assert set(plants["chw_pump_rated_kw"]) == {20.0}
    assert set(plants["fan_rated_kw"].ravel()) == {10.0}


def test_each_lane_draws_its_own_plant_each_episode() -> None:
    def fans(lanes: np.ndarray, episode: int) -> np.ndarray:
        return randomised(default_params(), Randomisation(), "x", 1, lanes, episode)["fan_rated_kw"]

    assert np.array_equal(fans(LANES, 3)[7], fans(LANES[7:8], 3)[0])
    assert not np.any(fans(LANES, 3) == fans(LANES, 4))


def test_a_parameter_is_drawn_alike_whatever_else_is_drawn() -> None:
    alone = Randomisation((("fan_rated_kw", plausible()["fan_rated_kw"]),))
    one, all_of_them = (
        randomised(default_params(), how, "x", 1, LANES, 0)["fan_rated_kw"] for how in (alone, Randomisation())
    )
    assert np.array_equal(one, all_of_them)


def test_distributions_have_the_moments_they_are_given() -> None:
    u = (np.arange(20_000) + 0.5) / 20_000
    assert normal(10.0, 2.0).at(u).mean() == pytest.approx(10.0, abs=0.01)
    assert normal(10.0, 2.0).at(u).std() == pytest.approx(2.0, rel=0.02)
    assert np.log(lognormal(10.0, 0.1).at(u)).std() == pytest.approx(0.1, rel=0.02)
    assert uniform(2.0, 6.0).at(u).std() == pytest.approx(4.0 / np.sqrt(12.0), rel=0.01)
    assert set(fixed(3.0).at(u)) == {3.0}


@settings(derandomize=True, max_examples=50, deadline=None)
@given(share=st.floats(0.0, 1.0), kind=st.sampled_from(["uniform", "loguniform", "normal", "lognormal"]))
def test_draws_increase_with_their_quantile_and_half_is_the_middle(share: float, kind: str) -> None:
    spread = Spread(kind, 2.0, 1.5, 4.0)  # type: ignore[arg-type]
    below, middle, above = spread.at(np.array([share * 0.5, 0.5, 0.5 + share * 0.5]))
    assert below <= middle <= above
    assert middle == pytest.approx(2.0)


def test_the_environment_trains_on_spread_plants() -> None:
    world = replace(scenario("greensboro-train"), randomisation=Randomisation())
    env = CoolingVectorEnv(6, world, episode_steps=4)
    env.reset(seed=0, options={"start": np.full(6, 20_000)})
    _, rewards, *_ = env.step(np.zeros((6, 8), dtype=np.float32))
    assert len(set(rewards)) == 6


def _practise(fan: float, episodes: int, lanes: int = 24) -> adr.Ranges:
    """Ranges after some short episodes under fixed setpoints with these fans."""
    how = Randomisation(
        (
            ("fan_flow_ratio", Spread("uniform", 1.3, 0.4, 2.2)),
            ("tower_drift_frac", plausible()["tower_drift_frac"]),
        ),
        automatic=Automatic(episodes=6, step=0.25, edge_frac=1.0),
    )
    world = replace(scenario("greensboro-train"), randomisation=how)
    runs, command = Episodes(world, 3, lanes, 3), start_setpoints(4, lanes)
    command[:, 1:5] = fan
    runs.reset(3)
    for _ in range(episodes):
        while not runs.done:
            runs.step(command)
        runs.reset()
    assert runs.ranges is not None
    return runs.ranges


def test_ranges_grow_from_nothing_to_everything_while_the_policy_copes() -> None:
    start, end = _practise(0.9, 0), _practise(0.9, 10)
    assert np.all(start.used == 0.0)
    assert end.table()["tower_drift_frac"] == (1.0, 1.0)


def test_no_range_grows_while_the_policy_does_not_cope() -> None:
    assert np.all(_practise(0.3, 5).used == 0.0)


def test_only_the_side_the_policy_copes_with_grows() -> None:
    """Weaker fans than the default's heat the racks; stronger ones do not."""
    low, high = _practise(0.55, 10).table()["fan_flow_ratio"]
    assert low <= 0.5
    assert high == 1.0


def test_the_same_seed_gives_the_same_ranges() -> None:
    assert np.array_equal(_practise(0.5, 4).used, _practise(0.5, 4).used)


@settings(derandomize=True, max_examples=60, deadline=None)
@given(seed=st.integers(0, 99), coped=st.lists(st.booleans(), min_size=12, max_size=12))
def test_range_edge_moves_by_one_step_within_the_distribution(seed: int, coped: list[bool]) -> None:
    how = Randomisation(automatic=Automatic(episodes=1, edge_frac=1.0))
    assert how.automatic is not None
    ranges = adr.start(how)
    for episode in range(4):
        shares, edges = adr.drawn(how, ranges, "x", seed, np.arange(12), episode)
        low, high = 0.5 - 0.5 * ranges.used[:, 0], 0.5 + 0.5 * ranges.used[:, 1]
        assert np.all((shares >= low) & (shares <= high))
        then = adr.after(how.automatic, ranges, edges, np.array(coped))
        assert np.abs(then.used - ranges.used).max() <= how.automatic.step + 1e-12
        assert then.used.min() >= 0.0
        assert then.used.max() <= 1.0
        ranges = then


def test_a_calibrated_plant_is_spread_by_its_own_uncertainty(tmp_path: Path) -> None:
    path = tmp_path / "params.toml"
    path.write_text("[parameter.fan_rated_kw]\nvalue = 26.0\nrelative_sd = 0.1\n")
    assert from_params_toml(path) == {"fan_rated_kw": lognormal(26.0, 0.1)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[parameter.flux]\nvalue = 26.0\nrelative_sd = 0.1\n", "`flux`"),
        ("[parameter.fan_rated_kw]\nvalue = 26.0\n", "`fan_rated_kw` needs"),
        ("[parameter.fan_rated_kw\n", "cannot be read"),
    ],
)
def test_a_wrong_params_toml_is_one_clear_error(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "params.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        from_params_toml(path)


def test_an_unknown_parameter_is_one_clear_error() -> None:
    with pytest.raises(ValueError, match="cannot randomise `flux`"):
        Randomisation((("flux", fixed(1.0)),))
