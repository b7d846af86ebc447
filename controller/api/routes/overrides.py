"""Overrides: an operator's own command, or refusal of the candidate's, for the next decision or for a stated time."""

from fastapi import APIRouter, Request

from controller.api.acts import Submitter
from controller.api.guards import guarded
from controller.api.models import ChangeBody, IntentView, OverrideBody, OverrideView, StandingBody
from controller.api.problems import Problem
from controller.api.roles import Role
from controller.api.services import services, status_of
from controller.api.views import intent

router = APIRouter(prefix="/plants/{plant}/override", tags=["overrides"])


@router.get("", **guarded(Role.VIEWER))
async def get_override(request: Request, plant: str) -> OverrideView:
    """The override in force, with its end, or null."""
    live = await status_of(services(request), plant)
    return OverrideView(plant=plant, version=live.version, override=live.override)


@router.post("/next", status_code=202, **guarded(Role.OPERATOR))
async def override_next(request: Request, submitter: Submitter, plant: str, body: OverrideBody) -> IntentView:
    """Command, or refuse the candidate, on the next decision only. The envelope judges it like any other command."""
    payload = _payload(body) | {"scope": "next", "for_s": 0}
    return intent(await submitter.submit(plant, "override", payload, body.expected_version))


@router.post("/standing", status_code=202, **guarded(Role.OPERATOR))
async def override_standing(request: Request, submitter: Submitter, plant: str, body: StandingBody) -> IntentView:
    """Command, or refuse the candidate, for `for_s` seconds of plant time."""
    longest_s = services(request).max_override_s
    if body.for_s > longest_s:
        raise Problem(422, "invalid", f"`for_s` {body.for_s} is over this site's limit of {longest_s} s")
    payload = _payload(body) | {"scope": "standing", "for_s": body.for_s}
    return intent(await submitter.submit(plant, "override", payload, body.expected_version))


@router.post("/clear", status_code=202, **guarded(Role.OPERATOR))
async def override_clear(submitter: Submitter, plant: str, body: ChangeBody) -> IntentView:
    """End the override in force: the block's assigned source takes over at the next tick."""
    return intent(await submitter.submit(plant, "override_clear", {"reason": body.reason}, body.expected_version))


def _payload(body: OverrideBody) -> dict[str, object]:
    if (body.setpoints is None) == (not body.reject):
        raise Problem(422, "invalid", "give either `setpoints` to command or `reject: true`, not both and not neither")
    what: dict[str, object] = {"setpoints": dict(body.setpoints)} if body.setpoints is not None else {"reject": True}
    return what | {"reason": body.reason}
