"""The shipper process: `python -m controller.store SPOOL URL`."""

import os
import sys
from pathlib import Path

from controller.lifeline import PARENT_PIPE
from controller.store.shipper import run_shipper

if __name__ == "__main__":
    pipe = os.environ.get(PARENT_PIPE)
    run_shipper(Path(sys.argv[1]), sys.argv[2], None if pipe is None else int(pipe))
