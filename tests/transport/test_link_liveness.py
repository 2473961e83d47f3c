"""One link in time: beats, silence, stops of this process, a loop that is held, the end."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.transport.link_makers import (
    BEAT,
    KEY,
    ONE,
    TWO,
    cut,
    gone,
    greeting,
    new,
    peer_hello,
    ready,
    silent,
    ticked,
)
from transport.events import (
    ByeCode,
    Delivery,
    Gone,
    Hangup,
    LoopFreed,
    LoopHeld,
    LossCause,
    SessionLost,
    Suspected,
    Trusted,
)
from transport.link import BEAT_S, GONE_S, HELD_BEATS, RECONNECT_S, SUSPECT_S, Link
from transport.parcels import Batch, Beat, Bye
from transport.states import LinkState

# Liveness


def test_a_beat_leaves_every_second_and_says_how_far_this_side_is() -> None:
    link = ready()
    link.session.offer(b"x", 7)

    first = link.tick(BEAT_S, progress=5, busy=True)
    soon = link.tick(BEAT_S + 0.5, progress=6, busy=True)
    second = link.tick(2 * BEAT_S, progress=7, busy=True)

    assert first.parcels == [("first", Batch(1, 0, (b"x",))), ("first", Beat(1, 0, 5))]
    assert soon.parcels == []
    assert second.parcels == [("first", Beat(1, 0, 7))]


def test_a_loop_with_nothing_to_do_counts_as_moving() -> None:
    link = ready()

    beats = [link.tick(n * BEAT_S, progress=9, busy=n > 2).parcels for n in range(1, 5)]

    assert [beat.progress for ((_, beat),) in beats if isinstance(beat, Beat)] == [10, 11, 11, 11]


def test_three_seconds_of_silence_make_the_peer_suspect_and_a_word_clears_it() -> None:
    link = ticked(ready(), 1.0, 2.0)

    before = link.tick(SUSPECT_S - 0.01).events
    after = link.tick(SUSPECT_S).events
    link.receive("first", BEAT, 4.0)

    assert (before, after) == ([], [Suspected(closed=False)])
    assert (link.events(), link.state) == ([Trusted()], LinkState.READY)


def test_envelopes_that_come_after_silence_are_delivered_and_clear_the_suspicion() -> None:
    link = silent()
    link.events()

    link.receive("first", Batch(1, 0, (b"a",)), 4.0)
    link.receive("first", Batch(1, 0, (b"a",)), 4.1)

    assert (link.events(), link.state) == ([Trusted(), Delivery((b"a",), 1)], LinkState.READY)


def test_what_was_handed_over_and_comes_again_after_silence_is_no_delivery() -> None:
    link = ready()
    link.receive("first", Batch(1, 0, (b"a",)), 0.5)
    ticked(link, 1.0, 2.0, 3.0, 3.6)
    link.events()

    link.receive("first", Batch(1, 0, (b"a",)), 4.0)

    assert (link.events(), link.state) == ([Trusted()], LinkState.READY)


def test_a_suspicion_is_revoked_once() -> None:
    link = silent()

    for at in (3.1, 3.2):
        link.receive("first", BEAT, at)

    assert link.events() == [Trusted()]


def test_a_silent_peer_still_gets_beats() -> None:
    link = silent()

    assert [type(parcel) for _, parcel in link.tick(SUSPECT_S + BEAT_S).parcels] == [Beat]


def test_eight_seconds_of_silence_are_the_end() -> None:
    link = ready()
    link.session.offer(b"x", 7)
    ticked(link, *range(1, 8))

    outcome = link.tick(GONE_S)

    assert outcome.parcels == [("first", Bye(ByeCode.SILENT, "8 s of silence"))]
    assert outcome.events == [
        Hangup("first"),
        SessionLost((7,), (), LossCause.ENDED),
        Gone(ByeCode.SILENT, "8 s of silence", by_peer=False),
    ]


def test_a_closed_connection_is_suspect_at_once_and_the_end_after_three_seconds() -> None:
    link = ready()
    link.closed("first", 1.0)
    suspected = link.events()

    link.tick(2.0)
    before = link.tick(1.0 + RECONNECT_S - 0.01).events
    after = link.tick(1.0 + RECONNECT_S)

    assert (suspected, before) == ([Suspected(closed=True)], [])
    assert after.parcels == []
    assert after.events[-1] == Gone(ByeCode.SILENT, "3 s without a Hello", by_peer=False)


def test_a_new_connection_clears_the_suspicion_and_its_deadline() -> None:
    link = ready()
    link.closed("first", 1.0)
    link.accepted("second", peer_hello(), 2.0, key=KEY)
    link.events()

    outcome = [link.tick(float(second)).events for second in (2, 3, 4)]

    assert (outcome, link.state) == ([[], [], []], LinkState.READY)


def test_attempts_that_fail_do_not_prolong_the_three_seconds() -> None:
    link = ready()
    link.closed("first", 0.0)
    for attempt in (1.0, 2.0):
        link.tick(attempt)
        link.dialled(attempt, attempt, key=KEY, fresh=TWO)
        link.closed(attempt, attempt + 0.5)

    assert link.next_deadline(2.5) == RECONNECT_S
    assert link.tick(RECONNECT_S).events[-1] == Gone(
        ByeCode.SILENT, "3 s without a Hello", by_peer=False
    )


def test_a_connection_that_closes_late_in_a_silence_does_not_prolong_the_eight_seconds() -> None:
    link = ticked(ready(), *range(1, 7))

    link.closed("first", 6.5)
    link.tick(7.0)

    assert link.next_deadline(7.0) == GONE_S


def test_a_silent_peer_is_suspected_once_although_its_connection_closes_too() -> None:
    link = silent()

    link.closed("first", 4.0)

    assert link.events() == []


def test_nobody_answers_the_first_hello_for_three_seconds_is_the_end() -> None:
    link = greeting()
    link.parcels(0.0)
    ticked(link, 1.0, 2.0)

    outcome = link.tick(RECONNECT_S)

    assert outcome.events == [
        Hangup("first"),
        Gone(ByeCode.SILENT, "3 s without a Hello", by_peer=False),
    ]


def test_a_trusted_peer_whose_next_connection_fails_is_suspected() -> None:
    link = ready()
    link.dialled("second", 0.1, key=KEY, fresh=TWO)
    link.events()

    link.closed("second", 0.2)

    assert link.events() == [Suspected(closed=True)]


@pytest.mark.parametrize("maker", [ready, cut])
def test_the_time_in_which_this_process_was_stopped_is_no_silence_of_the_peer(
    maker: Callable[[], Link[int]],
) -> None:
    link = maker()
    link.tick(1.0)

    events = link.tick(21.0).events  # it should have come at 2.0

    assert events == []
    assert link.state is not LinkState.GONE


def test_after_a_stop_the_silence_goes_on_where_it_was() -> None:
    link = ready()
    link.tick(1.0)
    link.tick(21.0)  # the peer was last heard 2 s before, not counting the stop

    events = [link.tick(21.0 + second).events for second in (0.9, 1.0)]

    assert events == [[], [Suspected(closed=False)]]


def test_what_was_read_after_a_stop_is_not_in_the_future() -> None:
    link = ready()
    link.tick(1.0)
    link.receive("first", BEAT, 21.0)
    link.tick(21.0)

    ticked(link, 22.0, 23.0)

    assert link.tick(21.0 + SUSPECT_S).events == [Suspected(closed=False)]


@pytest.mark.parametrize(
    ("maker", "due"),
    [(new, None), (greeting, 1.0), (ready, 1.0), (silent, 4.0), (cut, 1.0), (gone, None)],
)
def test_a_tick_is_asked_for_every_second_while_the_link_lives(
    maker: Callable[[], Link[int]], due: float | None
) -> None:
    assert maker().next_deadline(0.0) == due


def test_a_deadline_that_has_passed_is_now() -> None:
    assert ready().next_deadline(50.0) == 50.0


def test_the_deadline_is_the_moment_of_suspicion_when_that_comes_before_the_next_beat() -> None:
    link = ticked(ready(), 1.1, 2.2)

    assert link.next_deadline(2.2) == SUSPECT_S


# The member loop of the peer


def test_a_loop_that_stands_still_for_some_beats_is_held_until_it_moves() -> None:
    link = ready()
    events = []
    for beat in range(HELD_BEATS + 2):
        link.receive("first", Beat(0, 0, 42), beat * BEAT_S)
        events.append(link.events())

    link.receive("first", Beat(0, 0, 43), 9.0)

    held = [number for number, told in enumerate(events, 1) if told]
    assert (held, events[HELD_BEATS - 1]) == ([HELD_BEATS], [LoopHeld(42)])
    assert link.events() == [LoopFreed()]


def test_a_loop_that_moves_right_after_it_was_held_is_free() -> None:
    link = ready()
    for _ in range(HELD_BEATS):
        link.receive("first", Beat(0, 0, 42), 0.1)

    link.receive("first", Beat(0, 0, 43), 0.2)

    assert link.events() == [LoopHeld(42), LoopFreed()]


def test_a_loop_that_moves_is_not_held() -> None:
    link = ready()

    for beat in range(3 * HELD_BEATS):
        link.receive("first", Beat(0, 0, beat // (HELD_BEATS - 1)), beat * BEAT_S)

    assert link.events() == []


def test_beats_are_counted_anew_after_a_new_connection() -> None:
    link = ready()
    for _ in range(HELD_BEATS - 1):
        link.receive("first", Beat(0, 0, 42), 0.1)
    link.accepted("second", peer_hello(), 0.2, key=KEY)
    link.events()

    link.receive("second", Beat(0, 0, 42), 0.3)

    assert link.events() == []


# The end


def test_an_orderly_end_says_bye_and_names_what_is_ambiguous() -> None:
    link = ready()
    link.session.offer(b"x", 7)
    link.parcels(0.0)

    link.close("that is all")

    assert link.parcels(0.0) == [("first", Bye(ByeCode.CLOSING, "that is all"))]
    assert link.events() == [
        Hangup("first"),
        SessionLost((7,), (), LossCause.ENDED),
        Gone(ByeCode.CLOSING, "that is all", by_peer=False),
    ]


def test_the_end_of_a_new_link_has_nobody_to_tell() -> None:
    link = new()

    link.close()

    assert (link.parcels(0.0), link.events()) == ([], [Gone(ByeCode.CLOSING, "", by_peer=False)])


@pytest.mark.parametrize("maker", [greeting, ready, silent])
@pytest.mark.parametrize("code", ["closing", "version", "from the future"])
def test_a_bye_of_the_peer_is_the_end(maker: Callable[[], Link[int]], code: str) -> None:
    link = maker()
    link.parcels(0.0)

    link.receive("first", Bye(code, "so it is"), 3.1)

    assert link.parcels(3.1) == []
    assert link.events()[-1] == Gone(code, "so it is", by_peer=True)


def test_a_long_bye_is_shortened() -> None:
    link = ready()

    link.receive("first", Bye("x" * 1000, "y" * 1000), 0.1)

    assert link.events()[-1] == Gone("x" * 200, "y" * 200, by_peer=True)


def test_only_the_end_of_the_current_connection_matters() -> None:
    link = ready()

    link.closed("older", 0.1)

    assert (link.events(), link.state) == ([], LinkState.READY)


def test_a_connection_that_is_closed_gets_nothing_more() -> None:
    link = greeting()

    link.closed("first", 0.1)

    assert link.parcels(0.1) == []


def test_the_session_outlives_the_link_and_the_next_link_begins_a_new_one() -> None:
    first = ready()
    first.receive("first", Batch(1, 0, (b"x",)), 0.1)
    first.close()
    second: Link[int] = Link(first.local, first.session)

    second.accepted("second", peer_hello(ONE), 0.2, key=KEY)
    ((_, bye),) = second.parcels(0.2)
    second.accepted("third", peer_hello(TWO), 0.3, key=KEY)

    assert isinstance(bye, Bye)
    assert bye.code == ByeCode.SESSION
    assert (second.state, second.session.name) == (LinkState.READY, TWO)
