"""Floors under a policy's answers, written into its graph: at least so much of a setpoint while a signal is high."""

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import helper, numpy_helper

from controller.learning.spec import Floor, TrainingError
from controller.learning.tensors import Tensors

STEEP = 1e6
"""From the lowest answer to the floor within a millionth of a signal's range."""


def floored(graph: bytes, tensors: Tensors, floors: Sequence[Floor]) -> bytes:
    """The graph with every floor put under its answers in -1..1. Raises TrainingError where a name is not the policy's."""
    model = onnx.load_from_string(graph)
    for number, floor in enumerate(floors):
        _put_under(model.graph, tensors, floor, f"floor{number}")
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _put_under(graph: onnx.GraphProto, tensors: Tensors, floor: Floor, name: str) -> None:
    """answer := max(answer, f) where f is -1, but clip(STEEP (signal - above), -1, floor) in the setpoint's column."""
    inputs = [spec.name if spec.kind == "signal" else "" for spec in tensors.inputs]
    outputs = [spec.setpoint for spec in tensors.outputs]
    if floor.signal not in inputs or floor.setpoint not in outputs:
        raise TrainingError(f"`floor`: the policy has no `{floor.signal}` or no `{floor.setpoint}`: correct the name")
    seen, target = tensors.inputs[inputs.index(floor.signal)], tensors.outputs[outputs.index(floor.setpoint)]
    column = np.array([output == floor.setpoint for output in outputs], dtype=np.float32)[None, :]
    constants = {
        "at": np.array([inputs.index(floor.signal)], dtype=np.int64),
        "above": np.float32((floor.above - seen.centre) / seen.scale),
        "steep": np.float32(STEEP),
        "least": np.float32(-1.0),
        "most": np.float32(min(1.0, (floor.value - target.centre) / target.scale)),
        "column": column,
        "elsewhere": column - np.float32(1.0),
    }
    graph.initializer.extend(numpy_helper.from_array(value, f"{name}/{key}") for key, value in constants.items())
    steps = [
        ("Gather", ["features", "at"], "seen", {"axis": 1}),
        ("Sub", ["seen", "above"], "over", {}),
        ("Mul", ["over", "steep"], "far", {}),
        ("Clip", ["far", "least", "most"], "height", {}),
        ("Mul", ["height", "column"], "here", {}),
        ("Add", ["here", "elsewhere"], "under", {}),
        ("Max", ["asked", "under"], "raised", {}),
    ]
    outer = {"features": graph.input[0].name, "asked": graph.output[0].name}
    for kind, given, made, attributes in steps:
        named = [outer.get(each, f"{name}/{each}") for each in given]
        graph.node.append(helper.make_node(kind, named, [f"{name}/{made}"], **attributes))
    graph.output[0].name = f"{name}/raised"
