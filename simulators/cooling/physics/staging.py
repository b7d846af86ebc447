"""The plant's own chiller sequencer, which keeps compressors from short cycles under any controller."""

from simulators.cooling.physics.compiled import scalar
from simulators.cooling.physics.params import PlantParams
from simulators.cooling.physics.state import PlantState


@scalar
def stage(p: PlantParams, s: PlantState, wanted: float, available: float, dt_s: float) -> float:
    """Move the sequencer on by `dt_s`; return the chillers at load in the middle of it. [1]

    A start waits until `chiller_min_off_s` after the last stop, a stop until `chiller_min_on_s` after the last start.
    A chiller that fails stops at once and may start again after its rest. What stops is gone at once; what starts loads
    up over `chiller_start_s`.
    """
    if wanted > s.chillers_on:
        may = s.since_stop_s >= p.chiller_min_off_s
    else:
        may = s.since_start_s >= p.chiller_min_on_s
    now = min(wanted if may else s.chillers_on, available)
    s.since_start_s = (0.0 if now > s.chillers_on else s.since_start_s) + dt_s
    s.since_stop_s = (0.0 if now < s.chillers_on else s.since_stop_s) + dt_s
    loading = dt_s / p.chiller_start_s
    middle = min(now, s.chillers + 0.5 * loading)
    s.chillers_on, s.chillers = now, min(now, s.chillers + loading)
    return middle
