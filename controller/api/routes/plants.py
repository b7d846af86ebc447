"""Plants: which there are and how each is now."""

from fastapi import APIRouter, Request

from controller.api.guards import guarded
from controller.api.models import PlantSummary
from controller.api.roles import Role
from controller.api.services import in_thread, services, status_of
from controller.protocol.status import PlantStatus

router = APIRouter(tags=["plants"])


@router.get("/plants", **guarded(Role.VIEWER))
async def list_plants(request: Request) -> list[PlantSummary]:
    """The plants of this site, a line each. A plant that never reported is left out."""
    found = services(request)
    now_us = found.now_us()
    summaries = []
    for plant in await in_thread(found.backend.plants):
        live = await in_thread(lambda plant=plant: found.backend.live(plant))  # type: ignore[misc]
        if live is not None:
            summaries.append(_summary(live, now_us))
    return summaries


@router.get("/plants/{plant}", **guarded(Role.VIEWER))
async def get_plant(request: Request, plant: str) -> PlantStatus:
    """The live status of one plant: who is in control, setpoints and signals with their limits, trips, store, policy."""
    return await status_of(services(request), plant)


def _summary(live: PlantStatus, now_us: int) -> PlantSummary:
    return PlantSummary(
        plant=live.plant,
        mode=live.mode,
        in_control=live.in_control,
        stage=live.stage,
        trips=len(live.trips),
        age_s=max(0.0, (now_us - live.wall_us) / 1e6),
    )
