"""Typed records: what physics reads and writes by name, one class for the type checker and for the arrays.

A record class lists fields `name: Annotated[float, Number(unit, low, high)]`. Physics takes records as arguments and
reads `zone.hot_c`; a batch is a numpy array of `dtype_of(record)`, whose items have those attributes in plain Python and
in compiled code alike. A `Batch` holds one array of zone records and one of plant records, and finds a field in either.
"""

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self, TypeAlias, get_type_hints

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Records: TypeAlias = NDArray[Any]
"""A numpy array of records."""


@dataclass(frozen=True, slots=True)
class Number:
    """Unit of one field, and the range the plant's equations keep it in; nothing clips it to that."""

    unit: str
    low: float = -math.inf
    high: float = math.inf
    size: int = 1
    """How many numbers: a field of several is an array."""


def numbers_of(record: type) -> dict[str, Any]:
    """The annotation of each field of a record class, in order."""
    hints = get_type_hints(record, include_extras=True)
    return {name: hint.__metadata__[0] for name, hint in hints.items() if hasattr(hint, "__metadata__")}


def dtype_of(record: type) -> np.dtype[Any]:
    """The numpy type of one record, all fields float64."""
    sizes = {name: getattr(number, "size", 1) for name, number in numbers_of(record).items()}
    fields = [(name, "f8") if size == 1 else (name, "f8", (size,)) for name, size in sizes.items()]
    return np.dtype((np.record, fields))


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of `n` plants, each with its zones."""

    zone: Records
    """`[.., n, zones]`"""
    plant: Records
    """`[.., n]`"""

    ZONE: ClassVar[np.dtype[Any]]
    PLANT: ClassVar[np.dtype[Any]]

    def __getitem__(self, name: str) -> Floats:
        """The field of this name, `[.., n, zones]` or `[.., n]`; writing to it changes the batch."""
        found: Floats = (self.zone if name in (self.ZONE.names or ()) else self.plant)[name]
        return found

    @classmethod
    def records(cls, shape: tuple[int, ...], zones: int, **values: Floats | float) -> tuple[Records, Records]:
        """Zone and plant records of these values, one for each field, broadcast to `[.., n, zones]` or `[.., n]`."""
        zone, plant = np.empty((*shape, zones), cls.ZONE), np.empty(shape, cls.PLANT)
        for records in (zone, plant):
            for name in records.dtype.names or ():
                records[name] = values[name]
        return zone, plant

    def replaced(self, **values: Floats | float) -> Self:
        """A copy with some fields of other values, broadcast as in `records`."""
        made = replace(self, zone=self.zone.copy(), plant=self.plant.copy())
        for name, value in values.items():
            made[name][...] = value
        return made


@dataclass(frozen=True, slots=True)
class Row(Batch):
    """Records of `k` sub-steps in a row, `[k, n, ..]`."""

    def at(self, index: int | slice | tuple[slice, slice]) -> Self:
        """One sub-step or a slice of a row; or slices of sub-steps and of plants."""
        return type(self)(self.zone[index], self.plant[index])
