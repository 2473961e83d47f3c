"""What is said again and again is found by equal bytes, and means what `unpack_envelope` said."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from actors.post.tails import LENGTHS, TAIL_BYTES, TAILS, Tail, Tails
from tests.transport.wire_strategies import envelopes
from transport.codec import pack_envelope, unpack_envelope
from transport.envelope import Envelope, Kind
from transport.heads import opening_of, payload_behind

TELL = Envelope(Kind.TELL, 0, "counter", tag="shop.add", version=1, payload=b"\x91\x01")
ASK = TELL._replace(kind=Kind.ASK, id=300, chain=("mob://a/b", "mob://c/d"))


@st.composite
def messages(draw: st.DrawFn) -> Envelope:
    """What is told or asked, as it is remembered; now and then as it is not."""
    drawn = draw(envelopes())
    if draw(st.integers(0, 9)) == 0:
        return drawn if drawn.kind <= Kind.SEND else ASK._replace(kind=Kind.SEND)
    kind = draw(st.sampled_from([Kind.TELL, Kind.ASK]))
    number = 0 if kind is Kind.TELL else draw(st.sampled_from([1, 128, 256, 65_536, 2**32 - 1]))
    target = drawn.target or "counter"
    return drawn._replace(kind=kind, id=number, target=target, left_ms=-1)


REMEMBERED = messages()


def find(tails: Tails, row: bytes) -> tuple[Tail, int] | None:
    opening = opening_of(row)
    return None if opening is None else tails.find(row, opening[2])


def known(*envelopes: Envelope) -> Tails:
    tails = Tails()
    for envelope in envelopes:
        tails.know(pack_envelope(envelope), envelope)
    return tails


@settings(deadline=None)
@given(REMEMBERED, st.binary(max_size=300), st.integers(1, 2**32 - 1))
@example(TELL, b"", 1)
@example(ASK, b"x" * 255, 1)
@example(ASK, b"x" * 256, 127)
def test_a_row_that_begins_as_one_before_means_the_same(
    first: Envelope, payload: bytes, number: int
) -> None:
    later = first._replace(payload=payload, id=0 if first.kind is Kind.TELL else number)
    row = pack_envelope(later)

    found = find(known(first), row)

    if found is not None:
        tail, end = found
        assert tail == Tail(later.target, later.tag, later.version, later.chain)
        assert payload_behind(end, row) == payload
        assert unpack_envelope(row) == later
        assert later.left_ms < 0


@pytest.mark.parametrize("first", [TELL, ASK])
@pytest.mark.parametrize("size", [0, 1, 255, 256, 70_000])
def test_what_is_told_or_asked_is_found_whatever_its_payload(first: Envelope, size: int) -> None:
    tails = known(first._replace(payload=bytes(size)))
    row = pack_envelope(first._replace(payload=b"\x90"))

    found = find(tails, row)

    assert found is not None
    assert found[0].target == "counter"
    assert payload_behind(found[1], row) == b"\x90"


@settings(deadline=None)
@given(st.lists(REMEMBERED, max_size=30), REMEMBERED)
def test_no_other_row_is_ever_taken_for_a_known_one(
    before: list[Envelope], other: Envelope
) -> None:
    row = pack_envelope(other)
    found = find(known(*before), row)

    if found is not None and payload_behind(found[1], row) is not None:
        assert found[0] == Tail(other.target, other.tag, other.version, other.chain)
        assert payload_behind(found[1], row) == other.payload


@settings(deadline=None)
@given(REMEMBERED, st.data())
def test_a_row_that_is_cut_short_has_no_payload(first: Envelope, data: st.DataObject) -> None:
    whole = pack_envelope(first)
    row = whole[: data.draw(st.integers(0, len(whole) - 1))]
    found = find(known(first), row)

    assert found is None or payload_behind(found[1], row) is None


@pytest.mark.parametrize(
    "envelope",
    [
        ASK._replace(kind=Kind.SEND),
        TELL._replace(left_ms=0),
        ASK._replace(left_ms=5_000),
        ASK._replace(id=2**32),
        TELL._replace(target="x" * TAIL_BYTES),
    ],
)
def test_what_must_be_looked_at_each_time_is_not_remembered(envelope: Envelope) -> None:
    tails = known(envelope)

    assert tails._tails == {}
    assert find(tails, pack_envelope(envelope)) is None


@settings(deadline=None)
@given(st.lists(REMEMBERED | st.integers(0, 400), max_size=50))
def test_few_are_remembered_whatever_a_peer_says(said: list[Envelope | int]) -> None:
    tails = Tails()
    for each in said:
        for number in range(each) if isinstance(each, int) else (0,):
            envelope = each if isinstance(each, Envelope) else TELL._replace(target=f"t{number}")
            tails.know(pack_envelope(envelope), envelope)
            assert len(tails._tails) <= TAILS
            assert len(tails._lengths) <= LENGTHS
            assert all(len(tail) < TAIL_BYTES for tail in tails._tails)


def test_the_last_one_is_known_also_when_the_others_are_forgotten() -> None:
    tails = Tails()
    for number in range(3 * TAILS):
        envelope = TELL._replace(target=f"target-{number:05}")
        row = pack_envelope(envelope)
        tails.know(row, envelope)

        found = find(tails, row)
        assert found is not None
        assert found[0].target == envelope.target
