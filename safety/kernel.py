"""Which files judge, what they hash to, and a refusal to start when they are not the ones that were recorded.

The digest is in every decision, so a replay knows which code judged. `python -m safety.kernel` checks; with `--record`
it writes `kernel.sha256` again, which belongs in the same commit as the change.
"""

import hashlib
import importlib.util
import sys
from pathlib import Path

FILES = (
    "__init__.py",
    "command_lease.py",
    "decide.py",
    "envelope.py",
    "forms/__init__.py",
    "forms/compiled.py",
    "forms/phrases.py",
    "forms/watched.py",
    "forms/written.py",
    "guard.py",
    "inputs.py",
    "kernel.py",
    "loading/__init__.py",
    "loading/messages.py",
    "loading/spec.py",
    "loading/spec_checks.py",
    "loading/spec_inputs.py",
    "loading/spec_rules.py",
    "loading/when.py",
    "memory.py",
    "ramp.py",
    "rules/__init__.py",
    "rules/base.py",
    "rules/command_rules.py",
    "rules/conditions.py",
    "rules/money_rules.py",
    "rules/state_rules.py",
    "values.py",
)
PACKAGES = ("controller", "safety", "shadow", "simulators", "migrations")
FOLDER = Path(__file__).resolve().parent
RECORD = "kernel.sha256"
HOW = "run `python -m safety.kernel --record` and commit `safety/kernel.sha256` with the change"


class ForeignKernelError(RuntimeError):
    """The code that would judge is not the code that was recorded. Nothing may start on it."""


def kernel_digest(folder: Path = FOLDER) -> str:
    """SHA-256 over the kernel's files: the name of the code that judges."""
    return hashlib.sha256(listing(folder).encode()).hexdigest()


def listing(folder: Path = FOLDER) -> str:
    """One line per kernel file, as `sha256sum` writes it. Line ends do not count: a checkout may change them."""
    lines = []
    for name in FILES:
        content = (folder / name).read_bytes().replace(b"\r\n", b"\n")
        lines.append(f"{hashlib.sha256(content).hexdigest()}  {name}\n")
    return "".join(lines)


def verify_kernel(folder: Path = FOLDER) -> str:
    """The kernel's digest. Raises ForeignKernelError where a file is absent or differs from the record."""
    try:
        recorded = (folder / RECORD).read_text(encoding="utf-8")
        present = listing(folder)
    except OSError as error:
        raise ForeignKernelError(
            f"kernel file `{error.filename}` cannot be read: reinstall understudy; another package named `safety` "
            "may have replaced it"
        ) from error
    wrong = sorted({line.split()[1] for line in set(recorded.splitlines()) ^ set(present.splitlines()) if line.strip()})
    if wrong:
        raise ForeignKernelError(
            f"kernel files differ from the recorded ones: {', '.join(wrong)}: reinstall understudy or, if you "
            f"changed them, {HOW}"
        )
    return kernel_digest(folder)


def verify_packages(packages: tuple[str, ...] = PACKAGES) -> Path:
    """The folder all packages share. Raises ForeignKernelError where one comes from elsewhere."""
    folders = {name: _folder(name) for name in packages}
    parents = {folder.parent for folder in folders.values()}
    if len(parents) > 1:
        where = ", ".join(f"`{name}` in {folder.parent}" for name, folder in folders.items())
        raise ForeignKernelError(
            f"packages come from different places ({where}): a package index has another `safety`; "
            "install understudy into an environment of its own"
        )
    return parents.pop()


def _folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ForeignKernelError(f"package `{package}` is not installed: reinstall understudy")
    return Path(spec.origin).resolve().parent


def main(arguments: list[str]) -> int:
    """Check the kernel, or record it. Returns the exit status."""
    if arguments == ["--record"]:
        (FOLDER / RECORD).write_text(listing(), encoding="utf-8")
    elif arguments:
        sys.stderr.write("usage: python -m safety.kernel [--record]\n")
        return 2
    try:
        sys.stdout.write(f"{verify_kernel()}\n")
    except ForeignKernelError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
