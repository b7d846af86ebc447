"""`understudy envelope diff OLD NEW`: what changes between two envelopes, with examples, and who must approve it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields

import z3

from safety.decide import judge_plainly
from safety.envelope import Envelope
from safety.proof.lowering import in_range, satisfied, vector, world
from safety.proof.question import ask
from safety.proof.replay import situation_of, vector_of
from safety.ramp import Ramped
from safety.rules import Rule
from safety.values import Rung, Tier

_SETTINGS = ("plant", "setpoints", "signals", "failsafe", "period_us", "guard_period_us", "valid_for_us", "hold_max_us")


@dataclass(frozen=True, slots=True)
class Change:
    """One difference in words; with an example where one envelope accepts what the other refuses."""

    says: str
    example: Mapping[str, float | bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Difference:
    """`looser` and `tighter`: commands newly accepted and newly refused, by rung. `approvals` is how many people it takes."""

    rules: tuple[Change, ...]
    looser: tuple[Change, ...]
    tighter: tuple[Change, ...]
    approvals: int
    why: str

    def lines(self) -> Iterable[str]:
        for change in (*self.rules, *self.looser, *self.tighter):
            yield change.says
            yield from (f"    {name} = {value:g}" for name, value in change.example.items())
        yield f"approvals: {self.approvals}: {self.why}"


def difference(old: Envelope, new: Envelope, *, examples: bool = True) -> Difference:
    """Compare two envelopes of one plant. Rules are compared by name, and what they accept together by z3.

    Without `examples` z3 is not asked, and a change of the policy's rules is taken for looser.
    """
    rules = tuple(_rule_changes(old, new))
    looser: list[Change] = []
    tighter: list[Change] = []
    if examples and old.names == new.names and old.setpoints == new.setpoints and old.signals == new.signals:
        for rung in (Rung.CANDIDATE, Rung.INCUMBENT, Rung.HOLD):
            looser += _accepted_only_by(new, old, rung, f"the rung `{rung}` may now command what it could not")
            tighter += _accepted_only_by(old, new, rung, f"the rung `{rung}` can no longer command what it could")
    approvals, why = _who_approves(old, new, rules, bool(looser) or not examples)
    return Difference(rules, tuple(looser), tuple(tighter), approvals, why)


def _rule_changes(old: Envelope, new: Envelope) -> Iterator[Change]:
    before, after = {rule.id: rule for rule in old.rules}, {rule.id: rule for rule in new.rules}
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            yield Change(f"rule `{name}` ({before[name].tier.name}) is gone")
        elif name not in before:
            yield Change(f"rule `{name}` ({after[name].tier.name}) is new")
        elif before[name] != after[name]:
            yield Change(f"rule `{name}` ({after[name].tier.name}): {_fields(before[name], after[name])}")
    for name in _SETTINGS:
        if getattr(old, name) != getattr(new, name):
            yield Change(f"`{name}` has changed")


def _fields(before: Rule, after: Rule) -> str:
    if type(before) is not type(after):
        return f"was of kind {type(before).__name__}, is {type(after).__name__}"
    pairs = ((each.name, getattr(before, each.name), getattr(after, each.name)) for each in fields(before))
    return ", ".join(f"`{name}` {was} -> {now}" for name, was, now in pairs if was != now)


def _accepted_only_by(one: Envelope, other: Envelope, rung: Rung, says: str) -> Iterator[Change]:
    """An example that `one` accepts on a rung and `other` does not, confirmed by the judges of both."""
    at, proposed = world(one), vector(one, "step")
    timers = {**world(other).timers, **at.timers}
    at = type(at)(at.signals, at.known, at.last, at.reference, at.dt_s, timers, at.assumed)
    accepted = [satisfied(rule, proposed, at) for rule in one.binding[rung]]
    refused = z3.Not(z3.And([satisfied(rule, proposed, at) for rule in other.binding[rung]]))
    possible = [*at.assumed, *in_range(one, proposed), *in_range(one, at.reference)]
    result, example = ask([*possible, *accepted, refused])
    if result == z3.unsat:
        return
    if result != z3.sat:
        yield Change(f"{says}: not decided in time, so take it for granted")
        return
    confirmed = _accepts(one, rung, example) and not _accepts(other, rung, example)
    untimed = not any(name.startswith("timer.") and value for name, value in example.items())
    note = "" if confirmed or not untimed else " (the example is on a rounding edge and was not confirmed by the judge)"
    yield Change(f"{says}, as here{note}:", example)


def _accepts(envelope: Envelope, rung: Rung, example: Mapping[str, float | bool]) -> bool:
    step = vector_of(example, "step", envelope)
    return judge_plainly(step, Ramped(step), rung, situation_of(example, envelope), envelope).accepted


def _who_approves(old: Envelope, new: Envelope, rules: tuple[Change, ...], looser: bool) -> tuple[int, str]:
    """One person may tighten T5; anything else of T0-T4, tighter too, takes two and a replay on the incumbent's log."""
    if not rules:
        return 0, "nothing changes"
    hard = {name: getattr(old, name) for name in _SETTINGS} != {name: getattr(new, name) for name in _SETTINGS}
    if hard or _of_tiers(old) != _of_tiers(new):
        return (
            2,
            "T0-T4 or a setting changes: a replay on the incumbent's log is needed too, a tighter limit can block a rescue",
        )
    if looser or _state(old) - _state(new):
        return 2, "the policy may do more than before"
    return 1, "only the policy's own rules get tighter"


def _of_tiers(envelope: Envelope) -> dict[str, Rule]:
    return {rule.id: rule for rule in envelope.rules if rule.tier <= Tier.T4}


def _state(envelope: Envelope) -> set[str]:
    """State rules of T5 as they are: one that is gone or changed may have become looser."""
    return {repr(rule) for rule in envelope.state_rules if rule.tier is Tier.T5}
