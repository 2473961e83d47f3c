"""A peer that is written by hand: it says over ipc what a test wants, and nothing by itself."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import zmq

from tests.post.nodes import PATIENCE_S
from transport.codec import (
    encode_message,
    pack_envelope,
    pack_parcel,
    unpack_envelope,
    unpack_parcel,
)
from transport.envelope import Envelope, Kind
from transport.message import Message
from transport.parcels import Ack, Batch, Bye, Hello, Parcel


class HandPeer:
    """One peer on the data channel of a node, which is connected when this is made.

    Attributes:
        received: Envelopes that came.
        goodbye: The Bye that came.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], address: str, name: str) -> None:
        self._socket = context.socket(zmq.DEALER)
        self._socket.linger = 200
        self._socket.connect(address.removesuffix("control") + "data")
        self._sent = 0
        self.received = 0
        self.goodbye: Bye | None = None
        self.say(
            Hello(
                (1, 1),
                "by hand",
                name,
                secrets.token_bytes(16),
                secrets.token_bytes(16),
                "data",
                0,
                (1024, 4 * 1024 * 1024),
                1024 * 1024,
            )
        )
        assert isinstance(self._next(), Hello)

    def say(self, parcel: Parcel) -> None:
        """Send a parcel."""
        self._socket.send(pack_parcel(parcel))

    def send(self, *rows: bytes) -> None:
        """Send envelopes in one batch, which acknowledges what came."""
        self.say(Batch(self._sent + 1, self.received, rows))
        self._sent += len(rows)

    def take(self, count: int, *, acknowledge: bool = True) -> list[Envelope]:
        """The next envelopes; fewer when the node says goodbye."""
        found: list[Envelope] = []
        while len(found) < count and self.goodbye is None:
            parcel = self._next()
            if isinstance(parcel, Batch):
                found += map(unpack_envelope, parcel.rows)
                self.received += len(parcel.rows)
                if acknowledge:
                    self.say(Ack(self.received))
            elif isinstance(parcel, Bye):
                self.goodbye = parcel
        return found

    def _next(self) -> Parcel:
        assert self._socket.poll(int(PATIENCE_S * 1000)), "nothing came"
        return unpack_parcel(self._socket.recv())

    def close(self) -> None:
        """End without a word."""
        self._socket.close()


@contextmanager
def hand_peer(address: str, name: str = "peer") -> Iterator[HandPeer]:
    """A peer that is connected to the node whose control channel is at an ipc address."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    peer = HandPeer(context, address, name)
    try:
        yield peer
    finally:
        peer.close()
        context.term()


def mail(kind: Kind, number: int, target: str, message: Message) -> bytes:
    """The row of a message to an actor."""
    tag, version = message.wire_tag, message.wire_version
    payload = encode_message(message)
    return pack_envelope(Envelope(kind, number, target, tag=tag, version=version, payload=payload))
