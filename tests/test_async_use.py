"""Actors used from a loop of the user: `async with ActorSystem`, `request`, `send`, `stopped`.

How refs behave there in the corners is shown in `kernel/test_ref.py` and `kernel/test_future.py`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from actors import ActorSystem, ThreadActor, handles
from actors.kernel.errors import ActorDead, ActorFailed
from tests.kernel.cast import (
    PATIENCE_S,
    Add,
    AskBoom,
    Counter,
    Door,
    Hold,
    Note,
    Notebook,
    Notes,
    Total,
)


async def ticks_until(seen: Callable[[], bool], more: int = 100) -> int:
    """How often this loop came round until `seen`, and `more` times."""
    count = 0
    while not seen():
        await asyncio.sleep(0)
        count += 1
    for _ in range(more):
        await asyncio.sleep(0)
    return count + more


def test_a_system_lives_in_an_async_with() -> None:
    async def main() -> tuple[tuple[str, ...], bool]:
        async with ActorSystem("test") as system:
            notebook = system.start(Notebook)
            await notebook.send(Note(text="a"))
            await notebook.send(Note(text="b"))
            notes = await notebook.request(Notes())
            await notebook.stopped()
            with pytest.raises(ActorDead):
                await notebook.request(Notes())
        return notes, system.audit().balanced

    assert asyncio.run(main()) == (("a", "b"), True)


def test_a_system_has_ended_when_its_block_raises() -> None:
    async def main() -> tuple[str, ...]:
        with pytest.raises(ActorFailed):
            async with ActorSystem("test") as system:
                await system.start(Counter).request(AskBoom())
        return system.actors()

    assert asyncio.run(main()) == ()
    assert not [each for each in threading.enumerate() if each.name.startswith("test-")]


def test_the_loop_goes_on_while_an_actor_works_and_while_its_system_ends() -> None:
    entered, opened, again = threading.Event(), threading.Event(), threading.Event()

    async def main() -> tuple[int, int]:
        async with ActorSystem("test") as system:
            held = asyncio.ensure_future(system.start(Door, entered, opened).request(Hold()))
            working = await ticks_until(entered.is_set)
            opened.set()
            await held
            entered.clear()
            last = system.start(Door, entered, again)
            last.tell(Hold())
            closing = asyncio.create_task(ticks_until(entered.is_set))
            closing.add_done_callback(lambda _: again.set())
        return working, closing.result()

    working, closing = asyncio.run(main())

    assert working >= 100
    assert closing >= 100


def test_a_thousand_requests_at_once_cost_no_thread() -> None:
    async def main() -> tuple[list[int], int]:
        async with ActorSystem("test") as system:
            counters = [system.start(Counter, n) for n in range(10)]
            before = threading.active_count()
            asked = [counters[n % 10].request(Total()) for n in range(1_000)]
            answers = await asyncio.gather(*asked)
            return answers, threading.active_count() - before

    assert asyncio.run(main()) == ([n % 10 for n in range(1_000)], 0)


def test_who_stops_waiting_leaves_the_actor_at_work_and_nothing_behind() -> None:
    entered, opened = threading.Event(), threading.Event()

    async def main() -> bool:
        async with ActorSystem("test") as system:
            door = system.start(Door, entered, opened)
            held = asyncio.ensure_future(door.request(Hold()))
            await ticks_until(entered.is_set)
            held.cancel()
            await asyncio.wait([held])
            assert held.cancelled()
            assert asyncio.all_tasks() == {asyncio.current_task()}
            opened.set()
            await door.send(Note(text="later"))
            assert await door.request(Notes()) == ("later",)
        return system.audit().balanced

    assert asyncio.run(main())


class Blocks(ThreadActor):
    """Works in a thread of its own."""

    @handles
    def total(self, message: Total) -> int:
        return 7

    @handles
    def hold(self, message: Hold) -> None:
        GATE.wait(PATIENCE_S)


GATE = threading.Event()


def test_a_thread_actor_is_asked_and_stopped_from_a_loop() -> None:
    GATE.clear()

    async def main() -> tuple[int, bool]:
        async with ActorSystem("test") as system:
            ref = system.start(Blocks)
            held = asyncio.ensure_future(ref.request(Hold()))
            await ticks_until(lambda: True)
            GATE.set()
            await held
            total = await ref.request(Total())
            await ref.stopped()
            return total, ref.is_alive()

    assert asyncio.run(main()) == (7, False)


def test_loops_of_several_threads_may_use_one_system() -> None:
    with ActorSystem("test") as system:
        counter = system.start(Counter)

        async def add() -> None:
            for _ in range(50):
                await counter.send(Add())
                await counter.request(Total())

        threads = [threading.Thread(target=lambda: asyncio.run(add())) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE_S)

        assert counter.ask(Total()) == 200
        assert system.audit().balanced
