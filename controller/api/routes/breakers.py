"""Breakers and STOP: taking the candidate's authority, and giving it back."""

from fastapi import APIRouter, Request

from controller.api.acts import Submitter
from controller.api.guards import guarded
from controller.api.models import BreakersView, ChangeBody, IntentView, ResetBody, StopBody, TripBody
from controller.api.roles import Role
from controller.api.services import services, status_of
from controller.api.views import intent

router = APIRouter(prefix="/plants/{plant}", tags=["breakers and stop"])


@router.get("/breakers", **guarded(Role.VIEWER))
async def get_breakers(request: Request, plant: str) -> BreakersView:
    """The breaker, its trips with first cause, and the rules that have latched."""
    live = await status_of(services(request), plant)
    return BreakersView(plant=plant, version=live.version, breaker=live.breaker, trips=live.trips, latches=live.latches)


@router.post("/breakers/trip", status_code=202, **guarded(Role.OPERATOR))
async def trip(submitter: Submitter, plant: str, body: TripBody) -> IntentView:
    """Open the breaker by hand: the incumbent runs the plant until an approver resets it."""
    return intent(await submitter.submit(plant, "trip", {"reason": body.reason}, body.expected_version))


@router.post("/breakers/reset", status_code=202, **guarded(Role.APPROVER))
async def reset(submitter: Submitter, plant: str, body: ResetBody) -> IntentView:
    """Reset the named trip. Re-entry is through shadow at the lowest stage. Needs the version that was seen."""
    payload = {"trip_id": body.trip_id, "reason": body.reason}
    return intent(await submitter.submit(plant, "reset", payload, body.expected_version))


@router.post("/stop", status_code=202, **guarded(Role.OPERATOR))
async def stop(submitter: Submitter, plant: str, body: StopBody) -> IntentView:
    """STOP: takes the candidate's authority at once. It never stops the plant: the incumbent goes on."""
    return intent(await submitter.submit(plant, "stop", {"reason": body.reason}))


@router.post("/start", status_code=202, **guarded(Role.APPROVER))
async def start(submitter: Submitter, plant: str, body: ChangeBody) -> IntentView:
    """Take a STOP back. Needs the version that was seen."""
    return intent(await submitter.submit(plant, "start", {"reason": body.reason}, body.expected_version))
