"""Parcels: what two nodes hand to each other, one per ZeroMQ frame.

A parcel is a value; `codec` packs it and `link` and `session` decide what it means. Rows are
packed envelopes, opaque here.

    Hello   who I am, what I speak, where I stopped      first parcel of every connection, both ways
    Batch   envelopes with dense numbers                 `first`, `first + 1`, …
    Ack     how far I have handed over, what I allow
    Beat    I am alive, and so are my loops
    Bye     this link ends, and why
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["Ack", "Batch", "Beat", "Bye", "Hello", "Parcel"]


@dataclass(frozen=True, slots=True)
class Hello:
    """The first parcel of a connection, from both sides.

    Attributes:
        protocols: Lowest and highest protocol version this side speaks.
        build: Version of the program, for people.
        node: Name of the node, the first part of its actors' addresses.
        boot: 16 random bytes, new with every start of the process.
        session: 16 bytes that name the session; the dialling side chooses, the other repeats.
        channel: "control" or "data": which of a node's two endpoints this is.
        received: Highest number of the peer's envelopes in this session that was handed over; 0
            in a new session.
        window: Messages and bytes the peer may have unacknowledged.
        frame_limit: Largest frame this side takes, in bytes.
        endpoints: Where this node listens, by channel, so that the peer can dial the other one.
    """

    protocols: tuple[int, int]
    build: str
    node: str
    boot: bytes
    session: bytes
    channel: str
    received: int
    window: tuple[int, int]
    frame_limit: int
    endpoints: tuple[tuple[str, str], ...] = ()


class Batch(NamedTuple):  # one is made per frame, and a frozen dataclass takes twice as long
    """Envelopes `first`, `first + 1`, …; `ack` as in `Ack`."""

    first: int
    ack: int
    rows: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Ack:
    """Every envelope up to `ack` was handed over; that is also the credit that is given back."""

    ack: int


@dataclass(frozen=True, slots=True)
class Beat:
    """A heartbeat that passed through the loops.

    Attributes:
        sent: Highest number sent so far: a tail that was lost shows as a gap.
        ack: As in `Ack`.
        progress: Turns of the member loop since boot; the same number again and again means
            that the loop is held.
    """

    sent: int
    ack: int
    progress: int


@dataclass(frozen=True, slots=True)
class Bye:
    """The link ends; `code` is from a closed list, `text` is for people."""

    code: str
    text: str


Parcel = Hello | Batch | Ack | Beat | Bye
