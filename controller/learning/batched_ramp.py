"""The envelope's bounds, slews and dwells for a whole batch at once, so that a policy trains under the dynamics it is served with.

Only what shapes a step is here. `safety.decide` alone decides whether a proposal is refused, in an evaluation too.
A test ties this ramp to `safety.ramp`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from controller.learning.spec import TrainingError
from safety.envelope import Envelope
from safety.rules.command_rules import Bound, Dwell, Slew

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Limits:
    """Per setpoint, in the envelope's order: bounds, the most a step may move up and down, and steps between discrete changes."""

    names: tuple[str, ...]
    low: Floats
    high: Floats
    up: Floats
    down: Floats
    discrete: NDArray[np.bool_]
    wait_up: Floats
    wait_down: Floats

    def ramp(self, target: Floats, last: Floats, since: Floats) -> Floats:
        """The step [n, k] from `last` towards `target`, both [n, k]; `since` [n, k] counts steps since the last discrete change."""
        moved = np.asarray(last + np.clip(target - last, -self.down, self.up))
        wait = np.where(target > last, self.wait_up, self.wait_down)
        jumped = np.where(since >= wait, target, last)
        return np.where(self.discrete, jumped, moved)


def limits_of(envelope: Envelope) -> Limits:
    """The limits of an envelope whose continuous setpoints each ramp alone. Raises TrainingError where a relation joins some."""
    if any(len(group.setpoints) > 1 for group in envelope.ramp_plan.groups):
        raise TrainingError("a relation joins setpoints of this envelope: training cannot ramp those together yet")
    count, period_s = len(envelope.setpoints), envelope.period_us / 1e6
    low, high = np.array([s.low for s in envelope.setpoints]), np.array([s.high for s in envelope.setpoints])
    up, down, wait_up, wait_down = np.full(count, np.inf), np.full(count, np.inf), np.zeros(count), np.zeros(count)
    names = [spec.name for spec in envelope.setpoints]
    for rule in envelope.command_rules:
        at = [names.index(name) for name in rule.setpoints]
        if isinstance(rule, Bound):
            low[at], high[at] = np.maximum(low[at], rule.low), np.minimum(high[at], rule.high)
        elif isinstance(rule, Slew):
            up[at], down[at] = (
                np.minimum(up[at], rule.up_per_s * period_s),
                np.minimum(down[at], rule.down_per_s * period_s),
            )
        elif isinstance(rule, Dwell):
            wait_up[at] = np.ceil(rule.min_off_us / envelope.period_us)
            wait_down[at] = np.ceil(rule.min_on_us / envelope.period_us)
    discrete = np.array([spec.values is not None for spec in envelope.setpoints])
    return Limits(tuple(names), low, high, up, down, discrete, wait_up, wait_down)
