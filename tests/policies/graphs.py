"""Tiny ONNX graphs and the bundles around them."""

import hashlib
from pathlib import Path

import numpy as np
import onnx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from onnx import TensorProto, helper, numpy_helper

from controller.policies.bundle import Bundle, load_bundle, write_bundle
from controller.policies.manifest import InputSpec, Manifest, OutputSpec, Training
from controller.policies.trust import TrustStore, write_public
from safety.values import Observation, Signal

INPUTS = (
    InputSpec(kind="signal", name="hall_c", centre=25.0, scale=5.0),
    InputSpec(kind="setpoint", name="supply_c", centre=20.0, scale=4.0),
    InputSpec(kind="calendar", name="day_sin"),
)
OUTPUTS = (
    OutputSpec(setpoint="supply_c", centre=20.0, scale=4.0),
    OutputSpec(setpoint="fans_on", centre=2.0, scale=1.0, values=(1.0, 2.0, 3.0), thresholds=(1.5, 2.5)),
)


def save(model: onnx.ModelProto) -> bytes:
    return model.SerializeToString()


def linear(inputs: int = 3, outputs: int = 2, *, seed: int = 0) -> onnx.ModelProto:
    """tanh(x W): [batch, inputs] -> [batch, outputs]."""
    weights = np.random.default_rng(seed).normal(size=(inputs, outputs)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "W"], ["h"]), helper.make_node("Tanh", ["h"], ["y"])],
        "actor",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", inputs])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", outputs])],
        [numpy_helper.from_array(weights, "W")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)


def wide(hidden: int) -> onnx.ModelProto:
    """tanh(x V W) by way of `hidden` units: a large file."""
    model = linear()
    first = np.full((3, hidden), 1.0 / hidden, dtype=np.float32)
    last = np.full((hidden, 2), 1.0, dtype=np.float32)
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(last, "W"))
    model.graph.initializer.append(numpy_helper.from_array(first, "V"))
    model.graph.node.insert(0, helper.make_node("MatMul", ["x", "V"], ["wide"]))
    model.graph.node[1].input[0] = "wide"
    return model


def manifest(policy: bytes, **changes: object) -> Manifest:
    values: dict[str, object] = {
        "schema_version": 1,
        "name": "tiny",
        "plant_kind": "test",
        "inputs": INPUTS,
        "outputs": OUTPUTS,
        "control_period_s": 300.0,
        "weights_sha256": hashlib.sha256(policy).hexdigest(),
        "envelope_digest": "0" * 64,
        "training": Training(command="none", seed=0, algorithm="none"),
    }
    return Manifest.model_validate(values | changes)


class Workshop:
    """A signing key, the trust store that trusts it, and bundles signed with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = Ed25519PrivateKey.generate()
        self.trusted = folder / "trust"
        self.trusted.mkdir()
        write_public(self.trusted / "workshop.pub", self.key.public_key())

    @property
    def trust(self) -> TrustStore:
        return TrustStore.load(self.trusted)

    def write(self, policy: bytes | None = None, **changes: object) -> Path:
        policy = policy or save(linear())
        folder = self.folder / "bundle"
        write_bundle(folder, manifest(policy, **changes), policy, {"note": "a test"}, self.key)
        return folder

    def bundle(self, policy: bytes | None = None, **changes: object) -> Bundle:
        return load_bundle(self.write(policy, **changes), self.trust)


def observation(taken_at: int, *, subject: str = "plant") -> Observation:
    return Observation(
        plant="test",
        subject=subject,
        taken_at=taken_at,
        signals={"hall_c": Signal(24.0 + (taken_at % 7_000_000_001) / 1e9)},
        applied={"supply_c": 21.0, "fans_on": 2.0},
    )
