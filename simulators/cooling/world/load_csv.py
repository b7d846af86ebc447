"""IT load from the user's own CSV: times and utilisation or power, as often and as regularly as they happen to be."""

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simulators.cooling.world.typical_year import calendar_node

Floats = NDArray[np.float64]
NODE_S = 300
TIME = "time"
UNITS = {"frac": 1.0, "percent": 0.01}
"""What a column name may end in, and what one of it is in shares of design power; `kw` needs the design power."""
_LEAST_ROWS = 2


class LoadFileError(ValueError):
    """A load file that cannot be used. Names line and column, and says what they must hold."""


@dataclass(frozen=True, slots=True)
class LoadSeries:
    """Load at five-minute nodes; times before and after the file's own repeat it.

    Attributes:
        first: node of the first sample, by hour of the year and weekday.
        fracs: `[nodes, columns]` shares of design power; one column for all zones, or one for each.
        gaps: stretches longer than `longest_gap_s`, filled by a straight line, as (line in the file, seconds).
    """

    first: int
    fracs: Floats
    gaps: tuple[tuple[int, float], ...]

    def at(self, first: NDArray[np.int64], count: int, zones: int) -> Floats:
        """Load `[count, n, zones]` from each lane's `first` node on."""
        index = (first[None, :] - self.first + np.arange(count)[:, None]) % len(self.fracs)
        return np.asarray(np.broadcast_to(self.fracs[index], (count, len(first), zones)))


@dataclass(frozen=True, slots=True)
class LoadFile:
    """A scenario's load from a CSV file; see `read_load`."""

    path: Path
    longest_gap_s: float = 3600.0


@lru_cache(maxsize=8)
def read_load(path: Path, zones: int, design_kw: float, longest_gap_s: float = 3600.0) -> LoadSeries:
    """The load in a CSV file.

    The header names a column `time` and either one column for all zones or one for each. The column's name
    ends in its unit: `load_frac`, `load_percent`, `load_kw` (power of the whole plant), or `z1_kw`, `z2_kw`, .. (power of
    a zone). Times
    are ISO 8601 and rise; their clock is taken for the site's standard time, whatever their offset. Samples may be
    irregular: between two the load is a straight line. An empty value is a gap, filled like one.

    Args:
        path: of the file.
        zones: of the plant.
        design_kw: design power of one zone, for columns in kW.
        longest_gap_s: stretches without samples that are longer than this are listed in `gaps`.

    Raises:
        LoadFileError: with line and column.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.reader(file)
            header = [name.strip() for name in next(rows, [])]
            columns, scales = _columns(path, header, zones, design_kw)
            samples = list(_samples(path, rows, header, columns, scales))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise LoadFileError(f"load file `{path}` cannot be read as CSV in UTF-8: {error}") from error
    return _series(path, samples, header, columns, longest_gap_s)


def _columns(path: Path, header: list[str], zones: int, design_kw: float) -> tuple[list[int], list[float]]:
    """The columns of the values, and the factor of each to a share of design power."""
    if TIME not in header:
        raise LoadFileError(f"`{path}` line 1: no column `{TIME}`; given {', '.join(header) or 'nothing'}")
    by_zone = [f"z{zone}" for zone in range(1, zones + 1)]
    whole = [name for name in header if name.rpartition("_")[0] == "load"]
    each = [name for zone in by_zone for name in header if name.rpartition("_")[0] == zone]
    chosen = whole or each
    if len(chosen) not in ((1,) if whole else (zones,)):
        raise LoadFileError(
            f"`{path}` line 1: give one column `load_frac`, `load_percent` or `load_kw`, or one for each of {zones} zones "
            f"as `z1_kw`; given {', '.join(header)}"
        )
    known = UNITS | {"kw": 1.0 / (design_kw * (zones if whole else 1))}
    for name in chosen:
        if name.rpartition("_")[2] not in known:
            raise LoadFileError(f"`{path}` line 1, column `{name}`: its unit is not one of {', '.join(known)}")
    return [header.index(name) for name in chosen], [known[name.rpartition("_")[2]] for name in chosen]


def _samples(
    path: Path, rows: Iterator[list[str]], header: list[str], columns: list[int], scales: list[float]
) -> Iterator[tuple[int, datetime, list[float]]]:
    """Line, time and shares of design power (NaN where empty) of each row."""
    before: datetime | None = None
    for line, row in enumerate(rows, start=2):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(header):
            raise LoadFileError(f"`{path}` line {line}: {len(row)} values for {len(header)} columns")
        at = _time(path, line, row[header.index(TIME)])
        if before is not None and at <= before:
            raise LoadFileError(f"`{path}` line {line}, column `{TIME}`: not later than the line before; sort by time")
        before = at
        values = [
            _value(path, line, header[column], row[column]) * scale
            for column, scale in zip(columns, scales, strict=True)
        ]
        yield line, at, values


def _time(path: Path, line: int, cell: str) -> datetime:
    try:
        moment = datetime.fromisoformat(cell.strip())
    except ValueError as error:
        raise LoadFileError(
            f"`{path}` line {line}, column `{TIME}`: `{cell}` is not an ISO 8601 time: write it as 2024-03-01T13:05"
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _value(path: Path, line: int, name: str, cell: str) -> float:
    if not cell.strip():
        return math.nan
    try:
        value = float(cell)
    except ValueError as error:
        raise LoadFileError(f"`{path}` line {line}, column `{name}`: `{cell}` is not a number") from error
    most = {"frac": 1.0, "percent": 100.0}.get(name.rpartition("_")[2], math.inf)
    if not 0.0 <= value <= most or math.isinf(value):
        wanted = f"from 0 to {most:g}" if most < math.inf else "0 or more"
        raise LoadFileError(f"`{path}` line {line}, column `{name}`: {cell} is not {wanted}; check its unit")
    return value


def _series(
    path: Path,
    samples: list[tuple[int, datetime, list[float]]],
    header: list[str],
    columns: list[int],
    longest_gap_s: float,
) -> LoadSeries:
    if len(samples) < _LEAST_ROWS:
        raise LoadFileError(f"`{path}`: {len(samples)} samples; at least {_LEAST_ROWS} are needed")
    times, values = np.array([at.timestamp() for _, at, _ in samples]), np.array([row for _, _, row in samples])
    nodes = np.arange(times[0], times[-1] + 1e-6, NODE_S)
    tracks, gaps = [], []
    for column, track in zip(columns, values.T, strict=True):
        there = np.flatnonzero(~np.isnan(track))
        if len(there) < _LEAST_ROWS:
            raise LoadFileError(
                f"`{path}` column `{header[column]}`: fewer than {_LEAST_ROWS} values in the whole file"
            )
        apart = np.diff(times[there])
        gaps += [(samples[there[i + 1]][0], float(apart[i])) for i in np.flatnonzero(apart > longest_gap_s)]
        tracks.append(np.interp(nodes, times[there], track[there]))
    return LoadSeries(calendar_node(samples[0][1]), np.stack(tracks, axis=1), tuple(sorted(set(gaps))))
