"""The first few of many names, and how many more there are."""

from safety.text import first_few, quoted


def test_short_lists_are_named_whole_and_long_ones_counted() -> None:
    assert first_few([], 2) == ""
    assert first_few(["a", "b"], 2) == "a, b"
    assert first_few(["a", "b", "c", "d"], 2) == "a, b and 2 more"
    assert quoted(["x", "y"]) == "`x`, `y`"
    assert quoted([*"abcdefgh"]) == "`a`, `b`, `c`, `d`, `e`, `f` and 2 more"
