"""Serving needs no torch, and the served answer is the graph's."""

import subprocess
import sys
from contextlib import closing

import numpy as np
from onnx.reference import ReferenceEvaluator

from controller.policies.client import ChildCandidate
from controller.policies.features import FeatureBuilder, targets
from safety.values import Status
from tests.policies.graphs import Workshop, linear, observation, save, wide


def test_the_answer_is_the_graphs_own(workshop: Workshop) -> None:
    bundle = workshop.bundle()
    seen = observation(3_600_000_000)
    row = FeatureBuilder(bundle.manifest).features(seen)
    (wanted,) = ReferenceEvaluator(linear()).run(None, {"x": row[None]})
    with closing(ChildCandidate(bundle, deadline_us=None)) as candidate:
        (proposal,) = candidate.propose([seen])
    expected = targets(bundle.manifest.outputs, wanted[0].tolist())
    assert all(np.isclose(proposal.targets[name], expected[name], rtol=1e-5) for name in expected)


def test_graph_larger_than_the_socket_buffer_is_sent_whole(workshop: Workshop) -> None:
    bundle = workshop.bundle(save(wide(200_000)))
    with closing(ChildCandidate(bundle, deadline_us=None)) as candidate:
        (proposal,) = candidate.propose([observation(0)])
    assert len(bundle.policy) > 2**21
    assert proposal.status is Status.OK


def test_the_control_process_imports_neither_torch_nor_onnxruntime() -> None:
    code = (
        "import sys, controller.policies.client;"
        "sys.exit(any(name.partition('.')[0] in ('torch', 'onnxruntime', 'onnx', 'stable_baselines3') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
