"""One link: every verb in every state, greeting, refusals, connections, envelopes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import suppress

import pytest

from tests.transport.link_makers import (
    BEAT,
    KEY,
    NEW_BOOT,
    ONE,
    TWO,
    cut,
    gone,
    greeting,
    new,
    peer_hello,
    ready,
    silent,
)
from transport.errors import IllegalStep, WouldBlock
from transport.events import (
    ByeCode,
    Delivery,
    Gone,
    Hangup,
    LossCause,
    Ready,
    Room,
    SessionLost,
    Suspected,
)
from transport.greeting import LocalNode
from transport.link import SUSPECT_S, Link
from transport.parcels import Ack, Batch, Beat, Bye, Hello, Parcel
from transport.session import Session
from transport.states import LinkState

MAKERS = {
    LinkState.NEW: new,
    LinkState.GREETING: greeting,
    LinkState.READY: ready,
    LinkState.SILENT: silent,
    LinkState.CUT: cut,
    LinkState.GONE: gone,
}

Verb = Callable[[Link[int]], object]
VERBS: dict[str, Verb] = {
    "dialled": lambda link: link.dialled("second", 3.0, key=KEY, fresh=TWO),
    "accepted": lambda link: link.accepted("second", peer_hello(), 3.0, key=KEY),
    "beat": lambda link: link.receive("first", BEAT, 3.0),
    "closed": lambda link: link.closed("first", 3.0),
    "close": lambda link: link.close(),
}
N, G, R, Q, C, X = LinkState  # Q: silent, X: gone
RAISES = None
GRID: dict[LinkState, tuple[LinkState | None, ...]] = {
    # dialled, accepted, beat, closed, close
    N: (G, R, N, N, X),
    G: (G, R, X, C, X),  # a beat before the Hello ends it
    R: (G, R, R, C, X),
    Q: (G, R, R, C, X),
    C: (G, R, C, C, X),  # nothing comes from a connection that is closed
    X: (RAISES, RAISES, X, X, RAISES),
}


@pytest.mark.parametrize("state", LinkState)
def test_links_for_these_tests_are_in_the_state_they_say(state: LinkState) -> None:
    assert MAKERS[state]().state is state


@pytest.mark.parametrize("state", LinkState)
@pytest.mark.parametrize("column", range(len(VERBS)))
def test_every_verb_in_every_state_leads_where_the_grid_says(state: LinkState, column: int) -> None:
    # A name above the peer's yields when both dial.
    link = MAKERS[state]("zoe")
    verb = list(VERBS.values())[column]
    expected = GRID[state][column]

    if expected is RAISES:
        with pytest.raises(IllegalStep):
            verb(link)
    else:
        verb(link)

    assert link.state is (expected or state)


@pytest.mark.parametrize("column", range(len(VERBS)))
def test_a_gone_link_says_nothing_more(column: int) -> None:
    link = gone()
    verb = list(VERBS.values())[column]

    with suppress(IllegalStep):
        verb(link)
    left = link.tick(99.0)

    assert (left.parcels, left.events, link.next_deadline(99.0)) == ([], [], None)


# Greeting


def test_the_side_that_dials_speaks_first() -> None:
    link = greeting()

    ((connection, hello),) = link.parcels(0.0)

    assert (connection, link.events()) == ("first", [])
    assert isinstance(hello, Hello)
    assert (hello.node, hello.session, hello.received) == ("me", ONE, 0)


def test_the_side_that_was_dialled_answers_with_the_same_session() -> None:
    link = new()

    link.accepted("first", peer_hello(ONE), 0.0, key=KEY)
    ((connection, hello),) = link.parcels(0.0)

    assert isinstance(hello, Hello)
    assert (connection, hello.session, hello.received) == ("first", ONE, 0)
    assert link.events() == [Ready(peer_hello(ONE), 1, resumed=False)]


def test_the_answer_makes_the_link_ready() -> None:
    link = greeting()

    link.receive("first", peer_hello(), 0.1)

    assert (link.state, link.peer) == (LinkState.READY, "peer")
    assert link.events() == [Ready(peer_hello(), 1, resumed=False)]


def test_a_resumed_connection_says_what_was_received() -> None:
    link = ready()
    link.receive("first", Batch(1, 0, (b"x", b"y")), 0.1)
    link.session.handed_over(1)
    link.closed("first", 0.2)

    link.dialled("second", 0.3, key=KEY, fresh=TWO)
    ((_, hello),) = link.parcels(0.3)
    link.receive("second", peer_hello(), 0.4)

    assert isinstance(hello, Hello)
    assert (hello.session, hello.received) == (ONE, 1)
    assert link.events()[-1] == Ready(peer_hello(), 1, resumed=True)


@pytest.mark.parametrize("parcel", [BEAT, Ack(0), Batch(1, 0, (b"x",))])
def test_a_parcel_before_the_hello_ends_the_link(parcel: Parcel) -> None:
    dialling, fresh = greeting(), new()
    dialling.parcels(0.0)

    dialling.receive("first", parcel, 0.1)
    fresh.accepted("first", parcel, 0.1, key=KEY)

    for link in (dialling, fresh):
        ((connection, bye),) = link.parcels(0.1)
        assert isinstance(bye, Bye)
        assert (connection, bye.code) == ("first", ByeCode.PROTOCOL)
        assert link.events()[0] == Hangup("first")
        assert link.state is LinkState.GONE


def test_a_second_hello_ends_the_link() -> None:
    link = ready()

    link.receive("first", peer_hello(), 0.1)

    assert [bye.code for _, bye in link.parcels(0.1) if isinstance(bye, Bye)] == ["protocol"]
    assert link.state is LinkState.GONE


@pytest.mark.parametrize("dialled", [True, False])
def test_a_peer_of_another_version_is_told_and_the_link_ends(dialled: bool) -> None:
    link = greeting() if dialled else new()
    link.parcels(0.0)
    hello = dataclasses.replace(peer_hello(), protocols=(8, 9))

    if dialled:
        link.receive("first", hello, 0.1)
    else:
        link.accepted("first", hello, 0.1, key=KEY)

    ((_, bye),) = link.parcels(0.1)
    assert isinstance(bye, Bye)
    assert bye.code == ByeCode.VERSION
    assert "1 to 1" in bye.text
    assert "8 to 9" in bye.text
    assert link.events()[-1] == Gone(ByeCode.VERSION, bye.text, by_peer=False)


def test_the_node_that_was_dialled_must_have_the_expected_name() -> None:
    link: Link[int] = Link(LocalNode("me", b"m" * 16, "data"), Session(), peer="other")
    link.dialled("first", 0.0, key=KEY, fresh=ONE)
    link.parcels(0.0)

    link.receive("first", peer_hello(), 0.1)

    ((_, bye),) = link.parcels(0.1)
    assert isinstance(bye, Bye)
    assert bye.code == ByeCode.IDENTITY


# A link belongs to one key and one name


@pytest.mark.parametrize("dialled", [True, False])
def test_another_key_is_refused_and_the_link_stays_as_it_was(dialled: bool) -> None:
    link = ready()

    if dialled:
        link.dialled("second", 0.1, key="another", fresh=TWO)
    else:
        link.accepted("second", peer_hello(), 0.1, key="another")

    ((connection, bye),) = link.parcels(0.1)
    assert isinstance(bye, Bye)
    assert (connection, bye.code) == ("second", ByeCode.IDENTITY)
    assert (link.events(), link.state) == ([Hangup("second")], LinkState.READY)


def test_another_name_under_the_same_key_is_refused_and_the_link_stays_as_it_was() -> None:
    link = ready()

    link.accepted("second", peer_hello(node="impostor"), 0.1, key=KEY)

    ((connection, bye),) = link.parcels(0.1)
    assert isinstance(bye, Bye)
    assert (connection, bye.code) == ("second", ByeCode.IDENTITY)
    assert (link.peer, link.state) == ("peer", LinkState.READY)


# Connections replace each other


def test_a_peer_that_dials_anew_leaves_the_old_connection() -> None:
    link = ready()

    link.accepted("second", peer_hello(), 0.1, key=KEY)
    link.receive("first", Bye("closing", ""), 0.2)  # too late to mean anything

    assert [(to, type(parcel)) for to, parcel in link.parcels(0.2)] == [
        ("first", Bye),
        ("second", Hello),
    ]
    assert link.events() == [Hangup("first"), Ready(peer_hello(), 1, resumed=True)]
    assert link.state is LinkState.READY


def test_a_trusted_peer_that_has_not_restarted_does_not_begin_another_session() -> None:
    link = ready()

    link.accepted("second", peer_hello(TWO), 0.1, key=KEY)

    ((connection, bye),) = link.parcels(0.1)
    assert isinstance(bye, Bye)
    assert (connection, bye.code) == ("second", ByeCode.SESSION)
    assert (link.state, link.session.name) == (LinkState.READY, ONE)


def test_a_suspect_peer_may_begin_another_session() -> None:
    link = silent()

    link.accepted("second", peer_hello(TWO), SUSPECT_S, key=KEY)

    assert link.events()[1:] == [
        SessionLost((), (), LossCause.REPLACED),
        Ready(peer_hello(TWO), 1, resumed=False),
    ]


def test_a_restarted_peer_begins_another_session_and_the_old_envelopes_are_ambiguous() -> None:
    link = ready()
    link.session.offer(b"x", 7)
    hello = peer_hello(TWO, boot=NEW_BOOT)

    link.accepted("second", hello, 0.1, key=KEY)

    assert link.events()[1:] == [
        SessionLost((7,), (b"x",), LossCause.RESTARTED),
        Ready(hello, 1, resumed=False),
    ]


def test_an_older_connection_that_comes_late_changes_nothing() -> None:
    link = ready()
    link.session.offer(b"x", 7)
    link.parcels(0.0)
    link.receive("first", Ack(1), 0.1)

    link.accepted("older", peer_hello(received=0), 0.2, key=KEY)

    ((connection, bye),) = link.parcels(0.2)
    assert isinstance(bye, Bye)
    assert (connection, bye.code) == ("older", ByeCode.SESSION)
    assert (link.events(), link.state) == ([Hangup("older")], LinkState.READY)


def test_a_connection_with_numbers_that_cannot_be_changes_nothing() -> None:
    link = ready()

    link.accepted("second", peer_hello(received=5), 0.1, key=KEY)

    ((connection, bye),) = link.parcels(0.1)
    assert isinstance(bye, Bye)
    assert (connection, bye.code) == ("second", ByeCode.PROTOCOL)
    assert (link.events(), link.state) == ([Hangup("second")], LinkState.READY)


def test_when_both_dial_the_connection_of_the_lesser_name_stays() -> None:
    lesser, greater = greeting("me"), greeting("zoe")
    lesser.parcels(0.0)
    greater.parcels(0.0)

    lesser.accepted("second", peer_hello(TWO), 0.1, key=KEY)
    greater.accepted("second", peer_hello(TWO), 0.1, key=KEY)

    assert [(to, getattr(p, "code", "")) for to, p in lesser.parcels(0.1)] == [
        ("second", ByeCode.CROSSED)
    ]
    assert lesser.state is LinkState.GREETING
    assert [(to, getattr(p, "code", "")) for to, p in greater.parcels(0.1)] == [
        ("first", ByeCode.REPLACED),
        ("second", ""),
    ]
    assert (greater.state, greater.session.name) == (LinkState.READY, TWO)


def test_the_lesser_name_keeps_what_it_proposed_although_its_connection_is_cut() -> None:
    link = greeting("me")
    link.closed("first", 0.1)

    link.accepted("second", peer_hello(TWO), 0.2, key=KEY)

    assert [(to, getattr(p, "code", "")) for to, p in link.parcels(0.2)] == [
        ("second", ByeCode.CROSSED)
    ]
    assert link.state is LinkState.CUT


def test_a_link_that_is_new_waits_for_a_peer_that_resumes_to_begin_anew() -> None:
    link = new()
    link.session.offer(b"x", 7)

    link.accepted("first", peer_hello(received=3), 0.0, key=KEY)
    state, ((_, bye),) = link.state, link.parcels(0.0)
    link.accepted("second", peer_hello(TWO), 0.1, key=KEY)

    assert isinstance(bye, Bye)
    assert (state, bye.code) == (LinkState.NEW, ByeCode.SESSION)
    assert [parcel for _, parcel in link.parcels(0.1)][1:] == [Batch(1, 0, (b"x",))]


def test_a_dialler_whose_session_is_not_known_begins_a_new_one() -> None:
    link = cut()
    link.session.offer(b"x", 7)
    link.dialled("second", 0.1, key=KEY, fresh=TWO)

    link.receive("second", Bye(ByeCode.SESSION, ""), 0.2)
    events = link.events()
    link.parcels(0.2)
    link.dialled("third", 0.3, key=KEY, fresh=TWO)
    ((_, hello),) = link.parcels(0.3)

    assert events == [SessionLost((7,), (b"x",), LossCause.UNKNOWN), Hangup("second")]
    assert isinstance(hello, Hello)
    assert hello.session == TWO


def test_a_dialler_whose_proposal_is_refused_loses_nothing() -> None:
    link = greeting()
    link.session.offer(b"x", 7)

    link.receive("first", Bye(ByeCode.SESSION, ""), 0.1)

    assert (link.events(), link.state) == ([Hangup("first")], LinkState.CUT)
    assert link.session.statistics.in_flight == 1


# Gaps


def test_a_gap_ends_the_connection_and_not_the_session() -> None:
    link = ready()

    link.receive("first", Batch(2, 0, (b"x",)), 0.1)

    ((connection, bye),) = link.parcels(0.1)
    assert isinstance(bye, Bye)
    assert (connection, bye.code) == ("first", ByeCode.GAP)
    assert link.events() == [Hangup("first"), Suspected(closed=True)]
    assert (link.state, link.session.name) == (LinkState.CUT, ONE)


def test_the_code_of_a_bye_is_plain_text_for_whoever_packs_it() -> None:
    refused, ended = ready(), ready()

    refused.receive("first", Batch(2, 0, (b"x",)), 0.1)
    ended.close()

    byes = [link.parcels(0.1)[0][1] for link in (refused, ended)]
    assert [type(bye.code) for bye in byes if isinstance(bye, Bye)] == [str, str]


def test_a_beat_that_shows_a_lost_tail_is_a_gap() -> None:
    link = ready()

    link.receive("first", Beat(1, 0, 0), 0.1)

    assert [p.code for _, p in link.parcels(0.1) if isinstance(p, Bye)] == [ByeCode.GAP]


@pytest.mark.parametrize("code", [ByeCode.GAP, ByeCode.REPLACED, ByeCode.CROSSED, ByeCode.SESSION])
def test_a_bye_that_asks_for_a_new_connection_cuts_the_link(code: ByeCode) -> None:
    link = ready()
    link.session.offer(b"x", 7)

    link.receive("first", Bye(code, "why"), 0.1)

    assert link.events() == [Hangup("first"), Suspected(closed=True)]
    assert link.parcels(0.1) == []
    assert link.session.statistics.in_flight == 1


# Envelopes


def test_envelopes_are_delivered_and_acknowledged_after_they_were_handed_over() -> None:
    link = ready()
    link.receive("first", Batch(1, 0, (b"x", b"y")), 0.1)

    (delivery,) = link.events()
    early = link.parcels(0.2)
    assert isinstance(delivery, Delivery)
    link.session.handed_over(delivery.number)

    assert (delivery.rows, early) == ((b"x", b"y"), [])
    assert link.parcels(0.2) == [("first", Ack(2))]


def test_an_ack_rides_on_a_batch() -> None:
    link = ready()
    link.receive("first", Batch(1, 0, (b"x",)), 0.1)
    link.session.handed_over(1)
    link.session.offer(b"mine", 7)

    assert link.parcels(0.1) == [("first", Batch(1, 1, (b"mine",)))]
    assert link.parcels(0.2) == []


def test_an_ack_waits_20_ms_for_a_batch_and_asks_for_a_tick_then() -> None:
    link = ready()
    link.receive("first", Batch(1, 0, (b"x",)), 0.1)
    link.session.handed_over(1)

    early = link.parcels(0.1)
    due = link.next_deadline(0.1)

    assert early == []
    assert due is not None
    assert link.tick(due).parcels == [("first", Ack(1))]


def test_duplicates_are_not_delivered() -> None:
    link = ready()
    link.receive("first", Batch(1, 0, (b"x",)), 0.1)
    link.events()

    link.receive("first", Batch(1, 0, (b"x",)), 0.1)

    assert link.events() == []


def test_room_is_an_event() -> None:
    link = ready(window=(1, 1024 * 1024))
    link.session.offer(b"x", 0)
    with pytest.raises(WouldBlock):
        link.session.offer(b"y", 1)
    link.parcels(0.0)

    link.receive("first", Ack(1), 0.1)

    assert link.events() == [Room()]


@pytest.mark.parametrize(
    "parcel", [Ack(1), Beat(0, 1, 0), Batch(1, 1, (b"x",)), Batch(1, 0, ()), Batch(0, 0, (b"x",))]
)
def test_a_broken_rule_ends_the_link(parcel: Parcel) -> None:
    link = ready()

    link.receive("first", parcel, 0.1)

    ((_, bye),) = link.parcels(0.1)
    assert isinstance(bye, Bye)
    assert bye.code == ByeCode.PROTOCOL
    assert link.state is LinkState.GONE


def test_a_peer_that_exceeds_its_credit_is_shown_out() -> None:
    link = ready(window=(2, 1024 * 1024))

    link.receive("first", Batch(1, 0, (b"x",) * 3), 0.1)

    assert link.events()[-1] == Gone(
        ByeCode.PROTOCOL,
        "3 envelopes of 3 bytes are unacknowledged, and the window is 2 and 1048576 bytes",
        by_peer=False,
    )
