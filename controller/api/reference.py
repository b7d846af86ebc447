"""The reference page of the API, made from the OpenAPI document.

python -m controller.api.reference > docs/reference/api.md
"""

import sys
from typing import Any

from fastapi import APIRouter, FastAPI

from controller.api import schema
from controller.api.acts import GIVES_AUTHORITY
from controller.api.app import API_PARTS
from controller.api.problems import KINDS
from controller.api.routes import health
from controller.protocol.push import DEADLINE_MS

HEAD = """\
# HTTP API

The API is below `/v1` on the console's address (default `http://127.0.0.1:8800`). The OpenAPI document
(`/v1/openapi.json`) has examples of every body. Times are integer microseconds since the epoch, UTC.
Values are in the plant's engineering units; a number that is not finite is null.

## Roles

Send a token in `Authorization: Bearer`. `understudy token create` makes one; it is shown once, and only its SHA-256 is
stored. A token is 256 random bits, so a slow hash adds no protection and would cost every request. Each role includes those
before it: **viewer** reads, **operator** also takes authority from the candidate and overrides, **approver** also gives
authority. Everything but `/livez`, `/readyz`, the login page and static files is denied without a role.

## Changes

A change needs an `Idempotency-Key` header of your choice; the same key is the same change, however often it is sent. The
answer is 202 with the intent, and with its outcome if the control process carried it out within a second; otherwise read
`/v1/intents/{id}` later. A refusal is a 422 with the reason. `If-Match: "7"` (or `expected_version` in the body) makes a
change for version 7 of the rollout: 409 if it has changed. A change that gives authority (GIVES) must name a version. STOP needs
none, and works while the control process, the intents and the store are down.

```sh
curl -X POST http://127.0.0.1:8800/v1/plants/plant-a/rollout/pause \\
  -H "Authorization: Bearer $TOKEN" -H "Idempotency-Key: $(uuidgen)" \\
  -H "Content-Type: application/json" -d '{"reason": "unit 2 in service"}'
```
"""
PUSH = f"""\
## Push mode

A plant that keeps its own loop posts to `/v1/plants/{{plant}}/decide` its observation and its own controller's command, and
applies the command of the answer. `status` is the outcome:

| status | meaning | what the plant does |
|---|---|---|
| `decided` | a command, judged by the envelope | applies `setpoints`, at most for `valid_for_us`; if empty, its own command |
| `late` | no decision within `deadline_ms` (default {DEADLINE_MS}) | continues with its own command |
| `unavailable` | the control process is not reachable, or the decision failed | continues with its own command |
| `refused` | this plant, or this `taken_at`, is not decided for | continues with its own command |

A decision may still have been made and recorded after a late answer. The next request's `applied` and `readback` say what the
plant did, and the next decision starts from them. A request with the same `taken_at` gets the same answer again.

## Events

`/v1/plants/{{plant}}/events/stream` sends server-sent events: one for each event under its kind, its number as the id, and
`status` when version, mode or control changes. `decision` has the newest decision in a line, at most two per second; the
list has those between. Reconnect with `Last-Event-ID` to miss no event. `gone` gives the reason why a stream ends.
"""


def render() -> str:
    """The page."""
    gives = ", ".join(f"`{kind}`" for kind in sorted(GIVES_AUTHORITY))
    return "\n".join(
        [HEAD.replace("GIVES", gives), "## Operations\n", _operations(), PUSH, "## Problems\n", _problems()]
    )


def _operations() -> str:
    rows = ["| operation | role | what it does |", "|---|---|---|"]
    for path, item in document()["paths"].items():
        for method, operation in item.items():
            words = " ".join(operation["description"].split()).split(". ")[0].rstrip(".")
            rows.append(f"| `{method.upper()} {path}` | {operation['x-role']} | {words}. |")
    return "\n".join(rows) + "\n"


def _problems() -> str:
    head = "Every error is a problem detail (RFC 9457) of type `urn:understudy:problem:KIND`.\n"
    rows = ["| kind | meaning |", "|---|---|", *(f"| `{kind}` | {meaning} |" for kind, meaning in KINDS.items())]
    return "\n".join([head, *rows]) + "\n"


def document() -> dict[str, Any]:
    """The document of an application without a site behind it."""
    app = FastAPI(title="Understudy")
    routers: list[tuple[APIRouter, str]] = [(health.router, ""), *((part.router, "/v1") for part in API_PARTS)]
    for router, prefix in routers:
        app.include_router(router, prefix=prefix)
    return schema.document(app)


if __name__ == "__main__":
    sys.stdout.write(render())
