"""What has been seen of one candidate on one plant; it only grows, through every stage, trip and re-entry."""

from shadow.evidence.expectation import Expectation
from shadow.evidence.outcome import Arm, OpenBlock, OpenGroup
from shadow.evidence.record import Benefit, Blocks, Evidence, EvidenceError, Ranges, Tally, from_plain, parts, to_plain
from shadow.evidence.tick import ABSENT, OK, DetectorSettings, EvidenceSettings, TickEvidence
from shadow.evidence.watch import observe_tick

__all__ = [
    "ABSENT",
    "OK",
    "Arm",
    "Benefit",
    "Blocks",
    "DetectorSettings",
    "Evidence",
    "EvidenceError",
    "EvidenceSettings",
    "Expectation",
    "OpenBlock",
    "OpenGroup",
    "Ranges",
    "Tally",
    "TickEvidence",
    "from_plain",
    "observe_tick",
    "parts",
    "to_plain",
]
