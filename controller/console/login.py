"""In and out: a one-time link becomes a session cookie that scripts cannot read and other sites cannot send."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from controller.api.access import SESSION_VALID_S
from controller.api.authentication import COOKIE, session_cookie
from controller.api.guards import guarded
from controller.api.roles import Role
from controller.api.services import in_thread, services
from controller.console.pages import page

router = APIRouter(include_in_schema=False)
_OPEN = {"x-role": "none"}


@router.get("/login", openapi_extra=_OPEN)
async def login(request: Request, token: Annotated[str, Query(max_length=200)] = "") -> HTMLResponse:
    """Exchange the link's token for a session; without one, say where links come from.

    The answer is a page that goes on by itself, not a redirect: a strict cookie does not travel with a redirect
    that began on another site, such as a chat message holding the link.
    """
    if not token:
        return page(request, "login.html", failed=False)
    found = services(request)
    redeemed = await in_thread(lambda: found.access.redeem_link(token))
    found.metrics.signed_in(redeemed is not None)
    if redeemed is None:
        return page(request, "login.html", status=403, failed=True)
    answer = page(request, "welcome.html")
    answer.set_cookie(
        COOKIE,
        redeemed[0],
        max_age=SESSION_VALID_S,
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return answer


@router.post("/logout", **guarded(Role.VIEWER))
async def logout(request: Request) -> Response:
    """End the session, here and in the book."""
    session = session_cookie(request.headers)
    if session is not None:
        await in_thread(lambda: services(request).access.revoke(session))
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
    return answer
