"""Named scenarios: which campaigns, how tight, what goes wrong; and seeds that never meet.

A scenario is data. `build` turns one into `Params` for lanes of given seeds: each lane draws its own accounts from
the randomisation ranges with its own stream, so lane 3 of seed 7 is the same account in every batch.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from simulators.bidding.curves import TICKS_PER_DAY, click_rate_level, day_curve, flight_curve, sharpen
from simulators.bidding.market import ATOMS_FEN, CAP_FEN, FACTS, MICROS_PER_FEN, MIXTURES
from simulators.bidding.params import Notices, Params, code_table, event_table
from simulators.bidding.randomisation import Ranges, Season, draw_season
from simulators.bidding.streams import PURPOSE_SEASON, Noise, generator

Split = Literal["train", "validation", "test"]
SPLIT_SIZE = 1_000_000
SPLITS: dict[str, int] = {"train": 0, "validation": SPLIT_SIZE, "test": 2 * SPLIT_SIZE}

EventKind = Literal["traffic", "price", "tracking"]


@dataclass(frozen=True, slots=True)
class Event:
    """A disturbance between two ticks: traffic or prices times `size`, or tracking that delivers the share `size`."""

    kind: EventKind
    first_tick: int
    last_tick: int
    size: float


@dataclass(frozen=True, slots=True)
class Segments:
    """Three kinds of traffic: shares by day and by night, click rate over the campaign's mean, conversions per click.

    Conversions are over the campaign's mean, truly and as the bidder's model predicts them.
    """

    fracs: tuple[float, float, float] = (0.5, 0.3, 0.2)
    night_fracs: tuple[float, float, float] = (0.5, 0.3, 0.2)
    click_levels: tuple[float, float, float] = (0.7, 1.1, 1.6)
    conversion_levels: tuple[float, float, float] = (0.8, 1.0, 1.3)
    predicted_levels: tuple[float, float, float] = (0.8, 1.0, 1.3)


WIDE = Ranges()
REAL_NOTICES = Notices()
PLAIN = Segments()
# By night half the traffic clicks 5.6 times as often and buys next to nothing, and the bidder's model does not know it.
CLICKBAIT = Segments((0.6, 0.4, 0.0), (0.3, 0.2, 0.5), (0.8, 1.3, 5.6), (0.9, 1.1, 0.01), (0.9, 1.1, 1.0))
NIGHT_TICKS = (40, 12)  # from 20:00 to 06:00


@dataclass(frozen=True, slots=True)
class Scenario:
    """One named world.

    `templates` are rows of `market.FACTS`, dealt to the campaigns in turn from a place drawn for each lane.
    `bait_every` n gives every n-th campaign the scenario's own `segments`, the others have plain ones (0: none).
    """

    name: str
    description: str
    days: int = 1
    impressions_per_day: float = 200_000.0
    templates: tuple[int, ...] = tuple(range(9))
    ranges: Ranges = WIDE
    notices: Notices = REAL_NOTICES
    segments: Segments = PLAIN
    bait_every: int = 0
    first_price: bool = False
    slots: int = 1
    adaptive_gain: float = 0.0
    events: tuple[Event, ...] = ()


BUDGET_BOUND = Ranges(budget_frac=(0.08, 0.3), target_ratio=(1.6, 2.4))
CPA_BOUND = Ranges(budget_frac=(0.6, 1.0), target_ratio=(0.45, 0.75))

SCENARIOS: dict[str, Scenario] = {
    s.name: s
    for s in (
        Scenario("mixed", "nine campaigns, budgets and targets anywhere between tight and loose"),
        Scenario("budget-bound", "the budget binds, the target does not", ranges=BUDGET_BOUND),
        Scenario("cpa-bound", "the target binds, the budget does not", ranges=CPA_BOUND),
        Scenario(
            "first-price", "every win is paid at its bid", first_price=True, ranges=Ranges(budget_frac=(0.2, 0.6))
        ),
        Scenario("week", "one budget for seven days with a weekly curve", days=7, impressions_per_day=50_000.0),
        Scenario(
            "shocks",
            "prices up by half at noon, then traffic halves, then a tracking outage",
            events=(Event("price", 20, 30, 1.5), Event("traffic", 30, 38, 0.5), Event("tracking", 34, 44, 0.0)),
        ),
        Scenario(
            "clickbait",
            "in every second campaign half of the night's traffic clicks 5.6 times as often and does not convert",
            bait_every=2,
            segments=CLICKBAIT,
            ranges=Ranges(budget_frac=(0.1, 0.4), target_ratio=(0.9, 1.6)),
        ),
        Scenario("slots", "three slots at generalised second price", slots=3),
        Scenario("adaptive", "rivals who raise their prices as we win more", adaptive_gain=0.1),
    )
}


def scenario(name: str) -> Scenario:
    """The scenario of that name; raises `ValueError` for an unknown one."""
    if name not in SCENARIOS:
        raise ValueError(f"unknown bidding scenario `{name}`: choose one of {sorted(SCENARIOS)}")
    return SCENARIOS[name]


def split_seed(split: str, index: int) -> int:
    """The `index`-th seed of a split; splits are disjoint ranges of a million seeds each."""
    if split not in SPLITS:
        raise ValueError(f"unknown split `{split}`: choose one of {sorted(SPLITS)}")
    if not 0 <= index < SPLIT_SIZE:
        raise ValueError(f"seed index {index} is outside [0, {SPLIT_SIZE})")
    return SPLITS[split] + index


def resized(world: Scenario, impressions_per_day: float) -> Scenario:
    """The same scenario with another amount of traffic per campaign."""
    return replace(world, impressions_per_day=impressions_per_day)


def build(world: Scenario, noise: Noise, campaigns: int) -> Params:
    """Parameters of the noise's lanes with `campaigns` campaigns each (numpy)."""
    return _params(world, _season(world, noise, noise, campaigns))


def yesterday(world: Scenario, noise: Noise, campaigns: int) -> tuple[Params, Noise]:
    """The same campaigns on another flight of the same length, without the scenario's events: what a log would hold."""
    return another_flight(replace(world, events=()), noise, campaigns, "yesterday")


def another_flight(world: Scenario, noise: Noise, campaigns: int, name: str) -> tuple[Params, Noise]:
    """The campaigns that `noise` names on the flight called `name`, and that flight's streams."""
    flight = replace(noise, scenario=f"{noise.scenario}/{name}")
    return _params(world, _season(world, noise, flight, campaigns)), flight


def _season(world: Scenario, noise: Noise, day: Noise, campaigns: int) -> Season:
    """Campaigns drawn from `noise`, the day's ups and downs from `day`: arrays [L, C, ...]."""
    seasons = [
        draw_season(
            world.ranges,
            generator(noise, row, PURPOSE_SEASON, 0),
            generator(day, row, PURPOSE_SEASON, 1),
            campaigns,
            world.days,
        )
        for row in range(len(noise.lanes))
    ]
    return Season(*(np.stack([getattr(s, name) for s in seasons]) for name in Season.__slots__))


def _params(world: Scenario, season: Season) -> Params:
    """Arrays of a scenario from the drawn season [L, C, ...]."""
    lanes, campaigns = season.budget_frac.shape
    place = np.arange(campaigns)
    template = np.asarray(world.templates)[(season.first_template + place) % len(world.templates)]
    every = world.bait_every
    baited = np.zeros(campaigns, dtype=bool) if every == 0 else place % every == every - 1
    profile = np.broadcast_to(baited.astype(np.int64), (lanes, campaigns))
    segments = (PLAIN, world.segments)
    click = _column("ctr_frac", template) * season.click_scale
    converting = _column("cvr_frac", template) * season.conversion_scale
    levels = {n: np.asarray([getattr(s, n) for s in segments])[profile] for n in Segments.__slots__}
    traffic, shares = _traffic(world, season)
    win_frac = np.clip(_column("win_frac", template) * season.win_scale, 0.02, 0.98)
    value = np.einsum("lcs,lcs,lcs->lc", levels["fracs"], levels["click_levels"], levels["conversion_levels"])
    value = value * click * converting
    price = _column("mean_fen", template) * season.price_scale * MICROS_PER_FEN
    winnable = traffic * win_frac[:, :, None]
    shares_of = [f for s in segments for f in (s.fracs, s.night_fracs)]
    tables = [code_table(np.asarray(fracs), m.atom_fracs) for fracs in shares_of for m in MIXTURES]
    row = 2 * profile[:, :, None] + _night(world.days)
    spend = winnable.sum(axis=2) * price
    tracking = _events(world, "tracking", lanes, campaigns)
    return Params(
        budget_micros=np.maximum(spend * season.budget_frac, 50 * CAP_FEN * MICROS_PER_FEN).astype(np.int64),
        target_cpa_micros=np.maximum(price / value * season.target_ratio, 1).astype(np.int64),
        bid_cap_micros=np.full((lanes, campaigns), CAP_FEN * MICROS_PER_FEN, dtype=np.int64),
        shape_row=template.astype(np.int64),
        code_row=(row * len(MIXTURES) + template[:, :, None]).astype(np.int64),
        code_table=np.stack(tables),
        atom_micros=_atoms(season),
        click_rate=(click[:, :, None] * levels["click_levels"]).astype(np.float32),
        conversions=(converting[:, :, None] * levels["conversion_levels"]).astype(np.float32),
        predicted=(converting[:, :, None] * levels["predicted_levels"]).astype(np.float32),
        value_log_sd=season.value_log_sd.astype(np.float32),
        price_corr=season.price_corr.astype(np.float32),
        over_bid=np.asarray([f.over_bid for f in FACTS])[template],
        conversion_delay_ticks=season.conversion_delay_ticks.astype(np.float32),
        price_level=(
            season.price_scale[:, :, None] * season.price_noise * _events(world, "price", lanes, campaigns)
        ).astype(np.float32),
        click_level=_click_level(world, season).astype(np.float32),
        winnable_rate=winnable,
        unwinnable_rate=traffic * (1 - win_frac[:, :, None]),
        tracked_frac=tracking.astype(np.float32),
        forecast=shares,
        event_table=event_table(world.notices),
        rendered_frac=1 - world.notices.unrendered_frac,
        first_price=world.first_price,
        slots=world.slots,
        adaptive_gain=world.adaptive_gain,
    )


def _night(days: int) -> NDArray[np.int64]:
    """One in the ticks of the night, else zero [T]."""
    tick = np.arange(days * TICKS_PER_DAY) % TICKS_PER_DAY
    return ((tick >= NIGHT_TICKS[0]) | (tick < NIGHT_TICKS[1])).astype(np.int64)


def _column(name: str, template: NDArray[np.int64]) -> NDArray[np.float64]:
    """A column of the facts table by template [L, C]."""
    return np.asarray([getattr(f, name) for f in FACTS])[template]


def _atoms(season: Season) -> NDArray[np.int32]:
    """Floors [L, C, A] in micros; they scale with the campaign's price level but not with the hour's."""
    floors = np.asarray(ATOMS_FEN) * MICROS_PER_FEN * season.price_scale[:, :, None]
    return np.maximum(floors, 1).astype(np.int32)


def _click_level(world: Scenario, season: Season) -> NDArray[np.float64]:
    """Click rate of each tick over the campaign's mean [L, C, T]."""
    day = np.stack([[click_rate_level(p) for p in lane] for lane in season.click_peak_to_trough])
    return np.tile(day, (1, 1, world.days))


def _traffic(world: Scenario, season: Season) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Expected impressions of each tick [L, C, T], and what the advertiser forecasts, as shares of the flight."""
    curves = [day_curve("avito"), day_curve("auctionnet")]
    mean = np.stack(
        [
            [
                flight_curve(_mix(curves, m, p), world.days, int(w))
                for m, p, w in zip(
                    season.curve_mix[row], season.peak_to_trough[row], season.first_weekday[row], strict=True
                )
            ]
            for row in range(len(season.curve_mix))
        ]
    )
    lanes, campaigns, _ = mean.shape
    volume = world.impressions_per_day * season.volume_scale[:, :, None]
    actual = mean * volume * season.traffic_noise * _events(world, "traffic", lanes, campaigns)
    return actual, mean / mean.sum(axis=2, keepdims=True)


def _mix(curves: list[NDArray[np.float64]], share: float, peak_to_trough: float) -> NDArray[np.float64]:
    """A blend of two day curves bent to a peak-to-trough ratio."""
    return sharpen(share * curves[0] + (1 - share) * curves[1], peak_to_trough)


def _events(world: Scenario, kind: EventKind, lanes: int, campaigns: int) -> NDArray[np.float64]:
    """What the scenario's events of one kind multiply by [L, C, T]."""
    level = np.ones((lanes, campaigns, world.days * TICKS_PER_DAY))
    for event in world.events:
        if event.kind == kind:
            level[:, :, event.first_tick : event.last_tick] *= event.size
    return level
