"""What exact numbers cannot say: NaN, infinities and the last bit. Once for each kind, in QF_FP where z3 decides quickly.

Where it does not, an analytic margin stands in its place, worked out for the envelope at hand. It is the standard bound: n
roundings change a sum by at most n * u of the sum of magnitudes, with u = 2^-53. (Higham, Accuracy and Stability of
Numerical Algorithms, 2nd ed., section 3.1 and 4.2.)
"""

from collections.abc import Iterator
from functools import cache
from math import inf

import z3

from safety.envelope import Envelope
from safety.proof.solver import ANALYTIC, QF_FP, Answer, Obligation, Seeded, prove
from safety.rules.command_rules import Bound, Dwell, RateWindow, Relation, Slew

_DOUBLE = z3.Float64()
_NEAREST = z3.RNE()
_U = 2.0**-53
# What `Relation.margin` forgives, of all magnitudes.
_FORGIVEN = 2.0**-48


def floats_behave(envelope: Envelope) -> Iterator[Obligation]:
    """Bound, margin, interlock, slew and trust region, money in QF_FP; relations, windows and timers analytically."""
    yield from _of_kinds()
    for rule in envelope.command_rules:
        if isinstance(rule, Relation):
            yield _relation(rule)
        elif isinstance(rule, RateWindow):
            yield _window(rule, envelope)
        elif isinstance(rule, Slew):
            yield _slew(rule, envelope)
    yield _timers(envelope)


@cache
def _of_kinds() -> tuple[Obligation, ...]:
    """Prove what is true of a kind whatever the envelope, once."""
    return _bound(), _margin(), _interlock(), _rates(), _distances(), _last_bit(), _money()


def _finite(*values: z3.FPRef) -> z3.BoolRef:
    return z3.And([z3.Not(z3.Or(z3.fpIsNaN(value), z3.fpIsInf(value))) for value in values])


def _bound() -> Obligation:
    x, low, high = (z3.FP(name, _DOUBLE) for name in ("x", "low", "high"))
    inside = z3.And(z3.fpLEQ(low, x), z3.fpLEQ(x, high))
    not_outside = z3.Not(z3.Or(z3.fpLT(x, low), z3.fpGT(x, high)))
    says = "`low <= x <= high` lets no NaN and no infinity through"
    seeded = Seeded("a rule that refuses what is outside", z3.Implies(not_outside, _finite(x)))
    return prove("float/bound", says, [_finite(low, high)], z3.Implies(inside, _finite(x)), seeded, by=QF_FP)


def _margin() -> Obligation:
    """Gradual underflow: a difference is zero only where both are equal, and its sign is right."""
    x, low = z3.FP("x", _DOUBLE), z3.FP("low", _DOUBLE)
    above = z3.fpGEQ(z3.fpSub(_NEAREST, x, low), z3.FPVal(0.0, _DOUBLE))
    says = "a margin `x - low >= 0` says exactly that `x >= low`: bounds are exact to the last bit"
    seeded = Seeded("a margin that says `x > low`", above == z3.fpGT(x, low))
    return prove("float/margin", says, [_finite(x, low)], above == z3.fpGEQ(x, low), seeded, by=QF_FP)


def _interlock() -> Obligation:
    """`min(value - low, high - value) >= 0` as Python's `min` answers, limits possibly infinite, never NaN."""
    x, low, high = (z3.FP(name, _DOUBLE) for name in ("x", "low", "high"))
    below, above = z3.FP("x_less_low", _DOUBLE), z3.FP("high_less_x", _DOUBLE)
    zero = z3.FPVal(0.0, _DOUBLE)
    # The sign of each difference is that of the comparison (`float/margin`); an infinite limit is never in the way.
    signs = [z3.fpGEQ(below, zero) == z3.fpGEQ(x, low), z3.fpGEQ(above, zero) == z3.fpLEQ(x, high)]
    numbers = [z3.Not(z3.fpIsNaN(value)) for value in (low, high, below, above)]
    least = z3.If(z3.fpLT(above, below), above, below)
    inside = z3.And(z3.fpLEQ(low, x), z3.fpLEQ(x, high))
    accepts = z3.fpGEQ(least, zero)
    says = "an interlock accepts exactly what lies within its limits, and refuses where a limit is NaN"
    largest = z3.If(z3.fpLT(above, below), below, above)
    seeded = Seeded("the larger of the two margins", z3.fpGEQ(largest, zero) == inside)
    return prove("float/interlock", says, [_finite(x), *signs, *numbers], accepts == inside, seeded, by=QF_FP)


def _rates() -> Obligation:
    """As `Slew.margin` answers: an unlimited direction has an infinite reach, and still lets no infinity through."""
    x, last, up, down = (z3.FP(name, _DOUBLE) for name in ("x", "last", "up", "down"))
    zero = z3.FPVal(0.0, _DOUBLE)
    moved = z3.fpSub(_NEAREST, x, last)
    left = z3.If(z3.fpGEQ(moved, zero), z3.fpSub(_NEAREST, up, moved), z3.fpAdd(_NEAREST, down, moved))
    reaches = [_finite(last), z3.fpGEQ(up, zero), z3.fpGEQ(down, zero)]
    says = "slew: a rate lets no NaN and no infinity through, also where a direction is unlimited"
    claim = z3.Implies(z3.fpGEQ(left, zero), _finite(x))
    seeded = Seeded("a rate that refuses what is too fast", z3.Implies(z3.Not(z3.fpLT(left, zero)), _finite(x)))
    return prove("float/slew", says, reaches, claim, seeded, by=QF_FP)


def _distances() -> Obligation:
    x, own, most = (z3.FP(name, _DOUBLE) for name in ("x", "incumbents", "distance"))
    away = z3.fpAbs(z3.fpSub(_NEAREST, x, own))
    near = z3.fpGEQ(z3.fpSub(_NEAREST, most, away), z3.FPVal(0.0, _DOUBLE))
    says = (
        "trust region: a distance lets no NaN and no infinity through, also where the incumbent has no step of its own"
    )
    seeded = Seeded("a distance that refuses what is far", z3.Implies(z3.Not(z3.fpGT(away, most)), _finite(x, own)))
    return prove("float/trust_region", says, [_finite(most)], z3.Implies(near, _finite(x, own)), seeded, by=QF_FP)


def _last_bit() -> Obligation:
    """Rounding is monotone: were the exact difference over the next float above the limit, its rounding would be too."""
    says = "slew and trust region: a difference judged within its limit exceeds it by less than the limit's last bit"
    detail = "`fl(x - last) <= s` and rounding is monotone, so `x - last < s + ulp(s)`; z3 does not decide it quickly"
    return Obligation("float/last_bit", says, Answer.PROVED, detail, by=ANALYTIC)


def _money() -> Obligation:
    """Every whole number of micros below 2^53 is a float of its own, so sums are taken of the very integers."""
    micros = z3.BitVec("micros", 64)
    back = z3.fpToUBV(z3.RTZ(), z3.fpUnsignedToFP(_NEAREST, micros, _DOUBLE), z3.BitVecSort(64))
    says = "money: every whole number of micros below 2^53 comes back from a float unchanged; sums are of integers"
    below = [z3.ULT(micros, 2**53)]
    seeded = Seeded("twice as many micros", back == micros, [z3.ULT(micros, 2**54)])
    return prove("float/money", says, below, back == micros, seeded, by=QF_FP)


def _relation(rule: Relation) -> Obligation:
    """Each product is rounded once, each sum once, the limit's own terms as well, the allowance twice."""
    roundings = len(rule.terms) + 1 + 2 * len(rule.limit.terms) + 3
    worst = roundings * _U / (1 - roundings * _U)
    says = f"relation `{rule.id}`: what exact numbers permit is permitted, and beyond that rounding only"
    detail = (
        f"{roundings} roundings, at most {worst:.3g} of all magnitudes; the rule forgives {_FORGIVEN:.3g}, "
        f"so at most {worst + _FORGIVEN:.3g} is let through"
    )
    holds = _U < worst <= _FORGIVEN  # one rounding would not be enough, what is forgiven is
    answer = Answer.PROVED if holds else Answer.REFUTED
    return Obligation(f"float/{rule.id}", says, answer, detail, by=ANALYTIC, seeded="an allowance of one rounding")


def _window(rule: RateWindow, envelope: Envelope) -> Obligation:
    moves = rule.window_us // max(1, envelope.guard_period_us) + 2
    says = f"rate window `{rule.id}`: the sum of what is remembered is off by rounding only"
    detail = f"at most {moves} moves, one a guard period: {moves * _U * rule.most:.3g} {rule.unit} in all"
    return Obligation(f"float/{rule.id}", says, Answer.PROVED, detail, by=ANALYTIC)


def _slew(rule: Slew, envelope: Envelope) -> Obligation:
    """A step is shortened by 1e-9 of what is allowed; where that is less than its last bit, a bit is taken back."""
    largest = max(
        abs(edge)
        for r in envelope.command_rules
        if isinstance(r, Bound) and r.setpoint == rule.setpoint
        for edge in (r.low, r.high)
    )
    rate = min(rule.up_per_s, rule.down_per_s)
    last_bit = 2 * _U * largest
    from_s = 0.0 if rate == inf else last_bit / (1e-9 * rate)
    says = f"slew `{rule.id}`: rounding the step cannot carry it over its rate"
    detail = (
        f"1e-9 of a step of {from_s:.3g} s or more is at least the last bit of {largest:g} {rule.unit}; "
        "of a shorter one a bit is taken back"
    )
    return Obligation(f"float/{rule.id}", says, Answer.PROVED, detail, by=ANALYTIC)


def _timers(envelope: Envelope) -> Obligation:
    longest_us = max(
        (max(r.min_on_us, r.min_off_us, r.window_us) for r in envelope.command_rules if isinstance(r, Dwell)), default=0
    )
    longest_us = max([longest_us, envelope.hold_max_us, envelope.period_us])
    says = "timers: whole microseconds are exact in floats for as long as any rule counts"
    holds = longest_us < 2**52
    detail = f"the longest counts {longest_us / 1e6:g} s; exact up to 2^53 us, 285 years"
    return Obligation("float/timers", says, Answer.PROVED if holds else Answer.REFUTED, detail, by=ANALYTIC)
