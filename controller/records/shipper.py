"""Takes what the spool has to the store, in a process of its own, so that a database driver can hold up nobody.

Exactly once: a batch is one transaction, ingesting it again changes nothing, and the place is moved only after it. While the
store is not reachable entries wait in the spool; `SpoolReader.shipping` reports it to every reader.
"""

import threading
import time
from collections.abc import Iterator

from controller.records.errors import RecordsError, StoreError
from controller.records.spool_file import checkpoint_log
from controller.records.spool_reader import SpoolReader
from controller.records.store import Store

BATCH = 1000
POLL_S = 0.2
PING_S = 5.0
FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 5.0


class Shipper:
    """Ships one spool into one store."""

    def __init__(self, spool: SpoolReader, store: Store, *, batch: int = BATCH) -> None:
        self._spool = spool
        self._store = store
        self._batch = batch
        self._answered_s = float("-inf")

    def ship_batch(self) -> int:
        """Ship the oldest entries that wait. Returns how many; raises StoreError, having shipped none or all of them."""
        batch = self._spool.unshipped(self._batch)
        if not batch.entries:
            return 0
        done = self._store.ingest(batch)
        self._spool.mark_shipped(batch.last, conflicts=len(done.conflicts))
        return batch.entries

    def ship_until_empty(self) -> int:
        """Ship all that waits. Returns how many entries; raises StoreError at the first batch the store does not take."""
        shipped = 0
        while entries := self.ship_batch():
            shipped += entries
        return shipped

    def run(self, stopping: threading.Event) -> None:
        """Ship until `stopping` is set; while the store is not reachable, try again after ever longer waits."""
        waits = _waits()
        while not stopping.is_set():
            try:
                checkpoint_log(self._spool.path)
                self._ship_or_ask(stopping)
                waits = _waits()
                stopping.wait(POLL_S)
            except RecordsError as error:
                self._tell(error)
                stopping.wait(next(waits))

    def _ship_or_ask(self, stopping: threading.Event) -> None:
        """Ship what waits; where nothing does, ask the store now and then whether it is still there."""
        while not stopping.is_set() and self.ship_batch():
            self._answered_s = time.monotonic()
        if time.monotonic() - self._answered_s > PING_S:
            self._store.ping()
            self._spool.mark_shipped(self._spool.shipping().seq)
            self._answered_s = time.monotonic()

    def _tell(self, error: RecordsError) -> None:
        self._answered_s = float("-inf")
        if isinstance(error, StoreError):
            try:
                self._spool.mark_away(str(error))
            except RecordsError:
                return  # without a spool there is no file to report it in


def _waits() -> Iterator[float]:
    wait_s = FIRST_WAIT_S
    while True:
        yield wait_s
        wait_s = min(2 * wait_s, LONGEST_WAIT_S)
