"""The rules of a rung written out as straight-line Python: the text that `safety.forms.compiled` compiles.

It is the arithmetic of the rules themselves, with what need not be done left out:

* A limit that only signals decide is the same for target and step, and rounding keeps the order of numbers. So the
  smaller of two margins is the margin of the smaller (or larger) of two values, to the bit, and one is worked out.
  (Where the target is on one limit and the step on the other, and one of them is -0.0, the sign of the zero may differ.)
* `x - low >= 0` says the same as `low <= x`: where no margin is required, no difference is taken.
* What is used once stands where it is used; what is used more often is worked out once.
* Like stands beside like: a processor guesses better what comes next.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from math import hypot, inf
from operator import itemgetter

from safety.forms.phrases import INFINITE, Phrases, is_odd
from safety.ramp import Named
from safety.rules.base import CommandRule
from safety.rules.command_rules import Bound, Dwell, Interlock, Permissive, RateWindow, Relation, Slew, TrustRegion
from safety.rules.money_rules import Budget
from safety.values import Quality

# Numbers of this size and above go the plain way, where every sum is looked at: below it none can overflow.
_LARGEST = 1e150
_ROUNDING = 2.0**-48
# CPython builds longer argument lists one by one.
_ARGUMENTS = 28
_WHOLE = {"t": "target", "s": "step"}
_WRITTEN = (Bound, Interlock, Relation, Slew, TrustRegion, Dwell, RateWindow, Permissive, Budget)
_OF_LAST = (Slew, Dwell, RateWindow, Permissive)


class Writer:
    """Writes one function over a set of rules; `scope` is what it needs around it."""

    def __init__(self, phrases: Phrases) -> None:
        self.say = phrases
        self.rules = phrases.rules
        self.scope: dict[str, object] = {"hypot": hypot, "GOOD": Quality.GOOD}
        self.scope |= {f"rule{at}": rule for at, rule in enumerate(self.rules)}

    def margins(self) -> str:
        """(target, step, now) -> (the smaller margin of both by rule id, whether all are >= 0), or None."""
        self.scope["unknown"] = dict.fromkeys((rule.id for rule in self.rules), inf)
        alike: dict[tuple[str, ...], list[str]] = {}
        for at, rule in enumerate(self.rules):
            alike.setdefault(tuple(self._margin(at, rule)), []).append(rule.id)
        lines = ["margins, well = unknown.copy(), True"]
        for written in sorted(alike, key=_shape):
            kept = "".join(f"margins[{name!r}] = " for name in alike[written])
            lines += [*written, f"{kept}m", "if not m >= 0.0: well = False"]
        setpoints = [f"{side}{at}" for at in self.say.setpoints.values() for side in self.say.sides]
        return self._function([*self._head(), *finite([*setpoints, *self._measured()])], lines, "margins, well")

    def accepts(self) -> str:
        """(target, step, now) -> whether every margin is >= 0, or None."""
        say, lines = self.say, []
        bounds = [rule for rule in self.rules if isinstance(rule, Bound)]
        demands: dict[str, set[str]] = {}
        for at, rule in _tightest(self.rules):
            if isinstance(rule, Bound):
                continue
            if is_odd(rule) or not isinstance(rule, _WRITTEN):
                lines += [*self._by_rule(at, rule), _refused("m >= 0.0")]
                continue
            for frame, demand in self._demands(at, rule):
                demands.setdefault(frame, set()).add(demand)
        whole = (frame.replace("...", " and ".join(sorted(demands[frame], key=_shape))) for frame in demands)
        lines += map(_refused, sorted(whole, key=_shape))
        bounded = {rule.setpoint for rule in bounds}  # and therefore finite
        free = [say.on(side, name) for name in say.setpoints if name not in bounded for side in say.sides]
        head = [*self._head(), *finite([*free, *self._measured()])]
        return self._function(head, [*map(self._bounded, bounds), *lines], "True")

    def _function(self, head: Iterable[str], lines: Iterable[str], answer: str) -> str:
        body = self.say.settled("\n".join([*lines, f"return {answer}"]))
        text = "\n".join([*head, body]).replace("\n", "\n    ")
        return f"def compiled(target, step, now):\n    {text}\n"

    # -- what goes in: taken out of its mappings once, with None where something is not there -------------------------

    def _head(self) -> list[str]:
        say = self.say
        lines = [self._taken(side, _WHOLE[side], say.setpoints) for side in say.sides]
        if say.domain:
            lines.append(f"if not ({' and '.join(map(self._fits, say.domain))}): return None")
        if say.deciding and len(say.sides) > 1 and not say.split:
            same = " and ".join(f"{say.on('t', name)} == {say.on('s', name)}" for name in say.deciding)
            lines.append(f"if not ({same}): return split(target, step, now)")
        for letter, field, kinds in (("l", "last", _OF_LAST), ("r", "reference", (TrustRegion,))):
            wanted = {name for rule in self.rules if isinstance(rule, kinds) for name in rule.setpoints}
            if wanted:
                lines += [f"{field} = now.{field}", f"if {field} is None: return None"]
                lines.append(self._taken(letter, field, {name: say.setpoints[name] for name in sorted(wanted)}))
        if any(isinstance(rule, Slew) for rule in self.rules):
            lines += ["dt_s = now.dt_s", "if not dt_s >= 0.0: return None"]
        return lines + self._known()

    def _fits(self, spec: Named) -> str:
        """Whether T0 permits the step of a setpoint."""
        step = self.say.on(self.say.step, spec.name)
        if spec.values is None:
            return f"{spec.low!r} <= {step} <= {spec.high!r}"
        self.scope[f"values{step}"] = frozenset(spec.values)
        return f"{step} in values{step}"

    def _known(self) -> list[str]:
        """Windows and signals, all of them there and good."""
        windows = {rule.id: at for at, rule in enumerate(self.rules) if isinstance(rule, RateWindow)}
        taken = [self._taken("w", "now.states", windows)] if windows else []
        taken += [self._taken("x", "now.signals", self.say.signals)] if self.say.signals else []
        if not taken:
            return []
        lines = ["try:", *(f"    {line}" for line in taken), "except KeyError: return None"]
        if not self.say.signals:
            return lines
        good = " and ".join(f"{x}.quality is good" for x in self._measured())
        values = [f"{x} = {x}.value" for x in self._measured()]
        return [*lines, "good = GOOD", f"if not ({good}): return None", *values]

    def _taken(self, letter: str, mapping: str, numbers: Mapping[str, int]) -> str:
        if not numbers:
            return "pass"
        self.scope[f"{letter}_of"] = itemgetter(*numbers)
        return f"{', '.join(f'{letter}{at}' for at in numbers.values())} = {letter}_of({mapping})"

    def _measured(self) -> list[str]:
        return [f"x{at}" for at in self.say.signals.values()]

    # -- margins --------------------------------------------------------------------------------------------------

    def _margin(self, at: int, rule: CommandRule) -> list[str]:
        """The lines that leave the smaller margin of target and step in `m`; of the step alone for a `step_only` rule."""
        say = self.say
        if is_odd(rule):
            return self._by_rule(at, rule)
        match rule:
            case Bound():
                return _inside((repr(rule.low), repr(rule.high)), say.ends(rule.setpoint))
            case Interlock():
                return self._interlock(rule)
            case Relation():
                return _smallest(self._relation(rule, side) for side in say.sides)
            case Slew():
                up, down = say.reach(rule.up_per_s), say.reach(rule.down_per_s)
                return [f"d = {say.moved(rule.setpoint)}", f"m = {up} - d if d >= 0.0 else {down} + d"]
            case TrustRegion():
                return [f"m = {rule.distance!r} - {say.away(rule)}"]
            case Dwell():
                return [f"m = {INFINITE} if {say.stays(rule.setpoint)} else rule{at}.margin(step, now)"]
            case RateWindow():
                moved, left = f"d = abs({say.moved(rule.setpoint)})", f"m = {say.left(at, rule)}"
                return [moved, left, f"m = {INFINITE} if d == 0.0 else (m if m > 0.0 else 0.0) - d"]
            case Permissive():
                holds = say.condition(rule.require, say.step)
                return [f"m = {INFINITE} if {self._not_raised(rule)} else 0.0 if {holds} else -1.0"]
            case Budget():
                _, most = say.ends(rule.setpoint)
                return [f"m = {INFINITE} if {say.affordable(at, rule)} else {rule.idle!r} - {most}"]
            case _:
                return self._by_rule(at, rule)

    def _by_rule(self, at: int, rule: CommandRule) -> list[str]:
        """The rule itself, for a kind or a number that is not written out. It may answer NaN."""
        lines = [f"m = rule{at}.margin({'step' if rule.step_only else 'target'}, now)"]
        if not rule.step_only and self.say.step == "s":
            lines += [f"n = rule{at}.margin(step, now)", "if n < m or n != n: m = n"]
        return lines

    def _interlock(self, rule: Interlock) -> list[str]:
        say = self.say
        if not say.is_split(rule):
            inside = _inside(say.limits(rule, "t"), say.ends(rule.setpoint))
            return inside if rule.when is None else _if(say.condition(rule.when, "t"), inside)
        lines = [f"u = {INFINITE}"]
        for side in say.sides:
            value = say.on(side, rule.setpoint)
            inside = _inside(say.limits(rule, side), (value, value))
            lines += inside if rule.when is None else _if(say.condition(rule.when, side), inside)
            lines.append("if m < u: u = m")
        return [*lines, "m = u"]

    def _relation(self, rule: Relation, side: str) -> str:
        limit = self.say.linear(rule.limit, side)
        parts = [self.say.part(coefficient, self.say.on(side, name)) for name, coefficient in rule.terms]
        size = " + ".join(self.say.share(f"abs({part})") for part in (limit, *parts))
        return f"{limit} - ({' + '.join(parts)}) + {_ROUNDING!r} * ({size})"

    def _not_raised(self, rule: Permissive) -> str:
        return f"{self.say.on(self.say.step, rule.setpoint)} <= {self.say.on('l', rule.setpoint)}"

    # -- demands --------------------------------------------------------------------------------------------------

    def _demands(self, at: int, rule: CommandRule) -> Iterator[tuple[str, str]]:
        """The condition for the margin to be >= 0, and the frame it stands in. Rules of one frame are asked together: what
        lets off one of them lets off all."""
        say = self.say
        match rule:
            case Interlock():
                for side in say.sides if say.is_split(rule) else "t":
                    unless = "" if rule.when is None else f"not {say.condition(rule.when, side)} or "
                    yield f"{unless}(...)", self._interlocked(rule, side)
            case Relation():
                yield "...", self._related(at, rule)
            case Slew():
                yield "...", say.within_reach(rule)
            case TrustRegion():
                yield "...", f"{say.away(rule)} <= {rule.distance!r}"
            case Dwell():
                yield "...", f"({say.stays(rule.setpoint)} or rule{at}.margin(step, now) >= 0.0)"
            case RateWindow():
                moved = say.moved(rule.setpoint)
                yield f"{moved} == 0.0 or ...", f"abs({moved}) <= {say.left(at, rule)}"
            case Permissive():
                yield f"{self._not_raised(rule)} or ...", say.condition(rule.require, say.step)
            case Budget():
                yield f"... or {say.affordable(at, rule)}", f"{say.ends(rule.setpoint)[1]} <= {rule.idle!r}"

    def _bounded(self, rule: Bound) -> str:
        a, b = self.say.ends(rule.setpoint)
        return _refused(f"{rule.low!r} <= {a} and {b} <= {rule.high!r}")

    def _interlocked(self, rule: Interlock, side: str) -> str:
        own = self.say.on(side, rule.setpoint)
        a, b = (own, own) if self.say.is_split(rule) else self.say.ends(rule.setpoint)
        low, high = self.say.limits(rule, side)
        return " and ".join([*([f"{low} <= {a}"] if low else []), *([f"{b} <= {high}"] if high else [])]) or "True"

    def _related(self, at: int, rule: Relation) -> str:
        """A sum of the ends that make it largest says enough if it is within the limit; if not, the rule is asked."""
        say = self.say
        by_rule = " and ".join(f"rule{at}.margin({_WHOLE[side]}, now) >= 0.0" for side in say.sides)
        if say.is_split(rule):
            return by_rule
        ends = [say.ends(name)[coefficient > 0.0] for name, coefficient in rule.terms]
        parts = [say.part(coefficient, end) for (_, coefficient), end in zip(rule.terms, ends, strict=True)]
        return f"({' + '.join(parts)} <= {say.linear(rule.limit, 't')} or ({by_rule}))"


def finite(names: list[str]) -> list[str]:
    """None where a number is not finite, or so large that a sum of such numbers might not be."""
    parts = [", ".join(names[at : at + _ARGUMENTS]) for at in range(0, len(names), _ARGUMENTS)]
    return [f"if not {' + '.join(f'hypot({part})' for part in parts)} < {_LARGEST!r}: return None"] if parts else []


def _refused(within: str) -> str:
    return f"if not ({within}): return False"


def _inside(limits: tuple[str, str], ends: tuple[str, str]) -> list[str]:
    """The margin of values between `ends` inside limits, of which either may be empty."""
    (low, high), (a, b) = limits, ends
    if low and high:
        return [f"m = {a} - {low}", f"n = {high} - {b}", "if n < m: m = n"]
    return [f"m = {a} - {low}" if low else f"m = {high} - {b}" if high else f"m = {INFINITE}"]


def _smallest(margins: Iterable[str]) -> list[str]:
    """The smallest of some margins, none of them NaN."""
    first, *others = margins
    return [f"m = {first}", *(line for other in others for line in (f"n = {other}", "if n < m: m = n"))]


def _if(when: str, lines: list[str]) -> list[str]:
    """The lines where a condition holds; where it does not, no margin is too small."""
    return [f"if {when}:", *(f"    {line}" for line in lines), f"else: m = {INFINITE}"]


def _tightest(rules: Iterable[CommandRule]) -> Iterator[tuple[int, CommandRule]]:
    """The rules, numbered, but of several trust regions of one setpoint only the tightest: it refuses what they refuse."""
    numbered = list(enumerate(rules))
    tightest: dict[str, float] = {}
    for _, rule in numbered:
        if isinstance(rule, TrustRegion):
            tightest[rule.setpoint] = min(rule.distance, tightest.get(rule.setpoint, inf))
    for at, rule in numbered:
        if not isinstance(rule, TrustRegion) or rule.distance <= tightest[rule.setpoint]:
            yield at, rule


def _shape(written: Iterable[str]) -> tuple[str, str]:
    """To sort by: the text without its numbers, then the text."""
    text = "".join(written)
    return re.sub(r"[\d.]+", "", text), text
