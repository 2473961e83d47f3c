"""Answers: Pykka's futures on ThreadReply, awaited anywhere, answered once."""

from __future__ import annotations

import asyncio
import functools
import operator
import queue
import threading
from collections.abc import Callable
from typing import Any

import pykka
import pytest

from actors import ActorSystem
from actors.kernel.future import ThreadReply
from tests.kernel.cast import PATIENCE_S, Add, Counter, Hold, Sleeper, Total

FUTURES: list[Callable[[], pykka.Future[object]]] = [pykka.ThreadingFuture, ThreadReply]


@pytest.fixture(params=FUTURES, ids=["pykka", "ours"])
def future(request: pytest.FixtureRequest) -> pykka.Future[object]:
    made: pykka.Future[object] = request.param()
    return made


def test_get_returns_what_was_set(future: pykka.Future[object]) -> None:
    future.set(3)

    assert future.get() == 3
    assert future.get(timeout=0) == 3


def test_get_raises_what_was_set(future: pykka.Future[object]) -> None:
    try:
        raise KeyError("x")
    except KeyError:
        future.set_exception()

    with pytest.raises(KeyError):
        future.get()


def test_get_times_out(future: pykka.Future[object]) -> None:
    with pytest.raises(pykka.Timeout):
        future.get(timeout=0.001)
    with pytest.raises(pykka.Timeout):
        future.get(timeout=0)


def test_a_second_answer_is_refused(future: pykka.Future[object]) -> None:
    future.set(1)

    with pytest.raises(queue.Full):
        future.set(2)
    with pytest.raises(queue.Full):
        future.set_exception((ValueError, ValueError(), None))
    assert future.get() == 1


def test_filter_map_join_and_reduce(future: pykka.Future[Any]) -> None:
    other = type(future)()
    filtered: pykka.Future[Any] = future.filter(lambda n: n > 1)
    mapped = future.map(len)
    joined = future.join(other)
    reduced = future.reduce(operator.add)
    future.set([1, 2, 3])
    other.set("x")

    assert list(filtered.get()) == [2, 3]
    assert mapped.get() == 3
    assert list(joined.get()) == [[1, 2, 3], "x"]
    assert reduced.get() == 6


def test_a_get_hook_computes_the_answer_once(future: pykka.Future[object]) -> None:
    calls: list[float | None] = []

    def compute(timeout: float | None) -> object:
        calls.append(timeout)
        return "computed"

    future.set_get_hook(compute)

    assert (future.get(timeout=2), future.get(timeout=3)) == ("computed", "computed")
    assert calls == [2]
    with pytest.raises(queue.Full):
        future.set(1)


def test_a_get_hook_is_refused_after_the_answer(future: pykka.Future[object]) -> None:
    future.set(1)

    with pytest.raises(queue.Full):
        future.set_get_hook(lambda _: 2)


def test_get_all_collects_answers(system: ActorSystem) -> None:
    refs = [system.start(Counter, n) for n in range(3)]

    answers = pykka.get_all([ref.ask(Total(), block=False) for ref in refs], timeout=5)

    assert list(answers) == [0, 1, 2]


def test_set_exception_without_exception_is_refused() -> None:
    with pytest.raises(ValueError, match="no exception to set"):
        ThreadReply().set_exception()


def test_an_exception_class_is_made_an_exception() -> None:
    reply: ThreadReply[int] = ThreadReply()
    reply.set_exception((KeyError, None, None))

    with pytest.raises(KeyError):
        reply.get()


def test_an_answer_is_awaited_on_a_foreign_loop(system: ActorSystem) -> None:
    ref = system.start(Counter, 7)

    async def main() -> tuple[int, str, list[object]]:
        answer = ref.ask(Total(), block=False)
        joined = ref.ask(Total(), block=False).join(ref.ask(Total(), block=False))
        return await answer, await answer.map(str), list(await joined)

    assert asyncio.run(main()) == (7, "7", [7, 7])


def test_awaiting_a_derived_answer_waits_for_its_source() -> None:
    source: ThreadReply[int] = ThreadReply()

    async def main() -> int:
        derived = source.map(lambda n: n + 1)
        asyncio.get_running_loop().call_soon(source.set, 1)
        return await derived

    assert asyncio.run(main()) == 2


def test_awaiting_raises_what_the_source_raised() -> None:
    source: ThreadReply[int] = ThreadReply()

    async def main() -> None:
        derived = source.map(lambda n: n + 1)
        failure = functools.partial(source.resolve, None, KeyError("x"))
        asyncio.get_running_loop().call_soon(failure)
        with pytest.raises(KeyError):
            await derived

    asyncio.run(main())


def test_an_answer_for_a_closed_loop_harms_nobody(system: ActorSystem) -> None:
    sleeper, counter = system.start(Sleeper), system.start(Counter)

    async def main() -> None:
        async def wait() -> None:
            await sleeper.ask(Hold(), block=False)

        task = asyncio.ensure_future(wait())
        await counter.request(Total())
        task.cancel()

    asyncio.run(main())
    sleeper.tell(Add())

    assert counter.ask(Total()) == 0


def test_a_hook_on_the_answer_of_an_ask_harms_nobody(system: ActorSystem) -> None:
    sleeper, counter = system.start(Sleeper), system.start(Counter)
    answer = sleeper.ask(Hold(), block=False)
    answer.set_get_hook(lambda _: None)
    sleeper.tell(Add())

    assert counter.ask(Total()) == 0
    assert answer.get() is None


def test_many_threads_wait_for_one_answer() -> None:
    reply: ThreadReply[int] = ThreadReply()
    got: list[int] = []
    threads = [
        threading.Thread(target=lambda: got.append(reply.get(timeout=PATIENCE_S))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    reply.set(3)
    for thread in threads:
        thread.join(PATIENCE_S)

    assert got == [3] * 8
