"""The web process's end of the control socket: one connection, many requests at once, no request left without an answer."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from controller.protocol.framing import FrameBuffer, FrameError
from controller.protocol.push import (
    MAX_FRAME,
    Decide,
    DecideReply,
    DecideRequest,
    DecideResponse,
    Notify,
    decode,
    encode,
    late,
    unavailable,
)

RETRY_S = 0.25
AWAY = "the control process is not reachable"


def notify(path: Path) -> None:
    """Ask the control process to look at the operator queue on its next occasion. It looks every 20 ms in any case."""
    with suppress(OSError), socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(0.2)
        sock.connect(str(path))
        sock.sendall(encode(Notify()))


class _Wire(asyncio.Protocol):
    """One connection: resolves each waiting request with its answer, and all of them when the connection is lost."""

    def __init__(self) -> None:
        self.waiting: dict[int, asyncio.Future[DecideResponse]] = {}
        self.transport: asyncio.Transport | None = None
        self._frames = FrameBuffer(MAX_FRAME)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            messages = [decode(body) for body in self._frames.feed(data)]
        except FrameError:
            if self.transport is not None:
                self.transport.abort()
            return
        for message in messages:
            if isinstance(message, DecideReply):
                future = self.waiting.pop(message.number, None)
                if future is not None and not future.done():
                    future.set_result(message.response)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        for future in self.waiting.values():
            if not future.done():
                future.set_result(unavailable(AWAY))
        self.waiting.clear()


class PushClient:
    """Asks the control process. Connects when first needed and again after a loss, at most every RETRY_S seconds."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._wire: _Wire | None = None
        self._number = 0
        self._connecting: asyncio.Task[None] | None = None
        self._not_before_s = 0.0

    async def decide(self, plant: str, request: DecideRequest) -> DecideResponse:
        """Return one decision, or an answer with the reason for none. Never raises."""
        loop = asyncio.get_running_loop()
        if self._wire is None or self._wire.transport is None:
            await self._connected(loop, request.deadline_ms / 1000)
        wire = self._wire
        if wire is None or wire.transport is None:
            return unavailable(AWAY)
        self._number += 1
        number = self._number
        try:
            sent = encode(Decide(number, plant, request.deadline_ms * 1000, request))
        except FrameError as error:
            return unavailable(str(error))
        future: asyncio.Future[DecideResponse] = loop.create_future()
        wire.waiting[number] = future
        wire.transport.write(sent)
        expiry = loop.call_later(request.deadline_ms / 1000, _expire(wire, number, request.deadline_ms))
        try:
            return await future
        finally:
            expiry.cancel()
            wire.waiting.pop(number, None)

    async def _connected(self, loop: asyncio.AbstractEventLoop, within_s: float) -> None:
        if self._wire is not None and self._wire.transport is not None:
            return
        if self._connecting is None:
            if loop.time() < self._not_before_s:
                return
            self._connecting = loop.create_task(self._connect(loop))
        await asyncio.wait([self._connecting], timeout=within_s)

    async def _connect(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            _, self._wire = await loop.create_unix_connection(_Wire, str(self._path))
        except OSError:
            self._not_before_s = loop.time() + RETRY_S
        finally:
            self._connecting = None

    def close(self) -> None:
        """Close the connection; waiting requests are answered `unavailable`."""
        if self._wire is not None and self._wire.transport is not None:
            self._wire.transport.close()


def _expire(wire: _Wire, number: int, deadline_ms: int) -> Callable[[], None]:
    def expired() -> None:
        future = wire.waiting.pop(number, None)
        if future is not None and not future.done():
            future.set_result(late(deadline_ms))

    return expired
