"""Frames: any cutting of the stream gives the same bodies, and nothing but a frame is taken."""

import asyncio
import socket
import struct
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.protocol import policy_wire, push, push_client, push_server
from controller.protocol.framing import HEAD_BYTES, FrameBuffer, FrameError, frame

LIMIT = 64
BODIES = st.lists(st.binary(max_size=LIMIT), max_size=6)
MESSAGES: list[push.Message] = [
    push.Notify(),
    push.Decide(3, "hall-a", 50_000, push.DecideRequest(taken_at=1, signals={}, incumbent={"x": 2.5})),
    push.DecideReply(3, push.DecideResponse("decided", "why", "incumbent", {"x": 2.5}, 10, 1, "hall-a.p.1")),
]
ASK = policy_wire.Ask(1, 1, b"\0" * 4)


@given(BODIES, st.lists(st.integers(0, 512), max_size=8))
def test_any_cutting_of_a_stream_gives_the_same_bodies(bodies: list[bytes], cuts: list[int]) -> None:
    stream, frames, got = b"".join(frame(body, LIMIT) for body in bodies), FrameBuffer(LIMIT), []
    for start, end in pairwise(sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})):
        got += frames.feed(stream[start:end])
    assert got == bodies
    assert frames.pending == 0


@given(st.binary(max_size=LIMIT))
def test_missing_bytes_complete_a_frame_and_no_fewer_do(body: bytes) -> None:
    whole, frames = frame(body, LIMIT), FrameBuffer(LIMIT)
    sent = 0
    while sent < len(whole):
        step = frames.missing
        assert not frames.feed(whole[sent : sent + step - 1])
        sent += step
        got = frames.feed(whole[sent - 1 : sent])
    assert got == [body]


@given(st.integers(LIMIT + 1, 2**32 - 1), st.binary(max_size=8))
def test_a_head_over_the_limit_is_refused_at_once(length: int, rest: bytes) -> None:
    with pytest.raises(FrameError, match=str(length)):
        FrameBuffer(LIMIT).feed(struct.pack("<I", length) + rest)


def test_a_body_over_the_limit_is_not_sent() -> None:
    assert len(frame(b"x" * LIMIT, LIMIT)) == LIMIT + HEAD_BYTES
    with pytest.raises(FrameError, match=f"{LIMIT + 1} bytes"):
        frame(b"x" * (LIMIT + 1), LIMIT)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_push_message_comes_back_as_it_was(message: push.Message) -> None:
    (body,) = FrameBuffer(push.MAX_FRAME).feed(push.encode(message))
    assert push.decode(body) == message


@given(st.binary(max_size=LIMIT))
def test_noise_is_a_push_message_or_a_frame_error(noise: bytes) -> None:
    try:
        assert isinstance(push.decode(noise), push.Message)
    except FrameError:
        return


def test_both_protocols_frame_a_body_alike() -> None:
    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs):
        policy_wire.send(ours, ASK)
        sent = theirs.recv(4096)
    assert sent == frame(sent[HEAD_BYTES:], LIMIT)


@pytest.mark.parametrize(
    "sent",
    [
        struct.pack("<I", policy_wire.MAX_BYTES + 1),
        frame(b"\xc1", LIMIT),
        frame(b"\x94\xa6failed\x01\xa1\xff\x00", LIMIT),
        frame(b"", LIMIT) * 2,
        frame(b"", LIMIT) + b"\0",
    ],
    ids=["over the limit", "no message", "not UTF-8", "two messages", "a message and a part"],
)
def test_policy_child_with_bad_framing_is_a_wire_error(sent: bytes) -> None:
    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs):
        theirs.sendall(sent)
        with pytest.raises(policy_wire.WireError):
            policy_wire.receive_answer(ours, within_s=1.0)


def test_a_policy_message_in_parts_is_received_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy_wire, "_CHUNK_BYTES", 1)  # reads only what is missing: head and body apart
    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs):
        policy_wire.send(ours, ASK)
        assert policy_wire.receive_ask(theirs) == ASK


def test_a_push_request_over_the_limit_is_unavailable(tmp_path: Path) -> None:
    path, wide = tmp_path / "control.sock", {f"signal-{n}": 1.0 for n in range(70_000)}
    server = push_server.PushServer(path, lambda *_: pytest.fail("decided"), lambda: None)
    server.start()

    async def exchange() -> push.DecideResponse:
        client = push_client.PushClient(path)
        try:
            return await client.decide(
                "hall-a", push.DecideRequest(taken_at=1, signals={}, incumbent=wide, deadline_ms=9000)
            )
        finally:
            client.close()

    answer = asyncio.run(exchange())
    server.close()
    assert answer.status == "unavailable"
    assert str(push.MAX_FRAME) in answer.why
