"""IT load: a day's and a week's rhythm, correlated noise, and steps when jobs start and end.

Every value is a function of (scenario, seed, lane, time), so a run can start anywhere and any part can be made alone.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulators.cooling.noise import normals, uniforms

NODE_S = 300
NODES_PER_DAY = 288
NOISE_NODES = 48
BLOCK_NODES = 48


@dataclass(frozen=True, slots=True)
class LoadProfile:
    """Shape of the load, in shares of each zone's design power."""

    base_frac: float = 0.66
    spread_frac: float = 0.08
    """How far zones differ from one another, uniformly to both sides."""
    daily_frac: float = 0.14
    weekend_frac: float = 0.06
    """How much less is asked for on Saturdays and Sundays."""
    noise_frac: float = 0.03
    noise_hours: float = 1.0
    step_chance: float = 0.15
    """Chance that a zone runs a large job in a given four hours."""
    step_frac: float = 0.12
    low_frac: float = 0.2
    high_frac: float = 0.95


def load_fracs(
    profile: LoadProfile,
    name: str,
    seed: int,
    lanes: NDArray[np.int64],
    first: NDArray[np.int64],
    count: int,
    zones: int,
) -> NDArray[np.float64]:
    """Load `[count, n, zones]` as shares of design power at five-minute nodes, from each lane's `first` node on."""
    rows = [
        _lane(profile, name, seed, int(lane), int(start), count, zones)
        for lane, start in zip(lanes, first, strict=True)
    ]
    return np.stack(rows, axis=1)


def _lane(
    profile: LoadProfile, name: str, seed: int, lane: int, first: int, count: int, zones: int
) -> NDArray[np.float64]:
    nodes = first + np.arange(count)
    traits = uniforms(f"{name}/traits", seed, lane, 0, 1, 2 * zones)[0]
    base = profile.base_frac + profile.spread_frac * (2.0 * traits[:zones] - 1.0)
    peak_hour = 13.0 + 4.0 * traits[zones:]
    hour = (nodes % NODES_PER_DAY)[:, None] / 12.0
    rhythm = profile.daily_frac * np.cos(2.0 * np.pi * (hour - peak_hour) / 24.0)
    weekend = ((nodes // NODES_PER_DAY) % 7 >= 5)[:, None]
    total = base + rhythm - profile.weekend_frac * weekend + _noise(profile, name, seed, lane, first, count, zones)
    total = total + _jobs(profile, name, seed, lane, nodes, zones)
    clipped: NDArray[np.float64] = np.clip(total, profile.low_frac, profile.high_frac)
    return clipped


def _noise(
    profile: LoadProfile, name: str, seed: int, lane: int, first: int, count: int, zones: int
) -> NDArray[np.float64]:
    """First-order noise as a finite sum over the past, so any part can be made alone; zones share half of it."""
    decay = np.exp(-1.0 / (12.0 * profile.noise_hours))
    weights = decay ** np.arange(NOISE_NODES)[::-1]
    weights = weights * (profile.noise_frac / np.sqrt(np.sum(weights * weights)))
    start = first - NOISE_NODES + 1 + _NOISE_ORIGIN
    shocks = normals(f"{name}/noise", seed, lane, start, count + NOISE_NODES - 1, zones + 1)
    mixed = np.sqrt(0.5) * (shocks[:, :1] + shocks[:, 1:])
    windows = np.lib.stride_tricks.sliding_window_view(mixed, NOISE_NODES, axis=0)
    return np.asarray(np.add.reduce(windows * weights, axis=-1))


_NOISE_ORIGIN = 1 << 20
"""Keeps the counter positive before the first node of the year."""


def _jobs(
    profile: LoadProfile, name: str, seed: int, lane: int, nodes: NDArray[np.int64], zones: int
) -> NDArray[np.float64]:
    """Steps up or down that a job makes within its four hours, at a random start."""
    block = nodes // BLOCK_NODES
    draws = uniforms(f"{name}/jobs", seed, lane, int(block[0]), int(block[-1] - block[0]) + 1, 3 * zones)
    mine = draws[block - block[0]]
    runs, size, start = mine[:, :zones], mine[:, zones : 2 * zones], mine[:, 2 * zones :]
    on = (runs < profile.step_chance) & ((nodes % BLOCK_NODES)[:, None] >= start * BLOCK_NODES * 0.75)
    return np.where(on, profile.step_frac * (2.0 * size - 1.0) * 1.5, 0.0)
