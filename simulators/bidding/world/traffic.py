"""The impressions of one tick: drawn from the streams, the same whatever anybody bids.

Impressions that nobody could win below the cap are drawn as one Poisson count per campaign: splitting a Poisson
stream by independent marks is exact, and they can change nothing but that count. The winnable ones are drawn one by
one into flat arrays sorted by campaign, and within a campaign in order of arrival.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulators.bidding.physics.market import LEVEL_BITS, LEVELS, MICROS_PER_FEN, body_levels_fen, normal_levels
from simulators.bidding.physics.params import CODE_LEVELS, EVENT_LEVELS, KIND_BODY, SEGMENTS, Array, Params
from simulators.bidding.world.streams import PURPOSE_TRAFFIC, Noise, generator, restart

CAMPAIGNS_PER_BLOCK = 16
CHUNK_IMPRESSIONS = 1 << 16


@dataclass(frozen=True, slots=True)
class Draws:
    """Raw numbers of some campaigns in one tick; `campaigns` [g] are flat indices lane * C + campaign, ascending.

    Per winnable impression: three levels and the event level [int32] and a uniform [float64]; `spare` only for slots.
    """

    campaigns: NDArray[np.int64]
    counts: NDArray[np.int64]
    unwinnable: NDArray[np.int64]
    price_level: NDArray[np.int32]
    value_level: NDArray[np.int32]
    code_level: NDArray[np.int32]
    event_level: NDArray[np.int32]
    uniform: NDArray[np.float64]
    spare: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Traffic:
    """Winnable impressions of g campaigns, flat [n]: the exogenous half of a tick.

    `bounds` [g + 1] says where each campaign's impressions begin; `owner` [n] is its place among the g and `segment`
    the flat index owner * SEGMENTS + segment. `lift` [-] multiplies the segment's click rate; `price_micros` is the
    least bid that wins. A price that is a floor is the case of no rival above it.
    """

    campaigns: Array
    bounds: Array
    unwinnable: Array
    owner: Array
    segment: Array
    lift: Array
    price_micros: Array
    event: Array
    uniform: Array
    spare: Array


def draw(noise: Noise, params: Params, tick: int, chunk: int = CHUNK_IMPRESSIONS) -> Iterator[Draws]:
    """Raw numbers of a tick in pieces of whole blocks of campaigns, about `chunk` winnable impressions each."""
    lanes, campaigns = params.shape
    rates = np.stack([params.winnable_rate[:, :, tick], params.unwinnable_rate[:, :, tick]])
    held: list[_Block] = []
    size, stream = 0, generator(noise, 0, PURPOSE_TRAFFIC, tick)
    for row in range(lanes):
        for block, first in enumerate(range(0, campaigns, CAMPAIGNS_PER_BLOCK)):
            last = min(first + CAMPAIGNS_PER_BLOCK, campaigns)
            restart(stream, noise, row, PURPOSE_TRAFFIC, tick, block)
            held.append(_draw_block(stream, row * campaigns + first, rates[:, row, first:last], params.slots > 1))
            size += len(held[-1].uniform)
            if size >= chunk:
                yield _join(held)
                held, size = [], 0
    if held:
        yield _join(held)


@dataclass(frozen=True, slots=True)
class _Block:
    """What one stream gave: the campaigns it is for, counts per campaign, and words and uniforms per impression."""

    first: int
    counts: NDArray[np.int64]
    unwinnable: NDArray[np.int64]
    words: NDArray[np.uint64]
    uniform: NDArray[np.float64]
    spare: NDArray[np.float64]


def _draw_block(stream: np.random.Generator, first: int, rates: NDArray[np.float64], spare: bool) -> _Block:
    """All numbers of one block: counts at `rates` [2, campaigns] of what could be won and what could not; then two 64-bit
    words per impression, a third where slots need one."""
    counts, lost = stream.poisson(rates)
    n = int(counts.sum())
    words = stream.bit_generator.random_raw(n)
    return _Block(first, counts, lost, words, stream.random(n), stream.random(n) if spare else np.empty(0))


def _join(blocks: list[_Block]) -> Draws:
    """Several blocks as one piece; each word is cut into its four levels."""
    words = np.concatenate([b.words for b in blocks])
    levels = words.astype("<u8", copy=False).view("<u2").reshape(len(words), 4)
    return Draws(
        campaigns=np.concatenate([np.arange(b.first, b.first + len(b.counts)) for b in blocks]),
        counts=np.concatenate([b.counts for b in blocks]),
        unwinnable=np.concatenate([b.unwinnable for b in blocks]),
        price_level=(levels[:, 0] >> (16 - LEVEL_BITS)).astype(np.int32),
        value_level=(levels[:, 1] >> (16 - LEVEL_BITS)).astype(np.int32),
        code_level=(levels[:, 2] >> 4).astype(np.int32),
        event_level=levels[:, 3].astype(np.int32),
        uniform=np.concatenate([b.uniform for b in blocks]),
        spare=np.concatenate([b.spare for b in blocks]),
    )


def impressions(draws: Draws, params: Params, tick: int) -> Traffic:
    """Turn raw numbers into impressions: segment, click-rate lift and market price.

    The lift has mean 1 and ln(lift) = s (r z_p + sqrt(1 - r^2) z_v) - s^2 / 2, with z_p the normal score of the price.
    So a Gaussian copula with correlation r joins value and price. Atoms are independent of value.
    """

    campaigns, counts = draws.campaigns, draws.counts
    owner = np.repeat(np.arange(len(draws.counts)), counts)

    def each(values: Array) -> Array:
        return np.take(np.take(np.reshape(values, (-1,)), campaigns), owner)

    code = np.take(
        np.reshape(params.code_table, (-1,)), each(params.code_row[:, :, tick]) * CODE_LEVELS + draws.code_level
    )
    code = np.astype(code, np.int32)
    kind = code & 15
    price_level = draws.price_level
    body = np.reshape(body_levels_fen(), (-1,))
    scores = normal_levels()
    spread, corr = params.value_log_sd, params.price_corr
    lift = np.exp(
        each(spread * corr) * np.take(scores, price_level)
        + each(spread * (1 - corr**2) ** 0.5) * np.take(scores, draws.value_level)
        - each(spread**2 / 2)
    )
    zero = np.zeros(1, dtype=counts.dtype)
    price = _prices(params, tick, campaigns, owner, kind, price_level, body)
    price = _rivalled(params, tick, price, lift, campaigns, owner)
    return Traffic(
        campaigns=campaigns,
        bounds=np.concat([zero, np.cumulative_sum(counts)]),
        unwinnable=draws.unwinnable,
        owner=owner,
        segment=owner * SEGMENTS + (code >> 4),
        lift=lift,
        price_micros=price,
        event=_events(params, tick, campaigns, owner, draws.event_level),
        uniform=draws.uniform,
        spare=draws.spare,
    )


def _prices(params: Params, tick: int, campaigns: Array, owner: Array, kind: Array, level: Array, body: Array) -> Array:
    """Market price of each impression [micros, int32, at least 1]: a level of the body, or an atom's floor."""
    row = np.take(np.take(np.reshape(params.shape_row, (-1,)), campaigns) * LEVELS, owner)
    scale = np.take(np.reshape(params.price_level[:, :, tick], (-1,)), campaigns) * MICROS_PER_FEN
    price = np.astype(np.take(body, row + level) * np.take(scale, owner), np.int32)
    atoms = params.atom_micros.shape[-1]
    table = np.take(np.reshape(params.atom_micros, (-1, atoms)), campaigns, axis=0)
    at_floor = np.nonzero(kind != KIND_BODY)[0]
    floors = np.take(np.reshape(table, (-1,)), np.take(owner, at_floor) * atoms + np.take(kind, at_floor) - 1)
    price[at_floor] = floors
    least = params.floor_micros[:, :, tick]
    if bool(np.any(least > 1)):
        price = np.maximum(price, np.take(np.take(np.reshape(least, (-1,)), campaigns), owner))
    return np.clip(price, 1, None)


def _rivalled(params: Params, tick: int, price: Array, lift: Array, campaigns: Array, owner: Array) -> Array:
    """Prices [n, micros] where a rival values impressions as we do: he asks more for the better ones."""
    rival = params.rival_micros[:, :, tick]
    if not bool(np.any(rival > 0)):
        return price
    rival_bid = np.take(np.take(np.reshape(rival, (-1,)), campaigns), owner) * lift
    return np.maximum(price, np.astype(np.clip(rival_bid, None, 1e9), np.int32))


def _events(params: Params, tick: int, campaigns: Array, owner: Array, level: Array) -> Array:
    """What befalls each impression if it is won [n, int32 bit field]: a level of its lane's table."""
    table = np.reshape(params.event_table, (-1,))
    if params.event_table.shape[0] > 1:
        row = np.take(params.event_row[:, tick], campaigns // params.shape[1])
        level = level + np.take(row * EVENT_LEVELS, owner)
    return np.astype(np.take(table, level), np.int32)
