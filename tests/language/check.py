"""Checks the language of code, messages and pages, and prints where it is wrong and what to write instead.

    python -m tests.language.check [--all] [PATH ...]    what is over the allowance; with --all, or paths, all of it
    python -m tests.language.check --update              lower the allowance to what is left

Faults of today are allowed by file and kind in `allowance.toml`. The sum of a kind can only go down.
"""

import argparse
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.language import glossary
from tests.language.texts import File, Text, files, read, sentences, words

HERE = Path(__file__).parent
ALLOWANCE = HERE / "allowance.toml"
MAX_SENTENCE_WORDS = 35
MAX_TEST_NAME_WORDS = 10
Allowance = dict[tuple[str, str], int]


@dataclass(frozen=True, slots=True)
class Fault:
    """A place where the language is wrong. `kind` is what the allowance counts by."""

    path: str
    line: int
    kind: str
    instead: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.kind}: {self.instead}"


@dataclass(frozen=True, slots=True)
class Idiom:
    """A forbidden phrase or opening, and what to write instead."""

    find: re.Pattern[str]
    write: str


@dataclass(frozen=True, slots=True)
class Lists:
    """`words.toml`, read: idioms, openings of docstrings, and forbidden names with their replacements."""

    idioms: tuple[Idiom, ...]
    openings: tuple[Idiom, ...]
    names: Mapping[str, str]


@cache
def lists() -> Lists:
    """The lists of `words.toml`."""
    data = tomllib.loads((HERE / "words.toml").read_text())
    idioms = [Idiom(_compiled(each), each["write"]) for each in data["idiom"]]
    openings = [Idiom(re.compile(each["find"]), each["write"]) for each in data["opening"]]
    names = {word: each["write"] for each in data["name"] for word in each["words"]}
    return Lists(tuple(idioms), tuple(openings), names)


def _compiled(idiom: Mapping[str, Any]) -> re.Pattern[str]:
    return re.compile(idiom["find"], re.MULTILINE | (0 if idiom.get("case") else re.IGNORECASE))


def faults_of(file: File) -> Iterator[Fault]:
    """All faults of one file but those of the glossary, in no order."""
    whole = "\n".join(text.text for text in file.texts)
    present = tuple(idiom for idiom in lists().idioms if idiom.find.search(whole))
    for text in file.texts:
        yield from _idioms(file.path, text, present)
        if text.kind == "function docstring":
            yield from _openings(file.path, text)
        if text.kind in ("page", "docstring", "function docstring"):
            for line, sentence in sentences(text):
                if (count := words(sentence)) > MAX_SENTENCE_WORDS:
                    instead = f"{count} words, at most {MAX_SENTENCE_WORDS}: `{' '.join(sentence.split()[:6])} ...`"
                    yield Fault(file.path, line, "sentence", instead)
    for name in file.names:
        parts = {name.name, *name.name.strip("_").split("_"), *re.findall("[A-Z][a-z]+", name.name)}
        for word in sorted(parts & lists().names.keys()):
            yield Fault(file.path, name.line, "name", f"`{name.name}`: instead of `{word}` {lists().names[word]}")
    for name in file.tests:
        yield from _idioms(file.path, Text("test name", name.line, name.name.replace("_", " ")), lists().idioms)
        if (count := len(name.name.split("_")) - 1) > MAX_TEST_NAME_WORDS:
            yield Fault(
                file.path, name.line, "test name", f"`{name.name}`: {count} words, at most {MAX_TEST_NAME_WORDS}"
            )


def _idioms(path: str, text: Text, idioms: tuple[Idiom, ...]) -> Iterator[Fault]:
    for idiom in idioms:
        for match in idiom.find.finditer(text.text):
            line = text.line_of(match.start())
            yield Fault(path, line, "idiom", f"`{' '.join(match[0].split())}`: write {idiom.write}")


def _openings(path: str, text: Text) -> Iterator[Fault]:
    for opening in lists().openings:
        if match := opening.find.match(text.text.lstrip()):
            yield Fault(path, text.line, "opening", f"`{match[0].strip()} ...`: write {opening.write}")


def all_faults(paths: list[str] | None = None) -> list[Fault]:
    """The faults of the repository, or of some paths in it, by path and line."""
    found = [fault for path in files(paths) for fault in faults_of(read(path))]
    if not paths:
        found += [Fault(glossary.PAGE, 1, "glossary", each) for each in glossary.faults()]
    return sorted(found, key=lambda fault: (fault.path, fault.line, fault.kind))


def read_allowance() -> Allowance:
    """How many faults of a kind are allowed in a file, by path and kind."""
    data = tomllib.loads(ALLOWANCE.read_text())
    return {(path, kind): count for path, kinds in data.items() for kind, count in kinds.items()}


def write_allowance(counts: Mapping[tuple[str, str], int]) -> None:
    """Write the allowance, by path and kind."""
    kinds: dict[str, list[str]] = {}
    for (path, kind), count in sorted(counts.items()):
        kinds.setdefault(path, []).append(f'"{kind}" = {count}')
    head = "# Faults of language that are still there, by file and kind. Written by `python -m tests.language.check --update`.\n"
    ALLOWANCE.write_text(head + "".join(f'"{path}" = {{ {", ".join(each)} }}\n' for path, each in kinds.items()))


def counted(faults: list[Fault]) -> Counter[tuple[str, str]]:
    """How many faults there are, by path and kind."""
    return Counter((fault.path, fault.kind) for fault in faults)


def over(faults: list[Fault], allowance: Allowance) -> list[Fault]:
    """The faults of every file and kind that has more of them than allowed."""
    counts = counted(faults)
    return [fault for fault in faults if counts[fault.path, fault.kind] > allowance.get((fault.path, fault.kind), 0)]


def grown(counts: Mapping[tuple[str, str], int], allowance: Allowance) -> dict[str, int]:
    """By kind, how many more faults `counts` has than the allowance has in all files together."""
    before, after = Counter[str](), Counter[str]()
    for (_, kind), count in allowance.items():
        before[kind] += count
    for (_, kind), count in counts.items():
        after[kind] += count
    return {kind: after[kind] - before[kind] for kind in after if after[kind] > before[kind]}


def _print(line: object) -> None:
    sys.stdout.write(f"{line}\n")


def main(arguments: list[str]) -> int:
    """Print faults; 1 if there are more than allowed."""
    parser = argparse.ArgumentParser(prog="python -m tests.language.check", description="Check the language.")
    parser.add_argument("paths", nargs="*", help="files or folders; all faults of them are printed")
    parser.add_argument("--all", action="store_true", help="print all faults, also allowed ones")
    parser.add_argument("--update", action="store_true", help="lower the allowance; a file may be renamed")
    given = parser.parse_args(arguments)
    faults, allowance = all_faults(given.paths), read_allowance()
    if given.update:
        if more := grown(counted(faults), allowance):
            _print(f"not updated: more faults than before, by kind: {more}")
            return 1
        write_allowance(counted(faults))
        return 0
    shown = faults if given.all or given.paths else over(faults, allowance)
    for fault in shown:
        _print(fault)
    _print(f"{len(faults)} faults: {dict(Counter(fault.kind for fault in faults))}; allowed: {sum(allowance.values())}")
    return int(bool(over(faults, allowance)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
