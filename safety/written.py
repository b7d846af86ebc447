"""The rules of a rung written out as straight-line Python: the text that `safety.compiled` compiles.

Everything is the arithmetic of the rules themselves, with what need not be done left out:

* A limit that only signals decide is the same for target and step, and rounding keeps the order of numbers. So the
  smaller of two margins is the margin of the smaller (or larger) of two values, to the bit, and one is worked out.
* `x - low >= 0` says the same as `low <= x`: where no margin is wanted, no difference is taken.
* What is used once stands where it is used; what is used more often is worked out once.

Names: `t` target, `s` step, `a` and `b` the smaller and the larger of both, `l` last, `r` reference, `x` signals and `w`
windows, numbered; `d` how far a step goes, `m` a margin, `q` what is shared.
"""

import re
from collections.abc import Iterable, Iterator
from math import copysign, hypot, inf
from operator import itemgetter

from safety.command_rules import Bound, Dwell, Interlock, Permissive, RateWindow, Relation, Slew, TrustRegion
from safety.conditions import AllOf, AnyOf, Comparison, Condition, Linear, Not
from safety.money_rules import Budget, SpendRate
from safety.rules import CommandRule
from safety.values import Quality

# Beyond these sizes the plain way is gone, where every sum is looked at: below them none can overflow.
_LARGEST, _LARGEST_FACTOR = 1e150, 1e100
_LARGEST_FLOAT = 1.7976931348623157e308
_EXACT = 2.0**53
_ROUNDING = 2.0**-48
# CPython builds longer argument lists one by one.
_ARGUMENTS = 28
_WHOLE = {"t": "target", "s": "step"}


class Writer:
    """Writes one function over a set of rules.

    `arrived`: target and step are one, so only one is looked at. `split`: setpoints that decide about limits differ
    between target and step; while they do not, which is usual, both have the same limits.
    """

    def __init__(self, rules: tuple[CommandRule, ...], *, arrived: bool = False, split: bool = False) -> None:
        self.rules = rules
        self.sides = "t" if arrived else "ts"
        self.step = self.sides[-1]
        self.split = split
        self.scope: dict[str, object] = {"inf": inf, "hypot": hypot, "GOOD": Quality.GOOD}
        self.scope |= {f"rule{at}": rule for at, rule in enumerate(rules)}
        self.shared: dict[str, tuple[str, str]] = {}
        names = sorted({name for rule in rules for name in rule.setpoints})
        self.setpoints = {name: at for at, name in enumerate(names)}
        looked_up = {name for rule in rules for name in _looked_up(rule)}
        self.signals = {name: at for at, name in enumerate(sorted(looked_up - self.setpoints.keys()))}
        self.deciding = sorted(looked_up & self.setpoints.keys())

    # -- whole functions ------------------------------------------------------------------------------------------

    def margins(self) -> str:
        """(target, step, now) -> (the smaller margin of both by rule id, whether all are >= 0), or None."""
        self.scope["unknown"] = dict.fromkeys((rule.id for rule in self.rules), inf)
        lines = ["margins, well = unknown.copy(), True"]
        for written, rule in sorted(zip(map(self.margin, range(len(self.rules)), self.rules), self.rules, strict=True), key=lambda each: _shape(each[0])):
            lines += [*written, f"margins[{rule.id!r}] = m", "if not m >= 0.0: well = False"]
        setpoints = [f"{side}{at}" for at in self.setpoints.values() for side in self.sides]
        return self._function([*self._head(), *self._finite([*setpoints, *self._measured()])], lines, "margins, well")

    def accepts(self) -> str:
        """(target, step, now) -> whether every margin is >= 0, or None."""
        rules = list(_tightest(self.rules))
        bounds = [rule for _, rule in rules if isinstance(rule, Bound)]
        bounded = {rule.setpoint for rule in bounds}  # and therefore finite
        free = [f"{s}{at}" for name, at in self.setpoints.items() if name not in bounded for s in self.sides]
        head = [*self._head(), *map(self._bounded, bounds), *self._finite([*free, *self._measured()])]
        lines: list[str] = []
        demands: dict[str, list[str]] = {}
        for at, rule in rules:
            if _is_odd(rule) or not isinstance(rule, _WRITTEN):
                lines += [*self._asked(at, rule), _refused("m >= 0.0")]
            elif not isinstance(rule, Bound):
                for frame, demand in self.demands(at, rule):
                    demands.setdefault(frame, []).append(demand)
        for frame, wanted in sorted(demands.items(), key=lambda item: _shape(item[1])):
            lines.append(_refused(frame.replace("...", " and ".join(sorted(wanted, key=_shape)))))
        return self._function(head, lines, "True")

    def _function(self, head: Iterable[str], lines: Iterable[str], answer: str) -> str:
        """The text of a function: what is shared stands before the lines if they use it more than once, else in them."""
        body = "\n".join([*lines, f"return {answer}"])
        for name, (inline, alone) in reversed(self.shared.items()):
            uses = body.count(f"{{{name}}}")
            if uses > 1:
                body = f"{name} = {alone}\n{body}"
            body = body.replace(f"{{{name}}}", name if uses > 1 else f"({inline})")
        text = "\n".join([*head, body]).replace("\n", "\n    ")
        return f"def compiled(target, step, now):\n    {text}\n"

    def _share(self, inline: str, alone: str = "") -> str:
        """A mark for an expression that may be wanted again."""
        known = next((name for name, (text, _) in self.shared.items() if text == inline), None)
        name = known or f"q{len(self.shared)}"
        self.shared[name] = inline, alone or inline
        return f"{{{name}}}"

    # -- what goes in ---------------------------------------------------------------------------------------------

    def _head(self) -> list[str]:
        """The lines that take everything the rules look up out of its mappings; None where something is not there."""
        lines = [self._taken(side, _WHOLE[side], self.setpoints) for side in self.sides]
        if self.deciding and len(self.sides) > 1 and not self.split:
            same = " and ".join(f"{self._on('t', name)} == {self._on('s', name)}" for name in self.deciding)
            lines.append(f"if not ({same}): return split(target, step, now)")
        for letter, field, kinds in (("l", "last", _OF_LAST), ("r", "reference", (TrustRegion,))):
            wanted = {name for rule in self.rules if isinstance(rule, kinds) for name in rule.setpoints}
            if wanted:
                lines += [f"{field} = now.{field}", f"if {field} is None: return None"]
                lines.append(self._taken(letter, field, {name: self.setpoints[name] for name in sorted(wanted)}))
        if any(isinstance(rule, Slew) for rule in self.rules):
            lines += ["dt_s = now.dt_s", "if not dt_s >= 0.0: return None"]
        windows = {rule.id: at for at, rule in enumerate(self.rules) if isinstance(rule, RateWindow)}
        known = [self._taken("w", "now.states", windows)] if windows else []
        known += [self._taken("x", "now.signals", self.signals)] if self.signals else []
        if known:
            lines += ["try:", *(f"    {line}" for line in known), "except KeyError: return None"]
        if self.signals:
            good = " and ".join(f"{x}.quality is good" for x in self._measured())
            lines += ["good = GOOD", f"if not ({good}): return None"]
            lines += [f"{x} = {x}.value" for x in self._measured()]
        return lines

    def _taken(self, letter: str, mapping: str, numbers: dict[str, int]) -> str:
        if not numbers:
            return "pass"
        self.scope[f"{letter}_of"] = itemgetter(*numbers)
        return f"{', '.join(f'{letter}{at}' for at in numbers.values())} = {letter}_of({mapping})"

    def _measured(self) -> list[str]:
        return [f"x{at}" for at in self.signals.values()]

    def _finite(self, names: list[str]) -> list[str]:
        """None where a number is not finite, or so large that a sum of such numbers might not be."""
        parts = [", ".join(names[at : at + _ARGUMENTS]) for at in range(0, len(names), _ARGUMENTS)]
        return [f"if not {' + '.join(f'hypot({part})' for part in parts)} < {_LARGEST!r}: return None"] if parts else []

    # -- margins --------------------------------------------------------------------------------------------------

    def margin(self, at: int, rule: CommandRule) -> list[str]:
        """The lines that leave the smaller margin of target and step in `m`; of the step alone for a `step_only` rule."""
        if _is_odd(rule):
            return self._asked(at, rule)
        match rule:
            case Bound():
                a, b = self._ends(rule.setpoint)
                return _inside(repr(rule.low), repr(rule.high), a, b)
            case Interlock():
                return self._interlock(rule)
            case Relation():
                return self._smaller(self._relation(rule, side) for side in self.sides)
            case Slew():
                rates = (rule.up_per_s, rule.down_per_s)
                up, down = ("inf" if rate == inf else self._share(f"{rate!r} * dt_s") for rate in rates)
                return [f"d = {self._moved(rule.setpoint)}", f"m = {up} - d if d >= 0.0 else {down} + d"]
            case TrustRegion():
                return [f"m = {rule.distance!r} - {self._away(rule)}"]
            case Dwell():
                return [f"m = inf if {self._stays(rule.setpoint)} else rule{at}.margin(step, now)"]
            case RateWindow():
                left = f"m = {self._left(at, rule)}"
                return [f"d = abs({self._moved(rule.setpoint)})", left, "m = inf if d == 0.0 else (m if m > 0.0 else 0.0) - d"]
            case Permissive():
                s, last = self._on(self.step, rule.setpoint), self._on("l", rule.setpoint)
                return [f"m = inf if {s} <= {last} else 0.0 if {self._condition(rule.require, self.step)} else -1.0"]
            case Budget():
                _, b = self._ends(rule.setpoint)
                return [f"m = inf if {self._affordable(at, rule)} else {rule.idle!r} - {b}"]
            case _:
                return self._asked(at, rule)

    def _asked(self, at: int, rule: CommandRule) -> list[str]:
        """The rule itself, for a kind or a number that is not written out. It may answer NaN."""
        lines = [f"m = rule{at}.margin({'step' if rule.step_only else 'target'}, now)"]
        if not rule.step_only and self.step == "s":
            lines += [f"n = rule{at}.margin(step, now)", "if n < m or n != n: m = n"]
        return lines

    def _smaller(self, margins: Iterable[str]) -> list[str]:
        """The smallest of some margins, none of them NaN."""
        first, *others = margins
        return [f"m = {first}", *(line for other in others for line in (f"n = {other}", "if n < m: m = n"))]

    def _interlock(self, rule: Interlock) -> list[str]:
        if not self._is_split(rule):
            inside = _inside(*self._limits(rule, "t"), *self._ends(rule.setpoint))
            if rule.when is None:
                return inside
            return _branch((self._condition(rule.when, "t"), inside), ("", ["m = inf"]))
        sides = [(side, self._on(side, rule.setpoint)) for side in self.sides]
        each = [_inside(*self._limits(rule, side), value, value) for side, value in sides]
        holds = ["" if rule.when is None else self._condition(rule.when, side) for side in self.sides]
        lines = _branch((holds[0], each[0]), ("", ["m = inf"]))
        for when, inside in zip(holds[1:], each[1:], strict=True):
            lines += ["u = m", *_branch((when, [*inside, "if not m < u: m = u"]), ("", []))]
        return lines

    def _relation(self, rule: Relation, side: str) -> str:
        limit = self._linear(rule.limit, side)
        parts = [self._part(coefficient, self._on(side, name)) for name, coefficient in rule.terms]
        size = " + ".join(self._share(f"abs({part})") for part in (limit, *parts))
        return f"{limit} - ({' + '.join(parts)}) + {_ROUNDING!r} * ({size})"

    # -- demands --------------------------------------------------------------------------------------------------

    def demands(self, at: int, rule: CommandRule) -> Iterator[tuple[str, str]]:
        """What must hold for the margin to be >= 0, and the frame it stands in. Rules of one frame are asked together:
        what lets off one of them lets off all."""
        match rule:
            case Interlock():
                for side in self.sides if self._is_split(rule) else "t":
                    unless = "" if rule.when is None else f"not {self._condition(rule.when, side)} or "
                    yield f"{unless}(...)", self._interlocked(rule, side)
            case Relation():
                yield "...", self._related(at, rule)
            case Slew():
                d, up, down = self._moved(rule.setpoint), self._reach(rule.up_per_s), self._reach(-rule.down_per_s)
                yield "...", f"{down} <= {d} and {d} <= {up}"
            case TrustRegion():
                yield "...", f"{self._away(rule)} <= {rule.distance!r}"
            case Dwell():
                yield "...", f"({self._stays(rule.setpoint)} or rule{at}.margin(step, now) >= 0.0)"
            case RateWindow():
                d = self._moved(rule.setpoint)
                yield f"{d} == 0.0 or ...", f"abs({d}) <= {self._left(at, rule)}"
            case Permissive():
                s, last = self._on(self.step, rule.setpoint), self._on("l", rule.setpoint)
                yield f"{s} <= {last} or ...", self._condition(rule.require, self.step)
            case Budget():
                yield f"... or {self._affordable(at, rule)}", f"{self._ends(rule.setpoint)[1]} <= {rule.idle!r}"

    def _bounded(self, rule: Bound) -> str:
        values = [self._on(side, rule.setpoint) for side in self.sides]
        return _refused(" and ".join(f"{rule.low!r} <= {value} and {value} <= {rule.high!r}" for value in values))

    def _interlocked(self, rule: Interlock, side: str) -> str:
        a, b = (self._on(side, rule.setpoint),) * 2 if self._is_split(rule) else self._ends(rule.setpoint)
        low, high = self._limits(rule, side)
        return " and ".join([*([f"{low} <= {a}"] if low else []), *([f"{b} <= {high}"] if high else [])] or ["True"])

    def _related(self, at: int, rule: Relation) -> str:
        """A sum of the ends that make it largest says enough if it is within the limit; if not, the rule is asked."""
        margins = " and ".join(f"rule{at}.margin({_WHOLE[side]}, now) >= 0.0" for side in self.sides)
        if self.split and any(name in self.setpoints for name in _looked_up(rule)):
            return margins
        ends = [self._ends(name)[coefficient > 0.0] for name, coefficient in rule.terms]
        parts = [self._part(coefficient, end) for (_, coefficient), end in zip(rule.terms, ends, strict=True)]
        return f"({' + '.join(parts)} <= {self._linear(rule.limit, 't')} or ({margins}))"

    # -- pieces ---------------------------------------------------------------------------------------------------

    def _on(self, side: str, name: str) -> str:
        return f"{side}{self.setpoints[name]}"

    def _ends(self, name: str) -> tuple[str, str]:
        """The smaller and the larger of target and step."""
        t, s = self._on("t", name), self._on(self.step, name)
        if t == s:
            return t, t
        return self._share(f"{s} if {s} < {t} else {t}"), self._share(f"{s} if {s} > {t} else {t}")

    def _moved(self, name: str) -> str:
        return self._share(f"{self._on(self.step, name)} - {self._on('l', name)}")

    def _away(self, rule: TrustRegion) -> str:
        return self._share(f"abs({self._on(self.step, rule.setpoint)} - {self._on('r', rule.setpoint)})")

    def _stays(self, name: str) -> str:
        return f"{self._on(self.step, name)} == {self._on('l', name)}"

    def _reach(self, rate_per_s: float) -> str:
        """How far a step may go; without a limit as far as a number may that is not infinite."""
        if abs(rate_per_s) == inf:
            return repr(copysign(_LARGEST_FLOAT, rate_per_s))
        return self._share(f"{rate_per_s!r} * dt_s")

    def _left(self, at: int, rule: RateWindow) -> str:
        return f"{rule.most!r} - sum(w{at}[1::2])"

    def _part(self, coefficient: float, value: str) -> str:
        return value if coefficient == 1.0 else self._share(f"{coefficient!r} * {value}")

    def _affordable(self, at: int, rule: Budget) -> str:
        """Whether the money is known and enough: whole numbers below 2^53, whose sums are exact or too large to matter."""
        names = [f"x{self.signals[name]}" for name in rule.looked_up]
        whole = [f"0.0 <= {x} and {x} < {_EXACT!r} and {x}.is_integer()" for x in names]
        spent, reserved, limit, charge = names
        known = " and ".join(self._share(each, f"True if {each} else False") for each in whole)
        out = f"{spent} + {reserved} + {charge}"
        if isinstance(rule, SpendRate):
            most = self._share(f"{float(rule.most_per_mille)!r} * {limit}")
            enough = f"(1000.0 * ({out}) <= {most} if {most} < {_EXACT!r} else rule{at}.left_micros(now) >= 0)"
        else:
            enough = f"{out} <= {limit}"
        return self._share(f"{known} and {enough}", f"True if {known} and {enough} else False")

    def _limits(self, rule: Interlock, side: str) -> tuple[str, str]:
        """Low and high; empty where there is none. Under a condition they are worked out only where it holds."""
        low, high = (
            "" if limit is None else self._linear(limit, side) if rule.when is None else f"({self._sum(limit, side)})"
            for limit in (rule.low, rule.high)
        )
        return low, high

    def _is_split(self, rule: Interlock) -> bool:
        """Whether target and step may have different limits, because setpoints decide about them."""
        return self.split and any(name in self.setpoints for name in _looked_up(rule))

    def _value(self, name: str, side: str) -> str:
        return f"x{self.signals[name]}" if name in self.signals else self._on(side, name)

    def _linear(self, linear: Linear, side: str) -> str:
        return self._share(self._sum(linear, side)) if linear.terms else repr(linear.constant)

    def _sum(self, linear: Linear, side: str) -> str:
        """The sum as the rules work it out."""
        text = repr(linear.constant)
        for name, coefficient in linear.terms:
            value = self._value(name, side)
            text += f" + {value}" if coefficient == 1.0 else f" + {coefficient!r} * {value}"
        return text

    def _compared(self, linear: Linear, side: str) -> str:
        """The same where the sign of a zero does not matter: without the zero it begins with."""
        text = self._sum(linear, side)
        return text.removeprefix("0.0 + ").replace(" + -1.0 * ", " - ") if linear.terms else text

    def _condition(self, condition: Condition, side: str) -> str:
        text = self._written(condition, side)
        if any(name in self.setpoints for name in _names_in(condition)):
            return text
        return self._share(text, f"True if {text} else False")

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


_WRITTEN = (Bound, Interlock, Relation, Slew, TrustRegion, Dwell, RateWindow, Permissive, Budget)
_OF_LAST = (Slew, Dwell, RateWindow, Permissive)


def _shape(written: Iterable[str]) -> str:
    """The text without its numbers. Like stands beside like: a processor guesses better what comes next."""
    return re.sub(r"[\d.]+", "", "".join(written))


def _refused(within: str) -> str:
    return f"if not ({within}): return False"


def _inside(low: str, high: str, a: str, b: str) -> list[str]:
    """The margin of [a, b] inside [low, high]; a limit may be empty."""
    if low and high:
        return [f"m = {a} - {low}", f"n = {high} - {b}", "if n < m: m = n"]
    return [f"m = {a} - {low}" if low else f"m = {high} - {b}" if high else "m = inf"]


def _branch(first: tuple[str, list[str]], other: tuple[str, list[str]]) -> list[str]:
    """`if`, then, and else; without a condition the first alone."""
    (when, then), (_, otherwise) = first, other
    if not when:
        return then
    lines = [f"if {when}:", *(f"    {line}" for line in then)]
    return [*lines, "else:", *(f"    {line}" for line in otherwise)] if otherwise else lines


def _tightest(rules: Iterable[CommandRule]) -> Iterator[tuple[int, CommandRule]]:
    """The rules, numbered, but of several trust regions of one setpoint only the tightest: it refuses what they refuse."""
    rules = list(rules)
    tightest: dict[str, float] = {}
    for rule in rules:
        if isinstance(rule, TrustRegion):
            tightest[rule.setpoint] = min(rule.distance, tightest.get(rule.setpoint, inf))
    for at, rule in enumerate(rules):
        if not isinstance(rule, TrustRegion):
            yield at, rule
        elif tightest.pop(rule.setpoint, inf) <= rule.distance:
            yield at, rule


def _is_odd(rule: CommandRule) -> bool:
    """Whether a rule has a number that is left to the rule itself: one that might overflow a sum, or a negative zero."""
    return any(not abs(number) <= _LARGEST_FACTOR or _is_negative_zero(number) for number in _numbers(rule))


def _is_negative_zero(number: float) -> bool:
    return number == 0.0 and copysign(1.0, number) < 0.0


def _numbers(rule: CommandRule) -> Iterator[float]:
    match rule:
        case Bound():
            yield from (rule.low, rule.high)
        case Interlock():
            for linear in (*(_linears(rule.when) if rule.when is not None else ()), rule.low, rule.high):
                yield from () if linear is None else (linear.constant, *(factor for _, factor in linear.terms))
        case Permissive():
            for linear in _linears(rule.require):
                yield from (linear.constant, *(factor for _, factor in linear.terms))
        case Relation():
            yield from (rule.limit.constant, *(factor for _, factor in (*rule.terms, *rule.limit.terms)))


def _looked_up(rule: CommandRule) -> Iterator[str]:
    """The signals and discrete setpoints that the kinds written out look up."""
    match rule:
        case Interlock():
            for linear in (rule.low, rule.high):
                yield from () if linear is None else (name for name, _ in linear.terms)
            yield from () if rule.when is None else _names_in(rule.when)
        case Permissive():
            yield from _names_in(rule.require)
        case Relation():
            yield from (name for name, _ in rule.limit.terms)
        case Budget():
            yield from rule.looked_up


def _names_in(condition: Condition) -> Iterator[str]:
    return (name for linear in _linears(condition) for name, _ in linear.terms)


def _linears(condition: Condition) -> Iterator[Linear]:
    match condition:
        case Comparison(left, _, right):
            yield from (left, right)
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from _linears(part)
        case Not(part):
            yield from _linears(part)
