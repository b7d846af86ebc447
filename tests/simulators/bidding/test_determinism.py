"""Same bits from the same (scenario, seed, lane, actions), in any batch, chunk, process or backend."""

from collections.abc import Callable
from dataclasses import fields, replace
from itertools import pairwise

import numpy as np
import pytest

from simulators.bidding.physics.params import Params
from simulators.bidding.physics.state import State, from_bytes, initial, to_bytes
from simulators.bidding.physics.step import step
from simulators.bidding.world.build import build
from simulators.bidding.world.scenario import SCENARIOS, SPLITS, resized, scenario, split_seed
from simulators.bidding.world.streams import Noise, generator, restart, streams


def fly(params: Params, noise: Noise, ticks: int = 12, chunk: int = 1 << 16, state: State | None = None) -> State:
    """Some ticks at multipliers that differ by campaign and tick, the same for every lane."""
    state = state or initial(params)
    for _ in range(ticks):
        row = 0.5 + 0.3 * ((np.arange(params.shape[1]) + state.tick) % 5)
        state, _ = step(state, np.broadcast_to(row, params.shape), params, noise, chunk)
    return state


def assert_same(left: State, right: State, lane: int | None = None) -> None:
    """Every bit equal; with `lane`, `right` is that lane of `left`."""
    for field in fields(State):
        a, b = getattr(left, field.name), getattr(right, field.name)
        if field.name != "tick" and lane is not None:
            a = a[[lane]]
        assert np.array_equal(a, b), field.name


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_lane_has_equal_bits_alone_and_in_a_batch(name: str) -> None:
    world = resized(scenario(name), 5000.0)
    whole = Noise(name, (3, 3, 8), (0, 1, 5))
    batch = fly(build(world, whole, 18), whole)
    for row in range(3):
        alone = whole.select([row])
        assert_same(batch, fly(build(world, alone, 18), alone), row)


def test_chunk_size_changes_no_bit(small_world: Callable[..., tuple]) -> None:
    params, noise = small_world(lanes=3, campaigns=20)
    assert_same(fly(params, noise), fly(params, noise, chunk=50))


def test_a_flight_replays_bit_for_bit(small_world: Callable[..., tuple]) -> None:
    assert_same(fly(*small_world()), fly(*small_world()))


def test_other_seeds_lanes_and_scenarios_are_other_worlds(small_world: Callable[..., tuple]) -> None:
    base = fly(*small_world(seed=1))
    assert not np.array_equal(base.total, fly(*small_world(seed=2)).total)
    assert not np.array_equal(base.total, fly(*small_world("shocks", seed=1)).total)
    assert not np.array_equal(base.total[0], base.total[1])


def test_a_step_changes_none_of_its_inputs(small_world: Callable[..., tuple]) -> None:
    params, noise = small_world()
    state = fly(params, noise, 3)
    before = to_bytes(state)
    step(state, np.ones(params.shape), params, noise)
    assert to_bytes(state) == before


def test_market_prices_do_not_depend_on_what_we_bid(small_world: Callable[..., tuple]) -> None:
    params, noise = small_world()
    low, high = initial(params), initial(params)
    for _ in range(5):
        low, low_out = step(low, np.full(params.shape, 0.1), params, noise)
        high, high_out = step(high, np.full(params.shape, 4.0), params, noise)
        assert (low_out.impressions == high_out.impressions).all()
        assert (low_out.simulated == high_out.simulated).all()


def test_restored_state_continues_to_equal_bits(small_world: Callable[..., tuple]) -> None:
    params, noise = small_world("adaptive")
    half = fly(params, noise, 6)
    assert_same(fly(params, noise, 6, state=from_bytes(to_bytes(half))), fly(params, noise, 12))


@pytest.mark.parametrize("data", [b"", b"garbage", b"PK\x03\x04 broken"])
def test_malformed_state_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="not a saved bidding state"):
        from_bytes(data)


def test_splits_share_no_seed() -> None:
    ranges = {name: (split_seed(name, 0), split_seed(name, 999_999)) for name in SPLITS}
    edges = sorted(ranges.values())
    assert all(left[1] < right[0] for left, right in pairwise(edges))
    with pytest.raises(ValueError, match="outside"):
        split_seed("train", 1_000_000)
    with pytest.raises(ValueError, match="unknown split"):
        split_seed("exam", 0)


@pytest.mark.parametrize("name", ["mixed", "slots", "adaptive", "first-price", "shared", "hard"])
def test_no_money_appears_or_is_lost(name: str, small_world: Callable[..., tuple]) -> None:
    params, noise = small_world(name)
    state = replace(initial(params), tick=17)
    for _ in range(12):  # in `hard` that is an outage of bills, a gap and a rival
        state, out = step(state, np.ones(params.shape), params, noise)
        assert np.all(out.charged_micros >= 0)
        whole = state.available_micros + state.reserved_micros + state.spent_micros
        assert np.array_equal(whole, params.budget_micros)
    assert np.all(np.sum(state.spent_micros + state.reserved_micros, axis=1) > 0)


def test_the_streams_words_must_fit() -> None:
    with pytest.raises(ValueError, match="give one each"):
        Noise("mixed", (1, 2), (0,))
    with pytest.raises(ValueError, match="must lie"):
        streams(-1, 1, "mixed")


def test_a_flight_ends(small_world: Callable[..., tuple]) -> None:
    params, noise = small_world(per_day=500.0)
    state = replace(initial(params), tick=48)
    with pytest.raises(ValueError, match="flight of 48 ticks is over"):
        step(state, np.ones(params.shape), params, noise)


def test_a_restarted_generator_gives_the_bits_of_a_new_one() -> None:
    noise = Noise("mixed", (3, 9), (0, 4))
    held = generator(noise, 0, 1, 5)
    held.integers(0, 9, 3, dtype=np.int32)  # leaves half a word behind
    restart(held, noise, 1, 1, 7, 2)
    fresh = generator(noise, 1, 1, 7, 2)
    assert held.poisson([3.0, 50.0]).tolist() == fresh.poisson([3.0, 50.0]).tolist()
    assert held.bit_generator.random_raw(9).tolist() == fresh.bit_generator.random_raw(9).tolist()
    assert held.integers(0, 2**31, 5, dtype=np.int32).tolist() == fresh.integers(0, 2**31, 5, dtype=np.int32).tolist()
