"""What an ONNX file holds, read from its bytes without running it and without trusting it.

The control process looks at a graph here before the policy child is given it. Field numbers are those of the ONNX
protobuf schema (onnx.proto3, IR version 10): a closed list of stateless operators, weights inside the file, one input, one output.
"""

from collections.abc import Iterator
from dataclasses import dataclass

# Stateless, deterministic operators of the default domain; no control flow, no randomness, no recurrence.
_STATELESS = """
    Abs Add And Cast Ceil Clip Concat Constant Cos Div Elu Equal Erf Exp Expand Flatten Floor Gather Gelu Gemm Greater
    GreaterOrEqual HardSigmoid HardTanh Identity LayerNormalization LeakyRelu Less LessOrEqual Log MatMul Max Min Mul Neg
    Not Or Pow ReduceMean ReduceSum Relu Reshape Round Selu Shape Sigmoid Sign Sin Slice Softmax Softplus Split Sqrt
    Squeeze Sub Tanh Transpose Unsqueeze Where
"""
OPERATORS = frozenset(_STATELESS.split())
DEFAULT_DOMAINS = ("", "ai.onnx")
_FLOAT = 1
_EXTERNAL = 1
_MALFORMED = "not an ONNX file (malformed protobuf): restore it from where it was made"

Field = tuple[int, int, bytes | int]


class GraphError(ValueError):
    """A graph that may not be served, and why."""


@dataclass(frozen=True, slots=True)
class Graph:
    """The shapes of a graph's one input and one output; None is a free (batch) dimension."""

    input_shape: tuple[int | None, ...]
    output_shape: tuple[int | None, ...]


def inspect(model: bytes) -> Graph:
    """The shapes of a model that is safe to serve. Raises GraphError saying what is not."""
    fields = list(_fields(model))
    if any(number == 25 for number, _, _ in fields):
        raise GraphError("it defines functions of its own: export with standard operators only")
    graphs = [value for number, _, value in fields if number == 7 and isinstance(value, bytes)]
    if len(graphs) != 1:
        raise GraphError(_MALFORMED)
    graph = list(_fields(graphs[0]))
    for node in _all(graph, 1):
        _check_node(node)
    for tensor in _all(graph, 5):
        _check_tensor(tensor)
    if _all(graph, 15):
        raise GraphError("it holds sparse weights: export them dense")
    weights = {_text(_one(tensor, 8)) for tensor in _all(graph, 5)}
    inputs = [found for found in map(_value, _all(graph, 11)) if found[0] not in weights]
    outputs = [_value(value) for value in _all(graph, 12)]
    if len(inputs) != 1 or len(outputs) != 1:
        raise GraphError(
            f"it has {len(inputs)} inputs and {len(outputs)} outputs, wanted one of each: "
            "a recurrent state cannot be served, stack observations with `history` instead"
        )
    return Graph(inputs[0][1], outputs[0][1])


def _check_node(node: bytes) -> None:
    fields = list(_fields(node))
    operator, domain = _text(_one(node, 4)), _text(_one(node, 7))
    if domain not in DEFAULT_DOMAINS:
        raise GraphError(f"operator `{operator}` is of the custom domain `{domain}`: use standard ONNX operators")
    if operator not in OPERATORS:
        raise GraphError(
            f"operator `{operator}` is not on the list of stateless operators: rewrite the actor without it"
        )
    for attribute in _all(fields, 5):
        inside = list(_fields(attribute))
        if _all(inside, 6) or _all(inside, 11):
            raise GraphError(f"operator `{operator}` holds a graph of its own: rewrite the actor without it")
        for tensor in _all(inside, 5) + _all(inside, 10):
            _check_tensor(tensor)


def _check_tensor(tensor: bytes) -> None:
    fields = list(_fields(tensor))
    external = any(number == 14 and value == _EXTERNAL for number, _, value in fields)
    if external or _all(fields, 13):
        raise GraphError("weights lie outside the file (external data): export them into it")


def _value(info: bytes) -> tuple[str, tuple[int | None, ...]]:
    """Name and shape of a graph's input or output."""
    name = _text(_one(info, 1))
    tensor = _one(_one(info, 2), 1)
    kinds = [value for number, _, value in _fields(tensor) if number == 1]
    if kinds != [_FLOAT]:
        raise GraphError(f"`{name}` is not a float32 tensor: export the actor in float32")
    return name, tuple(_dimension(dim) for dim in _all(list(_fields(_one(tensor, 2))), 1))


def _dimension(dim: bytes) -> int | None:
    return next((value for number, _, value in _fields(dim) if number == 1 and isinstance(value, int)), None)


def _all(fields: list[Field], wanted: int) -> list[bytes]:
    return [value for number, _, value in fields if number == wanted and isinstance(value, bytes)]


def _one(message: bytes, wanted: int) -> bytes:
    """The last field of that number, as protobuf defines it; empty if the message has no such field."""
    found = _all(list(_fields(message)), wanted)
    return found[-1] if found else b""


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise GraphError(_MALFORMED) from error


def _fields(message: bytes) -> Iterator[Field]:
    """(field number, wire type, value) of a protobuf message; fixed-width values are passed over as bytes."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(message, at)
            yield number, wire, value
            continue
        if wire == 2:
            size, at = _varint(message, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise GraphError(_MALFORMED)
        if at + size > len(message):
            raise GraphError(_MALFORMED)
        yield number, wire, message[at : at + size]
        at += size


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise GraphError(_MALFORMED)
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise GraphError(_MALFORMED)
