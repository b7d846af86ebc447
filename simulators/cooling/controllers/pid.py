"""A cascade of PI loops: inlets set the supply air, the air's temperature rise sets the fans."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from simulators.cooling.controllers.incumbents import TrimConfig, TrimMemory, trim_and_respond
from simulators.cooling.world.signals import signal_specs

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PidConfig:
    """Settings; gains are per five-minute step. Staging, tower and chilled water are trim-and-respond's."""

    trim: TrimConfig = field(default_factory=TrimConfig)
    inlet_target_c: float = 25.0
    supply_gain: float = 0.3
    supply_integral: float = 0.08
    supply_low_c: float = 18.0
    supply_high_c: float = 24.0
    rise_target_k: float = 9.0
    """Return over supply air; a larger rise means too little air."""
    fan_gain_per_k: float = 0.02
    fan_integral_per_k: float = 0.01
    fan_low_frac: float = 0.4


@dataclass(frozen=True, slots=True)
class PidMemory:
    """Memory of the loops."""

    trim: TrimMemory
    inlet_error_k: Floats
    rise_error_k: Floats


def pid_start(memory: TrimMemory) -> PidMemory:
    """Memory of loops that begin at the command in `memory`; also how they follow another controller's."""
    lanes = memory.setpoints.shape[0]
    return PidMemory(memory, np.full(lanes, np.nan), np.full_like(memory.error_k, np.nan))


def pid_cascade(signals: Floats, memory: PidMemory, config: PidConfig) -> tuple[Floats, PidMemory]:
    """One five-minute step, velocity form throughout, so that no loop winds up at a limit."""
    c, zones = config, config.trim.zones
    last = memory.trim.setpoints
    command, trim = trim_and_respond(signals, memory.trim, c.trim)
    names = {spec.name: i for i, spec in enumerate(signal_specs(zones))}

    def block(name: str) -> Floats:
        return signals[:, names[name] : names[name] + zones]

    inlet_error = block("inlet_z1_c").max(axis=1) - c.inlet_target_c
    before = np.where(np.isnan(memory.inlet_error_k), inlet_error, memory.inlet_error_k)
    supply = last[:, 0] - c.supply_gain * (inlet_error - before) - c.supply_integral * inlet_error
    rise_error = block("return_z1_c") - block("supply_z1_c") - c.rise_target_k
    old = np.where(np.isnan(memory.rise_error_k), rise_error, memory.rise_error_k)
    fans = last[:, 1 : 1 + zones] + c.fan_gain_per_k * (rise_error - old) + c.fan_integral_per_k * rise_error
    command = command.copy()
    command[:, 0] = np.clip(supply, c.supply_low_c, c.supply_high_c)
    command[:, 1 : 1 + zones] = np.clip(fans, c.fan_low_frac, 1.0)
    return command, PidMemory(replace(trim, setpoints=command), inlet_error, rise_error)
