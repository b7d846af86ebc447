"""Frames on a stream socket: a little-endian four-byte length, then a body of so many bytes.

Every socket between our processes uses them. What a body means is the business of `policy_wire` and `push`.
"""

import struct

_HEAD = struct.Struct("<I")
HEAD_BYTES = _HEAD.size


class FrameError(ValueError):
    """Bytes that are not a frame, or a body that is not a message. The connection is of no further use."""


def frame(body: bytes, max_bytes: int) -> bytes:
    """The frame of a body. Raises FrameError if the body is longer than `max_bytes`, which the peer refuses."""
    if len(body) > max_bytes:
        raise FrameError(f"a body of {len(body)} bytes is over the limit of {max_bytes}")
    return _HEAD.pack(len(body)) + body


class FrameBuffer:
    """The bytes of one connection as they arrive, cut into the bodies of its frames."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = bytearray()

    @property
    def pending(self) -> int:
        """The number of bytes held of an unfinished frame."""
        return len(self._bytes)

    @property
    def missing(self) -> int:
        """The least number of bytes that completes the next frame, or its head where that is unfinished."""
        wanted = HEAD_BYTES
        if len(self._bytes) >= HEAD_BYTES:
            wanted += _HEAD.unpack_from(self._bytes)[0]
        return wanted - len(self._bytes)

    def feed(self, data: bytes) -> list[bytes]:
        """The bodies that `data` completes, in order. Raises FrameError for a head that announces over `max_bytes`."""
        self._bytes += data
        bodies, at = [], 0
        while len(self._bytes) - at >= HEAD_BYTES:
            (length,) = _HEAD.unpack_from(self._bytes, at)
            if length > self._max_bytes:
                raise FrameError(f"a frame announces {length} bytes, over the limit of {self._max_bytes}")
            end = at + HEAD_BYTES + length
            if end > len(self._bytes):
                break
            with memoryview(self._bytes) as view:
                bodies.append(bytes(view[at + HEAD_BYTES : end]))
            at = end
        del self._bytes[:at]
        return bodies
