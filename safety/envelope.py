"""An envelope: the setpoints and signals of one plant, the rules that judge them, and the ladder's last resorts.

Built by `safety.loading.spec` from `envelope.toml`; its digest names it in every decision. It has no switch to turn it off.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf

from safety.forms.compiled import Compiled
from safety.forms.watched import Watched
from safety.inputs import Input
from safety.ramp import RampPlan, is_bounded, is_entered, plan_ramp
from safety.rules.base import POLICY, CommandRule, FailSafe, Rule, Situation, StateRule
from safety.rules.command_rules import Bound, Dwell, Interlock
from safety.rules.money_rules import Budget
from safety.values import Memory, Permitted, RuleState, Rung, Setpoints, Tier

# Which tiers bind which rung. The fail-safe is bound by T0 and the static part of T1; the rest is recorded as waived.
BINDS: Mapping[Rung, tuple[Tier, ...]] = {
    Rung.CANDIDATE: (Tier.T0, Tier.T1, Tier.T2, Tier.T3, Tier.T4, Tier.T5),
    Rung.OPERATOR: (Tier.T0, Tier.T1, Tier.T2, Tier.T3, Tier.T4),
    Rung.INCUMBENT: (Tier.T0, Tier.T1, Tier.T2, Tier.T3, Tier.T4),
    Rung.HOLD: (Tier.T0, Tier.T1, Tier.T2),
    Rung.FAILSAFE: (Tier.T0, Tier.T1),
    Rung.RELINQUISH: (),
}


_NUMBER = (float, int)


@dataclass(frozen=True, slots=True)
class SetpointSpec:
    """A commanded value: its unit, its physical range, the values it may take if discrete, and its veto group."""

    name: str
    unit: str
    low: float
    high: float
    values: tuple[float, ...] | None = None
    group: str = "plant"

    def fits(self, value: object) -> bool:
        """Whether the value is a finite number of this setpoint's range and, if discrete, one of its values."""
        if not isinstance(value, _NUMBER):
            return False
        return self.low <= value <= self.high and (self.values is None or value in self.values)

    def misfit(self, value: object) -> str:
        """The sentence on a value that does not fit: the value, and what is valid."""
        if self.values is None:
            return f"`{self.name}` = {value!r} is outside its range {self.low:g} to {self.high:g} {self.unit}"
        return f"`{self.name}` = {value!r} is not one of its values {', '.join(f'{each:g}' for each in self.values)}"


@dataclass(frozen=True, slots=True)
class SignalSpec:
    """A measured value: its unit and the domain over which the envelope is proven."""

    name: str
    unit: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Envelope:
    """All that judges one plant. Immutable; `digest` is over its canonical text."""

    plant: str
    setpoints: tuple[SetpointSpec, ...]
    signals: tuple[SignalSpec, ...]
    command_rules: tuple[CommandRule, ...]
    state_rules: tuple[StateRule, ...]
    failsafe: tuple[FailSafe, ...]
    period_us: int
    guard_period_us: int
    valid_for_us: int
    hold_max_us: int
    digest: str
    inputs: tuple[Input, ...] = ()
    ramp_plan: RampPlan = field(init=False)
    names: frozenset[str] = field(init=False)
    rules: tuple[Rule, ...] = field(init=False)
    stateful: tuple[tuple[Rule, RuleState], ...] = field(init=False)
    binding: Mapping[Rung, tuple[CommandRule, ...]] = field(init=False)
    compiled: Mapping[Rung, Compiled] = field(init=False, compare=False, repr=False)
    noting: tuple[tuple[Rule, RuleState], ...] = field(init=False)
    failsafe_ids: frozenset[str] = field(init=False)
    watched: Watched = field(init=False, compare=False, repr=False)
    entered: Compiled = field(init=False, compare=False, repr=False)
    boxes: Mapping[str, "Box"] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ramp_plan", plan_ramp(self.setpoints, self.command_rules))
        object.__setattr__(self, "names", frozenset(spec.name for spec in self.setpoints))
        object.__setattr__(self, "rules", (*self.command_rules, *self.state_rules))
        object.__setattr__(self, "stateful", tuple((rule, rule.fresh()) for rule in self.rules if _remembers(rule)))
        object.__setattr__(self, "noting", tuple((rule, fresh) for rule, fresh in self.stateful if _notes(rule)))
        object.__setattr__(self, "failsafe_ids", frozenset(entry.id for entry in self.failsafe))
        object.__setattr__(self, "binding", {rung: _binding(rung, self.command_rules) for rung in Rung})
        domain = tuple(s for s in self.setpoints if s.values is not None or not is_bounded(s, self.command_rules))
        object.__setattr__(self, "compiled", {rung: Compiled(rules, domain) for rung, rules in self.binding.items()})
        object.__setattr__(
            self, "boxes", {spec.name: _box(spec, self.ramp_plan.by_setpoint[spec.name]) for spec in self.setpoints}
        )
        object.__setattr__(self, "watched", Watched(self.state_rules, self.stateful))
        object.__setattr__(self, "entered", Compiled(tuple(filter(is_entered, self.command_rules)), domain))


def _remembers(rule: Rule) -> bool:
    """Whether a kind keeps anything from tick to tick."""
    return type(rule).aged is not Rule.aged or type(rule).applied is not Rule.applied


def _notes(rule: Rule) -> bool:
    """Whether a kind takes note of a command."""
    return type(rule).applied is not Rule.applied


def _binding(rung: Rung, rules: tuple[CommandRule, ...]) -> tuple[CommandRule, ...]:
    """The rules that bind a rung: those of its tiers, without the policy's own unless it is the policy's rung."""
    return tuple(
        rule for rule in rules if rule.tier in BINDS[rung] and (rule.applies_to != POLICY or rung is Rung.CANDIDATE)
    )


def permitted(envelope: Envelope, now: Situation) -> dict[str, Permitted]:
    """Return what each setpoint may be set to now: the box of bounds and interlocks in force, discrete values, timers left.

    A limit that is unknown now is not in the box: whatever is proposed under it will be refused.
    """
    return {spec.name: _permitted(spec, envelope, now) for spec in envelope.setpoints}


@dataclass(frozen=True, slots=True)
class Box:
    """What is permitted of a setpoint at all times, and the rules that narrow it for a time."""

    always: Permitted
    rules: tuple[CommandRule, ...]


def _box(spec: SetpointSpec, rules: tuple[CommandRule, ...]) -> Box:
    bounds = [rule for rule in rules if isinstance(rule, Bound)]
    low, high = max([spec.low, *(rule.low for rule in bounds)]), min([spec.high, *(rule.high for rule in bounds)])
    moving = tuple(rule for rule in rules if isinstance(rule, Interlock | Budget | Dwell))
    return Box(Permitted(low, high, spec.values), moving)


def _permitted(spec: SetpointSpec, envelope: Envelope, now: Situation) -> Permitted:
    box = envelope.boxes[spec.name]
    if not box.rules:
        return box.always
    low, high, wait_us = box.always.low, box.always.high, 0.0
    standing: Setpoints = now.last or {}
    for rule in box.rules:
        if isinstance(rule, Interlock | Budget):
            rule_low, rule_high = rule.box(standing, now)
            low, high = max(low, rule_low), min(high, rule_high)
        elif isinstance(rule, Dwell) and now.last is not None:
            moves = [{**now.last, spec.name: value} for value in spec.values or () if value != now.last[spec.name]]
            wait_us = max(wait_us, min((rule.wait_us(move, now) for move in moves), default=-inf))
    return Permitted(low, high, spec.values, int(max(0.0, wait_us)))


def fresh_memory(envelope: Envelope) -> Memory:
    """The memory of a plant nothing is remembered of: every timer at zero, no command in force."""
    return Memory(rules={rule.id: fresh for rule, fresh in envelope.stateful})
