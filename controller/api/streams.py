"""Server-sent event streams: a bounded number of them, kept alive, ended when the service ends."""

import asyncio
from collections.abc import AsyncIterator

from starlette.responses import StreamingResponse

from controller.api.problems import Problem
from controller.api.services import Services

KEEP_ALIVE_S = 10.0
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def stream(found: Services, pieces: AsyncIterator[bytes]) -> StreamingResponse:
    """A response that sends every non-empty piece, and a comment when there was none for a while.

    Raises the 503 problem when `max_streams` are open already.
    """
    if found.streams >= found.max_streams:
        raise Problem(503, "too-many-streams", f"{found.max_streams} event streams are open: close one")
    return StreamingResponse(_kept(found, pieces), media_type="text/event-stream", headers=_HEADERS)


async def _kept(found: Services, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    found.streams += 1
    loop = asyncio.get_running_loop()
    sent_s = loop.time()
    try:
        yield b": understudy\n\n"
        async for piece in pieces:
            if found.closing.is_set():
                return
            if piece or loop.time() - sent_s >= KEEP_ALIVE_S:
                sent_s = loop.time()
                yield piece or b": still here\n\n"
    except Problem as problem:
        # The status line is long gone; the stream says why it ends and the client comes back.
        yield b"event: gone\ndata: %s\n\n" % problem.detail.replace("\n", " ").encode()
    finally:
        found.streams -= 1
