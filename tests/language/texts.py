"""The texts of the repository, taken apart: what a person reads in a file, and on which line."""

import ast
import io
import re
import subprocess
import textwrap
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.paths import ROOT

WHOLE = (".md", ".html", ".js", ".css", ".toml", ".yml", ".yaml", ".mako", ".service")
"""Kinds of file that are read as one text. A Python file is read piece by piece."""
NOT_OURS = ("controller/console/static/vendor/", "tests/language/", "constraints.txt")
"""Texts of others, and this package, which quotes what it forbids."""
_FENCE = re.compile(r"^( *)(```|~~~).*?^ *\2[^\n]*$", re.DOTALL | re.MULTILINE)
_TAG = re.compile(r"<!--.*?-->|<[^>\n]+>", re.DOTALL)
_ITEM = re.compile(r"^ *(?:[*+-]|\d+[.)]) +")
_END = re.compile(r"(?<=[.!?])[\"')*_]*\s+(?=[\"'(*_`\[]*[A-Z0-9`])")
_NO_END = re.compile(r"(?:\b(?:e\.g|i\.e|cf|vs|etc|approx|no)\.)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of text. `line` is the line of its first character, from 1."""

    kind: str
    line: int
    text: str

    def line_of(self, offset: int) -> int:
        """The line of the character at `offset`."""
        return self.line + self.text.count("\n", 0, offset)


@dataclass(frozen=True, slots=True)
class Name:
    """A name that a Python file gives to something."""

    line: int
    name: str


@dataclass(frozen=True, slots=True)
class File:
    """A file with its pieces of text, the docstrings of its functions and the names it gives."""

    path: str
    texts: tuple[Text, ...]
    names: tuple[Name, ...] = ()
    tests: tuple[Name, ...] = ()


def files(paths: list[str] | None = None) -> list[Path]:
    """Files under version control, and new ones that are not ignored; only those under `paths` if any are given."""
    asked = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", *(paths or ["."])]
    listed = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    found = [name for name in sorted(set(listed)) if name and not name.startswith(NOT_OURS)]
    return [ROOT / name for name in found if name.endswith((".py", *WHOLE)) and (ROOT / name).is_file()]


@cache
def read(path: Path) -> File:
    """The file taken apart."""
    name, text = path.relative_to(ROOT).as_posix(), path.read_text()
    if path.suffix == ".py":
        return read_python(name, text)
    return File(name, (Text("page" if path.suffix == ".md" else "text", 1, text),))


def read_python(name: str, source: str) -> File:
    """Docstrings, other strings, comments and names of a Python file."""
    tree = ast.parse(source)
    docstrings = dict(_docstrings(tree))
    texts = [Text(kind, node.lineno, node.value) for node, kind in docstrings.items() if isinstance(node.value, str)]
    texts += [
        Text("string", node.lineno, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in docstrings
    ]
    texts += [
        Text("comment", token.start[0], token.string)
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    ]
    tests = [
        Name(node.lineno, node.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    ]
    return File(name, tuple(texts), tuple(_names(tree)), tuple(tests))


def _docstrings(tree: ast.Module) -> Iterator[tuple[ast.Constant, str]]:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if not isinstance(body, list):
            continue
        for before, statement in zip([None, *body], body, strict=False):
            if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Constant):
                continue
            if before is not None and not isinstance(before, ast.Assign | ast.AnnAssign):
                continue
            is_function = before is None and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            yield statement.value, "function docstring" if is_function else "docstring"


def _names(tree: ast.Module) -> Iterator[Name]:
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield Name(node.lineno, node.name)
            case ast.arg():
                yield Name(node.lineno, node.arg)
            case ast.Name(ctx=ast.Store()):
                yield Name(node.lineno, node.id)
            case ast.Attribute(ctx=ast.Store()):
                yield Name(node.lineno, node.attr)


def sentences(text: Text) -> Iterator[tuple[int, str]]:
    """Line and text of each sentence of a page or docstring, without code, tables, headings and markup."""
    for line, paragraph in _paragraphs(text):
        start = 0
        for end in [*_END.finditer(paragraph), None]:
            piece = paragraph[start : end.start() if end else None]
            if end and _NO_END.search(piece):
                continue
            if piece.strip():
                yield line + paragraph.count("\n", 0, start), " ".join(piece.split())
            start = end.end() if end else start


def words(sentence: str) -> int:
    """How many words a sentence has. Inline code and the target of a link count as one."""
    plain = re.sub(r"\]\([^)]*\)", "]", re.sub(r"`[^`]*`", "x", sentence))
    return sum(any(letter.isalnum() for letter in word) for word in plain.split())


def _paragraphs(text: Text) -> Iterator[tuple[int, str]]:
    """Paragraphs and list items with their lines; an indented block is code."""
    body = text.text if text.kind == "page" else _dedented(text.text)
    blank = _TAG.sub(_lines_only, _FENCE.sub(_lines_only, body))
    lines: list[str] = []
    first, in_item = 1, False
    for number, line in enumerate([*blank.split("\n"), ""], 1):
        item, outside = _ITEM.match(line), line.lstrip().startswith(("|", "#", ">>>"))
        code = line.startswith("    ") and not in_item
        if lines and (item or outside or code or not line.strip()):
            yield text.line + first - 1, "\n".join(lines)
            lines = []
        in_item = bool(item) or (in_item and bool(line.strip()) and line.startswith(" "))
        if line.strip() and not outside and not code:
            first = first if lines else number
            lines.append(_ITEM.sub("", line))


def _dedented(docstring: str) -> str:
    first, newline, rest = docstring.partition("\n")
    return first.strip() + newline + textwrap.dedent(rest)


def _lines_only(match: re.Match[str]) -> str:
    return "\n" * match[0].count("\n")
