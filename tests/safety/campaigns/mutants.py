"""`make mutate`: mutmut on the kernel's files, and its survivors held against those that are justified.

`python -m tests.safety.campaigns.mutants` runs mutmut (an hour on one core; finished mutants are kept in `mutants/`) and prints
a table by file. It fails where fewer than 98 of 100 mutants die, where a survivor is not in `survivors.toml`, or where one
that is there has died meanwhile. `--report` only reads the results that are there. Names of mutants are given to mutmut as
they are: `python -m tests.safety.campaigns.mutants "safety.ramp.*"`.
"""

import argparse
import ast
import importlib.util
import json
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import ndiff
from pathlib import Path

JUSTIFIED = Path(__file__).with_name("survivors.toml")
WANTED = 0.98
KILLED, SURVIVED, UNTESTED, UNCHECKED = "killed", "survived", "untested", "not checked"
# mutmut's exit codes: pytest's own, its code for "no test ran it", and signals, which end endless loops.
_MEANING = {0: SURVIVED, 1: KILLED, 3: KILLED, 5: UNTESTED, 33: UNTESTED, None: UNCHECKED}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: the function, the line as it was, and the line it became."""

    function: str
    was: str
    becomes: str


def results(folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """(file, the outcome of each of its mutants by mutmut's name)."""
    for meta in sorted((folder / "safety").rglob("*.py.meta")):
        codes = json.loads(meta.read_text(encoding="utf-8"))["exit_code_by_key"]
        if codes:
            file = meta.relative_to(folder / "safety").as_posix().removesuffix(".meta")
            yield file, {name: _MEANING.get(code, KILLED) for name, code in codes.items()}


def changes(folder: Path, file: str, names: Iterable[str]) -> Iterator[Mutant]:
    """The changes of the named mutants of a file."""
    tree = ast.parse((folder / "safety" / file).read_text(encoding="utf-8"))
    functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    for name in names:
        key = name.rsplit(".", 1)[1]
        stem = key.rsplit("__mutmut_", 1)[0]
        was, becomes = _difference(functions[f"{stem}__mutmut_orig"], functions[key])
        yield Mutant(f"{file.removesuffix('.py').replace('/', '.')}.{_plain(stem)}", was, becomes)


def _plain(stem: str) -> str:
    """`xǁDwellǁaged` is `Dwell.aged`, `x__group` is `_group`."""
    return stem[2:].replace("ǁ", ".") if stem.startswith("xǁ") else stem[2:]


def _difference(one: ast.FunctionDef, other: ast.FunctionDef) -> tuple[str, str]:
    before, after = (ast.unparse(node).replace(node.name, "f").splitlines() for node in (one, other))
    lines = list(ndiff(before, after))
    was, becomes = ([line[2:].strip() for line in lines if line.startswith(sign)] for sign in "-+")
    return " / ".join(was), " / ".join(becomes)


def justified() -> dict[Mutant, str]:
    """The survivors that may live, each with its reason. Raises ValueError on an entry without one."""
    listed = {}
    for entry in tomllib.loads(JUSTIFIED.read_text(encoding="utf-8"))["survivor"]:
        if not entry["reason"].strip():
            raise ValueError(f"survivor of `{entry['function']}` has no reason: give one or kill it")
        listed[Mutant(entry["function"], entry["was"], entry["becomes"])] = entry["reason"]
    return listed


def lines(folder: Path, *, whole: bool) -> tuple[list[str], list[str]]:
    """(the table, the faults). Unless the `whole` kernel was run, unchecked mutants and old entries are not faults."""
    table = ["| file | mutants | killed | survived | share |", "| --- | --- | --- | --- | --- |"]
    total: Counter[str] = Counter()
    living: list[Mutant] = []
    for file, outcomes in results(folder):
        counts = Counter(outcomes.values())
        total += counts
        living += changes(folder, file, [name for name, outcome in outcomes.items() if outcome in (SURVIVED, UNTESTED)])
        table.append(f"| `{file}` | {_row(counts)} |")
    table.append(f"| all | {_row(total)} |")
    listed = justified()
    wrong = [f"survives: {m.function}: `{m.was}` -> `{m.becomes}`" for m in living if m not in listed]
    if whole:
        wrong += [f"has died, take it off the list: {m.function}: `{m.becomes}`" for m in set(listed) - set(living)]
        wrong += [f"not checked: {total[UNCHECKED]} mutants"] if total[UNCHECKED] else []
    checked = total[KILLED] + total[SURVIVED] + total[UNTESTED]
    if total[KILLED] < WANTED * checked:
        wrong.append(f"killed ({total[KILLED] / checked:.2%}) < required ({WANTED:.0%})")
    return table, wrong


def _row(counts: Counter[str]) -> str:
    killed, living = counts[KILLED], counts[SURVIVED] + counts[UNTESTED]
    return f"{sum(counts.values())} | {killed} | {living} | {killed / max(1, killed + living):.1%}"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mutants", nargs="*")
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--folder", type=Path, default=Path("mutants"))
    parser.add_argument("--processes", type=int, default=1)
    args = parser.parse_args(arguments)
    if not args.report:
        if importlib.util.find_spec("mutmut") is None:
            sys.stderr.write("mutmut is not installed: install the `dev` extra (`make check` does)\n")
            return 2
        command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(args.processes), *args.mutants]
        subprocess.run(command, check=False)
    table, wrong = lines(args.folder, whole=not args.mutants)
    sys.stdout.writelines(f"{line}\n" for line in [*table, *wrong])
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
