"""A loop's own wire: what `ActorSystem(wire=True)` sends its messages through.

In a module of its own, because an endpoint speaks to peers and this one to nobody: no link, no
session, no security; the frames never leave the process.
"""

from __future__ import annotations

import threading
from asyncio import AbstractEventLoop
from collections.abc import Callable
from typing import Final

import zmq

from transport.security import Context as ZmqContext
from transport.security import Socket

__all__ = ["Loopback"]

READS: Final = 64  # frames before the loop's other work is let in


class Loopback:
    """One loop's own wire: frames of any thread arrive on the loop, through ZeroMQ `inproc://`.

    A socket belongs to one thread, so every sending thread has one of its own; frames of one
    thread arrive in order.
    """

    def __init__(
        self, loop: AbstractEventLoop, context: ZmqContext, received: Callable[[bytes], None]
    ) -> None:
        self._loop = loop
        self._context = context
        self._received = received
        self._closed = False
        self._address = f"inproc://loopback-{id(self)}"
        self._own = threading.local()
        self._lock = threading.Lock()  # leaf; guards the list
        self._senders: list[Socket] = []
        self._socket: Socket = context.socket(zmq.PULL)
        self._socket.rcvhwm = 0  # bounded by what the mailboxes take
        self._socket.bind(self._address)

    def open(self) -> None:
        """Begin to listen; on the loop."""
        self._loop.add_reader(int(self._socket.getsockopt(zmq.FD)), self._read)
        self._loop.call_soon(self._read)

    def send(self, frame: bytes) -> None:
        """Send a frame; any thread."""
        socket: Socket | None = getattr(self._own, "socket", None)
        if socket is None:
            socket = self._context.socket(zmq.PUSH)
            socket.sndhwm = 0
            socket.linger = 0
            socket.connect(self._address)
            self._own.socket = socket
            with self._lock:
                self._senders.append(socket)
        socket.send(frame)
        # The loop's own sends use up the edge of its descriptor.
        self._loop.call_soon_threadsafe(self._read)

    def _read(self) -> None:
        socket = self._socket
        for _ in range(READS):
            if self._closed:
                return
            try:
                frame = socket.recv(zmq.DONTWAIT)
            except zmq.Again:
                return
            self._received(frame)
        self._loop.call_soon(self._read)

    def close(self) -> None:
        """Take nothing more; the loop has ended, or is held and was left behind."""
        self._closed = True
