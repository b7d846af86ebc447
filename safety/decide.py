"""The decision: the ladder, what binds each of its rungs, and how one rule is judged. This page is the meaning.

`decide` is pure. Every proposal is judged on every tick, whole, by every rule that binds its rung, without short circuit;
then the highest rung that has authority and an accepting verdict is taken. Nothing is repaired.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import inf, isfinite, nan

from safety.envelope import Envelope
from safety.forms.compiled import Compiled
from safety.inputs import Amended, Managed, manage
from safety.memory import aged, latched, later, remembered
from safety.ramp import T0_RANGE, Ramped, may_give_way, ramp
from safety.rules.base import US_PER_S, CommandRule, FailSafe, Situation
from safety.rules.command_rules import Bound
from safety.rules.conditions import Names
from safety.values import (
    Authority,
    Command,
    Finding,
    Judgement,
    Memory,
    Observation,
    Outcome,
    Proposal,
    Ruling,
    Rung,
    Setpoints,
    Signal,
    Source,
    Status,
    Tier,
    Verdict,
)

RUNG = {Source.CANDIDATE: Rung.CANDIDATE, Source.OPERATOR: Rung.OPERATOR, Source.INCUMBENT: Rung.INCUMBENT}
# The incumbent first: its step is what the policy's is compared with.
_ORDER = (Source.INCUMBENT, Source.CANDIDATE, Source.OPERATOR)
_NOTHING: frozenset[str] = frozenset()
NO_MEASURES: Mapping[str, Signal] = {}


def decide(
    observation: Observation,
    proposals: Mapping[Source, Proposal],
    assigned: Source,
    envelope: Envelope,
    memory: Memory,
    *,
    elapsed_us: int,
    epoch: int,
    without: frozenset[Source] = frozenset(),
    measured: Mapping[str, Signal] = NO_MEASURES,
) -> Ruling:
    """Judge every proposal, then take the highest rung that may act: assigned, incumbent, hold, fail-safe, relinquish.

    `elapsed_us` is monotonic time since `memory` was last aged; `without` names sources a guard has removed; `measured`
    holds measures of the candidate's proposal, which rules look up by name as they do signals.
    """
    managed = manage(observation, envelope.inputs, memory, elapsed_us)
    return decide_managed(managed, proposals, assigned, envelope, epoch=epoch, without=without, measured=measured)


def decide_managed(
    managed: Managed,
    proposals: Mapping[Source, Proposal],
    assigned: Source,
    envelope: Envelope,
    *,
    epoch: int,
    without: frozenset[Source] = frozenset(),
    measured: Mapping[str, Signal] = NO_MEASURES,
) -> Ruling:
    """`decide` on an observation whose inputs have been managed by this envelope already, for those who propose."""
    observation, memory, state = observe_managed(managed, envelope, measured)
    removed = authority_removed(observation, envelope, memory, state) | without
    now = situation(observation, memory, envelope)
    standing = now.last is not None and is_permitted(envelope.entered, now.last, now)
    judged: dict[Source, Judgement] = {}
    for source in _ORDER:
        if source in proposals:
            judged[source] = judge_proposal(proposals[source], RUNG[source], now, envelope, standing=standing)
            if source is Source.INCUMBENT and judged[source].verdict.accepted:
                now = Situation(now.signals, now.last, judged[source].step, now.dt_s, now.states)
    may_act = (judged[s] for s in (assigned, Source.INCUMBENT) if s in judged and s not in removed)
    chosen = next((judgement for judgement in may_act if judgement.verdict.accepted), None)
    failsafe = None
    if chosen is None:
        chosen, failsafe = last_resort(observation, now, envelope, memory)
    command = Command.from_judgement(chosen, valid_for_us=envelope.valid_for_us, epoch=epoch)
    after = remembered(memory, envelope, now.last, command, failsafe)
    return Ruling(command, chosen, tuple(judged.values()), tuple(sorted(removed)), state, after, now.dt_s)


def judge_rule(
    rule: CommandRule, proposed: Setpoints, now: Situation, about: str, waived: frozenset[str]
) -> tuple[float, Finding | None]:
    """Ask one rule: its margin, and a finding unless the margin is >= 0.

    It accepts only on a margin >= 0: NaN refuses, and a rule that errors refuses. Slew and dwell (T3, T4) give way on
    the setpoints that had to enter the permitted set.
    """
    if rule.needs_last and now.last is None:
        return inf, Finding(rule.id, rule.tier, Outcome.SKIPPED, inf, about, "no command in force and none read back")
    try:
        margin = rule.margin(proposed, now)
        if margin >= 0:
            return margin, None
        gave_way = may_give_way(rule) and waived.issuperset(rule.setpoints)
        outcome = Outcome.WAIVED if gave_way else Outcome.VETO
        return margin, Finding(rule.id, rule.tier, outcome, margin, about, rule.explain(proposed, now))
    except Exception as error:  # an unknown limit is not a wide limit
        return nan, _fault(rule.id, rule.tier, about, error)


def judge(target: Setpoints, ramped: Ramped, rung: Rung, now: Situation, envelope: Envelope) -> Verdict:
    """Judge target and step by all rules that bind the rung. The target is free of slew, dwell and trust region.

    The compiled form answers where every rule accepts; what refuses, and what is unusual, is asked rule by rule.
    """
    compiled = envelope.compiled[rung]
    answer = compiled.arrived if ramped.step == target else compiled.margins
    try:
        answered = answer(target, ramped.step, now)
    except Exception:  # whose fault it was, and what it means, is for the rules to say
        answered = None
    if answered is None:
        return judge_plainly(target, ramped, rung, now, envelope)
    margins, accepted = answered
    if accepted:
        return Verdict(True, (), margins, "", envelope.digest)
    refusing = [rule for rule in envelope.binding[rung] if not margins[rule.id] >= 0]
    return _judge_by_rule(refusing, target, ramped, now, envelope, margins)


def is_permitted(compiled: Compiled, command: Setpoints, now: Situation) -> bool:
    """Whether a command in force is known to be accepted by a set of rules. False may also mean that it takes asking."""
    try:
        return compiled.stands(command, command, now) is True
    except Exception:  # the rules will say what is wrong
        return False


def judge_plainly(target: Setpoints, ramped: Ramped, rung: Rung, now: Situation, envelope: Envelope) -> Verdict:
    """The meaning of `judge`: T0 of the step, and every rule that binds the rung, one by one, about target and step."""
    return _judge_by_rule(envelope.binding[rung], target, ramped, now, envelope, {})


def _judge_by_rule(
    rules: Sequence[CommandRule],
    target: Setpoints,
    ramped: Ramped,
    now: Situation,
    envelope: Envelope,
    margins: dict[str, float],
) -> Verdict:
    findings = _outside(ramped.step, "step", envelope)
    step, arrived = ramped.step, ramped.step == target
    for rule in rules:
        margin, finding = inf, None
        if not rule.step_only:
            margin, finding = judge_rule(rule, target, now, "target", _NOTHING)
            if finding is not None:
                findings.append(finding)
        if rule.step_only or not arrived:
            of_step, finding = judge_rule(rule, step, now, "step", ramped.waived)
            margin = _smaller(of_step, margin)
            if finding is not None:
                findings.append(finding)
        margins[rule.id] = margin
    return verdict_of(margins, findings, envelope)


def verdict_of(margins: Mapping[str, float], findings: list[Finding], envelope: Envelope) -> Verdict:
    """Accepted unless something refuses; the order in which rules were asked cannot matter."""
    findings.sort(key=lambda f: (f.tier, f.rule, f.about))
    first = next((f.rule for f in findings if f.refuses), "")
    return Verdict(not first, tuple(findings), margins, first, envelope.digest)


def judge_proposal(
    proposal: Proposal, rung: Rung, now: Situation, envelope: Envelope, *, standing: bool = False
) -> Judgement:
    """T0 first, for nothing else can be asked of a target that is not there; then ramp, then target and step.

    `standing`: the last command is known to be permitted by T0-T2, so that no ramp has to enter anything.
    """
    malformed = _malformed(proposal, envelope)
    if malformed is not None:
        return Judgement(rung, {}, {}, verdict_of({malformed.rule: nan}, [malformed], envelope))
    target = {name: float(value) for name, value in proposal.targets.items()}
    try:
        ramped = ramp(target, now, envelope.ramp_plan, standing=standing)
        verdict = judge(target, ramped, rung, now, envelope)
        if _refuses_step(verdict) and envelope.ramp_plan.discrete:
            # No permitted step under the new discrete values: keep the old ones and wait.
            kept = ramp(target, now, envelope.ramp_plan, keep_discrete=True, standing=standing)
            if any(kept.step[name] != ramped.step[name] for name in envelope.ramp_plan.discrete):
                ramped, verdict = kept, judge(target, kept, rung, now, envelope)
    except Exception as error:  # a rule that cannot answer the ramp has no answer for the judge either
        fault = _fault("T0-ramp", Tier.T0, "step", error)
        return Judgement(rung, target, {}, verdict_of({fault.rule: nan}, [fault], envelope))
    return Judgement(rung, target, ramped.step, verdict, ramped.waiting)


def last_resort(
    observation: Observation, now: Situation, envelope: Envelope, memory: Memory
) -> tuple[Judgement, str | None]:
    """Hold the last command while it may be held, else the fail-safe list, else relinquish. Also names the entry taken."""
    if observation.authority is Authority.LOCAL:
        return _relinquish(envelope), None
    if memory.failsafe is None and memory.last is not None and memory.held_us < envelope.hold_max_us:
        verdict = judge(memory.last, Ramped(memory.last), Rung.HOLD, now, envelope)
        if verdict.accepted:
            return Judgement(Rung.HOLD, memory.last, memory.last, verdict), None
    kept = memory.failsafe if memory.failsafe in envelope.failsafe_ids else None
    for entry in envelope.failsafe:
        if entry.id != kept and (kept is not None or not _applies(entry, now)):
            continue
        if entry.vector is None:
            return _relinquish(envelope), entry.id
        verdict = _judge_failsafe(entry.vector, now, envelope)
        if verdict.accepted:
            return Judgement(Rung.FAILSAFE, entry.vector, entry.vector, verdict), entry.id
    return _relinquish(envelope), kept


def observe(
    observation: Observation,
    envelope: Envelope,
    memory: Memory,
    elapsed_us: int,
    measured: Mapping[str, Signal] = NO_MEASURES,
) -> tuple[Observation, Memory, tuple[Finding, ...]]:
    """Manage the inputs, then `observe_managed`."""
    return observe_managed(manage(observation, envelope.inputs, memory, elapsed_us), envelope, measured)


def observe_managed(
    managed: Managed, envelope: Envelope, measured: Mapping[str, Signal] = NO_MEASURES
) -> tuple[Observation, Memory, tuple[Finding, ...]]:
    """Put the measures beside the signals, age the memory, ask the state rules, and latch what latches.

    Returns the observation that rules look at, the memory, and the findings of violated rules. Where no rule is
    violated the written-out form says so; `observe_plainly` is the meaning.
    """
    observation, memory, elapsed_us = managed.observation, managed.memory, managed.elapsed_us
    if measured:
        observation = replace(observation, signals=Amended(observation.signals, measured))
    quiet = _quiet(observation, envelope, memory, max(0, elapsed_us))
    if quiet is not None:
        return observation, quiet, ()
    return observation, *observe_plainly(observation, envelope, memory, elapsed_us)


def _quiet(observation: Observation, envelope: Envelope, memory: Memory, elapsed_us: int) -> Memory | None:
    """The memory `elapsed_us` later where no state rule has anything to say; None: ask them."""
    try:
        states = envelope.watched.quiet(observation, memory.rules, elapsed_us)
    except Exception:  # whose fault it was is for the rules to say
        return None
    return None if states is None else later(memory, states, elapsed_us)


def observe_plainly(
    observation: Observation, envelope: Envelope, memory: Memory, elapsed_us: int
) -> tuple[Memory, tuple[Finding, ...]]:
    """The meaning of `observe`, once the inputs are managed: every rule is aged and asked, one by one."""
    memory, faults = aged(memory, envelope, observation, elapsed_us)
    findings = [_fault(rule.id, rule.tier, "state", error) for rule, error in faults]
    for rule in envelope.state_rules:
        state = memory.rules.get(rule.id, ())
        try:
            margin = rule.margin(observation, state)
            if margin >= 0:
                continue
            finding = Finding(rule.id, rule.tier, Outcome.VETO, margin, "state", rule.explain(observation, state))
        except Exception as error:  # an unknown limit is not a wide limit
            finding = _fault(rule.id, rule.tier, "state", error)
        findings.append(finding)
    ordered = tuple(sorted(findings, key=lambda f: (f.tier, f.rule)))
    return latched(memory, envelope, ordered), ordered


def authority_removed(
    observation: Observation, envelope: Envelope, memory: Memory, state: tuple[Finding, ...]
) -> frozenset[Source]:
    """The sources that may not act: by a state rule, by a latch, or because the local system is in control."""
    if observation.authority is Authority.LOCAL:
        return frozenset(Source)
    if not state and not memory.latches:
        return frozenset()
    violated = {finding.rule for finding in state}
    removed = {source for rule in envelope.state_rules if rule.id in violated for source in rule.removes}
    return frozenset(removed | ({Source.CANDIDATE} if memory.latches else set()))


def situation(observation: Observation, memory: Memory, envelope: Envelope) -> Situation:
    """What command rules may look at. The step's time is at most one period, however long the gap was."""
    dt_s = min(memory.since_us, envelope.period_us) / US_PER_S
    return Situation(observation.signals, _last(observation, memory, envelope), None, dt_s, memory.rules)


def _last(observation: Observation, memory: Memory, envelope: Envelope) -> Setpoints | None:
    """The command in force; without one, what the plant reads back, if that is complete and finite."""
    if memory.last is not None and memory.last.keys() == envelope.names:
        return memory.last
    readback = observation.readback or {}
    if all(isfinite(readback.get(name, nan)) for name in envelope.names):
        return {spec.name: float(readback[spec.name]) for spec in envelope.setpoints}
    return None


def _applies(entry: FailSafe, now: Situation) -> bool:
    """Whether a fail-safe entry is for this situation; an unknown condition counts as active."""
    return entry.when is None or entry.when.holds(Names(now.signals, now.last or {})) is not False


def _judge_failsafe(vector: Setpoints, now: Situation, envelope: Envelope) -> Verdict:
    """Bound by T0 and static T1; every other rule it breaks is recorded as waived, for there is nothing better to command."""
    margins: dict[str, float] = {}
    findings = _outside(vector, "step", envelope)
    for rule in envelope.binding[Rung.INCUMBENT]:
        margins[rule.id], finding = judge_rule(rule, vector, now, "step", _NOTHING)
        if finding is not None:
            binds = rule.tier <= Tier.T1 and isinstance(rule, Bound)
            findings.append(finding if binds or not finding.refuses else replace(finding, outcome=Outcome.WAIVED))
    return verdict_of(margins, findings, envelope)


def _relinquish(envelope: Envelope) -> Judgement:
    """The last rung: no command of this service; the plant's local system resumes. Always available."""
    return Judgement(Rung.RELINQUISH, {}, {}, Verdict(True, (), {}, "", envelope.digest))


def _smaller(one: float, other: float) -> float:
    """The smaller margin; an unknown one is the smallest there is."""
    return one if one != one or one < other else other


def _refuses_step(verdict: Verdict) -> bool:
    return not verdict.accepted and any(f.about == "step" and f.refuses for f in verdict.findings)


def _fault(rule: str, tier: Tier, about: str, error: Exception) -> Finding:
    return Finding(rule, tier, Outcome.ERROR, nan, about, f"the rule failed: {type(error).__name__}: {error}")


def _malformed(proposal: Proposal, envelope: Envelope) -> Finding | None:
    """The T0 finding on a proposal that is not a complete vector of finite numbers in range, or None."""
    if proposal.status is not Status.OK:
        detail = proposal.detail or f"the {proposal.source} gave no answer: {proposal.status}"
        return _refused(f"T0-{proposal.status}", detail)
    if proposal.targets.keys() != envelope.names:
        wrong = sorted(map(str, proposal.targets.keys() ^ envelope.names))
        return _refused("T0-schema", f"setpoints missing or not known: {', '.join(wrong)}")
    return next(iter(_outside(proposal.targets, "target", envelope)), None)


def _outside(setpoints: Setpoints, about: str, envelope: Envelope) -> list[Finding]:
    """The T0 finding on setpoints of which one is not a finite number of its range or, if discrete, not one of its values."""
    unfit = [s.misfit(setpoints.get(s.name)) for s in envelope.setpoints if not s.fits(setpoints.get(s.name))]
    return [Finding(T0_RANGE, Tier.T0, Outcome.VETO, nan, about, "; ".join(unfit))] if unfit else []


def _refused(rule: str, detail: str) -> Finding:
    return Finding(rule, Tier.T0, Outcome.VETO, nan, "target", detail)
