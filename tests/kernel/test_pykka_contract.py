"""Pykka's contract: telling and asking.

The same sentences over Pykka's actor, ours on a thread, and ours on a loop; see `pykka_kinds.py`.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from typing import Any

import pykka
import pytest

from actors import Actor, ActorSystem
from actors.kernel.errors import (
    ActorFailed,
    AskCycle,
    AskTimeout,
    MailboxFull,
    MessageTooBig,
    Unhandled,
    WouldDeadlock,
)
from actors.kernel.mailbox import MESSAGE_LIMIT
from actors.kernel.simulation import SimulatedWorld
from actors.kernel.thread_inbox import ROOM_S
from actors.system import default_system
from tests.kernel.cast import PATIENCE_S
from tests.kernel.pykka_kinds import (
    Hooked,
    Kind,
    default_of,
    deviation,
    ended,
    held,
    in_a_thread,
    sample,
    sentence,
    stopped_after,
)


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    with stopped_after():
        yield


# -- messages ---------------------------------------------------------------------------------


@sentence()
@pytest.mark.parametrize(
    "message", [None, 1, "text", b"bytes", [1], {"a": {1}}, (1, "x"), object()]
)
def test_a_message_is_any_object_and_arrives_itself(kind: Kind, message: object) -> None:
    ref = sample(kind).start()
    ref.tell(message)

    assert ref.ask(lambda actor: actor.events[0]) is message
    assert ref.ask(message) is message


@sentence()
def test_messages_are_handled_in_order(kind: Kind) -> None:
    events: list[Any] = []
    ref = sample(kind, Hooked).start(events)
    for n in range(100):
        ref.tell(n)
    ref.ask("last")

    assert events == ["start", *range(100), "last"]


@sentence()
def test_messages_of_each_sender_keep_their_order(kind: Kind) -> None:
    events: list[Any] = []
    ref = sample(kind).start(events)

    def send(sender: int) -> None:
        for n in range(200):
            ref.tell((sender, n))

    senders = [in_a_thread(functools.partial(send, sender)) for sender in range(4)]
    for thread in senders:
        thread.join()
    ref.ask(lambda _: None)

    for sender in range(4):
        assert [n for who, n in events if who == sender] == list(range(200))


@sentence()
def test_one_message_is_handled_at_a_time(kind: Kind) -> None:
    def on_receive(self: Any, message: Any) -> Any:
        alone = not self.__dict__.get("busy", False)
        self.busy = True
        threading.Event().wait(0)  # lets another thread in
        self.busy = False
        return alone

    ref = sample(kind, on_receive=on_receive).start()
    answers = [ref.ask(n, block=False) for n in range(100)]

    assert all(pykka.get_all(answers, timeout=PATIENCE_S))


@sentence("message-size")
def test_a_message_may_be_of_any_size(kind: Kind) -> None:
    assert len(sample(kind).start().ask(bytes(1024 * 1024))) == 1024 * 1024


@deviation("message-size")
def test_a_message_of_a_mebibyte_is_too_big(kind: Kind) -> None:
    ref = sample(kind).start()

    with pytest.raises(MessageTooBig):
        ref.tell(bytes(1024 * 1024))
    with pytest.raises(MessageTooBig):
        ref.ask("x" * 1024 * 1024)


MANY = 5_000


@sentence("full-inbox", "full-mailbox")
def test_an_inbox_has_no_bound(kind: Kind) -> None:
    ref = sample(kind).start()
    gate = held(ref)
    for n in range(MANY):
        ref.tell(n)

    with pytest.raises(pykka.Timeout):
        ref.ask("x", timeout=0)

    gate.open()
    assert ref.ask(lambda actor: len(actor.events)) == MANY + 1


@deviation("full-inbox")
def test_a_full_inbox_is_waited_for(kind: Kind) -> None:
    ref = sample(kind).start()
    gate = held(ref)
    for n in range(1_024):
        ref.tell(n)
    with pytest.raises(MailboxFull):
        ref.tell("x", timeout=0.001)
    with pytest.raises(pykka.Timeout):
        ref.ask("x", timeout=0)
    assert default_of(ref.tell, "timeout") == ROOM_S == 30

    waiting = in_a_thread(lambda: ref.tell("waited", timeout=PATIENCE_S))
    gate.open()
    waiting.join()
    assert ref.ask(lambda actor: actor.events[-1]) == "waited"


@deviation("full-inbox")
def test_an_actor_does_not_wait_for_room_in_itself(kind: Kind) -> None:
    def fill(actor: Any) -> int:
        for n in range(MANY):
            try:
                actor.actor_ref.tell(n)
            except MailboxFull:
                return n
        return MANY

    assert sample(kind, mailbox=2).start().ask(fill, timeout=PATIENCE_S) == 2


@deviation("full-inbox")
def test_a_loop_does_not_wait_for_room_in_an_inbox(kind: Kind) -> None:
    full = sample(kind, mailbox=1).start()
    gate = held(full)
    full.tell("fills it")

    def tell(_: Any) -> str:
        try:
            full.tell("x")
        except MailboxFull:
            return "full"
        return "sent"

    assert sample(Actor).start().ask(tell, timeout=PATIENCE_S) == "full"
    gate.open()


@deviation("full-mailbox")
@pytest.mark.parametrize(("message", "room"), [("x", 1_024), (bytes(MESSAGE_LIMIT - 256), 16)])
def test_a_full_mailbox_refuses_at_once(kind: Kind, message: object, room: int) -> None:
    ref = sample(kind).start()
    gate = held(ref)
    for _ in range(room):
        ref.tell(message)

    with pytest.raises(MailboxFull):
        ref.tell(message)
    with pytest.raises(MailboxFull):
        ref.ask(message)

    gate.open()


def _deaf(kind: Kind) -> Any:
    made: Kind = type("Deaf", (kind,), {})
    return made.start()


@sentence("unhandled")
def test_a_message_that_on_receive_does_not_expect_is_logged_and_answered_none(
    kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    ref = _deaf(kind)

    assert ref.ask("what?", timeout=PATIENCE_S) is None
    assert [(each.name, each.levelname) for each in caplog.records] == [("pykka", "WARNING")]
    assert "Unexpected message received by Deaf" in caplog.text


@deviation("unhandled")
def test_a_message_that_nothing_handles_is_a_dead_letter(kind: Kind) -> None:
    ref = _deaf(kind)
    ref.tell("what?")

    with pytest.raises(Unhandled):
        ref.ask("what?", timeout=PATIENCE_S)
    assert default_system().dead_letters.counts() == {"unhandled": 2}


@sentence()
def test_super_on_receive_answers_none(kind: Kind) -> None:
    def on_receive(self: Any, message: Any) -> Any:
        return kind.on_receive(self, message)

    ref = sample(kind, on_receive=on_receive).start()

    assert ref.ask("what?", timeout=PATIENCE_S) is None
    assert ref.is_alive()


# -- asking -----------------------------------------------------------------------------------


@sentence()
def test_ask_without_blocking_gives_a_future(kind: Kind) -> None:
    future = sample(kind).start().ask("x", block=False)

    assert isinstance(future, pykka.Future)
    assert future.get(timeout=PATIENCE_S) == "x"


@sentence()
def test_ask_times_out_and_the_message_is_handled_all_the_same(kind: Kind) -> None:
    events: list[Any] = []
    ref = sample(kind).start(events)
    gate = held(ref)

    with pytest.raises(pykka.Timeout):
        ref.ask("soon", timeout=0.001)
    with pytest.raises(pykka.Timeout):
        ref.ask("now", timeout=0)
    with pytest.raises(pykka.Timeout):
        ref.ask("yesterday", timeout=-1)

    gate.open()
    ref.ask("last", timeout=PATIENCE_S)
    assert events == ["soon", "now", "yesterday", "last"]


@sentence("ask-timeout")
def test_ask_waits_for_ever_by_default(kind: Kind) -> None:
    ref = sample(kind).start()
    gate = held(ref)

    gate.open()

    assert default_of(ref.ask, "timeout") is None


@deviation("ask-timeout")
def test_ask_waits_thirty_seconds_by_default(
    kind: Kind, world: SimulatedWorld, sim: ActorSystem
) -> None:
    ref = sim.start(sample(kind, on_receive=lambda self, message: self.promise()))

    before = world.clock.monotonic()

    with pytest.raises(AskTimeout, match="within 30"):
        ref.ask("x")

    assert world.clock.monotonic() - before == pytest.approx(30)


@sentence("debugging")
def test_a_timeout_holds_whatever_the_environment(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOB_DEBUG", "1")
    ref = sample(kind).start()
    gate = held(ref)

    with pytest.raises(pykka.Timeout):
        ref.ask("x", timeout=0)

    gate.open()


@deviation("debugging")
def test_a_timeout_is_lifted_while_somebody_debugs(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOB_DEBUG", "1")
    ref, answers = sample(kind).start(), list[Any]()
    gate = held(ref)
    asking = in_a_thread(lambda: answers.append(ref.ask("x", timeout=0)))
    gate.open()
    asking.join(PATIENCE_S)

    assert answers == ["x"]


@sentence("ask-failure")
def test_an_exception_of_an_ask_returns_to_the_asker_and_the_actor_lives(kind: Kind) -> None:
    events: list[Any] = []
    ref = sample(kind, Hooked).start(events)
    error = KeyError("x")

    with pytest.raises(KeyError) as caught:
        ref.ask(error)

    assert caught.value is error
    assert ref.is_alive()
    assert events == ["start"]


@deviation("ask-failure")
def test_an_exception_of_an_ask_is_a_failure_of_the_actor(kind: Kind) -> None:
    events: list[Any] = []
    ref = sample(kind, Hooked).start(events)
    error = KeyError("x")

    with pytest.raises(ActorFailed) as caught:
        ref.ask(error)

    assert caught.value.__cause__ is error
    ended(ref)
    assert events == ["start", ("failure", KeyError)]


@sentence()
def test_an_exception_that_is_returned_is_a_value(kind: Kind) -> None:
    error = KeyError("x")

    assert sample(kind).start().ask(lambda _: error) is error


@sentence()
def test_a_future_that_is_returned_is_a_value(kind: Kind) -> None:
    inner: pykka.Future[int] = pykka.ThreadingFuture()

    assert sample(kind).start().ask(lambda _: inner, timeout=PATIENCE_S) is inner


def _promises(actor: Any) -> Any:
    actor.promised = actor.promise() if isinstance(actor, Actor) else pykka.ThreadingFuture()
    return actor.promised


@sentence("answer-to-come")
def test_a_promise_that_is_returned_is_the_answer(kind: Kind) -> None:
    ref = sample(kind).start()
    answer = ref.ask(_promises, timeout=PATIENCE_S)

    assert answer is ref.ask(lambda actor: actor.promised)


@deviation("answer-to-come")
def test_a_promise_that_is_returned_is_answered_when_it_is_kept(kind: Kind) -> None:
    ref = sample(kind).start()
    answer = ref.ask(_promises, block=False)
    ref.tell(lambda actor: actor.promised.set("kept"))

    assert answer.get(timeout=PATIENCE_S) == "kept"


@sentence("would-deadlock")
def test_a_handler_asks_waits_and_stops(kind: Kind) -> None:
    made = sample(kind)
    other = made.start()

    def work(_: Any) -> Any:
        return (
            other.ask("asked"),
            other.ask("later", block=False).get(timeout=PATIENCE_S),
            other.stop(timeout=PATIENCE_S),
        )

    assert made.start().ask(work, timeout=PATIENCE_S) == ("asked", "later", True)


@deviation("would-deadlock")
def test_a_handler_that_would_block_its_loop_is_told_so(kind: Kind) -> None:
    made = sample(kind)
    ref, other = made.start(), made.start()

    def work(_: Any) -> Any:
        pending = other.ask("later", block=False)
        blocking = (lambda: other.ask("asked"), other.stop, lambda: pending.get(timeout=1))
        for block in blocking:
            with pytest.raises(WouldDeadlock, match=r"await ref\.request"):
                block()

    ref.ask(work, timeout=PATIENCE_S)

    assert other.ask(lambda actor: actor.events, timeout=PATIENCE_S) == ["later"]


@sentence("ask-cycle", "would-deadlock")
def test_actors_that_wait_for_each_other_wait_until_a_timeout(kind: Kind) -> None:
    made = sample(kind)
    a, b = made.start(), made.start()

    with pytest.raises(pykka.Timeout):
        a.ask(lambda _: a.ask("x", timeout=0.01), timeout=PATIENCE_S)
    with pytest.raises(pykka.Timeout):
        a.ask(lambda _: b.ask(lambda _: a.ask("x", timeout=0.01)), timeout=PATIENCE_S)


@deviation("ask-cycle")
def test_actors_that_would_wait_for_each_other_are_told_so(kind: Kind) -> None:
    made = sample(kind)
    a, b = made.start(), made.start()

    with pytest.raises(AskCycle):
        a.ask(lambda _: a.ask("x"), timeout=PATIENCE_S)
    with pytest.raises(AskCycle) as caught:
        a.ask(lambda _: b.ask(lambda _: a.ask("x", timeout=PATIENCE_S)), timeout=PATIENCE_S)

    assert caught.value.path == (b.address, a.address, b.address)
    assert a.ask(lambda actor: actor.events, timeout=PATIENCE_S) == []
