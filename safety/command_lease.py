"""The plant port's side of a command: which one it takes, and how long it stands. Every port enforces it by this.

A port keeps one `Standing` per plant. It asks `accepts` before it touches anything, and `in_force` before it relies on
the command: once a command has run out the local system resumes.
"""

from dataclasses import dataclass

from safety.values import Command, Setpoints


@dataclass(frozen=True, slots=True)
class Standing:
    """The command a port obeys, since when (its own monotonic clock), and the highest epoch it has seen."""

    command: Command | None = None
    since_us: int = 0
    highest_epoch: int = 0


def accepts(epoch: int, highest: int) -> bool:
    """Whether a command may be taken: a lower epoch comes from a control process that has been replaced."""
    return epoch >= highest


def taken(standing: Standing, command: Command, now_us: int) -> Standing:
    """The standing after a command has arrived. Raises ValueError on a lower epoch, and nothing changes."""
    if not accepts(command.epoch, standing.highest_epoch):
        raise ValueError(
            f"epoch {command.epoch} is lower than {standing.highest_epoch}: another control process has taken over, end this one"
        )
    return Standing(command, now_us, command.epoch)


def in_force(standing: Standing, now_us: int) -> Setpoints | None:
    """The setpoints that stand now; None once they have run out or were relinquished."""
    command = standing.command
    if command is None or not command.setpoints or now_us - standing.since_us >= command.valid_for_us:
        return None
    return command.setpoints
