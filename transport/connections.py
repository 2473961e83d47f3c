"""The TCP connections below one ZeroMQ socket, by file descriptor: to cut one, and only that one.

libzmq 4.3.5 has no call that disconnects one peer, no limit on the number of connections, and none
on a message of many parts (`MAXMSGSIZE` bounds a part; the high-water mark counts whole messages).
It does say the descriptor of each connection, through the socket's monitor and on each frame, and
shutting a descriptor down makes it close that connection as if the peer had gone.

Descriptors are used again, so nothing is done to one before its peer's name was compared on a
duplicate of it, which cannot become another connection meanwhile.
"""

from __future__ import annotations

import fcntl
import ipaddress
import os
import socket
import struct
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

__all__ = ["Connection", "Connections", "cut", "received_bytes"]

UNFINISHED_LIMIT_BYTES: Final = 4 << 20  # four of the largest frames, on the wire
STRANGERS: Final = 128  # connections that have sent nothing yet; as many as wait in the backlog

# struct tcp_info of Linux: 8 bytes, 24 words of 4 bytes, then pacing_rate, max_pacing_rate,
# bytes_acked, bytes_received (there since Linux 4.1).
_TCP_INFO: Final = getattr(socket, "TCP_INFO", None)
_RECEIVED_AT: Final = 8 + 24 * 4 + 3 * 8
_TCP_INFO_BYTES: Final = _RECEIVED_AT + 8


def cut(fd: int, peer_address: str, peer_port: int | None = None) -> bool:
    """Shut down a TCP connection, if the descriptor still is that peer's.

    libzmq then sees the end of the stream and closes the connection within milliseconds; a peer
    that may still connect does so again.

    Args:
        fd: As `frame.get(zmq.SRCFD)` or a monitor says.
        peer_address: As `frame.get("Peer-Address")` says: an IP address, which does not tell two
            peers of one machine apart.
        peer_port: The peer's port where it is known; then it must fit too.

    Returns:
        Whether it was shut down. False means that there is nothing to cut any more: the descriptor
        is closed, or belongs to something else now.
    """
    try:
        with _duplicate(fd) as connection:
            address, port = _name(connection)
            if _plain(address) != _plain(peer_address) or peer_port not in (None, port):
                return False
            connection.shutdown(socket.SHUT_RDWR)
            return True
    except OSError:
        return False


def received_bytes(fd: int) -> int | None:
    """Return how many bytes of a connection the reader has taken from the kernel so far.

    None where the system does not say (only Linux does), or when it is no connection any more.
    """
    if _TCP_INFO is None:
        return None
    try:
        with _duplicate(fd) as connection:
            info = connection.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _TCP_INFO_BYTES)
            waiting = fcntl.ioctl(connection, termios.FIONREAD, bytes(4))
    except OSError:
        return None
    if len(info) < _TCP_INFO_BYTES:
        return None
    (received,) = struct.unpack_from("=Q", info, _RECEIVED_AT)
    (unread,) = struct.unpack("=i", waiting)
    return int(received) - int(unread)


@dataclass(slots=True)
class Connection:
    """One connection.

    Attributes:
        fd: Its descriptor; libzmq's, never closed here.
        address: The peer's IP address.
        port: The peer's port.
        user: Key of the peer, once it has sent a message.
        delivered: A whole message came since the last look.
    """

    fd: int
    address: str
    port: int
    user: str | None = None
    delivered: bool = False
    _seen: int = 0  # bytes taken at the last look that followed a message
    _suspect: bool = False  # was over the limit at the last look

    def cut(self) -> bool:
        """As the function of this name."""
        return cut(self.fd, self.address, self.port)


class Connections:
    """All connections of one socket. Belongs to the thread that owns the socket.

    The owner reports what the monitor and the frames say; see `transport.watch.Watch`.

    Args:
        unfinished_limit_bytes: What a peer may send beyond its last whole message.
        strangers: How many connections that have sent no message are kept; beyond that the oldest
            of them is cut. This bounds what peers without a key can hold.
    """

    def __init__(
        self,
        *,
        unfinished_limit_bytes: int = UNFINISHED_LIMIT_BYTES,
        strangers: int = STRANGERS,
    ) -> None:
        self._limit = unfinished_limit_bytes
        self._strangers_limit = strangers
        self._by_fd: dict[int, Connection] = {}
        self._strangers: dict[int, Connection] = {}  # a part of the above, oldest first

    def __len__(self) -> int:
        return len(self._by_fd)

    def __iter__(self) -> Iterator[Connection]:
        return iter(tuple(self._by_fd.values()))

    def opened(self, fd: int) -> Connection | None:
        """A connection was made.

        Returns:
            The connection that was cut to make room, if one was.
        """
        try:
            with _duplicate(fd) as connection:
                address, port = _name(connection)
        except OSError:  # gone again already
            return None
        self.closed(fd)
        self._by_fd[fd] = self._strangers[fd] = Connection(fd, address, port)
        if len(self._strangers) <= self._strangers_limit:
            return None
        oldest = self._strangers.pop(next(iter(self._strangers)))
        oldest.cut()
        return oldest

    def address(self, fd: int) -> str | None:
        """IP address of the peer of a connection, if it was there long enough to be looked at."""
        connection = self._by_fd.get(fd)
        return None if connection is None else connection.address

    def is_stranger(self, fd: int) -> bool:
        """Whether the connection on a descriptor has sent no message, and was not cut."""
        return fd in self._strangers

    def closed(self, fd: int) -> None:
        """A connection has ended."""
        self._by_fd.pop(fd, None)
        self._strangers.pop(fd, None)

    def delivered(self, fd: int, user: str | None) -> Connection | None:
        """A whole message came from a connection, which is returned; `user` is its peer's key.

        Of the next one it is enough to say so there.

        A message may be read after its connection has ended and its descriptor has become another
        one's; that one then bears a wrong key until its own next message. The worst that follows is
        that it is cut, and connects again.
        """
        connection = self._by_fd.get(fd)
        if connection is not None:
            connection.delivered = True
            if connection.user != user:
                connection.user = user
                self._strangers.pop(fd, None)
        return connection

    def cut(self, fd: int) -> bool:
        """Cut the connection on a descriptor; whether there was one."""
        connection = self._by_fd.get(fd)
        return connection is not None and connection.cut()

    def cut_user(self, user: str) -> int:
        """Cut every connection of a key; returns how many there were."""
        return sum(
            connection.cut() for connection in self._by_fd.values() if connection.user == user
        )

    def cut_unfinished(self) -> tuple[Connection, ...]:
        """Cut the connections that send a message without end; returns them.

        To be called now and then, each time right after the socket was read until it was empty:
        whole messages are then accounted for. Whoever is over the limit at two looks in a row,
        with no whole message in between, is in the middle of one that is larger than any may be.

        An idle connection takes a day of ZMTP heartbeats to get there, and then connects again.
        """
        found = []
        for connection in self._by_fd.values():
            taken = received_bytes(connection.fd)
            if taken is None:
                continue
            if connection.delivered:
                connection.delivered = connection._suspect = False
                connection._seen = taken
            elif taken - connection._seen <= self._limit:
                connection._suspect = False
            elif not connection._suspect:
                connection._suspect = True
            else:
                connection._suspect = False
                self._strangers.pop(connection.fd, None)
                if connection.cut():
                    found.append(connection)
        return tuple(found)


@contextmanager
def _duplicate(fd: int) -> Iterator[socket.socket]:
    """A socket object on a duplicate of a descriptor; the descriptor itself stays open."""
    # The family is read from the descriptor: what is no socket raises OSError here.
    copy = os.dup(fd)
    try:
        connection = socket.socket(fileno=copy)
    except OSError:
        os.close(copy)
        raise
    with connection:
        yield connection


def _name(connection: socket.socket) -> tuple[str, int]:
    """IP address and port of the peer.

    Raises:
        OSError: It is no TCP connection, or not connected.
    """
    if connection.family not in (socket.AF_INET, socket.AF_INET6):
        raise OSError("not a TCP connection")
    name = connection.getpeername()
    return str(name[0]), int(name[1])


def _plain(address: str) -> str:
    """An IPv4 address that came through an IPv6 socket, as IPv4; other texts as they are."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    mapped = getattr(parsed, "ipv4_mapped", None)
    return str(mapped or parsed)
