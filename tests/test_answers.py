"""How who asks a mob waits: the same coroutines, run through by a thread or awaited by a task."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from actors import Actor, ActorSystem
from actors.answers import Blocking, OnLoop, answer, at_once, in_thread, to_the_end
from actors.kernel.errors import ActorFailed, AskTimeout, WouldDeadlock
from actors.kernel.future import ThreadReply
from tests.kernel.cast import Add, AskBoom, Call, Counter, Puppet, Total


@pytest.fixture
def system() -> Iterator[ActorSystem]:
    with ActorSystem("test") as system:
        yield system


def on_loop(system: ActorSystem) -> OnLoop:
    return OnLoop(system.realm.scheduler)


def test_what_is_asked_is_answered_in_both_ways(system: ActorSystem) -> None:
    ref = system.start(Counter, 5)

    blocked = at_once(answer(Blocking(), ref, Total(), 10))
    awaited = asyncio.run(answer(on_loop(system), ref, Total(), 10))

    assert blocked == awaited == 5


def test_what_fails_raises_in_both_ways(system: ActorSystem) -> None:
    for run, waiting in ((at_once, Blocking()), (asyncio.run, on_loop(system))):
        ref = system.start(Counter)
        with pytest.raises(ActorFailed, match="boom"):
            run(answer(waiting, ref, AskBoom(), 10))


def test_no_answer_in_time_is_a_timeout_in_both_ways(system: ActorSystem) -> None:
    silent: ThreadReply[int] = ThreadReply(address="mob://test/silent")

    for run, waiting in ((at_once, Blocking()), (asyncio.run, on_loop(system))):
        with pytest.raises(AskTimeout, match=r"silent did not answer within 0\.01 s"):
            run(waiting.reply(silent, 0.01))


def test_an_answer_that_is_a_timeout_is_told_from_no_answer(system: ActorSystem) -> None:
    reply: ThreadReply[int] = ThreadReply()
    reply.resolve(None, TimeoutError("mine"))

    for run, waiting in ((at_once, Blocking()), (asyncio.run, on_loop(system))):
        with pytest.raises(TimeoutError, match="mine"):
            run(waiting.reply(reply, 10))


class LateReply(ThreadReply[int]):
    """Answered in the moment in which who waits for it gives up."""

    def __await__(self) -> Any:
        try:
            yield from super().__await__()
        except asyncio.CancelledError:
            self.resolve(7, None)
            raise


def test_an_answer_in_the_moment_of_the_timeout_counts(system: ActorSystem) -> None:
    assert asyncio.run(on_loop(system).reply(LateReply(), 0.01)) == 7


def test_a_cancellation_in_the_moment_of_the_answer_is_not_swallowed(system: ActorSystem) -> None:
    async def main() -> bool:
        reply: ThreadReply[int] = ThreadReply()
        waiting = asyncio.create_task(on_loop(system).reply(reply, 10))
        await asyncio.sleep(0)
        reply.resolve(7, None)
        await asyncio.sleep(0)  # the loop knows the answer, and the task has not run yet
        waiting.cancel()
        await asyncio.wait([waiting])
        return waiting.cancelled()

    assert asyncio.run(main())


@pytest.mark.parametrize("waiting", [Blocking, on_loop], ids=["blocking", "on a loop"])
def test_waiting_on_the_loops_that_answer_is_refused_and_nothing_is_sent(
    system: ActorSystem, waiting: Callable[..., Any]
) -> None:
    ref = system.start(Counter)
    here = waiting() if waiting is Blocking else waiting(system)

    async def ask(_: Actor) -> None:
        with pytest.raises(WouldDeadlock, match="ask of mob://test/"):
            await answer(here, ref, Add(), 10)

    system.start(Puppet).ask(Call(ask))

    assert ref.ask(Total()) == 0
    assert system.audit().sent == 2


def test_an_actor_of_another_system_may_await_where_it_must_not_block(system: ActorSystem) -> None:
    ref = system.start(Counter, 5)

    async def ask(_: Actor) -> object:
        with pytest.raises(WouldDeadlock):
            await answer(Blocking(), ref, Total(), 10)
        return await answer(on_loop(system), ref, Total(), 10)

    with ActorSystem("other") as other:
        assert other.start(Puppet).ask(Call(ask)) == 5


def test_work_runs_here_or_in_a_thread_of_the_loop(system: ActorSystem) -> None:
    here = threading.get_ident()

    assert at_once(Blocking().work(threading.get_ident)) == here
    assert asyncio.run(on_loop(system).work(threading.get_ident)) != here


def test_a_coroutine_that_pauses_is_not_run_at_once() -> None:
    reached: list[str] = []

    async def pauses() -> None:
        reply: ThreadReply[None] = ThreadReply()
        reply.resolve(None, None)
        try:
            await reply  # it is there: no pause
            reached.append("the pause")
            await asyncio.sleep(0)
        finally:
            reached.append("the end")

    with pytest.raises(RuntimeError, match="paused, but there is no event loop"):
        at_once(pauses())

    assert reached == ["the pause", "the end"]


def test_a_thread_of_its_own_gives_its_result_or_whatever_ended_it() -> None:
    def leaves() -> None:
        raise SystemExit(3)

    assert in_thread(lambda: threading.current_thread().name, "mine").get(timeout=10) == "mine"
    with pytest.raises(SystemExit):
        in_thread(leaves, "mine").get(timeout=10)


def test_who_sees_a_thing_through_leaves_at_its_end_however_often_cancelled() -> None:
    async def main() -> tuple[bool, bool]:
        work: ThreadReply[int] = ThreadReply()
        end: ThreadReply[None] = ThreadReply()
        cuts: list[int] = []

        def cut() -> ThreadReply[None]:
            cuts.append(1)
            return end

        waiting = asyncio.create_task(to_the_end(work, cut))
        for _ in range(3):
            await asyncio.sleep(0)
            waiting.cancel()
        await asyncio.sleep(0)
        early = waiting.done()
        end.resolve(None, ValueError("how it ends does not matter"))
        await asyncio.wait([waiting])
        assert cuts == [1]
        return early, waiting.cancelled()

    assert asyncio.run(main()) == (False, True)


def test_a_coroutine_that_is_thrown_away_cuts_its_work_and_waits_for_nothing() -> None:
    cuts: list[int] = []

    def cut() -> ThreadReply[None]:
        cuts.append(1)
        return ThreadReply()

    async def main() -> None:
        waiting: Coroutine[Any, Any, None] = to_the_end(ThreadReply(), cut)
        waiting.send(None)
        waiting.close()

    asyncio.run(main())

    assert cuts == [1]
