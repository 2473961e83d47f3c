"""The receiving direction: order, duplicates, gaps, credit, and when to acknowledge."""

from __future__ import annotations

import pytest

from transport.errors import IllegalStep, PeerViolation, SequenceGap
from transport.events import Delivery
from transport.inbound import ACK_S, Inbound
from transport.parcels import Batch

WIDE = (1024, 4 * 1024 * 1024)


def inbound(count: int = 0, window: tuple[int, int] = WIDE, at: float = 0.0) -> Inbound:
    """One where `count` rows of one byte arrived."""
    made = Inbound(window)
    if count:
        made.receive(Batch(1, 0, (b"x",) * count), at)
    return made


# Order


def test_rows_are_delivered_in_order_and_counted() -> None:
    receiver = inbound()

    first = receiver.receive(Batch(1, 0, (b"a", b"b")), 0.0)
    second = receiver.receive(Batch(3, 0, (b"c",)), 0.0)

    assert first == Delivery((b"a", b"b"), 2)
    assert second == Delivery((b"c",), 3)


def test_a_missing_row_is_a_gap_and_changes_nothing() -> None:
    receiver = inbound(2)

    with pytest.raises(SequenceGap) as gap:
        receiver.receive(Batch(4, 0, (b"d",)), 0.0)

    assert (gap.value.expected, gap.value.found) == (3, 4)
    assert receiver.receive(Batch(3, 0, (b"c",)), 0.0) == Delivery((b"c",), 3)


def test_what_is_known_is_ignored_and_the_rest_delivered() -> None:
    receiver = inbound(2)

    again = receiver.receive(Batch(1, 0, (b"a", b"b")), 0.0)
    partly = receiver.receive(Batch(2, 0, (b"b", b"c")), 0.0)

    assert again is None
    assert partly == Delivery((b"c",), 3)
    assert receiver.duplicates == 3


@pytest.mark.parametrize("batch", [Batch(1, 0, ()), Batch(0, 0, (b"x",)), Batch(-3, 0, (b"x",))])
def test_an_empty_batch_or_a_number_below_one_is_a_violation(batch: Batch) -> None:
    receiver = inbound()

    with pytest.raises(PeerViolation):
        receiver.receive(batch, 0.0)

    assert receiver.delivered == 0


def test_a_beat_shows_that_the_tail_was_lost() -> None:
    receiver = inbound(2)

    receiver.peer_sent(2)
    with pytest.raises(SequenceGap) as gap:
        receiver.peer_sent(5)

    assert (gap.value.expected, gap.value.found) == (3, 5)
    assert receiver.delivered == 2


# Credit


@pytest.mark.parametrize("rows", [(b"x",) * 3, (b"x" * 9, b"x" * 2)])
def test_more_than_the_window_is_a_violation_and_changes_nothing(rows: tuple[bytes, ...]) -> None:
    receiver = inbound(window=(2, 10))

    with pytest.raises(PeerViolation):
        receiver.receive(Batch(1, 0, rows), 0.0)

    assert receiver.delivered == 0


def test_credit_comes_back_with_the_ack_and_not_with_the_handing_over() -> None:
    receiver = inbound(2, (2, 10))
    receiver.handed_over(2)

    with pytest.raises(PeerViolation):
        receiver.receive(Batch(3, 0, (b"x",)), 0.0)
    receiver.acknowledge()

    assert receiver.receive(Batch(3, 0, (b"x",)), 0.0) == Delivery((b"x",), 3)


def test_credit_comes_back_byte_by_byte_and_message_by_message() -> None:
    receiver = Inbound((4, 10))
    for number, size in enumerate((4, 3, 4, 3, 4, 3), 1):
        receiver.receive(Batch(number, 0, (b"x" * size,)), 0.0)
        receiver.handed_over(number - 1)
        receiver.acknowledge()

    with pytest.raises(PeerViolation):
        receiver.receive(Batch(7, 0, (b"x" * 8,)), 0.0)

    assert receiver.receive(Batch(7, 0, (b"x" * 7,)), 0.0) == Delivery((b"x" * 7,), 7)


def test_the_whole_credit_is_given_again_after_the_end() -> None:
    receiver = Inbound((2, 10))
    receiver.receive(Batch(1, 0, (b"x" * 5, b"x" * 5)), 0.0)

    receiver.restart()

    assert receiver.receive(Batch(1, 0, (b"y" * 5, b"y" * 5)), 0.0) is not None


def test_duplicates_use_no_credit() -> None:
    receiver = inbound(2, (2, 10))

    assert receiver.receive(Batch(1, 0, (b"x", b"x")), 0.0) is None


# Acknowledging


def test_nothing_is_acknowledged_before_it_is_handed_over() -> None:
    receiver = inbound(3)

    before = receiver.acknowledge()
    receiver.handed_over(2)
    after = receiver.acknowledge()

    assert (before, after) == (0, 2)


def test_handing_over_what_never_came_is_refused() -> None:
    receiver = inbound(3)

    with pytest.raises(IllegalStep):
        receiver.handed_over(4)

    assert receiver.acknowledge() == 0


def test_handing_over_goes_only_forward() -> None:
    receiver = inbound(3)

    receiver.handed_over(3)
    receiver.handed_over(1)

    assert receiver.acknowledge() == 3


def test_an_ack_is_due_20_ms_after_the_oldest_arrival() -> None:
    receiver = inbound(1, at=5.0)
    before = receiver.ack_deadline
    receiver.receive(Batch(2, 0, (b"x",)), 5.01)

    receiver.handed_over(1)

    assert (before, receiver.ack_deadline) == (None, 5.0 + ACK_S)


def test_no_ack_is_due_after_it_was_given_and_the_next_one_in_its_own_time() -> None:
    receiver = inbound(1, at=5.0)
    receiver.handed_over(1)

    receiver.acknowledge()
    after = receiver.ack_deadline
    receiver.receive(Batch(2, 0, (b"x",)), 9.0)
    receiver.handed_over(2)

    assert (after, receiver.ack_deadline) == (None, 9.0 + ACK_S)


def test_slow_hand_over_is_acknowledged_every_20_ms_and_not_row_by_row() -> None:
    receiver = inbound(3, at=5.0)
    receiver.handed_over(1)
    receiver.acknowledge()

    receiver.handed_over(2)

    assert receiver.ack_deadline == 5.0 + ACK_S + ACK_S


@pytest.mark.parametrize(("rows", "due"), [((b"x",) * 4, True), ((b"x",) * 3, False)])
def test_half_the_window_of_messages_is_acknowledged_at_once(
    rows: tuple[bytes, ...], due: bool
) -> None:
    receiver = Inbound((8, 1000))
    receiver.receive(Batch(1, 0, rows), 5.0)

    receiver.handed_over(len(rows))

    assert receiver.ack_deadline == (0.0 if due else 5.0 + ACK_S)


@pytest.mark.parametrize(
    ("sizes", "handed", "due"),
    [
        ((60,), 1, True),
        ((50,), 1, True),
        ((49,), 1, False),
        ((49, 20), 1, False),
    ],
)
def test_half_the_window_of_bytes_is_acknowledged_at_once(
    sizes: tuple[int, ...], handed: int, due: bool
) -> None:
    receiver = Inbound((100, 100))
    receiver.receive(Batch(1, 0, tuple(b"x" * size for size in sizes)), 5.0)

    receiver.handed_over(handed)

    assert receiver.ack_deadline == (0.0 if due else 5.0 + ACK_S)


# The end


def test_after_the_end_numbers_begin_at_one_and_deliveries_are_counted_on() -> None:
    receiver = inbound(3)
    receiver.handed_over(2)

    receiver.restart()

    assert receiver.receive(Batch(1, 0, (b"a",)), 0.0) == Delivery((b"a",), 4)
    assert receiver.acknowledge() == 0


def test_handing_over_what_came_before_the_end_acknowledges_nothing_after_it() -> None:
    receiver = inbound(3)
    receiver.restart()
    receiver.receive(Batch(1, 0, (b"a", b"b")), 0.0)

    receiver.handed_over(3)

    assert receiver.acknowledge() == 0
