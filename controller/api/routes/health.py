"""Whether this process lives, and whether it can do its work. Open to all, so they say little."""

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from controller.api.problems import Problem
from controller.api.services import in_thread, services

router = APIRouter(tags=["health"])
STALE_US = 10_000_000


class Alive(BaseModel):
    """The process answers."""

    status: str = "ok"


class Readiness(BaseModel):
    """Whether every plant's status is there and fresh."""

    ready: bool
    control: str


@router.get("/livez", openapi_extra={"x-role": "none"})
async def livez() -> Alive:
    """200 while the process serves requests."""
    return Alive()


@router.get(
    "/readyz", openapi_extra={"x-role": "none"}, responses={503: {"model": Readiness, "description": "not ready"}}
)
async def readyz(request: Request, response: Response) -> Readiness:
    """200 once the control process writes its status; 503 before, and when the status is older than 10 s."""
    control = await _control(request)
    response.status_code = 200 if control == "ok" else 503
    return Readiness(ready=control == "ok", control=control)


async def _control(request: Request) -> str:
    found = services(request)
    try:
        plants = await in_thread(found.backend.plants)
        lives = [await in_thread(lambda plant=plant: found.backend.live(plant)) for plant in plants]  # type: ignore[misc]
    except Problem:
        return "away"
    written = [live.wall_us for live in lives if live is not None]
    if not plants or len(written) < len(plants):
        return "starting"
    return "stale" if found.now_us() - min(written) > STALE_US else "ok"
