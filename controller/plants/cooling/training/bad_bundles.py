"""Three bundles that are bad on purpose, to show that the rollout stops them:

    python -m controller.plants.cooling.training.bad_bundles

    reckless     asks for settings far outside the envelope; refused on every tick, so it must not leave shadow
    stuck        hardly moves from cold water, cold air and fast fans: safe, wasteful; must not leave 25 %
    slow-drift   is the candidate until the end of January, then blends into `stuck` as spring comes: must not leave 50 %

Each is a small graph around weights, signed like any other bundle: a signature says who made it, not that it is good.
The last two come with statistics of novelty fitted on their own behaviour; other statistics would refuse them at once.
Novelty shows what is unlike training, not whether the training was good.
"""

import argparse
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, compose, helper, numpy_helper

from controller.learning.evaluate import bundle_tensors
from controller.learning.export import OPSET
from controller.plants.cooling.settings import CoolingSettings
from controller.plants.cooling.training.novelty_data import SEEDS, fitted, service_rows
from controller.plants.cooling.training.training_site import CoolingTrainingSite, training_site
from controller.policies.bundle import Bundle, load_bundle, write_bundle
from controller.policies.manifest import InputSpec, Manifest, OutputSpec, Training
from controller.policies.trust import TrustStore, read_or_make_key
from controller.settings import load_site
from simulators.cooling.world.load import NODES_PER_DAY

IR_VERSION = 10
WASTEFUL = {"supply_air_c": 18.6, "fan": 0.76, "chws_c": 8.0, "tower_c": 15.0, "chillers_on": 2.0}
"""Within the envelope, its trust region around the incumbent's steps included."""
_WOBBLE = 0.02
DAYS = 3
"""Of each week, for the statistics of novelty."""
# 1 - cos of the phase of the year at the end of January, and how much further it is until the drift is complete (end of April).
_DRIFT_FROM, _DRIFT_SPAN = 0.13, 1.2


def reckless(manifest: Manifest) -> bytes:
    """[batch, inputs] -> four to eight times the range of every output, this way and that with the circumstances."""
    inputs, outputs = len(manifest.inputs), len(manifest.outputs)
    signs = np.where(np.arange(outputs) % 2, 1.0, -1.0)
    weights = np.random.default_rng(7).normal(size=(inputs, outputs)) / np.sqrt(inputs)
    nodes = [
        helper.make_node("MatMul", ["features", "weights"], ["moved"]),
        helper.make_node("Tanh", ["moved"], ["bounded"]),
        helper.make_node("Mul", ["bounded", "spread"], ["spread_out"]),
        helper.make_node("Add", ["spread_out", "bias"], ["answer"]),
    ]
    constants = {"weights": weights, "spread": np.array([2.0]), "bias": 6.0 * signs}
    return _model(nodes, constants, inputs, outputs)


def stuck(manifest: Manifest) -> bytes:
    """[batch, inputs] -> the wasteful setting, but for a wobble of a hundredth of the range.

    A true constant would be found out in shadow already, by the check on frozen proposals.
    """
    inputs, outputs = len(manifest.inputs), len(manifest.outputs)
    nodes = [
        helper.make_node("MatMul", ["features", "weights"], ["moved"]),
        helper.make_node("Tanh", ["moved"], ["bounded"]),
        helper.make_node("Mul", ["bounded", "wobble"], ["wobbling"]),
        helper.make_node("Add", ["wobbling", "wasteful"], ["answer"]),
    ]
    weights = np.full((inputs, outputs), 1.0 / inputs)
    return _model(
        nodes,
        {"weights": weights, "wobble": np.array([_WOBBLE]), "wasteful": wasteful(manifest.outputs)},
        inputs,
        outputs,
    )


def slow_drift(candidate: Bundle) -> bytes:
    """[batch, inputs + 1] -> (1 - d) * candidate + d * wasteful, where d grows with the year.

    Its last feature, `year_cos`, is one that the candidate does not have: the time of year.
    """
    manifest = candidate.manifest
    inputs, outputs = len(manifest.inputs), len(manifest.outputs)
    model = onnx.load_from_string(candidate.policy)
    inner = compose.add_prefix_graph(model.graph, "candidate/")
    source, sink = inner.input[0].name, inner.output[0].name
    drift = [
        ("Sub", ["one", "year_cos"], "risen"),
        ("Sub", ["risen", "from"], "late"),
        ("Div", ["late", "span"], "share"),
        ("Clip", ["share", "none", "all"], "drift"),
        ("Sub", ["wasteful", sink], "way"),
        ("Mul", ["drift", "way"], "gone"),
        ("Add", [sink, "gone"], "answer"),
    ]
    nodes = [
        helper.make_node("Split", ["features", "split"], [source, "year_cos"], axis=1),
        *inner.node,
        *(helper.make_node(operator, given, [out]) for operator, given, out in drift),
    ]
    constants = {"one": 1.0, "from": _DRIFT_FROM, "span": _DRIFT_SPAN, "none": 0.0, "all": 1.0}
    arrays = {name: np.array(value) for name, value in constants.items()} | {"wasteful": wasteful(manifest.outputs)}
    split = numpy_helper.from_array(np.array([inputs, 1], dtype=np.int64), "split")
    return _model(nodes, arrays, inputs + 1, outputs, [*inner.initializer, split])


def wasteful(outputs: Sequence[OutputSpec]) -> NDArray[np.float64]:
    """The answer [outputs] that asks for `WASTEFUL`."""
    wanted = [WASTEFUL["fan" if spec.setpoint.startswith("fan") else spec.setpoint] for spec in outputs]
    return np.array([(value - spec.centre) / spec.scale for value, spec in zip(wanted, outputs, strict=True)])


def make(candidate: Bundle, site: CoolingTrainingSite, out: Path, key: Path) -> None:
    """Write and sign all three beside each other in `out`."""
    manifest, signing = candidate.manifest, read_or_make_key(key)
    late = (*manifest.inputs, InputSpec(kind="calendar", name="year_cos"))
    graphs = {
        "reckless": (reckless(manifest), manifest.inputs),
        "stuck": (stuck(manifest), manifest.inputs),
        "slow-drift": (slow_drift(candidate), late),
    }
    training = Training(
        command="python -m controller.plants.cooling.training.bad_bundles", seed=7, algorithm="bad on purpose"
    )
    for name, (graph, inputs) in graphs.items():
        changes = {"name": name, "inputs": inputs, "training": training, "score": {}}
        bad = manifest.model_copy(update={**changes, "weights_sha256": hashlib.sha256(graph).hexdigest()})
        if name != "reckless":
            served = service_rows(graph, bundle_tensors(bad, site), site, DAYS * NODES_PER_DAY, SEEDS[:1])
            bad = bad.model_copy(update={"novelty": fitted(served)})
        write_bundle(out / name, bad, graph, {"note": "bad on purpose: never serve it but to see it stopped"}, signing)


def main(arguments: list[str]) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m controller.plants.cooling.training.bad_bundles", description=__doc__
    )
    parser.add_argument("--site", type=Path, default=Path("deploy/sites/demo"))
    parser.add_argument("--key", type=Path, default=Path(".understudy/signing-key.pem"))
    chosen = parser.parse_args(arguments)
    bundles = chosen.site / "bundles"
    candidate = load_bundle(bundles / "candidate", TrustStore.load(chosen.site / "trust"))
    settings = load_site(chosen.site).plant_settings("cooling", CoolingSettings)
    make(candidate, training_site(chosen.site, settings), bundles, chosen.key)


def _model(
    nodes: Sequence[onnx.NodeProto],
    constants: dict[str, NDArray[np.float64]],
    inputs: int,
    outputs: int,
    more: Sequence[onnx.TensorProto] = (),
) -> bytes:
    weights = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()]
    graph = helper.make_graph(
        list(nodes),
        "policy",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", inputs])],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, ["batch", outputs])],
        [*weights, *more],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


if __name__ == "__main__":
    main(sys.argv[1:])
