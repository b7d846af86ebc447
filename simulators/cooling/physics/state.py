"""What the plant remembers from one sub-step to the next, and what drives it from outside."""

import json
from dataclasses import dataclass, fields

import numpy as np

from simulators.cooling.physics.arrays import Array

LONG_AGO_S = 86_400.0
"""An age at which no timer of the chillers waits any more."""


@dataclass(frozen=True, slots=True)
class State:
    """The plant at one instant; `[n, zones]` for zone values, `[n, 1]` for plant values."""

    fan_frac: Array
    """Actual fan speed share. [1]"""
    supply_c: Array
    """Air leaving the coil that the valve's own loop aims for by now; what it gets is bounded by the coil. [C]"""
    hot_c: Array
    """Hot-aisle and return air. [C]"""
    rack_c: Array
    """Rack and server metal. [C]"""
    chws_c: Array
    """Chilled water supply main. [C]"""
    chwr_c: Array
    """Chilled water return main. [C]"""
    cws_c: Array
    """Condenser water from the tower basin. [C]"""
    chillers: Array
    """Chillers at load; between whole numbers while one starts. [1]"""
    chillers_on: Array
    """Chillers whose compressor runs. [1]"""
    since_start_s: Array
    """Since a chiller was last started. [s]"""
    since_stop_s: Array
    """Since a chiller was last stopped, or failed. [s]"""
    room_kg_kg: Array
    """Humidity ratio of the room air. [kg/kg]"""
    in_transit_kw: Array
    """Heat on its way from the coils to the return main, oldest first. [n, delay / sub-step] [kW]"""

    def to_dict(self) -> dict[str, Array]:
        """The arrays by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

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
            shapes = json.loads(header)
            if set(shapes) != {field.name for field in fields(cls)}:
                raise ValueError
            return cls(**_split(shapes, body))
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"not a saved cooling state of this version: {len(data)} bytes; start a new run"
            ) from error


def _split(shapes: dict[str, list[int]], body: bytes) -> dict[str, Array]:
    arrays, at = {}, 0
    for name, shape in shapes.items():
        size = 8 * int(np.prod(shape))
        arrays[name] = np.frombuffer(body[at : at + size], dtype="<f8").reshape(shape).astype(np.float64)
        at += size
    if at != len(body):
        raise ValueError
    return arrays


@dataclass(frozen=True, slots=True)
class Disturbance:
    """What the plant has to live with: weather, IT load and equipment that has failed.

    Shapes are `[n, ...]` for one sub-step and `[k, n, ...]` for `k` sub-steps in a row.
    """

    it_kw: Array
    """IT power asked for at 25 C inlet. [.., zones] [kW]"""
    dry_bulb_c: Array
    """[.., 1] [C]"""
    wet_bulb_c: Array
    """[.., 1] [C]"""
    dew_point_c: Array
    """[.., 1] [C]"""
    outdoor_kg_kg: Array
    """Humidity ratio outdoors. [.., 1] [kg/kg]"""
    fan_available: Array
    """Share of the zone's fans that can run. [.., zones] [1]"""
    coil_available: Array
    """Share of the coil's effectiveness that can be had: fouling, or a valve stuck partly shut. [.., zones] [1]"""
    chillers_available: Array
    """Chillers that can run. [.., 1] [1]"""
    tower_available: Array
    """Share of the tower's air flow that can be had. [.., 1] [1]"""
