"""Decisions of a realistic size, made up, for suites and benchmarks that need many and do not care what they say."""

from collections.abc import Mapping
from typing import Any

from controller.ports import Event, EventDetail
from controller.records.decision import Assignment, Decision, Digests, Judged
from controller.records.tick_entry import TickEntry
from safety.values import (
    Command,
    Finding,
    Memory,
    Observation,
    Outcome,
    Proposal,
    Receipt,
    Rung,
    Setpoints,
    Signal,
    Source,
    Status,
    Tier,
)

START_US = 1_735_689_600_000_000  # 2025-01-01T00:00:00Z
PERIOD_US = 300_000_000
SETPOINTS = ("supply_air_c", "chilled_water_c", "condenser_water_c", "fan_frac", "pump_frac", "chillers_on")
DIGESTS = Digests("a1" * 32, "b2" * 32, "c3" * 32, "d4" * 32)


def sample_decision(
    index: int,
    *,
    plant: str = "hall",
    subject: str = "plant",
    stage: str = "shadow",
    assigned: Source = Source.INCUMBENT,
    vetoed_by: str = "",
) -> Decision:
    """Decision number `index` of a plant, one period after the one before; `vetoed_by` names the rule refusing the candidate."""
    seen = _observation(index, plant, subject)
    applied = seen.applied or {}
    candidate = {name: value + 0.25 for name, value in applied.items()}
    judged = (
        Judged(Rung.INCUMBENT, True, "", (), ()),
        Judged(Rung.CANDIDATE, not vetoed_by, vetoed_by, _findings(vetoed_by), ()),
    )
    memory = _memory(applied)
    acts = assigned is Source.CANDIDATE and not vetoed_by
    return Decision(
        observation=seen,
        proposals=(
            Proposal(Source.INCUMBENT, applied),
            Proposal(Source.CANDIDATE, candidate, Status.OK),
        ),
        assignment=Assignment(assigned, f"stage `{stage}`", stage, index // 48, 0.5),
        without=(),
        elapsed_us=PERIOD_US,
        memory_before=memory,
        command=Command(candidate if acts else applied, judged[acts].rung, 2 * PERIOD_US, 1),
        judged=judged,
        chosen=judged[acts],
        removed=(),
        state=(),
        memory_after=memory,
        ruling_digest="e5" * 32,
        digests=DIGESTS,
        latencies_us={"incumbent": 40, "candidate": 95 + index % 7, "decide": 160},
    )


def _observation(index: int, plant: str, subject: str) -> Observation:
    signals = {f"zone_{n}_supply_air_c": Signal(18.0 + n / 8 + index % 5 / 16, age_us=1_000_000) for n in range(24)}
    applied = {name: 7.0 + n + index % 3 / 8 for n, name in enumerate(SETPOINTS)}
    return Observation(
        plant=plant,
        subject=subject,
        taken_at=START_US + index * PERIOD_US,
        signals=signals,
        applied=applied,
        readback=applied,
        availability={"chiller_1": True, "chiller_2": True},
    )


def _memory(last: Setpoints) -> Memory:
    rules = {f"dwell-{n}": (float(n), 12.5) for n in range(6)}
    return Memory(last=last, rung=Rung.INCUMBENT, since_us=PERIOD_US, rules=rules)


def _findings(rule: str) -> tuple[Finding, ...]:
    if not rule:
        return ()
    return (Finding(rule, Tier.T2, Outcome.VETO, -0.4, "step", "supply air 0.4 K above what the hall may have"),)


def sample_entry(index: int, *, checkpoint: bytes | None = None, event: bool = False, **how: Any) -> TickEntry:
    """The entry that a tick of `sample_decision(index, **how)` stores, with every optional part."""
    decision = sample_decision(index, **how)
    seen, command = decision.observation, decision.command
    return TickEntry(
        decision=decision,
        receipt=Receipt(decision.id, command.setpoints, command.setpoints, seen.taken_at, True),
        comparison=sample_comparison(decision),
        events=(sample_event(f"note-{index}", at=seen.taken_at),) if event else (),
        checkpoint=checkpoint,
    )


def sample_comparison(decision: Decision) -> Mapping[str, Any]:
    """The comparison of a sample decision, as the loop hands it over."""
    seen = decision.observation
    refused = not all(judged.accepted for judged in decision.judged)
    return {
        "plant": seen.plant,
        "subject": seen.subject,
        "taken_at": seen.taken_at,
        "klass": "only_candidate_refused" if refused else "differ",
        "channels": dict.fromkeys(SETPOINTS, 0.25),
        "flips": SETPOINTS[:1],
        "in_control": decision.command.rung,
    }


def sample_event(event_id: str, kind: str = "note", *, at: int = START_US, **detail: Any) -> Event:
    """An event of a kind, with the fields of its detail."""
    return Event(event_id, at, kind, "system", f"a {kind}, made up", EventDetail(**detail))
