"""What every test shares: the meaning of `needs`, and that end-to-end tests come last."""

import importlib.util
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import settings

from tests.paths import ROOT

# A busy machine must not fail a test: examples have no time limit of their own, each test has one in pyproject.toml.
settings.register_profile("project", deadline=None, derandomize=True, database=None)
settings.load_profile("project")

SHARED = ROOT.parent / "shared" / "data"

PRESENT = {
    "cel": lambda: importlib.util.find_spec("cel_expr_python") is not None,
    "chromium": lambda: shutil.which(os.environ.get("UNDERSTUDY_CHROMIUM", "chromium")) is not None,
    "prometheus": lambda: shutil.which("prometheus") is not None and shutil.which("promtool") is not None,
    "shared": SHARED.is_dir,
    "torch": lambda: importlib.util.find_spec("torch") is not None,
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the end-to-end tests last, so that their running services are not kept beside all other tests."""
    items.sort(key=lambda item: "e2e" in item.path.parts)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what cannot run here; under UNDERSTUDY_REQUIRE_ALL=1 that is a failure, except for `shared`."""
    for marker in item.iter_markers("needs"):
        for what in marker.args:
            if PRESENT[what]():
                continue
            if os.environ.get("UNDERSTUDY_REQUIRE_ALL") == "1" and what != "shared":
                pytest.fail(f"needs `{what}`, which is absent, and UNDERSTUDY_REQUIRE_ALL=1 forbids skipping")
            pytest.skip(f"needs `{what}`, which is absent")


@pytest.fixture
def shared_data() -> Path:
    """The folder of real traces that lies beside a development checkout."""
    if not SHARED.is_dir():
        pytest.skip("needs `shared`, which is absent")
    return SHARED
