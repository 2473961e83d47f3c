"""Parcels as rows of plain values, and the checks of both directions.

A row begins with the number of its kind:

    1 Hello   [1, [lowest, highest], build, node, boot, session, channel, received,
               [messages, bytes], frame_limit, [[channel, endpoint], …], …]
    2 Batch   [2, first, ack, [envelope, …]]
    3 Ack     [3, ack]
    4 Beat    [4, sent, ack, progress]
    5 Bye     [5, code, text]

A Hello may be longer, since it is what two versions of the protocol first say to each other: what
comes behind the known elements is ignored. All others have exactly these elements.

Source: docs/wire.md, Parcels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from transport.address import Address
from transport.errors import AddressError, Undecodable
from transport.limits import ROWS_LIMIT
from transport.parcels import Ack, Batch, Beat, Bye, Hello, Parcel

__all__ = ["BATCH", "batch_problem", "parcel_of", "parcel_problem", "row_of"]

NUMBER_LIMIT: Final = 2**63  # numbers of envelopes, counts and sizes stay below
PROTOCOL_LIMIT: Final = 2**16
ID_BYTES: Final = 16  # of a boot and of a session
CHANNELS: Final = frozenset({"control", "data"})
BUILD_CHARACTERS: Final = 64
ENDPOINTS: Final = 8
ENDPOINT_CHARACTERS: Final = 255
CODE_CHARACTERS: Final = 64
TEXT_CHARACTERS: Final = 500

BATCH: Final = 2
_HELLO, _ACK, _BEAT, _BYE = 1, 3, 4, 5
_SHAPES: Final[Mapping[object, tuple[type, ...]]] = {
    _HELLO: (int, tuple, str, str, bytes, bytes, str, int, tuple, int, tuple),
    _ACK: (int, int),
    _BEAT: (int, int, int, int),
    _BYE: (int, str, str),
}
_BATCH_SHAPE: Final = (int, int, int, tuple)
_BYTES: Final = {bytes}
_new_batch: Final = partial(tuple.__new__, Batch)
_MAKERS: Final[Mapping[object, Callable[..., Parcel]]] = {
    _HELLO: Hello,
    _ACK: Ack,
    _BEAT: Beat,
    _BYE: Bye,
}


def row_of(parcel: Parcel) -> tuple[object, ...]:
    """The row of a parcel; whether it keeps the limits is for `parcel_problem` to say."""
    match parcel:
        case Batch():
            return BATCH, *parcel
        case Ack(ack):
            return _ACK, ack
        case Beat(sent, ack, progress):
            return _BEAT, sent, ack, progress
        case Bye(code, text):
            return _BYE, code, text
        case _:
            return (
                _HELLO,
                parcel.protocols,
                parcel.build,
                parcel.node,
                parcel.boot,
                parcel.session,
                parcel.channel,
                parcel.received,
                parcel.window,
                parcel.frame_limit,
                parcel.endpoints,
            )


def parcel_of(row: object) -> Parcel:
    """The parcel of a row that came from outside.

    Raises:
        Undecodable: It is none, or breaks a limit.
    """
    if type(row) is tuple and (*map(type, row),) == _BATCH_SHAPE and row[0] == BATCH:
        batch: Batch = _new_batch(row[1:])  # nearly every parcel
        problem = batch_problem(batch)
        if problem is not None:
            raise Undecodable("a Batch", problem)
        return batch
    kind = row[0] if type(row) is tuple and row else None
    shape = _SHAPES.get(kind)
    if shape is None or type(row) is not tuple:
        raise Undecodable("a parcel", "is of no known kind")
    if kind == _HELLO:
        row = row[: len(shape)]
    if tuple(map(type, row)) != shape:
        raise Undecodable("a parcel", "has not the elements of its kind")
    parcel = _MAKERS[kind](*row[1:])
    problem = parcel_problem(parcel)
    if problem is not None:
        raise Undecodable(f"a {type(parcel).__name__}", problem)
    return parcel


def parcel_problem(parcel: Parcel) -> str | None:
    """What breaks the rules of docs/wire.md in a parcel, or None; its size in bytes apart."""
    match parcel:
        case Batch():
            return batch_problem(parcel)
        case Ack(ack):
            return None if _is_count(ack) else "has a number out of range"
        case Beat(sent, ack, progress):
            numbers = _is_count(sent) and _is_count(ack) and _is_count(progress)
            return None if numbers else "has a number out of range"
        case Bye(code, text):
            if not 1 <= len(code) <= CODE_CHARACTERS or len(text) > TEXT_CHARACTERS:
                return "has a code or a text that is too long"
            return None
        case _:
            return _hello_problem(parcel)


def batch_problem(batch: Batch) -> str | None:
    """As `parcel_problem`."""
    first, ack, rows = batch
    if not (1 <= first < NUMBER_LIMIT - ROWS_LIMIT and 0 <= ack < NUMBER_LIMIT):
        return "has a number out of range"
    if not 1 <= len(rows) <= ROWS_LIMIT:
        return f"has not between 1 and {ROWS_LIMIT:,} envelopes"
    return None if {*map(type, rows)} == _BYTES else "has an envelope that is not bytes"


def _hello_problem(hello: Hello) -> str | None:
    if not _is_pair(hello.protocols, int) or not (
        1 <= hello.protocols[0] <= hello.protocols[1] < PROTOCOL_LIMIT
    ):
        return "has no range of protocol versions"
    if len(hello.build) > BUILD_CHARACTERS:
        return f"has a build of more than {BUILD_CHARACTERS} characters"
    try:
        Address(hello.node, "actor")
    except AddressError:
        return "has a node name that is none"
    if len(hello.boot) != ID_BYTES or len(hello.session) != ID_BYTES:
        return f"has a boot or a session of other than {ID_BYTES} bytes"
    if hello.channel not in CHANNELS:
        return "has an unknown channel"
    if not _is_count(hello.received):
        return "has a number out of range"
    if not _is_pair(hello.window, int) or not all(map(_is_size, hello.window)):
        return "has a window out of range"
    if not _is_size(hello.frame_limit):
        return "has a frame limit out of range"
    if len(hello.endpoints) > ENDPOINTS:
        return f"has more than {ENDPOINTS} endpoints"
    for endpoint in hello.endpoints:
        if not _is_pair(endpoint, str) or endpoint[0] not in CHANNELS:
            return "has an endpoint without a channel"
        if len(endpoint[1]) > ENDPOINT_CHARACTERS:
            return f"has an endpoint of more than {ENDPOINT_CHARACTERS} characters"
    return None


def _is_count(number: int) -> bool:
    return 0 <= number < NUMBER_LIMIT


def _is_size(number: int) -> bool:
    return 1 <= number < NUMBER_LIMIT


def _is_pair(value: object, of: type) -> bool:
    return type(value) is tuple and tuple(map(type, value)) == (of, of)
