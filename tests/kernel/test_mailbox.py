"""Lanes and bounds: a full lane rejects to the sender, and SYSTEM calls always get through."""

from __future__ import annotations

import threading

import pytest

from actors import Actor, ActorSystem, ChildSpec, Message, Request, handles
from actors.kernel.errors import ActorDead, Expired, MailboxFull, MessageTooBig
from actors.kernel.mailbox import CONTROL_BOUND, CONTROL_RUN, MESSAGE_LIMIT, USER_BYTES
from actors.kernel.ref import ActorRef
from actors.kernel.simulation import SimulatedWorld
from tests.kernel.cast import (
    PATIENCE_S,
    Add,
    Call,
    Door,
    Hold,
    Note,
    Notebook,
    Notes,
    Peek,
    Puppet,
    Sleeper,
    Total,
    notes_in_the_end,
)


class Urgent(Message, tag="test.urgent"):
    n: int


class VeryUrgent(Urgent, tag="test.very_urgent"):
    pass


class Order(Request[tuple[str, ...]], tag="test.order"):
    pass


class Desk(Actor):
    """Takes urgent messages first."""

    def __init__(self, entered: threading.Event, opened: threading.Event) -> None:
        super().__init__()
        self.entered, self.opened = entered, opened
        self.order: list[str] = []

    @handles
    def hold(self, message: Hold) -> None:
        self.entered.set()
        self.opened.wait(PATIENCE_S)

    @handles(control=True)
    def urgent(self, message: Urgent) -> None:
        self.order.append("control")

    @handles
    def note(self, message: Note) -> None:
        self.order.append("user")

    @handles
    def read(self, message: Order) -> tuple[str, ...]:
        return tuple(self.order)


class Held:
    """A Door or Desk whose handler runs until `open()`."""

    def __init__(self, system: ActorSystem, kind: type[Actor], **spec: int) -> None:
        self.entered, self.opened = threading.Event(), threading.Event()
        self.ref: ActorRef[Actor] = system.spawn(
            ChildSpec(kind, (self.entered, self.opened), **spec)  # type: ignore[arg-type]
        )
        self.actor = self.ref.actor_inbox.actor
        self.answer = self.ref.ask(Hold(), block=False)
        assert self.entered.wait(PATIENCE_S)

    def count(self, lane: str) -> int:
        assert isinstance(self.actor, Desk)
        return self.actor.order.count(lane)

    def open(self) -> None:
        self.opened.set()
        self.answer.get(timeout=PATIENCE_S)


@pytest.mark.by_reference
def test_a_full_lane_rejects_to_the_sender(system: ActorSystem) -> None:
    held = Held(system, Door)
    for _ in range(1_024):
        held.ref.tell(Note(text="-"))

    with pytest.raises(MailboxFull, match=r"USER lane of .* is full at 1024 .*timeout=…"):
        held.ref.tell(Note(text="x"))
    with pytest.raises(MailboxFull):
        held.ref.ask(Notes())
    held.open()

    assert notes_in_the_end(held.ref) == ("-",) * 1_024
    assert system.audit().rejected == 2
    assert system.audit().balanced


def test_a_lane_holds_what_its_spec_says(system: ActorSystem) -> None:
    held = Held(system, Door, mailbox=2)
    held.ref.tell(Note(text="a"))
    held.ref.tell(Note(text="b"))

    with pytest.raises(MailboxFull):
        held.ref.tell(Note(text="c"))

    held.open()


def test_tell_with_timeout_waits_for_room_from_a_thread(system: ActorSystem) -> None:
    held = Held(system, Door, mailbox=1)
    held.ref.tell(Note(text="a"))
    with pytest.raises(MailboxFull):
        held.ref.tell(Note(text="never"), timeout=0.001)
    opener = threading.Thread(target=held.open)
    opener.start()
    for text in "bcd":
        held.ref.tell(Note(text=text), timeout=PATIENCE_S)
    opener.join()
    held.ref.tell(Note(text="e"), timeout=PATIENCE_S)

    assert _read(held.ref) == ("a", "b", "c", "d", "e")


def _read(ref: ActorRef[Actor]) -> tuple[str, ...]:
    """Ask until the lane has room."""
    while True:
        try:
            return ref.ask(Notes())
        except MailboxFull:
            continue


def test_tell_with_timeout_waits_in_virtual_time(world: SimulatedWorld, sim: ActorSystem) -> None:
    ref = sim.spawn(ChildSpec(Sleeper, mailbox=1))
    _ = ref.ask(Hold(), block=False)
    world.run_for(0.001)
    ref.tell(Note(text="a"))

    with pytest.raises(MailboxFull):
        ref.tell(Note(text="b"), timeout=5)

    assert world.loop.time() == pytest.approx(5, abs=0.01)


def test_waiting_for_room_ends_when_the_actor_ends(system: ActorSystem) -> None:
    held = Held(system, Door, mailbox=1)
    held.ref.tell(Note(text="a"))
    end = held.ref.stop(block=False)
    neighbour = system.start(Notebook)
    ended: list[BaseException] = []

    def tell() -> None:
        try:
            held.ref.tell(Note(text="b"), timeout=PATIENCE_S)
        except (ActorDead, MailboxFull) as error:
            ended.append(error)
        neighbour.ask(Notes(), timeout=PATIENCE_S)  # with MOB_WIRE=1 it comes behind the "b"

    teller = threading.Thread(target=tell)
    teller.start()
    held.open()
    teller.join(PATIENCE_S)
    end.get(timeout=PATIENCE_S)
    neighbour.ask(Notes(), timeout=PATIENCE_S)  # the loop is through with the end

    assert [type(error) for error in ended] in ([ActorDead], [])
    assert system.audit().balanced


@pytest.mark.by_reference
def test_sixteen_mebibytes_fill_a_lane(system: ActorSystem) -> None:
    held = Held(system, Door)
    big = Note(text="x" * (MESSAGE_LIMIT - 256))
    count = USER_BYTES // (MESSAGE_LIMIT - 256)
    for _ in range(count):
        held.ref.tell(big)

    with pytest.raises(MailboxFull):
        held.ref.tell(big)
    held.ref.tell(Add(), timeout=0)  # a small one fits
    held.open()

    assert len(held.ref.ask(Notes())) == count
    held.ref.tell(big)


@pytest.mark.by_reference
def test_senders_of_big_messages_wait_for_bytes(system: ActorSystem) -> None:
    held = Held(system, Door)
    big = Note(text="x" * (MESSAGE_LIMIT - 256))
    count = USER_BYTES // (MESSAGE_LIMIT - 256)
    for _ in range(count):
        held.ref.tell(big)

    async def send(_: Actor) -> str:
        await held.ref.send(big, timeout=PATIENCE_S)
        return "sent"

    sent = system.start(Puppet, loop="system").ask(Call(send), block=False)
    assert system.start(Notebook, loop="system").ask(Notes()) == ()  # that loop is not busy
    opener = threading.Thread(target=held.open)
    opener.start()
    held.ref.tell(big, timeout=PATIENCE_S)
    opener.join()

    assert sent.get(timeout=PATIENCE_S) == "sent"
    assert len(held.ref.ask(Notes())) == count + 2


def test_a_message_above_one_mebibyte_is_too_big(system: ActorSystem) -> None:
    ref = system.start(Notebook)

    with pytest.raises(MessageTooBig, match="above the limit of 1040384"):
        ref.tell(Note(text="x" * MESSAGE_LIMIT))
    with pytest.raises(MessageTooBig):
        ref.ask("x" * MESSAGE_LIMIT)

    ref.tell(Note(text="x" * (MESSAGE_LIMIT - 256)))
    assert system.audit().rejected == 2


def test_control_messages_overtake_user_messages(system: ActorSystem) -> None:
    held = Held(system, Desk)
    for _ in range(3):
        held.ref.tell(Note(text="-"))
    for message in (Urgent(n=1), VeryUrgent(n=2), Urgent(n=3)):
        held.ref.tell(message)
    held.open()

    assert held.ref.ask(Order()) == ("control",) * 3 + ("user",) * 3


def test_one_user_message_is_served_after_sixteen_control_messages(system: ActorSystem) -> None:
    held = Held(system, Desk)
    for n in range(100):
        held.ref.tell(Urgent(n=n))
    for _ in range(4):
        held.ref.tell(Note(text="-"))
    held.open()

    order = held.ref.ask(Order())

    places = [place for place, lane in enumerate(order) if lane == "user"]
    assert places == [16, 33, 50, 67]
    assert CONTROL_RUN == 16


def test_the_control_lane_has_a_bound_of_its_own(system: ActorSystem) -> None:
    held = Held(system, Desk)
    for n in range(CONTROL_BOUND):
        held.ref.tell(Urgent(n=n))

    with pytest.raises(MailboxFull, match="CONTROL lane"):
        held.ref.tell(Urgent(n=0))
    with pytest.raises(MailboxFull):
        held.ref.tell(Urgent(n=0), timeout=0.001)
    held.ref.tell(Note(text="-"))
    opener = threading.Thread(target=held.open)
    opener.start()
    held.ref.tell(Urgent(n=0), timeout=PATIENCE_S)
    opener.join()

    held.ref.stop(drain=True)
    assert held.count("control") == CONTROL_BOUND + 1


@pytest.mark.by_reference
def test_system_calls_pass_a_full_mailbox(system: ActorSystem) -> None:
    held = Held(system, Door)
    for _ in range(1_024):
        held.ref.tell(Note(text="-"))
    watcher = system.start(Notebook)
    watcher.actor_inbox.actor.watch(held.ref)  # type: ignore[union-attr]
    end = held.ref.stop(block=False)
    held.opened.set()

    assert end.get(timeout=PATIENCE_S) is True
    assert watcher.ask(Notes()) == (f"{held.ref.address} shutdown",)
    assert system.dead_letters.counts() == {"shutdown": 1_024}


def test_interleaving_handlers_run_while_another_one_awaits(
    world: SimulatedWorld, sim: ActorSystem
) -> None:
    ref = sim.start(Sleeper)
    hold = ref.ask(Hold(), block=False)
    ref.tell(Note(text="waits"))
    world.run_for(0.001)

    assert ref.ask(Peek()) == "hold"
    assert not hold.done
    ref.tell(Add())

    assert ref.ask(Notes()) == ("hold", "held", "waits")


def test_a_control_message_that_is_not_interleave_waits_for_the_running_handler(
    world: SimulatedWorld, sim: ActorSystem
) -> None:
    class Both(Sleeper):
        @handles(control=True)
        def total(self, message: Total) -> int:
            return len(self.seen)

    ref = sim.start(Both)
    _ = ref.ask(Hold(), block=False)
    world.run_for(0.001)
    total = ref.ask(Total(), block=False)

    assert ref.ask(Peek()) == "hold"
    assert not total.done
    ref.tell(Add())
    assert total.get() == 2


def test_an_expired_message_is_not_run(world: SimulatedWorld, sim: ActorSystem) -> None:
    ref = sim.start(Sleeper)
    _ = ref.ask(Hold(), block=False)
    world.run_for(0.001)
    ref.tell(Note(text="stale"), expires=1)
    ref.tell(Note(text="fresh"), expires=10)
    late = ref.ask(Notes(), block=False, expires=1)
    world.run_for(5)
    ref.tell(Add())

    assert ref.ask(Notes()) == ("hold", "held", "fresh")
    with pytest.raises(Expired):
        late.get()
    assert sim.dead_letters.counts() == {"expired": 2}
    assert sim.audit().balanced


def test_a_message_that_fails_keeps_its_bytes_in_the_account(
    world: SimulatedWorld, sim: ActorSystem
) -> None:
    class Choking(Notebook):
        @handles
        def note(self, message: Note) -> None:
            raise ValueError

    ref = sim.spawn(ChildSpec(Choking))
    ref.tell(Note(text="x" * 1_000))
    world.run_for(5)
    box = ref.actor_inbox

    assert box.bytes_in - box.bytes_out == 0
    assert sim.dead_letters.counts() == {"poison": 1}
