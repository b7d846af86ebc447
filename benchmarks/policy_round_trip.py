"""What one proposal of the candidate costs the tick: features, round trip to the policy child, targets.

Everything is set against a bare echo of the same number of bytes by a child process, measured in the same run:
`python -m benchmarks.policy_round_trip`. Medians and p99 of `ASKS` asks with one second of warm-up each.
"""

import hashlib
import os
import socket
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np

from controller.policies.bundle import Bundle, load_bundle
from controller.policies.client import ChildCandidate
from controller.policies.features import FeatureBuilder, targets
from controller.policies.trust import TrustStore
from safety.values import Observation, Signal

ASKS = 20_000
DEMO = Path(__file__).resolve().parents[1] / "deploy/sites/demo"


def measure(call: Callable[[], object]) -> tuple[float, float]:
    """Median and p99 in [us]."""
    until = time.perf_counter() + 1.0
    while time.perf_counter() < until:
        call()
    took = []
    for _ in range(ASKS):
        started = time.perf_counter_ns()
        call()
        took.append((time.perf_counter_ns() - started) / 1e3)
    return statistics.median(took), statistics.quantiles(took, n=100)[98]


def observation_for(bundle: Bundle) -> Observation:
    """An observation in the middle of every input's range."""
    inputs = bundle.manifest.inputs
    return Observation(
        plant="bench",
        subject="bench",
        taken_at=1_700_000_000_000_000,
        signals={spec.name: Signal(spec.centre) for spec in inputs if spec.kind == "signal"},
        applied={spec.name: spec.centre for spec in inputs if spec.kind == "setpoint"},
    )


def echo(size: int) -> tuple[Callable[[], object], Callable[[], object]]:
    """A forked child that echoes `size` bytes, as the reference; returns the call and its end."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        ours.close()
        while data := theirs.recv(size):
            theirs.sendall(data)
        os._exit(0)
    theirs.close()
    payload = b"x" * size

    def call() -> object:
        ours.sendall(payload)
        return ours.recv(size)

    def end() -> object:
        ours.close()
        return os.waitpid(pid, 0)

    return call, end


def main() -> int:
    bundle = load_bundle(DEMO / "bundles/candidate", TrustStore.load(DEMO / "trust"))
    seen = observation_for(bundle)
    builder = FeatureBuilder(bundle.manifest)
    answer = [0.0] * len(bundle.manifest.outputs)
    call, end = echo(4 * bundle.manifest.input_width)
    rows = {"echo by a bare child (reference)": measure(call)}
    end()
    rows["features, in the parent"] = measure(lambda: builder.features(seen))
    rows["targets, in the parent"] = measure(lambda: targets(bundle.manifest.outputs, answer))
    with closing(ChildCandidate(bundle, deadline_us=None)) as candidate:
        rows["propose, 1 observation"] = measure(lambda: candidate.propose([seen]))
        inside_us = candidate.health.latency_us
        rows["propose, 32 observations"] = measure(lambda: candidate.propose([seen] * 32))
        rss_mib = candidate.health.rss_bytes / 2**20
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(bundle.policy, options, providers=["CPUExecutionProvider"])
    name, given = session.get_inputs()[0].name, np.zeros((1, bundle.manifest.input_width), dtype=np.float32)
    rows["the graph alone, in this process"] = measure(lambda: session.run(None, {name: given}))
    reference = rows["echo by a bare child (reference)"][0]
    print(f"bundle {bundle.manifest.name} {hashlib.sha256(bundle.policy).hexdigest()[:12]}, {len(answer)} outputs")
    for what, (median, p99) in rows.items():
        print(f"{what:36} median {median:8.1f} us  p99 {p99:8.1f} us  {median / reference:6.2f} x echo")
    print(f"{'last latency measured in the child':36} {inside_us:15d} us; resident {rss_mib:.0f} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
