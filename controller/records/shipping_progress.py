"""How far the shipper has come: a small file beside the spool, so that the shipper never writes to the spool itself.

It names the spool it speaks of. A lost or foreign file means that everything is shipped again, which does no harm.
"""

import os
from pathlib import Path

import msgspec

from controller.records.errors import SpoolError


class Shipping(msgspec.Struct, frozen=True):
    """`seq` is the last entry known to be in the store; `lag` how many entries were waiting when this was written;
    `conflicts` how many decisions the store has with other bytes."""

    spool_id: str
    seq: int = 0
    lag: int = 0
    away: bool = False
    last_ok_wall_us: int = 0
    error: str = ""
    conflicts: int = 0


def shipping_path(spool: Path) -> Path:
    """Return the path of the file in which the shipper of a spool keeps its place."""
    return spool.with_name(spool.name + ".shipping")


def read_shipping(spool: Path, spool_id: str) -> Shipping:
    """Return the shipper's progress on this spool; an empty progress if the file is lost or of another spool."""
    try:
        shipping = msgspec.json.decode(shipping_path(spool).read_bytes(), type=Shipping)
    except (OSError, msgspec.MsgspecError):
        return Shipping(spool_id)
    return shipping if shipping.spool_id == spool_id else Shipping(spool_id)


def write_shipping(spool: Path, shipping: Shipping) -> None:
    """Replace the file as a whole, so that a reader sees the old progress or the new one."""
    path = shipping_path(spool)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        fresh.write_bytes(msgspec.json.encode(shipping))
        fresh.replace(path)
    except OSError as error:
        raise SpoolError(
            f"cannot keep the shipper's place in `{path}`: {error}: check disk space and rights"
        ) from error
