"""The record of refusals: bounded, counted, and quiet."""

from __future__ import annotations

import logging

import pytest

from transport.refusals import KEPT, Reason, Refusal, Refusals


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
    return Refusals(clock=clock, wall=lambda: 1.5)


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
