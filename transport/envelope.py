"""The envelope: what stands around a payload on its way from actor to actor.

A value without behaviour. The payload is opaque bytes, so that whoever passes an envelope on need
not know its message.

Source: design.md §5 Envelope; docs/wire.md, Envelope.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple

from transport.limits import CHAIN_LIMIT

__all__ = ["Envelope", "Kind", "Lane", "envelope_problem"]

NUMBER_BITS: Final = 63  # of ids, fences, milliseconds and versions
TAG_CHARACTERS: Final = 255
TRACE_BYTES: Final = 64


class Kind(IntEnum):
    """What an envelope asks for or says."""

    TELL = 1  # nothing comes back
    SEND = 2  # a tell whose sender waits until it is admitted
    ASK = 3
    REPLY = 4
    ERROR = 5
    WATCH = 6
    DOWN = 7
    STOP = 8


class Lane(IntEnum):
    """The lane of the target's mailbox, for what is not of the system."""

    USER = 0
    CONTROL = 1


ANSWERS: Final = frozenset({Kind.REPLY, Kind.ERROR, Kind.DOWN})
_LANES: Final = frozenset(Lane)
_TELL: Final = Kind.TELL  # looking a member up in its class costs as much as three checks


class Envelope(NamedTuple):
    """One message or answer between two nodes; the order of its fields is that on the wire.

    Attributes:
        kind: What it is.
        id: Number of what is answered, chosen by the asking side and unique in its direction of
            the session; an answer carries the number it answers. 0 exactly for TELL.
        target: Path of the actor on the receiving node; empty exactly for answers.
        sender: Path of the actor on the sending node, or empty.
        fence: Guard against stale writers, 0 for none.
        lane: Lane of the target's mailbox.
        left_ms: Milliseconds that are left to handle it, -1 when there is no deadline.
        chain: Addresses of the actors that wait in this ask, at most 32.
        trace: Opaque trace context, at most 64 bytes.
        tag: Wire tag of the message class of the payload, or empty.
        version: Version of that class, 0 exactly when there is no tag.
        payload: The encoded message, value or error.
    """

    kind: Kind
    id: int
    target: str
    sender: str = ""
    fence: int = 0
    lane: Lane = Lane.USER
    left_ms: int = -1
    chain: tuple[str, ...] = ()
    trace: bytes = b""
    tag: str = ""
    version: int = 0
    payload: bytes = b""

    def __repr__(self) -> str:
        what = f" {self.tag!r} v{self.version}" if self.tag else ""
        to = f" to {self.target!r}" if self.target else ""
        return f"<Envelope {self.kind.name} {self.id}{to}{what}, {len(self.payload)} bytes>"


def envelope_problem(envelope: Envelope) -> str | None:
    """What breaks the rules of `Envelope` except its sizes in bytes; None when nothing does.

    The types of the fields are taken for granted.
    """
    kind, id_, target, _, fence, lane, left_ms, chain, trace, tag, version, _ = envelope
    if (  # the usual envelope, in as few steps as there are: this runs for every one, twice
        not (id_ | fence | left_ms + 1 | version) >> NUMBER_BITS
        and (id_ == 0) == (kind == _TELL)
        and (kind in ANSWERS) == (not target)
        and (version == 0) == (not tag)
        and lane in _LANES
        and len(chain) <= CHAIN_LIMIT
        and len(trace) <= TRACE_BYTES
        and len(tag) <= TAG_CHARACTERS
    ):
        return None
    if id_ >> NUMBER_BITS or (id_ == 0) != (kind == _TELL):
        return "has an id that does not suit its kind"
    if (not target) != (kind in ANSWERS):
        return "has a target that does not suit its kind"
    if fence >> NUMBER_BITS:
        return "has a fence out of range"
    if lane not in _LANES:
        return "has an unknown lane"
    if left_ms + 1 >> NUMBER_BITS:
        return "has a time left out of range"
    if len(chain) > CHAIN_LIMIT:
        return f"has more than {CHAIN_LIMIT} addresses in its chain"
    if len(trace) > TRACE_BYTES:
        return f"has more than {TRACE_BYTES} bytes of trace context"
    if len(tag) > TAG_CHARACTERS:
        return f"has a tag of more than {TAG_CHARACTERS} characters"
    return "has a version that does not suit its tag"
