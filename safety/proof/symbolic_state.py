"""The moment of a decision in symbols: what comes in, and what ageing, the state rules and the latches make of it.

This follows `safety.memory.aged`, `safety.rules.state_rules`, `safety.memory.latched` and `safety.decide.situation` as they are
written. Signals are as the input manager left them. Symbols have the names under which an example shows them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import z3

from safety.envelope import Envelope
from safety.proof.symbolic_rules import (
    Vector,
    World,
    in_domain,
    linear,
    measured,
    number,
    sane,
    slots,
    terms_known,
    vector,
)
from safety.rules.base import US_PER_S, CommandRule, Rule, StateRule
from safety.rules.command_rules import Dwell, RateWindow
from safety.rules.state_rules import Novelty, Readback, Recoverability, Staleness, Trip, Watchdog
from safety.values import Rung, Source

RUNGS = tuple(Rung)
NO_ENTRY = -1
Timers = tuple[z3.ArithRef, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """What a state rule may look at."""

    at: World
    ages_us: Mapping[str, z3.ArithRef]
    applied: Vector
    has_applied: z3.BoolRef
    readback: Vector
    has_readback: z3.BoolRef
    elapsed_us: z3.ArithRef


@dataclass(frozen=True, slots=True)
class Moment:
    """Everything `decide` looks at. `before` are states as remembered, `after` as aged; `well` answers each state rule.

    `failsafe` is the place of the entry in force in the list, its length for one the list does not know, NO_ENTRY for none.
    """

    at: World
    ages_us: Mapping[str, z3.ArithRef]
    elapsed_us: z3.ArithRef
    rung: z3.ArithRef
    held_us: z3.ArithRef
    failsafe: z3.ArithRef
    remembers_last: z3.BoolRef
    local: z3.BoolRef
    without: Mapping[Source, z3.BoolRef]
    before: Mapping[str, Timers]
    after: Mapping[str, Timers]
    satisfied: Mapping[str, z3.BoolRef]
    seen: Seen
    latched_before: z3.BoolRef
    latched: z3.BoolRef
    newly_latched: z3.BoolRef
    assumed: tuple[z3.BoolRef, ...]


def moment(envelope: Envelope) -> Moment:
    """Any moment of the declared domain. The command in force and the read-back may be any numbers."""
    given_us = z3.Real("elapsed_us")
    elapsed_us = z3.If(given_us > 0, given_us, z3.RealVal(0))
    remembers, readable = z3.Bool("remembers_last"), z3.Bool("has_readback")
    mine, read = vector(envelope, "last"), vector(envelope, "readback")
    last = {name: z3.If(remembers, mine[name], read[name]) for name in mine}
    since_us = z3.Real("since_us")
    stood_us = since_us + elapsed_us
    dt_s = z3.If(stood_us < envelope.period_us, stood_us, z3.RealVal(envelope.period_us)) / US_PER_S
    signals = measured(envelope)
    known = {name: z3.Bool(f"known.{name}") for name in signals}
    before = {rule.id: _remembered(rule, envelope) for rule in envelope.rules if _remembered(rule, envelope)}
    timers = {
        rule.id: tuple(_aged_command(rule, before[rule.id], elapsed_us))
        for rule in envelope.command_rules
        if rule.id in before
    }
    at = World(signals, known, last, vector(envelope, "reference"), dt_s, timers, has_last=z3.Or(remembers, readable))
    ages_us = {name: z3.Real(f"age_us.{name}") for name in signals}
    has_applied = z3.Bool("has_applied")
    seen = Seen(at, ages_us, vector(envelope, "applied"), has_applied, read, readable, elapsed_us)
    aged = {rule.id: _aged_state(rule, before.get(rule.id, ()), seen) for rule in envelope.state_rules}
    satisfied = {rule.id: is_satisfied(rule, aged[rule.id], seen) for rule in envelope.state_rules}
    set_before = {rule.id: z3.Bool(f"latch.{rule.id}") for rule in envelope.state_rules if rule.latching}
    latched_before = z3.Or(z3.Bool("latch_of_an_operator"), *set_before.values())
    trips = {r.id: z3.And(z3.Not(satisfied[r.id]), _measured(r, seen)) for r in envelope.state_rules if r.latching}
    newly = [z3.And(tripped, z3.Not(set_before[name])) for name, tripped in trips.items()]
    rung, held_us, failsafe = z3.Int("rung"), z3.Real("held_us"), z3.Int("failsafe")
    holding = rung == RUNGS.index(Rung.HOLD)
    assumed = [
        since_us >= 0, held_us >= 0, rung >= -1, rung < len(RUNGS), failsafe >= NO_ENTRY,
        failsafe <= len(envelope.failsafe), *in_domain(envelope, signals, known),
        *(fact for rule in envelope.command_rules for fact in sane(rule, before.get(rule.id, ()))),
        *(value >= 0 for rule in envelope.state_rules for value in before.get(rule.id, ())),
    ]  # fmt: skip
    return Moment(
        at=at,
        ages_us=ages_us,
        elapsed_us=elapsed_us,
        rung=rung,
        held_us=z3.If(holding, held_us + elapsed_us, held_us),
        failsafe=failsafe,
        remembers_last=remembers,
        local=z3.Bool("local_authority"),
        without={source: z3.Bool(f"without.{source}") for source in Source},
        before=before,
        after={**timers, **aged},
        satisfied=satisfied,
        seen=seen,
        latched_before=latched_before,
        latched=z3.Or(latched_before, *trips.values()),
        newly_latched=z3.Or(newly),
        assumed=tuple(assumed),
    )


def _remembered(rule: Rule, envelope: Envelope) -> Timers:
    """The symbols of what a rule remembers."""
    if isinstance(rule, CommandRule):
        return slots(rule, envelope, "state")
    names = {Trip: ("outside", "seen"), Readback: ("disagreeing", "seen"), Watchdog: ("beat", "silent")}
    return tuple(z3.Real(f"state.{rule.id}.{name}") for name in names.get(type(rule), ()))


def _aged_command(rule: CommandRule, state: Timers, elapsed_us: z3.ArithRef) -> list[z3.ArithRef]:
    """Ages grow; what has left its window is dropped by the rule that counts, for it is as old as the window."""
    if isinstance(rule, RateWindow):
        return [value + elapsed_us if at % 2 == 0 else value for at, value in enumerate(state)]
    assert isinstance(rule, Dwell)
    return [value + elapsed_us for value in state]


def _aged_state(rule: StateRule, state: Timers, seen: Seen) -> Timers:
    zero, one = z3.RealVal(0), z3.RealVal(1)
    if isinstance(rule, Watchdog):
        known, beat = seen.at.known[rule.signal], seen.at.signals[rule.signal]
        silent = z3.Or(z3.Not(known), beat == state[0])
        return z3.If(silent, state[0], beat), z3.If(silent, state[1] + seen.elapsed_us, zero)
    if isinstance(rule, Trip):
        known, calm = _measured(rule, seen), _inside(rule, seen)
    elif isinstance(rule, Readback):
        known, calm = z3.BoolVal(True), z3.Or(z3.Not(_compared(seen)), _agrees(rule, seen))
    else:
        return ()
    lasted = z3.If(state[1] != 0, state[0] + seen.elapsed_us, zero)
    after = z3.If(calm, zero, lasted), z3.If(calm, zero, one)
    return z3.If(known, after[0], state[0]), z3.If(known, after[1], state[1])


def is_satisfied(rule: StateRule, state: Timers, seen: Seen) -> z3.BoolRef:
    """Whether a state rule's margin is >= 0. Raises TypeError on a kind the prover does not know."""
    at = seen.at
    match rule:
        case Staleness():
            fresh = [
                z3.And(at.known[name], seen.ages_us[name] >= 0, seen.ages_us[name] <= rule.max_age_us)
                for name in rule.signals
            ]
            return z3.And(fresh)
        case Trip():
            return z3.And(_measured(rule, seen), z3.Or(_inside(rule, seen), state[0] < rule.on_delay_us))
        case Readback():
            patient = z3.Or(_agrees(rule, seen), state[0] < rule.delay_us)
            return z3.If(_compared(seen), patient, z3.Not(seen.has_applied))
        case Watchdog():
            return state[1] <= rule.max_silence_us
        case Recoverability():
            rise = linear(rule.rise, {}, at)
            worst = at.signals[rule.signal] + number(rule.horizon_us / US_PER_S) * rise
            return z3.And(at.known[rule.signal], terms_known(rule.rise, at), worst <= number(rule.high))
        case Novelty():
            return z3.And(at.known[rule.signal], at.signals[rule.signal] <= number(rule.high))
        case _:
            raise TypeError(f"rule `{rule.id}`: kind {type(rule).__name__} has no formula, so nothing is proved of it")


def _measured(rule: StateRule, seen: Seen) -> z3.BoolRef:
    return seen.at.known[rule.signal] if isinstance(rule, Trip) else z3.BoolVal(True)


def _inside(rule: Trip, seen: Seen) -> z3.BoolRef:
    value = seen.at.signals[rule.signal]
    return z3.And(value >= number(rule.low), value <= number(rule.high))


def _compared(seen: Seen) -> z3.BoolRef:
    return z3.And(seen.has_applied, seen.has_readback)


def _agrees(rule: Readback, seen: Seen) -> z3.BoolRef:
    gap = seen.applied[rule.setpoint] - seen.readback[rule.setpoint]
    return z3.And(gap <= number(rule.tolerance), -gap <= number(rule.tolerance))
