"""The pages of the documentation, taken apart: fences, inline code, links, tables, sections."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.paths import ROOT

REFERENCE = ROOT / "docs" / "reference"
SHELL = ("sh", "bash", "shell", "console")
_FENCE = re.compile(r"^```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^```", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\[[^\]]*\]\(([^()\s]+)\)")


@dataclass(frozen=True, slots=True)
class Fence:
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def where(self) -> str:
        return f"{name_of(self.page)}:{self.line}"


def pages() -> list[Path]:
    """Every page that a reader of the repository can open."""
    found = list(ROOT.glob("*.md"))
    for folder in ("docs", "examples", "deploy", "benchmarks"):
        found += (ROOT / folder).rglob("*.md")
    return sorted(found)


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def fences(page: Path, *languages: str) -> Iterator[Fence]:
    """The fenced blocks of these languages; of all if none is given."""
    text = page.read_text()
    for match in _FENCE.finditer(text):
        if not languages or match["language"] in languages:
            yield Fence(page, text.count("\n", 0, match.start()) + 1, match["language"], match["text"])


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return _FENCE.sub("", page.read_text())


def inline_code(text: str) -> list[str]:
    return _INLINE.findall(text)


def links(page: Path) -> list[str]:
    """Targets of links and images that are not on another host."""
    targets = _LINK.findall(_INLINE.sub("", prose(page)))
    return [target for target in targets if "://" not in target and not target.startswith("mailto:")]


def anchors(page: Path) -> set[str]:
    """The anchors of a page that a link may point to: its headings as GitHub spells them."""
    headings = re.findall(r"^#+ +(.+?) *$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def section(page: Path, title: str) -> str:
    """The text under `## title`, up to the next heading of that level."""
    match = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", page.read_text(), re.DOTALL | re.MULTILINE)
    assert match is not None, f"{name_of(page)} has no section `## {title}`"
    return match[1]


def rows(text: str) -> list[list[str]]:
    """The body rows of all tables in a text, cell by cell."""
    lines = (line for line in text.splitlines() if line.startswith("|") and not set(line) <= set("|-: "))
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def documented(text: str) -> list[str]:
    """The code words in the first cell of every table row of a text."""
    return [word for row in rows(text) for word in inline_code(row[0])]
