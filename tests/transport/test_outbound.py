"""The sending direction: credit, numbers, batches, and what is sent again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transport.errors import PeerViolation, RowTooBig, WouldBlock
from transport.greeting import FRAME_BYTES
from transport.outbound import BATCH_BYTES, ROW_BYTES, Outbound
from transport.parcels import Batch

WIDE = (1024, 4 * 1024 * 1024)


def outbound(count: int = 0, window: tuple[int, int] = WIDE) -> Outbound[int]:
    """One with rows `b"0"`, `b"1"`, …, their tokens the same numbers."""
    made: Outbound[int] = Outbound(window)
    for token in range(count):
        made.offer(str(token).encode(), token)
    return made


def rows_of(batches: list[Batch]) -> list[bytes]:
    return [row for batch in batches for row in batch.rows]


# Credit


def test_the_window_takes_so_many_messages_and_no_more() -> None:
    full = outbound(3, (3, 100))

    with pytest.raises(WouldBlock) as refused:
        full.offer(b"more", 3)

    assert (refused.value.messages_left, refused.value.bytes_left) == (0, 97)
    assert (len(full), full.refused) == (3, 1)


def test_the_window_takes_so_many_bytes_and_no_more() -> None:
    full: Outbound[int] = Outbound((10, 10))
    full.offer(b"12345678", 0)
    full.offer(b"9", 1)

    with pytest.raises(WouldBlock) as refused:
        full.offer(b"ab", 2)
    full.offer(b"a", 2)

    assert (refused.value.size_bytes, refused.value.bytes_left) == (2, 1)
    assert (len(full), full.refused) == (3, 1)


def test_a_row_that_no_frame_holds_is_refused_for_good() -> None:
    fresh = outbound()
    fresh.offer(b"x" * ROW_BYTES, 0)

    with pytest.raises(RowTooBig) as refused:
        fresh.offer(b"x" * (ROW_BYTES + 1), 1)

    assert refused.value.limit_bytes == ROW_BYTES
    assert (len(fresh), fresh.refused, fresh.room()) == (1, 1, False)


def test_the_largest_row_and_what_a_batch_adds_fit_in_a_frame() -> None:
    assert ROW_BYTES + 40 <= FRAME_BYTES


def test_the_largest_row_is_only_refused_for_now() -> None:
    full = outbound(1, (1, 2 * ROW_BYTES))

    with pytest.raises(WouldBlock):
        full.offer(b"x" * ROW_BYTES, 1)

    assert len(full) == 1


def test_there_is_room_when_the_refused_row_fits_exactly() -> None:
    full: Outbound[int] = Outbound((10, 10))
    for size in (4, 6):
        full.offer(b"x" * size, 0)
    with pytest.raises(WouldBlock):
        full.offer(b"x" * 4, 0)
    full.batches(0)

    full.acknowledge(1)

    assert full.room()


def test_room_is_told_once_and_only_to_who_was_refused() -> None:
    full = outbound(2, (2, 100))
    before = full.room()
    with pytest.raises(WouldBlock):
        full.offer(b"x", 2)
    still_full = full.room()
    full.batches(0)
    full.acknowledge(1)

    told = [full.room(), full.room()]

    assert (before, still_full, told) == (False, False, [True, False])


def test_room_waits_until_the_smallest_refused_row_fits() -> None:
    full: Outbound[int] = Outbound((10, 10))
    for size in (4, 6):
        full.offer(b"x" * size, 0)
    for size in (8, 5, 7):
        with pytest.raises(WouldBlock):
            full.offer(b"x" * size, 0)
    full.batches(0)

    full.acknowledge(1)
    after_four_bytes = full.room()
    full.acknowledge(2)

    assert (after_four_bytes, full.room()) == (False, True)


def test_a_peer_with_a_smaller_window_is_obeyed_and_one_with_a_larger_is_not() -> None:
    sender = outbound(window=(3, 30))

    sender.allow((100, 10))
    for token in range(3):
        sender.offer(b"xxx", token)
    with pytest.raises(WouldBlock):
        sender.offer(b"xxx", 3)
    sender.allow((2, 1000))
    with pytest.raises(WouldBlock) as refused:
        sender.offer(b"xxx", 3)

    assert (refused.value.messages_left, refused.value.bytes_left) == (0, 21)


# Batches


def test_a_batch_has_what_was_offered_since_the_last_one_under_dense_numbers() -> None:
    sender = outbound(2)

    first = sender.batches(7)
    sender.offer(b"2", 2)
    second = sender.batches(8)

    assert first == [Batch(1, 7, (b"0", b"1"))]
    assert second == [Batch(3, 8, (b"2",))]
    assert not sender.waiting
    assert sender.sent == 3


def test_batches_are_split_at_256_kib_and_a_larger_row_goes_alone() -> None:
    sender: Outbound[int] = Outbound(WIDE)
    sizes = [100_000, 100_000, 100_000, 400_000, 10]
    for token, size in enumerate(sizes):
        sender.offer(b"x" * size, token)

    batches = sender.batches(0)

    assert [len(batch.rows) for batch in batches] == [2, 1, 1, 1]
    assert [batch.first for batch in batches] == [1, 3, 4, 5]


def test_a_batch_may_have_exactly_256_kib() -> None:
    sender: Outbound[int] = Outbound(WIDE)
    for token in range(5):
        sender.offer(b"x" * (BATCH_BYTES // 2), token)

    batches = sender.batches(0)

    assert [len(batch.rows) for batch in batches] == [2, 2, 1]


def test_the_window_of_the_peer_may_be_filled_exactly() -> None:
    sender: Outbound[int] = Outbound(WIDE)
    for token in range(3):
        sender.offer(b"x" * 200_000, token)
    sender.allow((10, 400_000))

    first = sender.batches(0)
    sender.rewind(0)
    again = sender.batches(0)
    sender.acknowledge(1)

    assert [batch.first for batch in first] == [batch.first for batch in again] == [1, 2]
    assert [batch.first for batch in sender.batches(0)] == [3]


def test_a_row_that_fits_exactly_into_what_is_left_of_the_window_leaves() -> None:
    sender: Outbound[int] = Outbound(WIDE)
    sender.allow((10, 400_000))
    sender.offer(b"x" * 200_000, 0)
    sender.batches(0)
    sender.offer(b"x" * 200_000, 1)

    assert sender.waiting
    assert [batch.first for batch in sender.batches(0)] == [2]


@given(st.lists(st.integers(0, 300_000), min_size=1, max_size=40), st.integers(1, 12))
def test_every_row_leaves_once_in_order_in_batches_below_the_limit(
    sizes: list[int], window: int
) -> None:
    sender: Outbound[int] = Outbound(WIDE)
    taken = []
    for token, size in enumerate(sizes):
        row = token.to_bytes(2, "big").ljust(size, b".")
        try:
            sender.offer(row, token)
        except WouldBlock:
            break
        taken.append(row)
    sender.allow((window, 1024 * 1024))

    left, expected_first = [], 1
    while sender.waiting:
        batches = sender.batches(0)
        for batch in batches:
            size = sum(map(len, batch.rows))
            assert batch.first == expected_first
            assert size <= BATCH_BYTES or len(batch.rows) == 1
            expected_first += len(batch.rows)
        in_flight = rows_of(batches)
        assert in_flight
        assert len(in_flight) <= window
        assert sum(map(len, in_flight)) <= 1024 * 1024
        left += in_flight
        sender.acknowledge(sender.sent)

    assert left == taken


def test_what_was_offered_beyond_the_window_of_the_peer_waits_for_acks() -> None:
    sender = outbound(5)
    sender.allow((2, 1024 * 1024))

    first = sender.batches(0)
    waiting = sender.waiting
    sender.acknowledge(1)
    second = sender.batches(0)

    assert (rows_of(first), waiting, rows_of(second)) == ([b"0", b"1"], False, [b"2"])


def test_bytes_beyond_the_window_of_the_peer_wait_for_acks() -> None:
    sender: Outbound[int] = Outbound(WIDE)
    for token in range(3):
        sender.offer(b"x" * 200_000, token)
    sender.allow((10, 500_000))

    first = sender.batches(0)
    waiting = sender.waiting
    sender.acknowledge(1)
    second = sender.batches(0)

    assert [batch.first for batch in first] == [1, 2]
    assert (waiting, [batch.first for batch in second]) == (False, [3])


# Acknowledgements


def test_an_ack_frees_what_it_covers_and_an_older_one_nothing() -> None:
    sender = outbound(3)
    sender.batches(0)

    sender.acknowledge(2)
    sender.acknowledge(1)

    assert (len(sender), sender.acked, sender.acknowledged) == (1, 2, 2)


def test_an_ack_of_what_was_never_sent_is_a_violation_and_changes_nothing() -> None:
    sender = outbound(3)
    sender.batches(0)
    sender.offer(b"3", 3)

    with pytest.raises(PeerViolation):
        sender.acknowledge(4)

    assert (len(sender), sender.acked) == (4, 0)


# Resuming


def test_resuming_sends_again_what_was_not_handed_over_under_the_same_numbers() -> None:
    sender = outbound(4)
    sender.batches(0)

    sender.rewind(1)

    assert sender.batches(0) == [Batch(2, 0, (b"1", b"2", b"3"))]


def test_an_ack_may_come_before_the_rows_it_covers_are_sent_again() -> None:
    sender = outbound(4)
    sender.batches(0)
    sender.rewind(1)

    sender.acknowledge(3)

    assert sender.batches(0) == [Batch(4, 0, (b"3",))]


def test_resuming_beyond_what_was_sent_is_a_violation() -> None:
    sender = outbound(2)

    with pytest.raises(PeerViolation):
        sender.rewind(1)

    assert sender.batches(0) == [Batch(1, 0, (b"0", b"1"))]


# The end


def test_what_is_abandoned_names_every_token_and_which_rows_never_left() -> None:
    sender = outbound(3)
    sender.batches(0)
    sender.acknowledge(1)
    sender.offer(b"3", 3)

    tokens, unsent = sender.abandon()

    assert (tokens, unsent) == ((1, 2, 3), (b"3",))
    assert (len(sender), sender.ambiguous, sender.acknowledged) == (0, 2, 1)


def test_what_left_once_counts_as_sent_although_the_resumed_connection_did_not_carry_it() -> None:
    sender = outbound(3)
    sender.batches(0)
    sender.rewind(0)

    tokens, unsent = sender.abandon()

    assert (tokens, unsent) == ((0, 1, 2), ())


def test_numbers_begin_at_one_again_after_the_end() -> None:
    sender = outbound(2)
    sender.batches(0)
    sender.abandon()

    sender.offer(b"x", 9)

    assert sender.batches(0) == [Batch(1, 0, (b"x",))]
    assert sender.abandon() == ((9,), ())


def test_the_whole_credit_is_there_again_after_the_end() -> None:
    sender: Outbound[int] = Outbound((2, 10))
    sender.offer(b"x" * 9, 0)
    sender.batches(0)
    sender.abandon()

    sender.offer(b"x" * 5, 1)
    sender.offer(b"x" * 5, 2)

    assert rows_of(sender.batches(0)) == [b"x" * 5, b"x" * 5]
