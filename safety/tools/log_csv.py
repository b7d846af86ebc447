"""The log of an incumbent as a CSV: what `understudy envelope commission --log L` reads.

A header, then a row for each moment, oldest first: `time_s`, a column for each setpoint (what the incumbent commanded), and
a column for each signal. A cell of a signal that is empty, or no number, is a signal that was not good.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from pathlib import Path
from typing import TextIO

from safety.envelope import Envelope
from safety.inputs import Vote
from safety.rules.base import US_PER_S
from safety.rules.state_rules import Novelty
from safety.text import quoted
from safety.values import Quality, Signal


class LogError(ValueError):
    """A log that cannot be judged."""


@dataclass(frozen=True, slots=True)
class Row:
    """One moment of a log."""

    time_us: int
    setpoints: Mapping[str, float]
    signals: Mapping[str, Signal]


def read_log(path: Path, envelope: Envelope) -> Iterator[Row]:
    """The rows of a CSV. Raises LogError where it is not a CSV, a column is missing, a row is cut short or time does not rise."""
    # A spreadsheet begins its UTF-8 with a mark that is not part of the first column's name.
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            yield from _rows(file, path, envelope)
        except csv.Error as error:
            raise LogError(f"log `{path}` is not a CSV: {error}") from error


def _rows(file: TextIO, path: Path, envelope: Envelope) -> Iterator[Row]:
    reader = csv.DictReader(file)
    columns = reader.fieldnames or ()
    missing = sorted(({"time_s"} | envelope.names | set(logged(envelope))) - set(columns))
    if missing:
        raise LogError(f"log `{path}` has no column {quoted(missing)}: {_what_to_do(columns)}")
    before_us: int | None = None
    for row in reader:
        found = _row(row, envelope, f"{path}:{reader.line_num}")
        if before_us is not None and found.time_us <= before_us:
            raise LogError(
                f"{path}:{reader.line_num}: `time_s` {found.time_us / US_PER_S:.15g} is not after "
                f"{before_us / US_PER_S:.15g} of the row before: sort the log by time, one row for each moment"
            )
        before_us = found.time_us
        yield found
    if before_us is None:
        raise LogError(f"log `{path}` has a header and no rows: log what the incumbent commands, then try again")


def _what_to_do(columns: Sequence[str]) -> str:
    if len(columns) == 1 and (";" in columns[0] or "\t" in columns[0]):
        return "separate the cells by commas"
    return "add what is missing"


def _row(row: Mapping[str, str], envelope: Envelope, where: str) -> Row:
    if None in row or None in row.values():
        raise LogError(f"{where}: not as many cells as the header has columns: correct or remove the row")
    setpoints = {spec.name: _number(row, spec.name, where) for spec in envelope.setpoints}
    return Row(_time_us(row, where), setpoints, {name: _signal(row[name]) for name in logged(envelope)})


def _time_us(row: Mapping[str, str], where: str) -> int:
    try:
        return round(_number(row, "time_s", where) * US_PER_S)
    except (ValueError, OverflowError) as error:
        if isinstance(error, LogError):
            raise
        raise LogError(f"{where}: `time_s` is `{row['time_s'][:60]}`: give seconds as a finite number") from error


def _number(row: Mapping[str, str], name: str, where: str) -> float:
    try:
        return float(row[name])
    except ValueError as error:
        wanted = "seconds as a number" if name == "time_s" else "the command as a number"
        raise LogError(f"{where}: `{name}` is `{row[name][:60]}`: give {wanted}") from error


def logged(envelope: Envelope) -> list[str]:
    """The signals a plant sends: not those that a vote makes of its sensors, nor the novelty of a candidate."""
    made = {each.signal for each in envelope.inputs if isinstance(each, Vote)}
    made |= {rule.signal for rule in envelope.state_rules if isinstance(rule, Novelty)}
    return [spec.name for spec in envelope.signals if spec.name not in made]


def _signal(text: str) -> Signal:
    try:
        value = float(text or "nan")
    except ValueError:
        value = nan
    return Signal(value, Quality.GOOD if isfinite(value) else Quality.BAD)
