"""The pieces of a written-out envelope: expressions over numbered variables, shared where they are used again.

Names: `t` target, `s` step, `a` and `b` the smaller and the larger of both, `l` last, `r` reference. Numbered: `x` signals
and `w` windows. `d` is how far a step goes, `m` a margin, `q` a shared expression.
"""

from collections.abc import Iterator
from math import copysign, inf

from safety.ramp import Named
from safety.rules.base import CommandRule
from safety.rules.command_rules import Bound, Interlock, Permissive, RateWindow, Relation, Slew, TrustRegion
from safety.rules.conditions import AllOf, AnyOf, Comparison, Condition, Linear, Not
from safety.rules.money_rules import Budget, SpendRate

INFINITE = "1e999"  # a literal, which is cheaper than a name
_LARGEST_FACTOR = 1e100
_LARGEST_FLOAT = 1.7976931348623157e308
_EXACT = 2.0**53


class Phrases:
    """Writes expressions over the setpoints and signals of a set of rules.

    `domain` has the setpoints of which T0 asks more than the rules. `arrived`: target and step are one, so only one is
    looked at. `split`: setpoints that decide about limits differ between target and step; while they do not, which is usual,
    both have the same limits.
    """

    def __init__(
        self,
        rules: tuple[CommandRule, ...],
        domain: tuple[Named, ...] = (),
        *,
        arrived: bool = False,
        split: bool = False,
    ) -> None:
        self.rules = rules
        self.domain = domain
        self.sides = "t" if arrived else "ts"
        self.step = self.sides[-1]
        self.split = split
        names = sorted({name for rule in rules for name in rule.setpoints} | {spec.name for spec in domain})
        self.setpoints = {name: at for at, name in enumerate(names)}
        found = {name for rule in rules for name in looked_up(rule)}
        self.signals = {name: at for at, name in enumerate(sorted(found - self.setpoints.keys()))}
        self.deciding = sorted(found & self.setpoints.keys())
        self._shared: dict[str, str] = {}
        self._flags: set[str] = set()
        self._ledgers: dict[tuple[tuple[str, ...], int], int] = {}

    def share(self, expression: str) -> str:
        """A mark for an expression that may be wanted again."""
        name = self._shared.setdefault(expression, f"q{len(self._shared)}")
        return f"{{{name}}}"

    def flag(self, condition: str) -> str:
        """A mark for a condition that may be wanted again."""
        self._flags.add(condition)
        return self.share(condition)

    def settled(self, body: str) -> str:
        """The body without marks: what it uses more than once is worked out before it, the rest where it is used."""
        for expression, name in reversed(self._shared.items()):
            uses = body.count(f"{{{name}}}")
            if uses > 1:
                # A comparison that branches is cheaper than one whose answer is kept.
                kept = f"True if {expression} else False" if expression in self._flags else expression
                body = f"{name} = {kept}\n{body}"
            body = body.replace(f"{{{name}}}", name if uses > 1 else f"({expression})")
        return body

    def on(self, side: str, name: str) -> str:
        """A setpoint of the target, the step, the last command or the reference."""
        return f"{side}{self.setpoints[name]}"

    def ends(self, name: str) -> tuple[str, str]:
        """The smaller and the larger of target and step; where one of them is NaN, so is one of these."""
        t, s = self.on("t", name), self.on(self.step, name)
        if t == s:
            return t, t
        return self.share(f"{s} if {s} < {t} else {t}"), self.share(f"{t} if {t} >= {s} else {s}")

    def moved(self, name: str) -> str:
        return self.share(f"{self.on(self.step, name)} - {self.on('l', name)}")

    def away(self, rule: TrustRegion) -> str:
        return self.share(f"abs({self.on(self.step, rule.setpoint)} - {self.on('r', rule.setpoint)})")

    def stays(self, name: str) -> str:
        return f"{self.on(self.step, name)} == {self.on('l', name)}"

    def reach(self, rate_per_s: float) -> str:
        """The largest move of a step."""
        return INFINITE if rate_per_s == inf else self.share(f"{rate_per_s!r} * dt_s")

    def within_reach(self, rule: Slew) -> str:
        """Whether a step goes no further than it may. Without a rate it may still not go infinitely far."""
        moved = self.moved(rule.setpoint)
        low, high = (
            repr(copysign(_LARGEST_FLOAT, rate)) if abs(rate) == inf else self.share(f"{rate!r} * dt_s")
            for rate in (-rule.down_per_s, rule.up_per_s)
        )
        return f"{low} <= {moved} and {moved} <= {high}"

    def left(self, at: int, rule: RateWindow) -> str:
        """The move that is left in a window. Where the window holds one move, as most do, there is nothing to add up."""
        return f"{rule.most!r} - (w{at}[1] if len(w{at}) == 2 else sum(w{at}[1::2]))"

    def part(self, coefficient: float, value: str) -> str:
        return value if coefficient == 1.0 else self.share(f"{coefficient!r} * {value}")

    def affordable(self, at: int, rule: Budget) -> str:
        """Whether the money is known and enough: whole numbers below 2^53, whose sums are exact or too large to matter."""
        spent, reserved, limit, charge = names = [f"x{self.signals[name]}" for name in rule.looked_up]
        known = " and ".join(f"0.0 <= {x} and {x} < {_EXACT!r} and {x}.is_integer()" for x in names)
        enough = f"{spent} + {reserved} + {charge} <= {limit}"
        if isinstance(rule, SpendRate):
            first = self._ledgers.setdefault((rule.looked_up, rule.most_per_mille), at)
            most = f"{float(rule.most_per_mille)!r} * {limit}"
            enough = f"1000.0 * ({spent} + {reserved} + {charge}) <= {most}"
            enough = f"({enough} if {most} < {_EXACT!r} else rule{first}.left_micros(now) >= 0)"
        return self.flag(f"{self.flag(known)} and {enough}")

    def limits(self, rule: Interlock, side: str) -> tuple[str, str]:
        """Low and high; empty where there is no limit. Under a condition they are worked out only where it holds."""
        low, high = (
            "" if limit is None else self.linear(limit, side) if rule.when is None else f"({self._sum(limit, side)})"
            for limit in (rule.low, rule.high)
        )
        return low, high

    def is_split(self, rule: CommandRule) -> bool:
        """Whether target and step may have different limits, because setpoints decide about them."""
        return self.split and any(name in self.setpoints for name in looked_up(rule))

    def linear(self, linear: Linear, side: str) -> str:
        return self.share(self._sum(linear, side)) if linear.terms else repr(linear.constant)

    def condition(self, condition: Condition, side: str) -> str:
        text = self._written(condition, side)
        return text if any(name in self.setpoints for name in _names_in(condition)) else self.flag(text)

    def _written(self, condition: Condition, side: str) -> str:
        match condition:
            case Comparison(left, op, right):
                return f"({self._compared(left, side)} {op} {self._compared(right, side)})"
            case AllOf(parts):
                return "(" + " and ".join(self._written(part, side) for part in parts) + ")"
            case AnyOf(parts):
                return "(" + " or ".join(self._written(part, side) for part in parts) + ")"
            case Not(part):
                return f"(not {self._written(part, side)})"

    def _compared(self, linear: Linear, side: str) -> str:
        """A sum where the sign of a zero does not matter: without the zero it begins with."""
        text = self._sum(linear, side)
        return text.removeprefix("0.0 + ").replace(" + -1.0 * ", " - ") if linear.terms else text

    def _sum(self, linear: Linear, side: str) -> str:
        """A sum as the rules work it out."""
        text = repr(linear.constant)
        for name, coefficient in linear.terms:
            value = f"x{self.signals[name]}" if name in self.signals else self.on(side, name)
            text += f" + {value}" if coefficient == 1.0 else f" + {coefficient!r} * {value}"
        return text


def is_odd(rule: CommandRule) -> bool:
    """Whether a rule has a number that is left to the rule itself: one that might overflow a sum, or a negative zero."""
    return any(not abs(number) <= _LARGEST_FACTOR or _is_negative_zero(number) for number in _numbers(rule))


def looked_up(rule: CommandRule) -> Iterator[str]:
    """The signals and discrete setpoints that the kinds written out look up."""
    for linear in _linears_of(rule):
        yield from (name for name, _ in linear.terms)
    if isinstance(rule, Budget):
        yield from rule.looked_up


def _is_negative_zero(number: float) -> bool:
    return number == 0.0 and copysign(1.0, number) < 0.0


def _numbers(rule: CommandRule) -> Iterator[float]:
    for linear in _linears_of(rule):
        yield from (linear.constant, *(factor for _, factor in linear.terms))
    if isinstance(rule, Relation):
        yield from (factor for _, factor in rule.terms)
    if isinstance(rule, Bound):
        yield from (rule.low, rule.high)


def _linears_of(rule: CommandRule) -> Iterator[Linear]:
    match rule:
        case Interlock():
            yield from (limit for limit in (rule.low, rule.high) if limit is not None)
            yield from () if rule.when is None else _linears_in(rule.when)
        case Permissive():
            yield from _linears_in(rule.require)
        case Relation():
            yield rule.limit


def _names_in(condition: Condition) -> Iterator[str]:
    return (name for linear in _linears_in(condition) for name, _ in linear.terms)


def _linears_in(condition: Condition) -> Iterator[Linear]:
    match condition:
        case Comparison(left, _, right):
            yield from (left, right)
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from _linears_in(part)
        case Not(part):
            yield from _linears_in(part)
