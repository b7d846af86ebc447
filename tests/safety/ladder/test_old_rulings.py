"""Rulings of long ago come out the same to the last bit: command, every finding's ids and values, the memory.

The same corpus is held by `tests/records/test_codec.py`, which is about its bytes; here it is about what was ruled, and
short enough for every mutant of the kernel to meet it.
"""

from pathlib import Path

import pytest

from controller.records.codec import decode
from controller.records.decision import redecide
from controller.records.replay import ruled_differently
from safety.loading.spec import load_envelope
from tests.safety.support.golden import CASES

RECORDS = sorted((CASES / "records").glob("*.bin"))


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_an_old_ruling_comes_out_the_same(path: Path) -> None:
    decision = decode(path.read_bytes())
    envelope = load_envelope(CASES / "envelopes" / "small.toml")
    assert ruled_differently(decision, redecide(decision, envelope)) == ()
