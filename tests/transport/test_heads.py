"""The fast path of envelopes: heads and payloads give the rows that the codec gives."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.transport.wire_strategies import envelopes
from transport.codec import pack_envelope
from transport.envelope import Envelope, Kind
from transport.heads import head_of, payload_behind, row_with

TELL = Envelope(Kind.TELL, 0, "counter", tag="shop.add", version=1)
SIZES = (0, 1, 255, 256, 65_535, 65_536)


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
