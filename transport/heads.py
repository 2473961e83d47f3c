"""Rows of envelopes in three parts: the fast path of the wire.

An actor that sends many messages of a class to one address sends the same fields again and again.
A row is an *opening*, which has the kind and the id; a *tail*, which has all other fields; and the
payload. Tails are made once, and a row is put together from them; who receives it looks the tail up
instead of unpacking it. The *head* of a message that is told is its opening, which never changes
either, with its tail. These are the bytes that `pack_envelope` would have made. All functions are
pure.
"""

from __future__ import annotations

from typing import Final

from transport.codec import pack_envelope
from transport.envelope import Envelope, Kind
from transport.limits import PAYLOAD_LIMIT

__all__ = [
    "head_of",
    "opening_of",
    "payload_behind",
    "reply_payload",
    "reply_row",
    "row_of",
    "row_with",
    "tail_of",
]

# Headers of payloads of fewer than 256 bytes, by their length.
_BIN_8: Final = tuple(bytes((0xC4, size)) for size in range(256))
_ROW: Final = 0x9C  # an array of twelve
_FIX: Final = 0x80  # integers below are their own byte
_LONGEST: Final = 1 << 32  # ids from here up go the long way
_SHORTEST: Final = 15  # bytes of the shortest row


def head_of(envelope: Envelope) -> bytes:
    """The beginning of the rows of all envelopes that differ from this one in their payload only.

    For `row_with`, which costs a tenth of `pack_envelope`.

    Raises:
        LocalProtocolError, TooBigForWire: As `pack_envelope` does.
    """
    return pack_envelope(envelope._replace(payload=b""))[:-2]  # the header of an empty payload


def tail_of(envelope: Envelope) -> bytes:
    """What stands between id and payload of an envelope. Raises as `head_of`."""
    return head_of(envelope)[2 + len(_id(envelope.id)) :]


def row_with(head: bytes, payload: bytes) -> bytes:
    """The row of an envelope; `payload` is what one of the `encode_` functions gave."""
    size = len(payload)
    if size < len(_BIN_8):
        return b"".join((head, _BIN_8[size], payload))
    return b"".join((head, _bin(size), payload))


def row_of(kind: int, number: int, tail: bytes, payload: bytes) -> bytes:
    """The row of the envelope with this id; the other parts as for `row_with`."""
    size = len(payload)
    header = _BIN_8[size] if size < len(_BIN_8) else _bin(size)
    return b"".join((bytes((_ROW, kind)), _id(number), tail, header, payload))


def reply_row(number: int, payload: bytes) -> bytes:
    """The row of the answer to an ask."""
    return row_of(_REPLY, number, _REPLY_TAIL, payload)


def opening_of(row: bytes) -> tuple[int, int, int] | None:
    """Kind and id of a row, and where its tail begins; None when it goes the long way.

    What follows may still be anything: only with a tail that is known it is an envelope.
    """
    if len(row) < _SHORTEST or row[0] != _ROW:
        return None
    lead = row[2]
    if lead < _FIX:
        return row[1], lead, 3
    if lead == 0xCD:
        return row[1], row[3] << 8 | row[4], 5
    if lead == 0xCC:
        return row[1], row[3], 4
    if lead == 0xCE:
        return row[1], int.from_bytes(row[3:7]), 7
    return None


def payload_behind(size: int, row: bytes) -> bytes | None:
    """The payload of a row behind its first `size` bytes; None when it has another form.

    When these are an opening and a tail that `unpack_envelope` has taken before, equal bytes mean
    equal fields, so nothing but the payload has to be looked at again.
    """
    try:
        lead = row[size]
        if lead == 0xC4:
            start, told = size + 2, row[size + 1]
        elif lead == 0xC5:
            start, told = size + 3, row[size + 1] << 8 | row[size + 2]
        elif lead == 0xC6:
            start, told = size + 5, int.from_bytes(row[size + 1 : size + 5])
        else:
            return None
    except IndexError:  # cut
        return None
    return row[start:] if told == len(row) - start else None


def reply_payload(start: int, row: bytes) -> bytes | None:
    """The payload of the answer to an ask whose tail begins at `start`; None: the long way."""
    behind = start + len(_REPLY_TAIL)
    if row[start:behind] != _REPLY_TAIL:
        return None
    payload = payload_behind(behind, row)
    return payload if payload is not None and len(payload) <= PAYLOAD_LIMIT else None


def _id(number: int) -> bytes:
    """An integer as msgpack writes it."""
    if number < _FIX:
        return bytes((number,))
    if number < 1 << 8:
        return bytes((0xCC, number))
    if number < 1 << 16:
        return b"\xcd" + number.to_bytes(2)
    if number < _LONGEST:
        return b"\xce" + number.to_bytes(4)
    return b"\xcf" + number.to_bytes(8)


def _bin(size: int) -> bytes:
    """The header of a payload of 256 bytes or more."""
    return b"\xc5" + size.to_bytes(2) if size < 1 << 16 else b"\xc6" + size.to_bytes(4)


_REPLY: Final = int(Kind.REPLY)
_REPLY_TAIL: Final = tail_of(Envelope(Kind.REPLY, 1, ""))
