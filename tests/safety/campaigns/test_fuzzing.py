"""Everything that reads a file, on the seeds of `make fuzz` and on a few thousand spoilt copies of them."""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from safety.tools import actions
from tests.safety.campaigns.fuzzing import ACCEPTED, CORPUS, REFUSED, SMALL, TARGETS, main, seeds

SEEDS = [pytest.param(target, path, id=f"{target}-{path.stem}") for target in TARGETS for path in seeds(target)]
PUT = b'[]{}"=,.-+0129naexNT\n\x00\xff\x91'


@pytest.mark.parametrize(("target", "path"), SEEDS)
def test_a_seed_is_taken_or_refused_as_its_name_says(target: str, path: Path) -> None:
    answer = TARGETS[target](path.read_bytes())
    assert answer == (REFUSED if path.name.startswith("bad-") else ACCEPTED)


@pytest.mark.parametrize("target", TARGETS)
def test_a_spoilt_seed_is_refused_or_still_means_something(target: str) -> None:
    outcomes = [TARGETS[target](data) for data in spoilt(target, 250)]
    assert REFUSED in outcomes


def spoilt(target: str, count: int) -> Iterator[bytes]:
    """Seeds with bytes changed, put in, taken out or doubled; the same ones every time."""
    draw, whole = np.random.default_rng(len(target)), [path.read_bytes() for path in seeds(target)]
    for _ in range(count):
        data = bytearray(whole[draw.integers(len(whole))])
        for _ in range(draw.integers(1, 4)):
            at = int(draw.integers(len(data) + 1))
            match int(draw.integers(4)):
                case 0:
                    data[at : at + 1] = bytes([draw.integers(256)])
                case 1:
                    data[at:at] = bytes([PUT[draw.integers(len(PUT))]])
                case 2:
                    del data[at : at + int(draw.integers(1, 9))]
                case _:
                    data[at:at] = data[at : at + int(draw.integers(1, 60))]
        yield bytes(data)


def test_every_target_has_seeds_of_both_kinds() -> None:
    for target in TARGETS:
        names = {path.name.split("-", 1)[0] for path in (CORPUS / target).iterdir()}
        assert "bad" in names, target
        assert len(seeds(target)) > len(list((CORPUS / target).glob("bad-*"))), target


def test_oversized_csv_cell_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("x" * (csv.field_size_limit() + 1))
    report = actions.commission_log(SMALL, path)
    assert not report.passed
    assert f"`{path}` is not a CSV" in report.lines[0]


def test_file_that_is_not_a_case_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "decisions").mkdir()
    (tmp_path / "decisions" / "odd.toml").write_bytes((CORPUS / "case" / "bad-parts").read_bytes())
    report = actions.test(tmp_path, tmp_path)
    assert not report.passed
    assert report.lines[0].startswith("`odd.toml` is not a golden decision")
    for text in ("a = [", "each = 3", "each = " + "[" * 12_000):
        (tmp_path / "decisions" / "odd.toml").write_text(text)
        report = actions.test(tmp_path, tmp_path)
        assert not report.passed
        assert report.lines[0].startswith("`odd.toml` is not a golden decision")


def test_without_atheris_the_command_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "atheris", None)
    assert main(["all"]) == 2
    assert "pip install" in capsys.readouterr().err
