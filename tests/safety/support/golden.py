"""Where the golden decisions are, for every test that uses them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safety.loading.spec import EnvelopeModel
from safety.tools.golden_cases import Case, Folder
from tests.paths import ROOT

CASES = ROOT / "tests" / "cases"
FOLDER = Folder(CASES, CASES.parents[1] / "deploy" / "sites")
USUAL: Mapping[str, Any] = FOLDER.usual("small")


def paths() -> list[Path]:
    return FOLDER.paths()


def read(path: Path) -> Case:
    return FOLDER.read(path)


def model_of(changes: Mapping[str, Any]) -> EnvelopeModel:
    return FOLDER.model(changes)
