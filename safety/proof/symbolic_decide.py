"""`decide` in symbols, as it is written: who has authority, how proposals are judged, which rung is taken, what is remembered.

It is tied to `safety.decide` by a differential test: thousands of moments are drawn, both are asked, and rung, command
and memory must be the same (tests/safety/proof/test_proof_ladder.py). A `Mistake` is a known fault that can be put in: each
obligation about the ladder is refuted of a ladder with one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import z3

from safety.decide import RUNG
from safety.envelope import Envelope
from safety.proof.symbolic_ramp import Walked, walked
from safety.proof.symbolic_rules import Vector, World, applies, in_range, satisfied, vector
from safety.proof.symbolic_state import NO_ENTRY, RUNGS, Moment
from safety.ramp import may_give_way
from safety.rules.base import CommandRule
from safety.rules.command_rules import Bound
from safety.values import Rung, Source, Tier

SOURCES = tuple(Source)
_ORDER = (Source.INCUMBENT, Source.CANDIDATE, Source.OPERATOR)


class Mistake(StrEnum):
    """Faults a ladder could have, in the words in which a proof tells that it found one."""

    STEP_NOT_JUDGED = "a ladder that forgets to judge the step"
    TARGET_NOT_JUDGED = "a ladder that forgets to judge the target"
    RANGE_NOT_CHECKED = "a ladder that takes a target without looking at its range"
    STEP_RANGE_NOT_CHECKED = "a ladder that takes a step without looking at its range"
    GIVES_WAY_ALWAYS = "a ladder in which slew and dwell always give way"
    GIVES_WAY_TO_GROUPS = "a ramp in which slew gives way for a whole group"
    ENTERS_ANY_VALUE = "a ramp in which a forbidden discrete value may change to any other"
    ACTS_WHILE_LATCHED = "a ladder that takes the candidate while a trip is latched"
    LATCH_FORGOTTEN = "a latch that goes when its cause goes"
    STATE_RULES_IGNORED = "a ladder that asks no state rule"
    GUARD_IGNORED = "a ladder that takes a source the guard has removed"
    LOCAL_IGNORED = "a ladder that commands while the local system is in control"
    HOLD_NOT_JUDGED = "a hold that is not judged as of now"
    HELD_TIME_RESET = "a ladder that resets the time held on every hold"
    FAILSAFE_FLAPS = "a ladder that chooses the fail-safe entry again every tick"
    VERDICT_IGNORED = "a ladder that takes the incumbent whatever its verdict"


@dataclass(frozen=True, slots=True)
class Proposed:
    """A proposal: whether there is one, whether it is a complete vector of finite numbers, and its targets."""

    present: z3.BoolRef
    answered: z3.BoolRef
    target: Vector


@dataclass(frozen=True, slots=True)
class Judged:
    """The judgement of one proposal."""

    accepted: z3.BoolRef
    step: Vector
    waived: Mapping[str, z3.BoolRef]
    waiting: Mapping[str, z3.BoolRef]
    facts: tuple[z3.BoolRef, ...]


@dataclass(frozen=True, slots=True)
class Decided:
    """The ruling: rung, setpoints, and the memory after it. `commands[rung]` is what that rung sends if it is taken."""

    removed: Mapping[Source, z3.BoolRef]
    proposals: Mapping[Source, Proposed]
    judged: Mapping[Source, Judged]
    acts: Mapping[Source, z3.BoolRef]
    rung: z3.ArithRef
    commands: Mapping[Rung, Vector]
    entry: z3.ArithRef
    held_us: z3.ArithRef
    latched: z3.BoolRef
    reference: World
    facts: tuple[z3.BoolRef, ...]


def any_proposal(envelope: Envelope, source: Source) -> Proposed:
    """Any proposal of a source."""
    return Proposed(z3.Bool(f"{source}.present"), z3.Bool(f"{source}.answered"), vector(envelope, f"{source}.target"))


def decided(
    envelope: Envelope,
    now: Moment,
    *,
    exact: bool,
    mistake: Mistake | None = None,
    judged: Mapping[Source, Judged] | None = None,
) -> Decided:
    """The step relation of `decide`. `exact` works the ramp out to the last digit, else it is left open.

    `judged` are judgements worked out already, for a ladder that differs only in what it makes of them.
    """
    assigned = z3.Int("assigned")
    removed = removed_in_symbols(envelope, now, mistake)
    judged, world = dict(judged or {}), replace(now.at, has_reference=z3.BoolVal(False))
    proposals = {source: any_proposal(envelope, source) for source in _ORDER}
    for source, proposal in proposals.items():
        if source not in judged:
            judged[source] = judge_in_symbols(envelope, proposal, source, world, exact=exact, mistake=mistake)
        if source is Source.INCUMBENT:
            has_reference = z3.And(proposal.present, judged[source].accepted)
            world = replace(now.at, reference=judged[source].step, has_reference=has_reference)
    free = {s: z3.And(proposals[s].present, z3.Not(removed[s]), judged[s].accepted) for s in _ORDER}
    acts = {s: z3.And(assigned == SOURCES.index(s), free[s]) for s in _ORDER}
    nobody_assigned = z3.Not(z3.Or(list(acts.values())))
    acts[Source.INCUMBENT] = z3.Or(acts[Source.INCUMBENT], z3.And(nobody_assigned, free[Source.INCUMBENT]))
    if mistake is Mistake.VERDICT_IGNORED:
        mine = z3.And(nobody_assigned, proposals[Source.INCUMBENT].present, z3.Not(removed[Source.INCUMBENT]))
        acts[Source.INCUMBENT] = z3.Or(acts[Source.INCUMBENT], mine)
    rung, entry = _last_resort(envelope, now, mistake)
    for source, of_source in RUNG.items():
        rung = z3.If(acts[source], z3.IntVal(RUNGS.index(of_source)), rung)
        entry = z3.If(acts[source], z3.IntVal(NO_ENTRY), entry)
    commands = {RUNG[s]: judged[s].step for s in _ORDER} | {Rung.HOLD: now.at.last}
    held = z3.RealVal(0) if mistake is Mistake.HELD_TIME_RESET else now.held_us
    facts = tuple(fact for each in judged.values() for fact in each.facts)
    in_range_assigned = (assigned >= 0, assigned < len(SOURCES))
    return Decided(
        removed=removed,
        proposals=proposals,
        judged=judged,
        acts=acts,
        rung=rung,
        commands=commands,
        entry=entry,
        held_us=z3.If(rung == RUNGS.index(Rung.HOLD), held, z3.RealVal(0)),
        latched=_latched(now, mistake),
        reference=world,
        facts=(*facts, *in_range_assigned),
    )


def _latched(now: Moment, mistake: Mistake | None) -> z3.BoolRef:
    trips_only = z3.And(now.latched, z3.Not(now.latched_before))
    return trips_only if mistake is Mistake.LATCH_FORGOTTEN else now.latched


def removed_in_symbols(envelope: Envelope, now: Moment, mistake: Mistake | None = None) -> dict[Source, z3.BoolRef]:
    """The sources that may not act: by a state rule, a latch, the guard, or because the local system is in control."""
    removed = {}
    for source in SOURCES:
        why = [] if mistake is Mistake.GUARD_IGNORED else [now.without[source]]
        if mistake is not Mistake.LOCAL_IGNORED:
            why.append(now.local)
        if mistake is not Mistake.STATE_RULES_IGNORED:
            why += [z3.Not(now.satisfied[rule.id]) for rule in envelope.state_rules if source in rule.removes]
        if source is Source.CANDIDATE and mistake is not Mistake.ACTS_WHILE_LATCHED:
            why.append(_latched(now, mistake))
        removed[source] = z3.Or(why)
    return removed


def judge_in_symbols(
    envelope: Envelope,
    proposal: Proposed,
    source: Source,
    at: World,
    *,
    exact: bool,
    on_line: bool = False,
    mistake: Mistake | None = None,
) -> Judged:
    """T0, then the ramp, then target and step; where no step is permitted under new discrete values, the old are kept."""
    rules, target = envelope.binding[RUNG[source]], proposal.target
    name = None if exact else f"{source}.step"
    wrong = {"whole_groups": mistake is Mistake.GIVES_WAY_TO_GROUPS, "any_value": mistake is Mistake.ENTERS_ANY_VALUE}
    first = walked(envelope, target, at, keep=z3.BoolVal(False), name=name, on_line=on_line, **wrong)
    taken = first
    if envelope.ramp_plan.discrete:
        name = None if exact else f"{source}.kept"
        kept = walked(envelope, target, at, keep=z3.BoolVal(True), name=name, on_line=on_line, **wrong)
        other = z3.Or([kept.step[each] != first.step[each] for each in first.waiting])
        taken = _either(z3.And(z3.Not(_step_accepted(envelope, rules, first, at, mistake)), other), kept, first)
    required = [proposal.answered, _step_accepted(envelope, rules, taken, at, mistake)]
    if mistake is not Mistake.RANGE_NOT_CHECKED:
        required += in_range(envelope, target)
    if mistake is not Mistake.TARGET_NOT_JUDGED:
        required += [satisfied(rule, target, at) for rule in rules if not rule.step_only]
    return Judged(z3.And(required), taken.step, taken.waived, taken.waiting, taken.facts)


def _step_accepted(
    envelope: Envelope, rules: Sequence[CommandRule], ramp: Walked, at: World, mistake: Mistake | None
) -> z3.BoolRef:
    if mistake is Mistake.STEP_NOT_JUDGED:
        return z3.BoolVal(True)
    within = [] if mistake is Mistake.STEP_RANGE_NOT_CHECKED else in_range(envelope, ramp.step)
    kept = [z3.Or(satisfied(rule, ramp.step, at), gives_way(rule, ramp.waived, mistake)) for rule in rules]
    return z3.And(*within, *kept)


def gives_way(rule: CommandRule, waived: Mapping[str, z3.BoolRef], mistake: Mistake | None = None) -> z3.BoolRef:
    """Whether a refusal of the step is recorded as waived instead: slew and dwell only, on the setpoints that entered."""
    if not may_give_way(rule):
        return z3.BoolVal(False)
    if mistake is Mistake.GIVES_WAY_ALWAYS:
        return z3.BoolVal(True)
    return z3.And([waived[name] for name in rule.setpoints])


def _either(which: z3.BoolRef, one: Walked, other: Walked) -> Walked:
    def choose(of_one: Mapping[str, z3.ExprRef], of_other: Mapping[str, z3.ExprRef]) -> dict[str, z3.ExprRef]:
        return {name: z3.If(which, of_one[name], of_other[name]) for name in of_one}

    return Walked(
        choose(one.step, other.step),
        choose(one.waiting, other.waiting),
        choose(one.waived, other.waived),
        (*one.facts, *other.facts),
    )


def _last_resort(envelope: Envelope, now: Moment, mistake: Mistake | None) -> tuple[z3.ArithRef, z3.ArithRef]:
    """Hold while it may be held, else the fail-safe list, else relinquish: the rung, and the place of the entry taken."""
    known = z3.And(now.failsafe >= 0, now.failsafe < len(envelope.failsafe))
    if mistake is Mistake.FAILSAFE_FLAPS:
        known = z3.BoolVal(False)
    gone, none = z3.IntVal(RUNGS.index(Rung.RELINQUISH)), z3.IntVal(NO_ENTRY)
    rung, entry = gone, z3.If(known, now.failsafe, none)
    for place, fallback in reversed(list(enumerate(envelope.failsafe))):
        considered = z3.If(known, now.failsafe == place, applies(fallback, now.at.last, now.at))
        takes = z3.And(considered, z3.BoolVal(keeps_static_limits(envelope, fallback.vector)))
        of_entry = Rung.RELINQUISH if fallback.vector is None else Rung.FAILSAFE
        rung = z3.If(takes, z3.IntVal(RUNGS.index(of_entry)), rung)
        entry = z3.If(takes, z3.IntVal(place), entry)
    holds = _may_hold(envelope, now, mistake)
    rung, entry = z3.If(holds, z3.IntVal(RUNGS.index(Rung.HOLD)), rung), z3.If(holds, none, entry)
    if mistake is Mistake.LOCAL_IGNORED:
        return rung, entry
    return z3.If(now.local, gone, rung), z3.If(now.local, none, entry)


def _may_hold(envelope: Envelope, now: Moment, mistake: Mistake | None) -> z3.BoolRef:
    required = [now.failsafe == NO_ENTRY, now.remembers_last, now.held_us < envelope.hold_max_us]
    if mistake is Mistake.FAILSAFE_FLAPS:
        required = required[1:]
    if mistake is not Mistake.HOLD_NOT_JUDGED:
        required += [satisfied(rule, now.at.last, now.at) for rule in envelope.binding[Rung.HOLD]]
        required += [] if mistake is Mistake.STEP_RANGE_NOT_CHECKED else in_range(envelope, now.at.last)
    return z3.And(required)


def keeps_static_limits(envelope: Envelope, constant: Mapping[str, float] | None) -> bool:
    """Whether a fail-safe entry keeps what binds its rung. It is a constant, so the solver is not needed."""
    if constant is None:
        return True
    bounds = [rule for rule in envelope.command_rules if isinstance(rule, Bound) and rule.tier <= Tier.T1]
    within = all(spec.fits(constant[spec.name]) for spec in envelope.setpoints)
    return within and all(rule.low <= constant[rule.setpoint] <= rule.high for rule in bounds)
