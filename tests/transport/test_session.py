"""Sessions: begun, resumed, refused, lost; and what each does to the envelopes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from transport.errors import (
    IllegalStep,
    PeerViolation,
    SequenceGap,
    UnknownSession,
    WouldBlock,
)
from transport.events import Delivery, LossCause, SessionLost
from transport.parcels import Batch, Hello
from transport.session import WINDOW, Session, SessionStatistics
from transport.states import SessionState

ONE, TWO, THREE = (bytes([n]) * 16 for n in (1, 2, 3))
BOOT, NEW_BOOT = b"b" * 16, b"n" * 16


def hello(
    session: bytes = ONE,
    received: int = 0,
    boot: bytes = BOOT,
    window: tuple[int, int] = WINDOW,
) -> Hello:
    return Hello((1, 1), "", "peer", boot, session, "data", received, window, 1024 * 1024)


def opened(sent: int = 0, acked: int = 0, arrived: int = 0) -> Session[int]:
    """A session that the peer began, with traffic both ways."""
    session: Session[int] = Session()
    session.answer(hello())
    for token in range(sent):
        session.offer(b"x", token)
    session.batches()
    session.acknowledged(acked)
    if arrived:
        session.receive(Batch(1, 0, (b"y",) * arrived), 0.0)
    return session


def paused(sent: int = 0, acked: int = 0, arrived: int = 0) -> Session[int]:
    session = opened(sent, acked, arrived)
    session.pause()
    return session


def proposed(offered: int = 0) -> Session[int]:
    session: Session[int] = Session()
    session.propose(ONE)
    for token in range(offered):
        session.offer(b"x", token)
    return session


# Begun


def test_the_side_that_dials_names_the_session_and_the_answer_opens_it() -> None:
    session: Session[int] = Session()

    name = session.propose(ONE)
    lost = session.confirm(hello(ONE))

    assert (name, lost, session.state, session.name) == (ONE, None, SessionState.OPEN, ONE)


def test_the_side_that_is_dialled_begins_what_it_does_not_know() -> None:
    session: Session[int] = Session()

    lost = session.answer(hello(ONE))

    assert (lost, session.state, session.name) == (None, SessionState.OPEN, ONE)


def test_a_proposal_is_repeated_until_it_is_answered() -> None:
    session = proposed()
    session.pause()

    assert session.propose(TWO) == ONE


def test_a_proposal_gives_way_to_the_one_of_the_peer() -> None:
    session = proposed(offered=2)
    session.pause()

    lost = session.answer(hello(TWO))

    assert (lost, session.name) == (None, TWO)
    assert session.batches() == [Batch(1, 0, (b"x", b"x"))]


def test_what_was_offered_before_the_first_hello_leaves_after_it() -> None:
    session = proposed(offered=2)
    before = session.batches()

    session.confirm(hello())

    assert (before, session.batches()) == ([], [Batch(1, 0, (b"x", b"x"))])


def test_the_window_in_the_hello_bounds_what_leaves() -> None:
    session = proposed(offered=3)

    session.confirm(hello(window=(2, 1024 * 1024)))
    first = session.batches()

    assert first == [Batch(1, 0, (b"x", b"x"))]
    assert session.batches() == []
    with pytest.raises(WouldBlock):
        session.offer(b"x", 3)


def test_an_ack_is_not_spent_on_batches_that_the_window_holds_back() -> None:
    session = proposed(offered=3)
    session.confirm(hello(window=(2, 1024 * 1024)))
    session.batches()
    session.receive(Batch(1, 0, (b"y",)), 0.0)
    session.handed_over(1)

    held_back = session.batches()

    assert (held_back, session.ack_deadline is not None) == ([], True)


# Resumed


@pytest.mark.parametrize("dialled", [True, False])
def test_a_resumed_session_sends_again_from_what_was_received(dialled: bool) -> None:
    session = paused(sent=4, acked=1)

    if dialled:
        name = session.propose(TWO)
        lost = session.confirm(hello(received=2))
    else:
        name = ONE
        lost = session.answer(hello(received=2))

    assert (name, lost, session.state) == (ONE, None, SessionState.OPEN)
    assert session.batches() == [Batch(3, 0, (b"x", b"x"))]
    assert session.statistics.acknowledged == 2


def test_after_resuming_the_receiver_ignores_what_it_has() -> None:
    session = paused(arrived=3)
    session.handed_over(1)

    session.answer(hello())
    delivery = session.receive(Batch(2, 0, (b"y", b"y", b"z")), 1.0)

    assert delivery == Delivery((b"z",), 4)
    assert session.statistics.duplicates == 2


def test_the_window_in_the_hello_bounds_what_is_sent_again() -> None:
    session = paused(sent=4)

    session.answer(hello(window=(2, 1024 * 1024)))

    assert session.batches() == [Batch(1, 0, (b"x", b"x"))]


@pytest.mark.parametrize("dialled", [True, False])
def test_a_peer_that_received_more_than_was_sent_is_refused(dialled: bool) -> None:
    session = paused(sent=2)
    meet = session.confirm if dialled else session.answer

    with pytest.raises(PeerViolation):
        meet(hello(received=3))

    assert (session.state, session.statistics.in_flight) == (SessionState.PAUSED, 2)


def test_an_answer_that_takes_an_ack_back_is_refused() -> None:
    session = paused(sent=2, acked=2)

    with pytest.raises(PeerViolation):
        session.confirm(hello(received=1))

    assert session.state is SessionState.PAUSED


def test_an_answer_that_names_another_session_is_refused() -> None:
    session = proposed()

    with pytest.raises(PeerViolation):
        session.confirm(hello(TWO))

    assert session.state is SessionState.PROPOSED


def test_an_answer_that_received_something_in_a_new_session_is_refused() -> None:
    session = proposed()

    with pytest.raises(PeerViolation):
        session.confirm(hello(received=1))

    assert session.state is SessionState.PROPOSED


# Not known


REFUSED: dict[str, Callable[[], tuple[Session[int], Hello]]] = {
    "a session that was never there": lambda: (Session(), hello(TWO, received=1)),
    "the session that died last, from its beginning": lambda: (after_end(), hello(ONE)),
    "a session older than what was acknowledged since": lambda: (
        paused(sent=3, acked=2),
        hello(received=1),
    ),
    "another session than there is": lambda: (paused(sent=3), hello(TWO, received=1)),
    "one of an older process": lambda: (paused(sent=3), hello(TWO, 1, NEW_BOOT)),
}


def after_end() -> Session[int]:
    session = opened()
    session.end()
    return session


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_known_is_not_resumed_and_changes_nothing(case: str) -> None:
    session, greeting = REFUSED[case]()
    before = (session.state, session.name, session.statistics)

    with pytest.raises(UnknownSession):
        session.answer(greeting)

    assert (session.state, session.name, session.statistics) == before


def test_a_peer_that_disowns_the_session_makes_its_envelopes_ambiguous() -> None:
    session = paused(sent=3, acked=1)
    session.offer(b"x", 3)
    session.propose(TWO)

    lost = session.disowned()

    assert lost == SessionLost((1, 2, 3), (b"x",), LossCause.UNKNOWN)
    assert session.propose(TWO) == TWO


def test_a_proposal_that_is_refused_keeps_what_was_offered_for_the_next_one() -> None:
    session = proposed(offered=2)

    lost = session.disowned()
    after = session.state
    name = session.propose(TWO)
    session.confirm(hello(TWO))

    assert (lost, after, name) == (None, SessionState.IDLE, TWO)
    assert session.batches() == [Batch(1, 0, (b"x", b"x"))]


# Lost


def test_a_restarted_peer_that_dials_makes_the_envelopes_ambiguous_and_begins_anew() -> None:
    session = paused(sent=3, acked=1, arrived=2)

    lost = session.answer(hello(TWO, boot=NEW_BOOT))
    session.offer(b"new", 9)

    assert lost == SessionLost((1, 2), (), LossCause.RESTARTED)
    assert session.batches() == [Batch(1, 0, (b"new",))]


def test_a_restarted_peer_is_not_taken_for_the_one_before_because_of_the_name() -> None:
    session = paused(sent=3)

    lost = session.answer(hello(ONE, boot=NEW_BOOT))

    assert lost == SessionLost((0, 1, 2), (), LossCause.RESTARTED)
    assert session.batches() == []


def test_a_restarted_peer_that_answers_does_the_same() -> None:
    session = paused(sent=3, acked=1, arrived=2)
    session.propose(TWO)

    lost = session.confirm(hello(ONE, boot=NEW_BOOT))
    session.offer(b"new", 9)

    assert lost == SessionLost((1, 2), (), LossCause.RESTARTED)
    assert session.batches() == [Batch(1, 0, (b"new",))]


def test_a_restarted_peer_that_answers_with_numbers_is_refused() -> None:
    session = paused(sent=3)

    with pytest.raises(PeerViolation):
        session.confirm(hello(ONE, received=1, boot=NEW_BOOT))

    assert (session.state, session.statistics.in_flight) == (SessionState.PAUSED, 3)


def test_a_peer_that_begins_another_session_ends_the_one_there_was() -> None:
    session = paused(sent=3)

    lost = session.answer(hello(TWO))

    assert lost == SessionLost((0, 1, 2), (), LossCause.REPLACED)
    assert session.name == TWO


@pytest.mark.parametrize("make", [opened, paused])
def test_the_end_makes_what_is_unacknowledged_ambiguous(make: Callable[..., Session[int]]) -> None:
    session = make(3, 1)
    session.offer(b"x", 3)

    lost = session.end()

    assert lost == SessionLost((1, 2, 3), (b"x",), LossCause.ENDED)
    assert (session.state, session.name) == (SessionState.IDLE, b"")


def test_the_end_before_the_first_hello_gives_up_what_waits_for_it() -> None:
    session = proposed(offered=2)

    assert session.end() == SessionLost((0, 1), (b"x", b"x"), LossCause.ENDED)


def test_the_end_of_nothing_is_nothing() -> None:
    session: Session[int] = Session()

    assert session.end() is None


def test_the_end_of_an_idle_session_is_told_although_nothing_is_lost() -> None:
    assert opened().end() == SessionLost((), (), LossCause.ENDED)


def test_handing_over_late_does_not_acknowledge_in_the_next_session() -> None:
    session = opened(arrived=3)
    session.end()
    session.answer(hello(TWO))
    session.receive(Batch(1, 0, (b"y", b"y")), 0.0)

    session.handed_over(3)

    assert session.acknowledge() == 0


# Traffic


def test_batches_carry_the_ack() -> None:
    session = opened(arrived=2)
    session.handed_over(2)
    session.offer(b"x", 0)

    batches = session.batches()

    assert batches == [Batch(1, 2, (b"x",))]
    assert (session.ack_deadline, session.sent) == (None, 1)


def test_a_batch_that_acknowledges_too_much_is_refused_whole() -> None:
    session = opened(sent=1)

    with pytest.raises(PeerViolation):
        session.receive(Batch(1, 2, (b"y",)), 0.0)

    assert (session.statistics.received, session.statistics.in_flight) == (0, 1)


def test_a_batch_after_a_gap_acknowledges_nothing() -> None:
    session = opened(sent=1)

    with pytest.raises(SequenceGap):
        session.receive(Batch(2, 1, (b"y",)), 0.0)

    assert session.statistics.in_flight == 1


def test_the_ack_of_a_batch_counts() -> None:
    session = opened(sent=1)

    session.receive(Batch(1, 1, (b"y",)), 0.0)

    assert session.statistics == SessionStatistics(
        sent=1, acknowledged=1, refused=0, ambiguous=0, in_flight=0, received=1, duplicates=0
    )


def test_the_books_add_up_over_several_sessions() -> None:
    session = paused(sent=4, acked=1)
    session.answer(hello(TWO, boot=NEW_BOOT))
    for token in range(5):
        session.offer(b"x", token)
    session.batches()
    session.acknowledged(2)

    assert session.statistics == SessionStatistics(
        sent=9, acknowledged=3, refused=0, ambiguous=3, in_flight=3, received=0, duplicates=0
    )


def test_a_beat_shows_a_lost_tail() -> None:
    session = opened(arrived=1)

    session.peer_sent(1)
    with pytest.raises(SequenceGap):
        session.peer_sent(2)

    assert session.state is SessionState.OPEN


@pytest.mark.parametrize("make", [Session, proposed, paused])
@pytest.mark.parametrize(
    "verb",
    [
        lambda session: session.receive(Batch(1, 0, (b"y",)), 0.0),
        lambda session: session.acknowledged(0),
        lambda session: session.peer_sent(0),
    ],
)
def test_without_a_connection_nothing_arrives(
    make: Callable[[], Session[int]], verb: Callable[[Session[int]], object]
) -> None:
    session = make()
    before = (session.state, session.statistics)

    with pytest.raises(IllegalStep):
        verb(session)

    assert (session.state, session.statistics) == before


@pytest.mark.parametrize("make", [Session, proposed, paused])
def test_without_a_connection_nothing_leaves(make: Callable[[], Session[int]]) -> None:
    session = make()
    session.offer(b"x", 0)

    assert (session.batches(), session.ack_deadline) == ([], None)


@pytest.mark.parametrize(
    "verb",
    [
        lambda session: session.propose(TWO),
        lambda session: session.answer(hello()),
        lambda session: session.answer(hello(TWO)),
        lambda session: session.confirm(hello()),
    ],
)
def test_an_open_session_is_not_opened_again(verb: Callable[[Session[int]], object]) -> None:
    session = opened(sent=2)

    with pytest.raises(IllegalStep):
        verb(session)

    assert (session.state, session.statistics.in_flight) == (SessionState.OPEN, 2)
