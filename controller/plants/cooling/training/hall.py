"""A site's simulated hall as its evaluation needs it: envelope, world, and the best static setpoints."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from controller.plants.cooling.settings import CoolingSettings
from safety.envelope import Envelope
from simulators.common.signals import SetpointSpec, SignalSpec
from simulators.cooling.world.scenario import Scenario
from simulators.cooling.world.signals import setpoint_specs, signal_specs


@dataclass(frozen=True, slots=True)
class Hall:
    """`folder` is the site's, as it was given; `static` are the best static setpoints [k], in the plant's order."""

    folder: Path
    envelope: Envelope
    cooling: CoolingSettings
    world: Scenario
    static: NDArray[np.float64]

    @property
    def zones(self) -> int:
        return self.cooling.zones

    @property
    def signals(self) -> Sequence[SignalSpec]:
        """Every signal, in the plant's order."""
        return signal_specs(self.zones)

    @property
    def setpoints(self) -> Sequence[SetpointSpec]:
        """Every setpoint, in the plant's order."""
        return setpoint_specs(self.zones)
