"""Between decisions: judge the command in force again, as of now, and only ever take authority away.

A five-minute loop alone cannot promise anything: with its fans lost a hall gains 6 K in three minutes.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from safety.decide import NO_MEASURES, RUNG, authority_removed, is_permitted, judge, observe, situation
from safety.envelope import Envelope
from safety.ramp import Ramped
from safety.values import Authority, Finding, Memory, Observation, Rung, Setpoints, Signal, Source


@dataclass(frozen=True, slots=True)
class Guarded:
    """What a guard found. `decide_now` asks the loop for a decision at once, without the sources in `removed`."""

    decide_now: bool
    removed: frozenset[Source]
    findings: tuple[Finding, ...]
    memory: Memory


def guard(
    observation: Observation,
    standing_command: Setpoints | None,
    envelope: Envelope,
    memory: Memory,
    *,
    elapsed_us: int,
    measured: Mapping[str, Signal] = NO_MEASURES,
) -> Guarded:
    """Re-judge T0-T2 of the command in force against the present signals, and ask the state rules.

    `measured` holds the measures of the candidate's last proposal, as old as that is. Invents no command. A source that
    stands behind the command loses it when a state rule takes its authority, or when the command no longer stands. The
    incumbent is then asked again rather than removed, for its next answer is judged.
    """
    latches = memory.latches
    observation, memory, state = observe(observation, envelope, memory, elapsed_us, measured)
    removed = authority_removed(observation, envelope, memory, state)
    findings: tuple[Finding, ...] = state
    broken = memory.rung is Rung.HOLD and memory.held_us >= envelope.hold_max_us
    if standing_command and memory.rung is not Rung.FAILSAFE:  # a fail-safe may break T2: there is nothing better
        now = situation(observation, memory, envelope)
        if not is_permitted(envelope.compiled[Rung.HOLD], standing_command, now):
            verdict = judge(standing_command, Ramped(standing_command), Rung.HOLD, now, envelope)
            broken = broken or not verdict.accepted
            findings += verdict.findings
    behind = _source_behind(memory.rung)
    if broken and behind is Source.CANDIDATE:
        removed |= {Source.CANDIDATE}
    taken_over = observation.authority is Authority.LOCAL and memory.rung is not Rung.RELINQUISH
    latched_now = memory.latches != latches  # a latch is made durable by a decision
    return Guarded(broken or taken_over or latched_now or behind in removed, removed, findings, memory)


_BEHIND = {rung: source for source, rung in RUNG.items()}


def _source_behind(rung: Rung | None) -> Source | None:
    return None if rung is None else _BEHIND.get(rung)
