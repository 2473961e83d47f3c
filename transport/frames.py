"""What is asked of a socket and of a frame that came by it, in as few steps as there are."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final

import zmq

from transport.doors import Accepted
from transport.security import Socket

__all__ = ["AT_ONCE", "address_of", "fd_of", "is_of", "is_readable", "pushing", "skip_rest"]

# Plain numbers: an operation on zmq's flags costs a microsecond.
AT_ONCE: Final = int(zmq.DONTWAIT)
_EVENTS: Final = int(zmq.EVENTS)
_READABLE: Final = int(zmq.POLLIN)
_SOURCE: Final = int(zmq.SRCFD)


def pushing(socket: Socket) -> Callable[[bytes, int], object]:
    """The socket's `send`, past the wrapper that pyzmq has around it and that takes as long."""
    push: Callable[[bytes, int], object] = super(zmq.Socket, socket).send
    return push


def is_readable(socket: Socket) -> bool:
    """Whether there is something to receive; a system call."""
    return bool(int(socket.getsockopt(_EVENTS)) & _READABLE)


def skip_rest(socket: Socket) -> None:
    """Drop the rest of the message that is being read."""
    while socket.recv(AT_ONCE, copy=False).more:
        pass  # a whole message is there at once, so this ends


def is_of(connection: Accepted, frame: zmq.Frame) -> bool:
    """Whether a frame is of a connection that was let in, and still is: nearly always.

    Peers may choose their routing ids, and descriptors are used again, so the frame is asked.
    """
    guard, tracked = connection.door.guard, connection.tracked
    if not connection.open or connection.live_set is not guard.live_set:
        return False
    if tracked is None and connection.key:  # the monitor has not spoken of it yet
        return False
    try:
        if frame.get(_SOURCE) != connection.fd or frame.get(guard.proof) != connection.proof:
            return False
    except zmq.ZMQError:
        return False
    if tracked is not None:
        tracked.delivered = True
    return True


def fd_of(frame: zmq.Frame) -> int:
    """The descriptor that a frame came by; -1 for inproc."""
    with suppress(zmq.ZMQError):
        return int(frame.get(zmq.SRCFD))
    return -1


def address_of(frame: zmq.Frame) -> str:
    """The address of its sender, for people; "-" for inproc."""
    with suppress(zmq.ZMQError, KeyError):
        return str(frame.get("Peer-Address"))
    return "-"
