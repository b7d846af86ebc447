"""The policy child: one process, one ONNX session, nothing else. `python -m controller.policies.server`, its socket as
standard input.

It ends when its parent's end of the socket closes. Standard output goes to standard error, so that no library's print
can be taken for a message.
"""

import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from functools import cache

import numpy as np

from controller.protocol import policy_wire

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
Run = Callable[[np.ndarray], np.ndarray]


def main() -> int:
    """Serve until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C in the terminal is for the parent, which then lets us end
    sock = socket.socket(fileno=os.dup(sys.stdin.fileno()))
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        serve(sock, load)
    except policy_wire.WireError:
        return 0
    return 1


def serve(sock: socket.socket, loader: Callable[[policy_wire.Load], Run]) -> None:
    """Answer `Ask`s with what `loader` made of the `Load`. Raises WireError when the parent is gone."""
    first = policy_wire.receive_ask(sock)
    if not isinstance(first, policy_wire.Load):
        raise policy_wire.WireError("the first message must be a `load`")
    try:
        run = loader(first)
    except Exception as error:  # the runtime raises errors of many types on a bad graph: report each to the parent
        policy_wire.send(sock, policy_wire.Refused(f"the graph cannot be loaded: {error}"))
        return
    policy_wire.send(sock, policy_wire.Ready(os.getpid(), rss_bytes()))
    while True:
        ask = policy_wire.receive_ask(sock)
        if isinstance(ask, policy_wire.Ask):
            policy_wire.send(sock, answer(ask, run, first.inputs))


def answer(ask: policy_wire.Ask, run: Run, inputs: int) -> policy_wire.Answer | policy_wire.Failed:
    """One run of the graph, timed here, where no other process' scheduling is in the figure but this one's."""
    started = time.perf_counter_ns()
    try:
        given = np.frombuffer(ask.features, dtype="<f4").reshape(ask.rows, inputs)
        values = run(given)
    except Exception as error:  # a graph that raises is an answer too
        return policy_wire.Failed(ask.id, f"{type(error).__name__}: {error}", rss_bytes())
    latency_us = (time.perf_counter_ns() - started) // 1_000
    return policy_wire.Answer(ask.id, values.shape, values.astype("<f4", copy=False).tobytes(), latency_us, rss_bytes())


def load(message: policy_wire.Load) -> Run:
    """An onnxruntime session of one thread, warmed up once: [rows, inputs] -> [rows, outputs], float32."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(3)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(message.model, options, providers=["CPUExecutionProvider"])
    (source,), (sink,) = session.get_inputs(), session.get_outputs()

    def run(given: np.ndarray) -> np.ndarray:
        values: np.ndarray = session.run([sink.name], {source.name: given})[0]
        return values

    run(np.zeros((1, message.inputs), dtype=np.float32))
    return run


def rss_bytes() -> int:
    """Resident memory of this process now; 0 where the system does not tell."""
    statm = _statm()
    return 0 if statm is None else int(os.pread(statm, 64, 0).split()[1]) * _PAGE_BYTES


@cache
def _statm() -> int | None:
    """The kernel's file on this process' memory, kept open: it is read after every answer."""
    try:
        return os.open("/proc/self/statm", os.O_RDONLY)
    except OSError:
        return None


if __name__ == "__main__":
    sys.exit(main())
