"""A counterexample of the prover, judged by the code that runs the plant. One that does not reproduce is a fault of the prover.

An example is numbers by name (see `safety.proof.symbolic_state` and `safety.proof.symbolic_rules` for the names). Here it becomes
what the kernel takes: a `Situation` for one judgement, or everything `decide` is called with.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from safety.decide import decide, judge_rule, observe, situation
from safety.envelope import Envelope
from safety.proof.solver import Example
from safety.proof.symbolic_rules import slots
from safety.proof.symbolic_state import RUNGS
from safety.rules.base import CommandRule, Rule, Situation
from safety.rules.command_rules import Dwell, RateWindow
from safety.rules.state_rules import Readback, Trip, Watchdog
from safety.values import (
    Authority,
    Finding,
    Latch,
    Memory,
    Observation,
    Outcome,
    Proposal,
    Quality,
    RuleState,
    Ruling,
    Rung,
    Setpoints,
    Signal,
    Source,
    Status,
    Tier,
)

_OF_STATE_RULES = {Trip: ("outside", "seen"), Readback: ("disagreeing", "seen"), Watchdog: ("beat", "silent")}
_OPERATORS_TRIP = "OPERATOR"


@dataclass(frozen=True, slots=True)
class Call:
    """What `decide` is called with, less the envelope."""

    observation: Observation
    proposals: Mapping[Source, Proposal]
    assigned: Source
    memory: Memory
    elapsed_us: int
    without: frozenset[Source]

    def ruling(self, envelope: Envelope) -> Ruling:
        """Decide as the kernel does. Signals are taken as they are, for an example's are as the input manager left them."""
        return decide(
            self.observation,
            self.proposals,
            self.assigned,
            without_inputs(envelope),
            self.memory,
            elapsed_us=self.elapsed_us,
            epoch=1,
            without=self.without,
        )

    def situation(self, envelope: Envelope, ruling: Ruling) -> Situation:
        """The situation that the kernel's judge looked at in a ruling."""
        observation, memory, _ = observe(self.observation, without_inputs(envelope), self.memory, self.elapsed_us)
        own = [each for each in ruling.judgements if each.rung is Rung.INCUMBENT and each.verdict.accepted]
        return replace(situation(observation, memory, envelope), reference=own[0].step if own else None)


def without_inputs(envelope: Envelope) -> Envelope:
    """The envelope without its input manager."""
    return replace(envelope, inputs=()) if envelope.inputs else envelope


def situation_of(example: Example, envelope: Envelope) -> Situation:
    """The situation of an example. What it leaves open is zero and known."""
    last, reference = vector_of(example, "last", envelope), vector_of(example, "reference", envelope)
    dt_s = float(example.get("dt_s", 0.0))
    states = _command_states(example, "timer", envelope)
    return Situation(_signals(example, envelope), last, reference, dt_s, states)


def vector_of(example: Example, prefix: str, envelope: Envelope) -> Setpoints:
    return {spec.name: float(example.get(f"{prefix}.{spec.name}", spec.low)) for spec in envelope.setpoints}


def refused_by(rule: CommandRule, proposed: Setpoints, now: Situation) -> str | None:
    """Return the judge's reason where a rule refuses a proposal; None where it accepts."""
    _, finding = judge_rule(rule, proposed, now, "step", frozenset())
    return finding.detail if finding is not None and finding.refuses else None


def call_of(example: Example, envelope: Envelope) -> Call:
    """The call of `decide` an example is about."""
    proposals = {
        source: Proposal(source, vector_of(example, f"{source}.target", envelope))
        if example.get(f"{source}.answered", False)
        else Proposal(source, {}, Status.FAILED)
        for source in Source
        if example.get(f"{source}.present", False)
    }
    return Call(
        observation=_observation(example, envelope),
        proposals=proposals,
        assigned=tuple(Source)[int(example.get("assigned", 0))],
        memory=_memory(example, envelope),
        elapsed_us=round(float(example.get("elapsed_us", 0))),
        without=frozenset(source for source in Source if example.get(f"without.{source}", False)),
    )


def _observation(example: Example, envelope: Envelope) -> Observation:
    def given(what: str) -> Setpoints | None:
        return vector_of(example, what, envelope) if example.get(f"has_{what}", False) else None

    return Observation(
        plant=envelope.plant,
        subject="plant",
        taken_at=0,
        signals=_signals(example, envelope),
        applied=given("applied"),
        readback=given("readback"),
        authority=Authority.LOCAL if example.get("local_authority", False) else Authority.OURS,
    )


def _signals(example: Example, envelope: Envelope) -> dict[str, Signal]:
    signals = {}
    for spec in envelope.signals:
        value = float(example.get(f"signal.{spec.name}", min(max(0.0, spec.low), spec.high)))
        known = bool(example.get(f"known.{spec.name}", True))
        age_us = round(float(example.get(f"age_us.{spec.name}", 0)))
        signals[spec.name] = Signal(value, Quality.GOOD if known else Quality.BAD, age_us)
    return signals


def _memory(example: Example, envelope: Envelope) -> Memory:
    ids = [entry.id for entry in envelope.failsafe]
    place, rung = int(example.get("failsafe", -1)), int(example.get("rung", -1))
    tripped = [rule.id for rule in envelope.state_rules if example.get(f"latch.{rule.id}", False)]
    if example.get("latch_of_an_operator", False):
        tripped.append(_OPERATORS_TRIP)
    return Memory(
        last=vector_of(example, "last", envelope) if example.get("remembers_last", False) else None,
        rung=RUNGS[rung] if rung >= 0 else None,
        since_us=round(float(example.get("since_us", 0))),
        rules=_command_states(example, "state", envelope) | _state_states(example, envelope),
        held_us=round(float(example.get("held_us", 0))),
        failsafe=None if place < 0 else [*ids, "an entry of another envelope"][place],
        latches=tuple(Latch(name, Finding(name, Tier.T1, Outcome.VETO, -1.0, "state", "")) for name in tripped),
    )


def _command_states(example: Example, prefix: str, envelope: Envelope) -> dict[str, RuleState]:
    rules = [rule for rule in envelope.command_rules if isinstance(rule, Dwell | RateWindow)]
    return {rule.id: remembered(rule, example, prefix, envelope) for rule in rules}


def remembered(rule: Dwell | RateWindow, example: Example, prefix: str, envelope: Envelope) -> RuleState:
    """The state the kernel would remember: oldest first, and nothing that has left its window."""
    values = [float(example.get(str(symbol), 0.0)) for symbol in slots(rule, envelope, prefix)]
    if isinstance(rule, Dwell):
        return (*values[:2], *(age for age in reversed(values[2:]) if age < rule.window_us))
    moves = zip(values[::2], values[1::2], strict=True)
    return tuple(value for move in moves if move[0] < rule.window_us for value in move)


def _state_states(example: Example, envelope: Envelope) -> dict[str, RuleState]:
    def state(rule: Rule) -> RuleState:
        names = _OF_STATE_RULES.get(type(rule), ())
        return tuple(float(example.get(f"state.{rule.id}.{name}", 0.0)) for name in names)

    return {rule.id: state(rule) for rule in envelope.state_rules if type(rule) in _OF_STATE_RULES}
