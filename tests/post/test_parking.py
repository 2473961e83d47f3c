"""Mail that finds its mailbox full waits in order, within bounds, and outlives its session."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors import ActorSystem
from actors.kernel.errors import MailboxFull, WouldBlock
from actors.kernel.future import ThreadReply
from actors.post import parking as module
from actors.post.parking import PARKED, PARKED_BYTES, Mail, Parking, Violation
from tests.post.nodes import PATIENCE_S, Doorman, Hold, Note, Notes, Worker, told_until
from transport.events import ByeCode

R = TypeVar("R")
MEBIBYTE = 1024 * 1024


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.CRITICAL):
        yield


class Lot:
    """Parking on the loop of a real system, and a mailbox that is full until it is `opened`.

    Attributes:
        put: Texts of what got into the mailbox.
    """

    def __init__(self, system: ActorSystem) -> None:
        self.system = system
        self.realm = system.realm
        self.dispatcher = system.realm.scheduler.dispatcher("member")
        self.opened = False
        self.put: list[str] = []
        self.replies: list[ThreadReply[Any]] = []
        self.parking = Parking(self.realm, self.dispatcher, self._put)

    def _put(self, _target: str, mail: Mail) -> bool:
        if self.opened:
            assert isinstance(mail.message, Note)
            self.put.append(mail.message.text)
        return self.opened

    def on_loop(self, work: Callable[[], R]) -> R:
        done: ThreadReply[R] = ThreadReply(None, "the loop")

        def run() -> None:
            try:
                done.resolve(work(), None)
            except BaseException as error:  # noqa: BLE001 - it is raised again
                done.resolve(None, error)

        self.dispatcher.call(run)
        return done.get(timeout=PATIENCE_S)

    def park(self, text: str, *, asked: bool = False, large: int = 0, to: str = "box") -> None:
        reply: ThreadReply[Any] | None = None
        if asked:
            reply = ThreadReply(None, text)
            self.replies.append(reply)
        mail = Mail(Note(text=text), reply, None, None, large)
        self.on_loop(lambda: self.parking.park(to, mail))

    def lose(self) -> None:
        self.on_loop(self.parking.session_lost)

    def open(self, to: str = "box") -> None:
        """Let everything in that waits for a mailbox."""
        self.opened = True
        self.on_loop(lambda: self.parking._unpark(to))
        self.opened = False

    def dead(self) -> list[tuple[str, str]]:
        """Reasons and texts of dead letters, oldest first."""
        return [(each.reason, each.message.text) for each in self.system.dead_letters]  # type: ignore[attr-defined]

    def refused(self) -> list[str]:
        """Texts of the questions that were refused."""
        found = []
        for reply in self.replies:
            if reply.done:
                with pytest.raises(MailboxFull):
                    reply.get(timeout=0)
                found.append(reply.address)
        return found


@pytest.fixture
def lot() -> Iterator[Lot]:
    """With a target "box", which is an actor whose mailbox has no room."""
    with full_box() as (system, _):
        yield Lot(system)


@contextmanager
def full_box() -> Iterator[tuple[ActorSystem, threading.Event]]:
    """A system whose actor "box" is held, until the event, and has a full mailbox."""
    entered, opened = threading.Event(), threading.Event()
    with ActorSystem("server") as system:
        box = system.start(Doorman, entered, opened, name="box")
        held = box.ask(Hold(), block=False)
        assert entered.wait(PATIENCE_S)
        told_until(MailboxFull, lambda _: box.tell(Note(text="before")))
        try:
            yield system, opened
        finally:
            opened.set()
            held.get(timeout=PATIENCE_S)


def test_what_waits_goes_in_as_it_came(lot: Lot) -> None:
    for number in range(5):
        lot.park(str(number), asked=number % 2 == 1)
    assert (len(lot.parking), "box" in lot.parking, lot.put) == (5, True, [])

    lot.open()

    assert lot.put == ["0", "1", "2", "3", "4"]
    assert (len(lot.parking), "box" in lot.parking) == (0, False)


def test_who_asks_beyond_the_bound_is_refused_and_who_tells_breaks_a_rule(lot: Lot) -> None:
    for number in range(PARKED + 1):
        lot.park(f"ask {number}", asked=True)
    assert lot.refused() == [f"ask {PARKED}"]
    for number in range(2 * PARKED):
        lot.park(f"tell {number}")

    with pytest.raises(Violation) as caught:
        lot.park("one more")

    assert caught.value.code is ByeCode.PROTOCOL
    assert lot.dead() == [("full", "one more")]
    assert len(lot.parking) == 3 * PARKED


def test_large_messages_are_bounded_by_their_bytes_over_all_mailboxes(lot: Lot) -> None:
    for number in range(16):
        lot.park(f"tell {number}", large=MEBIBYTE, to=f"box{number % 2}")
        lot.park(f"ask {number}", large=MEBIBYTE, asked=True, to=f"box{number % 2}")
    lot.park("small")
    lot.park("one ask more", large=4_097, asked=True)

    with pytest.raises(Violation):
        lot.park("one tell more", large=4_097)

    assert lot.refused() == ["one ask more"]
    assert lot.dead()[-1] == ("full", "one tell more")


def test_room_that_was_taken_is_given_back(lot: Lot) -> None:
    for _ in range(3):
        for number in range(16):
            lot.park(str(number), large=MEBIBYTE)
        lot.open()

    assert len(lot.put) == 48
    assert (lot.parking._told_bytes, lot.dead()) == (0, [])


# -- sessions that ended ------------------------------------------------------------------------


def test_what_an_ended_session_parked_does_not_count_against_the_next_one(lot: Lot) -> None:
    for life in range(3):
        for number in range(PARKED):
            lot.park(f"{life} ask {number}", asked=True)
        for number in range(2 * PARKED):
            lot.park(f"{life} tell {number}")
        lot.lose()

    assert len(lot.parking) == PARKED
    lot.open()
    assert lot.put == [f"2 tell {number}" for number in range(PARKED, 2 * PARKED)]


def test_the_oldest_of_ended_sessions_end_as_full(lot: Lot) -> None:
    for number in range(PARKED + 3):
        lot.park(str(number))
    lot.lose()

    assert lot.dead() == [("full", "0"), ("full", "1"), ("full", "2")]
    assert len(lot.parking) == PARKED


def test_large_mail_of_ended_sessions_is_bounded_by_its_bytes(lot: Lot) -> None:
    for life in range(3):
        for number in range(16):
            lot.park(f"{life} {number}", large=MEBIBYTE)
        lot.lose()

    assert len(lot.parking) * MEBIBYTE == PARKED_BYTES
    lot.open()
    assert lot.put == [f"2 {number}" for number in range(16)]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["tell", "tell", "ask", "lose", "open"]),
        st.sampled_from(["box", "none"]),
        st.sampled_from([0, 0, 5_000, 9_000]),
    ),
    max_size=60,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(STEPS)
def test_every_message_ends_once_in_order_and_the_bounds_hold(
    lot: Lot, steps: list[tuple[str, str, int]]
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "PARKED", 3)
        patched.setattr(module, "PARKED_BYTES", 20_000)
        before = lot.system.dead_letters.total
        lot.parking = Parking(lot.realm, lot.dispatcher, lot._put)
        lot.put, lot.replies = [], []
        came: list[int] = []
        session: Counter[str] = Counter()
        for number, (what, to, large) in enumerate(steps):
            if what == "lose":
                lot.lose()
                session.clear()
                assert all(len(each.mail) <= 3 for each in lot.parking._lots.values())
            elif what == "open":
                lot.open(to)
            else:
                came.append(number)
                try:
                    lot.park(str(number), asked=what == "ask", large=large, to=to)
                except Violation:
                    assert what == "tell"
            assert all(len(each.mail) <= 3 + 3 + 6 for each in lot.parking._lots.values())
        lot.open("box")
        lot.open("none")

        dead = lot.system.dead_letters.total - before
        assert len(lot.parking) == 0
        assert len(came) == len(lot.put) + dead + len(lot.refused())
        targets = {str(number): to for number, (_, to, _) in enumerate(steps)}
        for to in ("box", "none"):
            own = [int(text) for text in lot.put if targets[text] == to]
            assert own == sorted(own)


# -- whole nodes --------------------------------------------------------------------------------


def test_mail_for_a_full_mailbox_arrives_in_order_when_it_has_room() -> None:
    with full_box() as (system, opened), ActorSystem("client") as client:
        client.connect(system.listen("ipc"), timeout=PATIENCE_S)
        ref: Any = client.ref("mob://server/box")
        for number in range(1_000):
            ref.tell(Note(text=str(number)), timeout=PATIENCE_S)
        opened.set()

        notes = ref.ask(Notes(), timeout=PATIENCE_S)
        assert notes[-1_000:] == tuple(map(str, range(1_000)))
        assert system.audit().balanced
        assert sum(link.parked for link in system.links()) == 0


def test_a_node_that_starts_again_and_again_fills_no_memory_and_may_tell_each_time() -> None:
    with full_box() as (system, opened):
        system.start(Worker, name="worker")
        address = system.listen("ipc")
        parked = []
        for life in range(4):
            with ActorSystem("client") as client:
                client.connect(address, timeout=PATIENCE_S)
                ref: Any = client.ref("mob://server/box")

                def tell(number: int, ref: Any = ref, life: int = life) -> None:
                    ref.tell(Note(text=f"{life} {number}"), timeout=0.2)

                assert told_until(WouldBlock, tell) == PARKED
                # It is in order, so that all of it has arrived when this is answered.
                client.ref("mob://server/worker").ask(Notes(), timeout=PATIENCE_S)
                parked.append(sum(link.parked for link in system.links()))

        assert max(parked) <= 2 * PARKED
        opened.set()
        with ActorSystem("client") as client:
            client.connect(address, timeout=PATIENCE_S)
            box: Any = client.ref("mob://server/box")
            notes = box.ask(Notes(), timeout=PATIENCE_S)
        assert notes[-PARKED:] == tuple(f"3 {number}" for number in range(PARKED))
        full = [each for each in system.dead_letters if each.reason == "full"]
        assert len(notes) + system.dead_letters.counts()["full"] == 1_024 + 4 * PARKED
        assert full[-1].message == Note(text=f"2 {PARKED - 1}")
        assert system.audit().balanced
