"""What happens below a ZeroMQ socket: connections that come and go, and how handshakes end.

libzmq tells it on a second socket, the monitor, one event after the other. How a handshake failed
comes without a word about whose it was; the end of its connection follows at once, from the same
thread of libzmq, and names the descriptor. So a failure is written down when that is known.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable
from typing import Final, TypeAlias

import zmq

from transport.connections import Connections
from transport.refusals import Reason, Refusals
from transport.socket_roles import Attempt, Handshake

__all__ = ["Context", "Socket", "Watch"]

# A socket of plain pyzmq; its class is generic in what `recv` returns.
Socket: TypeAlias = "zmq.Socket[bytes]"
Context: TypeAlias = "zmq.Context[Socket]"

_OUTCOMES: Final = {
    int(zmq.EVENT_HANDSHAKE_SUCCEEDED): Handshake.SUCCEEDED,
    int(zmq.EVENT_HANDSHAKE_FAILED_AUTH): Handshake.REFUSED,
    int(zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL): Handshake.MISMATCHED,
    int(zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL): Handshake.BROKEN,
}
_UNEXPLAINED: Final = (Handshake.MISMATCHED, Handshake.BROKEN)  # ZAP has not written them down
_OPENED: Final = (int(zmq.EVENT_ACCEPTED), int(zmq.EVENT_CONNECTED))
_EVENTS: Final = sum((*_OUTCOMES, *_OPENED, int(zmq.EVENT_DISCONNECTED)))
_TRIES: Final = (
    int(zmq.EVENT_CONNECT_DELAYED),
    int(zmq.EVENT_CONNECT_RETRIED),
    int(zmq.EVENT_CLOSED),
)

_monitor_numbers = itertools.count(1)


class Watch:
    """The monitor of a socket, read by the thread that owns the socket.

    Make it before `listen` or `dial`, read it whenever the loop turns, close it before the socket.

    Args:
        socket: At most one watch each.
        connections: Is told of connections that are made and that end.
        refusals: Where failed handshakes are written down, those of connections that were made
            while this was known; ZAP's own refusals are not repeated.
        dials: Whether to note how far attempts to connect come, too.

    Attributes:
        attempt: How far the last one came; what is decided stays until the next decision.
    """

    def __init__(
        self,
        socket: Socket,
        connections: Connections | None = None,
        refusals: Refusals | None = None,
        *,
        dials: bool = False,
    ) -> None:
        self.attempt: Attempt | Handshake | None = None
        self._tried = False  # something was told of the attempt that goes on
        self._socket = socket
        self._connections = Connections() if connections is None else connections
        self._refusals = refusals
        self._unheeded: set[int] = set()  # descriptors of connections from before `report_to`
        self._failed = 0  # handshakes whose connection has not ended yet
        self._denied = 0  # of these, those that others write down
        # Reads what lies in the socket; False if that is being done. The owner's to set.
        self.look: Callable[[], bool] = lambda: False
        address = f"inproc://mob-monitor-{next(_monitor_numbers)}"
        self._events = socket.context.socket(zmq.PAIR)
        self._events.linger = 0
        # Without a limit: a full queue would block the I/O thread and with it every connection.
        self._events.rcvhwm = 0
        socket.monitor(address, _EVENTS + sum(_TRIES) * dials)
        self._events.connect(address)

    @property
    def fd(self) -> int:
        """Edge-triggered, as every `zmq.FD`: read until nothing comes."""
        return int(self._events.getsockopt(zmq.FD))

    def read(self, timeout_ms: int = 0) -> tuple[Handshake, ...]:
        """Take in what has happened; waits for something at most `timeout_ms`.

        Returns:
            How handshakes ended, in order.
        """
        if self._events.closed:
            return ()
        self._events.poll(timeout_ms)
        outcomes = []
        opened: dict[int, None] = {}  # and not closed again: descriptors are used again at once
        while not self._events.closed:  # who is told of an end may close this
            try:
                event, value = struct.unpack("=HI", self._events.recv_multipart(zmq.DONTWAIT)[0])
            except zmq.Again:
                break
            if event in _TRIES:
                self._tries(event)
            elif event in _OPENED:
                self._tried = True
                if not isinstance(self.attempt, Handshake):
                    self.attempt = Attempt.MUTE
                opened[value] = None
                (self._unheeded.add if self._refusals is None else self._unheeded.discard)(value)
            elif event == zmq.EVENT_DISCONNECTED:
                opened.pop(value, None)
                self._ended(value)
            else:  # nothing else was asked for
                outcomes.append(_OUTCOMES[event])
                self.attempt, self._tried = _OUTCOMES[event], True
                self._failed += _OUTCOMES[event] in _UNEXPLAINED
                self._denied += _OUTCOMES[event] is not Handshake.SUCCEEDED
        for fd in opened:
            evicted = self._connections.opened(fd)
            if evicted is not None and self._refusals is not None:
                self._refusals.record(Reason.CROWD, address=evicted.address)
        return tuple(outcomes)

    def _tries(self, event: int) -> None:
        """An attempt to connect begins, fails, or is followed by another one."""
        if event == zmq.EVENT_CLOSED:
            self.attempt, self._tried = Attempt.UNHEARD, True
        elif event == zmq.EVENT_CONNECT_DELAYED:
            self.attempt, self._tried = self.attempt or Attempt.WAITING, True
        else:  # without a word before: there was nothing to connect to
            if not self._tried:
                self.attempt = Attempt.UNRESOLVED
            self._tried = False

    def _ended(self, fd: int) -> None:
        """A connection has ended; with a handshake that failed, if one did since the last end.

        Of what is no ZMTP at all no failure is told: that is who ends without a message.
        """
        failed, self._failed = self._failed, 0
        denied, self._denied = self._denied, 0
        heeded = fd not in self._unheeded
        self._unheeded.discard(fd)
        if failed and heeded and self._refusals is not None:
            address = self._connections.address(fd)
            self._refusals.record(Reason.HANDSHAKE, address=address or "-")
        elif not denied and heeded and self._refusals is not None:
            address = self._connections.address(fd) or "-"
            # What it sent before it ended may still lie in the socket.
            mute = self._connections.is_stranger(fd) and self.look()
            if mute and self._connections.is_stranger(fd):
                self._refusals.record(Reason.MUTE, address=address)
        self._connections.closed(fd)

    def report_to(self, refusals: Refusals) -> None:
        """Write failed handshakes down, of connections from now on; the others are the self-test's.

        Its knock may fail later on this side than on its own, and nothing but its connection tells
        it from an attack.
        """
        self.read()
        self._refusals = refusals

    def close(self) -> None:
        """Stop watching; twice does nothing."""
        if not self._events.closed:
            if not self._socket.closed:
                self._socket.disable_monitor()
            self._events.close()
