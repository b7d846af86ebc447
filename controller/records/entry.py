"""The bytes of what a tick stores besides its decision, and the batch that leaves a spool."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from controller.ports import Event, EventDetail
from safety.values import Receipt


class _WireReceipt(msgspec.Struct, array_like=True, frozen=True):
    decision: str
    applied: dict[str, float] | None
    readback: dict[str, float] | None
    at: int
    accepted: bool
    detail: str


class _WireEvent(msgspec.Struct, array_like=True, frozen=True):
    id: str
    at: int
    kind: str
    actor: str
    text: str
    detail: EventDetail


def _plain(value: Any) -> Any:
    """What MessagePack does not know by itself; anything else is the caller's mistake and says so."""
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "item"):  # a numpy scalar
        return value.item()
    raise TypeError(f"a record cannot hold a `{type(value).__name__}`: make it a number, text, list or mapping")


_ENCODER = msgspec.msgpack.Encoder(enc_hook=_plain)
_RECEIPT = msgspec.msgpack.Decoder(_WireReceipt)
_EVENTS = msgspec.msgpack.Decoder(list[_WireEvent])
_MAPPING = msgspec.msgpack.Decoder(dict[str, Any])


def encode_receipt(receipt: Receipt) -> bytes:
    """The stored form of a receipt."""
    applied = None if receipt.applied is None else dict(receipt.applied)
    readback = None if receipt.readback is None else dict(receipt.readback)
    wire = _WireReceipt(receipt.decision, applied, readback, receipt.at, receipt.accepted, receipt.detail)
    return _ENCODER.encode(wire)


def decode_receipt(body: bytes) -> Receipt:
    """The receipt of its stored form."""
    w = _RECEIPT.decode(body)
    return Receipt(w.decision, w.applied, w.readback, w.at, w.accepted, w.detail)


def encode_events(events: Iterable[Event]) -> bytes:
    """The stored form of a tick's events; a detail is a mapping of what applies."""
    return _ENCODER.encode([_WireEvent(e.id, e.at, e.kind, e.actor, e.text, e.detail) for e in events])


def decode_events(body: bytes) -> list[Event]:
    """The events of their stored form. Keys that this build does not know are ignored."""
    return [Event(w.id, w.at, w.kind, w.actor, w.text, w.detail) for w in _EVENTS.decode(body)]


def encode_mapping(mapping: Mapping[str, Any]) -> bytes:
    """The stored form of a comparison."""
    return _ENCODER.encode(dict(mapping))


def decode_mapping(body: bytes) -> dict[str, Any]:
    """The comparison of its stored form."""
    return _MAPPING.decode(body)


@dataclass(frozen=True, slots=True)
class SpooledDecision:
    """One link of the chain, as stored."""

    seq: int
    plant: str
    subject: str
    taken_at: int
    record: bytes
    prev_hash: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class Artefact:
    """Something decisions refer to by its SHA-256: an envelope's text, a bundle's manifest, a rollout spec."""

    digest: str
    kind: str
    at: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """The next `entries` of a spool, up to number `last`, ready to leave it. Bodies are paired with their `seq`."""

    last: int
    entries: int = 0
    decisions: tuple[SpooledDecision, ...] = ()
    receipts: tuple[tuple[int, bytes], ...] = ()
    comparisons: tuple[tuple[int, bytes], ...] = ()
    events: tuple[tuple[int, bytes], ...] = ()
    artefacts: tuple[Artefact, ...] = ()
