"""How a message names many things: the first few, and how many more there are."""

from collections.abc import Sequence


def first_few(texts: Sequence[str], most: int) -> str:
    """`a, b and 3 more`; all of them where they are no more than `most`."""
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more


def quoted(names: Sequence[str], most: int = 6) -> str:
    """Names as errors and notes write them."""
    return first_few([f"`{name}`" for name in names], most)
