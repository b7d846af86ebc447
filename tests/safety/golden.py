"""How a golden decision in `tests/cases/decisions/` is read. What a case leaves out is as in `USUAL`."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safety.envelope import Envelope, fresh_memory
from safety.spec import EnvelopeModel, build_envelope
from safety.values import (
    Authority,
    Finding,
    Latch,
    Memory,
    Observation,
    Outcome,
    Proposal,
    Quality,
    Rung,
    Signal,
    Source,
    Status,
    Tier,
)

CASES = Path(__file__).resolve().parents[1] / "cases"
US = 1_000_000

USUAL: Mapping[str, Any] = {
    "signals": {"inlet_c": 24.0, "dew_point_c": 8.0},
    "targets": {
        "supply_c": 18.0,
        "fan_frac": 0.6,
        "chillers_on": 1.0,
        "flow_a_kg_s": 5.0,
        "flow_b_kg_s": 5.0,
    },
    "timers": {"CHILLERS-DWELL": [7200.0, 7200.0]},
}


@dataclass(frozen=True)
class Case:
    """One golden decision, ready for `decide`."""

    description: str
    envelope: Envelope
    observation: Observation
    proposals: Mapping[Source, Proposal]
    memory: Memory
    assigned: Source
    elapsed_us: int
    epoch: int
    without: frozenset[Source]
    expect: Mapping[str, Any]


def paths() -> list[Path]:
    return sorted((CASES / "decisions").glob("*.toml"))


def read(path: Path) -> Case:
    """The case of a file."""
    return case_of(tomllib.loads(path.read_text(encoding="utf-8")))


def case_of(raw: Mapping[str, Any]) -> Case:
    unknown = raw.keys() - {"description", "envelope", "observation", "incumbent", "candidate", "operator", "memory"}
    unknown -= {"call", "expect"}
    if unknown:
        raise ValueError(f"unknown parts in a golden case: {sorted(unknown)}")
    envelope = build_envelope(model_of(raw.get("envelope", {})))
    call = raw.get("call", {})
    return Case(
        description=raw["description"],
        envelope=envelope,
        observation=_observation(raw.get("observation", {})),
        proposals={
            source: _proposal(source, raw[source.value]) for source in Source if raw.get(source.value) is not None
        },
        memory=_memory(raw.get("memory", {}), envelope),
        assigned=Source(call.get("assigned", "candidate")),
        elapsed_us=round(call.get("elapsed_s", 300) * US),
        epoch=call.get("epoch", 1),
        without=frozenset(Source(name) for name in call.get("without", [])),
        expect=raw["expect"],
    )


def model_of(changes: Mapping[str, Any]) -> EnvelopeModel:
    """The small envelope with a case's changes: keys `set`, rules `remove`d, `change`d by id, and `add`ed."""
    base = tomllib.loads((CASES / "envelopes" / f"{changes.get('base', 'small')}.toml").read_text(encoding="utf-8"))
    base.update(changes.get("set", {}))
    base["rule"] = [rule for rule in base["rule"] if rule["id"] not in changes.get("remove", [])]
    for rule in base["rule"]:
        rule.update(changes.get("change", {}).get(rule["id"], {}))
    base["rule"] += changes.get("add", [])
    return EnvelopeModel.model_validate(base)


def _observation(raw: Mapping[str, Any]) -> Observation:
    signals = {**USUAL["signals"], **raw.get("signals", {})}
    return Observation(
        plant="small",
        subject="plant",
        taken_at=1_760_000_000_000_000,
        signals={name: _signal(value) for name, value in signals.items() if name not in raw.get("missing", [])},
        applied=_vector(raw.get("applied", {})),
        readback=_vector(raw.get("readback", {})),
        authority=Authority(raw.get("authority", "ours")),
    )


def _signal(raw: Any) -> Signal:
    if isinstance(raw, dict):
        age_us = round(raw.get("age_s", 0) * US)
        return Signal(float(raw["value"]), Quality(raw.get("quality", "good")), age_us)
    return Signal(float(raw))


def _vector(raw: Any) -> dict[str, float] | None:
    """The usual setpoints with changes; `false` says there are none."""
    return None if raw is False else {**USUAL["targets"], **{name: float(value) for name, value in raw.items()}}


def _proposal(source: Source, raw: Mapping[str, Any]) -> Proposal:
    status = Status(raw.get("status", "ok"))
    if status is not Status.OK:
        return Proposal(source, {}, status, raw.get("detail", ""))
    targets = {**USUAL["targets"], **{name: float(value) for name, value in raw.get("targets", {}).items()}}
    return Proposal(source, {name: value for name, value in targets.items() if name not in raw.get("missing", [])})


def _memory(raw: Mapping[str, Any], envelope: Envelope) -> Memory:
    if raw.get("fresh"):
        return fresh_memory(envelope)
    timers = {**USUAL["timers"], **raw.get("timers", {})}
    rules = {**fresh_memory(envelope).rules, **{name: tuple(s * US for s in state) for name, state in timers.items()}}
    known = {rule.id for rule in envelope.rules}
    return Memory(
        last=_vector(raw.get("last", {})),
        rung=Rung(raw.get("rung", "incumbent")),
        since_us=round(raw.get("since_s", 0) * US),
        rules={name: state for name, state in rules.items() if name in known},
        held_us=round(raw.get("held_s", 0) * US),
        failsafe=raw.get("failsafe"),
        latches=tuple(
            Latch(rule, Finding(rule, Tier.T1, Outcome.VETO, -1.0, "state", "as it was"))
            for rule in raw.get("latches", [])
        ),
    )
