"""Who may do what. A role includes every lower one; a route states the lowest role that may use it.

Taking authority away from the candidate is one operator's right; giving it back takes an approver.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from fastapi import Depends, Request

from controller.api.problems import Problem


class Role(IntEnum):
    """Ascending: each role may do all that the one before may."""

    VIEWER = 1
    OPERATOR = 2
    APPROVER = 3

    @property
    def word(self) -> str:
        return self.name.lower()

    @classmethod
    def of(cls, word: str) -> "Role":
        """The role of a word. Raises ValueError on any other word."""
        try:
            return cls[word.upper()]
        except KeyError:
            raise ValueError(f"role `{word}` is unknown: use one of viewer, operator, approver") from None


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking, and how they proved it: `token` (API) or `session` (console)."""

    actor: str
    role: Role
    via: str


def principal(request: Request) -> Principal:
    """Who is asking. The gate has put them there; a route that needs nobody does not ask."""
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
