"""The seeded world: virtual time, same seed same trace, and bugs that only some orders show."""

from __future__ import annotations

import asyncio
import os
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

SCHEDULES = int(os.environ.get("MOB_SCHEDULES", "60"))


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


def test_blocking_work_takes_virtual_time_from_the_seed(
    world: SimulatedWorld, sim: ActorSystem
) -> None:
    async def work(actor: Actor) -> list[int]:
        scheduler = actor.realm.scheduler
        done: list[int] = []
        await asyncio.gather(
            *(scheduler.run_ordered("disk", partial(done.append, n)) for n in range(5)),
            scheduler.run_blocking(partial(done.append, 9)),
        )
        return done

    done = sim.start(Puppet).ask(Call(work))

    assert [n for n in done if n != 9] == [0, 1, 2, 3, 4]
    assert 0 < world.loop.time() < 0.1


def test_equal_timers_fire_in_an_order_of_the_seed() -> None:
    class Timed(Notebook):
        def on_start(self) -> None:
            for text in "abc":
                self.after(1, Note(text=text))

    def order(seed: int) -> tuple[str, ...]:
        with simulated(seed) as world, ActorSystem("sim", scheduler=world) as sim:
            ref = sim.start(Timed)
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
