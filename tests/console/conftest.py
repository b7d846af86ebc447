"""The console on a fake site, with a browser's client already signed in."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from controller.api.access import FILE, AccessBook
from controller.api.app import create_app
from controller.api.authentication import COOKIE
from controller.api.roles import Role
from controller.console.app import install_console
from tests.api.web_client import WebClient
from tests.loop.fakes import WALL_US, FakeSite

Browser = Callable[[str], WebClient]


@pytest.fixture
def site() -> FakeSite:
    made = FakeSite()
    made.tick(30)
    return made


@pytest.fixture
def access(tmp_path: Path) -> Iterator[AccessBook]:
    book = AccessBook(tmp_path / FILE, lambda: WALL_US)
    yield book
    book.close()


@pytest.fixture
def app(site: FakeSite, access: AccessBook) -> FastAPI:
    return install_console(create_app(site, access, now_us=lambda: WALL_US, settle_s=0.05, poll_s=0.001))


@pytest.fixture
def browser(app: FastAPI, access: AccessBook) -> Browser:
    """A signed-in browser of a role; it sends an Origin with its posts as browsers do."""

    def of(role: str) -> WebClient:
        redeemed = access.redeem_link(access.create_link(role, Role.of(role)))
        assert redeemed is not None
        return WebClient(
            app, {"Cookie": f"{COOKIE}={redeemed[0]}", "Origin": "http://testserver", "Accept": "text/html"}
        )

    return of
