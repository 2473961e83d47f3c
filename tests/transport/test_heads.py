"""The fast path of envelopes: heads and payloads give the rows that the codec gives."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.transport.wire_strategies import envelopes
from transport.codec import pack_envelope, unpack_envelope
from transport.envelope import Envelope, Kind
from transport.errors import OverLimit
from transport.heads import (
    head_of,
    opening_of,
    payload_behind,
    reply_payload,
    reply_row,
    row_of,
    row_with,
    tail_of,
)
from transport.limits import PAYLOAD_LIMIT

TELL = Envelope(Kind.TELL, 0, "counter", tag="shop.add", version=1)
SIZES = (0, 1, 255, 256, 65_535, 65_536)


@settings(deadline=None)
@given(envelopes())
@example(TELL)
def test_a_head_and_a_payload_are_the_row_of_the_codec(envelope: Envelope) -> None:
    assert row_with(head_of(envelope), envelope.payload) == pack_envelope(envelope)


@pytest.mark.parametrize("size", SIZES)
def test_payloads_of_every_form_come_back_from_behind_a_head(size: int) -> None:
    head, payload = head_of(TELL), b"x" * size
    row = row_with(head, payload)

    assert row == pack_envelope(TELL._replace(payload=payload))
    assert payload_behind(len(head), row) == payload


@settings(deadline=None)
@given(st.binary(max_size=80))
def test_whatever_follows_a_head_is_its_payload_or_none(tail: bytes) -> None:
    head = head_of(TELL)
    payload = payload_behind(len(head), head + tail)

    assert payload is None or tail.endswith(payload)


@pytest.mark.parametrize("size", SIZES)
def test_a_payload_that_is_cut_short_or_goes_on_is_none(size: int) -> None:
    head = head_of(TELL)
    row = row_with(head, b"x" * size)

    assert payload_behind(len(head), row[:-1]) is None
    assert payload_behind(len(head), row + b"x") is None


# -- openings and tails -------------------------------------------------------------------------

WIDTHS = (1, 0x7F, 0x80, 0xFF, 0x100, 0xFFFF, 0x10000, 0xFFFF_FFFF, 0x1_0000_0000, 2**63 - 1)
IDS = st.sampled_from(WIDTHS) | st.integers(1, 2**63 - 1)
WIDEST = 0xFFFF_FFFF  # ids beyond go the long way


@settings(deadline=None)
@given(envelopes(), IDS)
@example(TELL, 1)
@example(TELL._replace(kind=Kind.ASK, id=1), WIDEST)
def test_opening_tail_and_payload_are_the_row_of_the_codec(envelope: Envelope, number: int) -> None:
    if envelope.kind is not Kind.TELL:
        envelope = envelope._replace(id=number)
    tail = tail_of(envelope)

    row = row_of(int(envelope.kind), envelope.id, tail, envelope.payload)

    assert row == pack_envelope(envelope)
    assert tail == tail_of(envelope._replace(payload=b"another"))


@pytest.mark.parametrize("number", WIDTHS)
def test_a_tail_is_the_same_whatever_the_id(number: int) -> None:
    ask = TELL._replace(kind=Kind.ASK, id=7)

    assert tail_of(ask) == tail_of(ask._replace(id=number))
    assert row_of(int(Kind.ASK), number, tail_of(ask), b"x") == pack_envelope(
        ask._replace(id=number, payload=b"x")
    )


@settings(deadline=None)
@given(envelopes())
@example(TELL)
def test_an_opening_says_kind_and_id_and_where_the_tail_begins(envelope: Envelope) -> None:
    row = pack_envelope(envelope)
    opening = opening_of(row)

    if envelope.id > WIDEST:
        assert opening is None
    else:
        assert opening is not None
        kind, number, start = opening
        assert (kind, number) == (int(envelope.kind), envelope.id)
        tail = tail_of(envelope)
        assert row[start : start + len(tail)] == tail
        assert payload_behind(start + len(tail), row) == envelope.payload


@settings(deadline=None)
@given(st.binary(max_size=40) | st.binary(max_size=40).map(lambda rest: b"\x9c" + rest))
def test_whatever_bytes_come_an_opening_is_none_or_lies_within_them(row: bytes) -> None:
    opening = opening_of(row)

    if opening is not None:
        kind, number, start = opening
        assert row[:2] == bytes((0x9C, kind))
        assert 0 <= number <= WIDEST
        assert start <= len(row)
        assert reply_payload(start, row) is None or row[start:].endswith(
            reply_payload(start, row) or b""
        )


@pytest.mark.parametrize("number", [each for each in WIDTHS if each <= WIDEST])
@pytest.mark.parametrize("payload", [b"", b"x", b"x" * 300])
def test_an_answer_that_is_cut_short_is_never_taken_for_a_whole_one(
    number: int, payload: bytes
) -> None:
    whole = reply_row(number, payload)
    for size in range(len(whole)):
        row = whole[:size]
        opening = opening_of(row)
        if opening is not None:
            assert reply_payload(opening[2], row) is None
            assert payload_behind(opening[2], row) is None


# -- answers ------------------------------------------------------------------------------------


@settings(deadline=None)
@given(IDS, st.binary(max_size=600))
def test_the_row_of_an_answer_is_that_of_the_codec_and_gives_its_payload_back(
    number: int, payload: bytes
) -> None:
    row = reply_row(number, payload)

    assert row == pack_envelope(Envelope(Kind.REPLY, number, "", payload=payload))
    opening = opening_of(row)
    if number > WIDEST:
        assert opening is None
    else:
        assert opening is not None
        assert opening[:2] == (int(Kind.REPLY), number)
        assert reply_payload(opening[2], row) == payload


@settings(deadline=None)
@given(envelopes())
def test_only_a_plain_answer_has_the_payload_of_one(envelope: Envelope) -> None:
    row = pack_envelope(envelope)
    opening = opening_of(row)
    plain = Envelope(Kind.REPLY, envelope.id, "", payload=envelope.payload)
    found = None if opening is None else reply_payload(opening[2], row)

    # The kind stands in the opening, and is asked before.
    if found is not None and envelope.kind is Kind.REPLY:
        assert envelope == plain
    if envelope == plain and opening is not None:
        assert found == envelope.payload


def test_the_shortest_row_has_an_opening() -> None:
    row = reply_row(1, b"")

    assert opening_of(row) == (int(Kind.REPLY), 1, 3)
    assert opening_of(row[:-1]) is None


def test_an_answer_above_the_limit_of_payloads_goes_the_long_way() -> None:
    row = reply_row(5, b"x" * PAYLOAD_LIMIT)
    above = reply_row(5, b"x" * (PAYLOAD_LIMIT + 1))

    assert reply_payload(3, row) == b"x" * PAYLOAD_LIMIT
    assert reply_payload(3, above) is None
    with pytest.raises(OverLimit):
        unpack_envelope(above)
