"""Definitions of the production code that nothing of it uses, found by name.

A name is used where code reads it: as a name, as an attribute, as a keyword of a pattern, in a string without spaces (a
lookup, a lazy command) or in a template. Imports, assignments, `__all__` and tests do not use it.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.paths import ROOT

PRODUCTION = ("controller", "safety", "shadow", "simulators", "migrations")
CALLERS = (*PRODUCTION, "benchmarks", "examples")
HARMLESS = {
    "property",
    "cached_property",
    "staticmethod",
    "classmethod",
    "cache",
    "lru_cache",
    "contextmanager",
    "override",
}
"""Decorators that register a function nowhere; a function with another one is called by what it is registered with."""
_WORD = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class Definition:
    """A public function, class, method, constant or field. `name` begins with its module."""

    name: str
    kind: str
    path: str
    line: int
    node: ast.stmt

    @property
    def sought(self) -> str:
        """The word that a use of it reads; fields and methods are read as attributes."""
        word = self.name.rpartition(".")[2]
        return f".{word}" if self.kind in ("field", "method") else word


def sources(*packages: str) -> list[Path]:
    return sorted(path for package in packages for path in (ROOT / package).rglob("*.py"))


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def definitions() -> Iterator[Definition]:
    """Every public definition of the production code."""
    for path in sources(*PRODUCTION):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        yield from _definitions(tree_of(path), module, path.relative_to(ROOT).as_posix())


def _definitions(node: ast.Module | ast.ClassDef, scope: str, path: str) -> Iterator[Definition]:
    for statement in node.body:
        for name, kind in _named(statement, in_class=isinstance(node, ast.ClassDef)):
            if not name.startswith("_"):
                yield Definition(f"{scope}.{name}", kind, path, statement.lineno, statement)
        if isinstance(statement, ast.ClassDef):
            yield from _definitions(statement, f"{scope}.{statement.name}", path)


def _named(statement: ast.stmt, *, in_class: bool) -> list[tuple[str, str]]:
    """The names that a statement defines, each with its kind."""
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef() if not _registered(statement):
            return [(statement.name, "method" if in_class else "function")]
        case ast.ClassDef():
            return [(statement.name, "class")]
        case ast.Assign():
            return [(each.id, "constant") for each in statement.targets if isinstance(each, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [(name, "field" if in_class else "constant")]
        case _:
            return []


def _registered(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    words = {ast.unparse(each).partition("(")[0].rpartition(".")[2] for each in function.decorator_list}
    return bool(words - HARMLESS) or function.name.startswith("test_")


@cache
def used() -> Counter[str]:
    """Count the words that production code, benchmarks, examples and templates read; `.word` stands for an attribute."""
    found = Counter[str]()
    for path in sources(*CALLERS):
        found += words_read(tree_of(path))
    for path in (ROOT / "controller" / "console").rglob("*"):
        if path.suffix in (".html", ".js") and "vendor" not in path.parts:
            found += _both(_WORD.findall(path.read_text()))
    return found


@cache
def fields_of() -> dict[str, list[str]]:
    """The declared fields of every class, in order, by the class's name."""
    found: dict[str, list[str]] = {}
    for path in sources(*CALLERS):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ClassDef):
                names = [name for each in node.body for name, kind in _named(each, in_class=True) if kind == "field"]
                found.setdefault(node.name, []).extend(names)
    return found


def words_read(node: ast.AST) -> Counter[str]:
    """Count the words that a piece of code reads; `.word` stands for an attribute.

    Handing a field on to the same field of another value, as in `replace(x, f=x.f + 1)`, does not read it.
    """
    match node:
        case ast.Assign(targets=[ast.Name(id="__all__")]):
            return Counter()
        case ast.Name(ctx=ast.Load()):
            found = Counter([node.id])
        case ast.Attribute(ctx=ast.Load()):
            found = _both([node.attr])
        case ast.MatchClass():
            bound = zip(fields_of().get(_word_of(node.cls), []), node.patterns, strict=False)
            found = _both([*node.kwd_attrs, *(name for name, pattern in bound if ast.unparse(pattern) != "_")])
        case ast.Constant(value=str(text)) if not re.search(r"\s", text):
            found = Counter(_WORD.findall(text))
        case _:
            found = Counter[str]()
    for child in ast.iter_child_nodes(node):
        found += words_read(child)
    if isinstance(node, ast.Call):
        callee = _word_of(node.func)
        for keyword in node.keywords:
            if callee == "replace" or keyword.arg in fields_of().get(callee, []):
                found -= Counter({f".{keyword.arg}": words_read(keyword)[f".{keyword.arg}"]})
    return found


def _both(words: list[str]) -> Counter[str]:
    return Counter([*words, *(f".{word}" for word in words)])


def _word_of(function: ast.expr) -> str:
    return ast.unparse(function).rpartition(".")[2]


def unused() -> list[Definition]:
    """Public definitions that nothing uses but themselves. Fields of simulators are left out: rows and tables read them."""
    return [
        each
        for each in definitions()
        if used()[each.sought] <= words_read(each.node)[each.sought]
        and not (each.kind == "field" and each.path.startswith("simulators/"))
    ]
