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
from tests.safety.support.golden import CASES, read

RECORDS = sorted((CASES / "records").glob("*.bin"))


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_an_old_ruling_comes_out_the_same(path: Path) -> None:
    decision = decode(path.read_bytes())
    envelope = load_envelope(CASES / "envelopes" / "small.toml")
    assert ruled_differently(decision, redecide(decision, envelope)) == ()


# Made by a kernel that had these holes, of golden decisions of the same names. Each holds what was sent then.
HOLES = {
    "t0_readback_between_values_in_shadow": {"chillers_on": 1.3},
    "t0_out_of_range_is_not_held": {"pump_b_pct": 112.0},
    "slew_is_kept_by_the_setpoint_joined_to_one_that_enters": {"pump_b_pct": 100.0},
    "dwell_gives_way_to_the_nearest_value_only": {"units_on": 4.0},
}


@pytest.mark.parametrize("hole", HOLES)
def test_old_ruling_through_a_closed_hole_matches_its_golden_decision(hole: str) -> None:
    decision = decode((CASES / "records" / "holes" / f"v1-{hole}.bin").read_bytes())
    case = read(CASES / "decisions" / f"{hole}.toml")
    assert HOLES[hole].items() <= decision.command.setpoints.items()
    again = redecide(decision, case.envelope)
    assert any(difference.startswith("command") for difference in ruled_differently(decision, again))
    assert again == case.ruling()
    assert {name: again.command.setpoints[name] for name in HOLES[hole]} != HOLES[hole]
