"""What is proved of the input manager, once for each kind, whatever its numbers: `vote` and `plausibility`.

Both are put down in symbols as `safety.inputs` is written, and held against it by a differential test
(tests/safety/proof/test_proof_inputs.py). A sensor is a number, and whether it is good and finite; nothing is assumed of one
that is not.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import combinations

import z3

from safety.envelope import Envelope
from safety.inputs import Plausibility, Vote
from safety.loading.when import parse_when
from safety.proof.solver import Example, Obligation, Seeded, prove
from safety.values import Quality, Signal

Pair = tuple[z3.ArithRef, z3.BoolRef]


@dataclass(frozen=True, slots=True)
class Voted:
    """Three sensors and what a vote makes of them."""

    sensors: tuple[Pair, Pair, Pair]
    deviation: z3.ArithRef
    high_side: z3.BoolRef
    value: z3.ArithRef
    good: z3.BoolRef


def vote_in_symbols(*, mean: bool = False, lax: bool = False, one_is_enough: bool = False) -> Voted:
    """`Vote.managed`. The flags put a known mistake in."""
    sensors = tuple((z3.Real(f"sensor.{name}"), z3.Bool(f"good.{name}")) for name in "abc")
    a, b, c = sensors
    deviation, high = z3.Real("deviation"), z3.Bool("safe_side_high")
    values = [value for value, _ in sensors]
    middle = z3.Sum(values) / 3 if mean else _median(*values)
    all_good = z3.And([good for _, good in sensors])
    near = [_within(value, middle, deviation * 2 if lax else deviation) for value in values]
    counts = [z3.And(good, z3.Or(z3.Not(all_good), close)) for (_, good), close in zip(sensors, near, strict=True)]
    three = z3.And(counts)
    value, two = z3.RealVal(0), z3.BoolVal(False)
    for (one, of_one), (other, of_other) in combinations(zip(values, counts, strict=True), 2):
        pair = z3.And(of_one, of_other, z3.Not(three))
        larger, smaller = z3.If(one >= other, one, other), z3.If(one >= other, other, one)
        value, two = z3.If(pair, z3.If(high, larger, smaller), value), z3.Or(two, pair)
    value = z3.If(three, middle, value)
    good = z3.Or(three, two)
    if one_is_enough:
        for (single, _), counted in zip(sensors, counts, strict=True):
            value, good = z3.If(z3.And(z3.Not(good), counted), single, value), z3.Or(good, counted)
    return Voted((a, b, c), deviation, high, value, good)


def _median(a: z3.ArithRef, b: z3.ArithRef, c: z3.ArithRef) -> z3.ArithRef:
    between = z3.Or(z3.And(a <= b, b <= c), z3.And(c <= b, b <= a))
    return z3.If(between, b, z3.If(z3.Or(z3.And(b <= a, a <= c), z3.And(c <= a, a <= b)), a, c))


def _within(value: z3.ArithRef, middle: z3.ArithRef, deviation: z3.ArithRef) -> z3.BoolRef:
    return z3.And(value - middle <= deviation, middle - value <= deviation)


def inputs_are_sound(envelope: Envelope) -> Iterator[Obligation]:
    """The theorems of both kinds. They hold of any deviation, range and rate, so the envelope's own are not asked."""
    yield from _of_kinds()


@cache
def _of_kinds() -> tuple[Obligation, ...]:
    return (*_votes(), *_plausibilities())


def _votes() -> Iterator[Obligation]:
    """Sensors a and b tell the truth; c may say anything, with any quality. Which of the three it is makes no difference."""
    right = vote_in_symbols()
    honest = [right.deviation >= 0, right.sensors[0][1], right.sensors[1][1]]
    (a, _), (b, _) = right.sensors[0], right.sensors[1]
    least, most = z3.If(a <= b, a, b), z3.If(a <= b, b, a)

    def bounded(of: Voted) -> z3.BoolRef:
        inside = z3.And(least - of.deviation <= of.value, of.value <= most + of.deviation)
        return z3.Implies(of.good, inside)

    def on_the_safe_side(of: Voted) -> z3.BoolRef:
        return z3.Implies(of.good, z3.If(of.high_side, of.value >= least, of.value <= most))

    def heard(of: Voted) -> z3.BoolRef:
        return z3.Implies(z3.And(a - b <= of.deviation, b - a <= of.deviation), of.good)

    def refuses(of: Voted) -> z3.BoolRef:
        few = z3.And([z3.Not(z3.And(one[1], two[1])) for one, two in combinations(of.sensors, 2)])
        return z3.Implies(few, z3.Not(of.good))

    def middle(of: Voted) -> z3.BoolRef:
        agree = [_within(one[0], two[0], of.deviation) for one, two in combinations(of.sensors, 2)]
        good = [one[1] for one in of.sensors]
        return z3.Implies(z3.And(*agree, *good), z3.And(of.good, least <= of.value, of.value <= most))

    def safer(of: Voted) -> z3.BoolRef:
        alone = z3.Not(of.sensors[2][1])
        return z3.Implies(alone, z3.And(of.good, of.value == z3.If(of.high_side, most, least)))

    mean, lonely = vote_in_symbols(mean=True), vote_in_symbols(one_is_enough=True)
    unsafe = Seeded("a vote that takes the unsafe side of two", safer(_sides_swapped(right)))
    says = {
        "vote/one_bad": "one bad sensor of three, whatever it says, moves the voted value at most `deviation` beyond the good two",
        "vote/safe_side": "one bad sensor of three cannot move the voted value beyond the good two on the unsafe side at all",
        "vote/heard": "two good sensors that agree within `deviation` are heard, whatever the third says",
        "vote/two_bad": "two bad sensors of three make the voted signal bad",
        "vote/middle": "where three good sensors agree, the voted value lies within them",
        "vote/of_two": "of two good sensors the one on the safe side is taken",
    }
    yield _vote(
        "vote/one_bad",
        says,
        honest,
        bounded(right),
        Seeded("a vote that allows twice its deviation", bounded(vote_in_symbols(lax=True))),
    )
    yield _vote("vote/safe_side", says, honest, on_the_safe_side(right),
                Seeded("a vote that takes the unsafe side of two", on_the_safe_side(_sides_swapped(right))))  # fmt: skip
    yield _vote("vote/heard", says, honest, heard(right), Seeded("a mean instead of a median", heard(mean)))
    yield _vote("vote/two_bad", says, [right.deviation >= 0], refuses(right),
                Seeded("a vote for which one is enough", refuses(lonely)))  # fmt: skip
    wide = Seeded("a vote that adds its deviation", middle(_above(right)))
    yield _vote("vote/middle", says, honest, middle(right), wide)
    yield _vote("vote/of_two", says, honest, safer(right), unsafe)


def _sides_swapped(of: Voted) -> Voted:
    swapped = z3.substitute(of.value, (of.high_side, z3.Not(of.high_side)))
    return Voted(of.sensors, of.deviation, of.high_side, swapped, of.good)


def _above(of: Voted) -> Voted:
    return Voted(of.sensors, of.deviation, of.high_side, of.value + of.deviation, of.good)


def _vote(name: str, says: dict[str, str], assumed: list[z3.BoolRef], claim: z3.BoolRef, seeded: Seeded) -> Obligation:
    return prove(name, says[name], assumed, claim, seeded, replay=_vote_differs)


def _vote_differs(example: Example) -> str | None:
    """Run the kernel's vote on the sensors; a theorem of the symbols is one of the kernel where both agree."""
    side = "high" if example.get("safe_side_high", False) else "low"
    deviation = float(example.get("deviation", 0.0))
    vote = Vote(id="VOTE", signal="voted", sensors=("a", "b", "c"), deviation=deviation, safe_side=side)
    voted, _ = vote.managed(sensors_of(example), (), 0)
    assert voted is not None
    return f"the kernel votes {voted.value:g}, {voted.quality}"


def sensors_of(example: Example) -> dict[str, Signal]:
    """The three sensors of an example."""
    return {
        name: Signal(
            float(example.get(f"sensor.{name}", 0.0)),
            Quality.GOOD if example.get(f"good.{name}", False) else Quality.BAD,
        )
        for name in "abc"
    }


@dataclass(frozen=True, slots=True)
class Believed:
    """A raw signal, what was seen before, and whether it is believed."""

    value: z3.ArithRef
    raw_good: z3.BoolRef
    before: z3.ArithRef
    since_us: z3.ArithRef
    unchanged_us: z3.ArithRef
    good: z3.BoolRef


def plausibility_in_symbols(*, ignores: str = "") -> Believed:
    """`Plausibility.managed` with every check declared. `ignores` names the check that a known mistake leaves out."""
    value, raw_good = z3.Real("value"), z3.Bool("raw_good")
    before, since, same = z3.Real("before"), z3.Real("since_us"), z3.Real("unchanged_us")
    elapsed, seen_before = z3.Real("elapsed_us"), z3.Bool("seen_before")
    low, high, rate, stuck = (z3.Real(name) for name in ("low", "high", "rate_per_s", "stuck_us"))
    moved = z3.If(value >= before, value - before, before - value)
    unchanged = z3.If(z3.And(seen_before, value == before), same + elapsed, z3.RealVal(0))
    checks = {
        "quality": raw_good,
        "range": z3.And(low <= value, value <= high),
        "rate": z3.Or(z3.Not(seen_before), moved * 1_000_000 <= rate * (since + elapsed)),
        "stuck": unchanged <= stuck,
        # An unknown contradiction does not count; a known one marks the signal BAD.
        "agrees": z3.Or(z3.Not(z3.Bool("agrees_known")), z3.Bool("agrees_holds")),
    }
    good = z3.And([check for name, check in checks.items() if name != ignores])
    return Believed(value, raw_good, before, since, unchanged, good)


def _plausibilities() -> Iterator[Obligation]:
    right = plausibility_in_symbols()
    elapsed, rate = z3.Real("elapsed_us"), z3.Real("rate_per_s")
    sane = [elapsed >= 0, right.since_us >= 0, z3.Real("unchanged_us") >= 0, rate >= 0]
    far = z3.If(right.value >= right.before, right.value - right.before, right.before - right.value)
    moved = z3.Or(z3.Not(z3.Bool("seen_before")), far * 1_000_000 <= rate * (right.since_us + elapsed))
    claims = {
        "quality": (right.raw_good, "plausibility never makes a bad signal good"),
        "range": (
            z3.And(z3.Real("low") <= right.value, right.value <= z3.Real("high")),
            "what is believed lies in its range",
        ),
        "rate": (moved, "what is believed has moved no faster than its rate since it was last seen"),
        "stuck": (right.unchanged_us <= z3.Real("stuck_us"), "what is believed has changed within its time"),
        "agrees": (
            z3.Not(z3.And(z3.Bool("agrees_known"), z3.Not(z3.Bool("agrees_holds")))),
            "what is believed contradicts nothing that is known",
        ),
    }
    for name, (claim, says) in claims.items():
        wrong = plausibility_in_symbols(ignores=name)
        seeded = Seeded(f"a check of {name} that is left out", z3.Implies(wrong.good, claim))
        yield prove(f"plausibility/{name}", says, sane, z3.Implies(right.good, claim), seeded, replay=_belief_differs)


def _belief_differs(example: Example) -> str | None:
    kind, signals, state, elapsed_us = plausibility_of(example)
    believed, _ = kind.managed(signals, state, elapsed_us)
    return f"the kernel believes {signals['raw'].value:g}" if believed is not None and believed.good else None


def plausibility_of(example: Example) -> tuple[Plausibility, dict[str, Signal], tuple[float, ...], int]:
    """Return the kernel's arguments for an example: the input, the signals, what was seen before, and how long ago."""

    def number(name: str) -> float:
        return float(example.get(name, 0.0))

    known = Quality.GOOD if example.get("agrees_known", False) else Quality.BAD
    signals = {
        "raw": Signal(number("value"), Quality.GOOD if example.get("raw_good", False) else Quality.BAD),
        "other": Signal(1.0 if example.get("agrees_holds", False) else 0.0, known),
    }
    kind = Plausibility(
        id="P", signal="raw", low=number("low"), high=number("high"), rate_per_s=number("rate_per_s"),
        stuck_us=round(number("stuck_us")), agrees=parse_when("other >= 1"),
    )  # fmt: skip
    state = (number("before"), number("since_us"), number("unchanged_us")) if example.get("seen_before", False) else ()
    return kind, signals, state, round(number("elapsed_us"))
