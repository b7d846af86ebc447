"""A synchronous client straight onto an ASGI application: no socket, no server, no thread."""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
from starlette.types import ASGIApp


class WebClient:
    """Sends requests to `app`, with standing headers and cookies; redirects are answers like any other."""

    def __init__(self, app: ASGIApp, headers: Mapping[str, str] | None = None) -> None:
        self._transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        self._headers = dict(headers or {})
        self.cookies = httpx.Cookies()

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.request("GET", path, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        return self.request("POST", path, **more)

    def change(self, path: str, body: Mapping[str, Any], key: str = "a-key-of-mine", **headers: str) -> httpx.Response:
        """Post a change with its idempotency key."""
        return self.post(path, json=dict(body), headers={"Idempotency-Key": key, **headers})

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        return asyncio.run(self._request(method, path, **more))

    async def _request(self, method: str, path: str, **more: Any) -> httpx.Response:
        async with httpx.AsyncClient(
            transport=self._transport, base_url="http://testserver", headers=self._headers, cookies=self.cookies
        ) as client:
            response = await client.request(method, path, **more)
            self.cookies = httpx.Cookies(client.cookies)
            return response
