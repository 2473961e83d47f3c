"""`AsyncMob` as its users meet it: the verbs of `Mob`, on event loops that go on meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import inspect
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest

from actors import AsyncMob, Mob, launching
from actors.domain.errors import (
    DefinitionError,
    Draining,
    InboxFull,
    MemberNotFound,
    StoreInUse,
    TurnFailed,
)
from actors.domain.events import Entry, InputDone, LedgerEvent, MobStopped
from actors.domain.reports import Receipt
from actors.ending import INTERRUPTED
from actors.executors.context import ThreadTurnContext, TurnContext
from actors.kernel.errors import WouldDeadlock
from actors.kernel.simulation import simulated
from actors.roles.member import UnknownInput
from actors.stores import verify_store
from actors.stores.memory import MemoryLedger
from tests.test_mob import threads_of

R = TypeVar("R")
HERE = __name__
PATIENCE_S = 20.0  # no test waits this long unless something is broken


class Gates(dict[str, threading.Event]):
    """Gates by name; whoever names one first makes it, in whatever thread."""

    def __missing__(self, name: str) -> threading.Event:
        return self.setdefault(name, threading.Event())


GATES = Gates()
OWN: list[AsyncMob] = []


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    GATES.clear()
    OWN.clear()
    yield
    for gate in GATES.values():
        gate.set()


async def echo(ctx: TurnContext) -> object:
    if ctx.input.body == "hold the loop":
        GATES["held"].set()
        GATES["hold the loop"].wait(PATIENCE_S)
    return ctx.input.body


def gated(ctx: ThreadTurnContext) -> object:
    """Says that it began, and waits for its gate."""
    GATES[f"{ctx.input.body} began"].set()
    GATES[str(ctx.input.body)].wait(PATIENCE_S)
    return f"{ctx.input.body} done"


async def fails(ctx: TurnContext) -> object:
    raise ValueError("no")


async def calls_its_own_mob(ctx: TurnContext) -> object:
    refused = 0
    for verb in (OWN[0].members, OWN[0].shutdown):
        try:
            await verb()
        except WouldDeadlock:
            refused += 1
    return refused


def panel(**more: Any) -> dict[str, Any]:
    return {
        "id": "panel",
        "profiles": {
            "lead": {"call": f"{HERE}:echo"},
            "worker": {"call": f"{HERE}:gated", "isolation": "thread"},
            "bad": {"call": f"{HERE}:fails", "limits": {"attempts": 1}},
            "inner": {"call": f"{HERE}:calls_its_own_mob", "limits": {"attempts": 1}},
        },
        "members": [{"name": name, "profile": name} for name in ("lead", "worker", "bad", "inner")],
        "wiring": {"orchestrator": "lead", "auto_wire_orchestrator": True},
        "store": {"durability": "normal"},
        **more,
    }


def run(main: Coroutine[Any, Any, R]) -> R:
    """Run `main` in a loop of its own, in which nothing may be left behind or go unseen."""
    complaints: list[Any] = []

    async def watched() -> R:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: complaints.append(context))
        result = await main
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return result

    result = asyncio.run(watched())
    gc.collect()
    assert complaints == []
    return result


async def ticks_until(seen: Callable[[], bool], more: int = 100) -> int:
    """How often this loop came round until `seen`, and `more` times."""
    count = 0
    while not seen():
        await asyncio.sleep(0)
        count += 1
    for _ in range(more):
        await asyncio.sleep(0)
    return count + more


async def listed(entries: AsyncIterator[Entry]) -> list[Entry]:
    return [entry async for entry in entries]


# The surface


def public(surface: type) -> list[str]:
    return [name for name in dir(surface) if not name.startswith("_")]


def test_the_two_surfaces_have_the_same_names() -> None:
    assert public(AsyncMob) == public(Mob)


@pytest.mark.parametrize("name", public(Mob))
def test_a_verb_takes_and_promises_the_same_in_both_surfaces(name: str) -> None:
    ours, theirs = (inspect.getattr_static(each, name) for each in (AsyncMob, Mob))
    if isinstance(theirs, property):
        assert isinstance(ours, property)
        ours, theirs = ours.fget, theirs.fget
    ours, theirs = (getattr(each, "__func__", each) for each in (ours, theirs))
    mine, other = inspect.signature(ours), inspect.signature(theirs)
    special = {"launch": ("Launch", "Mob"), "events": ("AsyncIterator[Entry]", "Iterator[Entry]")}

    assert mine.parameters == other.parameters
    assert inspect.getdoc(ours) == inspect.getdoc(theirs)
    if name in special:
        assert (mine.return_annotation, other.return_annotation) == special[name]
    else:
        assert mine.return_annotation == other.return_annotation
        is_property = isinstance(inspect.getattr_static(Mob, name), property)
        assert inspect.iscoroutinefunction(ours) is not is_property


VERBS: list[Callable[[Any], Any]] = [
    lambda mob: mob.members(),
    lambda mob: mob.member("lead"),
    lambda mob: mob.spawn("more", profile="lead", labels={"a": "b"}),
    lambda mob: mob.spawn_many([("x", "lead"), ("x", "lead"), {"name": "y", "profile": "lead"}]),
    lambda mob: mob.retire("x"),
    lambda mob: mob.retire("x"),
    lambda mob: mob.wire("more", "y"),
    lambda mob: mob.unwire("more", "y"),
    lambda mob: mob.edges(),
    lambda mob: mob.graph(),
    lambda mob: mob.reconcile(),
    lambda mob: mob.send("lead", "a", key="k"),
    lambda mob: mob.ask("lead", "a", key="k"),
    lambda mob: mob.ask("lead", "b", timeout=5),
    lambda mob: mob.ask("bad", "c"),
    lambda mob: mob.ask("nobody", "d"),
    lambda mob: mob.send("lead", 3),
    lambda mob: mob.send("lead", "other", key="k"),
    lambda mob: mob.send("lead", "e", timeout=-1.0),
    lambda mob: mob.ask("lead", "e", timeout=float("nan")),
    lambda mob: mob.result("lead", "unknown"),
    lambda mob: mob.unfinished("lead"),
    lambda mob: mob.status(),
    lambda mob: mob.operations(),
    lambda mob: mob.progress_texts(),
    lambda mob: mob.routed(),
    lambda mob: mob.dead_letters(),
    lambda mob: mob.audit(),
    lambda mob: mob.shutdown(timeout=-1.0),
    lambda mob: mob.shutdown(timeout=3.0),
    lambda mob: mob.shutdown(),
    lambda mob: mob.members(),
    lambda mob: mob.spawn_many([("z", "lead")]),
    lambda mob: mob.audit(),
]


def shown(result: object) -> str:
    """A result without ids and numbers, which differ from run to run."""
    text = f"{type(result).__name__} {result}" if isinstance(result, Exception) else str(result)
    return re.sub(r"[0-9a-f]{32}|\d[\d.e-]*|[\s-]+", " ", text)


def test_every_verb_gives_the_same_in_both_surfaces(tmp_path: Path) -> None:
    def blocking() -> Iterator[str]:
        mob = Mob.launch(panel(), state_dir=tmp_path / "state")
        for verb in VERBS:
            try:
                yield shown(verb(mob))
            except Exception as error:  # noqa: BLE001 - compared
                yield shown(error)
        yield shown((mob.id, mob.definition, mob.state_dir, mob.cursor))

    async def awaiting() -> list[str]:
        results: list[str] = []
        mob = await AsyncMob.launch(panel(), state_dir=tmp_path / "state")
        for verb in VERBS:
            try:
                results.append(shown(await verb(mob)))
            except Exception as error:  # noqa: BLE001 - compared
                results.append(shown(error))
        results.append(shown((mob.id, mob.definition, mob.state_dir, mob.cursor)))
        return results

    awaited = run(awaiting())
    shutil.rmtree(tmp_path / "state")

    assert awaited == list(blocking())


# Launching


def test_a_launch_is_awaited_or_entered_or_made_a_task(tmp_path: Path) -> None:
    async def main() -> list[object]:
        values: list[object] = []
        async with AsyncMob.launch(panel(), state_dir=tmp_path / "a") as mob:
            values.append((await mob.ask("lead", "1")).value)
        mob = await AsyncMob.launch(panel(), state_dir=tmp_path / "b")
        async with mob:
            values.append((await mob.ask("lead", "2")).value)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(AsyncMob.launch(panel(), state_dir=tmp_path / "c"))
        values.append((await task.result().ask("lead", "3")).value)
        await task.result().shutdown()
        return values

    assert run(main()) == ["1", "2", "3"]
    assert threads_of("panel") == []


def test_what_a_launch_refuses_it_refuses_like_mob_and_nothing_is_left(tmp_path: Path) -> None:
    async def main() -> None:
        with pytest.raises(DefinitionError, match="there is no such file"):
            await AsyncMob.launch(tmp_path / "missing.toml")
        with pytest.raises(TypeError, match="not int"):
            await AsyncMob.launch(3)  # type: ignore[arg-type]  # that is the point
        with simulated(1) as world, pytest.raises(TypeError, match="use Mob"):
            await AsyncMob.launch(panel(), scheduler=world)
        async with AsyncMob.launch(panel(), state_dir=tmp_path) as mob:
            with pytest.raises(StoreInUse):
                async with AsyncMob.launch(panel(), state_dir=tmp_path):
                    pass
            assert (await mob.ask("lead", "still here")).value == "still here"

    run(main())

    assert threads_of("panel") == []


def test_an_async_mob_says_what_it_is(tmp_path: Path) -> None:
    async def main() -> tuple[str, str]:
        async with AsyncMob.launch(panel(), state_dir=tmp_path) as mob:
            running = repr(mob)
        return running, repr(mob)

    assert run(main()) == (
        f"<AsyncMob 'panel', running, {tmp_path}>",
        f"<AsyncMob 'panel', ended, {tmp_path}>",
    )


class Pipe:
    """A mob file that can be read only when somebody writes it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "mob.toml"
        os.mkfifo(self.path)
        self._end: int | None = None

    def is_read(self) -> bool:
        """Whether somebody waits for its text."""
        with contextlib.suppress(OSError):  # nobody yet
            self._end = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK)
        return self._end is not None

    def write(self, text: str) -> None:
        assert self._end is not None
        os.write(self._end, text.encode())
        os.close(self._end)


def test_the_loop_goes_on_while_a_mob_is_launched(tmp_path: Path) -> None:
    pipe = Pipe(tmp_path)

    async def main() -> int:
        launching = asyncio.create_task(AsyncMob.launch(pipe.path, state_dir=tmp_path / "s"))
        ticks = await ticks_until(pipe.is_read)
        pipe.write('id = "panel"')
        async with await launching as mob:
            assert await mob.members() == ()
        return ticks

    assert run(main()) >= 100


def test_a_launch_that_is_cancelled_ends_what_it_started(tmp_path: Path) -> None:
    pipe = Pipe(tmp_path)

    async def main() -> None:
        launching = asyncio.create_task(AsyncMob.launch(pipe.path, state_dir=tmp_path / "s"))
        await ticks_until(pipe.is_read)
        for _ in range(3):  # being in a hurry does not leave half a mob behind
            launching.cancel()
            await asyncio.sleep(0)
        assert not launching.done()
        pipe.write('id = "panel"')
        with pytest.raises(asyncio.CancelledError):
            await launching
        assert threads_of("panel") == []
        async with AsyncMob.launch({"id": "panel"}, state_dir=tmp_path / "s") as again:
            assert [e.event.tag async for e in again.events(tag="mob_stopped")] == ["mob_stopped"]

    run(main())


def test_a_launch_that_is_cancelled_and_fails_is_cancelled(tmp_path: Path) -> None:
    pipe = Pipe(tmp_path)

    async def main() -> None:
        launching = asyncio.create_task(AsyncMob.launch(pipe.path))
        await ticks_until(pipe.is_read)
        launching.cancel()
        pipe.write("id = 3")
        with pytest.raises(asyncio.CancelledError):
            await launching

    run(main())


def test_a_launch_that_its_loop_throws_away_ends_by_itself(tmp_path: Path) -> None:
    pipe = Pipe(tmp_path)

    async def main() -> None:
        thrown_away = AsyncMob.launch(pipe.path, state_dir=tmp_path / "s")
        thrown_away.send(None)
        await ticks_until(pipe.is_read)
        thrown_away.close()

    run(main())
    pipe.write('id = "panel"')
    for thread in threading.enumerate():
        if thread.name.startswith("mob-"):
            thread.join(PATIENCE_S)

    assert threads_of("panel") == []
    assert verify_store(tmp_path / "s").ok
    with Mob.launch({"id": "panel"}, state_dir=tmp_path / "s"):
        pass


def test_a_launch_that_nobody_awaits_is_complained_about() -> None:
    launches = [AsyncMob.launch({"id": "panel"})]

    with pytest.warns(RuntimeWarning, match="was never awaited"):
        launches.clear()


# Work


def test_the_loop_goes_on_while_a_turn_runs(tmp_path: Path) -> None:
    async def main() -> tuple[int, object]:
        async with AsyncMob.launch(panel(), state_dir=tmp_path) as mob:
            asked = asyncio.create_task(mob.ask("worker", "x"))
            ticks = await ticks_until(GATES["x began"].is_set)
            GATES["x"].set()  # only a loop that goes on comes here before the turn ends
            return ticks, (await asked).value

    ticks, value = run(main())

    assert ticks >= 100
    assert value == "x done"


def test_it_works_in_a_loop_that_was_running_before_as_in_a_notebook(tmp_path: Path) -> None:
    async def cell(code: Coroutine[Any, Any, R]) -> R:
        return await code

    async def kernel(beats: list[int]) -> None:
        while True:
            beats.append(1)
            await asyncio.sleep(0)

    async def launch() -> AsyncMob:
        return await AsyncMob.launch(panel(), state_dir=tmp_path)

    loop = asyncio.new_event_loop()
    beats: list[int] = []
    heart = loop.create_task(kernel(beats))
    mob = loop.run_until_complete(cell(launch()))
    seen = len(beats)
    asked = loop.create_task(mob.ask("worker", "x"))
    loop.run_until_complete(cell(ticks_until(GATES["x began"].is_set)))
    GATES["x"].set()
    value = loop.run_until_complete(cell(asyncio.wait_for(asked, PATIENCE_S))).value
    beaten = len(beats) - seen
    loop.run_until_complete(cell(mob.shutdown()))
    heart.cancel()
    loop.run_until_complete(asyncio.wait([heart]))
    loop.close()

    assert value == "x done"
    assert beaten > 100


def test_a_thousand_questions_at_once_cost_no_thread(tmp_path: Path) -> None:
    given = panel(
        profiles={"lead": {"call": f"{HERE}:echo"}},
        members=[{"name": "m", "profile": "lead", "count": 4}],
        wiring={},
        store={"durability": "memory"},
    )
    most: set[str] = set()

    async def watch() -> None:
        while True:
            most.update(thread.name for thread in threading.enumerate())
            await asyncio.sleep(0)

    async def main() -> list[object]:
        async with AsyncMob.launch(given, state_dir=tmp_path) as mob:
            before = {thread.name for thread in threading.enumerate()}
            watching = asyncio.create_task(watch())
            results = await asyncio.gather(
                *(mob.ask(f"m-{n % 4 + 1}", str(n)) for n in range(1_000))
            )
            watching.cancel()
            await asyncio.wait([watching])
            most.difference_update(before)
            return [result.value for result in results]

    assert run(main()) == [str(n) for n in range(1_000)]
    assert {name for name in most if not name.startswith("panel-")} == set()
    assert len(most) <= 1 + 8  # the mob's own: its ledger's, and its pool's


def test_who_stops_waiting_for_an_answer_leaves_the_mob_at_work(tmp_path: Path) -> None:
    async def main() -> object:
        async with AsyncMob.launch(panel(), state_dir=tmp_path) as mob:
            asked = asyncio.create_task(mob.ask("worker", "x", key="k"))
            await ticks_until(GATES["x began"].is_set)
            asked.cancel()
            await asyncio.wait([asked])
            assert asked.cancelled()
            assert asyncio.all_tasks() == {asyncio.current_task()}
            GATES["x"].set()
            return (await mob.ask("worker", "x", key="k")).value

    assert run(main()) == "x done"


def test_who_gives_up_after_a_time_can_wait_again(tmp_path: Path) -> None:
    async def main() -> object:
        async with AsyncMob.launch(panel(), state_dir=tmp_path) as mob:
            receipt = await mob.send("worker", "x")
            with pytest.raises(TimeoutError, match=r"did not finish input .* within 0\.01 s"):
                await mob.result("worker", receipt.input_id, timeout=0.01)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await mob.result("worker", receipt.input_id)
            GATES["x"].set()
            return (await mob.result("worker", receipt.input_id)).value

    assert run(main()) == "x done"


def test_what_is_wrong_is_said_as_mob_says_it(tmp_path: Path) -> None:
    async def main() -> None:
        async with AsyncMob.launch(panel(), state_dir=tmp_path) as mob:
            with pytest.raises(MemberNotFound, match="did you mean 'lead'"):
                await mob.ask("laed", "x")
            with pytest.raises(TurnFailed, match="no"):
                await mob.ask("bad", "x")
            with pytest.raises(UnknownInput):
                await mob.result("lead", "unknown")
            with pytest.raises(TypeError, match="did you mean 'identity'"):
                mob.events(identiy="lead")
        with pytest.raises(Draining):
            await mob.send("lead", "x")

    run(main())


def test_a_result_of_a_former_run_is_read_from_the_ledger(tmp_path: Path) -> None:
    async def main() -> object:
        async with AsyncMob.launch(panel(), state_dir=tmp_path) as mob:
            receipt = await mob.send("lead", "x")
            await mob.result("lead", receipt.input_id)
        async with AsyncMob.launch(panel(), state_dir=tmp_path) as mob:
            return (await mob.result("lead", receipt.input_id)).value

    assert run(main()) == "x"


def test_a_member_cannot_drive_its_own_mob(tmp_path: Path) -> None:
    async def main() -> object:
        async with AsyncMob.launch(panel(), state_dir=tmp_path) as mob:
            OWN.append(mob)
            return (await mob.ask("inner", "x")).value

    assert run(main()) == 2


# Loops


def test_two_loops_one_after_the_other_may_use_one_mob(tmp_path: Path) -> None:
    mob = run(_launched(tmp_path))
    values = [run(mob.ask("lead", str(n))).value for n in range(2)]
    report = run(mob.shutdown())

    assert values == ["0", "1"]
    assert report.drained


async def _launched(state_dir: Path) -> AsyncMob:
    return await AsyncMob.launch(panel(), state_dir=state_dir)


def test_loops_of_several_threads_may_use_one_mob_at_once(tmp_path: Path) -> None:
    mob = run(_launched(tmp_path))
    values: list[object] = []

    async def ask(n: int) -> None:
        results = await asyncio.gather(*(mob.ask("lead", f"{n} {k}") for k in range(10)))
        values.extend(result.value for result in results)

    threads = [threading.Thread(target=lambda n=n: asyncio.run(ask(n))) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    audit = run(mob.audit())
    run(mob.shutdown())

    assert sorted(map(str, values)) == sorted(f"{n} {k}" for n in range(4) for k in range(10))
    assert audit.balanced


# Looking


def test_events_are_the_ledger_in_order_and_can_be_filtered(tmp_path: Path) -> None:
    async def main() -> None:
        async with AsyncMob.launch(panel(), state_dir=tmp_path) as mob:
            await mob.ask("lead", "x")
            every = await listed(mob.events())

            assert [entry.cursor for entry in every] == list(range(1, mob.cursor + 1))
            assert await listed(mob.events(after=len(every) - 2)) == every[-2:]
            assert len(await listed(mob.events(tag="member_spawned", identity="lead"))) == 1
        assert isinstance((await listed(mob.events()))[-1].event, MobStopped)

    run(main())


def test_a_follower_sees_what_comes_and_ends_with_the_mob(tmp_path: Path) -> None:
    async def main() -> list[str]:
        async with AsyncMob.launch(panel(), state_dir=tmp_path) as mob:
            following = asyncio.create_task(listed(mob.events(follow=True)))
            await mob.ask("lead", "x")
        return [entry.event.tag for entry in await following]

    assert run(main()) == ["input_accepted", "turn_started", "input_done", "mob_stopped"]


def test_where_a_follower_begins_is_settled_when_it_is_made(tmp_path: Path) -> None:
    async def main() -> object:
        async with AsyncMob.launch(panel(), state_dir=tmp_path) as mob:
            entries = mob.events(follow=True, tag="input_done")
            await mob.ask("lead", "x")
            return await anext(entries)

    entry: Any = run(main())

    assert isinstance(entry.event, InputDone)


def test_a_follower_that_is_cancelled_leaves_nothing_behind(tmp_path: Path) -> None:
    async def main() -> None:
        async with AsyncMob.launch(panel(), state_dir=tmp_path) as mob:
            seen: list[Entry] = []

            async def follow() -> None:
                async for entry in mob.events(follow=True):
                    seen.append(entry)  # noqa: PERF401 - the test looks on

            following = asyncio.create_task(follow())
            await mob.ask("lead", "x")
            await ticks_until(lambda: len(seen) == 3)
            following.cancel()
            await asyncio.wait([following])
            assert following.cancelled()

    run(main())


def test_many_followers_that_wait_cost_no_thread(tmp_path: Path) -> None:
    async def main() -> tuple[int, int, list[list[Entry]]]:
        async with AsyncMob.launch(panel(), state_dir=tmp_path) as mob:
            following = [
                asyncio.create_task(listed(mob.events(follow=True, tag="input_done")))
                for _ in range(200)
            ]
            before = threading.active_count()
            await mob.ask("lead", "x")
            most = threading.active_count()
        return before, most, await asyncio.gather(*following)

    before, most, seen = run(main())

    assert most - before <= 40  # the executor of the loop has a bound, whoever uses it
    assert {len(entries) for entries in seen} == {1}


class SlowLedger(MemoryLedger):
    """A disk that answers a reader, or takes an entry, when a gate is open."""

    def append(self, events: Sequence[LedgerEvent], *, at_ms: int) -> int:
        if GATES.keys() >= {"slow append"}:
            GATES["slow append"].wait(PATIENCE_S)
        return super().append(events, at_ms=at_ms)

    def read(self, after: int = 0, limit: int = 1000) -> tuple[Entry, ...]:
        if GATES.keys() >= {"slow disk"}:
            GATES["read"].set()
            GATES["slow disk"].wait(PATIENCE_S)
        return super().read(after, limit)


def test_the_loop_goes_on_while_the_ledger_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launching, "open_ledger", lambda *_: SlowLedger("panel"))

    async def main() -> tuple[int, list[Entry]]:
        async with AsyncMob.launch(panel(), state_dir=tmp_path) as mob:
            gate = GATES["slow disk"]
            reading = asyncio.create_task(listed(mob.events(tag="member_spawned")))
            ticks = await ticks_until(GATES["read"].is_set)
            gate.set()
            return ticks, await reading

    ticks, entries = run(main())

    assert ticks >= 100
    assert len(entries) == 4


def test_a_receipt_that_does_not_come_in_time_is_a_timeout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launching, "open_ledger", lambda *_: SlowLedger("panel"))

    async def main() -> str:
        async with AsyncMob.launch(panel(), state_dir=tmp_path) as mob:
            gate = GATES["slow append"]
            with pytest.raises(TimeoutError, match=r"'lead' did not accept within 0\.01 s"):
                await mob.send("lead", "x", key="k", timeout=0.01)
            gate.set()
            return (await mob.send("lead", "x", key="k")).outcome

    assert run(main()) == "duplicate"


async def held_mob(mob: AsyncMob, sends: int) -> list[asyncio.Task[Receipt]]:
    """Hold the loop of a mob's members, and send until its router has no room."""
    await mob.send("lead", "hold the loop")
    await ticks_until(GATES["held"].is_set)
    sent = [asyncio.create_task(mob.send("worker", str(n))) for n in range(sends)]
    await asyncio.wait(sent, return_when=asyncio.FIRST_COMPLETED)
    return sent


def test_more_than_the_router_has_room_for_is_refused_and_nobody_waits_for_ever(
    tmp_path: Path,
) -> None:
    async def main() -> tuple[int, int, bool]:
        async with AsyncMob.launch(panel(), state_dir=tmp_path) as mob:
            sent = await held_mob(mob, 1_100)
            GATES["hold the loop"].set()
            results = await asyncio.gather(*sent, return_exceptions=True)
            full = [each for each in results if isinstance(each, InboxFull)]
            taken = [each for each in results if isinstance(each, Receipt)]
            await mob.shutdown(timeout=0.0)
        return len(full), len(taken), (await mob.audit()).balanced

    full, taken, balanced = run(main())

    assert full > 0
    assert taken > 0
    assert full + taken == 1_100
    assert balanced


def test_who_waits_for_a_result_waits_also_for_room_at_the_router(tmp_path: Path) -> None:
    async def main() -> object:
        async with AsyncMob.launch(panel(), state_dir=tmp_path) as mob:
            receipt = await mob.send("lead", "x")
            sent = await held_mob(mob, 1_100)
            with pytest.raises(TimeoutError, match=r"did not finish input .* within 0\.1 s"):
                await mob.result("lead", receipt.input_id, timeout=0.1)
            waiting = asyncio.create_task(mob.result("lead", receipt.input_id))
            await ticks_until(lambda: True)
            GATES["hold the loop"].set()
            result = await waiting
            await asyncio.gather(*sent, return_exceptions=True)
            await mob.shutdown(timeout=0.0)
            return result.value

    assert run(main()) == "x"


# Ending


def test_the_loop_goes_on_while_the_mob_is_drained(tmp_path: Path) -> None:
    async def main() -> tuple[int, bool]:
        mob = await AsyncMob.launch(panel(), state_dir=tmp_path)
        asked = asyncio.create_task(mob.ask("worker", "x"))
        await ticks_until(GATES["x began"].is_set)
        ending = asyncio.create_task(mob.shutdown())
        ticks = await ticks_until(lambda: mob._ending.begun)
        GATES["x"].set()
        report = await ending
        assert (await asked).value == "x done"
        return ticks, report.drained

    ticks, drained = run(main())

    assert ticks >= 100
    assert drained
    assert threads_of("panel") == []


def test_an_error_in_the_block_passes_and_the_mob_has_ended(tmp_path: Path) -> None:
    async def main() -> AsyncMob:
        with pytest.raises(KeyError):
            async with AsyncMob.launch(panel(), state_dir=tmp_path) as mob:
                raise KeyError("mine")
        return mob

    assert repr(run(main())).startswith("<AsyncMob 'panel', ended")
    assert threads_of("panel") == []


def test_a_block_that_is_cancelled_has_ended_its_mob_in_good_order(tmp_path: Path) -> None:
    async def main() -> None:
        inside = asyncio.Event()

        async def block() -> None:
            async with AsyncMob.launch(panel(), state_dir=tmp_path):
                inside.set()
                await asyncio.Event().wait()

        running = asyncio.create_task(block())
        await inside.wait()
        running.cancel()
        await asyncio.wait([running])
        assert running.cancelled()
        assert threads_of("panel") == []

    run(main())

    with Mob.launch(panel(), state_dir=tmp_path) as again:
        stopped = [e.event for e in again.events(tag="mob_stopped")]
    assert [event.drained for event in stopped if isinstance(event, MobStopped)] == [True]


def test_a_shutdown_that_is_cancelled_waits_for_the_members_no_longer(tmp_path: Path) -> None:
    async def main() -> object:
        mob = await AsyncMob.launch(panel(), state_dir=tmp_path)
        await mob.send("worker", "x")
        await ticks_until(GATES["x began"].is_set)
        ending = asyncio.create_task(mob.shutdown(timeout=1_000))
        await ticks_until(lambda: mob._ending.begun)
        for _ in range(3):
            ending.cancel()
            await asyncio.sleep(0)
        await asyncio.wait([ending])
        assert ending.cancelled()
        with Mob.launch({"id": "panel"}, state_dir=tmp_path):  # nothing is in use any more
            pass
        return await mob.shutdown()

    assert run(main()) == INTERRUPTED


def test_a_shutdown_that_is_cancelled_at_once_ends_as_soon(tmp_path: Path) -> None:
    async def main() -> object:
        mob = await AsyncMob.launch(panel(), state_dir=tmp_path)
        await mob.send("worker", "x")
        ending = asyncio.create_task(mob.shutdown(timeout=1_000))
        await asyncio.sleep(0)  # it has begun, and perhaps not yet asked the supervisor
        ending.cancel()
        await asyncio.wait([ending])
        return await mob.shutdown()

    assert run(main()) == INTERRUPTED


def test_a_drain_that_is_cut_short_before_it_was_asked_for_is_not_waited_for(
    tmp_path: Path,
) -> None:
    with Mob.launch(panel(), state_dir=tmp_path) as mob:
        ending = mob._verbs._ending
        mob.send("worker", "x")
        assert ending.claim(1_000.0)
        ending.cut_short()
        ending.finish()

        assert mob.shutdown() == INTERRUPTED


def test_everybody_who_asks_for_the_end_gets_the_one_report(tmp_path: Path) -> None:
    async def main() -> None:
        mob = await AsyncMob.launch(panel(), state_dir=tmp_path)
        await mob.send("worker", "x")
        await ticks_until(GATES["x began"].is_set)
        first, second, impatient = (asyncio.create_task(mob.shutdown()) for _ in range(3))
        await ticks_until(lambda: mob._ending.begun)
        impatient.cancel()  # it is not the one that ends the mob
        await asyncio.wait([impatient])
        assert not mob._ending.over
        GATES["x"].set()
        assert await first is await second
        assert (await first).drained

    run(main())


def test_at_exit_a_drain_that_takes_too_long_is_cut_short(tmp_path: Path) -> None:
    mob = Mob.launch(panel(), state_dir=tmp_path)
    mob.send("worker", "x")
    assert GATES["x began"].wait(PATIENCE_S)
    reports: list[object] = []
    ending = threading.Thread(target=lambda: reports.append(mob.shutdown(timeout=1_000)))
    ending.start()

    launching._end_all(0.05)
    ending.join(PATIENCE_S)

    assert reports == [INTERRUPTED]


CHILD = f"""
import asyncio, signal, sys, threading
from actors import AsyncMob
from {HERE} import panel

async def main():
    limits = {{"drain_timeout_s": float(sys.argv[2])}}
    async with AsyncMob.launch(panel(limits=limits), state_dir=sys.argv[1]) as mob:
        await mob.send("worker", "x")
        async for entry in mob.events(after=0, follow=True, tag="turn_started"):
            break
        print("at work", flush=True)
        threading.Thread(target=watch, args=(mob,)).start()
        await asyncio.Event().wait()

def watch(mob):
    while not mob._ending.begun:
        threading.Event().wait(0.001)
    print("ending", flush=True)

# A shell starts its background jobs with SIGINT ignored, and children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
asyncio.run(main())
"""


@pytest.mark.parametrize(("limit_s", "interrupts"), [(0.2, 1), (1_000, 2)])
def test_ctrl_c_ends_the_mob_and_a_second_one_ends_it_at_once(
    tmp_path: Path, limit_s: float, interrupts: int
) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path), str(limit_s)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    said = [child.stdout.readline()]
    child.send_signal(signal.SIGINT)
    said.append(child.stdout.readline())
    for _ in range(interrupts - 1):
        child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=50)

    assert said == ["at work\n", "ending\n"]
    assert child.returncode == -signal.SIGINT
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert "never retrieved" not in errors
    assert verify_store(tmp_path).ok
    with Mob.launch({"id": "panel"}, state_dir=tmp_path) as again:
        assert [given.body for given in again.unfinished("worker")] == ["x"]


def test_a_program_that_forgets_to_shut_down_ends_in_good_order(tmp_path: Path) -> None:
    program = f"""
import asyncio
from actors import AsyncMob

async def main():
    return await AsyncMob.launch({{"id": "forgot"}}, state_dir={str(tmp_path)!r})

mob = asyncio.run(main())
print("up")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60
    )

    assert (done.stdout, done.stderr) == ("up\n", "")
    with Mob.launch({"id": "forgot"}, state_dir=tmp_path) as mob:
        assert isinstance(list(mob.events())[1].event, MobStopped)
