"""Advice on an envelope that loads: what to look at before it is proved. `understudy envelope check` prints it.

Age makes no signal unknown: only a rule that watches it does. A limit that looks up a signal which nothing watches goes by its
last good value, however old that is, and no proof says otherwise.
"""

from collections.abc import Iterator

from safety.envelope import Envelope
from safety.forms.phrases import looked_up
from safety.inputs import Plausibility, Vote
from safety.rules.base import POLICY, CommandRule, Rule
from safety.rules.state_rules import Novelty, Recoverability, Staleness, Trip, Watchdog
from safety.text import quoted


def advice(envelope: Envelope) -> Iterator[str]:
    """A line for everybody's limits and one for the policy's own, where they look up signals that nothing watches."""
    yield from _unwatched(envelope, "bind everybody", policys=False)
    yield from _unwatched(envelope, "bind the policy", policys=True)


def _unwatched(envelope: Envelope, whose: str, *, policys: bool) -> Iterator[str]:
    found = {name for rule in envelope.rules if (rule.applies_to == POLICY) is policys for name in _goes_by(rule)}
    measured = {spec.name for spec in envelope.signals} - _computed(envelope)
    if names := sorted((found & measured) - _watched(envelope, everybody=not policys)):
        yield (
            f"note: limits that {whose} look up {quoted(names)}, which nothing that binds them watches: an old value "
            "counts as good; add `staleness`, or see that the plant sends it as stale"
        )


def _computed(envelope: Envelope) -> set[str]:
    """The signals that are computed at each decision and have no age of their own."""
    return {rule.signal for rule in envelope.state_rules if isinstance(rule, Novelty)}


def _goes_by(rule: Rule) -> Iterator[str]:
    """The signals by whose value a rule judges."""
    if isinstance(rule, CommandRule):
        yield from looked_up(rule)
    elif isinstance(rule, Trip):
        yield rule.signal
    elif isinstance(rule, Recoverability):
        yield from (rule.signal, *(name for name, _ in rule.rise.terms))


def _watched(envelope: Envelope, *, everybody: bool) -> set[str]:
    """The signals that become unknown, or take authority, when they are old: of everybody, or of the policy at least."""
    found = {each.signal for each in envelope.inputs if isinstance(each, Plausibility) and each.stuck_us is not None}
    for rule in envelope.state_rules:
        if everybody and rule.applies_to == POLICY:
            continue
        if isinstance(rule, Staleness):
            found.update(rule.signals)
        elif isinstance(rule, Watchdog):
            found.add(rule.signal)
    return found | {
        each.signal for each in envelope.inputs if isinstance(each, Vote) and found.issuperset(each.sensors)
    }
