"""When traffic comes: intraday and weekly curves, and a reader for a user's own.

Shares by hour of three sources (facts, section 3.3). `avito`: mean of 114 regions of the BAT benchmark's
traffic_share.csv (MIT). `auctionnet`: 48 half-hour ticks summed to hours (Apache-2.0). Both keep their own peak.
"""

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

TICKS_PER_DAY = 48
TICK_S = 1800

_AVITO = (
    *(0.0143, 0.0096, 0.0079, 0.0083, 0.0103, 0.0140, 0.0201, 0.0292, 0.0437, 0.0601, 0.0706, 0.0733),
    *(0.0727, 0.0715, 0.0693, 0.0666, 0.0629, 0.0583, 0.0540, 0.0493, 0.0436, 0.0376, 0.0307, 0.0222),
)
_AUCTIONNET = (
    *(0.0338, 0.0136, 0.0081, 0.0064, 0.0092, 0.0235, 0.0358, 0.0502, 0.0695, 0.0705, 0.0701, 0.0590),
    *(0.0459, 0.0463, 0.0427, 0.0435, 0.0447, 0.0365, 0.0343, 0.0402, 0.0501, 0.0597, 0.0557, 0.0507),
)
HOURLY: dict[str, tuple[float, ...]] = {"avito": _AVITO, "auctionnet": _AUCTIONNET}
WEEKDAY: tuple[float, ...] = (0.154, 0.176, 0.147, 0.144, 0.137, 0.123, 0.120)


def tick_shares(hourly: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spread 24 hourly shares over 48 ticks, linearly between the middles of the hours; sums to one."""
    middle_h = np.arange(24) + 0.5
    tick_h = (np.arange(TICKS_PER_DAY) + 0.5) * 24 / TICKS_PER_DAY
    shares = np.interp(tick_h, middle_h, hourly, period=24)
    return np.asarray(shares / shares.sum())


def sharpen(shares: NDArray[np.float64], peak_to_trough: float) -> NDArray[np.float64]:
    """Bend a curve [ticks] by a power until its highest share is `peak_to_trough` [-] times its lowest."""
    power = np.log(peak_to_trough) / np.log(shares.max() / shares.min())
    bent = shares**power
    return np.asarray(bent / bent.sum())


def click_rate_level(peak_to_trough: float) -> NDArray[np.float64]:
    """Click rate of each tick over the day's mean: a cosine, lowest at 09:00 and highest at 20:00 [48 ticks].

    The logs go from 0.0492 % at 09:00 to 0.0990 % at 18:00 and stay high until 23:00, so a ratio of about 2.
    """
    hour = (np.arange(TICKS_PER_DAY) + 0.5) / 2
    swing = (peak_to_trough - 1) / (peak_to_trough + 1)
    level = 1 + swing * np.cos(2 * np.pi * (hour - 20.0) / 24)
    return np.asarray(level / level.mean())


def day_curve(curve: str, peak_to_trough: float | None = None) -> NDArray[np.float64]:
    """Shares of one day's traffic over 48 ticks for a curve named in `HOURLY`; raises `ValueError` for another name."""
    if curve not in HOURLY:
        raise ValueError(f"unknown traffic curve `{curve}`: choose one of {sorted(HOURLY)}")
    shares = tick_shares(np.asarray(HOURLY[curve]))
    return shares if peak_to_trough is None else sharpen(shares, peak_to_trough)


def flight_curve(
    day: NDArray[np.float64], days: int, first_weekday: int = 0, weekday: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Traffic of each tick of a flight over a mean day's: shape [48 * days]; weekdays count from Monday = 0.

    `weekday` are shares of a week [7], those of `WEEKDAY` if None. A flight of one day has no weekly shape: its one
    day is a mean day.
    """
    if days == 1:
        return day
    shares = np.asarray(WEEKDAY) if weekday is None else weekday
    levels = (shares / shares.sum() * 7)[(first_weekday + np.arange(days)) % 7]
    return np.asarray((levels[:, None] * day[None, :]).reshape(-1))


def read_traffic_share(path: Path) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Read `region_id,dow,hour,traffic_share` (dow 1 = Monday): regions [r] and shares [r, 7, 24], each summing to one.

    Raises `ValueError` when a column is missing, an hour is missing or doubled, or a share is negative.
    """
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        wanted = ["region_id", "dow", "hour", "traffic_share"]
        if reader.fieldnames != wanted:
            raise ValueError(f"`{path.name}` has columns {reader.fieldnames}, wanted {wanted}")
        rows = [(int(r["region_id"]), int(r["dow"]), int(r["hour"]), float(r["traffic_share"])) for r in reader]
    regions = np.unique([row[0] for row in rows])
    shares = np.full((len(regions), 7, 24), np.nan)
    for region, dow, hour, share in rows:
        place = (int(np.searchsorted(regions, region)), dow - 1, hour)
        if not (1 <= dow <= 7 and 0 <= hour <= 23 and share >= 0) or not np.isnan(shares[place]):
            raise ValueError(f"`{path.name}` region {region} dow {dow} hour {hour}: doubled, out of range or negative")
        shares[place] = share
    if np.isnan(shares).any():
        raise ValueError(f"`{path.name}` lacks {int(np.isnan(shares).sum())} of {shares.size} region-hours")
    return regions.astype(np.int64), np.asarray(shares / shares.sum(axis=(1, 2), keepdims=True))
