"""Incumbents of the cooling hall: trim-and-respond as plants of this kind run it, and one fixed command.

The control law itself is `simulators.cooling.controllers.incumbents`, written once for floats and for batches; here it
stands behind the port, on floats, with its memory as a plain dict that is saved with every tick.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safety.values import Observation, Proposal, Setpoints, Source, Status
from simulators.cooling.controllers.incumbents import FLOATS, TrimConfig, TrimMemory, trim_law, trim_start
from simulators.cooling.world.signals import setpoint_specs, signal_specs

Floats = NDArray[np.float64]
MEMORY = ("setpoints", "error_k", "since_stage")


class TrimAndRespond:
    """Implements `ports.Incumbent`. Its memory: `setpoints` in force, `error_k` per zone, `since_stage`."""

    def __init__(self, zones: int) -> None:
        self.config = TrimConfig(zones=zones)
        self.signals = [spec.name for spec in signal_specs(zones)]
        self.setpoints = [spec.name for spec in setpoint_specs(zones)]

    @property
    def fresh(self) -> Mapping[str, Any]:
        return {}

    def propose(self, observation: Observation, memory: Mapping[str, Any]) -> tuple[Proposal, Mapping[str, Any]]:
        """Its targets; without a good reading of every signal it uses, a status instead, and the memory as it was."""
        signals, seen, unread = observation.signals, {}, []
        for name in self.signals:
            signal = signals.get(name)
            if signal is None or not signal.good:
                unread.append(name)
            else:
                seen[name] = signal.value
        if unread:
            return Proposal(Source.INCUMBENT, {}, Status.FAILED, f"no good reading of {', '.join(unread)}"), memory
        remembered = self._memory(memory, observation)
        if remembered is None:
            return Proposal(Source.INCUMBENT, {}, Status.FAILED, "no command in force and none read back"), memory
        (last,), (error,), (since,) = (remembered[name] for name in MEMORY)
        wanted, error, since = trim_law(seen, last, error, since, self.config, FLOATS)
        after = {"setpoints": [wanted], "error_k": [error], "since_stage": [since]}
        return Proposal(Source.INCUMBENT, dict(zip(self.setpoints, wanted, strict=True))), after

    def track(self, memory: Mapping[str, Any], applied: Setpoints) -> Mapping[str, Any]:
        """Continue from what was applied; its own command, applied as it was, changes nothing."""
        row = [applied[name] for name in self.setpoints]
        if not memory or row == memory["setpoints"][0]:
            return memory
        return _plain(follow(_arrays(memory), np.array([row])))

    def _memory(self, memory: Mapping[str, Any], observation: Observation) -> Mapping[str, Any] | None:
        """The memory kept; on the first tick, one made from the command in force or the readback."""
        if memory:
            return memory
        standing = observation.applied or observation.readback
        if standing is None or not all(name in standing for name in self.setpoints):
            return None
        return _plain(trim_start(np.array([[standing[name] for name in self.setpoints]]), self.config))


def follow(memory: TrimMemory, applied: Floats) -> TrimMemory:
    """The memory after `applied` [n, k] came into force on a tick whose `trim_and_respond` has already been asked.

    That tick is counted and its errors are measured already, so only the command changes; a chiller staged by another
    controller restarts the time between stages. Following one's own command changes nothing.
    """
    staged = applied[:, -1] != memory.setpoints[:, -1]
    return replace(memory, setpoints=applied * 1.0, since_stage=np.where(staged, 0.0, memory.since_stage))


class FixedIncumbent:
    """The same targets whatever is measured, such as the best static setting. Implements `ports.Incumbent`."""

    def __init__(self, targets: Setpoints) -> None:
        self.targets = dict(targets)

    @property
    def fresh(self) -> Mapping[str, Any]:
        return {}

    def propose(self, observation: Observation, memory: Mapping[str, Any]) -> tuple[Proposal, Mapping[str, Any]]:
        return Proposal(Source.INCUMBENT, self.targets), memory

    def track(self, memory: Mapping[str, Any], applied: Setpoints) -> Mapping[str, Any]:
        return memory


def _plain(memory: TrimMemory) -> dict[str, Any]:
    return {name: values.tolist() for name, values in memory.to_dict().items()}


def _arrays(memory: Mapping[str, Any]) -> TrimMemory:
    return TrimMemory(*(np.array(memory[name], dtype=np.float64) for name in MEMORY))
