"""The long comparison of the three forms of an envelope: `python -m tests.safety.campaigns.differential --cases 10000000`.

Every case is judged compiled and vectorised; each that the compiled form leaves, and every `--plain-every`-th besides, is
judged rule by rule too, which is the meaning, and as `safety.decide.judge` does it in production. Margins must agree to
the bit. Prints the mix, and fails where two forms disagree, or where fewer cases were judged rule by rule than
`--plain-least` requires. Also fails where a rule was never the sole cause of a refusal: then the forms have been compared
on too little.
"""

import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from safety.decide import judge, judge_plainly
from safety.envelope import Envelope
from safety.forms.vectorised import accepts, margins
from safety.ramp import Ramped
from safety.rules.base import Situation
from safety.values import Rung, Setpoints
from tests.safety.campaigns import long_run
from tests.safety.campaigns.long_run import added_up, batches_of, parser, reported, seeds_of
from tests.safety.support.boundary_cases import NAMES, Cases, cases_of, envelope_of_some_kinds

SITUATIONS, PER_SITUATION = 100, 50
BATCH = SITUATIONS * PER_SITUATION
# Every tenth batch or so lacks what the compiled form takes for granted; most are judged on the rung all rules bind.
_ALONE = ("", "", "", "", "", "", "", "", "", "", "last", "", "", "", "", "", "", "", "", "reference")
_RUNGS = (Rung.CANDIDATE, Rung.CANDIDATE, Rung.CANDIDATE, Rung.INCUMBENT, Rung.HOLD)


@dataclass(slots=True)
class Mix(long_run.Mix):
    """What was compared. Counters by kind of rule; `sole` by (envelope, rule)."""

    accepted: int = 0
    left: int = 0
    plainly: int = 0
    arrived: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    near: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    sole: Counter[tuple[int, str]] = field(default_factory=Counter)

    def idle(self) -> list[str]:
        """The rules that were never the sole cause of a refusal."""
        return [f"envelope {seed}, {rule}" for seed, rule in self.kinds if not self.sole[seed, rule]]

    def lines(self) -> Iterator[str]:
        yield f"| what | cases |\n| --- | --- |\n| compiled against vectorised | {self.cases:,} |"
        yield f"| judged rule by rule besides | {self.plainly:,} |"
        yield f"| left by the compiled form to the plain way | {self.left:,} |"
        yield f"| accepted | {self.accepted:,} |"
        yield f"| step and target are one | {self.arrived:,} |"
        yield f"| disagreements | {len(self.wrong):,} |\n"
        yield "| kind | rules | refused | on an unknown | within 2 ulp of the edge | sole cause | sole cause, the least of a rule |"
        yield "| --- | --- | --- | --- | --- | --- | --- |"
        for kind in sorted(set(self.kinds.values())):
            sole = [self.sole[key] for key, of_kind in self.kinds.items() if of_kind == kind]
            counts = (self.refused[kind], self.unknown[kind], self.near[kind], sum(sole), min(sole))
            yield f"| {kind} | {len(sole)} | " + " | ".join(f"{count:,}" for count in counts) + " |"


def compare(seed: int, *, batches: int, plain_every: int) -> Mix:
    """One envelope, compared on that many batches."""
    envelope, mix = envelope_of_some_kinds(seed), Mix()
    mix.kinds = {(seed, rule.id): type(rule).__name__ for rule in envelope.command_rules}
    for at in range(batches):
        rung = _RUNGS[(seed + at) % len(_RUNGS)]
        cases = cases_of(
            envelope,
            seed * 1_000_003 + at,
            situations=SITUATIONS,
            per_situation=PER_SITUATION,
            alone=_ALONE[at % len(_ALONE)],
        )
        _compare(mix, seed, envelope, rung, cases, plain_every)
    return mix


def _compare(mix: Mix, seed: int, envelope: Envelope, rung: Rung, cases: Cases, plain_every: int) -> None:
    rules = envelope.binding[rung]
    many = margins(envelope, rung, cases.batch)
    table = np.array([many[rule.id] for rule in rules]).T
    accepted = accepts(envelope, rung, cases.batch)
    answers = [compiled(envelope, rung, *judged) for judged in each(cases)]
    known = np.array([answer is not None for answer in answers])
    # Margins come in the order of the rules that bind; `test_handful.py` holds them to it.
    found = np.array([list(answer[0].values()) for answer in answers if answer is not None])
    verdicts = [answer[1] for answer in answers if answer is not None]
    where = f"envelope {seed}, {rung}"
    if known.any():
        mix.wrong += _differing(f"{where}: compiled and vectorised", found, table[known])
        mix.wrong += [f"{where}: verdicts differ"] * int(np.sum(np.array(verdicts) != accepted[known]))
    plainly = np.flatnonzero(~known | (np.arange(len(known)) % plain_every == 0))
    mix.wrong += _plainly(where, envelope, rung, cases, plainly, table, accepted)
    mix.cases += len(known)
    mix.left += int(np.sum(~known))
    mix.plainly += len(plainly)
    _count(mix, seed, envelope, rung, cases, table)


def each(cases: Cases) -> Iterator[tuple[Setpoints, Setpoints, Situation]]:
    """(target, step, situation) of every case."""
    at = 0
    for now in cases.now:
        for _ in range(cases.per_situation):
            yield dict(zip(NAMES, cases.targets[at], strict=True)), dict(zip(NAMES, cases.steps[at], strict=True)), now
            at += 1


def compiled(
    envelope: Envelope, rung: Rung, target: Setpoints, step: Setpoints, now: Situation
) -> tuple[dict[str, float], bool] | None:
    """The answer of the compiled form, as `judge` calls it: (margins, accepted), or None where it leaves the case."""
    forms = envelope.compiled[rung]
    return (forms.arrived if step == target else forms.margins)(target, step, now)


def _plainly(
    where: str,
    envelope: Envelope,
    rung: Rung,
    cases: Cases,
    which: NDArray[np.int64],
    table: NDArray[np.float64],
    accepted: NDArray[np.bool_],
) -> list[str]:
    """Judge some cases rule by rule, and as production does, and hold the vectorised form against both."""
    wrong = []
    wanted = set(which.tolist())
    rows = []
    for at, (target, step, now) in enumerate(each(cases)):
        if at not in wanted:
            continue
        plain = judge_plainly(target, Ramped(step), rung, now, envelope)
        fast = judge(target, Ramped(step), rung, now, envelope) if at % 8 == 0 else plain
        forms = envelope.compiled[rung]
        quick = {forms.accepts(target, step, now), forms.stands(step, step, now) if step == target else None}
        if not quick <= {None, plain.accepted}:
            wrong.append(f"{where}, case {at}: an accept-only form differs from rule by rule")
        rows.append([plain.margins[rule.id] for rule in envelope.binding[rung]])
        if plain.accepted != accepted[at]:
            wrong.append(f"{where}, case {at}: rule by rule and vectorised verdicts differ")
        if (fast.accepted, fast.first_out, len(fast.findings)) != (
            plain.accepted,
            plain.first_out,
            len(plain.findings),
        ):
            wrong.append(f"{where}, case {at}: `judge` and `judge_plainly` differ")
    return wrong + _differing(f"{where}: rule by rule and vectorised", np.array(rows), table[which])


def _differing(what: str, one: NDArray[np.float64], other: NDArray[np.float64]) -> list[str]:
    same = (one == other) | (np.isnan(one) & np.isnan(other))
    return [f"{what} differ in {int(np.sum(~same))} margins"] if not same.all() else []


def _count(mix: Mix, seed: int, envelope: Envelope, rung: Rung, cases: Cases, table: NDArray[np.float64]) -> None:
    refusing = ~(table >= 0)
    how_many = refusing.sum(axis=1)
    alone = refusing[how_many == 1].sum(axis=0)
    size = np.max([np.abs(values) for values in cases.batch.target.values()], axis=0)
    with np.errstate(invalid="ignore"):
        near = np.abs(table) <= 4.0 * np.spacing(size)[:, None]
    mix.accepted += int(np.sum(how_many == 0))
    mix.arrived += int(np.all([cases.batch.target[name] == cases.batch.step[name] for name in NAMES], axis=0).sum())
    for at, rule in enumerate(envelope.binding[rung]):
        kind = type(rule).__name__
        mix.refused[kind] += int(refusing[:, at].sum())
        mix.unknown[kind] += int(np.isnan(table[:, at]).sum())
        if rule.setpoints != ("pumps",):  # what is discrete is always on an edge or well off it
            mix.near[kind] += int(near[:, at].sum())
        mix.sole[seed, rule.id] += int(alone[at])


def run(seeds: Iterable[int], *, batches: int, plain_every: int, processes: int) -> Mix:
    """Compare many envelopes."""
    return added_up(partial(compare, batches=batches, plain_every=plain_every), seeds, processes, Mix())


def main(arguments: list[str]) -> int:
    options = parser(__doc__, cases=10_000_000, envelopes=40)
    options.add_argument("--plain-every", type=int, default=12)
    options.add_argument("--plain-least", type=int, default=0)
    args, begun_s = options.parse_args(arguments), time.perf_counter()
    mix = run(seeds_of(args), batches=batches_of(args, BATCH), plain_every=args.plain_every, processes=args.processes)
    failures = [f"{name} was never the sole cause of a refusal" for name in mix.idle()]
    if mix.plainly < args.plain_least:
        failures.append(f"judged rule by rule ({mix.plainly}) < required ({args.plain_least}): lower `--plain-every`")
    return reported(mix, failures, begun_s, args.processes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
