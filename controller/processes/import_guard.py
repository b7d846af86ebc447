"""Where our packages come from, asked before any of them is imported: the package index has another `safety`.

Standard library only, and nothing of ours: what is imported here may be the stranger.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

PACKAGES = ("safety", "shadow", "simulators", "migrations")
KERNEL = "kernel.py"


def stranger() -> str:
    """What is wrong with where our packages come from, in one sentence that says what to do; empty if nothing is."""
    ours = Path(__file__).resolve().parents[2]
    for name in PACKAGES:
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            return f"package `{name}` is not installed: install understudy anew"
        folder = Path(spec.origin).resolve().parent
        if folder.parent != ours:
            return (
                f"package `{name}` is a stranger's, from {folder}, and not ours from {ours / name}: a package index has another "
                "`safety`; install understudy into an environment of its own"
            )
    if not (ours / "safety" / KERNEL).is_file():
        absent = ours / "safety" / KERNEL
        return f"`{absent}` is absent, another package named `safety` may have replaced it: install understudy anew"
    return ""


def refuse_stranger() -> None:
    """End the process with one line and exit code 2 if a package is not ours."""
    if told := stranger():
        sys.stderr.write(f"understudy: {told}\n")
        raise SystemExit(2)
