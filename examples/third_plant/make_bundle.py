"""Make the tank's candidate, an ONNX graph of one line, and sign it: `python examples/third_plant/make_bundle.py --key KEY`.

The key is made if it is not there; put its `.pub` into `site/trust`. Needs the [train] extra (`onnx`).
"""

import argparse
import hashlib
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from controller.policies.bundle import write_bundle
from controller.policies.manifest import InputSpec, Manifest, OutputSpec, Training
from controller.policies.trust import read_or_make_key
from safety.loading.spec import load_envelope

SITE = Path(__file__).parent / "site"


def graph() -> bytes:
    """heater_kw = draw + 3 per kelvin below 51 C, at least 1 and at most 35: [batch, 2] -> [batch, 1]."""
    weights = {
        "w": np.array([[-3.0], [1.0]]),
        "below": np.array([3.0 * 51.0]),
        "least": np.array(1.0),
        "most": np.array(35.0),
    }
    nodes = [
        helper.make_node("MatMul", ["seen", "w"], ["pulled"]),
        helper.make_node("Add", ["pulled", "below"], ["wanted"]),
        helper.make_node("Clip", ["wanted", "least", "most"], ["heater_kw"]),
    ]
    ends = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, ["batch", k]) for n, k in (("seen", 2), ("heater_kw", 1))
    ]
    held = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()]
    model = helper.make_model(
        helper.make_graph(nodes, "tank", ends[:1], ends[1:], held),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=10,
    )
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def main() -> None:
    """Export and sign."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--key", type=Path, required=True)
    policy = graph()
    manifest = Manifest(
        schema_version=1,
        name="cooler-tank",
        plant_kind="warm_tank",
        inputs=(InputSpec(kind="signal", name="tank_c"), InputSpec(kind="signal", name="draw_kw")),
        outputs=(OutputSpec(setpoint="heater_kw", centre=0.0, scale=1.0),),
        control_period_s=300.0,
        weights_sha256=hashlib.sha256(policy).hexdigest(),
        envelope_digest=load_envelope(SITE / "envelope.toml").digest,
        training=Training(command="python examples/third_plant/make_bundle.py", seed=0, algorithm="none"),
    )
    key = read_or_make_key(parser.parse_args().key)
    write_bundle(SITE / "bundles" / "candidate", manifest, policy, {"note": "written by hand, not trained"}, key)


if __name__ == "__main__":
    main()
