"""What is proved of the guard, which looks between decisions: it notices, and it only ever takes authority away.

`watched` follows `safety.guard` as it is written, and is held against it by the differential test of the ladder.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import z3

from safety.decide import RUNG
from safety.envelope import Envelope
from safety.guard import Guarded, guard
from safety.proof.replay import call_of, without_inputs
from safety.proof.solver import Example, Ground, Obligation, Seeded, prove
from safety.proof.symbolic_decide import Mistake, removed_in_symbols
from safety.proof.symbolic_rules import in_range, satisfied
from safety.proof.symbolic_state import RUNGS, Moment, moment
from safety.values import Memory, Rung, Source


@dataclass(frozen=True, slots=True)
class Watched:
    """What a guard finds: whether to decide at once, and without whom."""

    decide_now: z3.BoolRef
    removed: Mapping[Source, z3.BoolRef]


def watched(envelope: Envelope, now: Moment, *, judges: bool = True, mistake: Mistake | None = None) -> Watched:
    """`guard` on the command in force. A guard that does not judge is a known mistake."""
    removed = dict(removed_in_symbols(envelope, now, mistake))
    hold_ended = z3.And(now.rung == RUNGS.index(Rung.HOLD), now.held_us >= envelope.hold_max_us)
    broken = z3.Or(hold_ended, z3.And(z3.BoolVal(judges), forbidden(envelope, now)))
    behind = {source: now.rung == RUNGS.index(rung) for source, rung in RUNG.items()}
    removed[Source.CANDIDATE] = z3.Or(removed[Source.CANDIDATE], z3.And(broken, behind[Source.CANDIDATE]))
    taken_over = z3.And(now.local, now.rung != RUNGS.index(Rung.RELINQUISH))
    lost = [z3.And(behind[source], removed[source]) for source in behind]
    return Watched(z3.Or(broken, taken_over, now.newly_latched, *lost), removed)


def forbidden(envelope: Envelope, now: Moment) -> z3.BoolRef:
    """Whether T0-T2 forbid the command in force as of now. A last resort is not judged: there is nothing better."""
    kept = z3.And(
        *in_range(envelope, now.at.last),
        *(satisfied(rule, now.at.last, now.at) for rule in envelope.binding[Rung.HOLD]),
    )
    return z3.And(now.remembers_last, now.rung != RUNGS.index(Rung.FAILSAFE), z3.Not(kept))


def the_guard(envelope: Envelope) -> Iterator[Obligation]:
    """Limits and authority, each noticed at the next look, which is at most a guard period away."""
    bare = without_inputs(envelope)
    now = moment(bare)
    nobody_without = [z3.Not(flag) for flag in now.without.values()]
    ground = Ground([*now.assumed, *nobody_without])
    found, blind = watched(bare, now), watched(bare, now, judges=False)
    careless = watched(bare, now, mistake=Mistake.STATE_RULES_IGNORED)
    period_s = envelope.guard_period_us / 1e6

    def limits(of: Watched) -> z3.BoolRef:
        mine = now.rung == RUNGS.index(Rung.CANDIDATE)
        return z3.Implies(forbidden(bare, now), z3.And(of.decide_now, z3.Implies(mine, of.removed[Source.CANDIDATE])))

    def authority(of: Watched) -> z3.BoolRef:
        noticed = []
        for source, rung in RUNG.items():
            violated = z3.Or([z3.Not(now.satisfied[rule.id]) for rule in bare.state_rules if source in rule.removes])
            stands = now.rung == RUNGS.index(rung)
            noticed.append(z3.Implies(z3.And(stands, violated), z3.And(of.decide_now, of.removed[source])))
        return z3.And(noticed)

    says = (
        f"a command that T0-T2 have come to forbid is decided again at the next look, within {period_s:g} s, "
        "and the candidate loses it"
    )
    yield prove("guard/limits", says, ground, limits(found), Seeded("a guard that does not judge", limits(blind)),
                replay=lambda example: _missed(example, bare))  # fmt: skip
    if bare.state_rules:
        says = f"whose source has lost authority is decided again without it at the next look, within {period_s:g} s"
        seeded = Seeded("a guard that asks no state rule", authority(careless))
        yield prove("guard/authority", says, ground, authority(found), seeded, replay=lambda e: _missed(e, bare))


def guarded(example: Example, envelope: Envelope) -> Guarded:
    """Run the kernel's guard on an example."""
    call = call_of(example, envelope)
    memory: Memory = call.memory
    return guard(call.observation, memory.last, envelope, memory, elapsed_us=call.elapsed_us)


def _missed(example: Example, envelope: Envelope) -> str | None:
    found = guarded(example, envelope)
    refusing = [finding for finding in found.findings if finding.refuses]
    return f"the guard lets it stand: {refusing[0].detail}" if refusing and not found.decide_now else None
