"""Who is at the sockets of an endpoint: connections, and the doors they came in by."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol, TypeAlias

from transport.allowed import Peer
from transport.connections import Connection as Tracked
from transport.connections import Connections
from transport.guard import Guard, LocalGuard
from transport.security import Socket, Watch
from transport.socket_roles import Attempt, Handshake

__all__ = ["Accepted", "Connection", "Dialled", "Door", "Owner", "TrackedConnections"]


Push: TypeAlias = Callable[[bytes, int], object]  # frame, flags


class Connection:
    """One peer on one socket.

    Attributes:
        key: Public key of the peer as CURVE proved it; "" for ipc and inproc.
        peer: Name and roles it has on this side.
    """

    __slots__ = ("backlog", "key", "open", "peer", "push", "socket")

    def __init__(self, socket: Socket, push: Push, key: str, peer: Peer) -> None:
        self.socket = socket
        self.push = push  # its `send`
        self.key = key
        self.peer = peer
        self.open = True
        self.backlog: deque[bytes] = deque()


class Accepted(Connection):
    """A peer that dialled this side."""

    __slots__ = ("door", "fd", "live_set", "proof", "routing", "tracked")

    def __init__(self, door: Door, routing: bytes, fd: int, key: str, peer: Peer) -> None:
        super().__init__(door.socket, door.push, key, peer)
        self.door = door
        self.routing = routing
        self.fd = fd
        self.tracked: Tracked | None = None
        # What its frames say of their sender, and the live set under which that was let in.
        self.proof: object = None
        self.live_set: object = None


class Dialled(Connection):
    """A peer that this side dials; the socket lives as long as the connection."""

    __slots__ = ("busy", "watch")

    def __init__(
        self, socket: Socket, push: Push, watch: Watch | None, key: str, peer: Peer
    ) -> None:
        super().__init__(socket, push, key, peer)
        self.watch = watch
        self.busy = False  # it is being read, and looked at again afterwards

    @property
    def attempt(self) -> Attempt | Handshake | None:
        """How far connecting came."""
        return None if self.watch is None else self.watch.attempt


class Owner(Protocol):
    """Who is told what arrives; called on the loop, and may call the endpoint back."""

    def received(self, connection: Connection, frame: bytes) -> bool:
        """A frame came; False to have the next one in the next turn of the loop."""

    def closed(self, connection: Connection) -> None:
        """A connection has ended, other than by `Endpoint.hang_up`."""


class TrackedConnections(Connections):
    """Connections that tell when one is closed."""

    def __init__(self, closed: Callable[[int], None]) -> None:
        super().__init__()
        self._tell = closed
        self._opening = False

    def opened(self, fd: int) -> Tracked | None:
        """A connection was made; that a descriptor is used again is no news of its former one."""
        self._opening = True
        try:
            return super().opened(fd)
        finally:
            self._opening = False

    def closed(self, fd: int) -> None:
        """A connection has ended."""
        super().closed(fd)
        if not self._opening:
            self._tell(fd)


class Door:
    """A listening socket and who is at it."""

    def __init__(self, socket: Socket, push: Push, guard: Guard | LocalGuard) -> None:
        self.socket = socket
        self.push = push
        self.guard = guard
        self.busy = False  # it is being read, and looked at again afterwards
        self.watch: Watch | None = None
        self.tracked: TrackedConnections | None = None
        self.by_routing: dict[bytes, Accepted] = {}
        self.by_fd: dict[int, Accepted] = {}
