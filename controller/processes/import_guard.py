"""Checks that the packages of this service come from its own installation, before any of them is imported.

The package index has another package named `safety`. This module imports only the standard library, so that the check itself
cannot import the wrong package.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

PACKAGES = ("safety", "shadow", "simulators", "migrations")
KERNEL = "kernel.py"


def foreign_package() -> str:
    """Return one sentence that names a missing or foreign package and says what to do; empty if all packages are right."""
    own = Path(__file__).resolve().parents[2]
    for name in PACKAGES:
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            return f"package `{name}` is not installed: install understudy again"
        folder = Path(spec.origin).resolve().parent
        if folder.parent != own:
            return (
                f"package `{name}` comes from {folder}, expected {own / name}: a package index has another "
                "`safety`; install understudy into an environment of its own"
            )
    if not (own / "safety" / KERNEL).is_file():
        absent = own / "safety" / KERNEL
        return (
            f"`{absent}` does not exist; another package named `safety` may have replaced it: install understudy again"
        )
    return ""


def refuse_foreign_packages() -> None:
    """End the process with one line and exit code 2 if a package is missing or foreign."""
    if message := foreign_package():
        sys.stderr.write(f"understudy: {message}\n")
        raise SystemExit(2)
