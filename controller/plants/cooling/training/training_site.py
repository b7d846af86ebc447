"""What training and evaluation stand on: a site's world, its envelope, and the tensors of its plant."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from controller.learning.spec import TrainingError
from controller.learning.tensors import Tensors
from controller.plants.cooling.scenario import world_of
from controller.plants.cooling.settings import CoolingSettings
from controller.policies.manifest import Manifest
from controller.settings import load_site
from safety.envelope import Envelope
from safety.loading.spec import load_envelope
from simulators.cooling.world.scenario import Scenario
from simulators.cooling.world.signals import setpoint_specs, signal_specs


@dataclass(frozen=True, slots=True)
class Ground:
    """A cooling site as a learner needs it. `static` are the best static setpoints [k], in the plant's order."""

    envelope: Envelope
    cooling: CoolingSettings
    world: Scenario
    static: NDArray[np.float64]

    @property
    def zones(self) -> int:
        return self.cooling.zones

    def tensors(self, manifest: Manifest) -> Tensors:
        """The tensors of a bundle. Raises TrainingError where it is made for another plant."""
        signals = tuple(spec.name for spec in signal_specs(self.zones))
        setpoints = tuple(spec.name for spec in setpoint_specs(self.zones))
        known = {
            "signal": set(signals),
            "setpoint": set(setpoints),
            "calendar": {spec.name for spec in manifest.inputs},
        }
        strange = [spec.name for spec in manifest.inputs if spec.name not in known[spec.kind]]
        strange += [name for name in setpoints if name not in {spec.setpoint for spec in manifest.outputs}]
        if strange:
            raise TrainingError(f"bundle `{manifest.name}` is for another plant: `{strange[0]}` does not fit this site")
        return Tensors(manifest.inputs, manifest.outputs, signals, setpoints)


def ground_of(site: Path) -> Ground:
    """The ground of a site's folder. Raises one clear error where the site has no simulated cooling plant."""
    cooling = load_site(site).plant_settings("cooling", CoolingSettings)
    envelope = load_envelope(site / "envelope.toml")
    names = [spec.name for spec in setpoint_specs(cooling.zones)]
    if [spec.name for spec in envelope.setpoints] != names:
        raise TrainingError(f"`{site}/envelope.toml` must list the plant's setpoints in its order: {', '.join(names)}")
    static = np.array([cooling.best_static[name] for name in names])
    return Ground(envelope, cooling, world_of(cooling, site), static)
