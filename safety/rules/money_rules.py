"""The kinds that keep money: budget and spend_rate, over integers that the ledger reports, compared exactly.

Money is integer micros. A signal carries it as a float, which holds every integer below 2^53 exactly; what is not such
an integer is unknown. Unknown money is spent money: then only `idle`, the value that spends nothing, is permitted.
"""

from dataclasses import dataclass
from math import inf

from safety.rules.base import CommandRule, Situation
from safety.rules.conditions import Names
from safety.values import Setpoints

_EXACT = 2.0**53


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget(CommandRule):
    """While `spent + reserved + max_charge <= limit` a setpoint is free; otherwise it is at most `idle`.

    `max_charge` is the most that can be charged before the next decision. All four name signals in micros.
    """

    setpoint: str
    spent: str
    reserved: str
    limit: str
    max_charge: str
    idle: float = 0.0

    @property
    def setpoints(self) -> tuple[str, ...]:
        return (self.setpoint,)

    @property
    def looked_up(self) -> tuple[str, ...]:
        return (self.spent, self.reserved, self.limit, self.max_charge)

    def left_micros(self, now: Situation) -> int | None:
        """The money left once everything outstanding is charged; None where any of it is unknown."""
        parts = _whole(self.looked_up, now)
        if parts is None:
            return None
        spent, reserved, limit, charge = parts
        return limit - spent - reserved - charge

    def box(self, proposed: Setpoints, now: Situation) -> tuple[float, float]:
        left = self.left_micros(now)
        return (-inf, inf) if left is not None and left >= 0 else (-inf, self.idle)

    def margin(self, proposed: Setpoints, now: Situation) -> float:
        return self.box(proposed, now)[1] - proposed[self.setpoint]

    def explain(self, proposed: Setpoints, now: Situation) -> str:
        left = self.left_micros(now)
        why = "what is spent is not known" if left is None else f"the budget could be overspent by {-left} micros"
        return f"`{self.setpoint}` {proposed[self.setpoint]:.6g} {self.unit}: {why}; {self.idle:g} spends nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendRate(Budget):
    """As `budget`, over a sliding window: `spent + reserved + max_charge <= limit * most_per_mille / 1000`.

    `limit` names the signal of what the plan spends in the window. The comparison is in exact integers.
    """

    most_per_mille: int

    def left_micros(self, now: Situation) -> int | None:
        parts = _whole(self.looked_up, now)
        if parts is None:
            return None
        spent, reserved, plan, charge = parts
        return (plan * self.most_per_mille - 1000 * (spent + reserved + charge)) // 1000


def _whole(names: tuple[str, ...], now: Situation) -> tuple[int, ...] | None:
    """The signals as integers >= 0, or None where one is unknown, broken, negative, or too large to be exact."""
    known = Names(now.signals, {})
    whole = []
    for name in names:
        value = known.value(name)
        if value is None or not 0 <= value < _EXACT or value != int(value):
            return None
        whole.append(int(value))
    return tuple(whole)
