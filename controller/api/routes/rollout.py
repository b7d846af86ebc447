"""The rollout: where it stands, and what an operator may do about it."""

from fastapi import APIRouter, Request

from controller.api.acts import Submitter
from controller.api.guards import guarded
from controller.api.models import ChangeBody, IntentView, PromoteBody, RolloutView
from controller.api.roles import Role
from controller.api.services import services, status_of
from controller.api.views import intent

router = APIRouter(prefix="/plants/{plant}/rollout", tags=["rollout"])


@router.get("", **guarded(Role.VIEWER))
async def get_rollout(request: Request, plant: str) -> RolloutView:
    """The stage, the next gate with every check and its numbers, and the version that changes are made for."""
    return RolloutView.of(await status_of(services(request), plant))


@router.post("/pause", status_code=202, **guarded(Role.OPERATOR))
async def pause(submitter: Submitter, plant: str, body: ChangeBody) -> IntentView:
    """Pause: the incumbent runs the plant and the stage waits."""
    return intent(await submitter.submit(plant, "pause", {"reason": body.reason}, body.expected_version))


@router.post("/abort", status_code=202, **guarded(Role.OPERATOR))
async def abort(submitter: Submitter, plant: str, body: ChangeBody) -> IntentView:
    """Abort: the rollout ends for good and the incumbent runs the plant. Works from every state."""
    return intent(await submitter.submit(plant, "abort", {"reason": body.reason}, body.expected_version))


@router.post("/resume", status_code=202, **guarded(Role.APPROVER))
async def resume(submitter: Submitter, plant: str, body: ChangeBody) -> IntentView:
    """Continue after a pause. Needs the version that was seen."""
    return intent(await submitter.submit(plant, "resume", {"reason": body.reason}, body.expected_version))


@router.post("/promote", status_code=202, **guarded(Role.APPROVER))
async def promote(submitter: Submitter, plant: str, body: PromoteBody) -> IntentView:
    """Approve the next stage. Refused where its gate has not passed, unless `skip_gate`. Needs the version that was seen."""
    payload = {"reason": body.reason, "skip_gate": body.skip_gate}
    return intent(await submitter.submit(plant, "promote", payload, body.expected_version))


@router.post("/approve", status_code=202, **guarded(Role.APPROVER))
async def approve(submitter: Submitter, plant: str, body: PromoteBody) -> IntentView:
    """The same act as `promote`, under the name that a second person looks for. Needs the version that was seen."""
    payload = {"reason": body.reason, "skip_gate": body.skip_gate}
    return intent(await submitter.submit(plant, "approve", payload, body.expected_version))
