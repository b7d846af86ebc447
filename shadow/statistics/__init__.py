"""Tests and intervals that stay valid however often one looks at them.

Each is a small frozen value: `update(...)` returns the next one, readings are methods, and its fields are plain
numbers. None of them assumes that ticks are independent.
"""

from shadow.statistics.allocation import AllocationTest
from shadow.statistics.bernstein import MeanSequence
from shadow.statistics.betting import BettingSequence
from shadow.statistics.detector import ChangeDetector
from shadow.statistics.rates import BreachTest, CertifyTest, earliest_possible

__all__ = [
    "AllocationTest",
    "BettingSequence",
    "BreachTest",
    "CertifyTest",
    "ChangeDetector",
    "MeanSequence",
    "earliest_possible",
]
