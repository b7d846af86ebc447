"""`understudy envelope commission --log L`: how often the incumbent of a real log would have been refused, and by what.

The log is a CSV with a header: `time_s`, a column for each setpoint (what the incumbent commanded), and a column for each
signal. An empty cell or a NaN is a signal that was not good. Each row is judged against the row before it, as commanded.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import isfinite, nan
from pathlib import Path
from typing import TextIO

from safety.decide import decide
from safety.envelope import Envelope, fresh_memory
from safety.inputs import Vote
from safety.rules import US_PER_S
from safety.state_rules import Novelty
from safety.values import Finding, Observation, Proposal, Quality, Rung, Setpoints, Signal, Source

WANTED = 0.999


class LogError(ValueError):
    """A log that cannot be judged."""


@dataclass(frozen=True, slots=True)
class Row:
    """One moment of a log."""

    time_us: int
    setpoints: Mapping[str, float]
    signals: Mapping[str, Signal]


@dataclass(frozen=True, slots=True)
class Commissioned:
    """What the log says of the envelope. `slowed` ticks were accepted, but the ramp went only a part of the way."""

    ticks: int
    accepted: int
    slowed: int
    refused_by: Mapping[str, int]
    removed_by: Mapping[str, int]

    @property
    def accepted_frac(self) -> float:
        return self.accepted / self.ticks if self.ticks else nan

    @property
    def passes(self) -> bool:
        """Whether an envelope may go live over this incumbent."""
        return self.accepted_frac >= WANTED

    def lines(self) -> Iterator[str]:
        verdict = ">=" if self.passes else "<"
        yield f"accepted ({self.accepted_frac:.4%}) {verdict} required ({WANTED:.1%}) of {self.ticks} ticks"
        yield f"slowed by the ramp: {self.slowed}"
        for what, counts in (("refused by", self.refused_by), ("authority removed by", self.removed_by)):
            for rule, count in sorted(counts.items(), key=lambda item: -item[1]):
                yield f"{what} {rule}: {count}"


def commission(envelope: Envelope, log: Iterable[Row]) -> Commissioned:
    """Judge a log, row by row, as the incumbent's proposals."""
    ticks = accepted = slowed = 0
    refused: dict[str, int] = {}
    removed: dict[str, int] = {}
    memory = fresh_memory(envelope)
    last: Setpoints | None = None
    before_us = 0
    for row in log:
        elapsed_us = 0 if last is None else row.time_us - before_us
        observation = Observation(envelope.plant, "", row.time_us, row.signals, applied=last, readback=last)
        proposals = {Source.INCUMBENT: Proposal(Source.INCUMBENT, row.setpoints)}
        memory = replace(memory, last=last)
        ruling = decide(observation, proposals, Source.INCUMBENT, envelope, memory, elapsed_us=elapsed_us, epoch=0)
        verdict = ruling.judgements[0].verdict
        ticks += 1
        accepted += ruling.command.rung is Rung.INCUMBENT
        slowed += verdict.accepted and dict(ruling.judgements[0].step) != dict(row.setpoints)
        _count(refused, (finding for finding in verdict.findings if finding.refuses))
        if Source.INCUMBENT in ruling.removed:
            _count(removed, ruling.state)
        memory, last, before_us = ruling.memory, row.setpoints, row.time_us
    return Commissioned(ticks, accepted, slowed, refused, removed)


def _count(counts: dict[str, int], findings: Iterable[Finding]) -> None:
    for rule in {finding.rule for finding in findings}:
        counts[rule] = counts.get(rule, 0) + 1


def read_log(path: Path, envelope: Envelope) -> Iterator[Row]:
    """The rows of a CSV. Raises LogError where it is none, a column is missing, or a command is no number."""
    with path.open(encoding="utf-8", newline="") as file:
        try:
            yield from _rows(file, path, envelope)
        except csv.Error as error:
            raise LogError(f"log `{path}` is no CSV: {error}") from error


def _rows(file: TextIO, path: Path, envelope: Envelope) -> Iterator[Row]:
    reader = csv.DictReader(file)
    columns = set(reader.fieldnames or ())
    missing = sorted(({"time_s"} | envelope.names | set(_logged(envelope))) - columns)
    if missing:
        raise LogError(f"log `{path}` has no column {', '.join(f'`{name}`' for name in missing)}: add what is missing")
    for row in reader:
        yield _row(row, envelope, f"{path}:{reader.line_num}")


def _row(row: Mapping[str, str], envelope: Envelope, where: str) -> Row:
    try:
        time_us = round(float(row["time_s"]) * US_PER_S)
        setpoints = {spec.name: float(row[spec.name]) for spec in envelope.setpoints}
    except (ValueError, TypeError, OverflowError) as error:
        raise LogError(f"{where}: time and setpoints must be numbers: {error}") from error
    return Row(time_us, setpoints, {name: _signal(row[name]) for name in _logged(envelope)})


def _logged(envelope: Envelope) -> list[str]:
    """The signals a plant sends: not those that a vote makes of its sensors, nor the novelty of a candidate."""
    made = {each.signal for each in envelope.inputs if isinstance(each, Vote)}
    made |= {rule.signal for rule in envelope.state_rules if isinstance(rule, Novelty)}
    return [spec.name for spec in envelope.signals if spec.name not in made]


def _signal(text: str | None) -> Signal:
    try:
        value = float(text or "nan")
    except ValueError:
        value = nan
    return Signal(value, Quality.GOOD if isfinite(value) else Quality.BAD)
