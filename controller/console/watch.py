"""Watching: the page, the stream that keeps it true, the trends, and one decision explained."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse, Response, StreamingResponse

from controller.api.explain import explain
from controller.api.guards import guarded
from controller.api.problems import Problem
from controller.api.roles import Role
from controller.api.services import Services, in_thread, services, status_of
from controller.api.streams import stream
from controller.console.pages import fragments, page, view_of
from controller.console.trends import POINTS, heading, trends

router = APIRouter(include_in_schema=False)
PlantName = Annotated[str, Query(max_length=128)]


@router.get("/", **guarded(Role.VIEWER))
async def index(
    request: Request, plant: PlantName = "", done: Annotated[str, Query(max_length=100)] = ""
) -> HTMLResponse:
    """The one page of a plant. `done` names the change just made, so that the page shows its result without script."""
    found = services(request)
    try:
        plants = await in_thread(found.backend.plants)
        chosen = plant if plant in plants else plants[0] if plants else ""
        view = await view_of(found, chosen) if chosen else None
        act = await in_thread(lambda: found.backend.act(done)) if done else None
    except Problem as problem:
        return page(request, "waiting.html", status=503, why=problem.detail, plant=plant)
    if view is None:
        return page(request, "waiting.html", status=503, why="the control process has not reported yet", plant=chosen)
    live, trend, parts = view.live, heading(view.live), fragments(view)
    return page(request, "index.html", plants=plants, view=view, live=live, trend=trend, parts=parts, act=act)


@router.get("/console/stream", **guarded(Role.VIEWER))
async def live_stream(request: Request, plant: PlantName) -> StreamingResponse:
    """The parts of the page that changed, and a beat each time, so that the page knows when it is cut off."""
    found = services(request)
    await status_of(found, plant)
    return stream(found, _changes(found, plant))


@router.get("/console/trends", **guarded(Role.VIEWER))
async def trend_columns(request: Request, plant: PlantName) -> Response:
    """The columns of the trends."""
    found = services(request)
    live = await status_of(found, plant)
    decisions = await in_thread(lambda: found.backend.decisions(plant, limit=POINTS))
    return Response(msgspec.json.encode(trends(live, decisions)), media_type="application/json")


@router.get("/decisions/{decision_id}", **guarded(Role.VIEWER))
async def decision_page(request: Request, decision_id: str) -> HTMLResponse:
    """One decision: the story, what each source wanted, and every rule's margin."""
    found = services(request)
    decision = await in_thread(lambda: found.backend.decision(decision_id))
    if decision is None:
        return page(request, "problem.html", status=404, title="No such decision", detail=decision_id, plant="")
    envelope = await in_thread(lambda: found.backend.envelope(decision.digests.envelope))
    explained = await in_thread(lambda: explain(decision, envelope))
    return page(
        request, "decision.html", explained=explained, decision=explained.decision, plant=explained.decision.plant
    )


async def _changes(found: Services, plant: str) -> AsyncIterator[bytes]:
    sent: dict[str, str] = {}
    while True:
        view = await view_of(found, plant)
        if view is not None:
            now = await asyncio.to_thread(fragments, view)
            changed = {name: html for name, html in now.items() if sent.get(name) != html}
            sent = now
            beat = msgspec.json.encode({"tick": view.live.tick, "decision": view.live.last_decision})
            yield _message(changed) + b"event: beat\ndata: %s\n\n" % beat
        await asyncio.sleep(found.poll_s)


def _message(changed: dict[str, str]) -> bytes:
    """One unnamed event holding the changed parts, each addressed to its place; empty if nothing changed."""
    if not changed:
        return b""
    parts = "".join(f'<hx-partial hx-target="#{name}">{html}</hx-partial>' for name, html in changed.items())
    return b"".join(b"data: %s\n" % line.encode() for line in parts.splitlines()) + b"\n"
