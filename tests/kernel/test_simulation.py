"""The seeded world: virtual time, same seed same trace, and bugs that only some orders show."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import pytest

from actors import Actor, ActorSystem, Message, Request, ThreadActor, handles
from actors.kernel.errors import LocalOnly, WouldDeadlock
from actors.kernel.ref import ActorRef
from actors.kernel.simulation import SimulatedWorld, SimulationStuck, simulated
from tests.kernel.cast import (
    Add,
    Call,
    Counter,
    Hold,
    Note,
    Notebook,
    Notes,
    Puppet,
    Sleeper,
    Total,
)

SCHEDULES = 60


class Transfer(Message, tag="test.transfer"):
    n: int


class Bank(Actor):
    """Planted bug: reads the balance, asks somebody else, then writes what it had read."""

    def __init__(self, account: ActorRef[Account]) -> None:
        super().__init__()
        self.account = account

    @handles
    async def transfer(self, message: Transfer) -> None:
        balance = await self.account.request(Total())
        await self.account.request(Put(n=balance + message.n))


class Put(Request[None], tag="test.put"):
    n: int


class Account(Counter):
    @handles
    def put(self, message: Put) -> None:
        self.total = message.n


def final_balance(seed: int) -> tuple[int, str]:
    with simulated(seed) as world, ActorSystem("sim", scheduler=world) as sim:
        account = sim.start(Account)
        for _ in range(2):
            sim.start(Bank, account).tell(Transfer(n=10))
        world.run_for(1)
        return account.ask(Total()), world.trace


def test_the_same_seed_gives_the_same_trace_and_state() -> None:
    for seed in range(10):
        assert final_balance(seed) == final_balance(seed)


def test_different_seeds_give_different_traces() -> None:
    assert len({final_balance(seed)[1] for seed in range(20)}) > 2


def test_a_planted_race_is_found_by_some_seed_and_hidden_by_another() -> None:
    balances = {final_balance(seed)[0] for seed in range(SCHEDULES)}

    assert balances == {10, 20}


def test_time_is_virtual(world: SimulatedWorld, sim: ActorSystem) -> None:
    async def long() -> float:
        await asyncio.sleep(86_400)
        return world.clock.monotonic()

    before = world.clock.wall_ms()

    assert world.run(long()) == pytest.approx(86_400, abs=0.001)
    assert world.clock.wall_ms() - before == 86_400_000


def test_waiting_runs_the_world_and_nothing_else_does(
    world: SimulatedWorld, sim: ActorSystem
) -> None:
    pages: list[str] = []
    ref = sim.start(Notebook, pages)
    ref.tell(Note(text="a"))
    assert pages == []

    assert ref.ask(Notes()) == ("a",)


def test_run_for_lets_exactly_that_much_time_pass(world: SimulatedWorld) -> None:
    world.run_for(1.5)
    world.run_for(0.25)

    assert world.loop.time() == 1.75


def test_run_until_says_whether_it_came_true(world: SimulatedWorld, sim: ActorSystem) -> None:
    assert world.run_until(lambda: world.loop.time() > 9, timeout=5) is False
    assert world.run_until(lambda: True) is True


def test_waiting_for_what_never_comes_is_stuck(world: SimulatedWorld, sim: ActorSystem) -> None:
    ref = sim.start(Sleeper)

    with pytest.raises(SimulationStuck, match="seed 7: nothing is left to run for mob://sim/sle"):
        ref.ask(Hold(), timeout=None)
    with pytest.raises(SimulationStuck, match="the driver's coroutine"):
        world.run(asyncio.Event().wait())
    ref.tell(Add())


def test_a_driver_inside_an_actor_would_deadlock(world: SimulatedWorld, sim: ActorSystem) -> None:
    def drive(_: Actor) -> None:
        with pytest.raises(WouldDeadlock):
            world.run_for(1)

    sim.start(Puppet).ask(Call(drive))


def test_blocking_work_takes_virtual_time_from_the_seed() -> None:
    async def work(actor: Actor) -> list[int]:
        scheduler = actor.realm.scheduler
        done: list[int] = []
        await asyncio.gather(
            *(scheduler.run_ordered("disk", partial(done.append, n)) for n in range(5)),
            scheduler.run_blocking(partial(done.append, 9)),
        )
        return done

    with simulated(7) as world, ActorSystem("sim", scheduler=world) as sim:
        done = sim.start(Puppet).ask(Call(work))

        assert [n for n in done if n != 9] == [0, 1, 2, 3, 4]
        assert 0 < world.loop.time() < 0.1


def test_the_ends_of_ordered_work_are_known_in_its_order() -> None:
    known: list[int] = []

    async def one(world: SimulatedWorld, n: int) -> None:
        await world.run_ordered("disk", lambda: None)
        known.append(n)

    async def all_of_it(world: SimulatedWorld) -> None:
        await asyncio.gather(*(one(world, n) for n in range(5)))

    for seed in range(SCHEDULES):
        with simulated(seed) as world:
            world.run(all_of_it(world))

    assert known == [0, 1, 2, 3, 4] * SCHEDULES


def test_who_is_cancelled_may_not_learn_that_the_work_was_done() -> None:
    def fate(seed: int) -> tuple[bool, bool]:
        done: list[int] = []
        with simulated(seed) as world:

            async def caller() -> None:
                await world.run_blocking(partial(done.append, 1))

            task = world.dispatcher("member").task(caller(), "caller")
            world.run_for(0.004)
            known = task.done()
            task.cancel()
            world.run_for(1.0)
        return bool(done), known

    fates = {fate(seed) for seed in range(SCHEDULES)}

    assert fates == {(False, False), (True, False), (True, True)}


@pytest.mark.parametrize("how", ["run_blocking", "run_ordered"])
def test_what_blocking_work_raises_is_known_when_its_end_is(how: str) -> None:
    def fail() -> None:
        raise OSError("disk full")

    with simulated(3) as world:
        args = ("disk", fail) if how == "run_ordered" else (fail,)

        with pytest.raises(OSError, match="disk full"):
            world.run(getattr(world, how)(*args))


# What the seed chooses


class Timed(Notebook):
    """Gets mail from a timer of its own."""

    def on_start(self) -> None:
        self.after(1, Note(text="timer"))


def orders_of(
    play: Callable[[SimulatedWorld, ActorSystem], tuple[str, ...]],
) -> set[tuple[str, ...]]:
    found = set()
    for seed in range(SCHEDULES):
        with simulated(seed) as world, ActorSystem("sim", scheduler=world) as sim:
            found.add(play(world, sim))
    return found


def test_a_ready_mailbox_may_go_before_a_timer_that_is_due() -> None:
    def play(world: SimulatedWorld, sim: ActorSystem) -> tuple[str, ...]:
        pages: list[str] = []

        async def chain(_: Actor) -> None:
            await asyncio.sleep(1)
            notebook.tell(Note(text="mail"))

        sim.start(Puppet).tell(Call(chain))
        notebook = sim.start(Timed, pages)
        world.run_for(2)
        return tuple(pages)

    assert orders_of(play) == {("timer", "mail"), ("mail", "timer")}


def test_the_end_of_blocking_work_may_come_before_mail_that_is_ready_or_after_it() -> None:
    def play(world: SimulatedWorld, sim: ActorSystem) -> tuple[str, ...]:
        pages: list[str] = []
        notebooks = [sim.start(Notebook, pages) for _ in range(8)]

        async def work(actor: Actor) -> None:
            for notebook in notebooks:
                notebook.tell(Note(text="mail"))
            await actor.realm.scheduler.run_blocking(lambda: None)
            pages.append("done")

        sim.start(Puppet).tell(Call(work))
        world.run_for(1)
        return (pages[-1],)

    assert orders_of(play) == {("mail",), ("done",)}


def test_a_task_that_was_begun_may_wait_while_mailboxes_are_served() -> None:
    def play(world: SimulatedWorld, sim: ActorSystem) -> tuple[str, ...]:
        pages: list[str] = []

        async def begin(_: Actor) -> None:
            pages.append("task")

        sim.start(Puppet).tell(Call(begin))
        sim.start(Notebook, pages).tell(Note(text="mail"))
        world.run_for(1)
        return tuple(pages)

    assert orders_of(play) == {("mail", "task"), ("task", "mail")}


@pytest.mark.parametrize("seed", range(5))
def test_the_same_seed_and_number_of_free_choices_give_the_same_trace(seed: int) -> None:
    def play(free: int | None) -> tuple[str, int]:
        with (
            simulated(seed, free_choices=free) as world,
            ActorSystem("sim", scheduler=world) as sim,
        ):
            notebooks = [sim.start(Notebook) for _ in range(4)]
            for ref in notebooks * 3:
                ref.tell(Note(text="x"))
            world.run_for(1)
            return world.trace, world.choices

    everything = play(None)

    assert everything[1] > 4
    assert play(everything[1]) == everything
    assert [play(n) for n in range(5)] == [play(n) for n in range(5)]
    assert [play(n)[1] for n in range(5)] == [0, 1, 2, 3, 4]


def test_without_free_choices_everything_comes_in_the_order_it_was_made() -> None:
    def play(seed: int) -> tuple[str, list[str]]:
        with simulated(seed, free_choices=0) as world, ActorSystem("sim", scheduler=world) as sim:
            pages: list[str] = []
            refs = [sim.start(Notebook, pages) for _ in range(4)]
            for number, ref in enumerate(refs):
                ref.tell(Note(text=str(number)))
            world.run_for(1)
            return world.trace, pages

    assert play(1) == play(2)
    assert play(1)[1] == ["0", "1", "2", "3"]


# Time


def test_what_is_due_at_the_end_of_the_time_happens(
    world: SimulatedWorld, sim: ActorSystem
) -> None:
    pages: list[str] = []
    sim.start(Timed, pages)

    world.run_for(1)

    assert pages == ["timer"]


def test_timers_that_are_as_good_as_equal_are_due_together() -> None:
    order: list[str] = []
    with simulated(1, free_choices=0) as world:
        world.loop.call_later(0.1 + 0.2, order.append, "b")
        world.loop.call_later(0.3, order.append, "a")
        world.run_for(0.3)

    assert order == ["a", "b"]


def test_a_world_is_idle_when_nothing_is_left_to_run(
    world: SimulatedWorld, sim: ActorSystem
) -> None:
    assert world.idle
    sim.start(Timed)
    assert not world.idle

    world.run_until(lambda: world.idle)

    assert world.loop.time() == 1.0


def test_cancelled_timers_are_forgotten(world: SimulatedWorld) -> None:
    for _ in range(1_000):
        world.loop.call_later(60, print).cancel()

    assert len(world.loop._later) < 250
    assert world.idle


def test_a_timer_that_is_due_can_still_be_cancelled() -> None:
    def fired(seed: int) -> list[str]:
        names: list[str] = []
        timers: dict[str, asyncio.TimerHandle] = {}

        def fire(name: str, other: str) -> None:
            names.append(name)
            timers[other].cancel()

        with simulated(seed) as world:
            timers["a"] = world.loop.call_later(1, fire, "a", "b")
            timers["b"] = world.loop.call_later(1, fire, "b", "a")
            world.run_for(2)
        return names

    assert sorted({tuple(fired(seed)) for seed in range(SCHEDULES)}) == [("a",), ("b",)]


def test_what_never_ends_is_stuck() -> None:
    world = SimulatedWorld(5, max_steps=100)

    def again() -> None:
        world.loop.call_soon(again)

    again()

    with pytest.raises(SimulationStuck, match="seed 5: no end after 100 turns"):
        world.run_for(1)
    world.close()


def test_asyncio_can_run_the_loop_itself() -> None:
    async def answer() -> int:
        await asyncio.sleep(3)
        return 42

    with simulated(1) as world:
        world.loop.call_later(0.5, print)
        world.loop.run_forever()

        assert world.loop.run_until_complete(answer()) == 42
        assert world.loop.time() >= 3


def test_equal_timers_fire_in_an_order_of_the_seed() -> None:
    class Three(Notebook):
        def on_start(self) -> None:
            for text in "abc":
                self.after(1, Note(text=text))

    def order(seed: int) -> tuple[str, ...]:
        with simulated(seed) as world, ActorSystem("sim", scheduler=world) as sim:
            ref = sim.start(Three)
            world.run_for(2)
            return ref.ask(Notes())

    orders = [order(seed) for seed in range(20)]

    assert orders == [order(seed) for seed in range(20)]
    assert len(set(orders)) > 1


def test_messages_of_one_sender_stay_in_order_in_every_schedule() -> None:
    for seed in range(SCHEDULES):
        with simulated(seed) as world, ActorSystem("sim", scheduler=world) as sim:
            ref = sim.start(Notebook)

            def send(actor: Actor, ref: ActorRef[Notebook] = ref) -> None:
                for n in range(5):
                    ref.tell(Note(text=f"{actor.address}{n}"))

            for _ in range(3):
                sim.start(Puppet).tell(Call(send))
            world.run_for(1)
            notes = ref.ask(Notes())

            for first in {note[:-1] for note in notes}:
                mine = [note[-1] for note in notes if note[:-1] == first]
                assert mine == list("01234")


def test_thread_actors_are_not_simulated(sim: ActorSystem) -> None:
    class Blocking(ThreadActor):
        pass

    with pytest.raises(LocalOnly, match="cannot be simulated"):
        sim.start(Blocking)


def test_system_exit_of_a_task_does_not_leave_the_world(
    world: SimulatedWorld, sim: ActorSystem
) -> None:
    async def leave(_: Actor) -> None:
        await asyncio.sleep(0)
        raise SystemExit

    _ = sim.start(Puppet).ask(Call(leave), block=False)
    world.run_for(1)

    assert sim.start(Counter).ask(Total()) == 0


def test_closing_the_world_cancels_what_is_left() -> None:
    ended: list[str] = []

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    with simulated(1) as world:
        _ = world.dispatcher("member").task(forever(), "forever")
        world.run_for(1)
    world.close()

    assert ended == ["cancelled"]
