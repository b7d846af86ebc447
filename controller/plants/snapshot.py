"""What simulated plants keep in their state directory: one blob, and how standing command and twins lie in it."""

import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from controller.records.codec import memory_from_bytes, memory_to_bytes
from safety.command_lease import Standing
from safety.values import Command, Memory, Rung

WireStanding = tuple[dict[str, float], str, int, int, int, int]
WireTwin = tuple[bytes, dict[str, Any]]


class SnapshotFile:
    """One blob, replaced as a whole; a kill at any moment leaves the old one or the new one."""

    def __init__(self, path: Path) -> None:
        """Open the file, made if it is not there."""
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("CREATE TABLE IF NOT EXISTS plant (one INTEGER PRIMARY KEY, body BLOB)")

    def save(self, body: bytes) -> None:
        self._db.execute("INSERT OR REPLACE INTO plant VALUES (1, ?)", (body,))

    def load(self) -> bytes | None:
        row = self._db.execute("SELECT body FROM plant").fetchone()
        return None if row is None else row[0]

    def close(self) -> None:
        self._db.close()


@dataclass(slots=True)
class Twin:
    """A lane's controller state, kept here so that it is saved with the plant's."""

    memory: Memory | None = None
    incumbent: dict[str, Any] = field(default_factory=dict)


def wire_standing(standing: Standing) -> WireStanding:
    """Plain values of a standing command."""
    command = standing.command or Command({}, Rung.RELINQUISH, 0, 0)
    words = (command.rung.value, command.valid_for_us, command.epoch)
    return (dict(command.setpoints), *words, standing.since_us, standing.highest_epoch)


def standing_of(wire: WireStanding) -> Standing:
    """The standing command `wire_standing` was given."""
    setpoints, rung, valid_for_us, epoch, since_us, highest = wire
    return Standing(Command(setpoints, Rung(rung), valid_for_us, epoch), since_us, highest)


def wire_twin(twin: Twin) -> WireTwin:
    """Plain values of a twin's controller state."""
    return (b"" if twin.memory is None else memory_to_bytes(twin.memory), twin.incumbent)


def twin_of(wire: WireTwin) -> Twin:
    """The controller state `wire_twin` was given."""
    memory, incumbent = wire
    return Twin(memory_from_bytes(memory) if memory else None, incumbent)
