"""The arrows of the architecture hold: who may import whom, and what the kernel and the service may touch."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from safety import kernel
from tests.paths import ROOT

OURS = ("controller", "safety", "shadow", "simulators", "migrations")
MAY_IMPORT = {
    "safety": {"safety"},
    "simulators": {"simulators"},
    "shadow": {"shadow", "safety"},
    "migrations": {"migrations", "controller", "shadow"},
    "controller": set(OURS),
}
# The loader reads an envelope once, at the edge; all else that judges is standard library only.
KERNEL = tuple(
    name for name in kernel.FILES if not name.endswith("__init__.py") and not name.startswith("loading/spec")
)


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imported(path: Path, *, at_import: bool = False) -> Iterator[str]:
    """Full names imported by a file; with `at_import` only those outside functions and TYPE_CHECKING blocks."""
    tree = ast.parse(path.read_text())
    nodes = list(_outside_functions(tree)) if at_import else list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def _outside_functions(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or _is_main(node):
            continue
        yield node
        yield from _outside_functions(node)


def _is_main(node: ast.AST) -> bool:
    """`if __name__ == "__main__":`, which runs only when asked to."""
    return isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'"


@pytest.mark.parametrize("package", OURS)
def test_packages_import_only_downwards(package: str) -> None:
    for path in modules(package):
        for name in imported(path):
            top = name.split(".")[0]
            if top in OURS:
                assert top in MAY_IMPORT[package], f"{path.relative_to(ROOT)} imports {name}"


def test_shadow_sees_nothing_of_safety_but_its_values() -> None:
    for path in modules("shadow"):
        for name in imported(path):
            assert not name.startswith("safety") or name == "safety.values", f"{path.relative_to(ROOT)} imports {name}"


@pytest.mark.parametrize("file", KERNEL)
def test_the_kernel_imports_the_standard_library_and_itself_only(file: str) -> None:
    judging = {f"safety.{name.removesuffix('.py').replace('/', '.')}" for name in KERNEL}
    for name in imported(ROOT / "safety" / file):
        if name.split(".")[0] == "safety":
            assert name in judging, f"safety/{file} imports {name}"
        else:
            assert name.split(".")[0] in sys.stdlib_module_names, f"safety/{file} imports {name}"


def test_torch_is_imported_only_where_learning_happens() -> None:
    for package in OURS:
        for path in modules(package):
            # A plant's own bundles are made beside the plant, as plain graphs.
            inside_learning = path.is_relative_to(ROOT / "controller" / "learning") or path.match(
                "plants/*/*bundle*.py"
            )
            for name in imported(path, at_import=package == "simulators"):
                if name.split(".")[0] in ("torch", "stable_baselines3", "onnx", "onnxscript"):
                    assert inside_learning, f"{path.relative_to(ROOT)} imports {name}"


def test_no_module_reads_the_environment_at_import() -> None:
    for package in OURS:
        for path in modules(package):
            for node in _outside_functions(ast.parse(path.read_text())):
                text = ast.unparse(node) if isinstance(node, ast.Attribute | ast.Call) else ""
                assert not text.startswith(("os.environ", "os.getenv")), f"{path.relative_to(ROOT)}: {text}"


def test_modules_do_not_import_each_other_in_circles() -> None:
    graph = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for package in OURS
        for path in modules(package)
    }
    edges = {name: {other for other in _targets(path, graph) if other != name} for name, path in graph.items()}
    assert _cycle(edges) is None, " -> ".join(_cycle(edges) or [])


def test_rooms_of_the_controller_that_were_parted_stay_parted() -> None:
    """No two of these packages import each other, not even inside functions."""
    rooms = ("api", "console", "metrics", "processes", "protocol", "records", "rollout")
    arrows = {
        (room, name.split(".")[1])
        for room in rooms
        for path in modules(f"controller/{room}")
        for name in imported(path)
        if name.startswith("controller.") and name.split(".")[1] in rooms
    }
    assert ("api", "protocol") in arrows
    assert sorted((a, b) for a, b in arrows if a < b and (b, a) in arrows) == []


def test_class_names_of_controller_and_safety_values_have_one_meaning() -> None:
    allowed = {"Outcome"}  # of a finding in the kernel, of a control interval in the ports
    places: dict[str, list[str]] = {}
    shared = [path for path in modules("controller") if "plants" not in path.parts]  # a plant has names of its own
    for path in [*shared, ROOT / "safety" / "values.py"]:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(str(path.relative_to(ROOT)))
    twice = {name: where for name, where in places.items() if len(where) > 1 and name not in allowed}
    assert twice == {}


def test_the_control_process_imports_nothing_of_the_web() -> None:
    code = "import sys, controller.processes.control; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(result.stdout.split())
    assert "controller.loop.tick" in loaded
    web = (
        "fastapi",
        "starlette",
        "uvicorn",
        "jinja2",
        "controller.api",
        "controller.console",
        "controller.processes.web",
    )
    assert sorted(name for name in loaded if name.startswith(web)) == []


def _targets(path: Path, graph: dict[str, Path]) -> set[str]:
    found = set()
    tree = ast.parse(path.read_text())
    for node in _outside_functions(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name in graph}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name for name in inner if name in graph} or ({node.module} & graph.keys())
    return found


def _cycle(edges: dict[str, set[str]]) -> list[str] | None:
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> list[str] | None:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return None
        for other in sorted(edges.get(name, ())):
            if (found := visit(other, [*path, name])) is not None:
                return found
        done.add(name)
        return None

    return next((found for name in sorted(edges) if (found := visit(name, [])) is not None), None)


def test_shared_rooms_name_no_plants_outcome() -> None:
    rooms = [ROOT / "controller" / room for room in ("loop", "records", "rollout", "console", "metrics", "api", "cli")]
    named = re.compile(r"energy|kwh|joule|degree.minutes|celsius|temperature", re.IGNORECASE)
    # These two read what earlier versions wrote.
    readers = {ROOT / "shadow" / "evidence" / "migrate.py", ROOT / "controller" / "rollout" / "schema_1.py"}
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for room in (ROOT / "shadow", *rooms)
        for path in (*room.rglob("*.py"), *room.rglob("*.html"))
        for match in named.finditer(path.read_text())
        if path not in readers
    ]
    assert found == []


def test_there_is_no_utils() -> None:
    assert not [
        path for package in OURS for path in modules(package) if path.stem in ("utils", "helpers", "misc", "common")
    ]
