"""The record of refusals: bounded, counted, and quiet."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transport.refusals import KEPT, REMIND_S, REPEAT_S, Reason, Refusal, Refusals

# Who is refused how, and how much later than the one before; few enough to come again.
TRIES = st.lists(
    st.tuples(
        st.sampled_from([Reason.KEY, Reason.HANDSHAKE]),
        st.sampled_from(["-", "abc", "def"]),
        st.sampled_from(["-", "192.0.2.1"]),
        st.sampled_from([0.0, 0.5, REPEAT_S, REPEAT_S + 1]),
    ),
    max_size=60,
)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def refusals(clock: Clock) -> Refusals:
    return Refusals(clock=clock, wall=lambda: clock.now - 98.5)


def test_a_refusal_is_kept_whole(refusals: Refusals) -> None:
    refusals.record(Reason.KEY, mechanism="CURVE", key="abc", address="192.0.2.1")

    assert refusals.last() == (Refusal(1.5, "CURVE", "abc", "192.0.2.1", Reason.KEY),)


def test_the_last_are_kept_and_all_are_counted(refusals: Refusals) -> None:
    for number in range(KEPT + 10):
        refusals.record(Reason.KEY, address=str(number))
    refusals.record(Reason.DOMAIN)

    assert len(refusals.last()) == KEPT
    assert refusals.last()[0].address == "11"
    assert refusals.counts() == {Reason.KEY: KEPT + 10, Reason.DOMAIN: 1}


def test_a_flood_is_one_line_a_second(
    refusals: Refusals, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)

    for _ in range(500):
        refusals.record(Reason.KEY, mechanism="CURVE", key="abc", address="192.0.2.1")
    clock.now += 1
    refusals.record(Reason.HANDSHAKE)

    assert [record.getMessage() for record in caplog.records] == [
        "refused from 192.0.2.1 key abc mechanism CURVE: key is not allowed",
        "refused: handshake failed (and 499 more since the last line)",
    ]


def test_a_new_record_uses_the_clocks_of_the_system() -> None:
    refusals = Refusals()

    refusals.record(Reason.KEY)

    assert refusals.last()[0].at_s > 1_700_000_000


def test_who_comes_again_within_a_minute_is_one_record_with_a_count(
    refusals: Refusals, clock: Clock
) -> None:
    for _ in range(100):
        refusals.record(Reason.HANDSHAKE, address="192.0.2.1")
        clock.now += REPEAT_S

    assert refusals.last() == (
        Refusal(1.5, "-", "-", "192.0.2.1", Reason.HANDSHAKE, 100, 99 * REPEAT_S),
    )
    assert refusals.counts() == {Reason.HANDSHAKE: 100}


def test_who_comes_again_later_is_another_record(refusals: Refusals, clock: Clock) -> None:
    refusals.record(Reason.KEY, key="abc")
    clock.now += REPEAT_S + 1
    refusals.record(Reason.KEY, key="abc")

    assert [each.count for each in refusals.last()] == [1, 1]


@pytest.mark.parametrize(
    "other",
    [
        {"reason": Reason.ROLE, "key": "abc", "address": "192.0.2.1"},
        {"reason": Reason.KEY, "key": "def", "address": "192.0.2.1"},
        {"reason": Reason.KEY, "key": "abc", "address": "192.0.2.2"},
    ],
)
def test_another_reason_key_or_address_is_another_record(
    other: dict[str, Any], refusals: Refusals
) -> None:
    for _ in range(3):
        refusals.record(Reason.KEY, key="abc", address="192.0.2.1")
        refusals.record(**other)

    assert [each.count for each in refusals.last()] == [3, 3]


def test_a_peer_that_dials_for_hours_leaves_what_others_tried(
    refusals: Refusals, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    refusals.record(Reason.KEY, key="thief", address="192.0.2.9")

    for _ in range(720):  # an hour, at the longest pause between redials
        clock.now += 5.0
        refusals.record(Reason.KEY, key="abc", address="192.0.2.1")

    assert [(each.key, each.count) for each in refusals.last()] == [("thief", 1), ("abc", 720)]
    assert len(caplog.messages) == 2 + (3600 - 5) // REMIND_S
    assert caplog.messages[-1] == (
        "refused from 192.0.2.1 key abc: key is not allowed, 601 times now"
        " (and 119 more since the last line)"
    )


def test_a_record_that_was_not_told_in_time_is_told_when_it_comes_again(
    refusals: Refusals, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    refusals.record(Reason.KEY, key="abc")
    refusals.record(Reason.KEY, key="def")  # within the same second
    clock.now += 1

    refusals.record(Reason.KEY, key="def")

    assert caplog.messages[1:] == [
        "refused key def: key is not allowed, 2 times now (and 1 more since the last line)"
    ]


def test_a_record_that_was_pushed_out_begins_anew(refusals: Refusals) -> None:
    refusals.record(Reason.KEY, key="abc")
    for number in range(KEPT):
        refusals.record(Reason.KEY, key=str(number))

    refusals.record(Reason.KEY, key="abc")

    assert len(refusals.last()) == KEPT
    assert (refusals.last()[-1].key, refusals.last()[-1].count) == ("abc", 1)


@given(TRIES)
def test_records_add_up_to_the_counts_and_none_stands_for_two(
    tries: list[tuple[Reason, str, str, float]],
) -> None:
    clock = Clock()
    refusals = Refusals(clock=clock, wall=clock)
    for reason, key, address, later in tries:
        clock.now += later
        refusals.record(reason, key=key, address=address)

    for reason in Reason:
        kept = [each for each in refusals.last() if each.reason is reason]
        assert sum(each.count for each in kept) == refusals.counts().get(reason, 0)
    assert len(refusals._newest) <= len(refusals.last())
    seen: dict[tuple[Reason, str, str], float] = {}
    for each in refusals.last():  # of one kind, no two within a minute of each other
        same = (each.reason, each.key, each.address)
        assert each.at_s - seen.get(same, -REPEAT_S) > REPEAT_S
        seen[same] = each.at_s + each.lasted_s
