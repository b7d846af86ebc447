"""`when` conditions: comparisons of linear terms over signals and discrete setpoints, with three answers.

An unknown signal gives UNKNOWN, and UNKNOWN is not absorbed: `a || b` with `a` unknown is UNKNOWN even if `b` is true,
because a missing sensor must never decide. What UNKNOWN means is the rule's business (it counts as active).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite

from safety.values import Quality, Signal

_GOOD = Quality.GOOD


@dataclass(frozen=True, slots=True)
class Names:
    """What a condition may look up: signals with their quality, and the setpoints under judgement."""

    signals: Mapping[str, Signal]
    setpoints: Mapping[str, float]

    def value(self, name: str) -> float | None:
        """The value of `name`, or None where it is unknown: absent, not good, or not finite."""
        if name in self.setpoints:
            value = self.setpoints[name]
            return value if isfinite(value) else None
        signal = self.signals.get(name)
        if signal is None or signal.quality is not _GOOD:
            return None
        value = signal.value
        return value if isfinite(value) else None


@dataclass(frozen=True, slots=True)
class Linear:
    """`constant + sum(coefficient * name)`, evaluated from left to right."""

    terms: tuple[tuple[str, float], ...]
    constant: float = 0.0

    def value(self, names: Names) -> float | None:
        """The sum, or None if any name in it is unknown or the sum is not finite."""
        total = self.constant
        if not self.terms:
            return total
        for name, coefficient in self.terms:
            value = names.value(name)
            if value is None:
                return None
            total += coefficient * value
        return total if isfinite(total) else None


@dataclass(frozen=True, slots=True)
class Comparison:
    """`left op right` with op one of `<= < >= > == !=`."""

    left: Linear
    op: str
    right: Linear

    def holds(self, names: Names) -> bool | None:
        left, right = self.left.value(names), self.right.value(names)
        if left is None or right is None:
            return None
        return _COMPARE[self.op](left, right)


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every part holds."""

    parts: "tuple[Condition, ...]"

    def holds(self, names: Names) -> bool | None:
        answers = [part.holds(names) for part in self.parts]
        return None if None in answers else all(answers)


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one part holds."""

    parts: "tuple[Condition, ...]"

    def holds(self, names: Names) -> bool | None:
        answers = [part.holds(names) for part in self.parts]
        return None if None in answers else any(answers)


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: "Condition"

    def holds(self, names: Names) -> bool | None:
        answer = self.part.holds(names)
        return None if answer is None else not answer


Condition = Comparison | AllOf | AnyOf | Not

_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "<=": lambda a, b: a <= b,
    "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b,
    ">": lambda a, b: a > b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}
