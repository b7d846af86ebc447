"""What is proved of every envelope, one function per obligation. Each returns its answers; none decides alone."""

from collections.abc import Iterator, Sequence
from math import inf

import z3

from safety.command_rules import Bound, Dwell, Interlock, RateWindow, Relation, Slew
from safety.envelope import Envelope
from safety.money_rules import Budget
from safety.proof.lowering import (
    Vector,
    World,
    affordable,
    applies,
    in_range,
    number,
    satisfied,
    vector,
    world,
)
from safety.proof.question import Answer, Obligation, ask, prove
from safety.proof.replay import reproduced
from safety.rules import US_PER_S, CommandRule, StateRule
from safety.values import Rung, Source, Tier
from safety.when import names_in


def emitted_is_permitted(envelope: Envelope) -> Iterator[Obligation]:
    """The ladder in symbols: whoever's command goes out, every rule that binds its rung accepts it.

    This is of the ladder as it is written down here; that `decide` is that ladder is held by property tests.
    """
    at = world(envelope)
    proposals = {rung: vector(envelope, rung.value) for rung in (Rung.CANDIDATE, Rung.INCUMBENT)}
    proposals[Rung.HOLD] = at.last
    for rung, proposed in proposals.items():
        accepted = z3.And([*in_range(envelope, proposed), *_all(envelope.binding[rung], proposed, at)])
        out = {name: z3.Real(f"out.{name}") for name in proposed}
        sent = z3.Implies(accepted, z3.And([out[name] == proposed[name] for name in out]))
        assumed = [*at.assumed, sent, accepted]
        claim = z3.And([*in_range(envelope, out), *_all(envelope.binding[rung], out, at)])
        careless = z3.And(_all(envelope.binding[rung], {**out, **_nudged(out)}, at))
        yield prove(f"emitted/{rung}", f"a command of the rung `{rung}` satisfies every rule that binds it", assumed,
                    claim, careless)  # fmt: skip


def last_resorts_stand(envelope: Envelope) -> Iterator[Obligation]:
    """Every fail-safe vector keeps all of T1 and T2 over the whole declared domain, also where signals are unknown.

    Over the whole domain and not only while its `when` holds: once chosen, an entry is kept.
    """
    at = world(envelope)
    for entry in envelope.failsafe:
        if entry.vector is None:
            continue
        constant = {name: number(value) for name, value in entry.vector.items()}
        outside = {**constant, **{name: number(_beyond(envelope, name)) for name in constant}}
        for rule in _tiers(envelope, Tier.T2):
            says = f"fail-safe `{entry.id}` keeps rule `{rule.id}` whatever is measured or not measured"
            mistaken = satisfied(rule, outside, at) if isinstance(rule, Bound) else z3.BoolVal(False)
            found = prove(f"failsafe/{entry.id}/{rule.id}", says, at.assumed, satisfied(rule, constant, at), mistaken)
            if found.answer is Answer.REFUTED and found.example:
                found = reproduced(found, envelope, rule, entry.vector)
            yield found


def some_rung_is_always_there(envelope: Envelope) -> Iterator[Obligation]:
    """A fail-safe entry that applies in every situation, or the last rung, which needs nothing."""
    at = world(envelope)
    claim = z3.Or([applies(entry, at.last, at) for entry in envelope.failsafe] or [z3.BoolVal(False)])
    result, example = ask([*at.assumed, z3.Not(claim)])
    says = "some rung is always available"
    detail = "a fail-safe entry applies in every situation"
    if result != z3.unsat:
        detail = "relinquish: where no fail-safe entry applies, the local system resumes"
    yield Obligation("available", says, Answer.PROVED, detail, example if result == z3.sat else {})


def rules_are_neither_dead_nor_contradictory(envelope: Envelope) -> Iterator[Obligation]:
    """Some command is permitted; each rule refuses something; a rule that others always forestall is warned of."""
    at, proposed = world(envelope), vector(envelope, "candidate")
    possible = [*at.assumed, *in_range(envelope, proposed), *in_range(envelope, at.reference)]
    formulas = {rule.id: satisfied(rule, proposed, at) for rule in envelope.command_rules}
    together, _ = ask([*possible, *formulas.values()])
    permitted = Answer.PROVED if together == z3.sat else Answer.REFUTED
    detail = "" if together == z3.sat else f"all rules together are {together}: {_culprits(possible, formulas)}"
    yield Obligation("consistent", "some command satisfies all rules together", permitted, detail)
    for rule in envelope.command_rules:
        alive, _ = ask([*possible, z3.Not(formulas[rule.id])])
        yield _alive(rule, alive, envelope)
        others = [formula for name, formula in formulas.items() if name != rule.id]
        if alive == z3.sat and ask([*possible, *others, z3.Not(formulas[rule.id])])[0] == z3.unsat:
            says = f"rule `{rule.id}` is never the only one to refuse"
            yield Obligation(f"shadowed/{rule.id}", says, Answer.WARNED, "other rules always refuse with it")


def _alive(rule: CommandRule, alive: z3.CheckSatResult, envelope: Envelope) -> Obligation:
    says = f"rule `{rule.id}` can refuse something"
    if alive == z3.sat:
        return Obligation(f"alive/{rule.id}", says, Answer.PROVED)
    discrete = {spec.name for spec in envelope.setpoints if spec.values is not None}
    if alive == z3.unsat and isinstance(rule, Bound) and rule.setpoint in discrete:
        detail = "every value of the setpoint is inside; it is kept because every setpoint has a bound"
        return Obligation(f"alive/{rule.id}", says, Answer.WARNED, detail)
    answer = Answer.REFUTED if alive == z3.unsat else Answer.UNKNOWN
    return Obligation(
        f"alive/{rule.id}", says, answer, "nothing in the declared domain breaks it: widen that or drop it"
    )


def the_ramp_stays_permitted(envelope: Envelope) -> Iterator[Obligation]:
    """For fixed signals and discrete values each T0-T2 rule is convex, so a step between two permitted points is one.

    Setpoints joined by a relation share one fraction (`ramp_plan`), so along the line a relation is a line as well.
    """
    at = world(envelope)
    start, end, share = vector(envelope, "start"), vector(envelope, "end"), z3.Real("fraction")
    discrete = {spec.name for spec in envelope.setpoints if spec.values is not None}
    same = [start[name] == end[name] for name in discrete]
    between = [share >= 0, share <= 1]
    for rule in _tiers(envelope, Tier.T2):
        if rule.step_only or set(rule.setpoints) <= discrete:
            continue
        one, two = _height(rule, start), _height(rule, end)
        step = _moved(rule, start, one + share * (two - one))
        beyond = _moved(rule, start, one + (share + 1) * (two - one))
        assumed = [*at.assumed, *same, *between, satisfied(rule, start, at), satisfied(rule, end, at)]
        says = f"a step between two commands that rule `{rule.id}` permits is permitted by it"
        yield prove(f"ramp/{rule.id}", says, assumed, satisfied(rule, step, at), satisfied(rule, beyond, at))
    joined = all(
        any(set(rule.setpoints) - discrete <= set(group.setpoints) for group in envelope.ramp_plan.groups)
        for rule in envelope.command_rules
        if isinstance(rule, Relation)
    )
    answer = Answer.PROVED if joined else Answer.REFUTED
    yield Obligation("ramp/groups", "setpoints joined by a relation share one fraction", answer)


def time_is_kept(envelope: Envelope) -> Iterator[Obligation]:
    """One step of induction for what is remembered: dwell, rate window, slew; and exact money."""
    at, proposed = world(envelope), vector(envelope, "candidate")
    possible = [*at.assumed, *in_range(envelope, proposed)]
    for rule in envelope.command_rules:
        if isinstance(rule, Dwell):
            yield _dwell_kept(rule, proposed, at, possible)
        elif isinstance(rule, RateWindow):
            moved = proposed[rule.setpoint] - at.last[rule.setpoint]
            assumed = [*possible, at.timers[rule.id][0] <= number(rule.most), satisfied(rule, proposed, at)]
            total = at.timers[rule.id][0] + z3.If(moved >= 0, moved, -moved)
            says = f"all movement within the window of `{rule.id}` stays within it"
            most = number(rule.most)
            yield prove(f"induction/{rule.id}", says, assumed, total <= most, total < most)
        elif isinstance(rule, Slew):
            yield _slew_kept(rule, proposed, at, possible)
        elif isinstance(rule, Budget):
            assumed = [*possible, satisfied(rule, proposed, at), proposed[rule.setpoint] > number(rule.idle)]
            claim, mistaken = affordable(rule, at), at.signals[rule.spent] < at.signals[rule.spent]
            says = f"nothing is bid under `{rule.id}` that could be charged beyond it"
            yield prove(f"money/{rule.id}", says, assumed, claim, mistaken)


def _dwell_kept(rule: Dwell, proposed: Vector, at: World, possible: Sequence[z3.BoolRef]) -> Obligation:
    """With ghosts that count the true time since each change: what is remembered never runs ahead of it."""
    since_raise, since_lowering, _ = at.timers[rule.id]
    true_raise, true_lowering = z3.Real("ghost.raise"), z3.Real("ghost.lowering")
    value, last = proposed[rule.setpoint], at.last[rule.setpoint]
    invariant = z3.And(since_raise <= true_raise, since_lowering <= true_lowering)
    raised, lowered, elapsed = value > last, value < last, z3.Real("elapsed")
    after = z3.And(
        z3.If(raised, 0, since_raise) + elapsed <= z3.If(raised, 0, true_raise) + elapsed,
        z3.If(lowered, 0, since_lowering) + elapsed <= z3.If(lowered, 0, true_lowering) + elapsed,
    )
    waited = z3.And(
        z3.Implies(raised, true_lowering >= rule.min_off_us), z3.Implies(lowered, true_raise >= rule.min_on_us)
    )
    hasty = z3.And(
        z3.Implies(raised, true_lowering >= rule.min_off_us + 1), z3.Implies(lowered, true_raise >= rule.min_on_us + 1)
    )
    assumed = [*possible, invariant, elapsed >= 0, satisfied(rule, proposed, at)]
    says = f"no change under `{rule.id}` comes sooner after the last one than it says"
    return prove(f"induction/{rule.id}", says, assumed, z3.And(after, waited), z3.And(after, hasty))


def _slew_kept(rule: Slew, proposed: Vector, at: World, possible: Sequence[z3.BoolRef]) -> Obligation:
    moved = proposed[rule.setpoint] - at.last[rule.setpoint]
    period_s = z3.Real("period_s")
    rates = [(rate, way) for rate, way in ((rule.up_per_s, moved), (rule.down_per_s, -moved)) if rate != inf]
    claim = z3.And([way <= number(rate) * period_s for rate, way in rates])
    slower = z3.And([way <= number(rate) * period_s / 2 for rate, way in rates])
    assumed = [*possible, period_s >= at.dt_s, at.dt_s > 0, satisfied(rule, proposed, at)]
    return prove(f"induction/{rule.id}", f"no step under `{rule.id}` is faster than it says", assumed, claim, slower)


def removed_means_removed(envelope: Envelope) -> Iterator[Obligation]:
    """A state rule that refuses leaves no rung to the sources it removes; a latch stays until a reset and does the same.

    This is of the ladder as it is written down here; that `decide` is that ladder is held by property tests.
    """
    for rule in envelope.state_rules:
        yield _removal(rule)
    latched, tripped, reset, acts = z3.Bools("latched tripped reset candidate_acts")
    after = z3.Or(tripped, z3.And(latched, z3.Not(reset)))
    ladder = acts == z3.And(z3.Not(after), z3.Bool("accepted"))
    claim = z3.And(z3.Implies(z3.And(latched, z3.Not(reset)), after), z3.Implies(after, z3.Not(acts)))
    says = "a latch stays until it is reset, and keeps the policy out"
    yield prove("induction/latch", says, [ladder], claim, z3.Implies(latched, after))


def _removal(rule: StateRule) -> Obligation:
    refuses, accepted = z3.Bools("refuses accepted")
    acts = {source: z3.Bool(f"acts.{source}") for source in Source}
    ladder = [
        acts[source] == z3.And(accepted, z3.Not(refuses) if source in rule.removes else z3.BoolVal(True))
        for source in Source
    ]
    claim = z3.Implies(refuses, z3.Not(z3.Or([acts[source] for source in rule.removes])))
    says = f"while `{rule.id}` refuses, {', '.join(rule.removes)} cannot act"
    return prove(f"removed/{rule.id}", says, ladder, claim, z3.Not(z3.Or(list(acts.values()))))


def the_incumbent_regains_the_plant(envelope: Envelope) -> Iterator[Obligation]:
    """Handover: from any permitted command towards any permitted target the incumbent's step is accepted; and how long it takes.

    The step of a setpoint that ramps alone lies between last and target and within its rates: all of T1-T4 accepts it.
    For setpoints joined by a relation the ramp's own obligations say the same.
    """
    at, target, step = world(envelope), vector(envelope, "target"), vector(envelope, "step")
    for group in envelope.ramp_plan.groups:
        if len(group.setpoints) == 1:
            yield _accepted_at_once(group.setpoints[0], target, step, at, envelope)
    discrete = {spec.name for spec in envelope.setpoints if spec.values is not None}
    for rule in envelope.command_rules:
        if isinstance(rule, Interlock) and rule.setpoint not in discrete and _names(rule) & discrete:
            says = f"a target that `{rule.id}` permits only with a new discrete value is refused while that value waits"
            yield Obligation(
                f"handover/{rule.id}", says, Answer.WARNED, "for as long as the dwell lasts; hold it by a signal"
            )
    yield _time_to_arrive(envelope)


def _accepted_at_once(name: str, target: Vector, step: Vector, at: World, envelope: Envelope) -> Obligation:
    last, goal, reached = at.last[name], target[name], step[name]
    same = [
        z3.And(at.last[spec.name] == target[spec.name], target[spec.name] == step[spec.name])
        for spec in envelope.setpoints
        if spec.name != name
    ]
    rules = [rule for rule in envelope.binding[Rung.INCUMBENT] if name in rule.setpoints]
    limits = [rule for rule in rules if not rule.step_only]
    rates = [satisfied(rule, step, at) for rule in rules if isinstance(rule, Slew | RateWindow)]
    between = z3.Or(z3.And(last <= reached, reached <= goal), z3.And(goal <= reached, reached <= last))
    assumed = [*at.assumed, *same, between, *rates, *_all(limits, at.last, at), *_all(limits, target, at)]
    claim = z3.And(_all(rules, step, at))
    mistaken = z3.And(_all(rules, {**step, name: reached + (number(_beyond(envelope, name)) - last)}, at))
    says = f"from any permitted `{name}` the incumbent's first step towards any permitted target is accepted"
    return prove(f"handover/{name}", says, assumed, claim, mistaken)


def _time_to_arrive(envelope: Envelope) -> Obligation:
    """From edge to edge of every bound, and through every timer: the slowest of them."""
    bounds = {r.setpoint: r for r in envelope.command_rules if isinstance(r, Bound) and r.tier is Tier.T1}
    times = [(0.0, "nothing")]
    for rule in envelope.command_rules:
        if isinstance(rule, Slew):
            width = bounds[rule.setpoint].high - bounds[rule.setpoint].low
            times += [(width / rate, rule.id) for rate in (rule.up_per_s, rule.down_per_s) if rate != inf]
        elif isinstance(rule, RateWindow):
            width = bounds[rule.setpoint].high - bounds[rule.setpoint].low
            times.append(((width // rule.most + 1) * rule.window_us / US_PER_S, rule.id))
        elif isinstance(rule, Dwell):
            times.append((max(rule.min_on_us, rule.min_off_us, rule.window_us) / US_PER_S, rule.id))
    slowest_s, which = max(times)
    detail = (
        f"at most {slowest_s + envelope.period_us / US_PER_S:.0f} s, one period to begin with included, by `{which}`"
    )
    joined = [" and ".join(group.setpoints) for group in envelope.ramp_plan.groups if len(group.setpoints) > 1]
    if joined:
        detail += f"; joined by relations, and so not covered by this figure: {'; '.join(joined)}"
    says = "how long the incumbent needs from any permitted command to any other that stays permitted"
    return Obligation("handover/time", says, Answer.COMPUTED, detail)


def floats_behave(envelope: Envelope) -> Iterator[Obligation]:
    """What exact numbers cannot say, once per kind: a NaN or an infinity never passes, and rounding has a bound."""
    x, low, high = (z3.FP(name, z3.Float64()) for name in ("x", "low", "high"))
    finite = z3.Not(z3.Or(z3.fpIsNaN(x), z3.fpIsInf(x)))
    limits = [z3.Not(z3.Or(z3.fpIsNaN(edge), z3.fpIsInf(edge))) for edge in (low, high)]
    inside = z3.And(z3.fpLEQ(low, x), z3.fpLEQ(x, high))
    not_outside = z3.Not(z3.Or(z3.fpLT(x, low), z3.fpGT(x, high)))
    says = "`low <= x <= high` lets no NaN and no infinity through"
    yield prove("float/bound", says, limits, z3.Implies(inside, finite), z3.Implies(not_outside, finite))
    nearest = z3.RNE()
    above = z3.fpGEQ(z3.fpSub(nearest, x, low), z3.FPVal(0.0, z3.Float64()))
    says = "a margin `x - low >= 0` says exactly that `x >= low`"
    exact = z3.Implies(z3.And(finite, *limits), above == z3.fpGEQ(x, low))
    strict = z3.Implies(z3.And(finite, *limits), above == z3.fpGT(x, low))
    yield prove("float/margin", says, limits, exact, strict)


def _all(rules: Sequence[CommandRule], proposed: Vector, at: World) -> list[z3.BoolRef]:
    return [satisfied(rule, proposed, at) for rule in rules]


def _tiers(envelope: Envelope, most: Tier) -> list[CommandRule]:
    return [rule for rule in envelope.command_rules if rule.tier <= most and not rule.step_only]


def _nudged(out: Vector) -> Vector:
    """The seeded mistake: every setpoint a little off, as by a rounding that nobody thought of."""
    return {name: value + 1 for name, value in out.items()}


def _beyond(envelope: Envelope, name: str) -> float:
    return max(r.high for r in envelope.command_rules if isinstance(r, Bound) and r.setpoint == name) + 1.0


def _height(rule: CommandRule, at: Vector) -> z3.ArithRef:
    """The one number along which a rule looks: its setpoint, or the sum of a relation."""
    if isinstance(rule, Relation):
        return z3.Sum([number(coefficient) * at[name] for name, coefficient in rule.terms])
    return at[rule.setpoints[0]]


def _moved(rule: CommandRule, start: Vector, height: z3.ArithRef) -> Vector:
    """A vector at which a rule looks at `height`."""
    name = rule.setpoints[0]
    if not isinstance(rule, Relation):
        return {**start, name: height}
    rest = _height(rule, {**start, name: z3.RealVal(0)})
    return {**start, name: (height - rest) / number(rule.terms[0][1])}


def _names(rule: Interlock) -> set[str]:
    limits = [name for linear in (rule.low, rule.high) if linear is not None for name, _ in linear.terms]
    return {*limits, *(names_in(rule.when) if rule.when is not None else ())}


def _culprits(possible: Sequence[z3.BoolRef], formulas: dict[str, z3.BoolRef]) -> str:
    solver = z3.Solver()
    solver.add(*possible)
    for name, formula in formulas.items():
        solver.assert_and_track(formula, name)
    solver.check()
    return ", ".join(f"`{name}`" for name in sorted(map(str, solver.unsat_core())))


OBLIGATIONS = (
    emitted_is_permitted,
    last_resorts_stand,
    some_rung_is_always_there,
    rules_are_neither_dead_nor_contradictory,
    the_ramp_stays_permitted,
    time_is_kept,
    removed_means_removed,
    the_incumbent_regains_the_plant,
    floats_behave,
)
