"""What is proved of handover: the incumbent's first step is accepted wherever the plant was left, and when it arrives.

"Wherever" is any command in force or read back whose discrete values T0 lists, also one that T0-T2 forbid; "towards" is
any target that the rules permit the incumbent now. The proof takes from `ramp/RULE` what is proved of one line, and goes
through the whole of target, discrete setpoints, waivers, step and second try as the kernel does.
"""

from collections.abc import Iterator
from math import ceil, inf

import z3

from safety.decide import judge_proposal
from safety.envelope import Envelope
from safety.loading.when import names_in
from safety.proof.replay import situation_of, vector_of
from safety.proof.solver import ANALYTIC, Answer, Example, Ground, Obligation, Seeded, prove
from safety.proof.symbolic_decide import Judged, any_proposal, judge_in_symbols
from safety.proof.symbolic_rules import World, in_range, listed, satisfied, world
from safety.ramp import RampGroup
from safety.rules.base import US_PER_S, CommandRule
from safety.rules.command_rules import Bound, Dwell, Interlock, Relation, Slew
from safety.values import Proposal, Rung, Source, Tier

_WHO = Source.INCUMBENT
_SHORTER = 1.0 - 1e-9


def the_incumbent_regains_the_plant(envelope: Envelope) -> Iterator[Obligation]:
    """The first step; what stands in its way where discrete setpoints have to wait; and the time it takes."""
    at = world(envelope, anywhere=True)
    discrete = {spec.name for spec in envelope.setpoints if spec.values is not None}
    conditional = [rule for rule in envelope.command_rules if rule.tier <= Tier.T2 and looked_at(rule) & discrete]
    judged = judge_in_symbols(envelope, any_proposal(envelope, _WHO), _WHO, at, exact=False, on_line=True)
    free = judge_in_symbols(envelope, any_proposal(envelope, _WHO), _WHO, at, exact=False)
    names = {name for rule in conditional for name in looked_at(rule) & discrete}
    yield _first_step(envelope, at, judged, free, names)
    for name in sorted(names):
        yield _while_it_waits(envelope, at, judged, name, [rule.id for rule in conditional if name in looked_at(rule)])
    yield from times_to_arrive(envelope)


def looked_at(rule: CommandRule) -> set[str]:
    """Names a limit looks up, besides the setpoint it limits."""
    if isinstance(rule, Interlock):
        terms = [name for linear in (rule.low, rule.high) if linear is not None for name, _ in linear.terms]
        return {*terms, *(names_in(rule.when) if rule.when is not None else ())}
    return {name for name, _ in rule.terms} if isinstance(rule, Relation) else set()


def _permitted_target(envelope: Envelope, at: World) -> list[z3.BoolRef]:
    """Any target that is complete, in range, and permitted to the incumbent as of now."""
    proposal = any_proposal(envelope, _WHO)
    limits = [rule for rule in envelope.binding[Rung.INCUMBENT] if not rule.step_only]
    permitted = [satisfied(rule, proposal.target, at) for rule in limits]
    return [
        *at.assumed,
        *listed(envelope, at.last),
        proposal.answered,
        *in_range(envelope, proposal.target),
        *permitted,
    ]


def _first_step(envelope: Envelope, at: World, judged: Judged, free: Judged, still: set[str]) -> Obligation:
    target = any_proposal(envelope, _WHO).target
    same = [target[name] == at.last[name] for name in sorted(still)]
    assumed = Ground([*_permitted_target(envelope, at), *same, *judged.facts])
    says = "from any command in force the incumbent's first step towards any target it may have is accepted"
    if still:
        says += f", while {' and '.join(f'`{name}`' for name in sorted(still))} stay as they are"
    unruled = Ground([*_permitted_target(envelope, at), *same, *free.facts])
    seeded = Seeded("a ramp that looks neither at rates nor at limits", free.accepted, unruled)
    return prove(
        "handover/first_step", says, assumed, judged.accepted, seeded, replay=lambda found: refused(found, envelope)
    )


def refused(example: Example, envelope: Envelope) -> str | None:
    """Return the kernel's reason where it refuses the incumbent's proposal in an example, else None."""
    proposal = Proposal(_WHO, vector_of(example, f"{_WHO}.target", envelope))
    verdict = judge_proposal(proposal, Rung.INCUMBENT, situation_of(example, envelope), envelope).verdict
    refusing = [finding for finding in verdict.findings if finding.refuses]
    return f"`{refusing[0].rule}` refuses the {refusing[0].about}: {refusing[0].detail}" if refusing else None


def _while_it_waits(envelope: Envelope, at: World, judged: Judged, name: str, rules: list[str]) -> Obligation:
    """A target permitted only with a new discrete value may be refused while that value waits: shown, not refused."""
    named = " and ".join(f"`{rule}`" for rule in rules)
    says = f"the incumbent's first step is accepted also where it changes `{name}`, on which {named} depends"
    ground = Ground([*_permitted_target(envelope, at), *judged.facts])
    result, _ = ground.ask(z3.Not(judged.accepted))
    if result == z3.unsat:
        return Obligation(f"handover/{name}", says, Answer.PROVED, by=ANALYTIC)
    if result != z3.sat:
        return Obligation(f"handover/{name}", says, Answer.UNKNOWN, "z3 did not decide it")
    example, detail = ground.reproduced(lambda found: refused(found, envelope), z3.Not(judged.accepted))
    why = "it can be refused for as long as that waits for its dwell, and the ladder holds or takes the last resort"
    return Obligation(f"handover/{name}", says, Answer.WARNED, f"{why}: {detail or 'no example in floats'}", example)


def times_to_arrive(envelope: Envelope) -> Iterator[Obligation]:
    """Prove the time the incumbent needs to any target that stays permitted, at one decision a period: the slowest of all."""
    period_s = envelope.period_us / US_PER_S
    times = [(group_s(group, envelope), " and ".join(group.setpoints)) for group in envelope.ramp_plan.groups]
    times += [(dwell_s(rule), rule.id) for rule in envelope.command_rules if isinstance(rule, Dwell)]
    slowest_s, which = max(times, default=(0.0, "nothing"))
    detail = f"at most {slowest_s + period_s:.0f} s, one period to begin with included, by `{which}`"
    joined = [(s, name) for (s, name), g in zip(times, envelope.ramp_plan.groups, strict=False) if len(g.setpoints) > 1]
    detail += "".join(f"; along one line {name}: {s + period_s:.0f} s" for s, name in joined)
    says = "how long the incumbent needs from any permitted command to any other that stays permitted"
    yield Obligation("handover/time", says, Answer.COMPUTED, detail, by=ANALYTIC)


def time_to_arrive_s(envelope: Envelope) -> float:
    """The bound that `handover/time` prints [s]."""
    times = [group_s(group, envelope) for group in envelope.ramp_plan.groups]
    times += [dwell_s(rule) for rule in envelope.command_rules if isinstance(rule, Dwell)]
    return max(times, default=0.0) + envelope.period_us / US_PER_S


def group_s(group: RampGroup, envelope: Envelope) -> float:
    """The time one line takes [s].

    By rates alone every step goes the same share of the line, so the slowest setpoint's number of steps is everybody's.
    A step that a window stops short has used the window up; then a window's length passes at most for each `most` that
    is still to go, and one to begin with. The two add up, for a step is stopped by one or by the other.
    """
    period_s = envelope.period_us / US_PER_S
    width = {r.setpoint: r.high - r.low for r in envelope.command_rules if isinstance(r, Bound) and r.tier is Tier.T1}
    steps, windows_s = 1, 0.0
    for rule in group.slews:
        if isinstance(rule, Slew):
            slowest = min(rule.up_per_s, rule.down_per_s)
            steps = max(steps, 1 if slowest == inf else ceil(width[rule.setpoint] / (slowest * _SHORTER * period_s)))
        else:
            windows_s += (width[rule.setpoint] // rule.most + 2) * (rule.window_us / US_PER_S + period_s)
    return steps * period_s + windows_s


def dwell_s(rule: Dwell) -> float:
    """The longest wait of one change of a discrete setpoint [s]."""
    return max(rule.min_on_us, rule.min_off_us, rule.window_us) / US_PER_S
