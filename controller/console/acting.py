"""Acting: plain form posts that work without script. STOP is one click; all else has a page with a reason to give."""

import uuid
from typing import Annotated, Any, cast
from urllib.parse import parse_qsl

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from controller.api.acts import submit
from controller.api.guards import check, guarded, principal
from controller.api.problems import Problem
from controller.api.roles import Role
from controller.api.services import services, status_of
from controller.console.pages import page
from controller.records.operator_queue import Kind

router = APIRouter(include_in_schema=False)
Form = dict[str, str]
PlantName = Annotated[str, Query(max_length=128)]
ROLE = {
    "pause": Role.OPERATOR,
    "abort": Role.OPERATOR,
    "trip": Role.OPERATOR,
    "override": Role.OPERATOR,
    "override_clear": Role.OPERATOR,
    "resume": Role.APPROVER,
    "promote": Role.APPROVER,
    "approve": Role.APPROVER,
    "reset": Role.APPROVER,
    "start": Role.APPROVER,
}
WORDS = {
    "pause": ("Pause the rollout", "The incumbent runs the plant and the stage waits."),
    "abort": ("Abort the rollout", "It ends for good. The incumbent runs the plant."),
    "trip": ("Trip the breaker", "The incumbent runs the plant until an approver resets the trip."),
    "override": ("Override", "Your command, or your refusal of the candidate. The envelope judges it like any other."),
    "override_clear": ("End the override", "The block's assigned source takes over at the next tick."),
    "resume": ("Resume the rollout", "The candidate may act again in the blocks assigned to it."),
    "promote": ("Promote to the next stage", "You approve the next stage: the candidate gets a larger share."),
    "approve": ("Approve", "You approve the next stage as another person. It is the same act as Promote."),
    "reset": ("Reset a trip", "The candidate comes back through shadow, at the lowest stage."),
    "start": ("Take STOP back", "The candidate may act again, as the rollout assigns it."),
}


@router.post("/act/stop", **guarded(Role.OPERATOR))
async def stop(request: Request, plant: PlantName) -> Response:
    """The STOP button: no form to fill in, no dialogue."""
    return await _done(request, plant, "stop", {"reason": "STOP pressed in the console"}, uuid.uuid4().hex, None)


@router.get("/act/{kind}", **guarded(Role.VIEWER))
async def form(
    request: Request, kind: str, plant: PlantName, trip: Annotated[str, Query(max_length=100)] = ""
) -> HTMLResponse:
    """The page of one change. It holds a fresh key, so that a second click is the same change, and the version seen."""
    if kind not in WORDS:
        return page(request, "problem.html", status=404, title="No such act", detail=kind, plant=plant)
    live = await status_of(services(request), plant)
    title, meaning = WORDS[kind]
    return page(
        request,
        "act.html",
        kind=kind,
        title=title,
        meaning=meaning,
        live=live,
        plant=plant,
        trip=trip,
        key=uuid.uuid4().hex,
        allowed=principal(request).role >= ROLE[kind],
        needs=ROLE[kind].word,
    )


@router.post("/act/{kind}", **guarded(Role.OPERATOR))
async def act(request: Request, kind: str, plant: PlantName) -> Response:
    """Make the change of a form."""
    if kind not in ROLE:
        return page(request, "problem.html", status=404, title="No such act", detail=kind, plant=plant)
    try:
        check(principal(request), ROLE[kind])
        sent = await _form(request)
        payload = _payload(kind, sent, services(request).max_override_s)
        return await _done(request, plant, kind, payload, _text(sent, "key"), _version(sent))
    except Problem as problem:
        return _problem(request, problem, plant)


async def _done(
    request: Request, plant: str, kind: str, payload: dict[str, Any], key: str, version: int | None
) -> Response:
    try:
        state = await submit(
            services(request), principal(request), plant, cast(Kind, kind), payload, key=key, version=version
        )
    except Problem as problem:
        return _problem(request, problem, plant)
    return RedirectResponse(f"{request.url_for('index').path}?plant={plant}&done={state.intent.id}", 303)


def _problem(request: Request, problem: Problem, plant: str) -> HTMLResponse:
    return page(
        request, "problem.html", status=problem.status, title="Not done", detail=str(problem.detail), plant=plant
    )


async def _form(request: Request) -> Form:
    """The fields of a plain form post. There are no files here, so no library for them is needed."""
    try:
        return dict(parse_qsl((await request.body()).decode(), keep_blank_values=True, max_num_fields=300))
    except ValueError as error:
        raise Problem(400, "bad-request", f"the form cannot be read: {error}") from error


def _payload(kind: str, sent: Form, longest_s: int) -> dict[str, Any]:
    reason = _text(sent, "reason")
    if not 3 <= len(reason) <= 500:
        raise Problem(422, "invalid", "give a reason of 3 to 500 letters: it is kept")
    payload: dict[str, Any] = {"reason": reason}
    if kind in ("promote", "approve"):
        payload["skip_gate"] = _text(sent, "skip_gate") == "on"
    elif kind == "reset":
        payload["trip_id"] = _text(sent, "trip_id")
    elif kind == "override":
        payload |= _override(sent, longest_s)
    return payload


def _override(sent: Form, longest_s: int) -> dict[str, Any]:
    for_s = _number(sent, "for_min", 0.0) * 60
    if not 0 <= for_s <= longest_s:
        raise Problem(422, "invalid", f"an override lasts from 0 to {longest_s // 60} minutes")
    what: dict[str, Any]
    if _text(sent, "what") == "reject":
        what = {"reject": True}
    else:
        names = [name.removeprefix("setpoint.") for name in sent if name.startswith("setpoint.")]
        what = {"setpoints": {name: _number(sent, f"setpoint.{name}") for name in names}}
    return what | {"scope": "standing" if for_s else "next", "for_s": int(for_s)}


def _text(sent: Form, name: str) -> str:
    return sent.get(name, "").strip()


def _number(sent: Form, name: str, default: float | None = None) -> float:
    text = _text(sent, name)
    try:
        value = float(text) if text or default is None else default
    except ValueError:
        value = float("nan")
    if not abs(value) < float("inf"):
        raise Problem(422, "invalid", f"`{name}` `{text}` is not a number")
    return value


def _version(sent: Form) -> int | None:
    text = _text(sent, "version")
    if text and not (text.isdigit() and len(text) < 19):
        raise Problem(422, "invalid", f"`version` `{text}` is not a version")
    return int(text) if text else None
