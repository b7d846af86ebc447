"""The rules of a rung as one straight-line function, for the usual case: every signal known, a command in force.

Rule by rule (`decide.judge_rule`) is the meaning; this is the same arithmetic written out, and a differential test ties
the two together bit by bit. Whatever is not usual (an unknown signal, no last command, no reference, an error) is
answered with None, and then the meaning is asked.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from math import inf

from safety.command_rules import Bound, Dwell, Interlock, Permissive, RateWindow, Relation, Slew, TrustRegion
from safety.conditions import AllOf, AnyOf, Comparison, Condition, Linear, Not
from safety.money_rules import Budget, SpendRate
from safety.rules import CommandRule, Situation
from safety.values import Quality, Setpoints

Margins = Callable[[Setpoints, Setpoints, Situation], tuple[dict[str, float], bool] | None]
Accepts = Callable[[Setpoints, Setpoints, Situation], bool | None]

# Numbers of this size and above go the plain way, where every sum is looked at: below it none can overflow.
_LARGEST_SQUARE = 1e300


class Compiled:
    """The functions of one set of rules, made when first asked for. Pickles as its rules."""

    __slots__ = ("_made", "rules")

    def __init__(self, rules: tuple[CommandRule, ...]) -> None:
        self.rules = rules
        self._made: dict[str, Callable[..., object]] = {}

    def __reduce__(self) -> tuple[object, ...]:
        return Compiled, (self.rules,)

    @property
    def margins(self) -> Margins:
        """(target, step, now) -> (the smaller margin of both by rule id, whether all accept); None: go the plain way."""
        return self._get("margins", _margins)  # type: ignore[return-value]

    @property
    def arrived(self) -> Margins:
        """The same where target and step are one."""
        return self._get("arrived", partial(_margins, arrived=True))  # type: ignore[return-value]

    @property
    def accepts(self) -> Accepts:
        """(target, step, now) -> whether no rule refuses; None where the plain way must be gone."""
        return self._get("accepts", _accepts)  # type: ignore[return-value]

    def source(self) -> str:
        """The text of `margins`, to be read."""
        return _margins(_Writer(self.rules))

    def _get(self, name: str, write: "Callable[[_Writer], str]") -> Callable[..., object]:
        if name not in self._made:
            writer = _Writer(self.rules)
            scope: dict[str, object] = {"inf": inf, "GOOD": Quality.GOOD, **writer.asked()}
            exec(compile(write(writer), "<compiled envelope>", "exec"), scope)  # our own text, written from typed rules
            self._made[name] = scope["compiled"]  # type: ignore[assignment]
        return self._made[name]


def _margins(w: "_Writer", *, arrived: bool = False) -> str:
    lines: list[str] = []
    for at, rule in enumerate(w.rules):
        if rule.step_only:
            lines += w.margin(f"m{at}", at, rule, "s")
        elif arrived:
            lines += w.margin(f"m{at}", at, rule, "t")
        else:
            lines += [*w.margin("u", at, rule, "t"), *w.margin("v", at, rule, "s")]
            lines.append(f"m{at} = v if v < u or v != v else u")
    pairs = ", ".join(f"{rule.id!r}: m{at}" for at, rule in enumerate(w.rules))
    well = " and ".join(["True", *(f"m{at} >= 0.0" for at in range(len(w.rules)))])
    return w.function([*lines, f"return {{{pairs}}}, {well}"])


def _accepts(w: "_Writer") -> str:
    lines: list[str] = []
    for at, rule in enumerate(w.rules):
        for side in ("s",) if rule.step_only else ("t", "s"):
            lines += w.refusal(at, rule, side)
    return w.function([*lines, "return True"])


class _Writer:
    """Writes rules as Python. Names: `t` target, `s` step, `l` last, `r` reference, `x` signals; numbered, not named."""

    def __init__(self, rules: tuple[CommandRule, ...]) -> None:
        self.rules = rules
        self.keyed: dict[str, str] = {}
        self.once: dict[str, str] = {}
        """What only signals decide, by its text: worked out once, and named."""
        self.names = {name: at for at, name in enumerate(sorted({name for rule in rules for name in rule.setpoints}))}
        self.last = self._wanted(Slew, Dwell, RateWindow, Permissive)
        self.reference = self._wanted(TrustRegion)
        looked_up = {name for rule in rules for name in _names(rule)}
        self.signals = {name: at for at, name in enumerate(sorted(looked_up - self.names.keys()))}

    def _wanted(self, *kinds: type[CommandRule]) -> list[str]:
        return sorted({name for rule in self.rules if isinstance(rule, kinds) for name in rule.setpoints})

    def asked(self) -> Mapping[str, object]:
        """The rules themselves, for those kinds that are asked rather than written out."""
        return {f"rule{at}": rule for at, rule in enumerate(self.rules)}

    def function(self, lines: Iterable[str]) -> str:
        whole = [*self.head(), *(f"{name} = {text}" for text, name in self.once.items()), *lines]
        return "def compiled(target, step, now):\n" + "".join(f"    {line}\n" for line in whole)

    def head(self) -> list[str]:
        lines = [f"t{at} = target[{name!r}]; s{at} = step[{name!r}]" for name, at in self.names.items()]
        squares = [f"{side}{at} * {side}{at}" for at in self.names.values() for side in "ts"]
        lines.append(f"if not {' + '.join(squares) or '0.0'} < {_LARGEST_SQUARE!r}: return None")
        if self.last:
            lines += ["last = now.last", "if last is None: return None"]
            lines += [f"l{self.names[name]} = last[{name!r}]" for name in self.last]
        if self.reference:
            lines += ["reference = now.reference", "if reference is None: return None"]
            lines += [f"r{self.names[name]} = reference[{name!r}]" for name in self.reference]
        if any(isinstance(rule, Slew) for rule in self.rules):
            lines.append("dt_s = now.dt_s")
        return lines + self._unpacked()

    def _unpacked(self) -> list[str]:
        if not self.signals:
            return []
        lines = ["get = now.signals.get"]
        for name, at in self.signals.items():
            lines += [f"x = get({name!r})", "if x is None or x.quality is not GOOD: return None", f"x{at} = x.value"]
        squares = " + ".join(f"x{at} * x{at}" for at in self.signals.values())
        return [*lines, f"if not {squares} < {_LARGEST_SQUARE!r}: return None"]

    def setpoint(self, side: str, name: str) -> str:
        return f"{side}{self.names[name]}"

    def margin(self, to: str, at: int, rule: CommandRule, side: str) -> list[str]:
        """The lines that leave the rule's margin on one side in the variable `to`."""
        match rule:
            case Bound():
                return self._between(to, side, rule.setpoint, repr(rule.low), repr(rule.high))
            case Interlock():
                return self._interlock(to, rule, side)
            case Relation():
                return self._relation(to, rule, side)
            case Slew():
                return self._slew(to, rule, side)
            case TrustRegion():
                s, r = self.setpoint(side, rule.setpoint), self.setpoint("r", rule.setpoint)
                return [f"{to} = {rule.distance!r} - abs({s} - {r})"]
            case Dwell():
                s, last = self.setpoint(side, rule.setpoint), self.setpoint("l", rule.setpoint)
                return [f"{to} = inf if {s} == {last} else rule{at}.margin({_WHOLE[side]}, now)"]
            case RateWindow():
                s, last = self.setpoint(side, rule.setpoint), self.setpoint("l", rule.setpoint)
                left = f"{rule.most!r} - sum(now.states.get({rule.id!r}, ())[1::2])"
                return [f"d = abs({s} - {last}); a = {left}", f"{to} = inf if d == 0 else (a if a > 0.0 else 0.0) - d"]
            case Permissive():
                s, last = self.setpoint(side, rule.setpoint), self.setpoint("l", rule.setpoint)
                holds = self._condition(rule.require, side)
                return [f"{to} = inf if {s} <= {last} else 0.0 if {holds} else -1.0"]
            case Budget():
                return self._budget(to, at, rule, side)
            case _:
                return [f"{to} = rule{at}.margin({_WHOLE[side]}, now)"]

    def refusal(self, at: int, rule: CommandRule, side: str) -> list[str]:
        """The lines that return False where the margin would not be >= 0: differences left out where signs suffice."""
        match rule:
            case Bound():
                within = f"{rule.low!r} <= {self.setpoint(side, rule.setpoint)} <= {rule.high!r}"
                return [f"if not {within}: return False"]
            case Interlock():
                low = "-inf <" if rule.low is None else f"{self._linear(rule.low, side)} <="
                high = "< inf" if rule.high is None else f"<= {self._linear(rule.high, side)}"
                within = f"{low} {self.setpoint(side, rule.setpoint)} {high}"
                when = "" if rule.when is None else f"{self._condition(rule.when, side)} and "
                return [f"if {when}not {within}: return False"]
            case _:
                return [*self.margin("u", at, rule, side), "if not u >= 0.0: return False"]

    def _between(self, to: str, side: str, name: str, low: str, high: str) -> list[str]:
        v = self.setpoint(side, name)
        return [f"a = {v} - {low}; b = {high} - {v}", f"{to} = b if b < a else a"]

    def _interlock(self, to: str, rule: Interlock, side: str) -> list[str]:
        low = "-inf" if rule.low is None else f"({self._linear(rule.low, side)})"
        high = "inf" if rule.high is None else f"({self._linear(rule.high, side)})"
        lines = self._between(to, side, rule.setpoint, low, high)
        if rule.when is None:
            return lines
        return [f"if {self._condition(rule.when, side)}: {'; '.join(lines)}", f"else: {to} = inf"]

    def _relation(self, to: str, rule: Relation, side: str) -> list[str]:
        parts = [f"{coefficient!r} * {self.setpoint(side, name)}" for name, coefficient in rule.terms]
        limit = self._linear(rule.limit, side)
        lines = [f"p{at} = {part}" for at, part in enumerate(parts)]
        total = " + ".join(["0.0", *(f"p{at}" for at in range(len(parts)))])
        size = " + ".join([f"abs({limit})", *(f"abs(p{at})" for at in range(len(parts)))])
        return ["; ".join(lines), f"{to} = {limit} - ({total}) + {2.0**-48!r} * ({size})"]

    def _slew(self, to: str, rule: Slew, side: str) -> list[str]:
        s, last = self.setpoint(side, rule.setpoint), self.setpoint("l", rule.setpoint)
        up = "inf" if rule.up_per_s == inf else f"{rule.up_per_s!r} * dt_s"
        down = "inf" if rule.down_per_s == inf else f"{rule.down_per_s!r} * dt_s"
        return [f"d = {s} - {last}", f"{to} = {up} - d if d >= 0 else {down} + d"]

    def _budget(self, to: str, at: int, rule: Budget, side: str) -> list[str]:
        left = self._once(f"rule{at}.left_micros(now)", key=f"left of {(type(rule), rule.looked_up, _factor(rule))}")
        high = self._once(f"inf if {left} is not None and {left} >= 0 else {rule.idle!r}")
        return [f"{to} = {high} - {self.setpoint(side, rule.setpoint)}"]

    def _once(self, text: str, *, key: str = "") -> str:
        """The name of a value that both sides share."""
        if key and key in self.keyed:
            return self.keyed[key]
        name = self.once.setdefault(text, f"q{len(self.once)}")
        if key:
            self.keyed[key] = name
        return name

    def _linear(self, linear: Linear, side: str) -> str:
        text = repr(linear.constant)
        for name, coefficient in linear.terms:
            value = self._value(name, side)
            text += f" + {value}" if coefficient == 1.0 else f" + {coefficient!r} * {value}"
        if not linear.terms:
            return f"({text})"
        return self._once(text) if all(name in self.signals for name, _ in linear.terms) else f"({text})"

    def _value(self, name: str, side: str) -> str:
        return f"x{self.signals[name]}" if name in self.signals else self.setpoint(side, name)

    def _condition(self, condition: Condition, side: str) -> str:
        text = self._written(condition, side)
        return self._once(text) if all(name in self.signals for name in _looked_up(condition)) else text

    def _written(self, condition: Condition, side: str) -> str:
        match condition:
            case Comparison(left, op, right):
                return f"({self._linear(left, side)} {op} {self._linear(right, side)})"
            case AllOf(parts):
                return "(" + " and ".join(self._written(part, side) for part in parts) + ")"
            case AnyOf(parts):
                return "(" + " or ".join(self._written(part, side) for part in parts) + ")"
            case Not(part):
                return f"(not {self._written(part, side)})"


def _factor(rule: Budget) -> int:
    return rule.most_per_mille if isinstance(rule, SpendRate) else 0


_WHOLE = {"t": "target", "s": "step"}


def _names(rule: CommandRule) -> Iterable[str]:
    """The signals and discrete setpoints looked up by the kinds that are written out."""
    if isinstance(rule, Interlock):
        for linear in (rule.low, rule.high):
            yield from () if linear is None else (name for name, _ in linear.terms)
        yield from () if rule.when is None else _looked_up(rule.when)
    elif isinstance(rule, Permissive):
        yield from _looked_up(rule.require)
    elif isinstance(rule, Relation):
        yield from (name for name, _ in rule.limit.terms)


def _looked_up(condition: Condition) -> Iterable[str]:
    match condition:
        case Comparison(left, _, right):
            yield from (name for name, _ in (*left.terms, *right.terms))
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from _looked_up(part)
        case Not(part):
            yield from _looked_up(part)
