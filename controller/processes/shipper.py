"""The shipper process: ships one spool to the store until it receives SIGTERM.

    python -m controller.processes.shipper SPOOL

The store's URL is in the environment, where `ps` does not show it.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from controller.processes.parent_watchdog import STORE_URL, watch_parent
from controller.records.shipper import Shipper
from controller.records.spool_reader import SpoolReader
from controller.records.store import Store

LAST_BATCH_S = 5.0


def main(spool: Path, environment: Mapping[str, str]) -> None:
    """Ship until SIGTERM or SIGINT, or until the parent is gone."""
    stopping = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stopping.set())

    def end() -> None:
        stopping.set()
        time.sleep(LAST_BATCH_S)  # a batch may finish, but a dead database must not keep an orphan alive
        os._exit(0)

    watch_parent(environment, end)
    reader, store = SpoolReader(spool), Store(environment[STORE_URL])
    try:
        Shipper(reader, store).run(stopping)
    finally:
        store.close()
        reader.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), os.environ)
