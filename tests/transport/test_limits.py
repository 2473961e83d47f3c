"""The walk that counts before anything is made, and the crowds that no set should hold."""

from __future__ import annotations

from uuid import UUID

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transport.errors import OverLimit, RemoteProtocolError, Undecodable
from transport.limits import (
    FRAME_LIMIT,
    HEADER_LIMIT,
    PAYLOAD_LIMIT,
    ROWS_LIMIT,
    has_crowd,
    survey,
)

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=300)
    | st.binary(max_size=300)
)
TREES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=20), max_leaves=60)


def values_in(tree: object) -> int:
    return 1 + (sum(map(values_in, tree)) if isinstance(tree, list) else 0)


def depth_of(tree: object) -> int:
    return 1 + max(map(depth_of, tree), default=0) if isinstance(tree, list) else 0


@given(TREES)
def test_it_counts_what_there_is(tree: object) -> None:
    data = msgpack.packb(tree)
    values, depth = values_in(tree), depth_of(tree)

    survey(data, "this", nodes=values, depth=depth)

    if values > 1:
        with pytest.raises(OverLimit, match="values"):
            survey(data, "this", nodes=values - 1, depth=depth)
    if depth:
        with pytest.raises(OverLimit, match="arrays in each other"):
            survey(data, "this", nodes=values, depth=depth - 1)


@given(TREES)
def test_what_ends_too_early_never_surveys_as_more_than_it_is(tree: object) -> None:
    data = msgpack.packb(tree)[:-1]

    # Where a text or bytes are cut short, only the decoder sees it.
    try:
        survey(data, "this", nodes=values_in(tree), depth=depth_of(tree))
    except RemoteProtocolError as error:
        assert isinstance(error, Undecodable)  # nothing else may come


@pytest.mark.parametrize("value", [0, -32, 127, 2**8, 2**16, 2**32, -33, -(2**15), -(2**63), 0.5])
@pytest.mark.parametrize("single", [False, True])
def test_every_form_of_a_number_is_stepped_over(value: float, single: bool) -> None:
    survey(msgpack.packb([value, None], use_single_float=single), "this", nodes=3)

    with pytest.raises(Undecodable, match="ends before its last value"):
        survey(msgpack.packb([value, None], use_single_float=single)[:-1], "this")


@pytest.mark.parametrize("size", [0, 31, 32, 255, 256, 65_535, 65_536])
@pytest.mark.parametrize("fill", ["x", b"x"])
def test_every_width_of_a_length_is_stepped_over(fill: str | bytes, size: int) -> None:
    survey(msgpack.packb([fill * size, None]), "this", nodes=3)

    with pytest.raises(Undecodable, match="ends before its last value"):
        survey(msgpack.packb([fill * size, None])[:-1], "this")


@pytest.mark.parametrize("size", [0, 15, 16, 65_535, 65_536])
def test_every_width_of_an_array_is_counted(size: int) -> None:
    survey(msgpack.packb([None] * size), "this", nodes=size + 1)

    with pytest.raises(OverLimit):
        survey(msgpack.packb([None] * size + [None]), "this", nodes=size + 1)


@pytest.mark.parametrize(
    "data",
    [b"\x80", b"\xde\x00\x00", b"\xdf\x00\x00\x00\x00", b"\xd4\x00\x00", b"\xc7\x00\x05", b"\xc1"],
    ids=["fixmap", "map 16", "map 32", "fixext", "ext 8", "reserved"],
)
def test_maps_extensions_and_the_reserved_byte_are_refused(data: bytes) -> None:
    with pytest.raises(Undecodable, match="this has a map, an extension or an unknown type"):
        survey(data, "this")


@pytest.mark.parametrize("data", [b"", b"\x91", b"\xdc\x00\x01", b"\xc4", b"\x92\xda"])
def test_a_header_without_its_content_is_refused(data: bytes) -> None:
    with pytest.raises(Undecodable, match="this ends before its last value"):
        survey(data, "this")


def test_an_array_is_counted_before_its_elements_come() -> None:
    with pytest.raises(OverLimit, match="4,294,967,296 values, 20,000 are taken"):
        survey(b"\xdd\xff\xff\xff\xff", "this")


def test_the_largest_payload_fits_in_a_frame_under_the_largest_header() -> None:
    parcel = len(msgpack.packb([2, 2**63, 2**63, [b""]])) + 3  # the row's length takes 4 more

    assert PAYLOAD_LIMIT + HEADER_LIMIT + parcel <= FRAME_LIMIT
    assert ROWS_LIMIT * (16 + 1) > 256 * 1024  # a batch is split by bytes before it is by rows


def test_a_crowd_is_more_than_the_limit_with_one_hash() -> None:
    prime = 2**61 - 1
    crowd = [UUID(int=1 + prime * i) for i in range(9)]

    assert has_crowd(crowd, 8)
    assert not has_crowd(crowd, 9)
    assert not has_crowd([UUID(int=i) for i in range(100)], 8)
    assert not has_crowd([], 0)
