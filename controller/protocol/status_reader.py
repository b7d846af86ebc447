"""The live status as every process but the control process reads it: from the state directory, completed."""

from dataclasses import replace
from pathlib import Path

from controller.protocol.status import PlantStatus, StopStatus, StoreStatus, decode
from controller.records.spool_reader import SpoolReader
from controller.records.stop_latch import read_stop


def read_status(spool: SpoolReader, state: Path) -> PlantStatus | None:
    """The status as published, with what the control process does not know: the store, and who set STOP.

    None before the first decision. Raises SpoolError if the spool cannot be read, ValueError if it holds no status.
    """
    text = spool.live()
    if text is None:
        return None
    status, shipping, latch = decode(text), spool.shipping(), read_stop(state)
    return replace(
        status,
        store=StoreStatus(shipping.away, spool.lag(), shipping.last_ok_wall_us or None),
        stop=status.stop if latch is None else StopStatus(True, latch.actor, latch.reason),
    )
