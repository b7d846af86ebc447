"""A command imports only what it needs: STOP does not wait for SQLAlchemy."""

import json
from pathlib import Path

import pytest

from controller.records.spool import SqliteSpool
from tests.cli.imports import HEAVY, heavy_imports
from tests.loop.loop_fixture import DEMO

TANK = Path("examples/third_plant/site/envelope.toml")
ACTS = {"msgspec", "rich"}
LIVE = {
    "plant": "hall",
    "at_us": 0,
    "mode": "rollout",
    "in_control": "incumbent",
    "why": "assigned",
    "stage": "one",
    "stage_status": "pending",
    "stages": [],
    "gate": {"outcome": "pending", "checks": []},
    "breaker": {"readings": []},
    "trips": [],
}


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state directory of a run that has published its status and decided nothing yet."""
    folder = tmp_path_factory.mktemp("state")
    spool = SqliteSpool(folder / "spool.sqlite")
    spool.publish_live(json.dumps(LIVE))
    spool.close()
    return folder


@pytest.mark.parametrize(
    ("words", "code", "needed"),
    [
        (("--help",), 0, {"rich"}),
        (("stop", "--help"), 0, {"msgspec", "rich"}),
        (("envelope", "--help"), 0, {"rich"}),
        (("train", "--help"), 0, {"rich"}),
        (("start", "--reason", "x", "--state", "absent"), 2, ACTS),
        (("envelope", "check", TANK), 0, set()),
        (("envelope", "diff", TANK, TANK), 0, {"z3"}),
        (("envelope", "prove", "absent.toml"), 1, {"cryptography", "z3"}),
    ],
    ids=lambda value: " ".join(str(word) for word in value) if isinstance(value, tuple) else "",
)
def test_commands_on_files_and_pages_import_only_what_they_need(
    words: tuple[str, ...], code: int, needed: set[str]
) -> None:
    assert heavy_imports(*words) == (code, needed)


@pytest.mark.parametrize(
    ("words", "code", "needed"),
    [
        (("stop",), 0, {"msgspec"}),
        (("override", "chws_c", "--reason", "x"), 2, ACTS),
        (("rollout", "status"), 0, ACTS),
        (("rollout", "get"), 0, ACTS),
        (("breaker", "list"), 0, ACTS),
        (("replay", "last"), 2, ACTS),
        (("envelope", "explain", "last"), 2, {"msgspec"}),
        (("token", "create", "ann"), 0, set()),
        (("login",), 0, set()),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, tuple) else "",
)
def test_commands_on_a_run_import_only_what_they_need(
    words: tuple[str, ...], code: int, needed: set[str], state: Path
) -> None:
    assert heavy_imports(*words, "--site", DEMO, "--state", state) == (code, needed)


def test_heavy_imports_of_run_are_found() -> None:
    code, imported = heavy_imports("run", "--help")
    assert code == 0
    assert imported > {"alembic", "controller.bootstrap", "numpy", "scipy", "sqlalchemy"}
    assert imported < HEAVY, "torch is for training alone"
