"""Domain randomisation: distributions as wide as the nine real campaigns are apart, and how they grow with success.

Basis: facts, section 3.3 ("spread of the real campaigns") for prices, click rates, curves and correlation, and the
real logs' rates for what goes wrong; an assumption says so in its comment. A `training.toml` may replace any of them:

    [randomisation.parameter.budget_frac]
    kind = "uniform"  # `low`, `high`; or "log_uniform" with these, "fixed" with `value`,
    low = 0.1         # "normal" with `mean`, `sd`, "lognormal" with `median`, `relative_sd`, both cut at three of them
    high = 0.7
"""

import tomllib
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from simulators.bidding.world.curves import TICKS_PER_DAY
from simulators.bidding.world.seasons import SplitSeason

Kind = Literal["uniform", "log_uniform", "normal", "lognormal"]
KINDS: tuple[str, ...] = get_args(Kind)
LOGARITHMIC = ("log_uniform", "lognormal")
NOTICES = ("bill_delay_s", "win_delay_s", "unrendered_frac", "duplicate_frac", "over_bid_frac")
NOTICE_SETS = 16
NOISE_BLOCK_TICKS = 4
CUT_SD = 3.0  # a normal range spans three standard deviations to either side and is cut there
KEYS = {
    "fixed": ("value",),
    "uniform": ("low", "high"),
    "log_uniform": ("low", "high"),
    "normal": ("mean", "sd"),
    "lognormal": ("median", "relative_sd"),
}


@dataclass(frozen=True, slots=True)
class Range:
    """How one parameter is drawn, always within `low` .. `high`; a range of one point fixes it."""

    low: float
    high: float
    kind: Kind = "uniform"


@dataclass(frozen=True, slots=True)
class Ranges:
    """Ranges of one account's parameters [-] unless said; factors are drawn evenly in their logarithms.

    `budget_frac`: the budget over the cost of winning everything winnable. `target_ratio`: the target over the mean
    price of a conversion when winning everything. `shared_frac`: a shared budget over the sum of its campaigns'.
    """

    budget_frac: Range = Range(0.1, 0.7)
    target_ratio: Range = Range(0.6, 1.8)
    shared_frac: Range = Range(0.5, 0.8)  # an assumption; matters only in scenarios with shared budgets
    price_scale: Range = Range(
        0.85, 1.15, "log_uniform"
    )  # around each template; the templates themselves span 63 .. 93 fen
    win_scale: Range = Range(0.85, 1.15, "log_uniform")  # templates span 0.18 .. 0.46
    click_scale: Range = Range(0.8, 1.25, "log_uniform")  # templates span 0.03 .. 0.44 %
    conversion_scale: Range = Range(0.7, 1.4, "log_uniform")  # templates span 1.5 .. 53 % of clicks
    volume_scale: Range = Range(0.7, 1.4, "log_uniform")
    peak_to_trough: Range = Range(8.0, 17.0)
    click_peak_to_trough: Range = Range(1.5, 2.0)
    curve_mix: Range = Range(0.0, 1.0)  # between two curves of the split's season
    year_swing: Range = Range(0.0, 0.1)  # of prices and of traffic over the year; an assumption
    value_log_sd: Range = Range(0.3, 0.5)
    price_corr: Range = Range(0.3, 0.55)  # 0.35 on all prices, once the atoms have diluted it
    prediction_log_sd: Range = Range(0.0, 0.0)  # how wrong the bidder's model is by segment, beyond the scenario's own
    traffic_noise: Range = Range(0.4, 0.4)  # half-width of the uniform level of each 4-tick block
    price_noise: Range = Range(0.05, 0.15)  # log-sd of the hour's price level; an assumption
    report_noise: Range = Range(0.0, 0.0)  # log-sd of reported counts; scenarios with bad reports widen it
    conversion_delay_ticks: Range = Range(2.0, 12.0)  # an assumption: mean 1 .. 6 h
    bill_delay_s: Range = Range(300.0, 300.0)  # mean; OpenRTB 2.6, section 7.2: 1 to 30 min by format
    win_delay_s: Range = Range(10.0, 10.0)
    unrendered_frac: Range = Range(0.10, 0.10)
    duplicate_frac: Range = Range(0.0037, 0.0037)
    over_bid_frac: Range = Range(0.0303, 0.0303)  # only on campaigns 3358, 3427 and 3476
    adaptive_gain: Range = Range(0.0, 0.0)  # above zero rivals answer our bids, and there is no bound

    def __post_init__(self) -> None:
        for field in fields(self):
            _check(field.name, getattr(self, field.name))

    def width(self, share: float) -> "Ranges":
        """Every range shrunk around its middle to `share` in [0, 1] of its width; 0 fixes every parameter."""
        if not 0 <= share <= 1:
            raise ValueError(f"`share` is {share}, wanted within [0, 1]")
        return Ranges(**{f.name: _narrow(getattr(self, f.name), share) for f in fields(self)})


def _check(name: str, given: Range) -> None:
    """One clear error for a crooked range."""
    low, high, kind = given.low, given.high, given.kind
    if kind not in KINDS:
        raise ValueError(f"range `{name}` is of kind `{kind}`: choose one of {list(KINDS)}")
    if not (np.isfinite(low) and np.isfinite(high) and 0 <= low <= high):
        raise ValueError(f"range `{name}` is ({low}, {high}): wanted finite 0 <= low <= high")
    if kind in LOGARITHMIC and low == 0:
        raise ValueError(f"range `{name}` is {kind} from 0: give a `low` above 0, or kind `uniform`")


def _narrow(given: Range, share: float) -> Range:
    """The middle `share` of a range; the middle of factors is their geometric mean."""
    low, high, kind = given.low, given.high, given.kind
    if kind in LOGARITHMIC:
        middle, half = (np.log(low) + np.log(high)) / 2, (np.log(high) - np.log(low)) / 2 * share
        return Range(float(np.exp(middle - half)), float(np.exp(middle + half)), kind)
    middle, half = (low + high) / 2, (high - low) / 2 * share
    return Range(middle - half, middle + half, kind)


def sample(given: Range, stream: np.random.Generator, size: int) -> NDArray[np.float64]:
    """`size` draws."""
    low, high, kind = given.low, given.high, given.kind
    if kind == "uniform":
        return stream.uniform(low, high, size)
    if kind == "log_uniform":
        return np.asarray(np.exp(stream.uniform(np.log(low), np.log(high), size)))
    if kind == "lognormal":
        return np.exp(_normal(float(np.log(low)), float(np.log(high)), stream, size))
    return _normal(low, high, stream, size)


def _normal(low: float, high: float, stream: np.random.Generator, size: int) -> NDArray[np.float64]:
    """Normal draws around the middle, cut at both ends."""
    drawn = (low + high) / 2 + stream.standard_normal(size) * (high - low) / (2 * CUT_SD)
    return np.clip(drawn, low, high)


def read_ranges(path: Path, base: Ranges | None = None) -> Ranges:
    """`base` with the ranges that the `[randomisation.parameter.<name>]` tables of a training.toml give.

    Raises `ValueError` for an unknown name, a missing or unknown key, or a crooked range.
    """
    with path.open("rb") as file:
        tables = tomllib.load(file).get("randomisation", {}).get("parameter", {})
    known = {field.name for field in fields(Ranges)}
    if strange := sorted(set(tables) - known):
        raise ValueError(f"`{path.name}` randomises an unknown parameter `{strange[0]}`; valid: {sorted(known)}")
    return replace(base or Ranges(), **{name: _read(path.name, name, table) for name, table in tables.items()})


def _read(file: str, name: str, table: dict[str, Any]) -> Range:
    """One table."""
    kind = table.get("kind")
    if kind not in KEYS:
        raise ValueError(f"`{file}` range `{name}` is of kind `{kind}`: choose one of {list(KEYS)}")
    if set(table) != {"kind", *KEYS[kind]}:
        raise ValueError(
            f"`{file}` range `{name}` has keys {sorted(table)}: a {kind} one has kind, {', '.join(KEYS[kind])}"
        )
    try:
        numbers = [float(table[key]) for key in KEYS[kind]]
    except (TypeError, ValueError) as error:
        raise ValueError(f"`{file}` range `{name}`: {' and '.join(KEYS[kind])} must be numbers") from error
    return _range(kind, numbers)


def _range(kind: str, numbers: list[float]) -> Range:
    """A range from what its kind is given by."""
    if kind == "fixed":
        return Range(numbers[0], numbers[0])
    low, high = numbers
    if kind == "normal":
        low, high = low - CUT_SD * high, low + CUT_SD * high
    if kind == "lognormal":
        low, high = low * float(np.exp(-CUT_SD * high)), low * float(np.exp(CUT_SD * high))
    return Range(low, high, cast(Kind, kind))


def grow(share: float, score_frac: float, wanted_frac: float = 0.8, by: float = 0.1) -> float:
    """Automatic domain randomisation: the next width after `score_frac` of the bound was reached at this one.

    Wider by `by` when the policy copes, narrower by half of that when it does not; always within [0, 1].
    """
    moved = share + by if score_frac >= wanted_frac else share - by / 2
    return min(1.0, max(0.0, moved))


@dataclass(frozen=True, slots=True)
class Season:
    """One draw of `Ranges`: `values` by name [C], for C campaigns.

    The other fields have no range: noise per tick [C, T], the flight's first weekday [C], the template that campaign 0
    is made from [C] and the week of the year [C]. Further ones are the two curves of the split that are blended [C, 2],
    errors of the bidder's model [C, SEGMENTS], and the one of `notice_sets` that the exchange follows [C].
    """

    values: dict[str, NDArray[np.float64]]
    traffic_noise: NDArray[np.float64]
    price_noise: NDArray[np.float64]
    report_noise: NDArray[np.float64]
    first_weekday: NDArray[np.int64]
    first_template: NDArray[np.int64]
    week: NDArray[np.int64]
    curves: NDArray[np.int64]
    prediction_error: NDArray[np.float64]
    notice_set: NDArray[np.int64]


def notice_sets(ranges: Ranges, stream: np.random.Generator) -> dict[str, NDArray[np.float64]]:
    """What goes wrong, by name in NOTICES [NOTICE_SETS]; a single set where every such range is a point.

    A table of events costs memory, so accounts share a few drawn ones.
    """
    given = {name: getattr(ranges, name) for name in NOTICES}
    size = 1 if all(r.low == r.high for r in given.values()) else NOTICE_SETS
    return {name: sample(each, stream, size) for name, each in given.items()}


def draw_season(
    ranges: Ranges,
    split: SplitSeason,
    stream: np.random.Generator,
    day: np.random.Generator,
    campaigns: int,
    days: int,
    segments: int,
) -> Season:
    """Draw one lane's campaigns from `stream` and the ups and downs of their flight from `day`."""
    blocks, ticks = -(-TICKS_PER_DAY * days // NOISE_BLOCK_TICKS), TICKS_PER_DAY * days
    values = {
        f.name: sample(getattr(ranges, f.name), stream, campaigns) for f in fields(Ranges) if f.name not in NOTICES
    }

    def each(per_block: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.repeat(per_block, NOISE_BLOCK_TICKS, axis=1)[:, :ticks]

    first, last = split.weeks
    return Season(
        values=values,
        first_weekday=np.full(campaigns, stream.integers(0, 7)),
        first_template=np.full(campaigns, stream.integers(0, 9)),
        week=np.full(campaigns, stream.integers(first, last + 1)),
        curves=stream.integers(0, len(split.curves), (campaigns, 2)),
        prediction_error=np.exp(values["prediction_log_sd"][:, None] * stream.standard_normal((campaigns, segments))),
        notice_set=np.full(campaigns, stream.integers(0, NOTICE_SETS)),
        traffic_noise=each(1 + values["traffic_noise"][:, None] * day.uniform(-1, 1, (campaigns, blocks))),
        price_noise=each(np.exp(values["price_noise"][:, None] * day.standard_normal((campaigns, blocks)))),
        report_noise=np.exp(values["report_noise"][:, None] * day.standard_normal((campaigns, ticks))),
    )
