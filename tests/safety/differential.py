"""The long comparison of the three forms, and its mix: `python -m tests.safety.differential --cases 1000000`.

Every case is judged compiled and vectorised; every `--plain-every`-th one rule by rule as well. Prints how many were
accepted, how many the compiled form left to the plain way, and how many were judged rule by rule.
"""

import argparse
import sys
import time
from math import isnan

import numpy as np

from safety.decide import judge_plainly
from safety.ramp import Ramped
from safety.values import Rung
from safety.vectorised import margins
from tests.safety.many import batch_of, envelope_of, situation_of

SIZE = 5_000


def compare(seed: int, size: int, plain_every: int) -> tuple[int, int, int, list[str]]:
    """(accepted, left to the plain way, judged plainly, disagreements) of one envelope."""
    envelope = envelope_of(seed, setpoints=6, signals=8, rules=40)
    batch = batch_of(envelope, seed, size)
    rung = (Rung.CANDIDATE, Rung.INCUMBENT, Rung.HOLD)[seed % 3]
    many = margins(envelope, rung, batch)
    names, table = list(many), np.array(list(many.values()))
    refusing = ~(table >= 0)
    accepted = left = plainly = 0
    wrong: list[str] = []
    for at in range(batch.size):
        target, step, now = situation_of(batch, at, envelope)
        answer = envelope.compiled[rung].margins(target, step, now)
        accepted += not refusing[:, at].any()
        if answer is None:
            left += 1
        if answer is None or at % plain_every == 0:
            plainly += 1
            verdict = judge_plainly(target, Ramped(step), rung, now, envelope)
            found = dict(verdict.margins)
            if answer is not None and not same(found, answer[0]):
                wrong.append(f"envelope {seed}, case {at}: compiled differs from rule by rule")
        else:
            found = answer[0]
        if not same(found, dict(zip(names, table[:, at].tolist(), strict=True))):
            wrong.append(f"envelope {seed}, case {at}: vectorised differs")
    return accepted, left, plainly, wrong


def same(one: dict[str, float], other: dict[str, float]) -> bool:
    return one.keys() == other.keys() and all(
        value == other[name] or (isnan(value) and isnan(other[name])) for name, value in one.items()
    )


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--plain-every", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1000)
    asked = parser.parse_args(arguments)
    begin, totals, wrong = time.perf_counter(), np.zeros(3, dtype=int), []
    for at in range(0, asked.cases, SIZE):
        accepted, left, plainly, found = compare(
            asked.seed + at // SIZE, min(SIZE, asked.cases - at), asked.plain_every
        )
        totals += (accepted, left, plainly)
        wrong += found
    wall_s = time.perf_counter() - begin
    sys.stdout.write(f"{asked.cases} cases in {wall_s:.0f} s: {len(wrong)} disagreements\n")
    sys.stdout.write(f"accepted {totals[0]}, left to the plain way {totals[1]}, judged rule by rule {totals[2]}\n")
    sys.stdout.writelines(f"{line}\n" for line in wrong[:20])
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
