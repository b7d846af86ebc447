"""The golden decisions: one file each under `tests/cases/decisions/`, with the sentence it holds."""

from pathlib import Path

import pytest

from safety.rules.command_rules import Bound
from safety.values import Rung
from tests.safety.support.golden import FOLDER, paths, read


@pytest.mark.parametrize("path", paths(), ids=lambda path: path.stem)
def test_golden_decision(path: Path) -> None:
    case = read(path)
    assert case.seen() == case.expect, case.description


@pytest.mark.parametrize("path", paths(), ids=lambda path: path.stem)
def test_a_golden_command_is_never_outside_a_static_limit(path: Path) -> None:
    case = read(path)
    command = case.ruling().command
    for rule in case.envelope.command_rules:
        if command.setpoints and isinstance(rule, Bound):
            assert rule.low <= command.setpoints[rule.setpoint] <= rule.high


def test_there_are_enough_golden_decisions_and_every_rung_has_one() -> None:
    cases = [read(path) for path in paths()]
    assert len(cases) >= 30
    assert {case.expect["rung"] for case in cases} == {rung.value for rung in Rung}
    assert all(case.description.endswith(".") for case in cases)


def test_the_folder_says_which_case_fails(tmp_path: Path) -> None:
    assert list(FOLDER.failures()) == []
    for part in ("decisions", "envelopes"):
        (tmp_path / part).mkdir()
    for name in ("small.toml", "small.usual.toml"):
        (tmp_path / "envelopes" / name).write_text((FOLDER.cases / "envelopes" / name).read_text())
    text = (FOLDER.cases / "decisions" / "hold.toml").read_text().replace('rung = "hold"', 'rung = "incumbent"')
    (tmp_path / "decisions" / "wrong.toml").write_text(text)
    (line,) = type(FOLDER)(tmp_path, FOLDER.sites).failures()
    assert line.startswith("wrong: With both sources refused the last command is held.: `rung` is hold")


def test_a_case_with_an_unknown_part_is_refused(tmp_path: Path) -> None:
    (tmp_path / "odd.toml").write_text('description = "x."\nsurprise = 1\n[expect]\n')
    with pytest.raises(ValueError, match="unknown parts"):
        read(tmp_path / "odd.toml")
