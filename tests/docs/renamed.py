"""The table of renamed keys, `docs/reference/renamed.md`, as a map that turns an earlier report into today's keys."""

from collections.abc import Mapping
from typing import Any

from tests.docs.pages import rows
from tests.paths import ROOT

PAGE = ROOT / "docs" / "reference" / "renamed.md"
Row = tuple[str, str, str]
"""Where, before, now."""


def table() -> list[Row]:
    """Every row of the table, without backticks."""
    cells = [[cell.strip().strip("`") for cell in row] for row in rows(PAGE.read_text())]
    return [(where, before, now) for where, before, now, *_ in cells if where not in ("where", "---")]


def in_new_keys(former: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return the settings of `where` in today's keys, given in the former ones. Keys that are new since are absent."""
    names = {before: now for place, before, now in table() if place == where and before}
    made: dict[str, Any] = {}
    for key, value in former.items():
        *parents, last = names.get(key, key).split(".")
        inner = made
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[last] = value
    return made


def without_new_keys(today: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Today's values of `where` without the keys that are new since."""
    new = [now for place, before, now in table() if place == where and not before]
    made = dict(today)
    for name in new:
        first, _, second = name.partition(".")
        if second:
            made[first] = {key: value for key, value in made[first].items() if key != second}
        else:
            del made[first]
    return made
