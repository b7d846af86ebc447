"""The spool as the loop uses it: what cannot be saved now is kept in memory, in order, until it can be.

Only a failing spool is an audit failure. The loop then takes the plant from the candidate and goes on controlling it.
"""

from collections import deque
from dataclasses import replace

from controller.ports import Event, EventDetail
from controller.records.errors import SpoolConflict, SpoolError
from controller.records.tick_entry import Spool, TickEntry

KEEP = 2016  # entries: a week of five-minute ticks


class Ledger:
    """A spool that may fail for a while. At most `keep_at_most` entries wait in memory; later ones are only counted."""

    def __init__(self, spool: Spool, keep_at_most: int = KEEP) -> None:
        self.spool, self.keep_at_most = spool, keep_at_most
        self.lost = 0
        self.why = ""
        self._unsaved: deque[TickEntry] = deque()

    @property
    def failing(self) -> bool:
        """Whether something waits to be saved; `why` then says what kept it from being."""
        return bool(self._unsaved)

    def save(self, entry: TickEntry) -> bool:
        """Save an entry, and before it those that wait; say whether that worked. If not, it is not kept."""
        if not self.catch_up():
            return False
        try:
            self.spool.append(entry)
        except (SpoolError, OSError) as error:
            self.why = str(error)
            return False
        return True

    def keep(self, entry: TickEntry) -> None:
        """Keep an entry that could not be saved until it can be."""
        if len(self._unsaved) < self.keep_at_most:
            self._unsaved.append(entry)
        else:
            self.lost += 1

    def catch_up(self) -> bool:
        """Save what waits; say whether nothing waits any more."""
        while self._unsaved:
            try:
                self.spool.append(self._unsaved[0])
            except SpoolConflict as error:
                self._unsaved[0] = _without_decision(self._unsaved[0], error)
            except (SpoolError, OSError) as error:
                self.why = str(error)
                return False
            else:
                self._unsaved.popleft()
        return True


def _without_decision(entry: TickEntry, error: SpoolConflict) -> TickEntry:
    """A commit that was said to have failed may have happened: that decision stands in the record, and this tells better."""
    made = entry.decision
    assert made is not None, "only a decision can be in conflict"
    text = f"{error}; what was done instead is the command of `{made.command.rung}`"
    command = made.command
    detail = EventDetail(decision=made.id, rung=command.rung.value, setpoints=dict(command.setpoints))
    conflict = Event(f"{made.id}.conflict", made.observation.taken_at, "alarm", "system", text, detail)
    return replace(entry, decision=None, events=(*entry.events, conflict))
