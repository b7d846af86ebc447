"""`make mutate` in small: what it reads from mutmut, what it lets pass, and that its list of survivors does not rot."""

import ast
import json
import tomllib
from pathlib import Path

import pytest

from safety import kernel
from tests.safety.campaigns import mutants
from tests.safety.campaigns.mutants import Mutant, changes, justified, lines, main

MUTATED = """
def x_add__mutmut_orig(a, b):
    return a + b

def x_add__mutmut_1(a, b):
    return a - b

class Sum:
    def xǁSumǁof__mutmut_orig(self):
        return 1

    def xǁSumǁof__mutmut_1(self):
        return 2
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "safety").mkdir()
    (tmp_path / "safety" / "sums.py").write_text(MUTATED, encoding="utf-8")
    monkeypatch.setattr(mutants, "JUSTIFIED", tmp_path / "survivors.toml")
    (tmp_path / "survivors.toml").write_text("survivor = []")
    return tmp_path


def came_to(folder: Path, add: int | None, of: int | None) -> list[str]:
    codes = {"safety.sums.x_add__mutmut_1": add, "safety.sums.xǁSumǁof__mutmut_1": of}
    (folder / "safety" / "sums.py.meta").write_text(json.dumps({"exit_code_by_key": codes}))
    return lines(folder, whole=True)[1]


def test_a_mutant_is_named_by_its_function_and_line(folder: Path) -> None:
    names = ["safety.sums.x_add__mutmut_1", "safety.sums.xǁSumǁof__mutmut_1"]
    assert list(changes(folder, "sums.py", names)) == [
        Mutant("sums.add", "return a + b", "return a - b"),
        Mutant("sums.Sum.of", "return 1", "return 2"),
    ]


def test_all_killed_passes_and_a_survivor_fails(folder: Path) -> None:
    assert came_to(folder, 1, -24) == []
    faults = came_to(folder, 0, 1)
    assert faults == ["survives: sums.add: `return a + b` -> `return a - b`", "killed (50.00%) < required (98%)"]
    assert came_to(folder, 33, 1)[0].startswith("survives")
    assert came_to(folder, None, 1) == ["not checked: 1 mutants"]


def test_a_justified_survivor_may_live_and_must_not_have_died(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutants, "WANTED", 0.5)
    entry = '[[survivor]]\nfunction = "sums.add"\nwas = "return a + b"\nbecomes = "return a - b"\nreason = "{}"\n'
    mutants.JUSTIFIED.write_text(entry.format("never asked with b"))
    assert came_to(folder, 0, 1) == []
    assert came_to(folder, 1, 1) == ["has died, take it off the list: sums.add: `return a - b`"]
    mutants.JUSTIFIED.write_text(entry.format(" "))
    with pytest.raises(ValueError, match="has no reason"):
        came_to(folder, 0, 1)


def test_the_report_is_a_table(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    came_to(folder, 1, 1)
    assert main(["--report", "--folder", str(folder)]) == 0
    assert "| `sums.py` | 2 | 2 | 0 | 100.0% |" in capsys.readouterr().out


def test_every_justified_survivor_is_still_a_line_of_the_kernel() -> None:
    for mutant in justified():
        path = mutant.function.replace(".", "/")
        file = next(name for name in kernel.FILES if path.startswith(f"{name.removesuffix('.py')}/"))
        function = mutant.function.split(".")[-1]
        tree = ast.parse((kernel.FOLDER / file).read_text(encoding="utf-8"))
        named = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == function]
        texts = [ast.unparse(node).replace(f"def {node.name}(", "def f(") for node in named]  # as the report writes it
        written = [line.strip() for text in texts for line in text.splitlines()]
        assert mutant.was in written or " / " in mutant.was, mutant


def test_the_mutated_files_are_the_kernels() -> None:
    settings = tomllib.loads((kernel.FOLDER.parent / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mutmut"]
    assert settings["only_mutate"] == [f"safety/{name}" for name in kernel.FILES if not name.endswith("__init__.py")]
