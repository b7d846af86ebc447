"""The rows of a batch: typed columns derived from what the spool stored. Done by the shipper, never by the control process.

Nothing is refused here: a record this build cannot read is stored as it is, with `rung` = `unreadable`.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from controller.ports import Event, EventDetail
from controller.records.codec import RecordError, decode
from controller.records.decision import Decision, Judged, decision_id
from controller.records.entry import (
    Batch,
    SpooledDecision,
    decode_events,
    decode_mapping,
    decode_receipt,
)
from controller.records.identity import month_of
from safety.values import Rung, Source

Row = dict[str, Any]
COMPARED = {"plant", "subject", "taken_at", "klass", "in_control", "channels", "flips"}
UNREADABLE: Row = {
    "stage": "",
    "block": 0,
    "assigned": "",
    "rung": "unreadable",
    "candidate_accepted": None,
    "incumbent_accepted": None,
    "candidate_first_out": "",
    "incumbent_first_out": "",
    "candidate_status": "",
    "override": "",
    "latency_us": 0,
    "policy_digest": "",
    "envelope_digest": "",
    "kernel_digest": "",
    "site_digest": "",
}


def decision_rows(batch: Batch) -> list[Row]:
    """The rows of `decision`."""
    return [_decision_row(spooled) for spooled in batch.decisions]


def receipt_rows(batch: Batch) -> list[Row]:
    """The rows of `receipt`; `body` holds its setpoints exactly."""
    rows = []
    for _, body in batch.receipts:
        receipt = decode_receipt(body)
        row = {"decision": receipt.decision, "at": receipt.at, "month": month_of(receipt.at)}
        rows.append(row | {"accepted": receipt.accepted, "detail": _text(receipt.detail), "body": body})
    return rows


def comparison_rows(batch: Batch) -> tuple[list[Row], list[Row]]:
    """The rows of `comparison` and of `comparison_channel`."""
    ticks: list[Row] = []
    channels: list[Row] = []
    for _, body in batch.comparisons:
        comparison = decode_mapping(body)
        if not comparison.keys() >= COMPARED:  # a comparison may be dropped, what waits behind it may not
            continue
        key = {name: comparison[name] for name in ("plant", "subject", "taken_at")}
        key |= {"month": month_of(comparison["taken_at"])}
        values = {name: comparison[name] for name in ("klass", "in_control")}
        ticks.append(key | values | {"version": comparison.get("version", 1)})
        channels.extend(key | channel for channel in _channels(comparison))
    return ticks, channels


def event_rows(batch: Batch) -> list[tuple[Event, str]]:
    """The events of a batch, each with its plant: that of its detail, else that of its tick."""
    plants = {spooled.seq: spooled.plant for spooled in batch.decisions}
    return [
        (event, _text(event.detail.plant or plants.get(seq, "")))
        for seq, body in batch.events
        for event in decode_events(body)
    ]


def audit_row(event: Event, plant: str) -> Row:
    """The row of `event`."""
    return {
        "id": _text(event.id),
        "plant": plant,
        "at": event.at,
        "kind": event.kind,
        "actor": _text(event.actor),
        "text": _text(event.text),
        "detail": _json(event.detail),
    }


def rollout_row(event: Event, plant: str) -> Row:
    """The row of `rollout` of a `stage` event; its detail says `stage`, or that the rollout is `completed` or `aborted`."""
    detail = event.detail
    ended = "aborted" if detail.aborted else "completed" if detail.completed else ""
    return {
        "id": _text(event.id),
        "plant": plant,
        "at": event.at,
        "from_stage": _text(detail.from_stage or ""),
        "to_stage": _text(detail.stage or ended),
        "why": _text(detail.why or event.text),
        "actor": _text(event.actor),
        "version": detail.version,
        "detail": _json(detail),
    }


def trip_row(event: Event, plant: str) -> Row:
    """The row of `trip` of a `trip` event; its detail names the `trip` and its `cause`, or the `latch` a rule has set."""
    detail = event.detail
    return {
        "id": _text(detail.trip or event.id),
        "plant": plant,
        "at": event.at,
        "cause": _text(detail.cause or event.text),
        "first_out": _text(detail.first_out or detail.latch or ""),
        "critical": bool(detail.critical),
        "actor": _text(event.actor),
        "reset_at": None,
        "reset_by": None,
        "reset_reason": None,
    }


def reset_row(event: Event, plant: str) -> Row:
    """Return the columns of `trip` that a `reset` event changes.

    The event's detail names the `trip`, or the `latch` that was lifted, and the `reason`.
    """
    return {
        "of_plant": plant,
        "until": event.at,
        "of_trip": _text(event.detail.trip or ""),
        "of_latch": _text(event.detail.latch or ""),
        "reset_at": event.at,
        "reset_by": _text(event.actor),
        "reset_reason": _text(event.detail.reason or event.text),
    }


def _decision_row(spooled: SpooledDecision) -> Row:
    try:
        derived = _derived(decode(spooled.record))
    except RecordError:
        derived = UNREADABLE
    return {
        "plant": spooled.plant,
        "subject": spooled.subject,
        "taken_at": spooled.taken_at,
        "month": month_of(spooled.taken_at),
        **derived,
        "prev_hash": spooled.prev_hash,
        "hash": spooled.hash,
        "record": spooled.record,
    }


def _derived(decision: Decision) -> Row:
    assigned, digests = decision.assignment, decision.digests
    candidate, incumbent = decision.judged_by(Rung.CANDIDATE), decision.judged_by(Rung.INCUMBENT)
    latencies = decision.latencies_us
    status = (p.status.value for p in decision.proposals if p.source is Source.CANDIDATE)
    return {
        "stage": _text(assigned.stage),
        "block": assigned.block,
        "assigned": assigned.source.value,
        "rung": decision.command.rung.value,
        "candidate_accepted": candidate and candidate.accepted,
        "incumbent_accepted": incumbent and incumbent.accepted,
        "candidate_first_out": _first_out(candidate),
        "incumbent_first_out": _first_out(incumbent),
        "candidate_status": next(status, ""),
        "override": _text(assigned.override),
        "latency_us": latencies.get("total", sum(latencies.values())),
        "policy_digest": digests.policy,
        "envelope_digest": digests.envelope,
        "kernel_digest": digests.kernel,
        "site_digest": digests.site,
    }


def _first_out(judged: Judged | None) -> str:
    return "" if judged is None else _text(judged.first_out)


def _channels(comparison: Mapping[str, Any]) -> Iterator[Row]:
    """One row per setpoint; not-a-number is unknown in both databases alike."""
    flips, differences = set(comparison["flips"]), comparison["channels"]
    for setpoint in sorted(flips | differences.keys()):
        difference = differences.get(setpoint)
        known = None if difference is None or math.isnan(difference) else float(difference)
        yield {"setpoint": setpoint, "difference": known, "flipped": setpoint in flips}


def _json(detail: EventDetail) -> str:
    return _text(msgspec.json.encode(detail).decode())


def _text(value: Any) -> str:
    """Text both databases take: PostgreSQL has no NUL in texts."""
    return str(value).replace("\x00", "\N{REPLACEMENT CHARACTER}")


def key_of(row: Mapping[str, Any]) -> str:
    """The id of a decision's row."""
    return decision_id(row["plant"], row["subject"], row["taken_at"])
