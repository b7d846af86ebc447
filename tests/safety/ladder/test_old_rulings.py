"""Rulings of long ago come out the same to the last bit: command, every finding's words, every margin, the memory.

The same corpus is held by `tests/records/test_codec.py`, which is about its bytes; here it is about what was ruled, and
short enough for every mutant of the kernel to meet it.
"""

from pathlib import Path

import pytest

from controller.records.codec import decode, ruling_digest
from controller.records.decision import redecide
from safety.loading.spec import load_envelope
from tests.safety.support.golden import CASES

RECORDS = sorted((CASES / "records").glob("*.bin"))


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_an_old_ruling_comes_out_the_same(path: Path) -> None:
    decision = decode(path.read_bytes())
    envelope = load_envelope(CASES / "envelopes" / "small.toml")
    assert ruling_digest(redecide(decision, envelope)) == decision.ruling_digest
