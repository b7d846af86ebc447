"""Which chillers run: the plant's own sequencer, which spares compressors short cycles whoever commands it."""

from dataclasses import dataclass

from simulators.cooling.physics.arrays import Array, stacked
from simulators.cooling.physics.constants import Ready
from simulators.cooling.physics.state import Disturbance, State


@dataclass(frozen=True, slots=True)
class Staging:
    """Chillers through a row of sub-steps `[k, n, 1]`, and what the sequencer remembers at its end `[n, 1]`."""

    running: Array
    """Chillers whose compressor runs. [1]"""
    at_load: Array
    """Chillers at load, middle of each sub-step; between whole numbers while one starts. [1]"""
    at_load_end: Array
    since_start_s: Array
    since_stop_s: Array


def staged(state: State, wanted: Array, disturbance: Disturbance, ready: Ready) -> Staging:
    """The command `wanted` `[n, 1]` as far as timers and failures let it be.

    A start waits until `chiller_min_off_s` after the last stop, a stop until `chiller_min_on_s` after the last start.
    A chiller that fails stops at once and may start again after its rest. What stops is gone at once; what starts loads
    up over `chiller_start_s`.
    """
    xp, available = ready.xp, disturbance.chillers_available
    running, at_load = state.chillers_on, state.chillers
    since_start, since_stop = state.since_start_s, state.since_stop_s
    if _settled(wanted, running, at_load, available):
        whole = running + 0.0 * available
        passed = ready.dt_s * available.shape[0]
        return Staging(whole, whole, at_load, since_start + passed, since_stop + passed)
    runs, begun = [], []
    for most in available:
        may = xp.where(wanted > running, since_stop >= ready.min_off, since_start >= ready.min_on)
        now = xp.minimum(xp.where(may, wanted, running), most)
        since_start = xp.where(now > running, ready.zero, since_start) + ready.dt_s
        since_stop = xp.where(now < running, ready.zero, since_stop) + ready.dt_s
        runs.append(now)
        begun.append(at_load)
        at_load = xp.minimum(now, at_load + ready.start_step)
        running = now
    whole = stacked(runs, xp)
    middle = xp.minimum(whole, stacked(begun, xp) + 0.5 * ready.start_step)
    return Staging(whole, middle, at_load, since_start, since_stop)


def _settled(wanted: Array, running: Array, at_load: Array, available: Array) -> bool:
    """Whether nothing changes in this row: the usual case, for which the sub-steps need not be gone through."""
    quiet = (wanted == running) & (at_load == running) & (available >= running)
    return bool(quiet.all())
