"""STOP reaches the run of its site even if the site's files were changed or removed since."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from controller.cli import app
from controller.records.stop_latch import read_stop
from tests.loop.loop_fixture import site_copy


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The demo site, whose name is `demo`, in a folder `site`; the working directory is beside it."""
    monkeypatch.chdir(tmp_path)
    return site_copy(tmp_path)


def stopped(site: Path) -> Path:
    """The state directory that STOP was set in."""
    result = CliRunner().invoke(app, ["stop", "--site", str(site), "--reason", "smoke"])
    assert result.exit_code == 0, result.output
    (folder,) = Path(".understudy").iterdir()
    stop = read_stop(folder)
    assert stop is not None
    assert stop.reason == "smoke"
    (line,) = result.output.splitlines()
    assert str(folder) in line
    assert '`understudy start --reason "..."`' in line
    return folder


def test_stop_is_set_in_the_state_directory_of_the_site(site: Path) -> None:
    assert stopped(site).name == "demo"


@pytest.mark.parametrize("line", ["strange = 1\n", 'timezone = "Nowhere"\n'])
def test_invalid_site_file_with_a_name_still_finds_its_state(site: Path, line: str) -> None:
    toml = site / "site.toml"
    kept = [each for each in toml.read_text().splitlines(keepends=True) if not each.startswith(line.split()[0])]
    toml.write_text(line + "".join(kept))
    assert stopped(site).name == "demo"


@pytest.mark.parametrize("text", ["name = ", "name = 7\n", 'name = "../../etc"\n', 'name = ""\n', "x = " + "[" * 5000])
def test_site_without_a_readable_name_has_its_folders_name(site: Path, text: str) -> None:
    (site / "site.toml").write_text(text)
    assert stopped(site).name == "site"


def test_missing_site_has_its_folders_name(site: Path) -> None:
    assert stopped(site.with_name("gone")).name == "gone"
