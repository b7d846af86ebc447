"""What every plant port enforces, real or simulated: a command expires, and a lower epoch is refused."""

from dataclasses import dataclass

from safety.values import Command, Rung, Setpoints


@dataclass(frozen=True, slots=True)
class Lease:
    """The command in force, until when [us, plant clock], and the highest epoch seen. No setpoints: the local system has it."""

    setpoints: Setpoints | None = None
    until_us: int = 0
    epoch: int = 0

    def take(self, command: Command, now_us: int) -> "Lease":
        """The lease after a command. Raises EpochRefusedError for a lower epoch: an older process is still talking."""
        if command.epoch < self.epoch:
            raise EpochRefusedError(f"command of epoch {command.epoch} refused: epoch {self.epoch} has been seen")
        if command.rung is Rung.RELINQUISH:
            return Lease(None, 0, command.epoch)
        return Lease(command.setpoints, now_us + command.valid_for_us, command.epoch)

    def at(self, now_us: int) -> "Lease":
        """The lease as of now: relinquished once its time has passed."""
        if self.setpoints is not None and now_us >= self.until_us:
            return Lease(None, 0, self.epoch)
        return self


class EpochRefusedError(ValueError):
    """A command of an older process; the plant keeps what it has."""
