"""The reference page of the live status, made from the docstrings in `controller.protocol.status`.

python -m controller.protocol.status_reference > docs/reference/live-status.md
"""

import sys
from collections.abc import Iterator
from typing import Any

from pydantic import TypeAdapter

from controller.protocol.status import PlantStatus

INTRO = """\
# Live status

One JSON object that the control process publishes: at most ten times a second of wall time, and at once when stage, trip,
control, override or STOP change. It lies in the one row of table `live` in `spool.sqlite`; `understudy rollout get --json`
prints it, and `GET /v1/plants/{plant}` of the [API](api.md) answers with it. JSON has no NaN and no infinities: they are
`null`. The control process does not know the store, nor who set STOP: every reader takes these from the files
`spool.sqlite.shipping` and `STOP` beside the spool.

This page is made from `controller/protocol/status.py` (`python -m controller.protocol.status_reference`).
`NAME` stands for each name, `[]` for each element of a list.
"""


def render() -> str:
    """The page."""
    schema = TypeAdapter(PlantStatus).json_schema()
    head = "| field | type | holds |\n|---|---|---|"
    rows = [f"| `{path}` | {kind} | {meaning} |" for path, kind, meaning in _rows(schema, schema["$defs"], "")]
    return "\n".join([INTRO, head, *rows]) + "\n"


def _rows(part: dict[str, Any], parts: dict[str, Any], prefix: str) -> Iterator[tuple[str, str, str]]:
    """Path, type and description of every field of a part; those of an inner part follow its own row."""
    for name, declared in part["properties"].items():
        path = prefix + name
        (shape, *rest) = declared.get("anyOf", [declared])
        kind, suffix, inner = _kind(shape)
        yield path, f"{kind} or null" if rest else kind, declared["description"]
        if inner:
            yield from _rows(parts[inner], parts, f"{path}{suffix}.")


def _kind(shape: dict[str, Any]) -> tuple[str, str, str]:
    """The type in words, how a path goes on inside, and the part inside, if there is one."""
    if "$ref" in shape:
        return "object", "", shape["$ref"].rsplit("/")[-1]
    if shape["type"] == "array":
        return "list", "[]", _kind(shape["items"])[2]
    if shape["type"] == "object":
        return (
            "object",
            ".NAME",
            _kind(shape["additionalProperties"].get("anyOf", [shape["additionalProperties"]])[0])[2],
        )
    return shape["type"], "", ""


if __name__ == "__main__":
    sys.stdout.write(render())
