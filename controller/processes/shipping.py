"""The shipper process: `python -m controller.processes.shipping SPOOL`.

The store's URL is in the environment, where `ps` does not show it.
"""

import os
import sys
from pathlib import Path

from controller.processes.parent_watchdog import PARENT_PIPE, STORE_URL
from controller.records.shipper import run_shipper

if __name__ == "__main__":
    pipe = os.environ.get(PARENT_PIPE)
    run_shipper(Path(sys.argv[1]), os.environ[STORE_URL], None if pipe is None else int(pipe))
