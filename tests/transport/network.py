"""A server and its clients over real sockets on loopback, for the tests of the security of both."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Self

import zmq

from transport.allowed import Allowed, Peer, Role
from transport.connections import Connections
from transport.guard import Guard
from transport.keys import KeyPair
from transport.security import (
    Authenticator,
    Client,
    Handshake,
    Server,
    Watch,
    dial,
    listen,
    new_key_pair,
)

DEADLINE_S = 20.0

Context = zmq.Context[zmq.Socket[bytes]]


class Network:
    """One listening node, and what it sees.

    Args:
        connections: What the server knows of its connections.
    """

    def __init__(
        self, authenticator: Authenticator, connections: Connections | None = None
    ) -> None:
        self._stack = ExitStack()
        self.authenticator = authenticator
        self.context = authenticator.context
        self.allowed: Allowed = authenticator.allowed
        self.keys = new_key_pair("server")
        self.connections = Connections() if connections is None else connections
        self.guard = Guard(self.allowed)
        self.socket = self.context.socket(zmq.ROUTER)
        self._stack.callback(self.socket.close)
        self.watch = Watch(self.socket, self.connections, authenticator.refusals)
        self._stack.callback(self.watch.close)
        self.endpoint = listen(self.socket, Server(self.keys, authenticator), "tcp://127.0.0.1:*")
        self.port = int(self.endpoint.rpartition(":")[2])

    def known(self, name: str, roles: Iterable[Role] = (Role.HOST,)) -> KeyPair:
        """A pair of keys that may connect."""
        pair = new_key_pair(name)
        self.allowed.allow(pair.public, name, roles)
        return pair

    def client(self, keys: KeyPair, server_key: str | None = None) -> Dialled:
        """A client that dials the server."""
        dialled = Dialled(self.context, Client(keys, server_key or self.keys.public), self.endpoint)
        self._stack.callback(dialled.close)
        return dialled

    def receive(self) -> zmq.Frame:
        """The last frame of the next message; watches what happens meanwhile."""
        assert self.until(lambda: self.socket.poll(0) != 0), "nothing came"
        return self.socket.recv_multipart(zmq.DONTWAIT, copy=False)[-1]

    def received_nothing(self) -> bool:
        """Whether no message waits."""
        return self.socket.poll(0) == 0

    def until(self, true: Callable[[], bool]) -> bool:
        """Watch the connections until something is true, or False after a while."""
        deadline = time.monotonic() + DEADLINE_S
        while not true():
            if time.monotonic() > deadline:
                return False
            self.watch.read(timeout_ms=1)
        return True

    def speaker(self, frame: zmq.Frame) -> Peer | None:
        """As the endpoint would do: account for the frame, then ask the guard."""
        peer = self.guard.admits(frame)
        fd = frame.get(zmq.SRCFD)
        assert isinstance(fd, int)
        self.watch.read()
        self.connections.delivered(fd, None if peer is None else peer.key)
        return peer

    def close(self) -> None:
        """Close every socket."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Dialled:
    """A client's socket and what its monitor says."""

    def __init__(self, context: Context, role: Client, endpoint: str) -> None:
        self.socket = context.socket(zmq.DEALER)
        self.connections = Connections()
        self.watch = Watch(self.socket, self.connections)
        dial(self.socket, role, endpoint)

    def outcome(self) -> Handshake | None:
        """How the next handshake ends; None when it does not in time."""
        return outcome(self.watch)

    def send(self, payload: bytes) -> None:
        """Send one frame; waits until there is a connection."""
        assert self.socket.poll(int(DEADLINE_S * 1000), zmq.POLLOUT), "not connected"
        self.socket.send(payload, zmq.DONTWAIT)

    def close(self) -> None:
        self.watch.close()
        self.socket.close()


def outcome(watch: Watch) -> Handshake | None:
    """How the next handshake below a socket ends; None when it does not in time."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        for found in watch.read(timeout_ms=100):
            return found
    return None
