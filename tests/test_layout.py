"""The arrows of the architecture hold: who may import whom, and what kernel, service, training and shared rooms may name."""

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
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


# Which rooms of `controller/` a room may import. What several kinds of plant share is the room `plants`; a kind's own folder is
# `plants/KIND`.
ROOMS = {
    "api": {"metrics", "ports", "protocol", "records"},
    "bootstrap": {
        *("certificates", "errors", "loop", "metrics", "plants", "policies", "ports", "protocol", "records", "rollout"),
        "settings",
    },
    "certificates": {"policies"},
    "cli": {
        *("api", "bootstrap", "certificates", "errors", "learning", "plants", "policies", "processes", "protocol"),
        *("records", "settings"),
    },
    "console": {"api", "protocol", "records"},
    "errors": set(),
    "learning": {"errors", "policies", "protocol"},
    "loop": {"errors", "ports", "protocol", "records", "rollout"},
    "metrics": {"ports", "protocol", "records"},
    "plants": {"errors", "learning", "loop", "ports", "records", "settings"},
    "plants/KIND": {"errors", "learning", "loop", "plants", "policies", "ports", "protocol", "settings"},
    "policies": {"protocol"},
    "ports": set(),
    "processes": {
        *("api", "bootstrap", "console", "errors", "loop", "metrics", "plants", "protocol", "records", "settings")
    },
    "protocol": {"records"},
    "records": {"errors", "ports", "settings"},
    "rollout": set(),
    "settings": {"errors"},
    "testing": {"policies", "ports", "protocol", "records"},
}
WEB = ("controller.api", "controller.console", "controller.metrics.web", "controller.processes.web")
WEB_LIBRARIES = ("fastapi", "jinja2", "starlette", "uvicorn")
TRAINING_LIBRARIES = ("onnx", "onnxscript", "stable_baselines3", "torch")
SERVICE = ("control", "supervisor", "web")

# Rooms that serve every plant, and words of single plants that none of them may use in an identifier, message or template.
PLANT_FREE = ("api", "console", "learning", "loop", "metrics", "records", "rollout")
PLANT_WORDS = {
    *("advertiser", "auction", "bidding", "campaign", "celsius", "chiller", "chw", "conversion", "cooling", "degree"),
    *("energy", "hall", "heat", "hot", "impression", "inlet", "joule", "kelvin", "kwh", "supply", "temperature"),
    *("tower", "weather"),
}
# What reads files of an older schema names its keys.
OLD_KEYS = {"rollout/schema_1.py": "degree energy"}


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


@cache
def imported(path: Path, *, at_import: bool = False) -> tuple[str, ...]:
    """Full names imported by a file; with `at_import` only those outside functions and TYPE_CHECKING blocks."""
    found: list[str] = []
    for node in _outside_functions(parsed(path)) if at_import else ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            whole = {f"{node.module}.{alias.name}" for alias in node.names} & module_graph().keys()
            found += sorted(whole) or [node.module]
    return tuple(found)


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def _outside_functions(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or _is_main(node) or _is_for_types(node):
            continue
        yield node
        yield from _outside_functions(node)


def _is_main(node: ast.AST) -> bool:
    """`if __name__ == "__main__":`, which runs only when asked to."""
    return isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'"


def _is_for_types(node: ast.AST) -> bool:
    """`if TYPE_CHECKING:`, which never runs."""
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


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
            inside_learning = path.is_relative_to(ROOT / "controller" / "learning") or path.match(
                "plants/*/training/*.py"
            )
            for name in imported(path, at_import=package == "simulators"):
                if name.split(".")[0] in TRAINING_LIBRARIES:
                    assert inside_learning, f"{path.relative_to(ROOT)} imports {name}"


def test_learning_knows_no_plant_and_no_simulator() -> None:
    for path in modules("controller/learning"):
        for name in imported(path):
            assert not name.startswith("controller.plants"), f"{path.name} imports {name}"
            assert not name.startswith("simulators.") or name.startswith("simulators.common"), f"{path.name}: {name}"


def test_only_a_kind_of_plant_imports_its_own_folder() -> None:
    for path in modules("controller"):
        room = room_of(".".join(path.relative_to(ROOT).with_suffix("").parts))
        kind = path.relative_to(ROOT).parts[2] if room == "plants/KIND" else None
        for name in imported(path):
            if room_of(name) == "plants/KIND":
                assert name.split(".")[2] == kind, f"{path.relative_to(ROOT)} imports {name}"


@pytest.mark.parametrize("process", SERVICE)
def test_the_service_imports_no_training(process: str) -> None:
    for name in closure(f"controller.processes.{process}"):
        assert not name.startswith("controller.learning"), name
        assert ".training" not in name, name
        assert name.split(".")[0] not in TRAINING_LIBRARIES, name


def test_a_served_plant_imports_no_training() -> None:
    served = [path for path in modules("controller/plants") if path.stem in ("incumbent", "kind", "plant", "settings")]
    assert len(served) >= 11
    for path in served:
        start = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for name in closure(start):
            assert not name.startswith("controller.learning"), f"{start} imports {name}"
            assert ".training" not in name, f"{start} imports {name}"


def test_the_control_process_imports_nothing_of_the_web() -> None:
    found = closure("controller.processes.control")
    assert "controller.loop.tick" in found
    for name in found:
        assert not name.startswith(WEB), name
        assert name.split(".")[0] not in WEB_LIBRARIES, name


def test_the_web_process_does_import_the_web() -> None:
    assert {"controller.api.app", "fastapi"} <= closure("controller.processes.web")


def closure(start: str) -> set[str]:
    """Full names of all modules that importing this one imports, ours and others'; what functions import is left out."""
    graph = module_graph()
    found, waiting = set[str](), [start]
    while waiting:
        name = waiting.pop()
        if name in graph and name not in found:
            waiting += imported(graph[name], at_import=True)
        found.add(name)
    return found


def room_of(module: str) -> str | None:
    """The room of a module of `controller`, None for any other."""
    parts = module.split(".")
    if parts[0] != "controller" or len(parts) < 2:
        return None
    if parts[1] == "plants" and len(parts) > 2 and (ROOT / "controller" / "plants" / parts[2]).is_dir():
        return "plants/KIND"
    return parts[1]


def arrows() -> dict[tuple[str, str], str]:
    """Every import of a room by another, with a file that has it; those inside functions and for types only too."""
    found = {}
    for path in modules("controller"):
        room = room_of(".".join(path.relative_to(ROOT).with_suffix("").parts))
        for name in imported(path):
            other = room_of(name)
            if room not in (None, "__init__") and other not in (None, room):
                found[room, other] = str(path.relative_to(ROOT))
    return found


def test_a_room_imports_only_the_rooms_it_may() -> None:
    for (room, other), file in arrows().items():
        assert other in ROOMS[room], f"{file}: `{room}` may not import `{other}`"


def test_every_arrow_of_the_table_is_used() -> None:
    allowed = {(room, other) for room, others in ROOMS.items() for other in others}
    assert allowed - arrows().keys() == set(), "take these out of the table"


def test_rooms_make_no_cycle() -> None:
    assert _cycle(ROOMS) is None, " -> ".join(_cycle(ROOMS) or [])


def words_of(text: str) -> set[str]:
    """The words of identifiers and sentences, in lower case and without a plural's s."""
    plain = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", text)
    found = {word.lower() for word in re.findall(r"[A-Za-z]+", plain)}
    return found | {word.removesuffix("s") for word in found}


def texts_of(path: Path) -> Iterator[str]:
    """Identifiers and strings of a module; the whole text of any other file."""
    if path.suffix != ".py":
        yield path.read_text()
        return
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        for field in ("arg", "asname", "attr", "id", "module", "name"):
            if isinstance(value := getattr(node, field, None), str):
                yield value


def named_plants(path: Path) -> set[str]:
    return {word for text in texts_of(path) for word in words_of(text) & PLANT_WORDS}


def test_shared_rooms_name_no_plants_quantities() -> None:
    found = {}
    for room in PLANT_FREE:
        for path in sorted((ROOT / "controller" / room).rglob("*")):
            if path.suffix not in (".css", ".html", ".js", ".py") or "vendor" in path.parts:
                continue
            if words := named_plants(path):
                found[path.relative_to(ROOT / "controller").as_posix()] = " ".join(sorted(words))
    assert found == OLD_KEYS


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def chillers_on(): ...", {"chiller"}),
        ("class InletLimit: ...", {"inlet"}),
        ('print("two campaigns")', {"campaign"}),
        ("from simulators.cooling import x", {"cooling"}),
        ("timezone = 'UTC'", set()),
    ],
)
def test_a_plants_quantity_would_be_found(text: str, words: set[str], tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text(text)
    assert named_plants(tmp_path / "module.py") == words


def test_no_module_reads_the_environment_at_import() -> None:
    for package in OURS:
        for path in modules(package):
            for node in _outside_functions(parsed(path)):
                text = ast.unparse(node) if isinstance(node, ast.Attribute | ast.Call) else ""
                assert not text.startswith(("os.environ", "os.getenv")), f"{path.relative_to(ROOT)}: {text}"


def test_modules_do_not_import_each_other_in_circles() -> None:
    graph = module_graph()
    edges = {
        name: {other for other in imported(path, at_import=True) if other in graph and other != name}
        for name, path in graph.items()
    }
    assert _cycle(edges) is None, " -> ".join(_cycle(edges) or [])


@cache
def module_graph() -> dict[str, Path]:
    """Every module of this repository by its full name."""
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for package in OURS
        for path in modules(package)
    }


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
