"""How a route states the lowest role that may use it, and learns who is asking."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Depends, Request

from controller.api.problems import Problem
from controller.api.roles import Principal, Role


def principal(request: Request) -> Principal:
    """Return the principal that the gate put into the request. Raises the 401 problem if the gate found none."""
    found = request.scope.get("principal")
    if not isinstance(found, Principal):
        raise Problem(401, "unauthenticated", "send a token in the `Authorization: Bearer` header")
    return found


def check(who: Principal, role: Role) -> None:
    """Raises the 403 problem unless `who` has `role` or a higher one."""
    if who.role < role:
        raise Problem(403, "forbidden", f"this takes the role `{role.word}`, yours is `{who.role.word}`")


def require(role: Role) -> Callable[[Request], Awaitable[Principal]]:
    """A dependency that lets `role` and above pass."""

    async def checked(request: Request) -> Principal:
        who = principal(request)
        check(who, role)
        return who

    return checked


def guarded(role: Role) -> dict[str, Any]:
    """The keyword arguments that make a route need `role`, and say so in the schema as `x-role`."""
    return {"dependencies": [Depends(require(role))], "openapi_extra": {"x-role": role.word}}
