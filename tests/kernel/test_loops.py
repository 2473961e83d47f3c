"""Two loops per system, work off the loops, and the watchdog that looks at them."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from functools import partial

import pytest

from actors import Actor, ActorSystem, handles
from actors.kernel.errors import ActorFailed
from actors.kernel.loops import SWITCH_INTERVAL_S, LoopThreads
from actors.kernel.realm import Realm
from actors.kernel.watchdog import Watchdog
from tests.kernel.cast import PATIENCE_S, Call, Counter, Door, Hold, Note, Notebook, Puppet, Total


def test_a_blocked_member_loop_does_not_delay_the_system_loop(system: ActorSystem) -> None:
    entered, opened = threading.Event(), threading.Event()
    held = system.start(Door, entered, opened).ask(Hold(), block=False)
    assert entered.wait(PATIENCE_S)
    member, far = system.start(Counter), system.start(Counter, loop="system")
    waits = member.ask(Total(), block=False)

    assert [far.ask(Total()) for _ in range(100)] == [0] * 100
    assert not waits.done

    opened.set()
    held.get(timeout=PATIENCE_S)
    assert waits.get(timeout=PATIENCE_S) == 0


def test_each_loop_runs_in_a_named_thread(system: ActorSystem) -> None:
    def where(_: Actor) -> str:
        return threading.current_thread().name

    assert system.start(Puppet, loop="system").ask(Call(where)) == "test-system"
    assert system.start(Puppet).ask(Call(where)) == "test-member"


def test_threads_switch_often_enough_for_the_system_loop(system: ActorSystem) -> None:
    assert sys.getswitchinterval() <= SWITCH_INTERVAL_S


def test_blocking_work_runs_off_the_loops(system: ActorSystem) -> None:
    async def work(actor: Actor) -> str:
        return await actor.realm.scheduler.run_blocking(lambda: threading.current_thread().name)

    assert system.start(Puppet).ask(Call(work)).startswith("test-work")


def test_errors_of_blocking_work_reach_the_handler(system: ActorSystem) -> None:
    async def work(actor: Actor) -> None:
        await actor.realm.scheduler.run_blocking(partial("".index, "x"))

    with pytest.raises(ActorFailed, match="ValueError"):
        system.start(Puppet).ask(Call(work))


def test_ordered_work_runs_in_order_in_one_thread(system: ActorSystem) -> None:
    done: list[tuple[int, str]] = []

    def job(n: int) -> None:
        done.append((n, threading.current_thread().name))

    async def work(actor: Actor) -> None:
        scheduler = actor.realm.scheduler
        await asyncio.gather(*(scheduler.run_ordered("disk", partial(job, n)) for n in range(50)))

    system.start(Puppet).ask(Call(work))

    assert [n for n, _ in done] == list(range(50))
    assert len({name for _, name in done}) == 1


def test_closed_loops_refuse_work() -> None:
    loops = LoopThreads("closed")
    loops.close()
    loops.close()

    with pytest.raises(RuntimeError, match="loops of closed are closed"):
        asyncio.run(loops.run_blocking(lambda: 1))
    with pytest.raises(RuntimeError, match="loops of closed are closed"):
        asyncio.run(loops.run_ordered("q", lambda: 1))
    loops.dispatcher("member").call(lambda: None)  # dropped
    assert not any(thread.name.startswith("closed-") for thread in threading.enumerate())


def test_closing_cancels_what_still_runs() -> None:
    loops = LoopThreads("busy")
    dispatcher = loops.dispatcher("member")
    began, cancelled = threading.Event(), threading.Event()

    async def forever() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    dispatcher.call(lambda: dispatcher.task(forever(), "forever"))
    assert began.wait(PATIENCE_S)
    loops.close()

    assert cancelled.is_set()


def test_a_kernel_call_that_raises_does_not_stop_the_loop(
    system: ActorSystem, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> None:
        raise SystemExit

    dispatcher = system.realm.scheduler.dispatcher("member")
    with caplog.at_level(logging.CRITICAL):
        dispatcher.call(broken)
        dispatcher.call(broken)

        assert system.start(Counter).ask(Total()) == 0


class Spinner(Actor):
    """Holds its loop until let go; `spin` is what the stack must show."""

    def __init__(self, entered: threading.Event, opened: threading.Event) -> None:
        super().__init__()
        self.entered, self.opened = entered, opened

    def spin(self) -> None:
        self.entered.set()
        self.opened.wait(PATIENCE_S)

    @handles
    def hold(self, message: Hold) -> None:
        self.spin()

    @handles
    async def note(self, message: Note) -> None:
        self.spin()


@pytest.mark.parametrize("message", [Hold(), Note(text="x")], ids=["def", "async"])
def test_the_watchdog_names_actor_message_and_stack(
    caplog: pytest.LogCaptureFixture, message: object
) -> None:
    entered, opened, seen = threading.Event(), threading.Event(), threading.Event()

    class Listening(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.set()

    listener = Listening()
    logging.getLogger("actors.kernel.watchdog").addHandler(listener)
    try:
        with ActorSystem("watched") as system:
            spinner = system.start(Spinner, entered, opened, name="spinner", loop="system")
            spinner.tell(message)
            assert seen.wait(PATIENCE_S)
            opened.set()
            (slow,) = system.slow_handlers
    finally:
        logging.getLogger("actors.kernel.watchdog").removeHandler(listener)

    assert slow.address == "mob://watched/spinner"
    assert slow.message_type == type(message).__qualname__
    assert slow.budget_ms == 50
    assert slow.held_ms >= 50
    assert "in spin" in slow.stack
    assert "mob://watched/spinner held its loop" in caplog.text


def test_handlers_that_only_await_are_not_slow() -> None:
    loops = LoopThreads("calm")
    realm = Realm("calm", loops)
    watchdog = Watchdog(realm, system_budget_s=0.0, member_budget_s=10)
    dispatcher = loops.dispatcher("system")
    done = threading.Event()

    async def calm() -> None:
        for _ in range(20):
            await asyncio.sleep(0)
        done.set()

    dispatcher.call(lambda: dispatcher.task(calm(), "calm"))
    assert done.wait(PATIENCE_S)
    watchdog.close()
    watchdog.close()
    loops.close()

    assert not [slow for slow in realm.counts.slow if slow.held_ms > 1_000]


def test_an_idle_system_has_no_slow_handlers(system: ActorSystem) -> None:
    notebook = system.start(Notebook)
    for _ in range(1_000):
        notebook.tell(Note(text="x"), timeout=PATIENCE_S)

    assert system.slow_handlers == ()
