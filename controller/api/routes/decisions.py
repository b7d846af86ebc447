"""Decisions: the list, one whole, and why it came out as it did."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from controller.api.explain import explain
from controller.api.guards import guarded
from controller.api.models import DecisionPage, DecisionView, Explanation
from controller.api.problems import Problem
from controller.api.roles import Role
from controller.api.services import Services, in_thread, services, status_of
from controller.api.views import line, whole
from controller.records.decision import Decision

router = APIRouter(tags=["decisions"])
DecisionId = Annotated[str, Path(max_length=400, description="plant.subject.taken_at")]


@router.get("/plants/{plant}/decisions", **guarded(Role.VIEWER))
async def list_decisions(
    request: Request,
    plant: str,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    before: Annotated[str | None, Query(max_length=400, description="only those older than this decision")] = None,
    subject: Annotated[str | None, Query(max_length=128)] = None,
) -> DecisionPage:
    """Decisions, newest first, each with the first reason if something was refused."""
    found = services(request)
    await status_of(found, plant)
    decisions = await in_thread(
        lambda: found.backend.decisions(plant, limit=limit, before=before, subject=subject or None)
    )
    more = decisions[-1].id if decisions else None
    return DecisionPage(decisions=[line(decision) for decision in decisions], next_before=more)


@router.get("/decisions/{decision_id}", **guarded(Role.VIEWER))
async def get_decision(request: Request, decision_id: DecisionId) -> DecisionView:
    """One decision: what was seen, what each source proposed, every verdict with its reasons, what was commanded."""
    return whole(await _found(services(request), decision_id))


@router.get("/decisions/{decision_id}/explain", **guarded(Role.VIEWER))
async def explain_decision(request: Request, decision_id: DecisionId) -> Explanation:
    """The ladder in plain words and every rule's margin, computed again from the stored inputs and compared with the record."""
    found = services(request)
    decision = await _found(found, decision_id)
    envelope = await in_thread(lambda: found.backend.envelope(decision.digests.envelope))
    return await in_thread(lambda: explain(decision, envelope))


async def _found(found: Services, decision_id: str) -> Decision:
    decision = await in_thread(lambda: found.backend.decision(decision_id))
    if decision is None:
        raise Problem(404, "not-found", f"decision `{decision_id}` is not known here")
    return decision
