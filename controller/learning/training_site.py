"""What a plant provides so that a candidate can be trained and evaluated for it. Training knows nothing else of the plant.

Arrays are batches: `n` plants side by side, `m` signals and `k` setpoints in the plant's order, in engineering units.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from controller.learning.spec import TrainingSpec
from controller.learning.tensors import Tensors
from controller.policies.manifest import Manifest, NoveltyStatistics
from safety.envelope import Envelope
from simulators.common.signals import SetpointSpec, SignalSpec

Floats = NDArray[np.float64]
Spec = TypeVar("Spec", bound=TrainingSpec)
Say = Callable[[str], None]
"""Called with one line of progress."""
Control = Callable[[Floats, Floats], Floats]
"""(signals [n, m], setpoints in force [n, k]) -> setpoints wanted [n, k]; called once for every control step."""
Table = Mapping[str, Mapping[str, Mapping[str, float]]]
"""Seed (and `mean`) -> controller (`candidate` among them) -> numbers."""


class TrainingPlants(Protocol):
    """`n` simulated plants in episodes that begin and end together. The arrays are those of the last control step."""

    @property
    def count(self) -> int:
        """The number of plants, `n`."""
        ...

    @property
    def signals(self) -> Floats:
        """Signals [n, m] at the end of the step."""
        ...

    @property
    def setpoints(self) -> Floats:
        """Setpoints [n, k] that were in force during the step."""
        ...

    @property
    def taken_at(self) -> NDArray[np.int64]:
        """Plant time [n] at the end of the step. [us]"""
        ...

    @property
    def done(self) -> bool:
        """Whether the episode has ended."""
        ...

    def reset(self) -> None:
        """Begin the next episode."""
        ...

    def step(self, setpoints: Floats) -> None:
        """Run one control step under `setpoints` [n, k]."""
        ...

    def reward(self) -> Floats:
        """Reward of the step [n], without the prices of moves and refusals."""
        ...

    def incumbent(self) -> Control:
        """The incumbent's control law for all plants, from the setpoints now in force."""
        ...

    def summary(self) -> str:
        """One line on the plants that were trained on; empty where there is nothing to report."""
        ...


class TrainingSite(Protocol[Spec]):
    """A site as training and evaluation need it."""

    @property
    def folder(self) -> Path:
        """The site's folder."""
        ...

    @property
    def envelope(self) -> Envelope:
        """The site's envelope; its setpoints are in the plant's order."""
        ...

    @property
    def signals(self) -> Sequence[SignalSpec]:
        """Every signal of the plant."""
        ...

    @property
    def setpoints(self) -> Sequence[SetpointSpec]:
        """Every setpoint of the plant."""
        ...

    def training_spec(self) -> Spec:
        """The site's `training.toml`. Raises TrainingError."""
        ...

    def training_plants(self, spec: Spec, seed: int) -> TrainingPlants:
        """The plants that a run of this spec and seed trains on."""
        ...

    def novelty(self, graph: bytes, tensors: Tensors) -> tuple[NoveltyStatistics, Mapping[str, float]]:
        """The novelty statistics of a graph from data of service, and the shares refused of unseen data, by driver."""
        ...

    def evaluate(self, graph: bytes, manifest: Manifest, tensors: Tensors, seeds: Sequence[int], say: Say) -> Table:
        """The candidate under the envelope beside the site's other controllers, on each seed's disturbances."""
        ...

    def shown(self, table: Table) -> str:
        """The table of an evaluation as text."""
        ...
