"""What must hold when something beside the handlers goes wrong: wake-ups, waiters, threads."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from actors import Actor, ActorSystem, ChildSpec, Message, ThreadActor, handles
from actors.kernel.errors import KernelError, MailboxFull
from actors.kernel.future import ThreadReply
from actors.kernel.loops import SWITCH_INTERVAL_S, LoopThreads
from actors.kernel.mailbox import USER_BYTES
from actors.kernel.simulation import SimulatedWorld
from tests.kernel.cast import (
    PATIENCE_S,
    Add,
    Call,
    Counter,
    Door,
    Hold,
    Note,
    Notebook,
    Notes,
    Parent,
    Puppet,
    Sleeper,
    SteppedPuppet,
    Total,
    notes_in_the_end,
)


def full(sim: ActorSystem, world: SimulatedWorld) -> tuple[Sleeper, Callable[[], int]]:
    """A sleeper that awaits with a full lane of one, and how many wait for room in it."""
    ref = sim.spawn(ChildSpec(Sleeper, mailbox=1))
    ref.tell(Hold())
    world.run_for(0.001)
    ref.tell(Note(text="fills the lane"))
    actor = ref.actor_inbox.actor
    assert isinstance(actor, Sleeper)
    return actor, lambda: len(ref.actor_inbox.room or ())


# -- conservation ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Puppet, SteppedPuppet])
def test_a_send_cut_short_by_the_end_of_its_actor_is_rejected(
    world: SimulatedWorld, sim: ActorSystem, kind: type[Actor]
) -> None:
    sleeper, waiting = full(sim, world)
    sender = sim.spawn(ChildSpec(kind, shutdown_s=0.1))
    sender.tell(Call(lambda _: sleeper.actor_ref.send(Note(text="x"), timeout=60)))
    sender.tell(Call(lambda _: None))
    world.run_for(0.01)
    assert waiting() == 1

    sender.stop()
    world.run_for(1)

    assert waiting() == 0
    assert sim.audit().rejected == 1
    assert sim.audit().balanced, sim.audit()


@pytest.mark.by_reference
def test_a_send_cancelled_on_a_foreign_loop_is_rejected(system: ActorSystem) -> None:
    entered, opened = threading.Event(), threading.Event()
    door = system.spawn(ChildSpec(Door, (entered, opened), mailbox=1))
    held = door.ask(Hold(), block=False)
    assert entered.wait(PATIENCE_S)
    door.tell(Note(text="fills the lane"))

    async def impatient() -> None:
        await asyncio.wait_for(door.send(Note(text="x")), 0.01)

    with pytest.raises(TimeoutError):
        asyncio.run(impatient())

    assert not door.actor_inbox.room
    opened.set()
    held.get(timeout=PATIENCE_S)
    assert notes_in_the_end(door) == ("fills the lane",)
    assert (system.audit().rejected, system.audit().balanced) == (1, True)


def test_senders_that_gave_up_are_forgotten(world: SimulatedWorld, sim: ActorSystem) -> None:
    sleeper, waiting = full(sim, world)
    ref = sleeper.actor_ref

    async def send() -> None:
        await ref.send(Note(text="x"), timeout=0.01)

    for _ in range(3):
        with pytest.raises(MailboxFull):
            ref.tell(Note(text="x"), timeout=0.01)
        with pytest.raises(MailboxFull):
            world.run(send())

    assert waiting() == 0
    assert sim.audit().balanced


# -- whoever waits must not harm who answers ------------------------------------------------


def test_a_wake_up_that_raises_harms_neither_the_actor_nor_the_other_waiters(
    system: ActorSystem, caplog: pytest.LogCaptureFixture
) -> None:
    entered, opened = threading.Event(), threading.Event()
    door = system.start(Door, entered, opened)
    held = door.ask(Hold(), block=False)
    assert entered.wait(PATIENCE_S)
    woken = threading.Event()
    held.when_done(lambda: 1 / 0)
    held.when_done(woken.set)
    opened.set()

    assert woken.wait(PATIENCE_S)
    assert door.ask(Notes(), timeout=PATIENCE_S) == ()
    assert "ZeroDivisionError" in caplog.text


def test_a_wake_up_that_raises_at_once_is_logged_too(caplog: pytest.LogCaptureFixture) -> None:
    reply: ThreadReply[int] = ThreadReply(None, "mob://x/y")
    reply.set(1)
    reply.when_done(lambda: 1 / 0)

    assert reply.get() == 1
    assert "mob://x/y" in caplog.text


def test_a_waiter_of_a_promise_that_raises_is_logged(
    world: SimulatedWorld, sim: ActorSystem, caplog: pytest.LogCaptureFixture
) -> None:
    def promise(actor: Actor) -> None:
        reply = actor.promise()
        reply.when_done(lambda: 1 / 0)
        reply.set(1)

    puppet = sim.start(Puppet)
    puppet.ask(Call(promise))

    assert puppet.ask(Call(lambda _: 7)) == 7
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("simulated", [True, False])
def test_a_system_call_that_raises_does_not_silence_the_actor(
    request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture, simulated: bool
) -> None:
    system: ActorSystem = request.getfixturevalue("sim" if simulated else "system")
    ref = system.start(Counter, name="hit")
    ref.actor_inbox.post(lambda: 1 / 0)
    ref.tell(Add(n=2))

    assert ref.ask(Total(), timeout=PATIENCE_S) == 2
    assert "hit" in caplog.text
    assert "ZeroDivisionError" in caplog.text
    assert system.audit().balanced


def test_calls_that_call_again_let_the_actors_in(world: SimulatedWorld, sim: ActorSystem) -> None:
    dispatcher = sim.realm.scheduler.dispatcher("member")
    counter = sim.start(Counter)
    rounds: list[int] = []
    seen: list[int] = []
    counter.ask(Total(), block=False).when_done(lambda: seen.append(len(rounds)))

    def again() -> None:
        rounds.append(1)
        if len(rounds) < 1_000:
            dispatcher.call(again)

    dispatcher.call(again)
    world.run_for(1)

    assert len(rounds) == 1_000
    assert seen[0] < 10


# -- refusals -------------------------------------------------------------------------------


class Blocking(ThreadActor):
    @handles
    def add(self, message: Add) -> None:
        pass


def test_a_thread_actor_without_a_system_says_what_it_cannot_handle(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ref = Blocking.start()
    ref.tell(Note(text="x"))
    ref.stop()

    assert "unhandled" in caplog.text
    assert "Note" in caplog.text


def test_a_thread_actor_cannot_be_spawned(system: ActorSystem) -> None:
    spec: ChildSpec[Any] = ChildSpec(Blocking)

    with pytest.raises(TypeError, match=r"Blocking .*system\.start"):
        system.spawn(spec)
    puppet = system.start(Puppet)
    text = puppet.ask(Call(lambda actor: _error(lambda: actor.spawn(spec))))
    assert "Blocking" in text
    assert system.actors() == (puppet.address,)


def _error(work: Callable[[], object]) -> str:
    try:
        work()
    except TypeError as error:
        return str(error)
    return "nothing"


def test_children_are_spawned_on_the_loop_of_their_parent(system: ActorSystem) -> None:
    puppet = system.start(Puppet)
    actor = puppet.actor_inbox.actor
    assert actor is not None

    with pytest.raises(KernelError, match="outside its loop"):
        actor.spawn(ChildSpec(Counter))
    child = puppet.ask(Call(lambda actor: actor.spawn(ChildSpec(Counter))))
    assert child.ask(Total()) == 0


def test_a_control_message_over_the_bytes_names_its_lane(system: ActorSystem) -> None:
    class Text(Message, tag="test.text"):
        text: str

    class Desk(Door):
        @handles(control=True)
        def text(self, message: Text) -> None:
            pass

    entered, opened = threading.Event(), threading.Event()
    desk = system.start(Desk, entered, opened)
    _ = desk.ask(Hold(), block=False)
    assert entered.wait(PATIENCE_S)
    for _ in range(USER_BYTES // 1_000_000):
        desk.tell(Text(text="x" * 1_000_000))
    with pytest.raises(MailboxFull) as caught:
        desk.tell(Text(text="x" * 1_000_000))
    opened.set()

    assert caught.value.lane == "CONTROL"


def test_downs_of_children_that_stop_with_their_watcher_are_no_warning(
    world: SimulatedWorld, sim: ActorSystem, caplog: pytest.LogCaptureFixture
) -> None:
    parent = sim.start(Parent, (ChildSpec(Notebook), ChildSpec(Notebook)))
    world.run_for(0.01)
    actor = parent.actor_inbox.actor
    assert isinstance(actor, Parent)
    for child in actor.refs:
        actor.watch(child)
    world.run_for(0.01)
    parent.stop()

    assert sim.dead_letters.counts() == {"shutdown": 2}
    assert sim.audit().balanced
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]


# -- threads --------------------------------------------------------------------------------


def test_the_switch_interval_is_restored_when_the_last_loops_close() -> None:
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.004)
    try:
        one, two = LoopThreads("one"), LoopThreads("two")
        one.close()
        one.close()
        assert sys.getswitchinterval() == pytest.approx(SWITCH_INTERVAL_S)
        two.close()

        assert sys.getswitchinterval() == pytest.approx(0.004)
    finally:
        sys.setswitchinterval(before)


def test_a_switch_interval_set_by_others_meanwhile_stays() -> None:
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.004)
    try:
        loops = LoopThreads("one")
        sys.setswitchinterval(0.002)
        loops.close()

        assert sys.getswitchinterval() == pytest.approx(0.002)
    finally:
        sys.setswitchinterval(before)


def test_the_watchdog_survives_what_it_trips_over(caplog: pytest.LogCaptureFixture) -> None:
    tripped = threading.Event()

    def trip(record: logging.LogRecord) -> bool:
        if "held its loop" in record.msg and not tripped.is_set():
            tripped.set()
            raise ValueError("a stone")
        return True

    entered, opened = threading.Event(), threading.Event()
    logger = logging.getLogger("actors.kernel.watchdog")
    logger.addFilter(trip)
    try:
        with ActorSystem("tripped") as system:
            door = system.start(Door, entered, opened, loop="system")
            for count in (1, 2):
                entered.clear()
                opened.clear()
                held = door.ask(Hold(), block=False)
                assert entered.wait(PATIENCE_S)
                _until(partial(_reported, system, count), opened)
                held.get(timeout=PATIENCE_S)

            assert [slow.message_type for slow in system.slow_handlers] == ["Hold", "Hold"]
    finally:
        logger.removeFilter(trip)
    assert "a stone" in caplog.text


def _reported(system: ActorSystem, count: int) -> bool:
    return len(system.slow_handlers) == count


def _until(done: Callable[[], object], then: threading.Event) -> None:
    pause = threading.Event()
    for _ in range(int(PATIENCE_S / 0.01)):
        if done():
            break
        pause.wait(0.01)
    then.set()
