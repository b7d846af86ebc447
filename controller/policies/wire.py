"""What the control process and a policy child say to each other: length-prefixed MessagePack over a socket pair.

Parent: `Load` once, then `Ask`s. Child: `Ready` or `Refused`, then one `Answer` or `Failed` per `Ask`.
Tensors are raw little-endian float32.
"""

import socket
import struct
import time
from typing import TypeVar

import msgspec

_PREFIX = struct.Struct("<I")
MAX_BYTES = 128 * 2**20
_T = TypeVar("_T")


class WireError(ConnectionError):
    """The other side is gone, or what it said is no message."""


class WireTimeoutError(WireError):
    """The other side said nothing in time."""


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


def send(sock: socket.socket, message: ToChild | ToParent, *, within_s: float | None = None) -> None:
    """Send one message whole. Raises WireError, or WireTimeoutError if the other side does not take it in time."""
    body = _ENCODER.encode(message)
    sock.settimeout(within_s)
    try:
        sock.sendall(_PREFIX.pack(len(body)) + body)
    except TimeoutError as error:
        raise WireTimeoutError("the other side takes no message") from error
    except OSError as error:
        raise WireError(f"the other side is gone ({error.strerror})") from error


def receive_ask(sock: socket.socket) -> ToChild:
    """The parent's next message. Raises WireError when it is gone."""
    return _decoded(_TO_CHILD, _frame(sock, None))


def receive_answer(sock: socket.socket, *, within_s: float) -> ToParent:
    """The child's next message. Raises WireTimeoutError after `within_s`, WireError on anything else that is no message."""
    return _decoded(_TO_PARENT, _frame(sock, within_s))


def _frame(sock: socket.socket, within_s: float | None) -> bytes:
    until = None if within_s is None else time.monotonic() + within_s
    (size,) = _PREFIX.unpack(_exactly(sock, _PREFIX.size, until))
    if size > MAX_BYTES:
        raise WireError(f"a message of {size} bytes was announced, at most {MAX_BYTES} are taken")
    return _exactly(sock, size, until)


def _exactly(sock: socket.socket, size: int, until: float | None) -> bytes:
    got = b""
    while len(got) < size:
        if until is not None:
            sock.settimeout(max(until - time.monotonic(), 1e-6))
        try:
            part = sock.recv(size - len(got))
        except TimeoutError as error:
            raise WireTimeoutError("the other side said nothing in time") from error
        except OSError as error:
            raise WireError(f"the other side is gone ({error.strerror})") from error
        if not part:
            raise WireError("the other side is gone")
        got += part
    return got


def _decoded(decoder: "msgspec.msgpack.Decoder[_T]", frame: bytes) -> _T:
    try:
        return decoder.decode(frame)
    except msgspec.MsgspecError as error:
        raise WireError(f"what the other side said is no message ({error})") from error
