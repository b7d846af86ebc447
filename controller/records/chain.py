"""The hash chain over a spool's records: each hash is over the one before and the record's bytes.

It shows that no stored decision was changed, removed from the middle or put in later. It cannot show a missing end: for
that, compare the last hash with one kept elsewhere (the store has them all).
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from controller.records.codec import RecordError, decode
from controller.records.decision import decision_id

Link = tuple[int, str, str, int, bytes, bytes, bytes]
"""seq, plant, subject, taken_at, record, prev_hash, hash"""


@dataclass(frozen=True, slots=True)
class ChainBreak:
    """The first place where the chain does not hold."""

    seq: int
    decision: str
    why: str


@dataclass(frozen=True, slots=True)
class ChainReport:
    """How many links were checked, and the first break if there is one."""

    checked: int
    head: bytes
    broken: ChainBreak | None = None

    @property
    def ok(self) -> bool:
        return self.broken is None


def link_hash(prev_hash: bytes, record: bytes) -> bytes:
    """SHA-256 over the previous hash and the record [32 bytes]."""
    return hashlib.sha256(prev_hash + record).digest()


def check_link(link: Link) -> str:
    """Why a link by itself is not what was written; empty if it is."""
    return _fault(link, link[5])


def check_chain(links: Iterable[Link], anchor: bytes) -> ChainReport:
    """Walk the links in order from `anchor`, the hash before the first, to the first break."""
    head, checked = anchor, 0
    for link in links:
        why = _fault(link, head)
        if why:
            seq, plant, subject, taken_at, *_ = link
            return ChainReport(checked, head, ChainBreak(seq, decision_id(plant, subject, taken_at), why))
        head, checked = link[6], checked + 1
    return ChainReport(checked, head)


def _fault(link: Link, head: bytes) -> str:
    _, plant, subject, taken_at, record, prev_hash, hash_ = link
    if prev_hash != head:
        return "it does not follow the decision before it: one was removed, put in, or moved"
    if link_hash(prev_hash, record) != hash_:
        return "its bytes are not those that were written"
    try:
        seen = decode(record).observation
    except RecordError as error:
        return str(error)
    if (seen.plant, seen.subject, seen.taken_at) != (plant, subject, taken_at):
        return "its key is not that of its record"
    return ""
