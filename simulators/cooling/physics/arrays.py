"""What the plant computes on: any array of the Python array API standard, batch dimension first."""

from typing import Any, TypeAlias

from array_api_compat import array_namespace

Array: TypeAlias = Any
"""A numpy array or a torch tensor of float64. The standard defines no common type to annotate with."""

Namespace: TypeAlias = Any
"""The module of array functions that belongs to an `Array`."""


def stacked(rows: list[Array], xp: Namespace) -> Array:
    """Rows of `[n, m]` as `[k, n, m]`; cheaper than `stack`."""
    return xp.reshape(xp.concat(rows, axis=0), (len(rows), *rows[0].shape))


__all__ = ["Array", "Namespace", "array_namespace", "stacked"]
