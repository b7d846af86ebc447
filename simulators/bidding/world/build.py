"""From a scenario to the parameters of its accounts.

Each lane draws its own accounts from the randomisation ranges with its own stream, in the season of its seed's split, so
lane 3 of seed 7 is the same account in every batch.
"""

from dataclasses import fields, replace

import numpy as np
from numpy.typing import NDArray

from simulators.bidding.physics.market import ATOMS_FEN, CAP_FEN, FACTS, MICROS_PER_FEN, MIXTURES
from simulators.bidding.physics.params import SEGMENTS, Notices, Params, code_table, event_table
from simulators.bidding.world.curves import TICKS_PER_DAY, click_rate_level, flight_curve, sharpen, tick_shares
from simulators.bidding.world.randomisation import Season, draw_season, notice_sets
from simulators.bidding.world.scenario import PLAIN, EventKind, Scenario, Segments, split_of
from simulators.bidding.world.seasons import SEASONS, Curve, year_level
from simulators.bidding.world.streams import PURPOSE_NOTICES, PURPOSE_SEASON, Noise, generator

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
NIGHT_TICKS = (40, 12)  # from 20:00 to 06:00
DAY_ROOM = 1.15  # a day's shared budget over an even share of the flight's: an assumption
LEAST_BIDS = 50  # a budget is at least that many of the dearest bids


def build(world: Scenario, noise: Noise, campaigns: int) -> Params:
    """Parameters of the noise's lanes with `campaigns` campaigns each (numpy)."""
    return _params(world, noise, _season(world, noise, noise, campaigns))


def yesterday(world: Scenario, noise: Noise, campaigns: int) -> tuple[Params, Noise]:
    """The same campaigns on another flight of the same length, without the scenario's events: what a log would hold."""
    return another_flight(replace(world, events=()), noise, campaigns, "yesterday")


def another_flight(world: Scenario, noise: Noise, campaigns: int, name: str) -> tuple[Params, Noise]:
    """The campaigns that `noise` names on the flight called `name`, and that flight's streams."""
    flight = replace(noise, scenario=f"{noise.scenario}/{name}")
    return _params(world, noise, _season(world, noise, flight, campaigns)), flight


def _season(world: Scenario, noise: Noise, day: Noise, campaigns: int) -> Season:
    """Campaigns drawn from `noise`, the day's ups and downs from `day`: arrays [L, C, ...]."""
    lanes = [
        draw_season(
            world.ranges,
            SEASONS[split_of(noise.seeds[row])],
            generator(noise, row, PURPOSE_SEASON, 0),
            generator(day, row, PURPOSE_SEASON, 1),
            campaigns,
            world.days,
            SEGMENTS,
        )
        for row in range(len(noise.lanes))
    ]
    values = {name: np.stack([lane.values[name] for lane in lanes]) for name in lanes[0].values}
    rest = [f.name for f in fields(Season) if f.name != "values"]
    return Season(values=values, **{name: np.stack([getattr(lane, name) for lane in lanes]) for name in rest})


def _params(world: Scenario, noise: Noise, season: Season) -> Params:
    """Arrays of a scenario from the drawn season [L, C, ...]."""
    drawn = season.values
    lanes, campaigns = drawn["budget_frac"].shape
    place = np.arange(campaigns)
    template = np.asarray(world.templates)[(season.first_template + place) % len(world.templates)]
    baited = _baited(world, lanes, campaigns)
    levels = {n: np.asarray([getattr(s, n) for s in (PLAIN, world.segments)])[baited] for n in Segments.__slots__}
    click = _column("ctr_frac", template) * drawn["click_scale"]
    converting = _column("cvr_frac", template) * drawn["conversion_scale"]
    usual, traffic = _traffic(world, noise, season)
    win_frac = np.clip(_column("win_frac", template) * drawn["win_scale"], 0.02, 0.98)
    value = np.einsum("lcs,lcs,lcs->lc", levels["fracs"], levels["click_levels"], levels["conversion_levels"])
    value = value * click * converting
    price = _column("mean_fen", template) * drawn["price_scale"] * MICROS_PER_FEN
    all_spend = usual.sum(axis=2) * win_frac * price
    budget = np.maximum(all_spend * drawn["budget_frac"], LEAST_BIDS * CAP_FEN * MICROS_PER_FEN).astype(np.int64)
    shared, member, shared_open = _shared(world, budget, drawn["shared_frac"])
    tables, rows, shown = _notices(world, noise, season)
    silent = world.silent_ticks
    return Params(
        budget_micros=budget,
        target_cpa_micros=np.maximum(price / value * drawn["target_ratio"], 1).astype(np.int64),
        bid_cap_micros=np.full((lanes, campaigns), CAP_FEN * MICROS_PER_FEN, dtype=np.int64),
        shape_row=template.astype(np.int64),
        code_row=_code_row(world, baited, template),
        code_table=_code_table(world),
        atom_micros=_atoms(drawn["price_scale"]),
        click_rate=(click[:, :, None] * levels["click_levels"]).astype(np.float32),
        conversions=(converting[:, :, None] * levels["conversion_levels"]).astype(np.float32),
        predicted=(converting[:, :, None] * levels["predicted_levels"] * season.prediction_error).astype(np.float32),
        value_log_sd=drawn["value_log_sd"].astype(np.float32),
        price_corr=drawn["price_corr"].astype(np.float32),
        over_bid=np.asarray([f.over_bid for f in FACTS])[template],
        conversion_delay_ticks=drawn["conversion_delay_ticks"].astype(np.float32),
        price_level=_price_level(world, season),
        click_level=_click_level(world, drawn["click_peak_to_trough"]),
        winnable_rate=traffic * win_frac[:, :, None],
        unwinnable_rate=traffic * (1 - win_frac[:, :, None]),
        tracked_frac=_times(world, "tracking", lanes, campaigns).astype(np.float32),
        forecast=usual / usual.sum(axis=2, keepdims=True),
        floor_micros=(_level(world, "floor", 0.0, (lanes, campaigns)) * MICROS_PER_FEN).astype(np.int32),
        rival_micros=(_level(world, "rival", 0.0, (lanes, campaigns)) * price[:, :, None]).astype(np.float32),
        event_table=tables,
        event_row=rows,
        report_level=season.report_noise.astype(np.float32),
        rendered_frac=shown,
        adaptive_gain=drawn["adaptive_gain"].astype(np.float32),
        shared_micros=shared,
        shared_member=member,
        shared_open=shared_open,
        bills_flow=tuple(not world.during("billing", tick) for tick in range(world.ticks)),
        notices_flow=tuple(not world.during("notices", tick) for tick in range(world.ticks)),
        silent_ticks=silent,
        report_lag=tuple(world.report_delay_ticks + run for run in (*silent, 0)),
        command_ticks=world.command_ticks,
        first_price=world.first_price,
        slots=world.slots,
    )


def _column(name: str, template: Ints) -> Floats:
    """A column of the facts table by template [L, C]."""
    return np.asarray([getattr(f, name) for f in FACTS])[template]


def _baited(world: Scenario, lanes: int, campaigns: int) -> Ints:
    """One for the campaigns with the scenario's own segments, else zero [L, C]."""
    every = world.bait_every
    baited = np.zeros(campaigns) if every == 0 else np.arange(campaigns) % every == every - 1
    return np.broadcast_to(baited.astype(np.int64), (lanes, campaigns))


def _night(world: Scenario) -> Ints:
    """One in the ticks with the night's mix of segments, else zero [T]."""
    ticks = np.arange(world.ticks)
    if any(event.kind == "click_farm" for event in world.events):
        return np.asarray([int(world.during("click_farm", int(tick))) for tick in ticks])
    of_day = ticks % TICKS_PER_DAY
    return ((of_day >= NIGHT_TICKS[0]) | (of_day < NIGHT_TICKS[1])).astype(np.int64)


def _code_row(world: Scenario, baited: Ints, template: Ints) -> Ints:
    """The row of the code table that mixes a tick's segments and floors [L, C, T]."""
    return np.asarray((2 * baited[:, :, None] + _night(world)) * len(MIXTURES) + template[:, :, None])


def _code_table(world: Scenario) -> NDArray[np.uint8]:
    """Plain and own segments, by day and by night, with each campaign's floors."""
    mixes = [fracs for s in (PLAIN, world.segments) for fracs in (s.fracs, s.night_fracs)]
    return np.stack([code_table(np.asarray(fracs), m.atom_fracs) for fracs in mixes for m in MIXTURES])


def _atoms(price_scale: Floats) -> NDArray[np.int32]:
    """Floors [L, C, A] in micros; they scale with the campaign's price level but not with the hour's."""
    floors = np.asarray(ATOMS_FEN) * MICROS_PER_FEN * price_scale[:, :, None]
    return np.maximum(floors, 1).astype(np.int32)


def _notices(world: Scenario, noise: Noise, season: Season) -> tuple[NDArray[np.uint8], Ints, Floats]:
    """Event tables, the table of each lane and tick [L, T], and the usual share of wins that is shown [L, C]."""
    sets = notice_sets(world.ranges, generator(Noise(world.name, (0,), (0,)), 0, PURPOSE_NOTICES, 0))
    storms = [event for event in world.events if event.kind == "duplicates"]
    size = len(sets["bill_delay_s"])
    kinds = [Notices(**{name: float(values[i]) for name, values in sets.items()}) for i in range(size)]
    tables = [event_table(k) for k in kinds]
    tables += [event_table(replace(k, duplicate_frac=storm.size)) for storm in storms for k in kinds]
    own = season.notice_set[:, 0] % size
    rows = np.repeat(own[:, None], world.ticks, axis=1)
    for number, storm in enumerate(storms, 1):
        rows[:, storm.first_tick : storm.last_tick] = (number * size + own)[:, None]
    shown = 1 - sets["unrendered_frac"][own]
    return np.stack(tables), rows, np.repeat(shown[:, None], season.notice_set.shape[1], axis=1)


def _click_level(world: Scenario, peak_to_trough: Floats) -> NDArray[np.float32]:
    """Click rate of each tick over the campaign's mean [L, C, T]."""
    day = np.stack([[click_rate_level(p) for p in lane] for lane in peak_to_trough])
    return np.tile(day, (1, 1, world.days)).astype(np.float32)


def _price_level(world: Scenario, season: Season) -> NDArray[np.float32]:
    """Prices over the template's [L, C, T]: the campaign's, the week's, the hour's, and the scenario's events."""
    own = season.values["price_scale"] * _year(season)
    level = own[:, :, None] * season.price_noise * _times(world, "price", *own.shape)
    return level.astype(np.float32)


def _year(season: Season) -> Floats:
    """The level of the drawn week relative to the year's mean [L, C]; the advertiser's plans do not know it."""
    return np.asarray(year_level(season.week, season.values["year_swing"]))


def _traffic(world: Scenario, noise: Noise, season: Season) -> tuple[Floats, Floats]:
    """Expected impressions of each tick [L, C, T]: as the advertiser plans with, and as they come."""
    drawn, rows = season.values, range(len(noise.lanes))
    curves = [SEASONS[split_of(noise.seeds[row])].curves for row in rows]
    usual = np.stack([[_curve(world, curves[row], season, row, c) for c in _columns(drawn)] for row in rows])
    usual = usual * (world.impressions_per_day * drawn["volume_scale"])[:, :, None]
    lanes, campaigns, _ = usual.shape
    coming = usual * _year(season)[:, :, None] * season.traffic_noise * _times(world, "traffic", lanes, campaigns)
    return usual, coming


def _columns(drawn: dict[str, Floats]) -> range:
    """Places of the campaigns."""
    return range(drawn["budget_frac"].shape[1])


def _curve(world: Scenario, curves: tuple[Curve, ...], season: Season, row: int, campaign: int) -> Floats:
    """Traffic of each tick over a mean day's [T]: a blend of two curves, bent to a peak-to-trough ratio."""
    first, second = (curves[i] for i in season.curves[row, campaign])
    share = season.values["curve_mix"][row, campaign]

    def blend(one: tuple[float, ...], other: tuple[float, ...]) -> Floats:
        return np.asarray(share * np.asarray(one) + (1 - share) * np.asarray(other))

    day = sharpen(tick_shares(blend(first.hourly, second.hourly)), season.values["peak_to_trough"][row, campaign])
    weekday = blend(first.weekday, second.weekday)
    return flight_curve(day, world.days, int(season.first_weekday[row, campaign]), weekday)


def _shared(world: Scenario, budget: Ints, frac: Floats) -> tuple[Ints, Ints, tuple[tuple[int, int], ...]]:
    """Shared budgets [L, P], who draws on them [L, C, P], and when they are open; P = 0 without any."""
    account = np.floor(budget.sum(axis=1) * frac[:, 0]).astype(np.int64)
    sizes: list[Ints] = []
    spans: list[tuple[int, int]] = []
    if "account" in world.shared:
        sizes.append(account)
        spans.append((0, world.ticks))
    if "day" in world.shared:
        sizes += [np.floor(account * DAY_ROOM / world.days).astype(np.int64)] * world.days
        spans += [(day * TICKS_PER_DAY, (day + 1) * TICKS_PER_DAY) for day in range(world.days)]
    micros = np.stack(sizes, axis=1) if sizes else np.zeros((len(budget), 0), dtype=np.int64)
    return micros, np.ones((*budget.shape, len(spans)), dtype=np.int64), tuple(spans)


def _times(world: Scenario, kind: EventKind, lanes: int, campaigns: int) -> Floats:
    """The factor of the scenario's events of one kind [L, C, T]."""
    level = np.ones((lanes, campaigns, world.ticks))
    for event in world.events:
        if event.kind == kind:
            level[:, :, event.first_tick : event.last_tick] *= event.size
    return level


def _level(world: Scenario, kind: EventKind, otherwise: float, shape: tuple[int, int]) -> Floats:
    """The largest size of the events of one kind that are on [L, C, T]."""
    level = np.full((*shape, world.ticks), otherwise)
    for event in world.events:
        if event.kind == kind:
            span = level[:, :, event.first_tick : event.last_tick]
            np.maximum(span, event.size, out=span)
    return level
