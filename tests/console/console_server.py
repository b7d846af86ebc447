"""A real server with the console on a fake site, for a browser: `with serving(site) as (url, book): ...`."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from controller.api.access import FILE, AccessBook
from controller.api.app import create_app
from controller.api.roles import Role
from controller.console.app import install_console
from tests.loop.fakes import FakeSite


@contextmanager
def serving(site: FakeSite, state: Path, *, poll_s: float = 0.1, push: bool = False) -> Iterator[str]:
    """Yields the one-time login URL of a console served on a free port."""
    book = AccessBook(state / FILE, lambda: site.wall_us)
    pushed = [site.plant] if push else []
    made = create_app(site, book, push_plants=pushed, now_us=lambda: site.wall_us, settle_s=0.2, poll_s=poll_s)
    app = install_console(made)
    site.viewer_token = book.create_token("scraper", Role.VIEWER)
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}/login?token={book.create_link('console', Role.APPROVER)}"
    finally:
        server.should_exit = True
        thread.join(10)
        book.close()
