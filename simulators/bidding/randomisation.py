"""Domain randomisation: ranges as wide as the nine real campaigns are apart, and how they grow with success.

Every range is (low, high), uniform; scales are drawn in logarithms. Basis: facts, section 3.3 ("spread of the real
campaigns") for prices, click rates, curves and correlation; the rest says so in its comment.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from simulators.bidding.curves import TICKS_PER_DAY

Pair = tuple[float, float]
NOISE_BLOCK_TICKS = 4


@dataclass(frozen=True, slots=True)
class Ranges:
    """Ranges of one account's parameters [-] unless said; a range of one point fixes the parameter.

    `budget_frac`: the budget over the cost of winning everything winnable. `target_ratio`: the target over the mean
    price of a conversion when winning everything.
    """

    budget_frac: Pair = (0.1, 0.7)
    target_ratio: Pair = (0.6, 1.8)
    price_scale: Pair = (0.85, 1.15)  # around each template; the templates themselves span 63 .. 93 fen
    win_scale: Pair = (0.85, 1.15)  # templates span 0.18 .. 0.46
    click_scale: Pair = (0.8, 1.25)  # templates span 0.03 .. 0.44 %
    conversion_scale: Pair = (0.7, 1.4)  # templates span 1.5 .. 53 % of clicks
    volume_scale: Pair = (0.7, 1.4)
    peak_to_trough: Pair = (8.0, 17.0)
    click_peak_to_trough: Pair = (1.5, 2.0)
    curve_mix: Pair = (0.0, 1.0)
    value_log_sd: Pair = (0.3, 0.5)
    price_corr: Pair = (0.3, 0.55)  # 0.35 on all prices, once the atoms have diluted it
    traffic_noise: Pair = (0.4, 0.4)  # half-width of the uniform level of each 4-tick block
    price_noise: Pair = (0.05, 0.15)  # log-sd of the hour's price level; an assumption
    conversion_delay_ticks: Pair = (2.0, 12.0)  # an assumption: mean 1 .. 6 h

    def __post_init__(self) -> None:
        for field in fields(self):
            low, high = getattr(self, field.name)
            if not (np.isfinite(low) and np.isfinite(high) and 0 <= low <= high):
                raise ValueError(f"range `{field.name}` is ({low}, {high}): wanted finite 0 <= low <= high")

    def width(self, share: float) -> "Ranges":
        """Every range shrunk around its middle to `share` in [0, 1] of its width; 0 fixes every parameter."""
        if not 0 <= share <= 1:
            raise ValueError(f"`share` is {share}, wanted within [0, 1]")
        pairs = {f.name: getattr(self, f.name) for f in fields(self)}
        return Ranges(**{n: _narrow(low, high, share) for n, (low, high) in pairs.items()})


def _narrow(low: float, high: float, share: float) -> Pair:
    """The middle `share` of a range."""
    middle, half = (low + high) / 2, (high - low) / 2 * share
    return (middle - half, middle + half)


def grow(share: float, score_frac: float, wanted_frac: float = 0.8, by: float = 0.1) -> float:
    """Automatic domain randomisation: the next width after `score_frac` of the bound was reached at this one.

    Wider by `by` when the policy copes, narrower by half of that when it does not; always within [0, 1].
    """
    moved = share + by if score_frac >= wanted_frac else share - by / 2
    return min(1.0, max(0.0, moved))


@dataclass(frozen=True, slots=True)
class Season:
    """One draw of `Ranges` for C campaigns [C], with noise per tick [C, T] the flight's first weekday
    and the template that campaign 0 is made from [C]."""

    budget_frac: NDArray[np.float64]
    target_ratio: NDArray[np.float64]
    price_scale: NDArray[np.float64]
    win_scale: NDArray[np.float64]
    click_scale: NDArray[np.float64]
    conversion_scale: NDArray[np.float64]
    volume_scale: NDArray[np.float64]
    peak_to_trough: NDArray[np.float64]
    click_peak_to_trough: NDArray[np.float64]
    curve_mix: NDArray[np.float64]
    value_log_sd: NDArray[np.float64]
    price_corr: NDArray[np.float64]
    conversion_delay_ticks: NDArray[np.float64]
    traffic_noise: NDArray[np.float64]
    price_noise: NDArray[np.float64]
    first_weekday: NDArray[np.int64]
    first_template: NDArray[np.int64]


def draw_season(
    ranges: Ranges, stream: np.random.Generator, day: np.random.Generator, campaigns: int, days: int
) -> Season:
    """Draw one lane's campaigns from `stream` and the ups and downs of their flight from `day`."""
    blocks = -(-TICKS_PER_DAY * days // NOISE_BLOCK_TICKS)

    def uniform(pair: Pair) -> NDArray[np.float64]:
        return stream.uniform(pair[0], pair[1], campaigns)

    def scale(pair: Pair) -> NDArray[np.float64]:
        return np.asarray(np.exp(uniform((float(np.log(pair[0])), float(np.log(pair[1]))))))

    def ticks(per_block: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.repeat(per_block, NOISE_BLOCK_TICKS, axis=1)[:, : TICKS_PER_DAY * days]

    return Season(
        budget_frac=uniform(ranges.budget_frac),
        target_ratio=uniform(ranges.target_ratio),
        price_scale=scale(ranges.price_scale),
        win_scale=scale(ranges.win_scale),
        click_scale=scale(ranges.click_scale),
        conversion_scale=scale(ranges.conversion_scale),
        volume_scale=scale(ranges.volume_scale),
        peak_to_trough=uniform(ranges.peak_to_trough),
        click_peak_to_trough=uniform(ranges.click_peak_to_trough),
        curve_mix=uniform(ranges.curve_mix),
        value_log_sd=uniform(ranges.value_log_sd),
        price_corr=uniform(ranges.price_corr),
        conversion_delay_ticks=uniform(ranges.conversion_delay_ticks),
        traffic_noise=ticks(1 + uniform(ranges.traffic_noise)[:, None] * day.uniform(-1, 1, (campaigns, blocks))),
        price_noise=ticks(np.exp(uniform(ranges.price_noise)[:, None] * day.standard_normal((campaigns, blocks)))),
        first_weekday=stream.integers(0, 7, campaigns),
        first_template=np.full(campaigns, stream.integers(0, 9)),
    )
