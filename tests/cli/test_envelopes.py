"""`understudy envelope ...` at the terminal: what is said last, and what is said where something is missing."""

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


def asked(*words: str) -> Result:
    return CliRunner().invoke(app, ["envelope", *words], prog_name="understudy", env={"COLUMNS": "120"})


@pytest.mark.parametrize("words", [("prove", "E"), ("diff", "E", "E"), ("page", "E", "--out", "out.md")])
def test_without_z3_a_command_says_how_to_install_it(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec

    def found(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name == "z3" else real(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", found)
    said = asked(*(str(SMALL) if word == "E" else word for word in words))
    assert said.exit_code == 2
    assert said.stderr.startswith(f"understudy: `envelope {words[0]}` needs z3: ")
    assert len(said.stderr.splitlines()) == 1


def test_help_keeps_the_name_of_the_extra() -> None:
    """Square brackets are markup at a terminal, and vanish."""
    assert "the `prove` extra" in " ".join(asked("prove", "--help").output.replace("│", " ").split())


def test_prove_ends_with_where_the_certificate_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("z3")
    monkeypatch.setattr(actions, "prove", lambda path: actions.Report(("proved all",), passed=True, made=b"{}"))
    said = asked("prove", str(DEMO), "--out", str(tmp_path / "c"), "--key", str(tmp_path / "key.pem"))
    assert said.exit_code == 0
    assert said.output.splitlines() == [
        "proved all",
        f"certificate: {tmp_path / 'c'}",
        f"a site runs on it once {tmp_path / 'key.pub'} lies in its folder trust/provers/",
    ]


def test_what_is_not_proved_makes_no_certificate_and_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("z3")
    monkeypatch.setattr(actions, "prove", lambda path: actions.Report(("refuted it",), passed=False))
    said = asked("prove", str(DEMO), "--out", str(tmp_path / "c"), "--key", str(tmp_path / "key.pem"))
    assert said.exit_code == 1
    assert said.output.splitlines() == ["refuted it"]
    assert not list(tmp_path.iterdir())


def test_page_says_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("z3")
    monkeypatch.setattr(actions, "make_page", lambda *_: actions.Report((), passed=True, made=b"# page\n"))
    assert asked("page", str(DEMO), "--out", str(tmp_path / "page.md")).output == f"page: {tmp_path / 'page.md'}\n"
    assert (tmp_path / "page.md").read_bytes() == b"# page\n"
