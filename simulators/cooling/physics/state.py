"""What the plant remembers from one sub-step to the next, and what drives it from outside."""

import json
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from simulators.cooling.physics.records import Batch, Floats, Number, Row, dtype_of

LONG_AGO_S = 86_400.0
"""An age at which no timer of the chillers waits any more. [s]"""


class ZoneState:
    """One zone at one instant."""

    fan_frac: Annotated[float, Number("1", 0.0, 1.0)]
    """Actual fan speed share."""
    supply_c: Annotated[float, Number("C")]
    """Air leaving the coil that the valve's own loop aims for by now; what it gets is bounded by the coil."""
    hot_c: Annotated[float, Number("C")]
    """Hot-aisle and return air."""
    rack_c: Annotated[float, Number("C")]
    """Rack and server metal."""


class PlantState:
    """Water, chillers and room air of one plant at one instant."""

    chws_c: Annotated[float, Number("C")]
    """Chilled water supply main."""
    chwr_c: Annotated[float, Number("C")]
    """Chilled water return main."""
    cws_c: Annotated[float, Number("C")]
    """Condenser water from the tower basin."""
    chillers: Annotated[float, Number("1", 0.0)]
    """Chillers at load; between whole numbers while one starts."""
    chillers_on: Annotated[float, Number("1", 0.0)]
    """Chillers whose compressor runs."""
    since_start_s: Annotated[float, Number("s", 0.0)]
    """Since a chiller was last started."""
    since_stop_s: Annotated[float, Number("s", 0.0)]
    """Since a chiller was last stopped, or failed."""
    room_kg_kg: Annotated[float, Number("kg/kg", 0.0, 0.05)]
    """Humidity ratio of the room air."""


@dataclass(frozen=True, slots=True)
class State(Batch):
    """A batch of plants at one instant."""

    ZONE, PLANT = dtype_of(ZoneState), dtype_of(PlantState)

    in_transit_kw: Floats
    """Heat on its way from the coils to the return main, oldest first; `[n, delay / sub-step]`. [kW]"""

    def copy(self) -> "State":
        """A state of its own memory."""
        return State(self.zone.copy(), self.plant.copy(), self.in_transit_kw.copy())

    def lanes(self, index: slice | NDArray[np.int64]) -> "State":
        """Some of the plants, or one several times."""
        return State(self.zone[index], self.plant[index], self.in_transit_kw[index])

    def to_dict(self) -> dict[str, Floats]:
        """The fields by name: `[n, zones]`, `[n, 1]`, and `in_transit_kw`."""
        zone = {name: self.zone[name] for name in self.ZONE.names or ()}
        plant = {name: self.plant[name][:, None] for name in self.PLANT.names or ()}
        return {**zone, **plant, "in_transit_kw": self.in_transit_kw}

    @classmethod
    def from_dict(cls, fields: dict[str, Floats]) -> "State":
        """The state of these fields, shaped as in `to_dict`."""
        lanes, zones = fields["hot_c"].shape
        plant = {name: fields[name][:, 0] for name in cls.PLANT.names or ()}
        pipe = np.array(fields["in_transit_kw"], dtype=np.float64, order="C")
        return cls(*cls.records((lanes,), zones, **{**fields, **plant}), pipe)

    def to_bytes(self) -> bytes:
        """The state as bytes that `from_bytes` turns back into the same bits: a JSON line of shapes, then float64s."""
        arrays = {name: np.ascontiguousarray(value, dtype="<f8") for name, value in self.to_dict().items()}
        header = json.dumps({name: array.shape for name, array in arrays.items()})
        return header.encode() + b"\n" + b"".join(array.tobytes() for array in arrays.values())

    @classmethod
    def from_bytes(cls, data: bytes) -> "State":
        """The state that `to_bytes` saved.

        Raises:
            ValueError: the bytes are not a saved state of this version.
        """
        header, _, body = data.partition(b"\n")
        try:
            return cls.from_dict(_split(json.loads(header), body))
        except (ValueError, TypeError, KeyError, IndexError) as error:
            raise ValueError(
                f"not a saved cooling state of this version: {len(data)} bytes; start a new run"
            ) from error


def _split(shapes: dict[str, list[int]], body: bytes) -> dict[str, Floats]:
    arrays, at = {}, 0
    for name, shape in shapes.items():
        size = 8 * int(np.prod(shape))
        arrays[name] = np.frombuffer(body[at : at + size], dtype="<f8").reshape(shape).astype(np.float64)
        at += size
    if at != len(body):
        raise ValueError
    return arrays


class ZoneInput:
    """What drives one zone during a sub-step."""

    it_kw: Annotated[float, Number("kW", 0.0)]
    """IT power asked for at 25 C inlet."""
    fan_available: Annotated[float, Number("1", 0.0, 1.0)]
    """Share of the zone's fans that can run."""
    coil_available: Annotated[float, Number("1", 0.0, 1.0)]
    """Available share of the coil's effectiveness: fouling, or a valve stuck partly shut."""


class PlantInput:
    """What drives one plant during a sub-step."""

    dry_bulb_c: Annotated[float, Number("C", -60.0, 60.0)]
    """Outdoor air."""
    wet_bulb_c: Annotated[float, Number("C", -60.0, 40.0)]
    """Outdoor air; the tower's correlation clips it to its own range."""
    dew_point_c: Annotated[float, Number("C", -60.0, 40.0)]
    """Outdoor air."""
    outdoor_kg_kg: Annotated[float, Number("kg/kg", 0.0, 0.05)]
    """Humidity ratio outdoors."""
    chillers_available: Annotated[float, Number("1", 0.0)]
    """Chillers that can run."""
    tower_available: Annotated[float, Number("1", 0.0, 1.0)]
    """Available share of the tower's air flow."""


@dataclass(frozen=True, slots=True)
class Disturbance(Row):
    """What drives a batch of plants from outside, for `k` sub-steps in a row: weather, IT load, failed equipment."""

    ZONE, PLANT = dtype_of(ZoneInput), dtype_of(PlantInput)
