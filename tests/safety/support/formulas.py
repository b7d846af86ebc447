"""The prover's own formulas, evaluated on numbers: a z3 expression becomes a Python function over exact fractions.

So the very formula that z3 is asked about can be held against the kernel, thousands of times a second.
"""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import z3

Value = Fraction | bool
_INFIX = {
    z3.Z3_OP_ADD: "+", z3.Z3_OP_MUL: "*", z3.Z3_OP_SUB: "-", z3.Z3_OP_LE: "<=", z3.Z3_OP_GE: ">=", z3.Z3_OP_LT: "<",
    z3.Z3_OP_GT: ">", z3.Z3_OP_EQ: "==", z3.Z3_OP_AND: "and", z3.Z3_OP_OR: "or", z3.Z3_OP_DISTINCT: "!=",
}  # fmt: skip


def symbols_of(formulas: Sequence[z3.ExprRef]) -> dict[str, z3.ExprRef]:
    """The free symbols of formulas, by name."""
    return {node.decl().name(): node for node in _nodes(formulas) if z3.is_const(node) and _is_free(node)}


def evaluator(formulas: Sequence[z3.ExprRef]) -> Callable[[Mapping[str, Value]], list[Value]]:
    """A function from numbers by name to the values of the formulas: straight-line, one line for each part."""
    names: dict[int, str] = {}
    lines = ["def evaluate(given):"]
    space: dict[str, Any] = {"over": _over}
    for node in _nodes(formulas):
        names[node.get_id()] = name = f"n{len(names)}"
        lines.append(f"  {name} = {_text(node, names, space)}")
    lines.append(f"  return [{', '.join(names[formula.get_id()] for formula in formulas)}]")
    exec("\n".join(lines), space)  # the text is made above, of formulas made by the prover
    return space["evaluate"]  # type: ignore[no-any-return]


def _over(one: Fraction, other: Fraction) -> Fraction:
    """A quotient; where it is divided by zero it is one that nobody looks at."""
    return one / other if other else Fraction(0)


def _nodes(formulas: Sequence[z3.ExprRef]) -> list[z3.ExprRef]:
    """Every part once, parts before wholes."""
    seen: set[int] = set()
    ordered: list[z3.ExprRef] = []
    stack = [(formula, False) for formula in reversed(formulas)]
    while stack:
        node, ready = stack.pop()
        if ready:
            ordered.append(node)
        elif node.get_id() not in seen:
            seen.add(node.get_id())
            stack.append((node, True))
            stack += [(child, False) for child in node.children()]
    return ordered


def _is_free(node: z3.ExprRef) -> bool:
    return node.decl().kind() == z3.Z3_OP_UNINTERPRETED


def _text(node: z3.ExprRef, names: Mapping[int, str], constants: dict[str, Any]) -> str:
    parts = [names[child.get_id()] for child in node.children()]
    kind = node.decl().kind()
    if z3.is_rational_value(node) or z3.is_int_value(node):
        constants[f"c{len(constants)}"] = Fraction(str(node))
        return f"c{len(constants) - 1}"
    if z3.is_true(node) or z3.is_false(node):
        return str(z3.is_true(node))
    if _is_free(node):
        return f"given[{node.decl().name()!r}]"
    if kind == z3.Z3_OP_ITE:
        return f"{parts[1]} if {parts[0]} else {parts[2]}"
    if kind == z3.Z3_OP_NOT:
        return f"not {parts[0]}"
    if kind == z3.Z3_OP_IMPLIES:
        return f"(not {parts[0]}) or {parts[1]}"
    if kind == z3.Z3_OP_UMINUS:
        return f"-{parts[0]}"
    if kind == z3.Z3_OP_DIV:
        return f"over({parts[0]}, {parts[1]})"
    if kind == z3.Z3_OP_TO_REAL:
        return parts[0]
    if kind in _INFIX and (len(parts) > 1 or kind in (z3.Z3_OP_AND, z3.Z3_OP_OR, z3.Z3_OP_ADD, z3.Z3_OP_MUL)):
        if not parts:
            return str(kind == z3.Z3_OP_AND)
        return f" {_INFIX[kind]} ".join(parts)
    raise TypeError(f"no value is known for {node.decl().name()}")
