"""What a link and its session tell their owner, in the order it happened.

Ready  Suspected  Trusted  Gone       whether the peer may be counted on
LoopHeld  LoopFreed                   whether its member loop moves
Delivery                              envelopes to hand over
Room                                  a refused envelope would be taken now
SessionLost                           nobody knows whether these envelopes arrived
Hangup                                a connection to close
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, NamedTuple, TypeAlias, TypeVar

from transport.parcels import Hello

__all__ = [
    "ByeCode",
    "Connection",
    "Delivery",
    "Event",
    "Gone",
    "Hangup",
    "LoopFreed",
    "LoopHeld",
    "LossCause",
    "Ready",
    "Room",
    "SessionLost",
    "Suspected",
    "Trusted",
]

T = TypeVar("T")
Connection: TypeAlias = Hashable  # whatever the owner tells connections apart by


class ByeCode(StrEnum):
    """The closed list of reasons to end a connection; an unknown one ends the link."""

    # The connection is made anew.
    GAP = "gap"  # envelopes are missing
    REPLACED = "replaced"  # the same peer has a newer connection
    CROSSED = "crossed"  # both dialled at once; the one of the lesser name stays
    SESSION = "session"  # what you resume is not known here; begin a new one
    # The link ends.
    CLOSING = "closing"  # orderly
    SILENT = "silent"  # nothing was heard from you
    VERSION = "version"  # no protocol both speak
    NAME = "name"  # not a node's name, or this node's own
    IDENTITY = "identity"  # another name, or another key, than this link belongs to
    CHANNEL = "channel"  # control speaks to control, data to data
    LIMITS = "limits"  # a window or frame limit that no envelope fits
    PROTOCOL = "protocol"  # any other broken rule

    @property
    def again(self) -> bool:
        """Whether the connection is to be made anew."""
        return self in {ByeCode.GAP, ByeCode.REPLACED, ByeCode.CROSSED, ByeCode.SESSION}


@dataclass(frozen=True, slots=True)
class Ready:
    """The Hellos are exchanged; a suspicion is cleared.

    Attributes:
        hello: What the peer says of itself.
        protocol: The version both speak from now on.
        resumed: Whether the session goes on; else it has just begun.
    """

    hello: Hello
    protocol: int
    resumed: bool


@dataclass(frozen=True, slots=True)
class Suspected:
    """The peer may be dead; `Trusted` or `Ready` revokes it, `Gone` confirms it.

    Attributes:
        closed: The connection is closed; else it is silent.
    """

    closed: bool


@dataclass(frozen=True, slots=True)
class Trusted:
    """The silent peer was heard again."""


@dataclass(frozen=True, slots=True)
class Gone:
    """The link is over; its last event.

    Attributes:
        code: A `ByeCode`, or whatever the peer said.
        text: For people; at most 200 characters of what a peer said.
        by_peer: The peer ended it.
    """

    code: str
    text: str
    by_peer: bool


@dataclass(frozen=True, slots=True)
class LoopHeld:
    """The peer beats, but its member loop stood at `progress` in several beats in a row."""

    progress: int


@dataclass(frozen=True, slots=True)
class LoopFreed:
    """The peer's member loop moves again."""


class Delivery(NamedTuple):  # one per frame, as `Batch`
    """Envelopes to hand over, in this order.

    Attributes:
        rows: At least one.
        number: What to give to `Session.handed_over` after the last of them; one less per row
            before. Counted over the life of the `Session` object, so it stays unique when a wire
            session dies and the next one starts at 1.
    """

    rows: tuple[bytes, ...]
    number: int


@dataclass(frozen=True, slots=True)
class Room:
    """An envelope that was refused would be taken now."""


class LossCause(StrEnum):
    """Why a session died."""

    RESTARTED = "restarted"  # the peer has another boot id
    REPLACED = "replaced"  # the peer began another session
    UNKNOWN = "unknown"  # the peer does not know it (any more)
    ENDED = "ended"  # the link to the peer is gone, or this side ended it


@dataclass(frozen=True, slots=True)
class SessionLost(Generic[T]):
    """The session died; none of these envelopes will be sent again.

    Attributes:
        tokens: One per unacknowledged envelope, in the order they were offered: ambiguous.
        rows: The envelopes that never left, those of the last tokens: these did surely not arrive.
        cause: Why.
    """

    tokens: tuple[T, ...]
    rows: tuple[bytes, ...]
    cause: LossCause

    @property
    def unsent(self) -> int:
        """How many of the tokens, at the end, are of envelopes that never left."""
        return len(self.rows)


@dataclass(frozen=True, slots=True)
class Hangup:
    """Close this connection, after what `Link.parcels` has for it was sent."""

    connection: Connection


Event: TypeAlias = (
    Ready
    | Suspected
    | Trusted
    | Gone
    | LoopHeld
    | LoopFreed
    | Delivery
    | Room
    | SessionLost[T]
    | Hangup
)
