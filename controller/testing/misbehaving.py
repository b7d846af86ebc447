"""A policy child that misbehaves on purpose, over the real protocol: `python -m controller.testing.misbehaving HOW [GOOD_ASKS]`.

It answers zeros to the first GOOD_ASKS requests and then misbehaves as HOW says. Tests give its command to `ChildCandidate`.
"""

import os
import signal
import socket
import sys
import time
from collections.abc import Callable

import numpy as np

from controller.policies import server
from controller.protocol import policy_wire

LATE_S = 0.05
LEAK_BYTES = 64 * 2**20
Misbehave = Callable[[np.ndarray], np.ndarray]


def command(how: str, good_asks: int = 0) -> tuple[str, ...]:
    """The command line of a child that misbehaves so."""
    return (sys.executable, "-m", "controller.testing.misbehaving", how, str(good_asks))


class Misbehaviours:
    """What can go wrong, one method each: zeros [rows, outputs] in, whatever is answered instead out."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._leaked: list[bytes] = []

    def good(self, zeros: np.ndarray) -> np.ndarray:
        return zeros

    def crash(self, zeros: np.ndarray) -> np.ndarray:
        os.kill(os.getpid(), signal.SIGKILL)
        return zeros

    def leave(self, zeros: np.ndarray) -> np.ndarray:
        os._exit(3)

    def fault(self, zeros: np.ndarray) -> np.ndarray:
        raise RuntimeError("the graph raised")

    def nan(self, zeros: np.ndarray) -> np.ndarray:
        return zeros * np.float32("nan")

    def infinite(self, zeros: np.ndarray) -> np.ndarray:
        return zeros + np.float32("inf")

    def wrong_shape(self, zeros: np.ndarray) -> np.ndarray:
        return np.zeros((len(zeros), zeros.shape[1] + 1), dtype=np.float32)

    def late(self, zeros: np.ndarray) -> np.ndarray:
        time.sleep(LATE_S)
        return zeros

    def hang(self, zeros: np.ndarray) -> np.ndarray:
        time.sleep(3600)
        return zeros

    def leak(self, zeros: np.ndarray) -> np.ndarray:
        self._leaked.append(b"\x01" * LEAK_BYTES)
        return zeros

    def garbage(self, zeros: np.ndarray) -> np.ndarray:
        self._sock.sendall(b"\xff" * 64)
        return zeros

    def stale(self, zeros: np.ndarray) -> np.ndarray:
        """Send an answer to the ask before this one first, as a late child would."""
        policy_wire.send(self._sock, policy_wire.Answer(-1, zeros.shape, zeros.tobytes(), 1, 1))
        return self.hang(zeros)


def main(how: str, good_asks: int) -> int:
    """Serve until the parent is gone, or the misbehaviour ends it."""
    sock = socket.socket(fileno=os.dup(sys.stdin.fileno()))
    misbehaviours = Misbehaviours(sock)

    def load(message: policy_wire.Load) -> server.Run:
        if how == "refuse":
            raise ValueError("told to refuse")
        requests = 0

        def run(given: np.ndarray) -> np.ndarray:
            nonlocal requests
            requests += 1
            misbehave: Misbehave = getattr(misbehaviours, how if requests > good_asks else "good")
            return misbehave(np.zeros((len(given), message.outputs), dtype=np.float32))

        return run

    try:
        server.serve(sock, load)
    except policy_wire.WireError:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
