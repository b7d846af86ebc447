"""`when` conditions as text: a small, linear part of the look of CEL, parsed to `safety.rules.conditions`.

    when  = or ;  or = and { "||" and } ;  and = not { "&&" not } ;  not = [ "!" ] ( "(" or ")" | compare )
    compare = sum ( "<=" | "<" | ">=" | ">" | "==" | "!=" ) sum
    sum = [ "-" ] term { ( "+" | "-" ) term } ;  term = number [ "*" name ] | name [ "*" number ]

Names are signals and discrete setpoints. Nothing else exists: no calls, no strings, no products of names.
"""

import re
from collections.abc import Callable
from decimal import Decimal
from math import isfinite
from typing import Any, TypeVar

from safety.loading.messages import WhenError
from safety.rules.conditions import AllOf, AnyOf, Comparison, Condition, Linear, Not

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.\d*|\.\d+|\d+)(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_]\w*)|(?P<op>\|\||&&|<=|>=|==|!=|[<>!()+*-]))",
    re.ASCII,
)
_COMPARATORS = ("<=", "<", ">=", ">", "==", "!=")
_DEEPEST = 40
_LONGEST = 1000


Parsed = TypeVar("Parsed")


def parse_when(text: str) -> Condition:
    """The condition of a text. Raises WhenError."""
    return _Parser(text).whole(_Parser.disjunction)


def parse_linear(text: str) -> Linear:
    """A linear term over signals, as `room_dew_point_c + 1.0`. Raises WhenError."""
    return _Parser(text).whole(_Parser.sum)


def exact(text: str) -> float:
    """The number of a text. Raises WhenError where a float cannot hold it, for then the limit would not be the one written."""
    digits = text.replace("_", "")
    value = float(digits)
    if not isfinite(value):
        raise WhenError("number-not-finite", given=text)
    if Decimal(digits) != Decimal(repr(value)):
        raise WhenError("number-not-exact", given=text, nearest=value)
    return value


def names_in(condition: Condition) -> frozenset[str]:
    """Every name a condition looks up."""
    match condition:
        case Comparison(left, _, right):
            return frozenset(name for name, _ in (*left.terms, *right.terms))
        case AllOf(parts) | AnyOf(parts):
            return frozenset().union(*(names_in(part) for part in parts))
        case Not(part):
            return names_in(part)


class _Parser:
    """Recursive descent, one method per line of the grammar."""

    def __init__(self, text: str) -> None:
        if len(text) > _LONGEST:
            raise WhenError("condition-too-long", given=len(text), most=_LONGEST)
        self.text = text
        self.tokens = self._tokens(text)
        self.at = 0
        self.depth = 0

    @staticmethod
    def _tokens(text: str) -> list[tuple[str, str]]:
        tokens, at = [], 0
        while text[at:].strip():
            match = _TOKEN.match(text, at)
            if match is None or match.lastgroup is None:
                raise WhenError("condition-unknown-text", text=text, given=text[at:].strip()[:20])
            tokens.append((match.lastgroup, match.group(match.lastgroup)))
            at = match.end()
        return tokens

    def whole(self, rule: "Callable[[_Parser], Parsed]") -> "Parsed":
        """Apply a rule and require that nothing is left over."""
        parsed = rule(self)
        if self.at != len(self.tokens):
            raise self._error("condition-left-over", given=self.tokens[self.at][1])
        return parsed

    def disjunction(self) -> Condition:
        parts = [self.conjunction()]
        while self._take("||"):
            parts.append(self.conjunction())
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def conjunction(self) -> Condition:
        parts = [self.negation()]
        while self._take("&&"):
            parts.append(self.negation())
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def negation(self) -> Condition:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise WhenError("condition-too-deep", most=_DEEPEST)
        if self._take("!"):
            inner: Condition = Not(self.negation())
        elif self._take("("):
            inner = self.disjunction()
            self._expect(")")
        else:
            inner = self.comparison()
        self.depth -= 1
        return inner

    def comparison(self) -> Condition:
        left = self.sum()
        for op in _COMPARATORS:
            if self._take(op):
                return Comparison(left, op, self.sum())
        raise self._error("condition-without-comparison", valid=_COMPARATORS)

    def sum(self) -> Linear:
        terms: list[tuple[str, float]] = []
        constant = 0.0
        sign = -1.0 if self._take("-") else 1.0
        while True:
            name, coefficient = self.term()
            if name:
                terms.append((name, sign * coefficient))
            else:
                constant += sign * coefficient
            if self._take("+"):
                sign = 1.0
            elif self._take("-"):
                sign = -1.0
            else:
                return Linear(tuple(terms), constant)

    def term(self) -> tuple[str, float]:
        """(name, coefficient), or ("", constant)."""
        kind, text = self._next()
        if kind == "number":
            value = exact(text)
            return (self._name(), value) if self._take("*") else ("", value)
        if kind == "name":
            return (text, self._number()) if self._take("*") else (text, 1.0)
        raise self._error("condition-without-operand", given=text)

    def _next(self) -> tuple[str, str]:
        if self.at >= len(self.tokens):
            raise self._error("condition-ends-too-early")
        self.at += 1
        return self.tokens[self.at - 1]

    def _error(self, message_id: str, **values: Any) -> WhenError:
        return WhenError(message_id, text=self.text, **values)

    def _take(self, op: str) -> bool:
        if self.at < len(self.tokens) and self.tokens[self.at] == ("op", op):
            self.at += 1
            return True
        return False

    def _expect(self, op: str) -> None:
        if not self._take(op):
            raise self._error("condition-unclosed", expected=op)

    def _name(self) -> str:
        kind, text = self._next()
        if kind != "name":
            raise self._error("condition-number-times-number", given=text)
        return text

    def _number(self) -> float:
        kind, text = self._next()
        if kind != "number":
            raise self._error("condition-not-linear", given=text)
        return exact(text)
