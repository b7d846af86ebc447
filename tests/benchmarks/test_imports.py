"""A benchmark runs after `make run` alone: it imports no package that only tests, training or proofs install."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, packages_distributions, requires

from tests.paths import ROOT

BENCHMARKS = sorted(f"benchmarks.{path.stem}" for path in (ROOT / "benchmarks").glob("*.py"))
BLOCKED_IMPORT = """
import importlib, sys
blocked = set(sys.argv[1].split(","))

class Block:
    def find_spec(self, name, path=None, target=None):
        if name in blocked:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Block())
for module in sys.argv[2:]:
    print(module, file=sys.stderr)
    importlib.import_module(module)
"""


def canonical(requirement: str) -> str:
    """The name in a requirement, as an index spells it."""
    match = re.match(r"[\w.-]+", requirement)
    assert match is not None
    return re.sub(r"[-_.]+", "-", match[0]).lower()


def closure(requirements: Sequence[str]) -> set[str]:
    """Names of all packages that these requirements install; extras are left out."""
    found, waiting = set[str](), [canonical(each) for each in requirements]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            try:
                needed = requires(name) or []
            except PackageNotFoundError:
                continue
            waiting += [canonical(each) for each in needed if "extra ==" not in each]
    return found


def only_elsewhere() -> set[str]:
    """Importable packages of this environment that the service's own dependencies do not install."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    service = closure(project["dependencies"])
    modules: Mapping[str, Sequence[str]] = packages_distributions()
    found = {name for name, owners in modules.items() if not service & {canonical(owner) for owner in owners}}
    return found - {"benchmarks", "controller", "migrations", "safety", "shadow", "simulators", "tests"}


def imports_without(blocked: set[str], *modules: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-c", BLOCKED_IMPORT, ",".join(sorted(blocked)), *modules]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True)


def test_benchmarks_import_the_services_packages_only() -> None:
    result = imports_without(only_elsewhere(), *BENCHMARKS)
    assert BENCHMARKS
    assert result.returncode == 0, result.stderr


def test_test_packages_are_blocked_and_service_packages_are_not() -> None:
    blocked = only_elsewhere()
    assert {"hypothesis", "pytest"} <= blocked
    assert not {"numpy", "fastapi", "starlette", "pandas", "msgspec"} & blocked


def test_a_benchmark_that_needs_a_test_package_would_fail() -> None:
    result = imports_without(only_elsewhere(), "tests.safety.support.seeded")
    assert result.returncode != 0
    assert "hypothesis" in result.stderr
