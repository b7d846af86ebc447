"""Every error as a problem detail (RFC 9457), with a stable type that programs can branch on."""

from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"
KINDS = {
    "bad-request": "the request cannot be read",
    "unauthenticated": "no valid token or session came with the request",
    "forbidden": "the role does not suffice, or the post came from another site",
    "not-found": "unknown path, plant, decision or act",
    "method-not-allowed": "the path exists, the method does not",
    "stale-version": "the rollout has changed since the version that the change names",
    "idempotency-key-reused": "the key was used before for a different change",
    "refused": "the control process refused the change and says why",
    "invalid": "the request is well formed but a value is not acceptable",
    "version-required": "a change that gives authority must say which version it was made for",
    "too-large": "the body is larger than is accepted",
    "too-many-streams": "as many event streams are open as are allowed",
    "control-away": "the control process has written no status yet or cannot be reached",
    "internal": "a fault of the service; the log has the trace",
}
_BY_STATUS = {400: "bad-request", 401: "unauthenticated", 403: "forbidden", 404: "not-found", 405: "method-not-allowed"}


class Problem(Exception):  # noqa: N818 — a problem detail, as the RFC names it
    """An error that the response reports. `kind` is one of KINDS; `extra` are further members of the problem."""

    def __init__(self, status: int, kind: str, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.status, self.kind, self.detail, self.extra = status, kind, detail, extra


def response(problem: Problem, headers: dict[str, str] | None = None) -> Response:
    """The HTTP answer of a problem."""
    body = {
        "type": f"urn:understudy:problem:{problem.kind}",
        "title": KINDS[problem.kind],
        "status": problem.status,
        "detail": problem.detail,
        **problem.extra,
    }
    sent = dict(headers or {})
    if problem.status == HTTPStatus.UNAUTHORIZED:
        sent["WWW-Authenticate"] = "Bearer"
    return Response(msgspec.json.encode(body), problem.status, sent, MEDIA_TYPE)


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return response(error)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    kind = _BY_STATUS.get(error.status_code, "bad-request" if error.status_code < 500 else "internal")
    return response(Problem(error.status_code, kind, str(error.detail)), dict(error.headers or {}))


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [{"where": ".".join(map(str, e["loc"])), "what": str(e["msg"])} for e in error.errors()]
    first = "; ".join(f"`{e['where']}`: {e['what'].lower()}" for e in errors[:3])
    return response(Problem(422, "invalid", first, errors=errors))


async def _fault(request: Request, error: Exception) -> Response:
    return response(Problem(500, "internal", "the service failed on this request; nothing was changed by it"))


def install(app: FastAPI) -> None:
    """Make every error of the app a problem detail."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _fault)


PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "title": "Problem",
    "description": "An error as a problem detail (RFC 9457).",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "enum": [f"urn:understudy:problem:{kind}" for kind in KINDS]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
    "example": {
        "type": "urn:understudy:problem:stale-version",
        "title": KINDS["stale-version"],
        "status": 409,
        "detail": "the rollout is at version 8, the change was made for 7: look again",
    },
}
