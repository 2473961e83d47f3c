"""Parcels as frames: the law, the ranges, and room for a later protocol's hello."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import msgpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.transport.wire_strategies import PARCELS
from transport.codec import pack_parcel, unpack_parcel
from transport.errors import (
    LocalProtocolError,
    OverLimit,
    RemoteProtocolError,
    TooBigForWire,
    Undecodable,
)
from transport.parcel_rows import batch_problem, parcel_problem, row_of
from transport.parcels import Ack, Batch, Beat, Bye, Hello, Parcel

HELLO = Hello(
    protocols=(1, 1),
    build="0.1.0",
    node="west",
    boot=b"b" * 16,
    session=b"s" * 16,
    channel="data",
    received=0,
    window=(1024, 4_194_304),
    frame_limit=1_048_576,
    endpoints=(("control", "tcp://10.0.0.1:7001"), ("data", "tcp://10.0.0.1:7002")),
)


def frame_of(row: object) -> bytes:
    frame: bytes = msgpack.packb(row)
    return frame


@given(PARCELS)
def test_unpack_undoes_pack(parcel: Parcel) -> None:
    assert unpack_parcel(pack_parcel(parcel)) == parcel


@given(st.binary(max_size=1200))
@example(b"\x94\x02\x01\x00" + b"\xdd\x00\x00\x40\x00" * 200)
@example(b"\x80" * 1000)
def test_any_bytes_raise_only_remote_protocol_errors(frame: bytes) -> None:
    try:
        parcel = unpack_parcel(frame)
    except RemoteProtocolError:
        return
    assert isinstance(parcel, Parcel)


def test_a_frame_is_an_array_that_begins_with_its_kind() -> None:
    rows = [msgpack.unpackb(pack_parcel(parcel)) for parcel in (
        Batch(7, 3, (b"one", b"two")), Ack(5), Beat(9, 5, 1), Bye("stopped", "good night")
    )]  # fmt: skip

    assert rows == [
        [2, 7, 3, [b"one", b"two"]],
        [3, 5],
        [4, 9, 5, 1],
        [5, "stopped", "good night"],
    ]


def test_a_hello_may_be_longer_for_a_later_protocol() -> None:
    longer = frame_of([*row_of(HELLO), "quantum", [1, 2]])

    assert unpack_parcel(longer) == HELLO


@pytest.mark.parametrize(
    "row",
    [
        5,
        [],
        ["2", 1, 0, [b""]],
        [True, 5],
        [0],
        [6, 5],
        [None],
        [[1]],
        [3],
        [3, 5, 6],
        [3, "5"],
        [2, 1, 0],
        [2, 1, 0, [b""], 1],
        [2, 1, 0, b""],
        [4, 9, 5],
        [5, "stopped"],
        row_of(HELLO)[:-1],
    ],
    ids=lambda row: str(row)[:30],
)
def test_what_is_no_parcel_is_refused(row: object) -> None:
    with pytest.raises(Undecodable, match="a parcel"):
        unpack_parcel(frame_of(row))


# Any: fields of other types than declared are the point.
WRONG: list[tuple[t.Any, str]] = [
    (Batch(0, 0, (b"",)), "a number out of range"),
    (Batch(2**63 - 16_384, 0, (b"",)), "a number out of range"),
    (Batch(1, -1, (b"",)), "a number out of range"),
    (Batch(1, 2**63, (b"",)), "a number out of range"),
    (Batch(1, 0, ()), "not between 1 and 16,384 envelopes"),
    (Batch(1, 0, t.cast(t.Any, ("text",))), "an envelope that is not bytes"),
    (Ack(-1), "a number out of range"),
    (Ack(2**63), "a number out of range"),
    (Beat(-1, 0, 0), "a number out of range"),
    (Beat(0, -1, 0), "a number out of range"),
    (Beat(0, 0, -1), "a number out of range"),
    (Bye("", "text"), "a code or a text"),
    (Bye("x" * 65, "text"), "a code or a text"),
    (Bye("code", "x" * 501), "a code or a text"),
    (replace(HELLO, protocols=(2, 1)), "no range of protocol versions"),
    (replace(HELLO, protocols=(0, 1)), "no range of protocol versions"),
    (replace(HELLO, protocols=(1, 2**16)), "no range of protocol versions"),
    (replace(HELLO, protocols=t.cast(t.Any, (1, 1, 1))), "no range of protocol versions"),
    (replace(HELLO, protocols=t.cast(t.Any, ("1", "1"))), "no range of protocol versions"),
    (replace(HELLO, build="x" * 65), "a build of more than 64"),
    (replace(HELLO, node=""), "a node name that is none"),
    (replace(HELLO, node="a/b"), "a node name that is none"),
    (replace(HELLO, boot=b"short"), "a boot or a session"),
    (replace(HELLO, session=b"short"), "a boot or a session"),
    (replace(HELLO, channel="gossip"), "an unknown channel"),
    (replace(HELLO, received=-1), "a number out of range"),
    (replace(HELLO, window=(0, 1)), "a window out of range"),
    (replace(HELLO, window=(1, 2**63)), "a window out of range"),
    (replace(HELLO, window=t.cast(t.Any, (1,))), "a window out of range"),
    (replace(HELLO, frame_limit=0), "a frame limit out of range"),
    (replace(HELLO, endpoints=(("data", "x"),) * 9), "more than 8 endpoints"),
    (replace(HELLO, endpoints=(("gossip", "x"),)), "an endpoint without a channel"),
    (replace(HELLO, endpoints=t.cast(t.Any, (("data", 5),))), "an endpoint without a channel"),
    (replace(HELLO, endpoints=t.cast(t.Any, ("data",))), "an endpoint without a channel"),
    (replace(HELLO, endpoints=(("data", "x" * 256),)), "an endpoint of more than 255"),
]


@pytest.mark.parametrize(("parcel", "problem"), WRONG, ids=lambda x: str(x)[:40])
def test_both_sides_refuse_a_part_out_of_its_range(parcel: t.Any, problem: str) -> None:
    with pytest.raises(LocalProtocolError, match=f"a {type(parcel).__name__} has {problem}"):
        pack_parcel(parcel)
    if min((n for n in row_of(parcel) if isinstance(n, int)), default=0) >= -(2**63):
        with pytest.raises(Undecodable, match=f"a {type(parcel).__name__} has {problem}"):
            unpack_parcel(frame_of(row_of(parcel)))


def test_a_parcel_with_an_unpaired_surrogate_does_not_leave() -> None:
    with pytest.raises(LocalProtocolError, match="a Bye has text with an unpaired surrogate"):
        pack_parcel(Bye("failed", "\ud800"))


def test_a_frame_above_the_limit_neither_leaves_nor_is_looked_at() -> None:
    fits = Batch(1, 0, (b"x" * (1_048_576 - 10),))
    assert len(pack_parcel(fits)) == 1_048_576
    assert unpack_parcel(pack_parcel(fits)) == fits

    with pytest.raises(TooBigForWire, match=r"a Batch has 1,048,577 bytes, .*split the batch"):
        pack_parcel(Batch(1, 0, (b"x" * (1_048_576 - 9),)))
    with pytest.raises(OverLimit, match="a frame has 1,048,577 bytes"):
        unpack_parcel(b"\xc1" * 1_048_577)


def test_a_batch_of_too_many_envelopes_is_counted_before_it_is_decoded() -> None:
    most = Batch(1, 0, (b"",) * 16_384)
    assert unpack_parcel(pack_parcel(most)) == most

    with pytest.raises(LocalProtocolError, match="a Batch has not between 1 and 16,384"):
        pack_parcel(Batch(1, 0, (b"",) * 16_385))
    with pytest.raises(OverLimit, match="a frame has 20,005 values"):
        unpack_parcel(frame_of([2, 1, 0, [b""] * 20_000]))


@given(PARCELS)
def test_a_parcel_that_may_be_sent_has_no_problem(parcel: Parcel) -> None:
    assert parcel_problem(parcel) is None


def test_a_batch_is_judged_as_any_parcel_is() -> None:
    empty = Batch(1, 0, ())

    assert parcel_problem(empty) == batch_problem(empty) is not None
