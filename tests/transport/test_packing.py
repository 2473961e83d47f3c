"""The part of msgpack that is used: what it packs comes back, and nothing else is unpacked."""

from __future__ import annotations

import sys
import threading
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transport import packing
from transport.errors import OverLimit, Undecodable
from transport.limits import DEPTH_LIMIT, NODE_LIMIT, SURVEYED_BYTES
from transport.packing import NO_MSGPACK, pack, unpack, unpacked

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner, max_size=5).map(tuple),
    max_leaves=20,
)


@settings(deadline=None)
@given(VALUES)
def test_what_is_packed_comes_back(value: Any) -> None:
    assert unpack(pack(value), "it") == value
    assert unpacked(pack(value)) == value


@settings(deadline=None)
@given(VALUES)
def test_it_is_msgpack_as_others_write_it(value: Any) -> None:
    assert pack(value) == msgpack.packb(value)


@settings(deadline=None)
@given(st.binary(max_size=600))
def test_of_bytes_that_are_none_nothing_but_that_is_said(data: bytes) -> None:
    try:
        unpack(data, "it")
    except Undecodable as error:
        text = str(error)
        assert "it" in text
        assert repr(data) not in text or not data


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"a": 1},
        (1, {"a": 1}),
        msgpack.ExtType(5, b""),
        msgpack.ExtType(5, b"x"),
        msgpack.Timestamp(5),
    ],
)
@pytest.mark.parametrize("padding", [b"", bytes(SURVEYED_BYTES)])
def test_maps_and_extensions_are_refused(value: object, padding: bytes) -> None:
    with pytest.raises(Undecodable, match=f"{NO_MSGPACK}|has a map, an extension"):
        unpack(msgpack.packb((value, padding)), "it")


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x91", b"\x01\x01", b"\xa1\xff", b"\xc4\x05x"])
def test_what_is_cut_goes_on_or_is_no_text_is_refused(data: bytes) -> None:
    with pytest.raises(Undecodable, match=NO_MSGPACK):
        unpack(data, "it")


def test_what_has_more_values_than_it_may_is_refused_before_it_is_unpacked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def never(_: bytes) -> Any:
        raise AssertionError("it was unpacked")

    data = pack((0,) * (NODE_LIMIT + 1))
    deep = b"\x91" * (DEPTH_LIMIT + 1) + bytes(SURVEYED_BYTES)
    monkeypatch.setattr(packing, "unpacked", never)

    for hostile in (data, deep, b"\xdd\xff\xff\xff\xff" + bytes(SURVEYED_BYTES)):
        with pytest.raises((OverLimit, Undecodable)):
            unpack(hostile, "it")


def test_the_limits_of_who_asks_hold() -> None:
    data = pack((bytes(SURVEYED_BYTES), 1, 2))

    assert unpack(data, "it", nodes=4, depth=1) == (bytes(SURVEYED_BYTES), 1, 2)
    with pytest.raises(OverLimit):
        unpack(data, "it", nodes=3)


@pytest.mark.parametrize("value", [2**64, "\udc80", object(), {1}])
def test_what_cannot_be_packed_leaves_the_next_one_whole(value: object) -> None:
    for _ in range(3):
        with pytest.raises(Exception, match=r"."):
            pack((1, "begun", value))
        assert pack((1, 2)) == b"\x92\x01\x02"


def test_threads_do_not_write_into_each_others_bytes() -> None:
    wrong: list[object] = []

    def work(mark: int) -> None:
        value = (mark, str(mark) * 200, (mark,) * 50)
        expected = msgpack.packb(value)
        wrong.extend(found for _ in range(2_000) if (found := pack(value)) != expected)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=work, args=(mark,)) for mark in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)

    assert wrong == []
