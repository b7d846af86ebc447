"""The OpenAPI document: FastAPI's own, with security, roles, push mode, and the problem answer of every operation."""

from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from controller.api import push_route
from controller.api.problems import MEDIA_TYPE, PROBLEM_SCHEMA

DESCRIPTION = """\
Watch and steer a rollout of a learned policy on a real plant.

Send a token as `Authorization: Bearer`. Every operation says in `x-role` the lowest role that may use it: viewer, operator,
approver. A change takes an `Idempotency-Key`, answers 202 with the intent and, if the control process has looked at it within
a second, its outcome. Times are integer microseconds, UTC; setpoints and signals are in the plant's engineering units.
"""
_PROBLEMS = {
    "400": "the request cannot be read",
    "401": "nobody is named",
    "403": "the role does not suffice",
    "404": "no such thing",
    "409": "made for a version that has passed",
    "413": "too large",
    "422": "not acceptable, or refused by the control process",
    "428": "the version it was made for is missing",
    "503": "a part of the system is not reachable",
}


def document(app: FastAPI) -> dict[str, Any]:
    """The whole document of an app. The same dictionary each time: it is made once."""
    if app.openapi_schema is None:
        made = get_openapi(title=app.title, version=app.version, description=DESCRIPTION, routes=app.routes)
        item, schemas = push_route.operation()
        made["paths"][push_route.PATH] = item
        components = made.setdefault("components", {})
        components.setdefault("schemas", {}).update(schemas, Problem=PROBLEM_SCHEMA)
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        for operation in operations(made):
            _finish(operation)
        app.openapi_schema = made
    return app.openapi_schema


def operations(made: dict[str, Any]) -> list[dict[str, Any]]:
    """Every operation of a document."""
    return [operation for item in made["paths"].values() for operation in item.values()]


def _finish(operation: dict[str, Any]) -> None:
    is_open = operation["x-role"] == "none"
    operation["security"] = [] if is_open else [{"token": []}]
    answers = operation["responses"]
    answers.pop("422", None)  # FastAPI's own shape, which this service never answers
    for status, description in _PROBLEMS.items():
        if is_open:
            break
        answers[status] = {
            "description": description,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }


def checked(router: APIRouter) -> APIRouter:
    """The router, if every route of it says who may use it. Raises ValueError at start-up if one forgot."""
    for route in router.routes:
        if not isinstance(route, APIRoute) or "x-role" not in (route.openapi_extra or {}):
            raise ValueError(f"route `{getattr(route, 'path', route)}` names no role: register it with `guarded(...)`")
    return router
