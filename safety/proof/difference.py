"""`understudy envelope diff OLD NEW`: what changes between two envelopes, with examples, and who must approve it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any

import z3

from safety.decide import judge_plainly, observe
from safety.envelope import Envelope, SignalSpec
from safety.inputs import Input
from safety.proof.counterexample_text import shown
from safety.proof.replay import call_of, situation_of, vector_of, without_inputs
from safety.proof.solver import Example, Ground, narrowed, symbols_of
from safety.proof.symbolic_rules import in_range, satisfied, vector, world
from safety.proof.symbolic_state import Moment, moment
from safety.ramp import Ramped
from safety.rules.base import CommandRule, FailSafe, Rule
from safety.values import Rung, Source, Tier

_SETTINGS = ("plant", "period_us", "guard_period_us", "valid_for_us", "hold_max_us")
_STEP = "proposed"
_RUNGS = (Rung.CANDIDATE, Rung.OPERATOR, Rung.INCUMBENT, Rung.HOLD)


@dataclass(frozen=True, slots=True)
class Change:
    """One difference in words; with an example, in units and as numbers by name, where a judge tells both apart."""

    says: str
    example: Example = field(default_factory=dict)
    shown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """`looser` and `tighter`: commands newly accepted and refused by rung, states that newly leave or take authority.

    `approvals` is how many people it takes.
    """

    rules: tuple[Change, ...]
    looser: tuple[Change, ...]
    tighter: tuple[Change, ...]
    approvals: int
    why: str

    def lines(self) -> Iterable[str]:
        for change in (*self.rules, *self.looser, *self.tighter):
            yield change.says
            yield from (f"    {line}" for line in change.shown)
        yield f"approvals: {self.approvals}: {self.why}"


def difference(old: Envelope, new: Envelope, *, examples: bool = True) -> Difference:
    """Compare two envelopes of one plant. What is written is compared by name, and what it means together by z3.

    Without `examples` z3 is not asked, and a change of the policy's rules is taken for looser.
    """
    rules = tuple(_written(old, new))
    looser: list[Change] = []
    tighter: list[Change] = []
    comparable = {s.name: s.values for s in old.setpoints} == {s.name: s.values for s in new.setpoints}
    if examples and rules and comparable:
        one, other = _over_both_domains(old, new)
        for rung in _RUNGS:
            looser += accepted_only_by(other, one, rung, f"the rung `{rung}` may now command what it could not")
            tighter += accepted_only_by(one, other, rung, f"the rung `{rung}` can no longer command what it could")
        for source in Source:
            looser += _removed_only_by(one, other, source, f"the {source} now keeps its authority where it lost it")
            tighter += _removed_only_by(other, one, source, f"the {source} now loses its authority where it kept it")
    approvals, why = _who_approves(old, new, rules, bool(looser) or not examples)
    return Difference(rules, tuple(looser), tuple(tighter), approvals, why)


def _written(old: Envelope, new: Envelope) -> Iterator[Change]:
    """Everything that is written otherwise: settings, setpoints, signals, inputs, rules, last resorts, and who ramps together."""
    for name in _SETTINGS:
        if getattr(old, name) != getattr(new, name):
            yield Change(f"`{_setting(name)}` {_amount(name, old)} -> {_amount(name, new)}")
    yield from _named("setpoint", {s.name: s for s in old.setpoints}, {s.name: s for s in new.setpoints})
    yield from _named("signal", {s.name: s for s in old.signals}, {s.name: s for s in new.signals})
    yield from _named("input", {i.id: i for i in old.inputs}, {i.id: i for i in new.inputs})
    yield from _named("rule", {r.id: r for r in old.rules}, {r.id: r for r in new.rules})
    yield from _named("failsafe", {f.id: f for f in old.failsafe}, {f.id: f for f in new.failsafe})
    yield from _orders(old, new)
    before, after = ({g.setpoints for g in each.ramp_plan.groups if len(g.setpoints) > 1} for each in (old, new))
    yield from (Change(f"ramp: {' and '.join(group)} no longer share one line") for group in sorted(before - after))
    yield from (Change(f"ramp: {' and '.join(group)} now share one line") for group in sorted(after - before))


def _orders(old: Envelope, new: Envelope) -> Iterator[Change]:
    """The order of last resorts and of inputs means something; that of rules does not."""
    for what, before, after in (
        ("last resorts", [f.id for f in old.failsafe], [f.id for f in new.failsafe]),
        ("inputs", [i.id for i in old.inputs], [i.id for i in new.inputs]),
    ):
        if before != after and sorted(before) == sorted(after):
            yield Change(f"the order of {what}: {', '.join(before)} -> {', '.join(after)}")
    if old.digest != new.digest and not _differ(old, new):
        yield Change("the files differ in what nothing judges: the unit, hazard or basis of an input, or an order")


def _differ(old: Envelope, new: Envelope) -> bool:
    names = [each.name for each in fields(Envelope) if each.init and each.name != "digest"]
    return any(getattr(old, name) != getattr(new, name) for name in names)


Named = Rule | Input | FailSafe | SignalSpec | Any


def _named(what: str, before: Mapping[str, Named], after: Mapping[str, Named]) -> Iterator[Change]:
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            yield Change(f"{what} `{name}`{_tier(before[name])} is gone")
        elif name not in before:
            yield Change(f"{what} `{name}`{_tier(after[name])} is new")
        elif before[name] != after[name]:
            yield Change(f"{what} `{name}`{_tier(after[name])}: {_fields(before[name], after[name])}")


def _tier(each: Named) -> str:
    return f" ({each.tier.name})" if isinstance(each, Rule) else ""


def _fields(before: Named, after: Named) -> str:
    if type(before) is not type(after):
        return f"was of kind {type(before).__name__}, is {type(after).__name__}"
    unit = getattr(after, "unit", "")
    pairs = ((each.name, getattr(before, each.name), getattr(after, each.name)) for each in fields(before))
    return ", ".join(_field(name, was, now, unit) for name, was, now in pairs if was != now)


def _field(name: str, was: Any, now: Any, unit: str) -> str:
    if isinstance(was, Mapping) and isinstance(now, Mapping):
        changed = sorted(key for key in was.keys() | now.keys() if was.get(key) != now.get(key))
        return ", ".join(f"`{key}` {was.get(key)} -> {now.get(key)}" for key in changed)
    if name.endswith("_us") and isinstance(was, int) and isinstance(now, int):
        return f"`{name.removesuffix('_us')}_s` {was / 1e6:g} s -> {now / 1e6:g} s"
    plain = isinstance(was, int | float) and isinstance(now, int | float) and unit
    return f"`{name}` {_in_words(was)} -> {_in_words(now)}" + (f" {unit}" if plain else "")


def _in_words(value: Any) -> str:
    """A value in words. What is of parts, as a condition, is written by its parts."""
    if not is_dataclass(value):
        return str(value)
    return f"{type(value).__name__}({', '.join(_in_words(getattr(value, each.name)) for each in fields(value))})"


def _setting(name: str) -> str:
    return f"{name.removesuffix('_us')}_s" if name.endswith("_us") else name


def _amount(name: str, envelope: Envelope) -> str:
    value = getattr(envelope, name)
    return f"{value / 1e6:g} s" if name.endswith("_us") else str(value)


def _over_both_domains(old: Envelope, new: Envelope) -> tuple[Envelope, Envelope]:
    """Both envelopes over all signals of either, each in the wider of its domains, so that one world holds both."""
    wide: dict[str, SignalSpec] = {}
    for spec in (*old.signals, *new.signals):
        known = wide.get(spec.name, spec)
        wide[spec.name] = replace(spec, low=min(spec.low, known.low), high=max(spec.high, known.high))
    return tuple(replace(without_inputs(each), signals=tuple(wide.values())) for each in (old, new))  # type: ignore[return-value]


def accepted_only_by(one: Envelope, other: Envelope, rung: Rung, says: str) -> Iterator[Change]:
    """A command that `one` accepts on a rung and `other` does not, confirmed by the judges of both.

    Both envelopes are of one plant, over the same signals. Nothing where there is no such command; otherwise one change
    in the words of `says`, with the command and what it was judged in as its example. Where z3 does not decide in time,
    the change has no example.
    """
    mine, theirs = _only(one.binding[rung], other.binding[rung]), _only(other.binding[rung], one.binding[rung])
    if not theirs:
        return
    at, proposed = world(one), vector(one, _STEP)
    others = world(other)
    timers = {**others.timers, **at.timers}
    at = replace(at, timers=timers)
    accepted = [satisfied(rule, proposed, at) for rule in one.binding[rung]]
    refused = z3.Not(z3.And([satisfied(rule, proposed, at) for rule in theirs]))
    ground = Ground([*at.assumed, *in_range(one, proposed), *in_range(one, at.reference), *accepted, refused])
    looked_at = {name for rule in (*mine, *theirs) for name in _names_of(rule, at, proposed)}

    def apart(found: Example) -> bool:
        return _accepts(one, rung, found) and not _accepts(other, rung, found)

    yield from _found(ground, says, apart, "judge", looked_at, one)


def _found(
    ground: Ground, says: str, apart: Callable[[Example], bool], judge: str, names: set[str], envelope: Envelope
) -> Iterator[Change]:
    """What z3 finds on a ground, narrowed to the symbols that matter. `apart` confirms that it tells both envelopes apart."""
    result = ground.possible()
    if result == z3.unsat:
        return
    if result != z3.sat:
        yield Change(f"{says}: not decided in time, so take it for granted")
        return
    example, confirmed = ground.reproduced(lambda found: f"so does the {judge}" if apart(found) else None)
    note = "" if confirmed else f" (the example is on a rounding edge and was not confirmed by the {judge})"
    yield Change(f"{says}, as here{note}:", example, tuple(shown(narrowed(example, names), envelope)))


def _only(rules: tuple[CommandRule, ...], others: tuple[CommandRule, ...]) -> list[CommandRule]:
    """The rules that are not among the others as they are."""
    return [rule for rule in rules if rule not in others]


def _names_of(rule: CommandRule, at: Any, proposed: Mapping[str, z3.ArithRef]) -> set[str]:
    return symbols_of(satisfied(rule, proposed, at))


def _accepts(envelope: Envelope, rung: Rung, example: Example) -> bool:
    step = vector_of(example, _STEP, envelope)
    return judge_plainly(step, Ramped(step), rung, situation_of(example, envelope), envelope).accepted


def _removed_only_by(one: Envelope, other: Envelope, source: Source, says: str) -> Iterator[Change]:
    """A state in which `one` takes the authority of a source and `other` does not, confirmed by both kernels."""
    changed = {r.id for r in one.state_rules if r not in other.state_rules and source in r.removes}
    if not changed:
        return
    mine, theirs = moment(one), moment(other)
    taken = z3.Or([z3.Not(mine.satisfied[name]) for name in sorted(changed)])
    accepted = [theirs.satisfied[rule.id] for rule in other.state_rules if source in rule.removes]
    ground = Ground([*mine.assumed, *theirs.assumed, taken, *accepted, *_plain(mine)])
    names = {name for rule in changed for name in symbols_of(mine.satisfied[rule])}

    def apart(found: Example) -> bool:
        return source in _removed_by(one, found) and source not in _removed_by(other, found)

    yield from _found(ground, says, apart, "kernel", names, one)


def _plain(now: Moment) -> list[z3.BoolRef]:
    """An example with nothing else in it: no latch, no local authority."""
    return [z3.Not(now.latched_before), z3.Not(now.local)]


def _removed_by(envelope: Envelope, example: Example) -> set[Source]:
    call = call_of(example, envelope)
    _, _, findings = observe(call.observation, envelope, call.memory, call.elapsed_us)
    rules = {rule.id: rule for rule in envelope.state_rules}
    return {source for finding in findings for source in rules[finding.rule].removes}


def _who_approves(old: Envelope, new: Envelope, rules: tuple[Change, ...], looser: bool) -> tuple[int, str]:
    """One person may tighten T5; anything else of T0-T4, tighter too, takes two and a replay on the incumbent's log."""
    if not rules:
        return 0, "nothing changes"
    settings = [*_SETTINGS, "setpoints", "signals", "failsafe", "inputs"]
    hard = any(getattr(old, name) != getattr(new, name) for name in settings) or not _differ(old, new)
    if hard or _of_tiers(old) != _of_tiers(new):
        return (
            2,
            "T0-T4, an input or a setting changes: a replay on the incumbent's log is needed too, "
            "a tighter limit can block a rescue",
        )
    if looser:
        return 2, "the policy may do more than before"
    if _remembering(old) - _remembering(new):
        return 2, "a rule of the policy that remembers has changed, and an example looks at one moment only"
    return 1, "only the policy's own rules get tighter"


def _of_tiers(envelope: Envelope) -> dict[str, Rule]:
    return {rule.id: rule for rule in envelope.rules if rule.tier <= Tier.T4}


def _remembering(envelope: Envelope) -> set[str]:
    """State rules of T5 that count time: what they will have counted by and by is more than one moment shows."""
    return {repr(rule) for rule in envelope.state_rules if rule.tier is Tier.T5 and rule.fresh()}
