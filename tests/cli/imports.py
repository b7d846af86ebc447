"""The packages that a command imports, measured in a separate process."""

import re
import subprocess
import sys
from pathlib import Path

from tests.loop.loop_fixture import ROOT

OURS = {"controller.bootstrap", "migrations", "shadow", "simulators"}
LEARNING = {"gymnasium", "onnx", "onnxscript", "stable_baselines3", "torch"}
SERVING = {"onnxruntime", "prometheus_client"}
WEB = {"fastapi", "httpx", "jinja2", "starlette", "uvicorn"}
STORE = {"alembic", "psycopg", "sqlalchemy"}
NUMBERS = {"numpy", "scipy"}
# Not pydantic: typer reads every argument with it.
HEAVY = OURS | LEARNING | SERVING | WEB | STORE | NUMBERS | {"cryptography", "msgspec", "rich", "z3"}
_LINE = re.compile(r"^import time: +\d+ \| +\d+ \| +(\S+)$", re.MULTILINE)


def heavy_imports(*words: str | Path) -> tuple[int, set[str]]:
    """The exit code of a command, and the heavy packages that it imported."""
    argv = [sys.executable, "-X", "importtime", "-m", "controller.cli", *(str(word) for word in words)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True)
    imported = set(_LINE.findall(done.stderr))
    assert "typer" in imported, done.stderr
    return done.returncode, imported & HEAVY
