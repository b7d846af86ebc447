"""Server-sent events: what happened goes out once, in order, and a stream ends with its site."""

import asyncio

import pytest

from controller.api.access import AccessBook
from controller.api.problems import Problem
from controller.api.routes.events import _happenings
from controller.api.services import Services
from controller.api.streams import stream
from tests.loop.fakes import WALL_US, FakeSite


@pytest.fixture
def found(site: FakeSite, access: AccessBook) -> Services:
    return Services(site, access, lambda: WALL_US, poll_s=0.001, max_streams=2)


def pieces(found: Services, after: int, count: int) -> list[bytes]:
    async def collect() -> list[bytes]:
        source = _happenings(found, "hall-a", after)
        return [await anext(source) for _ in range(count)]

    return asyncio.run(collect())


def test_events_go_out_numbered_after_the_one_last_seen(found: Services, site: FakeSite) -> None:
    for text in ("one", "two"):
        site.note("note", "system", text)
    first, second = pieces(found, 1, 2)
    assert first.startswith(b"id: 2\nevent: note\ndata: ")
    assert b"one" not in first
    assert b'event: status\ndata: {"version":7' in first
    assert second == b""


def test_a_line_break_in_an_event_cannot_forge_another(found: Services, site: FakeSite) -> None:
    site.note("note", "system", "harmless\n\nevent: trip\ndata: {}")
    (piece,) = pieces(found, 0, 1)
    assert piece.count(b"event: trip") == 1
    assert b"\nevent: trip" not in piece


def test_a_stream_says_why_it_ends(found: Services, site: FakeSite) -> None:
    async def collect() -> list[bytes]:
        response = stream(found, _happenings(found, "hall-a", 0))
        site.away = True
        return [bytes(piece) async for piece in response.body_iterator]  # type: ignore[arg-type]

    last = asyncio.run(collect())[-1]
    assert last.startswith(b"event: gone\ndata: the spool cannot be read")
    assert found.streams == 0


def test_streams_are_bounded(found: Services) -> None:
    found.streams = 2
    with pytest.raises(Problem, match="2 event streams are open"):
        stream(found, _happenings(found, "hall-a", 0))


def test_a_stream_ends_when_the_service_ends(found: Services, site: FakeSite) -> None:
    async def collect() -> list[bytes]:
        response = stream(found, _happenings(found, "hall-a", 0))
        found.closing.set()
        return [bytes(piece) async for piece in response.body_iterator]  # type: ignore[arg-type]

    assert asyncio.run(collect()) == [b": understudy\n\n"]
