"""The control process's end of the control socket: one thread that answers notifications and push-mode requests in order.

A request that waited longer than it may is answered `late` without a decision, so a jam cannot feed on itself. What
comes over the socket can at worst cost its own connection.
"""

import logging
import os
import selectors
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

from controller.protocol.framing import FrameBuffer, FrameError
from controller.protocol.push import (
    MAX_FRAME,
    Decide,
    DecideReply,
    DecideRequest,
    DecideResponse,
    Message,
    Notify,
    decode,
    encode,
    late,
    unavailable,
)

log = logging.getLogger(__name__)
Handle = Callable[[str, DecideRequest], DecideResponse]
_CHUNK = 1 << 16
_OUT_LIMIT = 4 << 20


class _Peer:
    """One connection: what has come and is not yet a whole message, and what has not gone out yet."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.frames = FrameBuffer(MAX_FRAME)
        self.out = bytearray()


class PushServer:
    """Serves `path` from a daemon thread. `handle(plant, request)` decides; `notify()` is called for a change of the
    operator queue.

    Both are called in the server's thread; an exception of `handle` is logged and answered as `unavailable`.
    """

    def __init__(
        self,
        path: Path,
        handle: Handle,
        notify: Callable[[], None],
        *,
        monotonic_us: Callable[[], int] = lambda: time.monotonic_ns() // 1000,
    ) -> None:
        self._handle, self._notify, self._monotonic_us = handle, notify, monotonic_us
        self._selector = selectors.DefaultSelector()
        self._path = path
        self._listener = _listen(path)
        self._wake, self._waker = socket.socketpair()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._serve, name="push", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Stop serving and remove the socket."""
        self._waker.close()
        self._thread.join(timeout=5)
        self._path.unlink(missing_ok=True)

    def _serve(self) -> None:
        while True:
            for key, events in self._selector.select():
                if key.fileobj is self._wake:
                    self._shut()
                    return
                if key.fileobj is self._listener:
                    self._accept()
                else:
                    self._turn(key.data, events)

    def _accept(self) -> None:
        sock, _ = self._listener.accept()
        sock.setblocking(False)
        self._selector.register(sock, selectors.EVENT_READ, _Peer(sock))

    def _turn(self, peer: _Peer, events: int) -> None:
        try:
            if events & selectors.EVENT_READ:
                self._read(peer)
            self._write(peer)
        except (OSError, FrameError) as error:
            if not isinstance(error, ConnectionError):
                log.warning("dropped a connection to the control socket: %s", error)
            self._drop(peer)

    def _read(self, peer: _Peer) -> None:
        data = peer.sock.recv(_CHUNK)
        if not data:
            raise ConnectionResetError("closed by the peer")
        arrived_us = self._monotonic_us()
        for body in peer.frames.feed(data):
            self._answer(peer, decode(body), arrived_us)

    def _answer(self, peer: _Peer, message: Message, arrived_us: int) -> None:
        if isinstance(message, Notify):
            self._notify()
        elif isinstance(message, Decide):
            peer.out += encode(DecideReply(message.number, self._decide(message, arrived_us)))

    def _decide(self, message: Decide, arrived_us: int) -> DecideResponse:
        if self._monotonic_us() - arrived_us > message.left_us:
            return late(message.request.deadline_ms)
        try:
            return self._handle(message.plant, message.request)
        except Exception:
            log.exception("a push-mode decision for `%s` failed", message.plant)
            return unavailable("the decision failed")

    def _write(self, peer: _Peer) -> None:
        """Send what the peer takes; wait for writability only while something is left."""
        if peer.out:
            sent = peer.sock.send(peer.out)
            del peer.out[:sent]
        if len(peer.out) > _OUT_LIMIT:
            raise ConnectionResetError("the peer does not read its answers")
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if peer.out else 0)
        if self._selector.get_key(peer.sock).events != wanted:
            self._selector.modify(peer.sock, wanted, peer)

    def _drop(self, peer: _Peer) -> None:
        self._selector.unregister(peer.sock)
        peer.sock.close()

    def _shut(self) -> None:
        for key in list(self._selector.get_map().values()):
            sock = key.fileobj
            assert isinstance(sock, socket.socket)
            sock.close()
        self._selector.close()


def _listen(path: Path) -> socket.socket:
    """A listening socket that only this user may use. A socket left by a dead process is replaced."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(mask)
    listener.listen(16)
    listener.setblocking(False)
    return listener
