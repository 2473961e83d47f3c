"""Which Hellos are refused, with which code, and what the peer is told."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transport.errors import PeerViolation
from transport.events import ByeCode
from transport.greeting import FRAME_BYTES, LocalNode, judge

LOCAL = LocalNode("here", b"h" * 16, "data", build="1.2", protocols=(2, 4))
THERE = LocalNode("there", b"t" * 16, "data", protocols=(1, 9), endpoints=(("data", "tcp://x"),))
HELLO = THERE.hello(b"s" * 16, 7, (1024, 4 * FRAME_BYTES))


def test_a_hello_says_what_the_node_is_and_where_the_session_stands() -> None:
    assert (HELLO.node, HELLO.boot, HELLO.session) == ("there", b"t" * 16, b"s" * 16)
    assert (HELLO.received, HELLO.window) == (7, (1024, 4 * FRAME_BYTES))
    assert (HELLO.frame_limit, HELLO.endpoints) == (FRAME_BYTES, (("data", "tcp://x"),))


def test_the_highest_version_that_both_speak_is_spoken() -> None:
    assert judge(HELLO, LOCAL, None) == 4


ranges = st.tuples(st.integers(1, 9), st.integers(1, 9)).map(lambda pair: (min(pair), max(pair)))


@given(ranges, ranges)
def test_both_sides_agree_on_the_version_or_both_refuse(
    ours: tuple[int, int], theirs: tuple[int, int]
) -> None:
    def verdict(node: str, own: tuple[int, int], other: tuple[int, int]) -> int | str:
        local = LocalNode(node, b"h" * 16, "data", protocols=own)
        hello = dataclasses.replace(HELLO, protocols=other)
        try:
            return judge(hello, local, None)
        except PeerViolation as refused:
            return refused.code

    common = set(range(ours[0], ours[1] + 1)) & set(range(theirs[0], theirs[1] + 1))

    verdicts = {verdict("here", ours, theirs), verdict("elsewhere", theirs, ours)}

    assert verdicts == {max(common) if common else ByeCode.VERSION}


@pytest.mark.parametrize("theirs", [(1, 1), (5, 9), (4, 3)])
def test_a_peer_of_other_versions_is_told_both_ranges(theirs: tuple[int, int]) -> None:
    with pytest.raises(PeerViolation) as refused:
        judge(dataclasses.replace(HELLO, protocols=theirs), LOCAL, None)

    assert refused.value.code == ByeCode.VERSION
    assert "2 to 4" in str(refused.value)
    assert f"{theirs[0]} to {theirs[1]}" in str(refused.value)


REFUSED: list[tuple[dict[str, Any], ByeCode]] = [  # Any: fields of many types
    ({"node": "here"}, ByeCode.NAME),
    ({"node": ""}, ByeCode.NAME),
    ({"node": "a/b"}, ByeCode.NAME),
    ({"node": "x" * 64}, ByeCode.NAME),
    ({"node": "elsewhere"}, ByeCode.IDENTITY),
    ({"channel": "control"}, ByeCode.CHANNEL),
    ({"boot": b""}, ByeCode.PROTOCOL),
    ({"session": b"s" * 17}, ByeCode.PROTOCOL),
    ({"received": -1}, ByeCode.PROTOCOL),
    ({"window": (0, 4 * FRAME_BYTES)}, ByeCode.LIMITS),
    ({"window": (10, FRAME_BYTES - 1)}, ByeCode.LIMITS),
    ({"frame_limit": FRAME_BYTES - 1}, ByeCode.LIMITS),
    ({"frame_limit": -5}, ByeCode.LIMITS),
]


@pytest.mark.parametrize(("changed", "code"), REFUSED, ids=str)
def test_a_peer_that_makes_no_sense_is_refused(changed: dict[str, Any], code: ByeCode) -> None:
    with pytest.raises(PeerViolation) as refused:
        judge(dataclasses.replace(HELLO, **changed), LOCAL, "there")

    assert refused.value.code == code


def test_a_long_false_name_does_not_come_back_in_the_text() -> None:
    with pytest.raises(PeerViolation) as refused:
        judge(dataclasses.replace(HELLO, node="x" * 100_000), LOCAL, None)

    assert len(str(refused.value)) < 100


def test_the_least_that_is_enough_is_accepted() -> None:
    least = dataclasses.replace(HELLO, window=(1, FRAME_BYTES), frame_limit=FRAME_BYTES, received=0)

    assert judge(least, LOCAL, "there") == 4
