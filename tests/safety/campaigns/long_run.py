"""What the long comparisons of forms share: a mix that adds up, many envelopes over processes, and the end of the report."""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, fields
from typing import Self, TypeVar


@dataclass(slots=True)
class Mix:
    """What was compared; a comparison adds its own counters. `kinds` by (envelope, rule); `wrong` says who disagreed."""

    cases: int = 0
    kinds: dict[tuple[int, str], str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def add(self, other: Self) -> None:
        """Numbers, counters and lists of another are added to one's own."""
        for each in fields(self):
            mine, more = getattr(self, each.name), getattr(other, each.name)
            if isinstance(mine, dict):
                mine.update(more)  # a counter adds
            else:
                setattr(self, each.name, mine + more)

    def lines(self) -> Iterator[str]:
        """The tables of the report."""
        raise NotImplementedError


M = TypeVar("M", bound=Mix)


def added_up(compare: Callable[[int], M], seeds: Iterable[int], processes: int, mix: M) -> M:
    """The mix of many envelopes, each in whichever process is free; the sum does not depend on which."""
    if processes == 1:
        for found in map(compare, seeds):
            mix.add(found)
        return mix
    with ProcessPoolExecutor(processes) as pool:
        for found in pool.map(compare, seeds):
            mix.add(found)
    return mix


def parser(says: str | None, *, cases: int, envelopes: int) -> argparse.ArgumentParser:
    """The options every comparison has, with its own defaults."""
    made = argparse.ArgumentParser(description=says)
    made.add_argument("--cases", type=int, default=cases)
    made.add_argument("--envelopes", type=int, default=envelopes)
    made.add_argument("--seed", type=int, default=1)
    made.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    return made


def batches_of(args: argparse.Namespace, size: int) -> int:
    """The number of batches of a size that each envelope needs for the requested number of cases."""
    return -(-int(args.cases) // (size * int(args.envelopes)))


def seeds_of(args: argparse.Namespace) -> range:
    return range(args.seed, args.seed + args.envelopes)


def reported(mix: Mix, failures: Sequence[str], begun_s: float, processes: int) -> int:
    """Print the tables, the pace and what failed; the exit code."""
    wall_s = time.perf_counter() - begun_s
    failures = [*mix.wrong[:20], *failures]
    sys.stdout.writelines(f"{line}\n" for line in mix.lines())
    sys.stdout.write(f"\n{wall_s:.0f} s in {processes} processes, {mix.cases / wall_s:,.0f} cases a second\n")
    sys.stdout.writelines(f"{line}\n" for line in failures)
    return 1 if failures else 0
