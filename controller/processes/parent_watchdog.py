"""A child ends when its parent is gone, however it went: it watches the read end of a pipe only the parent can write to."""

import os
import threading
from collections.abc import Callable, Mapping

PARENT_PIPE = "UNDERSTUDY_PARENT_PIPE"
STORE_URL = "UNDERSTUDY_STORE_URL"


def watch_parent(environment: Mapping[str, str], gone: Callable[[], None]) -> None:
    """Call `gone` from a thread once the parent's end of the pipe closes. Without a pipe there is no parent to watch."""
    number = environment.get(PARENT_PIPE)
    if number is None:
        return
    threading.Thread(target=_wait, args=(int(number), gone), name="lifeline", daemon=True).start()


def _wait(pipe: int, gone: Callable[[], None]) -> None:
    try:
        while os.read(pipe, 1):
            pass
    except OSError:
        pass
    gone()
