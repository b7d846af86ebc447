"""Starts the other processes, restarts what dies, ends what should end. It decides nothing and holds no state.

    supervisor -- control (one thread per plant) -- policy (one child per plant)
               |- shipper  (spool -> store; a process of its own, so that a database driver can stall nobody)
               '- web      (API, console, metrics)

Every child holds the read end of a pipe of its parent: when the parent is gone, however it went, the child ends too.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from controller.processes.parent_watchdog import PARENT_PIPE

QUICK_S = 5.0
MAX_BACKOFF_S = 10.0


@dataclass(slots=True)
class Child:
    """One supervised process. `essential` means that its clean end ends the run."""

    name: str
    argv: Sequence[str]
    essential: bool = False
    process: subprocess.Popen[bytes] | None = None
    started_s: float = 0.0
    quick_deaths: int = 0
    not_before_s: float = 0.0
    pipe: int = field(default=-1)


class Supervisor:
    """Keeps its children running until an essential one ends cleanly, or `stop` is called."""

    def __init__(self, children: Sequence[Child], environment: Mapping[str, str]) -> None:
        self.children = list(children)
        self.environment = dict(environment)
        self.stopping = False

    def start(self) -> None:
        for child in self.children:
            self._spawn(child)

    def poll(self) -> int | None:
        """Look after the children once; return the exit code of the run when it has ended."""
        for child in self.children:
            if child.process is None:
                if time.monotonic() >= child.not_before_s:
                    self._spawn(child)
                continue
            code = child.process.poll()
            if code is None:
                continue
            self._close_pipe(child)
            if child.essential and code in (0, 2):  # 2: it refused to start, and said why
                return code
            self._schedule_restart(child, code)
        return None

    def stop(self, patience_s: float = 10.0) -> None:
        """Send SIGTERM to the children, last started first, and SIGKILL after `patience_s`."""
        self.stopping = True
        for child in reversed(self.children):
            self._end(child, patience_s)

    def _spawn(self, child: Child) -> None:
        read_end, write_end = os.pipe()
        os.set_inheritable(read_end, True)
        environment = self.environment | {PARENT_PIPE: str(read_end)}
        child.process = subprocess.Popen(list(child.argv), env=environment, pass_fds=(read_end,))
        os.close(read_end)
        child.pipe, child.started_s = write_end, time.monotonic()

    def _schedule_restart(self, child: Child, code: int) -> None:
        quick = time.monotonic() - child.started_s < QUICK_S
        child.quick_deaths = child.quick_deaths + 1 if quick else 0
        wait_s = min(MAX_BACKOFF_S, 0.1 * 2.0**child.quick_deaths)
        child.process, child.not_before_s = None, time.monotonic() + wait_s
        sys.stderr.write(f"understudy: `{child.name}` ended with {code}; starting it again in {wait_s:.1f} s\n")

    def _end(self, child: Child, patience_s: float) -> None:
        if child.process is not None and child.process.poll() is None:
            child.process.send_signal(signal.SIGTERM)
            try:
                child.process.wait(patience_s)
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
        self._close_pipe(child)

    @staticmethod
    def _close_pipe(child: Child) -> None:
        if child.pipe >= 0:
            os.close(child.pipe)
            child.pipe = -1
