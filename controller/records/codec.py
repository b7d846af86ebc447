"""The record codec: a decision as versioned MessagePack, exact to the bit (NaN, infinities and -0.0 survive).

Fields are positional and only ever appended, with a default, so that every old record can be read for ever;
`tests/cases/records/` holds a corpus of each version. Changing a field's meaning takes a new version number.

Version 1: `ruling_digest` covers the wording of findings too, so only the build that wrote it can make it again.
Version 2: `ruling_digest` covers ids and values (`ruling_digest` below), and no wording. `measured` holds the measures of
the candidate's proposal, which version 1 has among the signals.
"""

import hashlib
from collections.abc import Mapping
from numbers import Real
from typing import Any

import msgspec

from controller.records.decision import SCHEMA_VERSION, Assignment, Decision, Digests, Judged
from safety.values import (
    Authority,
    Command,
    Finding,
    Judgement,
    Latch,
    Memory,
    Observation,
    Outcome,
    Proposal,
    Quality,
    Ruling,
    Rung,
    Signal,
    Source,
    Status,
    Tier,
)


class RecordError(ValueError):
    """A record that cannot be read: truncated, of a newer version, or not a record at all."""


_WireSignal = tuple[str, float, str, int]


class _Wire(msgspec.Struct, array_like=True, frozen=True):
    """The positional layout. See the module's docstring before touching it."""

    version: int
    plant: str
    subject: str
    taken_at: int
    signals: list[_WireSignal]
    applied: dict[str, float] | None
    readback: dict[str, float] | None
    availability: dict[str, bool]
    authority: str
    proposals: list[tuple[str, str, str, dict[str, float]]]
    assignment: tuple[str, str, str, int, float, str]
    without: list[str]
    elapsed_us: int
    memory_before: "_WireMemory"
    command: tuple[dict[str, float], str, int, int]
    judged: "list[_WireJudged]"
    chosen: "_WireJudged"
    removed: list[str]
    state: "list[_WireFinding]"
    memory_after: "_WireMemory"
    ruling_digest: str
    digests: tuple[str, str, str, str]
    latencies_us: dict[str, int]


class _WireMeasured(_Wire, array_like=True, frozen=True):
    """The same with what has been appended since. A record in which it has its default ends before it."""

    measured: list[_WireSignal] = []


_WireFinding = tuple[str, int, str, float, str, str]
_WireJudged = tuple[str, bool, str, list[_WireFinding], list[str]]


class _WireMemory(msgspec.Struct, array_like=True, frozen=True):
    last: dict[str, float] | None
    rung: str | None
    since_us: int
    rules: dict[str, list[float]]
    held_us: int
    failsafe: str | None
    latches: list[tuple[str, _WireFinding]]


def _plain(value: Any) -> Any:
    """A number of an array library as the float it stands for."""
    if isinstance(value, Real):
        return float(value)
    raise TypeError(f"a record holds plain values, not {type(value).__name__}")


_ENCODER = msgspec.msgpack.Encoder(enc_hook=_plain)
_CANONICAL = msgspec.msgpack.Encoder(enc_hook=_plain, order="deterministic")
_DECODER = msgspec.msgpack.Decoder(_WireMeasured)
_MEMORY_DECODER = msgspec.msgpack.Decoder(_WireMemory)


def encode(decision: Decision) -> bytes:
    """The record of a decision, in the schema version the decision names."""
    seen, assigned, command = decision.observation, decision.assignment, decision.command
    wire = _Wire(
        version=decision.version,
        plant=seen.plant,
        subject=seen.subject,
        taken_at=seen.taken_at,
        signals=_wire_signals(seen.signals),
        applied=_floats(seen.applied),
        readback=_floats(seen.readback),
        availability=dict(seen.availability),
        authority=seen.authority.value,
        proposals=[(p.source.value, p.status.value, p.detail, dict(p.targets)) for p in decision.proposals],
        assignment=(
            assigned.source.value,
            assigned.why,
            assigned.stage,
            assigned.block,
            assigned.propensity,
            assigned.override,
        ),
        without=[source.value for source in decision.without],
        elapsed_us=decision.elapsed_us,
        memory_before=_wire_memory(decision.memory_before),
        command=(dict(command.setpoints), command.rung.value, command.valid_for_us, command.epoch),
        judged=[_wire_judged(judged) for judged in decision.judged],
        chosen=_wire_judged(decision.chosen),
        removed=[source.value for source in decision.removed],
        state=[_wire_finding(finding) for finding in decision.state],
        memory_after=_wire_memory(decision.memory_after),
        ruling_digest=decision.ruling_digest,
        digests=(
            decision.digests.policy,
            decision.digests.envelope,
            decision.digests.kernel,
            decision.digests.site,
        ),
        latencies_us=dict(decision.latencies_us),
    )
    if decision.measured:
        fields = (*msgspec.structs.astuple(wire), _wire_signals(decision.measured))
        wire = _WireMeasured(*fields)
    return _ENCODER.encode(wire)


def decode(record: bytes) -> Decision:
    """The decision of a record. Raises RecordError if it is not one that this version can read."""
    try:
        wire = _DECODER.decode(record)
        if 1 <= wire.version <= SCHEMA_VERSION:
            return _decision(wire)
        raise ValueError("of another version")
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        version = _version(record)
        if version is not None and not 1 <= version <= SCHEMA_VERSION:
            raise RecordError(
                f"record is of schema version {version}, this build reads 1 to {SCHEMA_VERSION}: upgrade"
            ) from error
        raise RecordError(f"not a decision record ({len(record)} bytes): {error}") from error


def memory_to_bytes(memory: Memory) -> bytes:
    """A memory alone, exactly."""
    return _ENCODER.encode(_wire_memory(memory))


def memory_from_bytes(data: bytes) -> Memory:
    """The memory `memory_to_bytes` was given."""
    return _memory(_MEMORY_DECODER.decode(data))


def _version(record: bytes) -> int | None:
    """The schema version of a record of any shape, or None if it has none."""
    try:
        match msgspec.msgpack.decode(record):
            case [int(version), *_]:
                return version
    except (msgspec.MsgspecError, ValueError, RecursionError):
        pass
    return None


def canonical(values: Any) -> bytes:
    """The bytes of plain values: equal if and only if every value is equal to the last bit, in whatever order keys come."""
    return _CANONICAL.encode(values)


def ruling_digest(ruling: Ruling) -> str:
    """SHA-256 over every id and value of a ruling, to the last bit: command, judgements with all margins, memory.

    The wording of a finding is not in it: a message can be reworded, and the digest of every old ruling stays.
    """
    command = ruling.command
    values: list[Any] = [
        [dict(command.setpoints), command.rung.value, command.valid_for_us, command.epoch],
        _full_judgement(ruling.chosen),
        [_full_judgement(judgement) for judgement in ruling.judgements],
        [source.value for source in ruling.removed],
        [_finding_values(finding) for finding in ruling.state],
        _memory_values(ruling.memory),
        ruling.dt_s,
    ]
    return hashlib.sha256(canonical(values)).hexdigest()


def ruled_values(decision: Decision) -> dict[str, Any]:
    """Return what a decision records of its ruling, by name: ids and values, no wording.

    The digest is one of them from version 2 on; that of version 1 covers wording, and is left out.
    """
    command, memory = decision.command, _memory_values(decision.memory_after)
    values = {
        "command": [dict(command.setpoints), command.rung.value, command.valid_for_us, command.epoch],
        **{f"judged {judged.rung.value}": _judged_values(judged) for judged in decision.judged},
        "chosen": _judged_values(decision.chosen),
        "removed": [source.value for source in decision.removed],
        "state": [_finding_values(finding) for finding in decision.state],
        **{f"memory {name}": value for name, value in memory.items()},
    }
    return values if decision.version == 1 else {**values, "ruling digest": decision.ruling_digest}


def _full_judgement(judgement: Judgement) -> list[Any]:
    verdict = judgement.verdict
    return [
        judgement.rung.value,
        dict(judgement.target),
        dict(judgement.step),
        list(judgement.waiting),
        verdict.accepted,
        [_finding_values(finding) for finding in verdict.findings],
        dict(verdict.margins),
        verdict.first_out,
        verdict.envelope_digest,
    ]


def _floats(setpoints: Any) -> dict[str, float] | None:
    return None if setpoints is None else dict(setpoints)


def _finding_values(f: Finding) -> list[Any]:
    """A finding without its wording."""
    return [f.rule, int(f.tier), f.outcome.value, f.margin, f.about]


def _judged_values(j: Judged) -> list[Any]:
    return [j.rung.value, j.accepted, j.first_out, [_finding_values(f) for f in j.findings], list(j.waiting)]


def _memory_values(m: Memory) -> dict[str, Any]:
    """A memory without the wording of what set its latches."""
    values = msgspec.structs.asdict(_wire_memory(m))
    values["latches"] = [[latch.rule, _finding_values(latch.first_out)] for latch in m.latches]
    return values


def _wire_signals(signals: Mapping[str, Signal]) -> list[_WireSignal]:
    return [(name, s.value, s.quality.value, s.age_us) for name, s in signals.items()]


def _wire_finding(f: Finding) -> _WireFinding:
    return (f.rule, int(f.tier), f.outcome.value, f.margin, f.about, f.detail)


def _wire_judged(j: Judged) -> _WireJudged:
    return (j.rung.value, j.accepted, j.first_out, [_wire_finding(f) for f in j.findings], list(j.waiting))


def _wire_memory(m: Memory) -> _WireMemory:
    return _WireMemory(
        last=_floats(m.last),
        rung=None if m.rung is None else m.rung.value,
        since_us=m.since_us,
        rules={name: list(state) for name, state in m.rules.items()},
        held_us=m.held_us,
        failsafe=m.failsafe,
        latches=[(latch.rule, _wire_finding(latch.first_out)) for latch in m.latches],
    )


def _decision(w: _WireMeasured) -> Decision:
    source, why, stage, block, propensity, override = w.assignment
    setpoints, rung, valid_for_us, epoch = w.command
    return Decision(
        observation=Observation(
            plant=w.plant,
            subject=w.subject,
            taken_at=w.taken_at,
            signals=_signals(w.signals),
            applied=w.applied,
            readback=w.readback,
            availability=w.availability,
            authority=Authority(w.authority),
        ),
        proposals=tuple(Proposal(Source(s), targets, Status(st), detail) for s, st, detail, targets in w.proposals),
        assignment=Assignment(Source(source), why, stage, block, propensity, override),
        without=tuple(Source(name) for name in w.without),
        elapsed_us=w.elapsed_us,
        memory_before=_memory(w.memory_before),
        command=Command(setpoints, Rung(rung), valid_for_us, epoch),
        judged=tuple(_judged(judged) for judged in w.judged),
        chosen=_judged(w.chosen),
        removed=tuple(Source(name) for name in w.removed),
        state=tuple(_finding(finding) for finding in w.state),
        memory_after=_memory(w.memory_after),
        ruling_digest=w.ruling_digest,
        digests=Digests(*w.digests),
        latencies_us=w.latencies_us,
        version=w.version,
        measured=_signals(w.measured),
    )


def _signals(w: list[_WireSignal]) -> dict[str, Signal]:
    return {name: Signal(value, Quality(quality), age) for name, value, quality, age in w}


def _finding(w: _WireFinding) -> Finding:
    return Finding(w[0], Tier(w[1]), Outcome(w[2]), w[3], w[4], w[5])


def _judged(w: _WireJudged) -> Judged:
    return Judged(Rung(w[0]), w[1], w[2], tuple(_finding(f) for f in w[3]), tuple(w[4]))


def _memory(w: _WireMemory) -> Memory:
    return Memory(
        last=w.last,
        rung=None if w.rung is None else Rung(w.rung),
        since_us=w.since_us,
        rules={name: tuple(state) for name, state in w.rules.items()},
        held_us=w.held_us,
        failsafe=w.failsafe,
        latches=tuple(Latch(rule, _finding(finding)) for rule, finding in w.latches),
    )
