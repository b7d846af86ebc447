"""Market prices of nine real campaigns: the published table, and the mixture that reproduces it.

Prices are in fen per thousand impressions (fen CPM), as in the logs; 1 fen CPM is 10 micros of a yuan per impression.
Every campaign of the iPinYou logs bid a constant of at most 300 fen, so nothing is known about dearer auctions: the
table describes the *won* population, and `win_frac` says how large that part is. We keep to it: a price is either
drawn from the fitted mixture (at most `CAP_FEN`) or it is above the cap and cannot be won.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special

CAP_FEN = 300
LEAST_FEN = 1.0
MICROS_PER_FEN = 10
ATOMS_FEN = (5.0, 20.0, 50.0, 70.0, 77.0)
LEVEL_BITS = 14
LEVELS = 1 << LEVEL_BITS


@dataclass(frozen=True, slots=True)
class CampaignFacts:
    """One campaign of the iPinYou logs, as published (rlb-dp histograms; make-ipinyou-data logs).

    Prices [fen CPM] of won impressions; `gamma_k` [-] and `gamma_theta_fen` are the maximum-likelihood gamma and
    `ks_gamma` its Kolmogorov distance to the real histogram; `log_mean`, `log_sd` are the moments of ln(price).
    """

    name: str
    win_frac: float
    ctr_frac: float
    cvr_frac: float
    mean_fen: float
    p10_fen: int
    p50_fen: int
    p90_fen: int
    p99_fen: int
    gamma_k: float
    gamma_theta_fen: float
    ks_gamma: float
    log_mean: float
    log_sd: float
    over_bid: bool


@dataclass(frozen=True, slots=True)
class PriceMixture:
    """Two gammas above `LEAST_FEN`, truncated at `CAP_FEN`, and atoms at common floor prices.

    `body_frac` is the first gamma's share of the body; `atom_fracs` are the shares of `ATOMS_FEN` in all prices.
    """

    k1: float
    theta1_fen: float
    k2: float
    theta2_fen: float
    body_frac: float
    atom_fracs: tuple[float, ...]


# Conversions per click: only 2821, 2259, 3358 and 3476 recorded enough of them to speak of a rate. The others get the
# logs' overall 8.1 %; 2997, whose clicks are 5.6 times as frequent, gets 8.1 % / 5.6 (an assumption: equal worth).
FACTS: tuple[CampaignFacts, ...] = (
    CampaignFacts("1458", 0.2097, 0.000796, 0.081, 68.9, 17, 60, 147, 267, 1.815, 37.96, 0.107, 3.932, 0.838, False),
    CampaignFacts("2259", 0.2797, 0.000335, 0.318, 93.1, 16, 70, 201, 281, 1.330, 69.96, 0.070, 4.112, 1.036, False),
    CampaignFacts("2261", 0.3184, 0.000301, 0.081, 89.6, 12, 63, 204, 284, 1.141, 78.85, 0.073, 4.002, 1.149, False),
    CampaignFacts("2821", 0.2499, 0.000637, 0.534, 89.3, 19, 66, 201, 281, 1.326, 67.32, 0.090, 4.070, 1.036, False),
    CampaignFacts("2997", 0.3069, 0.004436, 0.0145, 63.0, 6, 41, 153, 257, 1.121, 56.20, 0.053, 3.635, 1.090, False),
    CampaignFacts("3358", 0.4644, 0.000780, 0.272, 92.4, 20, 77, 199, 259, 1.810, 51.05, 0.070, 4.225, 0.883, True),
    CampaignFacts("3386", 0.2021, 0.000729, 0.081, 76.9, 20, 67, 169, 280, 1.684, 45.69, 0.098, 4.017, 0.870, False),
    CampaignFacts("3427", 0.1848, 0.000743, 0.081, 81.1, 21, 76, 168, 254, 1.868, 43.39, 0.096, 4.104, 0.855, True),
    CampaignFacts("3476", 0.2935, 0.000521, 0.0253, 79.2, 20, 73, 168, 252, 1.798, 44.05, 0.085, 4.069, 0.863, True),
)

# Fitted by least squares on the table above (four quantiles, mean, both log moments, distance to the gamma).
# Ten numbers for eight targets: they reproduce the table, they do not identify the histogram behind it.
MIXTURES: tuple[PriceMixture, ...] = (
    PriceMixture(2.587, 17.692, 5.403, 33.183, 0.796, (0.0262, 0.0025, 0.0141, 0.1581, 0.0189)),
    PriceMixture(3.897, 6.003, 4.156, 35.639, 0.325, (0.0339, 0.0485, 0.0081, 0.0708, 0.0024)),
    PriceMixture(1.000, 119.899, 15.930, 10.841, 0.850, (0.0379, 0.1010, 0.0640, 0.0006, 0.0066)),
    PriceMixture(1.767, 13.543, 4.771, 33.644, 0.232, (0.0382, 0.1242, 0.1743, 0.0344, 0.0334)),
    PriceMixture(3.053, 7.440, 2.699, 41.489, 0.459, (0.0855, 0.0110, 0.0363, 0.0082, 0.0087)),
    PriceMixture(5.079, 14.926, 31.384, 6.282, 0.700, (0.0443, 0.0884, 0.0420, 0.0542, 0.0737)),
    PriceMixture(2.365, 31.277, 10.800, 22.708, 0.847, (0.0318, 0.1249, 0.0735, 0.0688, 0.0913)),
    PriceMixture(7.222, 5.402, 6.733, 21.022, 0.501, (0.0460, 0.0266, 0.0155, 0.0252, 0.1675)),
    PriceMixture(3.477, 20.128, 12.854, 13.452, 0.693, (0.0371, 0.1451, 0.0478, 0.0304, 0.1526)),
)


def body_cdf(mixture: PriceMixture, price_fen: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of the body at or below `price_fen` [any shape]: one fen plus two truncated gammas."""
    above_fen = np.clip(price_fen - LEAST_FEN, 0.0, CAP_FEN + 0.5 - LEAST_FEN)

    def truncated(k: float, theta_fen: float) -> NDArray[np.float64]:
        share = special.gammainc(k, above_fen / theta_fen)
        return np.asarray(share / special.gammainc(k, (CAP_FEN + 0.5 - LEAST_FEN) / theta_fen))

    first, second = truncated(mixture.k1, mixture.theta1_fen), truncated(mixture.k2, mixture.theta2_fen)
    return mixture.body_frac * first + (1 - mixture.body_frac) * second


def price_cdf(mixture: PriceMixture, price_fen: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of winnable prices at or below `price_fen` [any shape], atoms included."""
    total = (1 - sum(mixture.atom_fracs)) * body_cdf(mixture, price_fen)
    for atom_fen, frac in zip(ATOMS_FEN, mixture.atom_fracs, strict=True):
        total = total + frac * (price_fen >= atom_fen)
    return np.asarray(total)


@lru_cache(maxsize=1)
def body_levels_fen() -> NDArray[np.float32]:
    """Body price [fen] at `LEVELS` equally likely levels, one row per mixture: shape [9, LEVELS].

    A draw picks a level, so a sampled body is within 1 / (2 LEVELS) = 3e-5 of its distribution function.
    """
    grid_fen = np.linspace(LEAST_FEN, CAP_FEN + 0.5, 5991)
    level = (np.arange(LEVELS) + 0.5) / LEVELS
    rows = [np.interp(level, body_cdf(mixture, grid_fen), grid_fen) for mixture in MIXTURES]
    table = np.stack(rows).astype(np.float32)
    table.setflags(write=False)
    return table


@lru_cache(maxsize=1)
def normal_levels() -> NDArray[np.float32]:
    """Standard normal score at `LEVELS` equally likely levels, scaled to unit variance: shape [LEVELS]."""
    score = special.ndtri((np.arange(LEVELS) + 0.5) / LEVELS)
    table = np.asarray(score / score.std(), dtype=np.float32)
    table.setflags(write=False)
    return table
