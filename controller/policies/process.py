"""One policy child, started, asked and killed. It knows processes and messages; what an answer means is `client`'s business."""

import contextlib
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from controller.policies.bundle import Bundle
from controller.protocol import policy_wire

COMMAND = (sys.executable, "-m", "controller.policies.server")
_ROOT = Path(__file__).resolve().parents[2]
_GRACE_S = 1.0


class RefusedError(policy_wire.WireError):
    """The child runs, but cannot load the graph; the message is its own."""


class ChildLink:
    """A child process and the parent's end of its socket."""

    def __init__(self, command: Sequence[str] = COMMAND) -> None:
        self._sock, theirs = socket.socketpair()
        self._within_s = 0.0
        with theirs:
            try:
                self._process: subprocess.Popen[bytes] = subprocess.Popen(
                    list(command), stdin=theirs.fileno(), cwd=_ROOT
                )
            except OSError:
                self._sock.close()
                raise

    @property
    def pid(self) -> int:
        return self._process.pid

    def load(self, bundle: Bundle, within_s: float) -> policy_wire.Ready:
        """Hand over the graph and wait until it is loaded. Raises RefusedError, WireTimeoutError or WireError."""
        manifest = bundle.manifest
        load = policy_wire.Load(bundle.policy, manifest.input_width, len(manifest.outputs))
        policy_wire.limit(self._sock, within_s)
        policy_wire.send(self._sock, load)
        reply = policy_wire.receive_answer(self._sock, within_s=within_s)
        if isinstance(reply, policy_wire.Refused):
            raise RefusedError(reply.detail)
        if not isinstance(reply, policy_wire.Ready):
            raise policy_wire.WireError("the child's first message was not `ready`")
        return reply

    def ask(self, message: policy_wire.Ask, within_s: float) -> policy_wire.Answer | policy_wire.Failed:
        """One round trip. Raises WireTimeoutError, or WireError if the child is gone or says anything but the answer to this."""
        if within_s != self._within_s:
            policy_wire.limit(self._sock, within_s)
            self._within_s = within_s
        policy_wire.send(self._sock, message)
        reply = policy_wire.receive_answer(self._sock, within_s=within_s)
        if not isinstance(reply, policy_wire.Answer | policy_wire.Failed) or reply.id != message.id:
            raise policy_wire.WireError("the child did not answer what it was asked")
        return reply

    def end(self) -> None:
        """Kill the process, from any thread; a thread that waits for its answer gets an error."""
        self._process.kill()

    def kill(self) -> str:
        """End the process at once and reap it, whatever it was about to say; return how it ended, in words."""
        with contextlib.suppress(subprocess.TimeoutExpired):  # one that just crashed gets the moment to say how
            self._process.wait(timeout=0.01)
        before = self._process.returncode
        self._process.kill()
        self._process.wait()
        self._sock.close()
        if before is None:
            return "killed"
        return f"ended by signal {-before}" if before < 0 else f"ended with exit status {before}"

    def close(self) -> None:
        """Let the child end by itself, as it does when its parent is gone; kill it if it does not."""
        self._sock.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=_GRACE_S)
            return
        self._process.kill()
        self._process.wait()


class ChildStart:
    """A child being started on a thread of its own, so that no tick waits for an interpreter to come up."""

    def __init__(self, bundle: Bundle, command: Sequence[str], within_s: float) -> None:
        self._bundle, self._command, self._within_s = bundle, command, within_s
        self._link: ChildLink | None = None
        self._ready: policy_wire.Ready | None = None
        self._error: Exception | None = None
        self._abandoned = False
        self._thread = threading.Thread(target=self._run, name="policy-start", daemon=True)
        self._thread.start()

    def result(self, *, wait: bool) -> tuple[ChildLink, policy_wire.Ready] | None:
        """The child once it is ready, None while it is not. Raises what went wrong (WireError, OSError)."""
        if wait:
            self._thread.join()
        if self._thread.is_alive():
            return None
        if self._error is not None:
            raise self._error
        assert self._link is not None
        assert self._ready is not None
        return self._link, self._ready

    def abandon(self) -> None:
        """The child is not wanted any more, ready or not."""
        self._abandoned = True
        if self._link is not None:
            self._link.end()
        self._thread.join()
        if self._link is not None:
            self._link.kill()

    def _run(self) -> None:
        try:
            self._link = ChildLink(self._command)
            if not self._abandoned:
                self._ready = self._link.load(self._bundle, self._within_s)
        except (policy_wire.WireError, OSError) as error:
            self._error = error
            if self._link is not None:
                self._link.kill()
