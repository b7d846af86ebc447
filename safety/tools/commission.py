"""`understudy envelope commission --log L`: how often the incumbent of a real log would have been refused, and by what.

Each row is judged against the row before it, as commanded. What a log does not hold is assumed good: the plant did what it
was commanded, and every reading was new.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import nan
from statistics import median

from safety.decide import decide
from safety.envelope import Envelope, fresh_memory
from safety.rules.base import US_PER_S
from safety.tools.log_csv import Row
from safety.values import Finding, Observation, Proposal, Ruling, Rung, Source

WANTED = 0.999
# With none refused of n, up to 3 / n may be refused (95 %): fewer ticks than this cannot tell 99.9 % from less.
ENOUGH = 3000


@dataclass(frozen=True, slots=True)
class Commissioned:
    """What the log says of the envelope. `slowed` ticks were accepted, but the ramp went only a part of the way.

    `first` is when each rule spoke first, and what it said; `unknown` counts the rows in which a signal was not good;
    `gap_s` is the usual time between two rows, `period_s` the envelope's own.
    """

    ticks: int
    accepted: int
    slowed: int
    refused_by: Mapping[str, int]
    removed_by: Mapping[str, int]
    first: Mapping[str, str] = field(default_factory=dict)
    unknown: Mapping[str, int] = field(default_factory=dict)
    gap_s: float = nan
    period_s: float = nan

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
            for rule, count in _most_first(counts):
                yield f"{what} {rule}: {count}, first {self.first[rule]}"
        for name, count in _most_first(self.unknown):
            yield f"`{name}` is not good in {count} of {self.ticks} rows"
        yield from self._doubts()

    def _doubts(self) -> Iterator[str]:
        """Why the answer may not be about this plant at all."""
        if self.gap_s > 2 * self.period_s or 2 * self.gap_s < self.period_s:
            yield f"rows are {self.gap_s:g} s apart, decisions {self.period_s:g} s: is `time_s` in seconds?"
        if self.ticks < ENOUGH:
            yield f"a short log: {self.ticks} ticks, and {ENOUGH} are needed to tell {WANTED:.1%} from less"


def commission(envelope: Envelope, log: Iterable[Row]) -> Commissioned:
    """Judge a log, row by row, as the incumbent's proposals."""
    accepted = slowed = 0
    refused, removed, unknown, first = _Counts(), _Counts(), _Counts(), dict[str, str]()
    times_us: list[int] = []
    for row, ruling in _rulings(envelope, log):
        verdict = ruling.judgements[0].verdict
        accepted += ruling.command.rung is Rung.INCUMBENT
        slowed += verdict.accepted and dict(ruling.judgements[0].step) != dict(row.setpoints)
        refusing = [finding for finding in verdict.findings if finding.refuses]
        removing = _took_it(ruling, envelope)
        refused.add(finding.rule for finding in refusing)
        removed.add(finding.rule for finding in removing)
        unknown.add(name for name, signal in row.signals.items() if not signal.good)
        for finding in (*refusing, *removing):
            first.setdefault(finding.rule, f"at {row.time_us / US_PER_S:.15g} s: {finding.detail}")
        times_us.append(row.time_us)
    gap_s, period_s = _usual_gap_s(times_us), envelope.period_us / US_PER_S
    return Commissioned(len(times_us), accepted, slowed, refused, removed, first, unknown, gap_s, period_s)


def _rulings(envelope: Envelope, log: Iterable[Row]) -> Iterator[tuple[Row, Ruling]]:
    """Each row with what `decide` makes of it, the row before it in force."""
    memory, last, before_us = fresh_memory(envelope), None, 0
    for row in log:
        elapsed_us = 0 if last is None else row.time_us - before_us
        observation = Observation(envelope.plant, "", row.time_us, row.signals, applied=last, readback=last)
        proposals = {Source.INCUMBENT: Proposal(Source.INCUMBENT, row.setpoints)}
        memory = replace(memory, last=last)
        ruling = decide(observation, proposals, Source.INCUMBENT, envelope, memory, elapsed_us=elapsed_us, epoch=0)
        yield row, ruling
        memory, last, before_us = ruling.memory, row.setpoints, row.time_us


def _took_it(ruling: Ruling, envelope: Envelope) -> list[Finding]:
    """What took the incumbent's authority: the policy's own rules take nobody else's."""
    taking = {rule.id for rule in envelope.state_rules if Source.INCUMBENT in rule.removes}
    return [finding for finding in ruling.state if finding.rule in taking]


class _Counts(dict[str, int]):
    """How often each name was met, once for each row."""

    def add(self, names: Iterable[str]) -> None:
        for name in set(names):
            self[name] = self.get(name, 0) + 1


def _most_first(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _usual_gap_s(times_us: list[int]) -> float:
    """The median time between two rows [s]; NaN with fewer than two."""
    gaps_us = [later - earlier for earlier, later in pairwise(times_us)]
    return median(gaps_us) / US_PER_S if gaps_us else nan
