"""The gate before every route: nobody passes unnamed, but for the few paths that are open.

Pure ASGI, so that it costs push mode little and streams pass unbuffered. What a role may do is the route's to say.
"""

from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from controller.api.access import AccessBook
from controller.api.problems import Problem, response
from controller.api.roles import Principal

OPEN = frozenset({"/livez", "/readyz", "/login"})
OPEN_BELOW = "/static/"
COOKIE = "understudy_session"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
MAX_BODY = 1 << 20
HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    # Not `no-referrer`: under it browsers send `Origin: null` with a form, which the gate could not tell from another site.
    (b"referrer-policy", b"same-origin"),
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        b"form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
)


class Authentication:
    """Names the principal of a request in `scope["principal"]`, or answers 401; checks the origin of cookie posts."""

    def __init__(self, app: ASGIApp, access: AccessBook) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            raise RuntimeError(f"`{scope['type']}` is not served here: use HTTP")
        headers = Headers(scope=scope)
        who = self.identify(headers)
        refusal = self.refusal(scope["method"], scope["path"], headers, who)
        scope["principal"] = who
        await (refusal or self._app)(scope, receive, _with_headers(send))

    def identify(self, headers: Headers) -> Principal | None:
        """Return the principal of the bearer token if there is one, else of the session cookie. None for an unknown token."""
        authorization = headers.get("authorization")
        if authorization is not None:
            scheme, _, token = authorization.partition(" ")
            return self._access.token(token.strip()) if scheme.lower() == "bearer" else None
        session = session_cookie(headers)
        return None if session is None else self._access.session(session)

    def refusal(self, method: str, path: str, headers: Headers, who: Principal | None) -> Response | None:
        """The answer of a request that may not pass, or None."""
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > MAX_BODY or "transfer-encoding" in headers:
            return response(Problem(413, "too-large", f"send `Content-Length` and at most {MAX_BODY} bytes"))
        if path in OPEN or path.startswith(OPEN_BELOW):
            return None
        if who is None:
            if method == "GET" and "text/html" in headers.get("accept", ""):
                return RedirectResponse("/login", 303)
            return response(Problem(401, "unauthenticated", "send a token in the `Authorization: Bearer` header"))
        if who.via == "session" and method not in SAFE and not same_origin(headers):
            return response(Problem(403, "forbidden", "a post with a session must come from this console's own pages"))
        return None


def session_cookie(headers: Headers) -> str | None:
    """The session secret of the cookie header, or None."""
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return None if morsel is None else morsel.value


def same_origin(headers: Headers) -> bool:
    """Whether this console's own page sent the post: its `Origin` names the host of the request."""
    origin = urlsplit(headers.get("origin", ""))
    return origin.scheme in ("http", "https") and origin.netloc == headers.get("host", "")


def _with_headers(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *HEADERS]
        await send(message)

    return sent
