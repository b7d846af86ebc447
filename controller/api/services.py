"""What every route of the web process uses, made once by the app factory and found through the request."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from fastapi import Request

from controller.api.access import AccessBook
from controller.api.backend import Backend, BackendAwayError
from controller.api.problems import Problem
from controller.metrics.web import WebMetrics
from controller.protocol.status import PlantStatus

T = TypeVar("T")


@dataclass(slots=True)
class Services:
    """`settle_s` is how long a change waits for its result, `poll_s` how often streams look for news."""

    backend: Backend
    access: AccessBook
    now_us: Callable[[], int]
    metrics: WebMetrics = field(default_factory=WebMetrics)
    settle_s: float = 1.0
    poll_s: float = 0.5
    max_streams: int = 50
    max_override_s: int = 24 * 3600
    push_plants: frozenset[str] = frozenset()
    streams: int = 0
    closing: asyncio.Event = field(default_factory=asyncio.Event)


def services(request: Request) -> Services:
    """The services of the app that serves this request."""
    found: Services = request.app.state.services
    return found


async def in_thread(call: Callable[[], T]) -> T:
    """Make a blocking call of the backend in a thread. Raises the 503 problem if that part is not reachable."""
    try:
        return await asyncio.to_thread(call)
    except BackendAwayError as error:
        raise Problem(503, "control-away", str(error)) from error


async def status_of(found: Services, plant: str) -> PlantStatus:
    """The live status of a plant. Raises the 404 problem for an unknown one, 503 for one that never reported."""
    if plant not in await in_thread(found.backend.plants):
        raise Problem(404, "not-found", f"plant `{plant}` is not of this site")
    live = await in_thread(lambda: found.backend.live(plant))
    if live is None:
        raise Problem(503, "control-away", f"the control process has written no status of `{plant}` yet")
    return live
