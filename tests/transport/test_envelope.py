"""Envelopes as rows: the law, the ranges and the sizes of both directions."""

from __future__ import annotations

import typing as t

import msgpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.transport.wire_strategies import envelopes
from transport.codec import pack_envelope, unpack_envelope
from transport.envelope import Envelope, Kind, Lane
from transport.errors import (
    LocalProtocolError,
    OverLimit,
    RemoteProtocolError,
    TooBigForWire,
    Undecodable,
)

TELL = Envelope(Kind.TELL, 0, "counter", tag="shop.add", version=1, payload=b"\x91\x05")
ASK = TELL._replace(kind=Kind.ASK, id=7)
REPLY = Envelope(Kind.REPLY, 7, "", payload=b"\x05")


def row_with(**changed: object) -> bytes:
    """A row with other elements than an Envelope would have."""
    row: bytes = msgpack.packb([*{**ASK._asdict(), **changed}.values()])
    return row


@given(envelopes())
def test_unpack_undoes_pack(envelope: Envelope) -> None:
    again = unpack_envelope(pack_envelope(envelope))

    assert again == envelope
    assert type(again.kind) is Kind
    assert type(again.lane) is Lane


def test_a_row_is_an_array_of_the_fields() -> None:
    assert msgpack.unpackb(pack_envelope(ASK)) == [
        *(3, 7, "counter", "", 0, 0, -1, [], b"", "shop.add", 1, b"\x91\x05")
    ]


@given(st.binary(max_size=1200))
@example(b"\x9c" * 1200)
@example(b"\xdd\x00\x00\x00\x0c" + b"\x90" * 1100)
def test_any_bytes_raise_only_remote_protocol_errors(row: bytes) -> None:
    try:
        envelope = unpack_envelope(row)
    except RemoteProtocolError:
        return
    assert isinstance(envelope, Envelope)


WRONG: list[tuple[dict[str, t.Any], str]] = [
    ({"id": 0}, "an id"),
    ({"id": -1}, "an id"),
    ({"id": 2**63}, "an id"),
    ({"kind": Kind.TELL}, "an id"),
    ({"target": ""}, "a target"),
    ({"kind": Kind.REPLY}, "a target"),
    ({"kind": Kind.ERROR}, "a target"),
    ({"kind": Kind.DOWN}, "a target"),
    ({"fence": -1}, "a fence"),
    ({"fence": 2**63}, "a fence"),
    ({"left_ms": -2}, "a time left"),
    ({"left_ms": 2**63 - 1}, "a time left"),
    ({"chain": ("a",) * 33}, "more than 32 addresses"),
    ({"trace": b"x" * 65}, "more than 64 bytes of trace context"),
    ({"tag": "x" * 256}, "a tag of more than 255"),
    ({"version": 0}, "a version"),
    ({"version": -1}, "a version"),
    ({"version": 2**63}, "a version"),
    ({"tag": ""}, "a version"),
]


@pytest.mark.parametrize(("changed", "problem"), WRONG, ids=lambda x: str(x)[:30])
def test_both_sides_refuse_a_field_out_of_its_range(changed: t.Any, problem: str) -> None:
    with pytest.raises(LocalProtocolError, match=f"<Envelope .* has {problem}"):
        pack_envelope(ASK._replace(**changed))
    with pytest.raises(Undecodable, match=f"an envelope has {problem}"):
        unpack_envelope(row_with(**changed))


def test_a_lane_that_is_none_is_refused_by_both_sides() -> None:
    unknown: t.Any = 2

    with pytest.raises(LocalProtocolError, match="has an unknown lane"):
        pack_envelope(ASK._replace(lane=unknown))
    with pytest.raises(Undecodable, match="an unknown kind or lane"):
        unpack_envelope(row_with(lane=2))


@pytest.mark.parametrize(
    "changed",
    [
        {"kind": "ask"},
        {"kind": True},
        {"id": 7.0},
        {"target": b"counter"},
        {"fence": None},
        {"chain": "a"},
        {"trace": "x"},
        {"payload": "x"},
        {"more": 1},
    ],
    ids=str,
)
def test_elements_of_other_types_are_refused(changed: dict[str, object]) -> None:
    with pytest.raises(Undecodable, match="an envelope has not the twelve elements of one"):
        unpack_envelope(row_with(**changed))


@pytest.mark.parametrize("changed", [{"kind": 0}, {"kind": 9}, {"chain": ["a", 5]}], ids=str)
def test_unknown_kinds_and_odd_chains_are_refused(changed: dict[str, object]) -> None:
    with pytest.raises(Undecodable, match="an envelope has an unknown kind or lane, or a chain"):
        unpack_envelope(row_with(**changed))


def test_the_largest_payload_under_the_largest_header_goes() -> None:
    payload = b"x" * 1_044_480
    base = len(pack_envelope(ASK._replace(target="", kind=Kind.REPLY, payload=payload)))
    header = ASK._replace(payload=payload, target="t" * (4032 - (base - len(payload)) - 2))

    row = pack_envelope(header)

    assert len(row) - len(payload) == 4032
    assert unpack_envelope(row) == header
    with pytest.raises(TooBigForWire, match=r"the header of <Envelope .*4,033 bytes, 4,032 may"):
        pack_envelope(header._replace(target=header.target + "t"))
    with pytest.raises(OverLimit, match="4,033 bytes beside its payload, 4,032 are taken"):
        unpack_envelope(row_with(**header._replace(target=header.target + "t")._asdict()))
    with pytest.raises(TooBigForWire, match="1,044,481 bytes, 1,044,480 may be sent"):
        pack_envelope(header._replace(payload=payload + b"x"))


@pytest.mark.parametrize("header", [ASK, REPLY])
def test_a_payload_above_its_limit_is_refused_even_where_the_row_is_not(header: Envelope) -> None:
    row = row_with(**header._replace(payload=b"x" * 1_044_481)._asdict())
    assert len(row) < 1_048_576

    with pytest.raises(OverLimit, match="an envelope has"):
        unpack_envelope(row)


def test_a_row_above_a_frame_is_not_looked_at() -> None:
    with pytest.raises(OverLimit, match="1,048,577 bytes, 1,048,576 are taken"):
        unpack_envelope(b"\xc1" * 1_048_577)


def test_a_header_with_an_unpaired_surrogate_does_not_leave() -> None:
    with pytest.raises(LocalProtocolError, match="has text with an unpaired surrogate"):
        pack_envelope(ASK._replace(target="\ud800"))


def test_the_repr_shows_where_it_goes_and_not_what_is_in_it() -> None:
    secret = ASK._replace(payload=b"secret")

    assert repr(secret) == "<Envelope ASK 7 to 'counter' 'shop.add' v1, 6 bytes>"
    assert repr(REPLY) == "<Envelope REPLY 7, 1 bytes>"
