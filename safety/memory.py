"""How the memory changes: it ages, it latches, it takes note of a command, and an operator may reset a latch."""

from dataclasses import replace
from math import nan

from safety.envelope import Envelope
from safety.values import Command, Finding, Latch, Memory, Observation, RuleState, Rung, Setpoints


def aged(memory: Memory, envelope: Envelope, observation: Observation, elapsed_us: int) -> Memory:
    """The memory `elapsed_us` later. Time running backwards counts as zero."""
    elapsed_us = max(0, elapsed_us)
    rules = dict(memory.rules)
    for rule in envelope.stateful:
        rules[rule.id] = _safe_state(rule.aged(memory.rules.get(rule.id) or rule.fresh(), observation, elapsed_us))
    held_us = memory.held_us + elapsed_us if memory.rung is Rung.HOLD else memory.held_us
    return replace(memory, rules=rules, since_us=memory.since_us + elapsed_us, held_us=held_us)


def latched(memory: Memory, envelope: Envelope, findings: tuple[Finding, ...]) -> Memory:
    """The memory with a latch for each measured trip. An unknown signal removes authority elsewhere, but sets no latch."""
    already = {latch.rule for latch in memory.latches}
    latching = {rule.id for rule in envelope.state_rules if rule.latching}
    new = [f for f in findings if f.rule in latching and f.rule not in already and f.margin < 0]
    return replace(memory, latches=(*memory.latches, *(Latch(f.rule, f) for f in new))) if new else memory


def remembered(
    memory: Memory, envelope: Envelope, last: Setpoints | None, command: Command, failsafe: str | None
) -> Memory:
    """The memory after a command: what is in force now, and what the stateful rules make of it."""
    rules = dict(memory.rules)
    for rule in envelope.stateful:
        rules[rule.id] = rule.applied(rules.get(rule.id) or rule.fresh(), last, command.setpoints)
    relinquished = command.rung is Rung.RELINQUISH
    return replace(
        memory,
        last=None if relinquished else command.setpoints,
        rung=command.rung,
        since_us=0,
        rules=rules,
        held_us=memory.held_us if command.rung is Rung.HOLD else 0,
        failsafe=failsafe,
    )


def reset(memory: Memory, envelope: Envelope, observation: Observation, rule_id: str) -> Memory:
    """The memory without the latch of `rule_id`. Raises ValueError if there is none, or while its cause is active.

    A cause clears only on its own evidence: an unknown signal is no evidence that it is over.
    """
    if rule_id not in {latch.rule for latch in memory.latches}:
        raise ValueError(f"no latch of rule `{rule_id}` is set: nothing to reset")
    for rule in envelope.state_rules:
        if rule.id == rule_id and not rule.margin(observation, _measured_now(memory.rules.get(rule_id, ()))) >= 0:
            raise ValueError(f"the cause of `{rule_id}` is still active: {rule.explain(observation, ())}")
    return replace(memory, latches=tuple(latch for latch in memory.latches if latch.rule != rule_id))


def _measured_now(state: RuleState) -> RuleState:
    """A state in which an on-delay has already run out, so that the present measurement alone decides."""
    return tuple(float("inf") for _ in state)


def _safe_state(state: RuleState) -> RuleState:
    """A state with a NaN in it is unknown: everything just changed."""
    return tuple(0.0 if value is nan or value != value else value for value in state)
