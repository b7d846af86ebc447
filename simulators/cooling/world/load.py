"""IT load, fitted to two real traces: a cloud cluster's week and a supercomputer's day.

A zone's power is a mix of both kinds. Servers for users follow a weekly rhythm with noise; batch jobs start at once,
run, and drain. Every value is a function of (scenario, seed, lane, time), so a run can start anywhere, any part can be
made alone, and no week repeats another.
tests/simulators/cooling/test_load.py holds the generator to the traces' statistics.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulators.common.random_numbers import normals, uniforms

NODE_S = 300
NODES_PER_HOUR = 12
NODES_PER_DAY = 288
WEEK_HOURS = 168.0
NOISE_NODES = 48

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Users:
    """Utilisation of servers that people use. Fitted to a week of hourly CPU use of an Alibaba cluster (trace of 2017).

    After one weekly harmonic that week's residual is white from hour to hour and normal (kurtosis 2.9); its daily
    rhythm is next to nothing. The trace does not say on which weekday it starts: taken as a Monday.
    """

    mean_frac: float = 0.495
    """Mean utilisation. [1]"""
    weekly_frac: float = 0.083
    """Amplitude of the weekly rhythm. [1]"""
    weekly_peak_h: float = 82.7
    """Its peak, in hours since the week began. [h]"""
    daily_frac: float = 0.007
    """Amplitude of the daily rhythm. [1]"""
    daily_peak_h: float = 21.2
    """[h]"""
    noise_frac: float = 0.069
    """Standard deviation of the rest. [1]"""
    noise_hours: float = 0.35
    """Its correlation time, short enough for hours to be independent as they are in the trace. [h]"""
    idle_frac: float = 0.4
    """Power at no utilisation over that at full; engineering assumption of this project. [1]"""


@dataclass(frozen=True, slots=True)
class Batch:
    """Power of machines that run jobs. Levels and job sizes are of 25 cooling units of the Frontier supercomputer on one
    day, 2024-04-07; `FRONTIER` is the machine whose power changes in time as theirs did.

    Jobs start in slots, `SLOTS_PER_BLOCK` in each `BLOCK_NODES`. A job jumps to its size, holds it, then drains linearly.
    """

    idle_frac: float = 0.25
    """Power without jobs over design power. [1]"""
    busy_frac: float = 0.945
    """The same with the machine full. [1]"""
    start_chance: float = 0.78
    """That a slot starts a job. [1]"""
    starts_on_nodes: bool = True
    """Whether jobs jump to their size from one node to the next; else they start at any time, over five minutes."""
    hours: float = 1.13
    """How long a job holds its size: this, times an exponential of mean one to the power of `hours_power`. [h]"""
    hours_power: float = 1.0
    """Above one, more jobs are much shorter and much longer than `hours`. [1]"""
    whole_chance: float = 0.23
    """That a job takes the whole machine; else its size is uniform up to `part_frac`. [1]"""
    part_frac: float = 0.87
    """[1]"""
    drain_hours: float = 0.09
    """Mean time of the drain; exponential. [h]"""
    ripple_frac: float = 0.016
    """Standard deviation of what remains, white. [1]"""


@dataclass(frozen=True, slots=True)
class LoadProfile:
    """Shape of the load, in shares of each zone's design power."""

    users: Users = Users()
    batch: Batch = Batch()
    batch_frac: float = 0.15
    """Share of the design power that runs batch jobs; engineering assumption of this project. [1]"""
    batch_shared: bool = False
    """Whether all zones run the same jobs, as the cooling units of one supercomputer do."""
    spread_frac: float = 0.08
    """How far zones' users differ in mean utilisation, uniformly to both sides; engineering assumption. [1]"""
    common_frac: float = 0.5
    """Share of the noise's variance that zones have in common; engineering assumption. [1]"""
    low_frac: float = 0.1
    high_frac: float = 1.0


FRONTIER = Batch(
    idle_frac=0.275,
    busy_frac=0.925,
    start_chance=0.82,
    starts_on_nodes=False,
    hours=0.49,
    hours_power=1.8,
    whole_chance=0.43,
    part_frac=0.925,
    drain_hours=0.038,
    ripple_frac=0.0226,
)
"""The machine of the Frontier trace. That holds means of five minutes, in which a start shows in two steps, not in one."""
CLOUD = LoadProfile(batch_frac=0.0)
"""Users alone, as in the Alibaba trace."""
HPC = LoadProfile(batch=FRONTIER, batch_frac=1.0, batch_shared=True)
"""One machine for jobs, as in the Frontier trace."""
LOADS = {"mixed": LoadProfile(), "cloud": CLOUD, "hpc": HPC}
"""Profiles by the names that sites may give."""


def load_fracs(
    profile: LoadProfile,
    name: str,
    seed: int,
    lanes: NDArray[np.int64],
    first: NDArray[np.int64],
    count: int,
    zones: int,
) -> Floats:
    """Load `[count, n, zones]` as shares of design power at five-minute nodes, from each lane's `first` node on."""
    rows = [
        _lane(profile, name, seed, int(lane), int(start), count, zones)
        for lane, start in zip(lanes, first, strict=True)
    ]
    return np.stack(rows, axis=1)


def _lane(profile: LoadProfile, name: str, seed: int, lane: int, first: int, count: int, zones: int) -> Floats:
    total = np.zeros((count, zones))
    if profile.batch_frac < 1.0:
        idle = profile.users.idle_frac
        use = utilisation(profile, name, seed, lane, first, count, zones)
        total = total + (1.0 - profile.batch_frac) * (idle + (1.0 - idle) * use)
    if profile.batch_frac > 0.0:
        total = total + profile.batch_frac * _batch_power(profile, name, seed, lane, first, count, zones)
    return np.asarray(np.clip(total, profile.low_frac, profile.high_frac))


def utilisation(profile: LoadProfile, name: str, seed: int, lane: int, first: int, count: int, zones: int) -> Floats:
    """Utilisation of users' servers `[count, zones]`."""
    users = profile.users
    hours = (first + np.arange(count))[:, None] / NODES_PER_HOUR
    traits = uniforms(f"{name}/traits", seed, lane, 0, 1, zones)[0]
    mean = users.mean_frac + profile.spread_frac * (2.0 * traits - 1.0)
    weekly = users.weekly_frac * np.cos(2.0 * np.pi * (hours - users.weekly_peak_h) / WEEK_HOURS)
    daily = users.daily_frac * np.cos(2.0 * np.pi * (hours - users.daily_peak_h) / 24.0)
    noise = _noise(profile, name, seed, lane, first, count, zones)
    return np.asarray(np.clip(mean + weekly + daily + noise, 0.0, 1.0))


def _noise(profile: LoadProfile, name: str, seed: int, lane: int, first: int, count: int, zones: int) -> Floats:
    """First-order noise as a finite sum over the past, so any part can be made alone."""
    decay = np.exp(-1.0 / (NODES_PER_HOUR * profile.users.noise_hours))
    weights = decay ** np.arange(NOISE_NODES)[::-1]
    weights = weights * (profile.users.noise_frac / np.sqrt(np.sum(weights * weights)))
    start = first - NOISE_NODES + 1 + _ORIGIN
    shocks = normals(f"{name}/noise", seed, lane, start, count + NOISE_NODES - 1, zones + 1)
    common = profile.common_frac
    mixed = np.sqrt(common) * shocks[:, :1] + np.sqrt(1.0 - common) * shocks[:, 1:]
    windows = np.lib.stride_tricks.sliding_window_view(mixed, NOISE_NODES, axis=0)
    return np.asarray(np.add.reduce(windows * weights, axis=-1))


_ORIGIN = 1 << 20
"""Keeps counters positive before the first node of the year."""

BLOCK_NODES = 36
SLOTS_PER_BLOCK = 4
MEMORY_BLOCKS = 4
"""Blocks that a job may outlive; those few that are longer end here."""


def _batch_power(profile: LoadProfile, name: str, seed: int, lane: int, first: int, count: int, zones: int) -> Floats:
    """Power of the batch machines over their design power `[count, zones]`."""
    batch, machines = profile.batch, 1 if profile.batch_shared else zones
    nodes = first + np.arange(count)
    start, size, hold, drain = _jobs(batch, name, seed, lane, nodes, machines)
    age = nodes[:, None] - start[None, :]
    share = np.clip(1.0 - (age - hold) / drain, 0.0, 1.0) * np.clip(age + 1.0, 0.0, 1.0) * size
    level = np.minimum(np.add.reduce(share.reshape(count, -1, machines), axis=1), 1.0)
    ripple = batch.ripple_frac * normals(f"{name}/ripple", seed, lane, first + _ORIGIN, count, machines)
    power = batch.idle_frac + (batch.busy_frac - batch.idle_frac) * level + ripple
    return np.asarray(np.repeat(power, zones, axis=1) if profile.batch_shared else power)


def _jobs(
    batch: Batch, name: str, seed: int, lane: int, nodes: NDArray[np.int64], machines: int
) -> tuple[Floats, Floats, Floats, Floats]:
    """Start, size, hold and drain of all jobs that may be felt at `nodes`, times in nodes; `[slots x machines]` each."""
    begin, end = int(nodes[0]) // BLOCK_NODES - MEMORY_BLOCKS, int(nodes[-1]) // BLOCK_NODES + 1
    width = SLOTS_PER_BLOCK * machines
    draws = uniforms(f"{name}/jobs", seed, lane, begin + _ORIGIN, end - begin, 6 * width)
    runs, at, whole, part, hold, drain = (draws[:, i * width : (i + 1) * width] for i in range(6))
    blocks = np.arange(begin, end)[:, None]
    size = np.where(whole < batch.whole_chance, 1.0, part * batch.part_frac) * (runs < batch.start_chance)
    longest = float(MEMORY_BLOCKS * BLOCK_NODES)
    held = np.minimum((-np.log(hold)) ** batch.hours_power * batch.hours * NODES_PER_HOUR, 0.7 * longest)
    drained = np.clip(-np.log(drain) * batch.drain_hours * NODES_PER_HOUR, 1.0, 0.3 * longest)
    start = (blocks + at) * BLOCK_NODES
    start = np.floor(start) if batch.starts_on_nodes else start
    return start.ravel(), size.ravel(), held.ravel(), drained.ravel()
