"""The STOP latch: a file whose presence takes the candidate's authority away, whatever else of the system is down.

What is in the file is only for people. A file made by hand (`touch STOP`) stops just as well.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec


class _Wire(msgspec.Struct, frozen=True):
    actor: str
    reason: str
    at: int


@dataclass(frozen=True, slots=True)
class Stop:
    """Who stopped the candidate, why, and when (wall clock, microseconds since the epoch)."""

    actor: str
    reason: str
    at: int


def stop_path(state_dir: Path | str) -> Path:
    """Return the path of a site's latch file."""
    return Path(state_dir) / "STOP"


def write_stop(state_dir: Path | str, actor: str, reason: str, *, at: int | None = None) -> Stop:
    """Latch STOP, synced to disk; if it is latched already, the first actor and reason stand. Returns the latch in force."""
    stop = _Wire(actor, reason, time.time_ns() // 1000 if at is None else at)
    path = stop_path(state_dir)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"STOP.{os.getpid()}.{time.monotonic_ns()}")
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        os.write(fd, msgspec.json.encode(stop))
        os.fsync(fd)
    finally:
        os.close(fd)
    try:
        os.link(fresh, path)  # unlike a rename, this never replaces a latch that is there
        _sync(path.parent)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
    return read_stop(state_dir) or Stop(stop.actor, stop.reason, stop.at)


def read_stop(state_dir: Path | str) -> Stop | None:
    """The latch in force, or None. A latch that cannot be read is in force all the same."""
    path = stop_path(state_dir)
    try:
        wire = msgspec.json.decode(path.read_bytes(), type=_Wire)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        return Stop("unknown", f"the latch file `{path}` cannot be read ({error})", 0)
    return Stop(wire.actor, wire.reason, wire.at)


def clear_stop(state_dir: Path | str) -> bool:
    """Lift the latch. Says whether there was one; who may do this is the caller's business."""
    path = stop_path(state_dir)
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    _sync(path.parent)
    return True


def _sync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
