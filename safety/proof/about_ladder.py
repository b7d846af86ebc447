"""What is proved of the ladder, one step of `decide` at a time, whatever is measured, proposed and remembered.

The steps of the ramp are left open between the last command and the target, so nothing here depends on how a fraction is
worked out.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import z3

from safety.decide import RUNG, judge_rule
from safety.envelope import Envelope
from safety.forms.phrases import looked_up
from safety.proof.replay import Call, call_of, without_inputs
from safety.proof.solver import Example, Ground, Obligation, Seeded, prove
from safety.proof.symbolic_decide import Decided, Mistake, decided, gives_way, keeps_static_limits
from safety.proof.symbolic_ramp import headed, needs_to
from safety.proof.symbolic_rules import Vector, World, in_range, number, satisfied, violated
from safety.proof.symbolic_state import NO_ENTRY, RUNGS, Moment, moment
from safety.ramp import is_entered, may_give_way
from safety.rules.base import CommandRule
from safety.rules.command_rules import Dwell, RateWindow, Slew
from safety.values import Outcome, Ruling, Rung, Source, Tier

Claim = Callable[[Decided], z3.BoolRef]
Violated = Callable[[Call, Ruling], str | None]


# In whose judgement a mistake of the judge is put in; all others are mistakes in what is made of the judgements.
_MISTAKEN = {
    Mistake.STEP_NOT_JUDGED: Source.CANDIDATE,
    Mistake.TARGET_NOT_JUDGED: Source.OPERATOR,
    Mistake.RANGE_NOT_CHECKED: Source.INCUMBENT,
    Mistake.STEP_RANGE_NOT_CHECKED: Source.INCUMBENT,
    Mistake.GIVES_WAY_ALWAYS: Source.INCUMBENT,
    Mistake.GIVES_WAY_TO_GROUPS: Source.INCUMBENT,
    Mistake.ENTERS_ANY_VALUE: Source.INCUMBENT,
}


@dataclass(frozen=True, slots=True)
class Ladder:
    """One envelope's ladder in symbols: as it is written, and with a mistake."""

    envelope: Envelope
    now: Moment
    found: Decided
    ground: Ground
    wrong: dict[Mistake, tuple[Decided, Ground]] = field(default_factory=dict)

    def prove(
        self, name: str, says: str, claim: Claim, mistake: Mistake, replay: Violated, *given: z3.BoolRef
    ) -> Obligation:
        """Whether a claim holds of every step, and is refuted of a ladder with the mistake."""
        wrong, ground = self._with(mistake)
        sure = z3.And(given)
        seeded = Seeded(mistake.value, z3.Implies(sure, claim(wrong)), ground)
        claimed = z3.Implies(sure, claim(self.found))
        return prove(name, says, self.ground, claimed, seeded, replay=lambda e: self._replayed(e, replay))

    def _with(self, mistake: Mistake) -> tuple[Decided, Ground]:
        """The ladder with a mistake, worked out once."""
        if mistake not in self.wrong:
            mistaken = _MISTAKEN.get(mistake)
            judged = {source: each for source, each in self.found.judged.items() if source is not mistaken}
            found = decided(self.envelope, self.now, exact=False, mistake=mistake, judged=judged)
            self.wrong[mistake] = found, Ground([*self.now.assumed, *found.facts])
        return self.wrong[mistake]

    def _replayed(self, example: Example, shows: Violated) -> str | None:
        call = call_of(example, self.envelope)
        return shows(call, call.ruling(self.envelope))

    def takes(self, found: Decided, rung: Rung) -> z3.BoolRef:
        return found.rung == RUNGS.index(rung)


def ladder_of(envelope: Envelope) -> Ladder:
    bare = without_inputs(envelope)
    now = moment(bare)
    found = decided(bare, now, exact=False)
    return Ladder(bare, now, found, Ground([*now.assumed, *found.facts]))


def the_ladder(envelope: Envelope) -> Iterator[Obligation]:
    """All that is proved of one step of an envelope's ladder."""
    yield from obligations_of(ladder_of(envelope))


def obligations_of(ladder: Ladder) -> Iterator[Obligation]:
    """The same, of a ladder worked out already."""
    for source in (Source.CANDIDATE, Source.OPERATOR, Source.INCUMBENT):
        yield _emitted(ladder, source)
    yield _held(ladder)
    if any(spec.values is not None for spec in ladder.envelope.setpoints):
        yield _listed(ladder)
    yield _available(ladder)
    yield from _removed(ladder)
    yield from _latched(ladder)
    yield _holding_ends(ladder)
    if ladder.envelope.failsafe:
        yield _failsafe_is_kept(ladder)


def _emitted(ladder: Ladder, source: Source) -> Obligation:
    """Target and step keep T0 and every rule that binds the rung; slew and dwell may give way, as little as needed."""
    rung, rules = RUNG[source], ladder.envelope.binding[RUNG[source]]

    def claim(found: Decided) -> z3.BoolRef:
        judged, target, at = found.judged[source], found.proposals[source].target, ladder.now.at
        world = found.reference if source is not Source.INCUMBENT else at
        kept = [satisfied(rule, judged.step, world) for rule in rules]
        for place, rule in enumerate(rules):
            if may_give_way(rule):
                needed = _needed(rule, ladder.envelope, target, judged.step, at)
                gave_way = z3.And(gives_way(rule, judged.waived), at.has_last, needed)
                kept[place] = z3.Or(kept[place], gave_way)
        goal = [satisfied(rule, target, world) for rule in rules if not rule.step_only]
        ranged = [*in_range(ladder.envelope, target), *in_range(ladder.envelope, judged.step)]
        required = [found.proposals[source].answered, *ranged, *goal, *kept]
        return z3.Implies(ladder.takes(found, rung), z3.And(required))

    mistakes = {Source.CANDIDATE: Mistake.STEP_NOT_JUDGED, Source.OPERATOR: Mistake.TARGET_NOT_JUDGED}
    mistake = mistakes.get(source, Mistake.RANGE_NOT_CHECKED)
    if source is Source.INCUMBENT and any(isinstance(r, Slew | Dwell | RateWindow) for r in rules):
        mistake = Mistake.GIVES_WAY_ALWAYS
    binds = f"{rules[0].tier.name}-{'T5' if source is Source.CANDIDATE else 'T4'}" if rules else "T0"
    says = (
        f"what the {source} sends keeps T0 and every rule that binds it ({binds}, {len(rules)} rules), target and step; "
        "slew and dwell give way only for a setpoint that T0-T2 would otherwise forbid"
    )
    return ladder.prove(
        f"emitted/{rung}", says, claim, mistake, lambda call, r: _broken(ladder.envelope, call, r, rung)
    )


def _needed(rule: CommandRule, envelope: Envelope, target: Vector, step: Vector, at: World) -> z3.BoolRef:
    """Whether a rule has to give way to the step of its own setpoint: nothing less is permitted there."""
    if isinstance(rule, Slew | RateWindow):
        (group,) = (each for each in envelope.ramp_plan.groups if rule.setpoint in each.setpoints)
        here = {**at.last, **{name: step[name] for name in envelope.ramp_plan.discrete}}
        return needs_to(rule, group, here, step, at)
    (name,) = rule.setpoints
    limits = [each for each in envelope.ramp_plan.by_setpoint[name] if each.tier <= Tier.T2]
    timers = [each for each in envelope.ramp_plan.by_setpoint[name] if may_give_way(each)]
    values = envelope.ramp_plan.values[name]
    listed = z3.Or([at.last[name] == number(value) for value in values])
    needed = [z3.Or(z3.Not(listed), *(violated(limit, at.last, at) for limit in limits if is_entered(limit)))]
    others = set(envelope.ramp_plan.discrete) - {name}
    for value in values if not any(others & {*each.setpoints, *looked_up(each)} for each in (*limits, *timers)) else ():
        there = headed(name, number(value), target, step, envelope)
        permitted = z3.And([satisfied(limit, there, at) for limit in limits])
        free = z3.And([satisfied(timer, there, at) for timer in timers])
        nearer = _strictly_between(at.last[name], number(value), step[name])
        ahead = z3.Or(_strictly_between(at.last[name], number(value), target[name]), number(value) == target[name])
        needed.append(z3.Not(z3.And(permitted, z3.Or(nearer, z3.And(ahead, free)))))
    return z3.And(needed)


def _strictly_between(one: z3.ArithRef, value: z3.ArithRef, other: z3.ArithRef) -> z3.BoolRef:
    return z3.Or(z3.And(one < value, value < other), z3.And(other < value, value < one))


def _held(ladder: Ladder) -> Obligation:
    rules = ladder.envelope.binding[Rung.HOLD]

    def claim(found: Decided) -> z3.BoolRef:
        last, at = ladder.now.at.last, ladder.now.at
        required = [*in_range(ladder.envelope, last), *(satisfied(rule, last, at) for rule in rules)]
        return z3.Implies(ladder.takes(found, Rung.HOLD), z3.And(ladder.now.remembers_last, *required))

    says = f"a command that is held keeps T0-T2 as of now ({len(rules)} rules of T1-T2)"
    shows: Violated = lambda call, ruling: _broken(ladder.envelope, call, ruling, Rung.HOLD)  # noqa: E731
    return ladder.prove("emitted/hold", says, claim, Mistake.HOLD_NOT_JUDGED, shows)


def _listed(ladder: Ladder) -> Obligation:
    """T0 of the step on every rung that commands: the claim that does not ask what the rules say."""
    envelope = ladder.envelope
    vectors = [entry.vector for entry in envelope.failsafe if entry.vector is not None]
    last_resorts = z3.BoolVal(all(spec.fits(vector[spec.name]) for vector in vectors for spec in envelope.setpoints))

    def claim(found: Decided) -> z3.BoolRef:
        sent = [
            z3.Implies(ladder.takes(found, rung), z3.And(in_range(envelope, command)))
            for rung, command in found.commands.items()
        ]
        return z3.And(*sent, z3.Implies(ladder.takes(found, Rung.FAILSAFE), last_resorts))

    says = "whatever is read back or in force: every rung sends numbers in range, and of a discrete setpoint a listed value"
    shows: Violated = lambda call, ruling: _unlisted(envelope, ruling)  # noqa: E731
    return ladder.prove("emitted/values", says, claim, Mistake.STEP_RANGE_NOT_CHECKED, shows)


def _unlisted(envelope: Envelope, ruling: Ruling) -> str | None:
    sent = ruling.command.setpoints
    unfit = [spec.name for spec in envelope.setpoints if sent and not spec.fits(sent[spec.name])]
    return f"the kernel sends `{unfit[0]}` {sent[unfit[0]]:.6g}" if unfit else None


def _broken(envelope: Envelope, call: Call, ruling: Ruling, rung: Rung) -> str | None:
    """Return the kernel's reason where a command breaks a rule of its rung that was not recorded as waived, else None."""
    if ruling.command.rung is not rung:
        return None
    unlisted = _unlisted(envelope, ruling)
    if unlisted is not None:
        return unlisted
    waived = {f.rule for f in ruling.chosen.verdict.findings if f.outcome is Outcome.WAIVED}
    now = call.situation(envelope, ruling)
    for rule in envelope.binding[rung]:
        _, finding = judge_rule(rule, ruling.command.setpoints, now, "step", frozenset())
        if finding is not None and finding.refuses and rule.id not in waived:
            return f"the kernel sends it: {finding.detail}"
    return None


def _available(ladder: Ladder) -> Obligation:
    envelope, now = ladder.envelope, ladder.now

    def claim(found: Decided) -> z3.BoolRef:
        standing = [z3.And(ladder.takes(found, RUNG[s]), found.judged[s].accepted) for s in RUNG]
        held = [satisfied(rule, now.at.last, now.at) for rule in envelope.binding[Rung.HOLD]]
        entries = [
            found.entry == place
            for place, entry in enumerate(envelope.failsafe)
            if entry.vector is not None and keeps_static_limits(envelope, entry.vector)
        ]
        standing.append(z3.And(ladder.takes(found, Rung.HOLD), *held))
        standing.append(z3.And(ladder.takes(found, Rung.FAILSAFE), z3.Or(entries)))
        return z3.Or(*standing, ladder.takes(found, Rung.RELINQUISH))

    says = "some rung is always available: whatever happens one is taken, and its verdict accepts"
    shows: Violated = lambda call, ruling: None if ruling.chosen.verdict.accepted else "no rung accepts"  # noqa: E731
    found = ladder.prove("available", says, claim, Mistake.VERDICT_IGNORED, shows)
    return found if found.fails else _with_detail(found, _last_one(ladder))


def _last_one(ladder: Ladder) -> str:
    gone = [ladder.takes(ladder.found, Rung.RELINQUISH), z3.Not(ladder.now.local)]
    result, _ = ladder.ground.ask(*gone)
    if result == z3.unsat:
        return "while this service is in control a fail-safe entry always applies: control is never given back"
    return "relinquish comes last: where no fail-safe entry applies, the local system resumes"


def _with_detail(found: Obligation, detail: str) -> Obligation:
    return Obligation(found.name, found.says, found.answer, detail, found.example, found.by, found.seeded)


def _removed(ladder: Ladder) -> Iterator[Obligation]:
    """Prove that a source without authority does not act: a state rule, the guard, or the local system took it."""
    for rule in ladder.envelope.state_rules:
        holds, sources = ladder.now.satisfied[rule.id], rule.removes
        says = f"while `{rule.id}` is violated, {', '.join(sources)} cannot act"
        claim = _nobody(ladder, z3.Not(holds), sources)
        shows = _acts_though_violated(sources, rule.id)
        yield ladder.prove(f"removed/{rule.id}", says, claim, Mistake.STATE_RULES_IGNORED, shows)
    for source in Source:
        says = f"the {source} does not act in a decision from which the guard has taken it"
        claim = _nobody(ladder, ladder.now.without[source], (source,))
        shows = _acts_though_taken(source)
        yield ladder.prove(f"removed/guard/{source}", says, claim, Mistake.GUARD_IGNORED, shows)

    def local(found: Decided) -> z3.BoolRef:
        return z3.Implies(ladder.now.local, ladder.takes(found, Rung.RELINQUISH))

    says = "while the local system is in control, nothing is commanded"
    shows = lambda call, ruling: "it commands" if ruling.command.setpoints else None  # noqa: E731
    yield ladder.prove("removed/local", says, local, Mistake.LOCAL_IGNORED, shows)


def _nobody(ladder: Ladder, when: z3.BoolRef, sources: tuple[Source, ...]) -> Claim:
    return lambda found: z3.Implies(when, z3.And([z3.Not(ladder.takes(found, RUNG[source])) for source in sources]))


def _acts_though_violated(sources: tuple[Source, ...], rule: str) -> Violated:
    def shows(call: Call, ruling: Ruling) -> str | None:
        found = [f for f in ruling.state if f.rule == rule]
        acts = ruling.command.rung in {RUNG[source] for source in sources}
        return f"the {ruling.command.rung} acts: {found[0].detail}" if found and acts else None

    return shows


def _acts_though_taken(source: Source) -> Violated:
    def shows(call: Call, ruling: Ruling) -> str | None:
        return "it acts" if ruling.command.rung is RUNG[source] and source in call.without else None

    return shows


def _latched(ladder: Ladder) -> Iterator[Obligation]:
    now = ladder.now

    def shows(call: Call, ruling: Ruling) -> str | None:
        lost = {latch.rule for latch in call.memory.latches} - {latch.rule for latch in ruling.memory.latches}
        acts = ruling.memory.latches and ruling.command.rung is Rung.CANDIDATE
        return f"the latch of {sorted(lost)} is gone" if lost else "the candidate acts" if acts else None

    says = "no decision takes back a latch: it stays until an operator resets it"
    yield ladder.prove(
        "latch/stays", says, lambda found: z3.Implies(now.latched_before, found.latched), Mistake.LATCH_FORGOTTEN, shows
    )
    trips = [rule for rule in ladder.envelope.state_rules if rule.latching]
    says = f"while a trip is latched ({len(trips)} trips, or an operator's own) the candidate does not act"
    kept_out: Claim = lambda found: z3.Implies(now.latched, z3.Not(ladder.takes(found, Rung.CANDIDATE)))  # noqa: E731
    yield ladder.prove("latch/keeps_out", says, kept_out, Mistake.ACTS_WHILE_LATCHED, shows)


def _holding_ends(ladder: Ladder) -> Obligation:
    """With what is remembered of the time held never below the truth, a command is held only while less than the limit."""
    true_us, now = z3.Real("ghost.held_us"), ladder.now
    remembered = now.held_us >= true_us

    def claim(found: Decided) -> z3.BoolRef:
        kept = z3.And(true_us < ladder.envelope.hold_max_us, found.held_us >= true_us)
        return z3.Implies(ladder.takes(found, Rung.HOLD), kept)

    most_s = ladder.envelope.hold_max_us / 1e6
    says = f"a hold is not prolonged once {most_s:g} s have been held, and holding does not restart its time"
    shows: Violated = lambda call, ruling: (  # noqa: E731
        "the time held is forgotten"
        if ruling.command.rung is Rung.HOLD and ruling.memory.held_us < call.memory.held_us
        else None
    )
    return ladder.prove("induction/hold", says, claim, Mistake.HELD_TIME_RESET, shows, remembered, true_us >= 0)


def _failsafe_is_kept(ladder: Ladder) -> Obligation:
    now, envelope = ladder.now, ladder.envelope
    in_force = z3.And(now.failsafe >= 0, now.failsafe < len(envelope.failsafe), z3.Not(now.local))

    def claim(found: Decided) -> z3.BoolRef:
        nobody = z3.Not(z3.Or(list(found.acts.values())))
        kept = z3.And(found.entry == now.failsafe, z3.Not(ladder.takes(found, Rung.HOLD)))
        regained = z3.Implies(z3.Not(nobody), found.entry == NO_ENTRY)
        return z3.And(z3.Implies(z3.And(in_force, nobody), kept), regained)

    says = "a fail-safe entry once taken is kept until a source acts again, so it cannot flap"
    shows: Violated = lambda call, ruling: (  # noqa: E731
        f"`{call.memory.failsafe}` gives way to `{ruling.memory.failsafe}`"
        if ruling.command.rung in (Rung.HOLD, Rung.FAILSAFE) and ruling.memory.failsafe != call.memory.failsafe
        else None
    )
    return ladder.prove("induction/failsafe", says, claim, Mistake.FAILSAFE_FLAPS, shows)
