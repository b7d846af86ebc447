"""Events: what happened besides decisions, as pages and as a stream; and the changes that were asked for."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
from fastapi import APIRouter, Header, Path, Query, Request
from starlette.responses import StreamingResponse

from controller.api.guards import guarded
from controller.api.models import EventView, IntentView
from controller.api.problems import Problem
from controller.api.roles import Role
from controller.api.services import Services, in_thread, services, status_of
from controller.api.streams import stream
from controller.api.views import event, intent, line

router = APIRouter(tags=["events and intents"])
BATCH = 200


@router.get("/plants/{plant}/events", **guarded(Role.VIEWER))
async def list_events(
    request: Request,
    plant: str,
    after: Annotated[int, Query(ge=0, lt=2**63)] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> list[EventView]:
    """Events numbered above `after`, oldest first."""
    found = services(request)
    await status_of(found, plant)
    happened = await in_thread(lambda: found.backend.events(plant, after=after, limit=limit))
    return [event(place, one) for place, one in happened]


@router.get(
    "/plants/{plant}/events/stream",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "a stream"}},
    **guarded(Role.VIEWER),
)
async def stream_events(
    request: Request,
    plant: str,
    last_event_id: Annotated[str | None, Header(pattern=r"^\d{1,18}$")] = None,
) -> StreamingResponse:
    """Events as they happen (server-sent), each under its kind and number; `status` on a change of it, `decision` if new.

    `decision` is the newest one in a line; those between two looks are in the list.
    Reconnect with `Last-Event-ID` to miss nothing; without it the stream begins now.
    """
    found = services(request)
    await status_of(found, plant)
    after = int(last_event_id) if last_event_id else await in_thread(lambda: found.backend.last_event(plant))
    return stream(found, _happenings(found, plant, after))


@router.get("/intents/{intent_id}", **guarded(Role.VIEWER))
async def get_intent(request: Request, intent_id: Annotated[str, Path(max_length=100)]) -> IntentView:
    """A requested change, and its outcome."""
    found = services(request)
    state = await in_thread(lambda: found.backend.act(intent_id))
    if state is None:
        raise Problem(404, "not-found", f"intent `{intent_id}` is not known here")
    return intent(state)


@router.get("/plants/{plant}/intents", **guarded(Role.VIEWER))
async def list_intents(
    request: Request, plant: str, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> list[IntentView]:
    """Requested changes, newest first."""
    found = services(request)
    await status_of(found, plant)
    return [intent(state) for state in await in_thread(lambda: found.backend.acts(plant, limit=limit))]


async def _happenings(found: Services, plant: str, after: int) -> AsyncIterator[bytes]:
    """Server-sent events from `after` on; a piece that says nothing new is empty and is sent as a comment."""
    sent: tuple[int, str, str] | None = None
    newest = ""
    while True:
        lines = []
        for place, one in await in_thread(lambda after=after: found.backend.events(plant, after=after, limit=BATCH)):  # type: ignore[misc]
            after = place
            body = msgspec.json.encode(event(place, one).model_dump())
            lines.append(b"id: %d\nevent: %s\ndata: %s\n\n" % (place, one.kind.encode(), body))
        live = await status_of(found, plant)
        now = (live.version, live.mode, live.in_control)
        if now != sent:
            sent = now
            body = msgspec.json.encode(dict(zip(("version", "mode", "in_control"), now, strict=True)))
            lines.append(b"event: status\ndata: %s\n\n" % body)
        if live.last_decision != newest:
            newest = live.last_decision
            made = await in_thread(lambda: found.backend.decisions(plant, limit=1))
            lines += [b"event: decision\ndata: %s\n\n" % msgspec.json.encode(line(d).model_dump()) for d in made]
        yield b"".join(lines)
        await asyncio.sleep(found.poll_s)
