"""Every public definition has a use in production code, or an exception with a reason."""

import ast
import tomllib
from fnmatch import fnmatch

from tests.paths import ROOT
from tests.wiring.uses import unused, words_read

EXCEPTIONS = [
    (name, entry["reason"])
    for entry in tomllib.loads((ROOT / "tests" / "wiring" / "exceptions.toml").read_text())["exception"]
    for name in entry["names"]
]


def read(source: str) -> set[str]:
    return set(words_read(ast.parse(source)))


def test_every_public_definition_is_used_or_excepted() -> None:
    found = [each for each in unused() if not any(fnmatch(each.name, name) for name, _ in EXCEPTIONS)]
    assert not found, "\n".join(f"{each.path}:{each.line}: {each.kind} `{each.name}` has no use" for each in found)


def test_every_exception_is_needed_and_has_a_reason() -> None:
    names = [each.name for each in unused()]
    assert [name for name, _ in EXCEPTIONS if not any(fnmatch(each, name) for each in names)] == []
    assert all(reason for _, reason in EXCEPTIONS)


def test_handing_a_field_on_does_not_read_it() -> None:
    assert ".drift" not in read("replace(x, drift=x.drift.update(1))")
    assert ".drift" in read("replace(x, energy=x.drift)")
    assert ".drift" in read("report(drift=x.drift)")


def test_stores_imports_and_exports_do_not_read() -> None:
    assert read("from a import b\n__all__ = ['b']\nb = 1\nx.c = 2") == {"x"}


def test_names_attributes_and_lookups_read() -> None:
    assert {"f", "g", ".g", "acts"} <= read("f(x.g, 'controller.cli.acts')")
    assert ".cause" in read("match x:\n    case Trip(cause=c): pass")
