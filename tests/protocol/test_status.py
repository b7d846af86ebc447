"""The live status survives its JSON form, whatever the numbers in it are."""

from math import inf, nan
from pathlib import Path

import pytest

from controller.protocol.status import PlantStatus, SignalStatus, StopStatus, decode, encode
from controller.protocol.status_reader import read_status
from controller.records.spool import SqliteSpool
from controller.records.stop_latch import write_stop
from tests.loop.fakes import FakeSite


def test_status_is_decoded_as_it_was_encoded() -> None:
    site = FakeSite()
    site.tick(3)
    assert decode(encode(site.status())) == site.status()


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_numbers_json_cannot_carry_become_null(value: float) -> None:
    sent = PlantStatus("hall-a", 1, signals={"zone_1_c": SignalStatus("degC", value)})
    assert decode(encode(sent)).signals["zone_1_c"].value is None


def test_malformed_status_text_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="at_us"):
        decode('{"plant": "hall-a"}')


def test_reader_completes_store_and_stop(tmp_path: Path) -> None:
    spool = SqliteSpool(tmp_path / "spool.sqlite")
    assert read_status(spool, tmp_path) is None
    spool.publish_live(encode(PlantStatus("hall-a", 1)))
    spool.keep_artefact("note", b"one entry that waits")
    spool.mark_away("no route")
    write_stop(tmp_path, "ann", "test")
    status = read_status(spool, tmp_path)
    spool.close()
    assert status is not None
    assert status.stop == StopStatus(active=True, actor="ann", reason="test")
    assert (status.store.away, status.store.lag) == (True, 1)
