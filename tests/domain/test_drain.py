"""Quiescence: two equal quiet snapshots in a row, or the deadline and an honest list."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.domain.drain import UNCONFIRMED, UNSEEN, DrainSnapshot, Quiescence, Verdict
from transport.message import FrozenMap

QUIET = DrainSnapshot(handled=10, cursor=4)
BUSY = DrainSnapshot(turns=frozenset({"lead"}), handled=9, cursor=4)


def test_two_equal_quiet_snapshots_in_a_row_are_quiet() -> None:
    drain = Quiescence(deadline=30.0)

    assert drain.observe(QUIET, 0.0) is Verdict.WAITING
    assert drain.observe(QUIET, 0.1) is Verdict.QUIET
    assert drain.remaining == ()


def test_one_quiet_snapshot_is_not_enough() -> None:
    drain = Quiescence(deadline=30.0)

    drain.observe(QUIET, 0.0)

    assert drain.verdict is Verdict.WAITING
    assert drain.remaining == (UNCONFIRMED,)


def test_a_message_that_hid_between_two_quiet_snapshots_is_noticed() -> None:
    drain = Quiescence(deadline=30.0)

    drain.observe(QUIET, 0.0)

    assert drain.observe(DrainSnapshot(handled=11, cursor=4), 0.1) is Verdict.WAITING
    assert drain.observe(DrainSnapshot(handled=11, cursor=5), 0.2) is Verdict.WAITING
    assert drain.observe(DrainSnapshot(handled=11, cursor=5), 0.3) is Verdict.QUIET


def test_equal_snapshots_that_are_busy_are_not_quiet() -> None:
    drain = Quiescence(deadline=30.0)

    drain.observe(BUSY, 0.0)

    assert drain.observe(BUSY, 0.1) is Verdict.WAITING


def test_a_busy_snapshot_between_two_quiet_ones_starts_again() -> None:
    drain = Quiescence(deadline=30.0)

    drain.observe(QUIET, 0.0)
    drain.observe(BUSY, 0.1)

    assert drain.observe(QUIET, 0.2) is Verdict.WAITING


def test_the_deadline_ends_the_wait_with_an_honest_list() -> None:
    drain = Quiescence(deadline=1.0)
    snapshot = DrainSnapshot(
        turns=frozenset({"risk", "lead"}),
        queued=FrozenMap({"docs": 1, "lead": 3, "idle": 0}),
        in_flight=2,
        unwritten=1,
    )

    assert drain.observe(snapshot, 0.9) is Verdict.WAITING
    assert drain.observe(snapshot, 1.0) is Verdict.TIMED_OUT
    assert drain.remaining == (
        "docs: 1 input waiting",
        "lead: a turn is running, 3 inputs waiting",
        "risk: a turn is running",
        "2 messages on the way",
        "1 event not yet in the ledger",
    )


def test_a_quiet_pair_wins_over_the_deadline() -> None:
    drain = Quiescence(deadline=1.0)

    drain.observe(QUIET, 0.0)

    assert drain.observe(QUIET, 2.0) is Verdict.QUIET


def test_time_up_after_one_quiet_look_says_so() -> None:
    drain = Quiescence(deadline=0.0)

    assert drain.observe(QUIET, 0.0) is Verdict.TIMED_OUT
    assert drain.remaining == (UNCONFIRMED,)


def test_before_the_first_look_the_drain_waits_for_one() -> None:
    drain = Quiescence(deadline=1.0)

    assert drain.verdict is Verdict.WAITING
    assert drain.remaining == (UNSEEN,)


@pytest.mark.parametrize("first", [QUIET, BUSY])
def test_a_final_verdict_does_not_change(first: DrainSnapshot) -> None:
    drain = Quiescence(deadline=1.0)
    drain.observe(first, 0.0)
    verdict = drain.observe(first, 1.0)
    remaining = drain.remaining

    assert drain.observe(DrainSnapshot(in_flight=7), 2.0) is verdict
    assert drain.remaining == remaining


snapshots = st.builds(
    DrainSnapshot,
    turns=st.frozensets(st.sampled_from("ab")),
    queued=st.dictionaries(st.sampled_from("ab"), st.integers(0, 1)).map(FrozenMap),
    in_flight=st.integers(0, 1),
    unwritten=st.integers(0, 1),
    handled=st.integers(0, 1),
    cursor=st.integers(0, 1),
)


@given(snapshots)
def test_a_snapshot_is_quiet_exactly_when_nothing_remains(snapshot: DrainSnapshot) -> None:
    assert snapshot.quiet == (snapshot.remaining == ())


@given(st.lists(snapshots), st.integers(1, 20))
def test_the_verdict_is_the_first_quiet_pair_or_the_deadline(
    history: list[DrainSnapshot], deadline: int
) -> None:
    drain = Quiescence(deadline=float(deadline))
    expected = Verdict.WAITING
    for now, snapshot in enumerate(history):
        if expected is Verdict.WAITING:
            if now and snapshot.quiet and snapshot == history[now - 1]:
                expected = Verdict.QUIET
            elif now >= deadline:
                expected = Verdict.TIMED_OUT

        assert drain.observe(snapshot, float(now)) is expected

    assert bool(drain.remaining) == (expected is not Verdict.QUIET)


def test_who_does_not_answer_keeps_the_mob_from_being_quiet() -> None:
    mute = DrainSnapshot(silent=frozenset({"the writer"}))

    assert not mute.quiet
    assert mute.remaining == ("the writer: does not answer",)
