"""Errors as data: always fit to be sent, and what arrives is only data."""

from __future__ import annotations

import typing as t
from enum import IntEnum

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.transport.wire_strategies import ERRORS
from transport import FrozenMap
from transport.codec import decode_error, encode_error
from transport.error_info import ErrorCode, ErrorInfo
from transport.errors import OverLimit, RemoteProtocolError, Undecodable


class Level(IntEnum):
    LOW = 1


@given(ERRORS)
def test_decode_undoes_encode(error: ErrorInfo) -> None:
    again = decode_error(encode_error(error))

    assert again == error
    assert [type(argument) for argument in again.args] == [type(a) for a in error.args]


def test_an_error_is_an_array_of_five() -> None:
    error = ErrorInfo(
        ErrorCode.DECLARED, "no room", FrozenMap({"room": "7"}), "hotel:NoRoom", (7, "b")
    )

    assert msgpack.unpackb(encode_error(error)) == [
        "declared",
        "no room",
        ["room", "7"],
        "hotel:NoRoom",
        [7, "b"],
    ]


def test_whatever_goes_in_is_cut_until_it_can_be_sent() -> None:
    error = ErrorInfo(
        ErrorCode.FAILED,
        "\ud800" + "x" * 1000,
        FrozenMap({f"{i}" + "n" * 100: "v" * 1000 for i in range(20)}),
        "t" * 300,
    )

    assert error.text == "?" + "x" * 499
    assert len(error.details) == 16
    assert {len(name) for name in error.details} == {64}
    assert {len(value) for value in error.details.values()} == {500}
    assert error.type == "t" * 255
    assert decode_error(encode_error(error)) == error


@pytest.mark.parametrize(
    "args",
    [(1,) * 9, (object(),), (b"x",), (2**63,), ("x" * 501,), ("\ud800",), (Level.LOW,), ((),)],
    ids=lambda args: type(args[0]).__name__,
)
def test_arguments_go_whole_or_not_at_all(args: t.Any) -> None:
    assert ErrorInfo(ErrorCode.DECLARED, "no", type="hotel:NoRoom", args=(1, *args)).args == ()


@pytest.mark.parametrize(
    "row",
    [
        5,
        [],
        ["failed"],
        ["failed", "no", [], "", [], 1],
        ["no such code", "no", [], "", []],
        [5, "no", [], "", []],
        ["failed", 5, [], "", []],
        ["failed", "no", ["room"], "", []],
        ["failed", "no", ["room", 7], "", []],
        ["failed", "no", ["room", "7", "room", "8"], "", []],
        ["failed", "x" * 501, [], "", []],
        ["failed", "no", [], "x" * 256, []],
        ["failed", "no", [], "", [b"x"]],
        ["failed", "no", [], "", [[]]],
        ["failed", "no", [], "", [1] * 9],
    ],
    ids=str,
)
def test_what_encode_would_not_make_is_refused(row: object) -> None:
    with pytest.raises(Undecodable, match="an error"):
        decode_error(msgpack.packb(row))


def test_a_payload_above_the_limit_is_not_looked_at() -> None:
    with pytest.raises(OverLimit, match="1,044,481 bytes"):
        decode_error(b"\xc1" * 1_044_481)


@given(st.binary(max_size=800))
def test_any_bytes_raise_only_remote_protocol_errors(payload: bytes) -> None:
    try:
        error = decode_error(payload)
    except RemoteProtocolError:
        return
    assert isinstance(error, ErrorInfo)
