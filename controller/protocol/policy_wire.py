"""What the control process and a policy child say to each other: length-prefixed MessagePack over a socket pair.

Parent: `Load` once, then `Ask`s. Child: `Ready` or `Refused`, then one `Answer` or `Failed` per `Ask`.
Tensors are raw little-endian float32.
"""

import socket
import struct
import time
from math import inf
from typing import TypeVar

import msgspec

_PREFIX = struct.Struct("<I")
MAX_BYTES = 128 * 2**20
_FIRST_BYTES = 65_536
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


def limit(sock: socket.socket, within_s: float) -> None:
    """Let no single send or receive on this socket take longer: by the kernel, which costs no extra call per message."""
    whole, rest = divmod(max(round(within_s * 1e6), 1), 1_000_000)
    timeval = struct.pack("@ll", whole, rest)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeval)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeval)


def send(sock: socket.socket, message: ToChild | ToParent) -> None:
    """Send one message whole. Raises WireError, or WireTimeoutError if the other side does not take it in time."""
    body = _ENCODER.encode(message)
    try:
        sock.sendall(_PREFIX.pack(len(body)) + body)
    except (BlockingIOError, TimeoutError) as error:
        raise WireTimeoutError("the other side takes no message") from error
    except OSError as error:
        raise WireError(f"the other side is gone ({error.strerror})") from error


def receive_ask(sock: socket.socket) -> ToChild:
    """The parent's next message. Raises WireError when it is gone."""
    return _decoded(_TO_CHILD, _frame(sock, inf))


def receive_answer(sock: socket.socket, *, within_s: float) -> ToParent:
    """The child's next message. Raises WireTimeoutError after `within_s`, WireError on anything that is no message."""
    return _decoded(_TO_PARENT, _frame(sock, within_s))


def _frame(sock: socket.socket, within_s: float) -> memoryview:
    """The body of the next message: nobody speaks before having been answered, so one message is all there is to read."""
    got = _receive(sock, _FIRST_BYTES)
    if len(got) >= _PREFIX.size and len(got) == _PREFIX.size + _PREFIX.unpack_from(got)[0]:
        return memoryview(got)[_PREFIX.size :]
    return _rest(sock, bytearray(got), time.monotonic() + within_s)


def _rest(sock: socket.socket, got: bytearray, until: float) -> memoryview:
    """The same for a message that came in parts."""
    wanted = _PREFIX.size
    while len(got) < wanted or wanted == _PREFIX.size:
        if len(got) >= _PREFIX.size:
            wanted = _PREFIX.size + _PREFIX.unpack_from(got)[0]
            if wanted > MAX_BYTES:
                raise WireError(f"a message of {wanted} bytes was announced, at most {MAX_BYTES} are taken")
            if len(got) >= wanted:
                break
        if time.monotonic() > until:
            raise WireTimeoutError("the other side said nothing whole in time")
        got += _receive(sock, max(wanted - len(got), 1))
    if len(got) > wanted:
        raise WireError(f"{len(got) - wanted} bytes more than a message were said")
    return memoryview(got)[_PREFIX.size :]


def _receive(sock: socket.socket, size: int) -> bytes:
    try:
        part = sock.recv(size)
    except (BlockingIOError, TimeoutError) as error:
        raise WireTimeoutError("the other side said nothing in time") from error
    except OSError as error:
        raise WireError(f"the other side is gone ({error.strerror})") from error
    if not part:
        raise WireError("the other side is gone")
    return part


def _decoded(decoder: "msgspec.msgpack.Decoder[_T]", frame: memoryview) -> _T:
    try:
        return decoder.decode(frame)
    except msgspec.MsgspecError as error:
        raise WireError(f"what the other side said is no message ({error})") from error
