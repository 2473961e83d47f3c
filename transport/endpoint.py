"""Endpoint: the ZeroMQ sockets of one channel of a node, owned by one event loop.

It carries frames and knows nothing of what is in them. A *connection* is one peer on one socket: a
routing id of a listening ROUTER, or a DEALER that this side dialled. Everything happens on the
loop's thread; frames are never lost here in silence: what cannot leave now waits, and what waits
too long, or has nowhere to go, ends its connection.

The sockets are watched through their file descriptors (`zmq.FD`), never through zmq.asyncio, which
is seven times slower. Such a descriptor is edge-triggered: it tells once that something happened,
sending included, so every read goes on until there is nothing left, and every send looks again;
looking costs a system call, so what is sent while a socket is read is looked for once, at the end.

Source: design §5 Endpoint; reliability.md §5.4 and appendix A.
"""

from __future__ import annotations

import contextvars
import logging
from asyncio import AbstractEventLoop
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import zmq

from transport.allowed import Peer
from transport.doors import Accepted, Connection, Dialled, Door, Owner, TrackedConnections
from transport.endpoint_text import Unavailable
from transport.frames import (
    AT_ONCE,
    address_of,
    fd_of,
    is_of,
    is_readable,
    pushing,
    skip_rest,
)
from transport.guard import Guard, LocalGuard
from transport.refusals import Reason, Refusals
from transport.security import Client, Handshake, Local, Server, Socket, Watch, dial, listen
from transport.security import Context as ZmqContext

__all__ = [
    "Accepted",
    "Connection",
    "Dialled",
    "Endpoint",
    "Owner",
    "end_context",
    "new_context",
]

READS: Final = 16  # frames of one socket before the loop's other work is let in
BACKLOG: Final = 256  # frames that wait for one connection: four windows of its queue
RETRY_S: Final = 0.002
LAST_WORDS_S: Final = 0.2  # for what was sent to leave before a connection is shut down
AND_MORE: Final = int(zmq.DONTWAIT | zmq.SNDMORE)
LOOK_S: Final = 1.0  # how often messages without end are looked for

_log = logging.getLogger(__name__)


class Endpoint:
    """All sockets of one channel; made and used on `loop`'s thread only."""

    def __init__(
        self, loop: AbstractEventLoop, context: ZmqContext, owner: Owner, refusals: Refusals
    ) -> None:
        self._loop = loop
        self._context = context
        self._owner = owner
        self._refusals = refusals
        # What is read does not belong to whoever happened to send.
        self._variables = contextvars.copy_context()
        self._doors: list[Door] = []
        self._dialled: dict[Dialled, None] = {}
        self._waiting: dict[Connection, None] = {}  # with a backlog
        self._retrying = False
        self._closed = False
        self._looker = loop.call_later(LOOK_S, self._look)

    # -- opening ----------------------------------------------------------------------------

    def listen(self, address: str, role: Server | Local, guard: Guard | LocalGuard) -> str:
        """Listen; returns the address with the port it got.

        Raises:
            SecurityError: as `security.listen`.
            Unavailable: the address cannot be had.
        """
        socket: Socket = self._context.socket(zmq.ROUTER)
        door = Door(socket, pushing(socket), guard)
        try:
            if not address.startswith("inproc://"):
                door.tracked = TrackedConnections(lambda fd: self._fd_closed(door, fd))
                door.watch = Watch(socket, door.tracked)
                door.watch.look = lambda: self._look_into(door)
            bound = listen(socket, role, address)
        except BaseException as error:
            _close(socket, door.watch)
            if isinstance(error, zmq.ZMQError):
                raise Unavailable.because(address, error.errno or 0, error.strerror) from error
            raise
        self._doors.append(door)
        self._add_reader(socket, lambda: self._serve(door))
        if door.watch is not None:
            self._loop.add_reader(door.watch.fd, door.watch.read)
            self._loop.call_soon(self._read, door.watch)
        return bound

    def announce(self) -> None:
        """The self-test is over: write down from now on who is turned away."""
        for door in self._doors:
            if door.watch is not None:
                door.watch.report_to(self._refusals)

    def dial(
        self, address: str, role: Client | Local, peer: Peer, *, after: Dialled | None = None
    ) -> Dialled:
        """Begin to connect; the first frame sent waits until the handshake is done.

        Args:
            after: The former attempt; why that failed is still the reason until this one has one.

        Raises:
            SecurityError, zmq.ZMQError: as `security.dial`.
        """
        socket: Socket = self._context.socket(zmq.DEALER)
        watch = None
        if not address.startswith("inproc://"):
            watch = Watch(socket, TrackedConnections(lambda _: self._lost(connection)), dials=True)
            if after is not None and after.attempt is not Handshake.SUCCEEDED:
                watch.attempt = after.attempt
        key = role.server_key if isinstance(role, Client) else ""
        connection = Dialled(socket, pushing(socket), watch, key, peer)
        try:
            dial(socket, role, address)
        except BaseException:
            _close(socket, watch)
            raise
        self._dialled[connection] = None
        self._add_reader(socket, lambda: self._hear(connection))
        if watch is not None:
            self._loop.add_reader(watch.fd, lambda: self._look_at(connection))
            self._loop.call_soon(self._look_at, connection)
        return connection

    # -- sending ----------------------------------------------------------------------------

    def send(self, connection: Connection, frame: bytes) -> None:
        """Send a frame, now or as soon as the connection takes it; in order.

        A connection that has ended takes nothing; one whose queue stays full is closed, which the
        owner hears of, so that nothing is lost in silence.
        """
        if not connection.open:
            return
        if connection.backlog or not self._sent(connection, frame):
            connection.backlog.append(frame)
            self._waiting[connection] = None
            if len(connection.backlog) > BACKLOG:
                self._lost(connection)
            elif not self._retrying:
                self._retrying = True
                self._loop.call_later(RETRY_S, self._retry)

    def _sent(self, connection: Connection, frame: bytes) -> bool:
        push = connection.push
        try:
            if type(connection) is Accepted:
                push(connection.routing, AND_MORE)
            push(frame, AT_ONCE)
        except zmq.Again:
            return False
        except zmq.ZMQError as error:  # EHOSTUNREACH: it has gone
            if error.errno != zmq.EHOSTUNREACH:
                _log.warning("a frame cannot be sent: %s", error)
            self._loop.call_soon(self._lost, connection)
            return True
        # Sending used up the edge of the descriptor; what came meanwhile would not be told.
        if type(connection) is Accepted:
            if not connection.door.busy and is_readable(connection.socket):
                self._loop.call_soon(self._serve, connection.door, context=self._variables)
        elif type(connection) is Dialled and not connection.busy and is_readable(connection.socket):
            self._loop.call_soon(self._hear, connection, context=self._variables)
        return True

    def _retry(self) -> None:
        self._retrying = False
        for connection in tuple(self._waiting):
            backlog = connection.backlog
            while connection.open and backlog and self._sent(connection, backlog[0]):
                backlog.popleft()
            if not (connection.open and backlog):
                del self._waiting[connection]
        if self._waiting and not self._closed:
            self._retrying = True
            self._loop.call_later(RETRY_S, self._retry)

    # -- receiving --------------------------------------------------------------------------

    def _add_reader(self, socket: Socket, read: Callable[[], None]) -> None:
        self._loop.add_reader(int(socket.getsockopt(zmq.FD)), read)
        self._loop.call_soon(read)  # what came before we watched

    def _serve(self, door: Door) -> None:
        """Take in what peers have sent to a listening socket, and look again after what follows."""
        socket = door.socket
        if door.busy or socket.closed:
            return
        door.busy = True
        try:
            again = self._take_in(door)
        finally:
            door.busy = False
        if again:
            self._loop.call_soon(self._serve, door, context=self._variables)

    def _take_in(self, door: Door) -> bool:
        """Whether there is more to read, later."""
        socket, more = door.socket, True
        for _ in range(READS):
            try:
                routing = socket.recv(AT_ONCE)
                frame = socket.recv(AT_ONCE, copy=False)
            except zmq.Again:
                return False
            if frame.more:
                skip_rest(socket)
                self._refuse(door, routing, Reason.MALFORMED)
            else:
                connection = door.by_routing.get(routing)
                if connection is None or not is_of(connection, frame):
                    connection = self._who(door, routing, frame)
                if connection is not None:
                    more = self._owner.received(connection, frame.bytes)
            # What the owner sent used up the edge, too.
            if socket.closed or not is_readable(socket):
                return False
            if not more:
                break
        return True

    def _who(self, door: Door, routing: bytes, frame: zmq.Frame) -> Accepted | None:
        """The connection of a frame, if its peer is (still) let in."""
        peer = door.guard.admits(frame)
        if peer is None:
            self._refuse(door, routing, Reason.REVOKED, frame)
            return None
        fd = fd_of(frame)
        key = "" if isinstance(door.guard, LocalGuard) else str(frame.get("User-Id"))
        tracked = None
        if door.tracked is not None and fd >= 0:
            tracked = door.tracked.delivered(fd, key or None)
        known = door.by_routing.get(routing)
        if door.watch is not None and (known is None or known.fd != fd):
            # Descriptors are used again: what the monitor says of former connections comes first.
            door.watch.read()
            known = door.by_routing.get(routing)
        if known is not None and known.fd == fd and known.key == key:
            known.peer, known.tracked, known.live_set = peer, tracked, door.guard.live_set
            return known if known.open else None
        if known is not None:  # another connection under a routing id that was used before
            self._gone(known)
        connection = Accepted(door, routing, fd, key, peer)
        connection.tracked, connection.live_set = tracked, door.guard.live_set
        with suppress(zmq.ZMQError):  # inproc has none
            connection.proof = frame.get(door.guard.proof)
        door.by_routing[routing] = connection
        if fd >= 0:
            door.by_fd[fd] = connection
        return connection

    def _refuse(
        self, door: Door, routing: bytes, reason: Reason, frame: zmq.Frame | None = None
    ) -> None:
        known = door.by_routing.get(routing)
        key = known.key if known is not None else "-"
        address = "-" if frame is None else address_of(frame)
        self._refusals.record(reason, key=key, address=address)
        if known is not None:
            self._lost(known)
        elif frame is not None and door.tracked is not None:
            door.tracked.cut(fd_of(frame))

    def _hear(self, connection: Dialled) -> None:
        """Take in what a dialled peer has sent, and look again after what follows."""
        socket = connection.socket
        if connection.busy or not connection.open or socket.closed:
            return
        connection.busy = True
        try:
            again = self._listen_to(connection)
        finally:
            connection.busy = False
        if again:
            self._loop.call_soon(self._hear, connection, context=self._variables)

    def _listen_to(self, connection: Dialled) -> bool:
        """Whether there is more to read, later."""
        socket = connection.socket
        for _ in range(READS):
            try:
                frame = socket.recv(AT_ONCE, copy=False)
            except zmq.Again:
                return False
            if frame.more:
                skip_rest(socket)
                self._refusals.record(Reason.MALFORMED, key=connection.key)
                self._lost(connection)
                return False
            more = self._owner.received(connection, frame.bytes)
            # What the owner sent used up the edge, too.
            if not connection.open or socket.closed or not is_readable(socket):
                return False
            if not more:
                break
        return True

    # -- ending -----------------------------------------------------------------------------

    def hang_up(self, connection: Connection) -> None:
        """Close a connection after what was sent on it; the owner is not told."""
        if not connection.open:
            return
        connection.open = False
        self._waiting.pop(connection, None)
        if isinstance(connection, Dialled):
            self._dialled.pop(connection, None)
            # The last frames must reach the I/O thread's socket: LINGER 0 would drop them.
            connection.socket.setsockopt(zmq.LINGER, int(LAST_WORDS_S * 1000))
            self._forget(connection.socket, connection.watch)
        elif isinstance(connection, Accepted):
            # What it still sends is dropped (`_who`); its end comes after our last words.
            self._loop.call_later(LAST_WORDS_S, self._cut, connection)

    def cut_user(self, key: str) -> int:
        """Cut every connection of a key, whatever it is doing; returns how many there were."""
        found = 0
        for door in self._doors:
            if door.watch is not None:
                door.watch.read()
            if door.tracked is not None:
                found += door.tracked.cut_user(key)
            for connection in tuple(door.by_routing.values()):
                if connection.key == key:
                    self._lost(connection)
        for dialled in tuple(self._dialled):
            if dialled.key == key:
                self._lost(dialled)
                found += 1
        return found

    def close(self) -> None:
        """Close every socket; the owner is not told. Twice does nothing."""
        if self._closed:
            return
        self._closed = True
        self._looker.cancel()
        for connection in tuple(self._dialled):
            self.hang_up(connection)
        for door in self._doors:
            for accepted in door.by_routing.values():
                accepted.open = False
            self._forget(door.socket, door.watch)

    def _forget(self, socket: Socket, watch: Watch | None) -> None:
        self._loop.remove_reader(int(socket.getsockopt(zmq.FD)))
        if watch is not None:
            self._loop.remove_reader(watch.fd)
        _close(socket, watch)

    def _look_into(self, door: Door) -> bool:
        """Take in what lies in a socket; False if that is being done."""
        free = not door.busy
        self._serve(door)
        return free

    def _fd_closed(self, door: Door, fd: int) -> None:
        connection = door.by_fd.get(fd)
        if connection is not None:
            # What it sent before it closed may still lie in the socket: it is read first.
            self._serve(door)
            self._loop.call_soon(self._lost, connection)
            self._loop.call_soon(self._gone, connection)

    def _gone(self, connection: Accepted) -> None:
        connection.open = False
        door = connection.door
        if door.by_routing.get(connection.routing) is connection:
            del door.by_routing[connection.routing]
        if door.by_fd.get(connection.fd) is connection:
            del door.by_fd[connection.fd]

    def _cut(self, connection: Accepted) -> None:
        """Shut the connection down, if it is still the one on its descriptor."""
        door = connection.door
        if door.tracked is not None and door.by_fd.get(connection.fd) is connection:
            door.tracked.cut(connection.fd)

    def _lost(self, connection: Connection) -> None:
        if not connection.open:
            return
        if isinstance(connection, Accepted):
            self._cut(connection)
        self.hang_up(connection)
        self._owner.closed(connection)

    def _look_at(self, connection: Dialled) -> None:
        watch = connection.watch
        if watch is None or not connection.open:
            return
        if any(each is not Handshake.SUCCEEDED for each in watch.read()):
            self._lost(connection)

    def _read(self, watch: Watch) -> None:
        if not self._closed:
            watch.read()

    def _look(self) -> None:
        for connection in tuple(self._dialled):
            self._look_at(connection)
        for door in self._doors:
            if door.watch is not None and door.tracked is not None:
                door.watch.read()
                for each in door.tracked.cut_unfinished():
                    self._refusals.record(
                        Reason.UNFINISHED, key=each.user or "-", address=each.address
                    )
        self._looker = self._loop.call_later(LOOK_S, self._look)


def _close(socket: Socket, watch: Watch | None) -> None:
    if watch is not None:
        watch.close()
    socket.close()


def new_context() -> ZmqContext:
    """A context for one system: its sockets, and nobody else's."""
    context: ZmqContext = zmq.Context(io_threads=1)
    # A node with many peers has a socket or two for each that it dials.
    context.max_sockets = 16_384
    return context


def end_context(context: ZmqContext) -> None:
    """Close what is left and end it; nothing lingers, so this does not block."""
    context.destroy(linger=0)
