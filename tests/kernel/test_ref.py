"""tell, ask, request, send, stop: what a ref does from a thread, from a loop, from elsewhere."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pykka
import pytest

from actors import Actor, ActorSystem, ThreadActor, handles
from actors.kernel.errors import (
    ActorDead,
    ActorFailed,
    AskTimeout,
    LocalOnly,
    MailboxFull,
    WouldDeadlock,
    describe,
)
from actors.kernel.ref import ActorRef
from actors.kernel.simulation import SimulatedWorld
from tests.kernel.cast import (
    PATIENCE_S,
    Add,
    AskBoom,
    Call,
    Counter,
    Door,
    Hold,
    Note,
    Notebook,
    Notes,
    Puppet,
    Sleeper,
    SteppedPuppet,
    Total,
    notes_in_the_end,
)


class Deaf(Actor):
    """Never answers."""

    @handles
    def total(self, message: Total) -> int:
        return self.promise()  # type: ignore[return-value]  # an answer that never comes


class Rude(Actor):
    """Its declared error is a reply, not a failure."""

    @handles(raises=(LookupError,))
    def total(self, message: Total) -> int:
        raise KeyError("no")


def test_tell_is_handled_in_order_before_a_later_ask(system: ActorSystem) -> None:
    ref = system.start(Notebook)
    for text in "abc":
        ref.tell(Note(text=text))

    assert ref.ask(Notes()) == ("a", "b", "c")


def test_ask_of_a_dead_actor_raises_actor_dead(system: ActorSystem) -> None:
    ref = system.start(Counter)
    ref.stop()

    with pytest.raises(ActorDead):
        ref.ask(Total())
    with pytest.raises(pykka.ActorDeadError):
        ref.tell(Add())


def test_ask_of_a_failing_handler_raises_actor_failed_with_its_cause(system: ActorSystem) -> None:
    ref = system.start(Counter, name="c")

    with pytest.raises(ActorFailed, match="mob://test/c failed on AskBoom: ValueError") as caught:
        ref.ask(AskBoom())

    assert isinstance(caught.value.__cause__, ValueError)


def test_a_declared_error_is_a_reply_and_the_actor_lives(system: ActorSystem) -> None:
    ref = system.start(Rude)

    with pytest.raises(KeyError):
        ref.ask(Total())

    assert ref.is_alive()
    assert system.audit().handled == 1


def test_ask_gives_up_after_thirty_seconds_by_default(
    world: SimulatedWorld, sim: ActorSystem
) -> None:
    ref = sim.start(Deaf)

    with pytest.raises(AskTimeout, match="within 30"):
        ref.ask(Total())

    assert world.loop.time() == pytest.approx(30, abs=0.001)


def test_request_gives_up_after_thirty_seconds_by_default(
    world: SimulatedWorld, sim: ActorSystem
) -> None:
    ref = sim.start(Deaf)

    async def ask() -> int:
        return await ref.request(Total())

    with pytest.raises(AskTimeout, match="within 30"):
        world.run(ask())

    assert 30 <= world.loop.time() <= 32


def test_a_short_timeout_of_request_is_exact(world: SimulatedWorld, sim: ActorSystem) -> None:
    ref = sim.start(Deaf)

    async def ask() -> int:
        return await ref.request(Total(), timeout=0.5)

    with pytest.raises(pykka.Timeout):
        world.run(ask())

    assert world.loop.time() == pytest.approx(0.5, abs=0.001)


def test_request_without_timeout_waits_as_long_as_it_takes(
    world: SimulatedWorld, sim: ActorSystem
) -> None:
    ref = sim.start(Sleeper)

    async def ask() -> None:
        await ref.request(Hold(), timeout=None)

    waiting = world.dispatcher("member").task(ask(), "waiting")
    world.run_for(3_600)
    assert not waiting.done()
    ref.tell(Add())
    world.run_until(waiting.done)


def test_an_answer_after_its_timeout_is_dropped(world: SimulatedWorld, sim: ActorSystem) -> None:
    ref = sim.start(Sleeper)

    async def ask() -> None:
        await ref.request(Hold(), timeout=1)

    with pytest.raises(AskTimeout):
        world.run(ask())
    ref.tell(Add())

    assert ref.ask(Notes()) == ("hold", "held")
    assert world.dispatcher("member").late_answers == 1
    assert sim.audit().balanced


@pytest.mark.parametrize("puppet", [Puppet, SteppedPuppet])
def test_actors_ask_each_other_with_request(system: ActorSystem, puppet: type[Puppet]) -> None:
    counter = system.start(Counter, 4)
    ref = system.start(puppet)

    async def twice(_: Actor) -> int:
        return await counter.request(Total()) + await counter.request(Total())

    assert ref.ask(Call(twice)) == 8


@pytest.mark.parametrize("puppet", [Puppet, SteppedPuppet])
def test_actors_of_both_loops_ask_each_other(system: ActorSystem, puppet: type[Puppet]) -> None:
    counter = system.start(Counter, 4, loop="system")
    ref = system.start(puppet, loop="member")

    assert ref.ask(Call(lambda _: _total(counter))) == 4


async def _total(ref: ActorRef[Counter]) -> int:
    return await ref.request(Total())


@pytest.mark.parametrize("puppet", [Puppet, SteppedPuppet])
def test_a_failed_request_raises_in_the_asking_handler(
    system: ActorSystem, puppet: type[Puppet]
) -> None:
    counter = system.start(Counter)

    async def dare(_: Actor) -> str:
        try:
            return str(await counter.request(AskBoom()))
        except ActorFailed as error:
            return error.error_type

    assert system.start(puppet).ask(Call(dare)) == "ValueError"


def test_a_stepped_handler_that_awaits_something_else_is_told_so(system: ActorSystem) -> None:
    async def nap(_: Actor) -> str:
        try:
            await asyncio.sleep(0)
        except TypeError as error:
            return str(error)
        return "slept"

    assert "drop stepped=True" in system.start(SteppedPuppet).ask(Call(nap))


def test_a_stepped_handler_that_insists_is_told_again(system: ActorSystem) -> None:
    async def insist(_: Actor) -> int:
        for tries in range(3):
            try:
                await asyncio.sleep(0)
            except TypeError:
                continue
            return tries
        return 3

    assert system.start(SteppedPuppet).ask(Call(insist)) == 3


def test_one_answer_may_be_awaited_twice(system: ActorSystem) -> None:
    counter = system.start(Counter, 2, loop="system")

    async def both(_: Actor) -> list[int]:
        answer = counter.request(Total())

        async def one() -> int:
            return await answer

        return list(await asyncio.gather(one(), one()))

    assert system.start(Puppet).ask(Call(both)) == [2, 2]


def test_a_blocking_ask_on_a_loop_raises_would_deadlock_and_sends_nothing(
    system: ActorSystem,
) -> None:
    counter = system.start(Counter)
    puppet = system.start(Puppet)

    def block(_: Actor) -> object:
        before = system.audit().sent
        with pytest.raises(WouldDeadlock, match=r"await ref\.request"):
            counter.ask(Total())
        return system.audit().sent - before

    assert puppet.ask(Call(block)) == 0


def test_a_blocking_get_on_a_loop_raises_would_deadlock(system: ActorSystem) -> None:
    counter = system.start(Deaf)
    puppet = system.start(Puppet)

    def block(_: Actor) -> None:
        with pytest.raises(WouldDeadlock):
            counter.ask(Total(), block=False).get()
        with pytest.raises(WouldDeadlock):
            counter.ask(Total(), block=False).map(str).get()

    puppet.ask(Call(block))


def test_a_blocking_stop_on_a_loop_raises_would_deadlock_and_stops_nothing(
    system: ActorSystem,
) -> None:
    counter = system.start(Counter)

    def block(_: Actor) -> None:
        with pytest.raises(WouldDeadlock):
            counter.stop()

    system.start(Puppet).ask(Call(block))

    assert counter.ask(Total()) == 0


@pytest.mark.by_reference
def test_waiting_for_room_on_a_loop_raises_would_deadlock_and_sends_nothing(
    system: ActorSystem,
) -> None:
    entered, opened = threading.Event(), threading.Event()
    door = system.start(Door, entered, opened, loop="system")
    held = door.ask(Hold(), block=False)
    assert entered.wait(PATIENCE_S)
    for _ in range(1_024):
        door.tell(Note(text="-"))

    def block(_: Actor) -> None:
        with pytest.raises(WouldDeadlock):
            door.tell(Note(text="late"), timeout=1)

    system.start(Puppet).ask(Call(block))
    opened.set()
    held.get(timeout=PATIENCE_S)

    assert notes_in_the_end(door) == ("-",) * 1_024
    assert system.audit().rejected == 1


def test_waiting_for_a_start_or_the_shutdown_on_a_loop_raises_would_deadlock(
    system: ActorSystem,
) -> None:
    def block(_: Actor) -> None:
        with pytest.raises(WouldDeadlock):
            system.start(Counter, wait=True)
        with pytest.raises(WouldDeadlock):
            system.shutdown()

    system.start(Puppet).ask(Call(block))


def test_request_and_send_work_on_a_foreign_asyncio_loop(system: ActorSystem) -> None:
    ref = system.start(Notebook)
    deaf = system.start(Deaf)

    async def main() -> tuple[str, ...]:
        await ref.send(Note(text="a"))
        with pytest.raises(AskTimeout):
            await deaf.request(Total(), timeout=0.01)
        answer = await ref.request(Notes(), timeout=5)
        await ref.stopped()
        return answer

    assert asyncio.run(main()) == ("a",)
    assert not ref.is_alive()


def test_a_request_on_a_foreign_loop_leaves_at_once(system: ActorSystem) -> None:
    ref = system.start(Counter)

    async def main() -> int:
        answer = ref.request(Total())
        ref.tell(Add(n=5))
        return await answer

    assert asyncio.run(main()) == 0


def test_a_handler_stops_another_actor_and_waits_for_its_end(system: ActorSystem) -> None:
    counter = system.start(Counter)

    async def end(_: Actor) -> bool:
        await counter.stopped()
        return counter.is_alive()

    assert system.start(Puppet).ask(Call(end)) is False


def test_stop_says_whether_the_actor_lived(system: ActorSystem) -> None:
    ref = system.start(Counter)

    assert ref.stop() is True
    assert ref.stop() is False
    assert ref.actor_stopped.is_set()


def test_stop_with_drain_handles_what_is_queued(system: ActorSystem) -> None:
    entered, opened = threading.Event(), threading.Event()
    door = system.start(Door, entered, opened)
    _ = door.ask(Hold(), block=False)
    assert entered.wait(PATIENCE_S)
    door.tell(Note(text="a"))
    notes = door.ask(Notes(), block=False)
    end = door.stop(block=False, drain=True)
    opened.set()

    assert end.get(timeout=PATIENCE_S) is True
    assert notes.get(timeout=PATIENCE_S) == ("a",)
    assert not list(system.dead_letters)


def test_stop_without_drain_makes_dead_letters_of_what_is_queued(system: ActorSystem) -> None:
    entered, opened = threading.Event(), threading.Event()
    door = system.start(Door, entered, opened)
    _ = door.ask(Hold(), block=False)
    assert entered.wait(PATIENCE_S)
    door.tell(Note(text="a"))
    notes = door.ask(Notes(), block=False)
    end = door.stop(block=False)
    opened.set()

    assert end.get(timeout=PATIENCE_S) is True
    with pytest.raises(ActorDead):
        notes.get(timeout=PATIENCE_S)
    assert system.dead_letters.counts() == {"shutdown": 1}
    assert system.audit().balanced


def test_refs_of_one_actor_are_equal_and_of_two_are_not(system: ActorSystem) -> None:
    one, two = system.start(Counter, name="one"), system.start(Counter, name="two")

    again = system.ref("mob://test/one")

    assert again == one
    assert again is not one
    assert hash(again) == hash(one)
    assert one != two
    assert len({one, again, two}) == 2


def test_a_ref_shows_its_actor(system: ActorSystem) -> None:
    ref = system.start(Counter, name="one")

    assert repr(ref) == "<ActorRef mob://test/one>"
    assert str(ref) == "Counter (mob://test/one)"
    assert ref.actor_urn == ref.address == "mob://test/one"
    assert ref.actor_class is Counter


def test_a_proxy_is_offered_by_thread_actors_only(system: ActorSystem) -> None:
    with pytest.raises(LocalOnly, match="ThreadActor"):
        system.start(Counter).proxy()


@pytest.mark.parametrize("puppet", [Puppet, SteppedPuppet])
def test_send_waits_for_room_on_a_loop(system: ActorSystem, puppet: type[Puppet]) -> None:
    entered, opened = threading.Event(), threading.Event()
    door = system.start(Door, entered, opened, loop="system")
    held = door.ask(Hold(), block=False)
    assert entered.wait(PATIENCE_S)
    for _ in range(1_024):
        door.tell(Note(text="-"))

    async def wait(_: Actor) -> str:
        try:
            await door.send(Note(text="never"), timeout=0.01)
        except MailboxFull:
            opened.set()
        await door.send(Note(text="late"), timeout=PATIENCE_S)
        return "sent"

    assert system.start(puppet).ask(Call(wait)) == "sent"
    held.get(timeout=PATIENCE_S)

    notes = door.ask(Notes())
    assert notes[-1] == "late"
    assert "never" not in notes
    assert system.audit().balanced


def test_send_waits_for_room_on_a_foreign_loop(system: ActorSystem) -> None:
    entered, opened = threading.Event(), threading.Event()
    door = system.start(Door, entered, opened)
    held = door.ask(Hold(), block=False)
    assert entered.wait(PATIENCE_S)
    for _ in range(1_024):
        door.tell(Note(text="-"))

    async def main() -> None:
        with pytest.raises(MailboxFull):
            await door.send(Note(text="never"), timeout=0.01)
        waiting = asyncio.ensure_future(door.send(Note(text="late"), timeout=PATIENCE_S))
        opened.set()
        await waiting

    asyncio.run(main())
    held.get(timeout=PATIENCE_S)

    assert door.ask(Notes())[-1] == "late"


def test_an_answer_that_is_a_timeout_is_told_from_no_answer(system: ActorSystem) -> None:
    class Late(Actor):
        @handles(raises=(TimeoutError,))
        def total(self, message: Total) -> int:
            raise TimeoutError("mine")

    ref = system.start(Late)

    async def main() -> None:
        with pytest.raises(TimeoutError, match="mine"):
            await ref.request(Total(), timeout=5)

    asyncio.run(main())


def test_a_failed_promise_reaches_the_asker(system: ActorSystem) -> None:
    class Promising(Actor):
        @handles
        def total(self, message: Total) -> int:
            promise = self.promise()
            promise.fail(LookupError("later"))
            return promise  # type: ignore[return-value]  # an answer that comes later

    with pytest.raises(LookupError, match="later"):
        system.start(Promising).ask(Total())


def test_errors_that_cannot_print_themselves_are_described() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise ValueError

    assert describe(Mute()) == "<unprintable>"
    assert len(describe(ValueError("x" * 1_000))) == 500


# -- send to a thread actor ---------------------------------------------------------------------


class SlowThread(ThreadActor):
    mailbox = 2

    def __init__(self, gate: threading.Event) -> None:
        super().__init__()
        self.gate = gate

    def on_receive(self, message: object) -> object:
        if message == "hold":
            self.gate.wait(PATIENCE_S)
        return message


def test_send_to_a_thread_actor_waits_for_room_without_holding_the_loop(
    system: ActorSystem,
) -> None:
    gate = threading.Event()
    slow = system.start(SlowThread, gate)
    held = slow.ask("hold", block=False)
    ticks: list[int] = []

    async def send(_: Actor) -> int:
        for number in range(10):
            await slow.send(number, timeout=PATIENCE_S)
        return len(ticks)

    sender, other = system.start(Puppet), system.start(Puppet)
    answer = sender.ask(Call(send), block=False)
    while len(ticks) < 3:  # the loop answers while the sender waits
        other.ask(Call(lambda _: ticks.append(1)), timeout=PATIENCE_S)
    gate.set()

    assert answer.get(timeout=PATIENCE_S) == 3
    held.get(timeout=PATIENCE_S)
    slow.stop(timeout=PATIENCE_S)
    assert system.audit().balanced


def test_send_to_a_thread_actor_that_ends_meanwhile_says_so(system: ActorSystem) -> None:
    gate = threading.Event()
    slow = system.start(SlowThread, gate)
    held = slow.ask("hold", block=False)
    for number in range(2):
        slow.tell(number)
    began = threading.Event()

    async def send(_: Actor) -> str:
        waiting = slow.send("x", timeout=PATIENCE_S)
        began.set()
        try:
            await waiting
        except ActorDead:
            return "dead"
        return "sent"

    answer = system.start(Puppet).ask(Call(send), block=False)
    assert began.wait(PATIENCE_S)
    ended = slow.stop(block=False, drain=False)
    gate.set()

    assert answer.get(timeout=PATIENCE_S) in ("dead", "sent")
    held.get(timeout=PATIENCE_S)
    ended.get(timeout=PATIENCE_S)
    assert system.audit().balanced


def test_send_to_a_thread_actor_gives_up_after_its_time(system: ActorSystem) -> None:
    gate = threading.Event()
    slow = system.start(SlowThread, gate)
    held = slow.ask("hold", block=False)
    for number in range(2):
        slow.tell(number)

    with pytest.raises(MailboxFull):
        asyncio.run(_sent(slow))
    gate.set()
    held.get(timeout=PATIENCE_S)
    assert not slow.actor_inbox._wakers


async def _sent(ref: Any) -> None:
    await ref.send("x", timeout=0.01)


def test_a_request_to_a_full_thread_actor_never_blocks_a_loop_that_is_not_ours(
    system: ActorSystem,
) -> None:
    gate = threading.Event()
    slow = system.start(SlowThread, gate)
    held = slow.ask("hold", block=False)
    for number in range(2):
        slow.tell(number)

    async def ask() -> None:
        with pytest.raises(MailboxFull):
            await slow.request("x")

    asyncio.run(ask())
    gate.set()
    held.get(timeout=PATIENCE_S)


def test_who_is_cancelled_as_the_answer_comes_is_cancelled(system: ActorSystem) -> None:
    """asyncio.wait_for of Python 3.11 swallows a cancellation that meets the answer."""
    sleeper = system.start(Sleeper)

    async def ask() -> str:
        request = sleeper.request(Hold(), timeout=PATIENCE_S)
        task = asyncio.get_running_loop().create_task(_awaited(request))
        await asyncio.sleep(0)  # it waits now
        sleeper.tell(Add())  # opens the gate
        sleeper.ask(Notes(), timeout=PATIENCE_S)  # the answer lies in this loop's queue, not taken
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            return "cancelled"
        return "answered"

    assert asyncio.run(ask()) == "cancelled"


async def _awaited(request: Any) -> Any:
    return await request
