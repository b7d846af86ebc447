"""STOP reaches the run it is meant for, whatever has happened to the site's files since."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from controller.cli import app
from controller.records.stop_latch import read_stop
from tests.loop.loop_fixture import site_copy

CLEARS = '`understudy start --reason "..."` clears it'


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The demo site, whose name is `demo`, in a folder `site`; the working directory is beside it."""
    monkeypatch.chdir(tmp_path)
    return site_copy(tmp_path)


def stopped(site: Path) -> Path:
    """The state directory that STOP was set in."""
    said = CliRunner().invoke(app, ["stop", "--site", str(site), "--reason", "smoke"])
    assert said.exit_code == 0, said.output
    (folder,) = Path(".understudy").iterdir()
    stop = read_stop(folder)
    assert stop is not None
    assert stop.reason == "smoke"
    assert said.output == f"STOP is set in {folder}: the incumbent is in control. {CLEARS}.\n"
    return folder


def test_it_is_set_where_the_site_by_its_name_keeps_its_state(site: Path) -> None:
    assert stopped(site).name == "demo"


@pytest.mark.parametrize("line", ["strange = 1\n", 'timezone = "Nowhere"\n'])
def test_a_site_file_that_has_been_spoilt_but_still_has_its_name_leads_there_too(site: Path, line: str) -> None:
    toml = site / "site.toml"
    kept = [each for each in toml.read_text().splitlines(keepends=True) if not each.startswith(line.split()[0])]
    toml.write_text(line + "".join(kept))
    assert stopped(site).name == "demo"


@pytest.mark.parametrize("text", ["name = ", "name = 7\n", 'name = "../../etc"\n', 'name = ""\n', "x = " + "[" * 5000])
def test_where_no_name_can_be_read_the_folders_is_taken(site: Path, text: str) -> None:
    (site / "site.toml").write_text(text)
    assert stopped(site).name == "site"


def test_a_site_that_is_not_there_has_its_folders_name(site: Path) -> None:
    assert stopped(site.with_name("gone")).name == "gone"
