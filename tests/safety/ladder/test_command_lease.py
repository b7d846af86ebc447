"""The port's side: lower epochs are refused, commands run out, relinquishing leaves nothing."""

import pytest

from safety.command_lease import Standing, accepts, in_force, taken
from safety.values import Command, Rung

COMMAND = Command({"x": 1.0}, Rung.INCUMBENT, valid_for_us=100, epoch=3)


def test_a_lower_epoch_is_refused_and_nothing_changes() -> None:
    standing = taken(Standing(), COMMAND, 10)
    with pytest.raises(ValueError, match="epoch 2 is lower than 3"):
        taken(standing, Command({"x": 9.0}, Rung.INCUMBENT, 100, 2), 20)
    assert in_force(standing, 20) == {"x": 1.0}


def test_the_same_and_a_higher_epoch_are_taken() -> None:
    assert accepts(3, 3)
    assert accepts(4, 3)
    assert not accepts(2, 3)


def test_a_command_runs_out() -> None:
    standing = taken(Standing(), COMMAND, 10)
    assert in_force(standing, 109) == {"x": 1.0}
    assert in_force(standing, 110) is None


def test_a_relinquishing_command_leaves_nothing_in_force() -> None:
    standing = taken(Standing(), Command({}, Rung.RELINQUISH, 100, 3), 10)
    assert in_force(standing, 11) is None
    assert in_force(Standing(), 0) is None
