"""The seasons of the three splits: other weeks of the year, and traffic curves of other regions.

Curves are means over groups of the 114 regions of the BAT benchmark's traffic_share.csv (MIT), split by their order in
that file. Of every four regions two are for training, one for validation and one for the test. Within a split the
regions are grouped in three by the hour that their traffic centres on. `auctionnet` (Apache-2.0) is for training only.

The swing of prices and traffic over the year is an assumption: public logs cover two weeks of June and October.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulators.bidding.world.curves import HOURLY, WEEKDAY

WEEKS = 52
DEAREST_WEEK = 50


@dataclass(frozen=True, slots=True)
class Curve:
    """Shares of a day by hour [24] and of a week by day, Monday first [7]."""

    name: str
    hourly: tuple[float, ...]
    weekday: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class SplitSeason:
    """The weeks of the year a split may draw, first and last [0 .. 51], and its curves."""

    weeks: tuple[int, int]
    curves: tuple[Curve, ...]


SEASONS: dict[str, SplitSeason] = {
    "train": SplitSeason(
        (0, 25),
        (
            Curve(
                "train-early",
                (
                    *(0.0093, 0.0102, 0.0133, 0.0188, 0.0258, 0.0344, 0.0444, 0.0549, 0.0641, 0.0693, 0.0722, 0.0705),
                    *(0.0681, 0.0657, 0.0623, 0.0582, 0.0538, 0.0479, 0.0418, 0.0351, 0.0285, 0.0226, 0.0169, 0.0119),
                ),
                (0.153, 0.179, 0.148, 0.145, 0.138, 0.119, 0.118),
            ),
            Curve(
                "train-middle",
                (
                    *(0.0140, 0.0077, 0.0044, 0.0030, 0.0028, 0.0044, 0.0089, 0.0178, 0.0363, 0.0591, 0.0728, 0.0767),
                    *(0.0770, 0.0762, 0.0742, 0.0717, 0.0683, 0.0636, 0.0594, 0.0545, 0.0480, 0.0412, 0.0341, 0.0240),
                ),
                (0.154, 0.174, 0.146, 0.143, 0.137, 0.125, 0.120),
            ),
            Curve(
                "train-late",
                (
                    *(0.0188, 0.0106, 0.0061, 0.0042, 0.0037, 0.0049, 0.0088, 0.0169, 0.0321, 0.0521, 0.0661, 0.0720),
                    *(0.0717, 0.0718, 0.0709, 0.0693, 0.0661, 0.0634, 0.0602, 0.0578, 0.0539, 0.0483, 0.0405, 0.0298),
                ),
                (0.156, 0.172, 0.145, 0.144, 0.137, 0.124, 0.123),
            ),
            Curve("auctionnet", HOURLY["auctionnet"], WEEKDAY),
        ),
    ),
    "validation": SplitSeason(
        (26, 38),
        (
            Curve(
                "validation-early",
                (
                    *(0.0127, 0.0140, 0.0168, 0.0205, 0.0254, 0.0318, 0.0408, 0.0517, 0.0620, 0.0678, 0.0708, 0.0697),
                    *(0.0683, 0.0658, 0.0615, 0.0576, 0.0527, 0.0467, 0.0417, 0.0357, 0.0293, 0.0241, 0.0185, 0.0140),
                ),
                (0.150, 0.179, 0.148, 0.144, 0.136, 0.122, 0.120),
            ),
            Curve(
                "validation-middle",
                (
                    *(0.0139, 0.0078, 0.0046, 0.0031, 0.0030, 0.0047, 0.0094, 0.0188, 0.0379, 0.0602, 0.0730, 0.0767),
                    *(0.0762, 0.0754, 0.0734, 0.0712, 0.0674, 0.0625, 0.0580, 0.0541, 0.0484, 0.0420, 0.0346, 0.0238),
                ),
                (0.152, 0.173, 0.147, 0.145, 0.139, 0.124, 0.119),
            ),
            Curve(
                "validation-late",
                (
                    *(0.0171, 0.0095, 0.0054, 0.0037, 0.0033, 0.0045, 0.0087, 0.0176, 0.0340, 0.0553, 0.0692, 0.0735),
                    *(0.0737, 0.0731, 0.0716, 0.0697, 0.0668, 0.0629, 0.0595, 0.0560, 0.0520, 0.0459, 0.0390, 0.0283),
                ),
                (0.155, 0.174, 0.146, 0.144, 0.137, 0.123, 0.121),
            ),
        ),
    ),
    "test": SplitSeason(
        (39, 51),
        (
            Curve(
                "test-early",
                (
                    *(0.0115, 0.0088, 0.0087, 0.0111, 0.0168, 0.0257, 0.0349, 0.0441, 0.0564, 0.0669, 0.0733, 0.0724),
                    *(0.0703, 0.0676, 0.0650, 0.0624, 0.0580, 0.0527, 0.0479, 0.0421, 0.0345, 0.0291, 0.0227, 0.0170),
                ),
                (0.155, 0.180, 0.147, 0.144, 0.137, 0.120, 0.117),
            ),
            Curve(
                "test-middle",
                (
                    *(0.0144, 0.0079, 0.0046, 0.0030, 0.0028, 0.0044, 0.0087, 0.0175, 0.0355, 0.0584, 0.0721, 0.0764),
                    *(0.0770, 0.0762, 0.0743, 0.0718, 0.0684, 0.0637, 0.0594, 0.0546, 0.0481, 0.0416, 0.0346, 0.0245),
                ),
                (0.155, 0.174, 0.146, 0.143, 0.137, 0.125, 0.121),
            ),
            Curve(
                "test-late",
                (
                    *(0.0186, 0.0099, 0.0054, 0.0035, 0.0030, 0.0039, 0.0071, 0.0144, 0.0280, 0.0486, 0.0657, 0.0731),
                    *(0.0747, 0.0741, 0.0728, 0.0705, 0.0681, 0.0647, 0.0620, 0.0587, 0.0547, 0.0481, 0.0402, 0.0301),
                ),
                (0.157, 0.176, 0.147, 0.144, 0.136, 0.120, 0.120),
            ),
        ),
    ),
}


def year_level(week: NDArray[np.int64], swing: NDArray[np.float64]) -> NDArray[np.float64]:
    """The level of weeks 0 .. 51 relative to the year's mean: a cosine of half-width `swing`, highest in `DEAREST_WEEK`."""
    return np.asarray(1.0 + swing * np.cos(2 * np.pi * (week - DEAREST_WEEK) / WEEKS))
