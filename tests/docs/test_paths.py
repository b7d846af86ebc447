"""Every file, folder and module that a page names exists, and the walks name each file once."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, fences, inline_code, name_of, pages, prose

FOLDERS = "controller|safety|shadow|simulators|migrations|tests|deploy|docs|benchmarks|examples"
PATH = re.compile(rf"(?:{FOLDERS})/[\w./*-]*")
FILE = re.compile(r"\w+\.py")
MODULE = re.compile(rf"(?:{FOLDERS})(?:\.\w+)+")
RUN = re.compile(r"python -m ([\w.]+)")
RESULTS = ROOT / "docs" / "reference" / "results"  # logs of past runs: their tables keep the file names of that day
WALKS = sorted((ROOT / "docs" / "explanation").glob("walk-*.md"))
HISTORY = ROOT / "CHANGELOG.md"


def present(page: Path) -> list[str]:
    """The inline code of a page that is about the code as it is now."""
    return [] if page == HISTORY or page.is_relative_to(RESULTS) else inline_code(prose(page))


def missing_path(word: str) -> bool:
    """Whether a word names a path of this repository, or a file, that does not exist."""
    if PATH.fullmatch(word):
        return not any(ROOT.glob(word.rstrip("/")))
    return bool(FILE.fullmatch(word)) and not any(
        found for folder in FOLDERS.split("|") for found in (ROOT / folder).rglob(word)
    )


def modules(page: Path) -> Iterator[str]:
    """The modules that a page names or runs."""
    code = present(page)
    texts = code + ([fence.text for fence in fences(page)] if code else [])
    yield from (word for word in code if MODULE.fullmatch(word))
    for module in (found for text in texts for found in RUN.findall(text)):
        if re.match(rf"(?:{FOLDERS})\.", module) and not module.endswith("NAME"):
            yield module


def missing_module(dotted: str) -> bool:
    """Whether neither a module nor an attribute of one has this name. Nothing is imported but where an attribute is named."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        path = ROOT.joinpath(*parts[:length])
        if path.with_suffix(".py").exists() or path.is_dir():
            rest = parts[length:]
            break
    else:
        return True
    value: object = importlib.import_module(".".join(parts[:length])) if rest else None
    for name in rest:
        if not hasattr(value, name):
            return True
        value = getattr(value, name)
    return False


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_paths_and_modules_on_a_page_exist(page: Path) -> None:
    missing = [word for word in present(page) if missing_path(word)]
    missing += [module for module in modules(page) if missing_module(module)]
    assert not missing, f"{name_of(page)}: {missing}"


@pytest.mark.parametrize("word", ["safety/moved_away.py", "moved_away.py", "docs/how-to/fly.md"])
def test_missing_path_is_found(word: str) -> None:
    assert missing_path(word)


@pytest.mark.parametrize("dotted", ["safety.moved_away", "safety.decide.moved_away"])
def test_missing_module_is_found(dotted: str) -> None:
    assert missing_module(dotted)


def test_pages_name_paths_and_modules() -> None:
    words = [word for page in pages() for word in present(page)]
    assert sum(bool(PATH.fullmatch(word)) for word in words) > 50
    assert sum(1 for page in pages() for _ in modules(page)) > 10


@pytest.mark.parametrize("walk", WALKS, ids=name_of)
def test_walk_names_each_file_once(walk: Path) -> None:
    named = [word for word in inline_code(prose(walk)) if PATH.fullmatch(word)]
    assert len(named) > 15
    assert [word for word in named if not (ROOT / word).is_file()] == []
    assert sorted(word for word in set(named) if named.count(word) > 1) == []


def test_promotion_is_walked() -> None:
    assert "walk-one-promotion.md" in [walk.name for walk in WALKS]
