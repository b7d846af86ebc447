"""What is proved of resetting a latch: a cause clears only on its own evidence, and what is reset does not come back at once.

That no decision takes a latch back, and that the candidate does not act while one is set, is `latch/stays` and
`latch/keeps_out` of the ladder. Together: from trip to reset the candidate is out, whatever happens in between.
"""

from collections.abc import Iterator

import z3

from safety.envelope import Envelope
from safety.memory import reset, tripped
from safety.proof.replay import call_of, without_inputs
from safety.proof.solver import Example, Ground, Obligation, Replay, Seeded, prove
from safety.proof.symbolic_rules import number
from safety.proof.symbolic_state import Moment, is_satisfied, moment
from safety.rules.base import StateRule
from safety.rules.state_rules import Trip


def latches_clear_on_their_own_evidence(envelope: Envelope) -> Iterator[Obligation]:
    """One obligation for each rule that latches. Raises TypeError on one whose reset has no formula."""
    bare = without_inputs(envelope)
    now = moment(bare)
    ground = Ground(now.assumed)
    for rule in bare.state_rules:
        if rule.latching:
            yield _clears(rule, bare, now, ground)


def resettable(rule: StateRule, now: Moment) -> z3.BoolRef:
    """Whether `safety.memory.reset` takes the latch of a rule off: with every delay run out, it is satisfied."""
    if not isinstance(rule, Trip):
        raise TypeError(f"rule `{rule.id}`: kind {type(rule).__name__} latches and its reset has no formula")
    return is_satisfied(rule, (z3.RealVal(rule.on_delay_us), z3.RealVal(1)), now.seen)


def _clears(rule: StateRule, envelope: Envelope, now: Moment, ground: Ground) -> Obligation:
    assert isinstance(rule, Trip)
    known, value = now.at.known[rule.signal], now.at.signals[rule.signal]
    over = z3.And(known, value >= number(rule.low), value <= number(rule.high))
    claim = z3.And(over, now.satisfied[rule.id])
    says = (
        f"the latch of `{rule.id}` is reset only while `{rule.signal}` is measured and within its limits, "
        "and on that same measurement it is not set again"
    )
    trusting = z3.Or(z3.Not(known), resettable(rule, now))
    seeded = Seeded("a reset that takes a missing signal for evidence", z3.Implies(trusting, claim))
    claimed = z3.Implies(resettable(rule, now), claim)
    return prove(f"latch/reset/{rule.id}", says, ground, claimed, seeded, replay=_reset_too_soon(rule, envelope))


def _reset_too_soon(rule: Trip, envelope: Envelope) -> Replay:
    """Whether the kernel takes off a latch that it would set, or whose cause nobody sees to be over."""

    def replay(example: Example) -> str | None:
        call = call_of(example, envelope)
        try:
            reset(tripped(call.memory, rule.id, "an example"), envelope, call.observation, rule.id)
        except ValueError:
            return None
        ruling = call.ruling(envelope)
        again = [finding for finding in ruling.state if finding.rule == rule.id]
        return f"it is reset while {again[0].detail}" if again else None

    return replay
