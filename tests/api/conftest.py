"""An application on a fake site, with a client for each role."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from controller.api.access import FILE, AccessBook
from controller.api.app import create_app
from controller.api.roles import Role
from tests.api.web_client import WebClient
from tests.loop.fakes import WALL_US, FakeSite

Client = Callable[[str], WebClient]


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
    return create_app(site, access, push_plants=["hall-a"], now_us=lambda: WALL_US, settle_s=0.05, poll_s=0.01)


@pytest.fixture
def client(app: FastAPI, access: AccessBook) -> Client:
    """A client with a role's token, or with none for `nobody`."""

    def of(role: str) -> WebClient:
        if role == "nobody":
            return WebClient(app)
        return WebClient(app, {"Authorization": f"Bearer {access.create_token(role, Role.of(role))}"})

    return of
