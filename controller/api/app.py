"""The web process's application: routes, errors, the gate, and nothing that could touch the control loop."""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import JSONResponse, Response

from controller.api import problems, push_route, schema
from controller.api.access import AccessBook
from controller.api.authentication import Authentication
from controller.api.backend import Backend
from controller.api.guards import guarded
from controller.api.roles import Role
from controller.api.routes import breakers, decisions, events, health, overrides, plants, rollout
from controller.api.services import Services, in_thread
from controller.metrics.web import Measure

VERSION = "1"
API_PARTS = (plants, decisions, rollout, breakers, overrides, events)


def wall_us() -> int:
    """Wall time in microseconds since the epoch."""
    return time.time_ns() // 1000


def create_app(
    backend: Backend,
    access: AccessBook,
    *,
    push_plants: Sequence[str] = (),
    now_us: Callable[[], int] = wall_us,
    settle_s: float = 1.0,
    poll_s: float = 0.5,
    max_override_s: int = 24 * 3600,
    routers: Sequence[APIRouter] = (),
) -> FastAPI:
    """The application of one site. `push_plants` may be decided for over HTTP; `routers` are mounted beside the API."""
    found = Services(
        backend,
        access,
        now_us,
        settle_s=settle_s,
        poll_s=poll_s,
        max_override_s=max_override_s,
        push_plants=frozenset(push_plants),
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        found.closing.set()

    app = FastAPI(
        title="Understudy", version=VERSION, docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan
    )
    app.state.services = found
    app.router.routes.insert(0, push_route.route)  # matched first: it is the one path whose speed counts
    app.include_router(schema.checked(health.router))
    for part in API_PARTS:
        app.include_router(schema.checked(part.router), prefix="/v1")
    for router in routers:
        app.include_router(schema.checked(router))
    found.metrics.watch(backend, lambda: found.streams, now_us)
    _serve_schema(app)
    _serve_metrics(app)
    problems.install(app)
    app.add_middleware(Authentication, access=access)
    app.add_middleware(Measure, metrics=found.metrics)
    return app


def _serve_schema(app: FastAPI) -> None:
    app.openapi = lambda: schema.document(app)  # type: ignore[method-assign]

    @app.get("/v1/openapi.json", include_in_schema=False, dependencies=guarded(Role.VIEWER)["dependencies"])
    async def openapi() -> JSONResponse:
        made: dict[str, Any] = app.openapi()
        return JSONResponse(made)


def _serve_metrics(app: FastAPI) -> None:
    @app.get("/metrics", include_in_schema=False, dependencies=guarded(Role.VIEWER)["dependencies"])
    async def metrics() -> Response:
        found: Services = app.state.services
        body = await in_thread(lambda: generate_latest(found.metrics.registry))
        return Response(body, media_type=CONTENT_TYPE_LATEST)
