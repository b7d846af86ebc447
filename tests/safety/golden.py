"""Where the golden decisions are, for every test that uses them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safety.cases import Case, Folder
from safety.spec import EnvelopeModel

CASES = Path(__file__).resolve().parents[1] / "cases"
FOLDER = Folder(CASES, CASES.parents[1] / "deploy" / "sites")
USUAL: Mapping[str, Any] = FOLDER.usual("small")


def paths() -> list[Path]:
    return FOLDER.paths()


def read(path: Path) -> Case:
    return FOLDER.read(path)


def model_of(changes: Mapping[str, Any]) -> EnvelopeModel:
    return FOLDER.model(changes)
