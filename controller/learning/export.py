"""The actor of a Stable-Baselines3 policy as one ONNX graph: features in, the deterministic mean cut to -1..1 out.

Exporting a whole SB3 policy fails (it holds distributions and a critic); the actor's path alone exports cleanly.
"""

import io
import logging
import warnings

import numpy as np
import onnx
import torch
from stable_baselines3.common.policies import ActorCriticPolicy

from controller.policies.server import load
from controller.protocol import policy_wire

OPSET = 18
TOLERANCE = 1e-5


class ExportError(RuntimeError):
    """A graph that does not answer as the network it was made from."""


class Actor(torch.nn.Module):  # type: ignore[misc]
    """The trained actor. SB3 clips an answer to the action space's -1..1, and so does the graph."""

    def __init__(self, policy: ActorCriticPolicy) -> None:
        super().__init__()
        self.hidden, self.head = policy.mlp_extractor.policy_net, policy.action_net

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """[n, inputs] -> [n, outputs] in -1..1."""
        return torch.clamp(self.head(self.hidden(features)), -1.0, 1.0)


def export_actor(policy: ActorCriticPolicy, inputs: int) -> bytes:
    """The graph's bytes. Raises ExportError if it does not answer as torch does, to `TOLERANCE`."""
    actor = Actor(policy).eval()
    file, log = io.BytesIO(), logging.getLogger("torch.onnx")
    level = log.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own, about itself, as its log's on packages we do not need
        log.setLevel(logging.ERROR)
        program = torch.onnx.export(
            actor,
            (torch.zeros(2, inputs),),
            dynamo=True,
            opset_version=OPSET,
            input_names=["features"],
            output_names=["answer"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            verbose=False,
        )
    log.setLevel(level)
    if program is None:
        raise ExportError("torch exported nothing: check that torch, onnx and onnxscript are the pinned versions")
    program.save(file, external_data=False)
    model = bare(onnx.load_from_string(file.getvalue()))
    check(model, actor, inputs)
    return model


def bare(model: onnx.ModelProto) -> bytes:
    """The same graph without the exporter's notes (source lines, stack traces), so that the same weights are the same bytes."""
    model.ClearField("metadata_props")
    model.ClearField("doc_string")
    model.graph.ClearField("metadata_props")
    model.graph.ClearField("value_info")
    for part in (*model.graph.node, *model.graph.initializer, *model.graph.input, *model.graph.output):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def check(model: bytes, actor: Actor, inputs: int) -> None:
    """Compare graph and torch on random features. Raises ExportError beyond `TOLERANCE`."""
    features = np.random.default_rng(0).normal(size=(512, inputs)).astype(np.float32)
    with torch.no_grad():
        wanted = actor(torch.as_tensor(features)).numpy()
    worst = float(np.max(np.abs(load(policy_wire.Load(model, inputs, wanted.shape[1]))(features) - wanted)))
    if not worst <= TOLERANCE:
        raise ExportError(f"the exported graph differs from torch by {worst:g}, at most {TOLERANCE:g} is taken")
