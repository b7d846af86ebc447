"""`understudy envelope ...` at the terminal: the last lines of its output, and the error where z3 is missing."""

import importlib.util
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from controller.cli import app
from safety.tools import actions

SMALL = Path("tests/cases/envelopes/small.toml").resolve()
DEMO = Path("deploy/sites/demo/envelope.toml").resolve()


def invoked(*words: str) -> Result:
    return CliRunner().invoke(app, ["envelope", *words], prog_name="understudy", env={"COLUMNS": "120"})


@pytest.mark.parametrize("words", [("prove", "E"), ("diff", "E", "E"), ("page", "E", "--out", "out.md")])
def test_command_without_z3_is_one_line_that_names_z3(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec

    def found(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name == "z3" else real(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", found)
    result = invoked(*(str(SMALL) if word == "E" else word for word in words))
    assert result.exit_code == 2
    assert result.stderr.startswith("understudy: ")
    assert f"`envelope {words[0]}`" in result.stderr
    assert "z3" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_help_keeps_the_name_of_the_extra() -> None:
    """Square brackets are markup at a terminal and are not shown."""
    assert "the `prove` extra" in " ".join(invoked("prove", "--help").output.replace("│", " ").split())


def test_prove_ends_with_the_path_of_the_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("z3")
    monkeypatch.setattr(actions, "prove", lambda path: actions.Report(("proved all",), passed=True, made=b"{}"))
    result = invoked("prove", str(DEMO), "--out", str(tmp_path / "c"), "--key", str(tmp_path / "key.pem"))
    assert result.exit_code == 0
    proved, certificate, key = result.output.splitlines()
    assert proved == "proved all"
    assert certificate == f"certificate: {tmp_path / 'c'}"
    assert str(tmp_path / "key.pub") in key
    assert "trust/provers/" in key


def test_refuted_envelope_gets_no_certificate_and_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("z3")
    monkeypatch.setattr(actions, "prove", lambda path: actions.Report(("refuted it",), passed=False))
    result = invoked("prove", str(DEMO), "--out", str(tmp_path / "c"), "--key", str(tmp_path / "key.pem"))
    assert result.exit_code == 1
    assert result.output.splitlines() == ["refuted it"]
    assert not list(tmp_path.iterdir())


def test_page_prints_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("z3")
    monkeypatch.setattr(actions, "make_page", lambda *_: actions.Report((), passed=True, made=b"# page\n"))
    assert invoked("page", str(DEMO), "--out", str(tmp_path / "page.md")).output == f"page: {tmp_path / 'page.md'}\n"
    assert (tmp_path / "page.md").read_bytes() == b"# page\n"
