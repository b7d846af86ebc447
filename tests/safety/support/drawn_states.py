"""Moments of a decision, drawn by the names of the prover's symbols: near what a plant runs through, and now and then far off.

Values are multiples of 1/64, so that floats and exact numbers can be held against each other.
"""

from collections.abc import Iterable, Mapping

import numpy as np

from safety.envelope import Envelope
from safety.proof.symbolic_state import RUNGS
from safety.rules.command_rules import Bound
from safety.rules.state_rules import Novelty, Recoverability, Trip
from safety.values import Rung, Tier

Drawn = dict[str, float | bool]
_MINUTES_US = 60_000_000


class Drawing:
    """Draws values for symbols of one envelope."""

    def __init__(self, envelope: Envelope, seed: int, usual: Mapping[str, float] | None = None) -> None:
        self.envelope = envelope
        self.usual = usual or {}
        self.draw = np.random.default_rng(seed)
        self.specs = {spec.name: spec for spec in envelope.setpoints}
        self.bounds = {
            rule.setpoint: (rule.low, rule.high)
            for rule in envelope.command_rules
            if isinstance(rule, Bound) and rule.tier is Tier.T1
        }
        self.money = {spec.name for spec in envelope.signals if spec.unit == "micros"}
        self.calm = {spec.name: (spec.low, spec.high) for spec in envelope.signals}
        for rule in envelope.state_rules:
            if isinstance(rule, Trip):
                self.calm[rule.signal] = (rule.low, rule.high)
            elif isinstance(rule, Novelty | Recoverability):
                self.calm[rule.signal] = (self.calm[rule.signal][0], rule.high)

    def moment(self, symbols: Iterable[str]) -> Drawn:
        """One value for each symbol. Half of the moments have nothing odd in them, and in a fifth of all nobody answers.

        Without those, holding would be rare where much is refused: whatever the sources propose, one is accepted first.
        """
        odd = 0.0 if self.draw.random() < 0.5 else 0.06
        silent = self.draw.random() < 0.2
        given: Drawn = {}
        for name in sorted(symbols, key=_order):
            given[name] = self._value(name, odd, given)
        return given | {name: False for name in given if silent and name.endswith(".answered")}

    def _value(self, name: str, odd: float, given: Drawn) -> float | bool:
        head, _, rest = name.partition(".")
        if head == "signal":
            return self._signal(rest, odd)
        if head == "state":
            return self._remembered(name, odd, given)
        setpoint = name.rpartition(".")[2]
        if setpoint in self.specs and head != "age_us":
            return self._setpoint(name, setpoint, odd, given)
        if head in _MOSTLY:
            return bool(self.draw.random() < (_MOSTLY[head] if odd else round(_MOSTLY[head])))
        if rest in _MOSTLY:
            return bool(self.draw.random() < (_MOSTLY[rest] if odd else round(_MOSTLY[rest])))
        return self._number(head, odd)

    def _number(self, head: str, odd: float) -> float:
        if head == "elapsed_us":
            return float(self.draw.choice([300, 300, 300, 30, 7200, -5] if odd else [300])) * 1e6
        if head in ("since_us", "held_us"):
            return float(self.draw.integers(0, 12 if odd else 2)) * _MINUTES_US
        if head == "age_us":
            stale = self.draw.random() < odd * 2
            return float(self.draw.integers(-1, 16) if stale else self.draw.integers(0, 2)) * _MINUTES_US
        if head == "failsafe":
            return (
                float(self.draw.integers(-1, len(self.envelope.failsafe) + 1)) if self.draw.random() < odd * 4 else -1.0
            )
        if head == "rung":
            return (
                float(RUNGS.index(Rung.HOLD))
                if self.draw.random() < odd * 4
                else float(self.draw.integers(-1, len(RUNGS)))
            )
        if head == "assigned":
            return float(self.draw.integers(0, 3))
        raise KeyError(head)

    def _signal(self, name: str, odd: float) -> float:
        low, high = self.calm[name]
        if self.draw.random() < odd * 3:
            spec = next(spec for spec in self.envelope.signals if spec.name == name)
            low, high = spec.low, spec.high
        elif name in self.usual:
            low, high = self.usual[name] * 0.8, self.usual[name] * 1.1
        value = self._grid(low, high)
        return float(round(value)) if name in self.money else value

    def _setpoint(self, name: str, setpoint: str, odd: float, given: Drawn) -> float:
        spec, (low, high) = self.specs[setpoint], self.bounds[setpoint]
        of = {"readback": "last", "applied": "last", "last": ""}.get(name.partition(".")[0], "last")
        before = given.get(f"{of}.{setpoint}")
        if spec.values is not None:
            stays = isinstance(before, float) and self.draw.random() < 0.7
            if self.draw.random() < odd / 2:
                return (spec.values[0] + spec.values[-1]) / 2 + 0.25  # in its range, and none of its values
            return float(before) if stays and before is not None else float(self.draw.choice(spec.values))
        if isinstance(before, float) and of == "last" and name.startswith(("readback", "applied")):
            return before if self.draw.random() > odd * 3 else self._grid(spec.low, spec.high)
        if self.draw.random() < odd:
            return self._grid(spec.low, spec.high) + (spec.high if self.draw.random() < 0.1 else 0.0)
        if isinstance(before, float) and self.draw.random() < 0.6:
            near = before + self._grid(-1.0, 1.0) * (high - low) / 8
            return float(np.round(min(max(near, low), high) * 64) / 64) if low < high else low
        return self._grid(low, high)

    def _remembered(self, name: str, odd: float, given: Drawn) -> float:
        last = name.rpartition(".")[2]
        if last.startswith(("start", "age")):
            before = (
                float(given.get(name[:-1] + str(int(name[-1]) - 1), 0.0))
                if last.startswith("start") and name[-1] != "0"
                else 0.0
            )
            return before + float(self.draw.integers(0, 200)) * _MINUTES_US
        if last in ("raise", "lowering"):
            return float(self.draw.integers(0, 40)) * _MINUTES_US
        if last == "seen":
            return float(self.draw.integers(0, 2))
        if last == "beat":
            return self._grid(0, 4)
        if last in ("outside", "disagreeing", "silent"):
            return float(self.draw.integers(0, 12)) * _MINUTES_US if self.draw.random() < odd * 2 else 0.0
        return self._grid(0.0, 4.0)

    def _grid(self, low: float, high: float) -> float:
        return float(np.floor(self.draw.uniform(low, high) * 64) / 64) if low < high else low


_MOSTLY = {
    "present": 0.9, "answered": 0.93, "known": 0.97, "remembers_last": 0.93, "has_readback": 0.9, "has_applied": 0.93,
    "local_authority": 0.12, "without": 0.05, "latch": 0.03, "latch_of_an_operator": 0.05,
}  # fmt: skip


def _order(name: str) -> tuple[int, str]:
    """Last commands first, for the others are drawn near them."""
    return (0 if name.startswith("last.") else 1, name)
