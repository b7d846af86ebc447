"""How the physics becomes machine code: plain Python functions of floats that numba compiles when the first plant is stepped.

`scalar` marks a function of floats or records. It stays plain Python; compiled functions may call it. `compiled` marks a
loop over arrays, which numba compiles at its first call. Arithmetic is exact IEEE 754 (no `fastmath`, no fused multiply
and add, one core), so the machine code gives the bits of the plain Python, and a lane has the same bits in any batch.

numba's cache looks only at the file of the function it stores, not at the files of those it calls. The folder of the
cache is therefore named after the contents of all sources of this package. Where no folder can be written, every process
compiles. `NUMBA_DISABLE_JIT=1` runs everything in plain Python.
"""

import hashlib
import logging
import os
import threading
from collections.abc import Callable
from functools import update_wrapper
from pathlib import Path
from typing import Any, Generic, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])

log = logging.getLogger("understudy.compile")

SOURCES = Path(__file__).resolve().parents[1]
"""Folder of every source that compiled code depends on."""

OPTIONS = {"error_model": "numpy"}
"""A division by zero gives an infinity or NaN, as in numpy, without a test before each division."""

_scalars: list[Callable[..., Any]] = []
_lock = threading.RLock()


def scalar(function: F) -> F:
    """Let compiled functions call this one, which stays a plain Python function."""
    _scalars.append(function)
    return function


class Compiled(Generic[P, R]):
    """A function that is compiled at its first call; `interpreted` is the same function in plain Python.

    Raises:
        TypeError: an argument is not of a type that numba can compile for.
    """

    def __init__(self, function: Callable[P, R]) -> None:
        update_wrapper(self, function)
        self.interpreted = function
        self.machine_code: Callable[P, R] | None = None
        """What a call runs, once the first has come."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        machine_code = self.machine_code
        if machine_code is None:
            with _lock:
                machine_code = self.machine_code = self.machine_code or _compiled(self.interpreted, args)
        return machine_code(*args, **kwargs)


def compiled(function: Callable[P, R]) -> Compiled[P, R]:
    """Compile a loop over arrays at its first call; give it C-contiguous, writable arrays, or it compiles once more."""
    return Compiled(function)


def cache_folder(sources: Path = SOURCES) -> Path | None:
    """Folder for the machine code of these sources, made if need be; None where it cannot be written."""
    digest = hashlib.sha256()
    for path in sorted(sources.rglob("*.py")):
        digest.update(path.read_bytes())
    try:
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        folder = home / "understudy" / digest.hexdigest()[:16]
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # RuntimeError: this user has no home
        return None
    return folder if os.access(folder, os.W_OK | os.X_OK) else None


def _compiled(function: Callable[P, R], args: tuple[Any, ...]) -> Callable[P, R]:
    """Machine code of `function` for arguments of these types, from the cache or made now."""
    import numba  # most of a second to import, and needed only by processes that step a plant

    if numba.config.DISABLE_JIT:
        return function
    while _scalars:
        numba.extending.register_jitable(**OPTIONS)(_scalars.pop())
    folder = cache_folder()
    if folder is None or not any(folder.rglob(f"*.{function.__qualname__}-*.nbi")):
        kept = "every process does so, because no cache folder can be written" if folder is None else "once"
        log.warning("compiling `%s` for this machine: some seconds, %s", function.__qualname__, kept)
    types = tuple(numba.typeof(arg) for arg in args)
    try:
        return _dispatcher(function, types, folder)
    except OSError as error:
        log.warning("compiling `%s` again without the cache folder `%s`: %s", function.__qualname__, folder, error)
        return _dispatcher(function, types, None)


def _dispatcher(function: Callable[P, R], types: tuple[Any, ...], folder: Path | None) -> Callable[P, R]:
    import numba

    dispatcher: Any = numba.njit(nogil=True, **OPTIONS)(function)
    if folder is not None:
        before, numba.config.CACHE_DIR = numba.config.CACHE_DIR, str(folder)
        try:
            dispatcher.enable_caching()
        finally:
            numba.config.CACHE_DIR = before
    dispatcher.compile(types)
    code: Callable[P, R] = dispatcher
    return code
