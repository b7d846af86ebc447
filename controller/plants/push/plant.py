"""A plant that keeps its own loop: it sends what it sees and what its own controller wants, and gets the command to apply.

There is nothing to wait for and nothing to send: `observe` is the last question, `apply` remembers the answer. When we
do not answer in time the plant's own command stands, which is its incumbent.
"""

from collections.abc import Mapping
from dataclasses import replace
from math import isfinite, nan
from typing import Any

from controller.errors import SettingsError
from controller.plants.push.settings import PushedGuard, PushSettings
from controller.ports import Outcome, OutcomeSpec, Quantity
from controller.settings import Site
from safety.command_lease import Standing, in_force, taken
from safety.envelope import Envelope
from safety.values import Command, Observation, Proposal, Receipt, Setpoints, Source, Status

HOUR_US = 3_600_000_000


class Pushed:
    """Implements `ports.Plant` over questions. `ask` must be called before each tick."""

    def __init__(self, site: Site, settings: PushSettings, envelope: Envelope) -> None:
        self.settings = settings
        self.name = site.settings.plant.name
        self.simulated = site.settings.plant.simulated
        self.wanted: Proposal = Proposal(Source.INCUMBENT, {}, Status.ABSENT, "nothing was pushed yet")
        self._seen: Observation | None = None
        self._standing = Standing()
        self._reported_us: int | None = None
        self.outcome_spec = _outcome_spec(settings, {signal.name: signal.unit for signal in envelope.signals})
        self._totals = dict.fromkeys(("cost", *(guard.name for guard in settings.guards), "breach_s"), 0.0)

    def ask(self, seen: Observation, wanted: Proposal) -> None:
        """The next question: what the plant sees, and what its own controller wants."""
        self._seen, self.wanted = seen, wanted

    def observe(self) -> Observation:
        """The last question. If the plant does not say what is in force, it is our last command that it took."""
        assert self._seen is not None, "`ask` comes first"
        if self._seen.applied is None and self._seen.readback is None:
            return replace(self._seen, applied=in_force(self._standing, self._seen.taken_at))
        return self._seen

    def apply(self, command: Command, *, decision: str) -> Receipt:
        """Remember what was answered, or refuse that of a lower epoch; what the plant made of it comes with its next question."""
        assert self._seen is not None, "`ask` comes first"
        now_us, detail = self._seen.taken_at, ""
        try:
            self._standing = taken(self._standing, command, now_us)
        except ValueError as error:
            detail = str(error)
        stands = in_force(self._standing, now_us)
        return Receipt(decision, stands, self._seen.readback, now_us, accepted=not detail, detail=detail)

    def advance(self, until_us: int) -> None:
        """Nothing to wait for: the plant asks when it wants to."""

    def outcome(self) -> Outcome:
        """Cost, guards and breaches since the last question, from the present readings held over that time."""
        assert self._seen is not None, "`ask` comes first"
        now_us = self._seen.taken_at
        since_us = self._reported_us if self._reported_us is not None else now_us
        self._reported_us = now_us
        hours, seconds = (now_us - since_us) / HOUR_US, (now_us - since_us) / 1e6
        cost = self._value(self.settings.cost.per_hour_signal) * hours
        guards = {guard.name: self._above(guard) * seconds / 60.0 for guard in self.settings.guards}
        breach_s = seconds if self._outside() else 0.0
        for name, value in {"cost": cost, **guards, "breach_s": breach_s}.items():
            self._totals[name] += value if isfinite(value) else 0.0
        circumstances = {f"{name}_h": self._value(name) * hours for name in self.settings.covariate_signals}
        return Outcome(since_us, now_us, cost, guards, circumstances, breach_s)

    def lanes(self) -> dict[str, dict[str, float]]:
        """Cost, guards and breaches so far; the plant has no twins."""
        return {name: {"applied": total} for name, total in self._totals.items()}

    def _value(self, name: str) -> float:
        signal = None if self._seen is None else self._seen.signals.get(name)
        return signal.value if signal is not None and signal.good else nan

    def _above(self, guard: PushedGuard) -> float:
        """Excess of the highest of a guard's signals over its limit, at least 0; NaN where one of them is not good."""
        values = [self._value(name) for name in guard.signals]
        return max(0.0, max(values) - guard.above) if all(map(isfinite, values)) else nan

    def _outside(self) -> bool:
        return any(
            self._value(name) < low or self._value(name) > high for name, (low, high) in self.settings.limits.items()
        )


def _outcome_spec(settings: PushSettings, units: Mapping[str, str]) -> OutcomeSpec:
    """The outcome that the site declares; a covariate is its signal times hours."""
    cost = settings.cost
    try:
        return OutcomeSpec(
            cost=Quantity(cost.name, cost.unit, cost.label),
            guards=tuple(Quantity(guard.name, guard.unit, guard.label) for guard in settings.guards),
            covariates=tuple(
                Quantity(f"{name}_h", f"{units.get(name, '')} h".strip(), f"`{name}` over time")
                for name in settings.covariate_signals
            ),
        )
    except ValueError as error:
        raise SettingsError(f"[plant.push]: {error}") from error


class PushedIncumbent:
    """The plant's own controller: what it wants came with the question. Implements `ports.Incumbent`."""

    def __init__(self, plant: Pushed) -> None:
        self.plant = plant

    @property
    def fresh(self) -> Mapping[str, Any]:
        return {}

    def propose(self, observation: Observation, memory: Mapping[str, Any]) -> tuple[Proposal, Mapping[str, Any]]:
        return self.plant.wanted, memory

    def track(self, memory: Mapping[str, Any], applied: Setpoints) -> Mapping[str, Any]:
        return memory
