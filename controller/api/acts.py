"""Changes: an intent with an idempotency key goes to the operator queue, and its outcome is waited for, briefly."""

import asyncio
import uuid
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Depends, Header, Request

from controller.api.backend import PENDING, REFUSED, STALE, BackendAwayError
from controller.api.guards import principal
from controller.api.problems import Problem
from controller.api.roles import Principal
from controller.api.services import Services, in_thread, services, status_of
from controller.records.operator_queue import Intent, IntentState, Kind

POLL_S = 0.02
_ACTS = uuid.UUID("0f6f8d5e-6d0c-5c53-9d0a-6d5b1f0c7a11")
GIVES_AUTHORITY = frozenset({"resume", "promote", "approve", "reset", "start"})

Key = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        min_length=8,
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description="chosen by the client; the same key is the same change, however often it is sent",
        examples=["5f0d7e1e-1b1f-4e0e-9d53-1c4c2c1f6a10"],
    ),
]
IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        pattern=r'^"\d{1,18}"$',
        description="the rollout version the change was made for; 409 when it has moved on",
        examples=['"7"'],
    ),
]


class Submission:
    """Submits the change of one request: by its principal, under its key, for its version."""

    def __init__(self, request: Request, key: Key, if_match: IfMatch = None) -> None:
        self._services: Services = services(request)
        self._who: Principal = principal(request)
        self._key = key
        self._version = None if if_match is None else int(if_match.strip('"'))

    async def submit(
        self, plant: str, kind: Kind, payload: Mapping[str, Any], expected: int | None = None
    ) -> IntentState:
        """Submit a change and wait for its result. `expected` is the version named in the body."""
        version = expected if expected is not None else self._version
        return await submit(self._services, self._who, plant, kind, payload, key=self._key, version=version)


Submitter = Annotated[Submission, Depends(Submission)]


async def submit(
    found: Services,
    who: Principal,
    plant: str,
    kind: Kind,
    payload: Mapping[str, Any],
    *,
    key: str,
    version: int | None,
) -> IntentState:
    """Submit an act and wait up to `settle_s` for its outcome. Raises 409 on a stale version, 422 on a refusal."""
    if kind == "stop":
        state = await _stop(found, who, plant, payload, key)
        found.metrics.changed(kind, state.outcome)
        return state
    live = await status_of(found, plant)
    if version is None and kind in GIVES_AUTHORITY:
        raise Problem(428, "version-required", f"`{kind}` gives authority: send `If-Match` with the version you saw")
    act = _act(found, who, plant, kind, payload, key, version)
    before = await in_thread(lambda: found.backend.act(act.id))
    if before is None:
        if version is not None and version != live.version:
            found.metrics.changed(kind, STALE)
            raise _stale(live.version, version)
        stored = await in_thread(lambda: found.backend.submit(act))
    else:
        stored = before.intent  # sent again: the first one counts, whatever version it is now
    _same(stored, act)
    state = await _settled(found, stored)
    found.metrics.changed(kind, state.outcome)
    return _refused(state, version)


def _act(
    found: Services, who: Principal, plant: str, kind: Kind, payload: Mapping[str, Any], key: str, version: int | None
) -> Intent:
    # One key space per actor: nobody can take another's key, or learn that it was used. The id follows from the key.
    name = f"{who.actor}/{key}"
    return Intent(
        id=uuid.uuid5(_ACTS, name).hex,
        key=name,
        plant=plant,
        kind=kind,
        payload=dict(payload),
        actor=who.actor,
        role=who.role.word,
        expected_version=version,
        created_us=found.now_us(),
    )


async def _stop(found: Services, who: Principal, plant: str, payload: Mapping[str, Any], key: str) -> IntentState:
    """The latch first: it works with the control process, the intents and the store down. The act is for the record."""
    if plant not in await in_thread(found.backend.plants):
        raise Problem(404, "not-found", f"plant `{plant}` is not of this site")
    await in_thread(lambda: found.backend.stop(plant, actor=who.actor, reason=str(payload.get("reason", ""))))
    act = _act(found, who, plant, "stop", payload, key, None)
    try:
        stored = await asyncio.to_thread(lambda: found.backend.submit(act))
        return await _settled(found, stored)
    except BackendAwayError as error:
        return IntentState(act, PENDING, f"the latch is written and holds; the act is not recorded yet: {error}", None)


async def _settled(found: Services, act: Intent) -> IntentState:
    """The act's state once the control process has resolved it, or as it is after `settle_s`."""
    until = asyncio.get_running_loop().time() + found.settle_s
    while True:
        state = await in_thread(lambda: found.backend.act(act.id)) or IntentState(act, PENDING, "", None)
        if state.outcome != PENDING or asyncio.get_running_loop().time() >= until:
            return state
        await asyncio.sleep(POLL_S)


def _alike(one: Intent, other: Intent) -> bool:
    return (one.plant, one.kind, dict(one.payload)) == (other.plant, other.kind, dict(other.payload))


def _same(stored: Intent, act: Intent) -> None:
    if not _alike(stored, act):
        raise Problem(
            422, "idempotency-key-reused", f"this key was used for `{stored.kind}` on `{stored.plant}`: choose another"
        )


def _refused(state: IntentState, version: int | None) -> IntentState:
    if state.outcome == STALE:
        raise _stale(state.version, version, act=state.intent.id)
    if state.outcome == REFUSED:
        raise Problem(422, "refused", state.detail or "the control process refused it", act=state.intent.id)
    return state


def _stale(now: int | None, version: int | None, **extra: str) -> Problem:
    at = "another version" if now is None else f"version {now}"
    return Problem(
        409, "stale-version", f"the rollout is at {at}, the change was made for {version}: look again", **extra
    )
