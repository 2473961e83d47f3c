"""Coalescing: of messages that stand for each other only the newest is handled (design §4)."""

from __future__ import annotations

import threading

import pytest

from actors import Actor, ActorSystem, ChildSpec, Message, Request, ThreadActor, handles, interleave
from actors.kernel.errors import HandlerError, MailboxFull, MessageTooBig
from actors.kernel.ref import ActorRef
from actors.kernel.simulation import SimulatedWorld
from tests.kernel.cast import PATIENCE_S, Hold, Note, Notes


class Nudge(Message, tag="test.nudge"):
    pass


class Price(Message, tag="test.price"):
    share: str
    cents: int
    note: str = ""


class AskPrice(Request[int], tag="test.ask_price"):
    pass


class Urgent(Message, tag="test.urgent_level"):
    n: int


class Reader(Actor):
    """Writes down what it handles; fails on the price that is told to fail, once."""

    def __init__(self, seen: list[str] | None = None) -> None:
        super().__init__()
        self.seen = seen if seen is not None else []

    @handles(coalesce=True)
    def nudge(self, message: Nudge) -> None:
        self.seen.append("nudge")

    @handles(coalesce=lambda price: price.share)
    def price(self, message: Price) -> None:
        self.seen.append(f"{message.share} {message.cents}")
        if message.note == "fail" and self.seen.count(self.seen[-1]) == 1:
            raise ValueError("once")

    @handles(coalesce=True, control=True)
    def urgent(self, message: Urgent) -> None:
        self.seen.append(f"urgent {message.n}")

    @handles(coalesce=True)
    def ask_price(self, message: AskPrice) -> int:
        self.seen.append("asked")
        return len(self.seen)

    @handles
    def note(self, message: Note) -> None:
        self.seen.append(message.text)

    @handles
    def read(self, message: Notes) -> tuple[str, ...]:
        return tuple(self.seen)


def test_nudges_that_wait_become_one(sim: ActorSystem) -> None:
    reader = sim.start(Reader)
    for _ in range(5):
        reader.tell(Nudge())

    assert reader.ask(Notes()) == ("nudge",)
    audit = sim.audit()
    assert audit.coalesced == 4
    assert audit.balanced


def test_the_newest_of_a_key_is_handled_in_the_place_of_the_oldest(sim: ActorSystem) -> None:
    reader = sim.start(Reader)
    reader.tell(Price(share="A", cents=1))
    reader.tell(Note(text="between"))
    reader.tell(Price(share="B", cents=2))
    reader.tell(Price(share="A", cents=3))

    assert reader.ask(Notes()) == ("A 3", "between", "B 2")


def test_a_message_that_comes_when_the_handler_has_begun_is_handled_again(
    sim: ActorSystem,
) -> None:
    reader = sim.start(Reader)
    reader.tell(Nudge())
    reader.ask(Notes())
    reader.tell(Nudge())

    assert reader.ask(Notes()) == ("nudge", "nudge")
    assert sim.audit().coalesced == 0


def test_asks_and_messages_that_expire_never_coalesce(sim: ActorSystem) -> None:
    reader = sim.start(Reader)
    first, second = reader.ask(AskPrice(), block=False), reader.ask(AskPrice(), block=False)
    reader.tell(Nudge(), expires=5)
    reader.tell(Nudge())

    assert (first.get(), second.get()) == (1, 2)
    assert reader.ask(Notes()) == ("asked", "asked", "nudge", "nudge")


def test_the_control_lane_coalesces_as_well(sim: ActorSystem) -> None:
    reader = sim.start(Reader)
    reader.tell(Note(text="user"))
    for n in range(3):
        reader.tell(Urgent(n=n))

    assert reader.ask(Notes()) == ("urgent 2", "user")


def test_a_full_lane_takes_what_replaces_and_refuses_what_is_new(sim: ActorSystem) -> None:
    reader: ActorRef[Reader] = sim.spawn(ChildSpec(Reader, mailbox=2))
    reader.tell(Price(share="A", cents=1))
    reader.tell(Note(text="full"))
    reader.tell(Price(share="A", cents=2))

    with pytest.raises(MailboxFull):
        reader.tell(Price(share="B", cents=1))

    reader.stop(drain=True)
    audit = sim.audit()
    assert (audit.handled, audit.coalesced, audit.rejected) == (2, 1, 1)
    assert audit.balanced


def test_bytes_of_what_was_replaced_are_given_back(sim: ActorSystem) -> None:
    reader = sim.start(Reader)
    for n in range(100):  # 100 MiB in all, one at a time
        reader.tell(Price(share="A", cents=n, note="x" * 1_000_000))

    assert reader.ask(Notes()) == ("A 99",)
    with pytest.raises(MessageTooBig):
        reader.tell(Price(share="A", cents=1, note="x" * 2_000_000))
    cell = reader.actor_inbox
    assert cell.bytes_in == cell.bytes_out


def test_a_coalesced_message_that_fails_is_tried_again_beside_a_newer_one(
    world: SimulatedWorld, sim: ActorSystem
) -> None:
    seen: list[str] = []
    reader: ActorRef[Reader] = sim.spawn(ChildSpec(Reader, (seen,)))
    reader.tell(Price(share="A", cents=1, note="fail"))
    world.run_until(lambda: bool(seen))
    reader.tell(Price(share="A", cents=2))

    assert reader.ask(Notes()) == ("A 1", "A 1", "A 2")


def test_what_was_coalesced_is_one_dead_letter(sim: ActorSystem) -> None:
    reader = sim.start(Reader)
    for cents in range(3):
        reader.tell(Price(share="A", cents=cents))
    reader.stop()

    assert [letter.message for letter in sim.dead_letters] == [Price(share="A", cents=2)]
    assert sim.audit().balanced


def test_interleaving_handlers_may_coalesce(sim: ActorSystem) -> None:
    class Slow(Actor):
        def __init__(self) -> None:
            super().__init__()
            self.gate = self.promise()

        @handles
        async def hold(self, message: Hold) -> None:
            await self.gate

        @handles(coalesce=True)
        @interleave
        def nudge(self, message: Nudge) -> None:
            self.gate.set()

    slow = sim.start(Slow)
    held = slow.ask(Hold(), block=False)
    slow.tell(Nudge())
    slow.tell(Nudge())

    held.get(timeout=1)
    assert sim.audit().coalesced == 1


def test_a_key_that_raises_refuses_the_message_to_its_sender(sim: ActorSystem) -> None:
    class Odd(Actor):
        @handles(coalesce=lambda message: message.missing)
        def nudge(self, message: Nudge) -> None:
            """Never called."""

    odd = sim.start(Odd)

    with pytest.raises(AttributeError):
        odd.tell(Nudge())
    assert sim.audit().balanced


def test_a_thread_actor_does_not_coalesce() -> None:
    with pytest.raises(HandlerError, match="coalescing"):

        class Threaded(ThreadActor):
            @handles(coalesce=True)
            def nudge(self, message: Nudge) -> None:
                """Never called."""


def test_threads_that_nudge_at_once_lose_nothing(system: ActorSystem) -> None:
    """What is told before the handler begins is seen by it: the last word is never lost."""
    latest = [0] * 4
    done = threading.Event()

    class Level(Actor):
        """Reads the level, not the news."""

        @handles(coalesce=lambda price: price.share)
        def price(self, message: Price) -> None:
            latest[int(message.share)] = message.cents
            if all(cents == 2_000 for cents in latest):
                done.set()

    level = system.start(Level)

    def push(share: int) -> None:
        for cents in range(1, 2_001):
            level.tell(Price(share=str(share), cents=cents), timeout=PATIENCE_S)

    threads = [threading.Thread(target=push, args=(share,)) for share in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert done.wait(PATIENCE_S)
    level.stop(drain=True)
    audit = system.audit()
    assert audit.handled + audit.coalesced == 8_000
    assert audit.balanced
