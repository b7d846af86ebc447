"""Messages between the control process and a policy child: MessagePack in frames over a socket pair.

Parent: `Load` once, then `Ask`s. Child: `Ready` or `Refused`, then one `Answer` or `Failed` per `Ask`.
Tensors are raw little-endian float32.
"""

import socket
import struct
import time
from math import inf
from typing import TypeVar

import msgspec

from controller.protocol.framing import FrameBuffer, FrameError, frame

MAX_BYTES = 128 * 2**20
_CHUNK_BYTES = 65_536
_T = TypeVar("_T")


class WireError(ConnectionError):
    """The connection is closed, or the peer sent what is not a message."""


class WireTimeoutError(WireError):
    """The peer sent nothing in time."""


class Load(msgspec.Struct, array_like=True, frozen=True, tag="load"):
    """The verified graph, and the width of its input and output."""

    model: bytes
    inputs: int
    outputs: int


class Ask(msgspec.Struct, array_like=True, frozen=True, tag="ask"):
    """`rows` feature vectors, float32 [rows, inputs]."""

    id: int
    rows: int
    features: bytes


class Ready(msgspec.Struct, array_like=True, frozen=True, tag="ready"):
    """The graph is loaded."""

    pid: int
    rss_bytes: int


class Refused(msgspec.Struct, array_like=True, frozen=True, tag="refused"):
    """The graph cannot be loaded, and why. The child ends."""

    detail: str


class Answer(msgspec.Struct, array_like=True, frozen=True, tag="answer"):
    """The output, float32 of `shape`, with the child's own latency and resident memory."""

    id: int
    shape: tuple[int, ...]
    values: bytes
    latency_us: int
    rss_bytes: int


class Failed(msgspec.Struct, array_like=True, frozen=True, tag="failed"):
    """The graph raised on this `Ask`; the child goes on."""

    id: int
    detail: str
    rss_bytes: int


ToChild = Load | Ask
ToParent = Ready | Refused | Answer | Failed
_ENCODER = msgspec.msgpack.Encoder()
_TO_CHILD: msgspec.msgpack.Decoder[ToChild] = msgspec.msgpack.Decoder(ToChild)
_TO_PARENT: msgspec.msgpack.Decoder[ToParent] = msgspec.msgpack.Decoder(ToParent)


def limit(sock: socket.socket, within_s: float) -> None:
    """Let no single send or receive on this socket take longer: by the kernel, which costs no extra call per message."""
    whole, rest = divmod(max(round(within_s * 1e6), 1), 1_000_000)
    timeval = struct.pack("@ll", whole, rest)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeval)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeval)


def send(sock: socket.socket, message: ToChild | ToParent) -> None:
    """Send one message whole. Raises WireError, or WireTimeoutError if the peer does not take it in time."""
    try:
        framed = frame(_ENCODER.encode(message), MAX_BYTES)
    except FrameError as error:
        raise WireError(str(error)) from error
    try:
        sock.sendall(framed)
    except (BlockingIOError, TimeoutError) as error:
        raise WireTimeoutError("the peer does not read") from error
    except OSError as error:
        raise WireError(f"the peer closed the connection ({error.strerror})") from error


def receive_ask(sock: socket.socket) -> ToChild:
    """The parent's next message. Raises WireError when it is gone."""
    return _decoded(_TO_CHILD, _body(sock, inf))


def receive_answer(sock: socket.socket, *, within_s: float) -> ToParent:
    """The child's next message. Raises WireTimeoutError after `within_s`, WireError for anything else than a message."""
    return _decoded(_TO_PARENT, _body(sock, within_s))


def _body(sock: socket.socket, within_s: float) -> bytes:
    """The body of the next message. Neither end sends before it is answered, so more than one message is an error."""
    frames, until_s = FrameBuffer(MAX_BYTES), time.monotonic() + within_s
    try:
        while not (bodies := frames.feed(_receive(sock, max(frames.missing, _CHUNK_BYTES)))):
            if time.monotonic() > until_s:
                raise WireTimeoutError("the peer sent an incomplete message within the time limit")
    except FrameError as error:
        raise WireError(str(error)) from error
    if len(bodies) > 1 or frames.pending:
        raise WireError("the peer sent more than one message at a time")
    return bodies[0]


def _receive(sock: socket.socket, size: int) -> bytes:
    try:
        part = sock.recv(size)
    except (BlockingIOError, TimeoutError) as error:
        raise WireTimeoutError("the peer sent nothing within the time limit") from error
    except OSError as error:
        raise WireError(f"the peer closed the connection ({error.strerror})") from error
    if not part:
        raise WireError("the peer closed the connection")
    return part


def _decoded(decoder: "msgspec.msgpack.Decoder[_T]", body: bytes) -> _T:
    try:
        return decoder.decode(body)
    except ValueError as error:  # msgspec's errors, and text that is not UTF-8
        raise WireError(f"the peer sent what is not a message ({error})") from error
