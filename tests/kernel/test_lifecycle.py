"""Starting, failing, starting again, stopping: the promises about a life."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Iterator
from functools import partial
from typing import Any, Literal

import pytest

from actors import Actor, ActorSystem, ChildSpec, handles, interleave
from actors.kernel.errors import (
    ActorDead,
    ActorFailed,
    AskTimeout,
    KernelError,
    NameTaken,
    StartFailed,
)
from actors.kernel.simulation import SimulatedWorld
from tests.kernel.cast import (
    Add,
    AskBoom,
    Boom,
    Call,
    Counter,
    Hold,
    Incarnation,
    Leave,
    Logged,
    Note,
    Notebook,
    Notes,
    Parent,
    Puppet,
    Sleeper,
    SteppedPuppet,
    Total,
)


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Failures are logged with their stacks, and most of these tests fail on purpose."""
    with caplog.at_level(logging.CRITICAL, "actors"):
        yield


def settle(world: SimulatedWorld, seconds: float = 0.001) -> None:
    world.run_for(seconds)


class Uneasy(Actor):
    """Fails its `on_start` for the first `times` incarnations."""

    made = 0

    def __init__(self, failures: Iterator[bool]) -> None:
        super().__init__()
        self.failures = failures

    async def on_start(self) -> None:  # type: ignore[override]  # Pykka's is a def
        await asyncio.sleep(0)
        if next(self.failures):
            raise OSError("not yet")

    @handles
    def total(self, message: Total) -> int:
        return 1


# -- starting -----------------------------------------------------------------------------------


def test_init_runs_in_the_calling_thread_and_its_error_reaches_the_caller(
    sim: ActorSystem,
) -> None:
    class Broken(Actor):
        def __init__(self) -> None:
            super().__init__()
            raise LookupError("here")

    with pytest.raises(LookupError, match="here"):
        sim.start(Broken, name="broken")

    assert sim.actors() == ()
    sim.start(Counter, name="broken")


def test_what_was_sent_during_a_failed_init_is_not_lost(
    world: SimulatedWorld, sim: ActorSystem
) -> None:
    asked: list[Any] = []

    class Broken(Actor):
        def __init__(self) -> None:
            super().__init__()
            self.actor_ref.tell(Add())
            asked.append(self.actor_ref.ask(Total(), block=False))
            asked.append(self.actor_ref.stop(block=False))
            raise LookupError

    with pytest.raises(LookupError):
        sim.start(Broken)
    settle(world)

    with pytest.raises(ActorDead):
        asked[0].get()
    assert asked[1].get() is True
    assert sim.dead_letters.counts() == {"dead": 1}
    assert sim.audit().balanced


def test_what_was_sent_during_init_is_handled(sim: ActorSystem) -> None:
    class Eager(Counter):
        def __init__(self) -> None:
            super().__init__()
            self.actor_ref.tell(Add(n=4))

    assert sim.start(Eager).ask(Total()) == 4


def test_an_actor_stopped_in_its_init_ends(world: SimulatedWorld, sim: ActorSystem) -> None:
    class Shy(Counter):
        def __init__(self) -> None:
            super().__init__()
            self.stop()

    ref = sim.start(Shy)
    settle(world)

    assert not ref.is_alive()
    assert sim.actors() == ()


def test_an_init_that_does_not_call_super_is_refused(sim: ActorSystem) -> None:
    class Forgetful(Actor):
        def __init__(self) -> None:
            pass

    with pytest.raises(StartFailed, match=r"did not call super\(\)"):
        sim.start(Forgetful)


def test_an_actor_made_by_hand_is_refused() -> None:
    with pytest.raises(KernelError, match=r"system\.start\(Counter"):
        Counter()


def test_on_start_is_done_before_the_first_message(sim: ActorSystem) -> None:
    class Late(Notebook):
        async def on_start(self) -> None:  # type: ignore[override]  # Pykka's is a def
            await asyncio.sleep(1)
            self.pages.append("started")

    ref = sim.start(Late)
    ref.tell(Note(text="first"))

    assert ref.ask(Notes()) == ("started", "first")


def test_start_with_wait_returns_when_on_start_is_done(
    world: SimulatedWorld, sim: ActorSystem
) -> None:
    class Slow(Counter):
        async def on_start(self) -> None:  # type: ignore[override]  # Pykka's is a def
            await asyncio.sleep(3)

    sim.start(Slow, wait=True)
    assert world.loop.time() == pytest.approx(3, abs=0.01)

    with pytest.raises(AskTimeout):
        sim.start(Slow, wait=True, timeout=1)


@pytest.mark.parametrize("wait", [True, False])
def test_a_failed_on_start_is_reported(
    sim: ActorSystem, wait: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, "actors"):
        if wait:
            with pytest.raises(StartFailed, match="could not start: OSError: not yet"):
                sim.start(Uneasy, iter([True]), wait=True)
        else:
            with pytest.raises(ActorDead):
                sim.start(Uneasy, iter([True])).ask(Total())

    assert "could not start: OSError: not yet" in caplog.text
    assert sim.actors() == ()


def test_a_failed_on_start_is_retried_as_the_spec_says(sim: ActorSystem) -> None:
    ref = sim.spawn(ChildSpec(Uneasy, (iter([True, True, False]),)))

    assert ref.ask(Total()) == 1


def test_an_init_that_fails_at_a_restart_is_retried_as_the_spec_says(sim: ActorSystem) -> None:
    fails = iter([False, True, False])

    class Moody(Counter):
        def __init__(self) -> None:
            super().__init__()
            if next(fails):
                raise OSError("moody")

    ref = sim.spawn(ChildSpec(Moody))
    _ = ref.ask(AskBoom(), block=False)

    assert ref.ask(Total()) == 0


def test_a_stop_during_on_start_lets_it_finish_and_then_says_goodbye(
    world: SimulatedWorld, sim: ActorSystem
) -> None:
    log: list[str] = []

    class Slow(Logged):
        async def on_start(self) -> None:  # type: ignore[override]  # Pykka's is a def
            await asyncio.sleep(1)
            self.log.append("up")

    ref = sim.start(Slow, log, "slow")
    settle(world)

    assert ref.stop() is True
    assert log == ["up", "-slow"]


@pytest.mark.parametrize("stubborn", [False, True])
def test_a_hook_that_never_ends_is_cancelled_then_left_behind(
    world: SimulatedWorld, sim: ActorSystem, stubborn: bool
) -> None:
    class Hanging(Actor):
        async def on_stop(self) -> None:  # type: ignore[override]  # Pykka's is a def
            while True:
                try:
                    await asyncio.sleep(3_600)
                except asyncio.CancelledError:
                    if not stubborn or world.loop.time() > 100:
                        raise

    spec = ChildSpec(Hanging, shutdown_s=2)
    ref = sim.spawn(spec)

    assert ref.stop() is True
    assert world.loop.time() == pytest.approx(3 if stubborn else 2, abs=0.01)


def test_a_stop_during_an_on_start_that_never_ends_cancels_it(
    world: SimulatedWorld, sim: ActorSystem
) -> None:
    class Hanging(Actor):
        async def on_start(self) -> None:  # type: ignore[override]  # Pykka's is a def
            await asyncio.sleep(3_600)

    ref = sim.spawn(ChildSpec(Hanging, shutdown_s=2))
    settle(world)

    assert ref.stop() is True
    assert world.loop.time() == pytest.approx(2, abs=0.01)


# -- children -----------------------------------------------------------------------------------


@pytest.mark.parametrize("loops", [("member", "member"), ("system", "member")])
def test_children_stop_before_their_parent_in_reverse_start_order(
    system: ActorSystem, loops: tuple[Literal["system", "member"], ...]
) -> None:
    log: list[str] = []
    specs = tuple(
        ChildSpec[Actor](Logged, (log, word), loop=loop)
        for word, loop in zip("abcd", itertools.cycle(loops), strict=False)
    )
    parent = system.start(Parent, specs, log, wait=True)
    parent.stop()

    assert [word for word in log if not word.startswith("+")] == ["-d", "-c", "-b", "-a", "parent"]
    assert system.actors() == ()


def test_a_child_lives_on_the_loop_of_its_parent_unless_told_otherwise(
    system: ActorSystem,
) -> None:
    def spawn(actor: Actor) -> tuple[bool, bool]:
        near = actor.spawn(ChildSpec(Puppet))
        far = actor.spawn(ChildSpec(Puppet, loop="member"))
        mine = actor.realm.scheduler.dispatcher("system")
        return near.actor_inbox.dispatcher is mine, far.actor_inbox.dispatcher is mine

    assert system.start(Puppet, loop="system").ask(Call(spawn)) == (True, False)


def test_a_child_that_on_stop_starts_does_not_outlive_its_parent(sim: ActorSystem) -> None:
    log: list[str] = []

    class Late(Actor):
        def on_stop(self) -> None:
            self.spawn(ChildSpec(Logged, (log, "late")))

    sim.start(Late, wait=True).stop()

    assert sim.actors() == ()
    assert log in ([], ["+late", "-late"])


def test_nobody_is_the_child_of_a_dead_actor(sim: ActorSystem) -> None:
    actors: list[Actor] = []
    ref = sim.start(Puppet)
    ref.ask(Call(actors.append))
    ref.stop()

    with pytest.raises(KernelError, match="cannot have children any more"):
        actors[0].spawn(ChildSpec(Counter))


def test_children_stop_when_their_parent_fails(world: SimulatedWorld, sim: ActorSystem) -> None:
    log: list[str] = []
    parent = sim.spawn(ChildSpec(Parent, ((ChildSpec(Logged, (log, "a")),),)), wait=True)
    settle(world)
    parent.tell(Boom())
    settle(world, 1)

    assert log == ["+a", "-a", "+a"] or log == ["+a", "-a", "+a", "-a", "+a"]
    assert parent.is_alive()


def test_names_of_children_lie_below_their_parent(sim: ActorSystem) -> None:
    def spawn(actor: Actor) -> tuple[str, str]:
        named = actor.spawn(ChildSpec(Counter, name="named"))
        with pytest.raises(NameTaken):
            actor.spawn(ChildSpec(Counter, name="named"))
        return named.address, actor.spawn(ChildSpec(Counter)).address

    addresses = sim.start(Puppet, name="top").ask(Call(spawn))

    assert addresses == ("mob://sim/top/named", "mob://sim/top/counter-1")


def test_a_child_of_the_same_name_may_follow_a_dead_one(sim: ActorSystem) -> None:
    log: list[str] = []

    async def twice(actor: Actor) -> None:
        for word in ("one", "two"):
            ref = actor.spawn(ChildSpec(Logged, (log, word), name="same"))
            if word == "one":
                await ref.stopped()

    top = sim.start(Puppet)
    top.ask(Call(twice))
    top.stop()

    assert [word for word in log if word.startswith("-")] in (["-one", "-two"], ["-two"])
    assert sim.actors() == ()


# -- failing and starting again -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("restart", "end", "incarnations"),
    [
        ("permanent", "normal", 2),
        ("permanent", "shutdown", 1),
        ("permanent", "failure", 2),
        ("transient", "normal", 1),
        ("transient", "shutdown", 1),
        ("transient", "failure", 2),
        ("temporary", "normal", 1),
        ("temporary", "shutdown", 1),
        ("temporary", "failure", 1),
    ],
)
def test_restart_type_and_kind_of_end_decide(
    world: SimulatedWorld,
    sim: ActorSystem,
    restart: Literal["permanent", "transient", "temporary"],
    end: str,
    incarnations: int,
) -> None:
    made: list[int] = []
    ref = sim.spawn(ChildSpec(Counter, (0, made), restart=restart))
    if end == "normal":
        ref.tell(Leave())
    elif end == "shutdown":
        ref.stop()
    else:
        _ = ref.ask(AskBoom(), block=False)
    settle(world, 1)

    assert len(made) == incarnations
    assert ref.is_alive() is (incarnations == 2)


def _grown(made: list[int], seen: int) -> bool:
    return len(made) > seen


def test_restarts_back_off_by_timer(world: SimulatedWorld, sim: ActorSystem) -> None:
    made: list[int] = []
    ref = sim.spawn(ChildSpec(Counter, (0, made), jitter=0))
    waits = []
    for _ in range(5):
        _ = ref.ask(AskBoom(), block=False)
        settle(world, 0.0005)
        died = world.loop.time()
        world.run_until(partial(_grown, made, len(made)))
        waits.append(world.loop.time() - died)

    assert waits == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2], abs=0.001)


def test_jitter_comes_from_the_seed(world: SimulatedWorld, sim: ActorSystem) -> None:
    made: list[int] = []
    ref = sim.spawn(ChildSpec(Counter, (0, made)))
    _ = ref.ask(AskBoom(), block=False)
    world.run_until(lambda: len(made) == 2)

    assert 0.16 <= world.loop.time() <= 0.241
    assert world.loop.time() != pytest.approx(0.2, abs=1e-5)


def test_an_exhausted_budget_fails_the_parent(world: SimulatedWorld, sim: ActorSystem) -> None:
    watcher = sim.start(Notebook)
    spec: ChildSpec[Actor] = ChildSpec(Counter, name="child", intensity=0)
    parent = sim.start(Parent, (spec,), name="top")
    settle(world)
    watcher.actor_inbox.actor.watch(parent)  # type: ignore[union-attr]
    _ = sim.ref("top/child").ask(AskBoom(), block=False)
    settle(world)

    assert not parent.is_alive()
    assert watcher.ask(Notes()) == ("mob://sim/top failed",)


def test_an_exhausted_budget_stops_only_the_child_if_its_spec_says_so(
    world: SimulatedWorld, sim: ActorSystem
) -> None:
    spec: ChildSpec[Actor] = ChildSpec(Counter, name="child", intensity=0, exhausted="stop")
    parent = sim.start(Parent, (spec,), name="top")
    settle(world)
    child = sim.ref("top/child")
    _ = child.ask(AskBoom(), block=False)
    settle(world)

    assert parent.is_alive()
    assert not child.is_alive()


def test_the_user_lane_and_the_ref_survive_a_restart(sim: ActorSystem) -> None:
    ref = sim.spawn(ChildSpec(Counter))
    _ = ref.ask(AskBoom(), block=False)
    for n in (1, 2, 3):
        ref.tell(Add(n=n))

    assert ref.ask(Total()) == 6
    assert ref.ask(Incarnation()) == 1


def test_a_failed_ask_is_answered_and_not_retried(sim: ActorSystem) -> None:
    made: list[int] = []
    ref = sim.spawn(ChildSpec(Counter, (0, made)))

    with pytest.raises(ActorFailed):
        ref.ask(AskBoom())

    assert ref.ask(Total()) == 0
    assert len(made) == 2
    assert sim.audit().failed == 1
    assert sim.audit().balanced


def test_a_failed_tell_is_retried_once_and_then_poison(
    world: SimulatedWorld, sim: ActorSystem
) -> None:
    made: list[int] = []
    ref = sim.spawn(ChildSpec(Counter, (0, made)))
    ref.tell(Boom())
    ref.tell(Add(n=2))

    assert ref.ask(Total()) == 2
    assert len(made) == 3
    assert sim.dead_letters.counts() == {"poison": 1}
    assert sim.audit().balanced


def test_a_failed_tell_that_succeeds_the_second_time_is_handled_in_its_place(
    sim: ActorSystem,
) -> None:
    pages: list[str] = []
    fails = iter([True, False])

    class Moody(Notebook):
        @handles
        def note(self, message: Note) -> None:
            if message.text == "b" and next(fails):
                raise OSError("moody")
            self.pages.append(message.text)

    ref = sim.spawn(ChildSpec(Moody, (pages,)))
    for text in "abc":
        ref.tell(Note(text=text))

    assert ref.ask(Notes()) == ("a", "b", "c")
    assert sim.audit().handled == 4


def test_on_failure_hears_the_error(sim: ActorSystem, world: SimulatedWorld) -> None:
    heard: list[object] = []

    class Attentive(Counter):
        def on_failure(self, kind: Any, value: Any, trace: Any) -> None:
            heard.extend((kind, str(value), trace is not None))
            raise SystemExit

    ref = sim.start(Attentive)
    ref.tell(Boom())
    settle(world)

    assert heard == [ValueError, "boom", True]
    assert not ref.is_alive()


@pytest.mark.parametrize("puppet", [Puppet, SteppedPuppet])
@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, asyncio.CancelledError])
def test_any_base_exception_in_a_handler_ends_that_actor_only(
    system: ActorSystem, puppet: type[Puppet], kind: type[BaseException]
) -> None:
    def leave(_: Actor) -> None:
        raise kind

    other = system.start(Counter)
    ref = system.start(puppet)

    with pytest.raises(ActorFailed, match=kind.__name__):
        ref.ask(Call(leave))

    assert other.ask(Total()) == 0  # on the same loop, which has gone on since
    assert not ref.is_alive()


@pytest.mark.parametrize("hook", ["on_start", "on_stop"])
def test_system_exit_in_an_async_hook_ends_that_actor_only(system: ActorSystem, hook: str) -> None:
    async def leave(self: Actor) -> None:
        raise SystemExit

    kind: Any = type("Leaver", (Counter,), {hook: leave})
    ref = system.start(kind)
    ref.stop()

    assert not ref.is_alive()
    assert system.start(Counter).ask(Total()) == 0


def test_system_exit_in_a_def_handler_ends_that_actor_only(system: ActorSystem) -> None:
    class Leaver(Actor):
        @handles
        def total(self, message: Total) -> int:
            raise SystemExit

    other = system.start(Counter)

    with pytest.raises(ActorFailed, match="SystemExit"):
        system.start(Leaver).ask(Total())

    assert other.ask(Total()) == 0


def test_a_failure_beside_a_running_handler_interrupts_it(
    world: SimulatedWorld, sim: ActorSystem
) -> None:
    ref = sim.start(Sleeper)
    hold = ref.ask(Hold(), block=False)
    settle(world)
    cell = ref.actor_inbox
    cell.post(lambda: cell.crash(ValueError("beside")))

    with pytest.raises(ActorDead):
        hold.get()
    assert sim.dead_letters.counts() == {"interrupted": 1}
    settle(world)
    assert sim.audit().balanced


# -- stopping -----------------------------------------------------------------------------------


@pytest.mark.parametrize("puppet", [Puppet, SteppedPuppet])
def test_a_running_handler_gets_its_shutdown_time(
    world: SimulatedWorld, sim: ActorSystem, puppet: type[Puppet]
) -> None:
    sleeper = sim.start(Sleeper)
    ref = sim.spawn(ChildSpec(puppet, shutdown_s=2))

    async def wait(_: Actor) -> str:
        await sleeper.request(Hold())
        return "done"

    answer = ref.ask(Call(wait), block=False)
    settle(world)
    end = ref.stop(block=False)
    settle(world, 1)
    sleeper.tell(Add())

    assert end.get() is True
    assert answer.get() == "done"
    assert world.loop.time() < 1.1


@pytest.mark.parametrize("puppet", [Puppet, SteppedPuppet])
def test_a_handler_that_outlasts_its_shutdown_time_is_interrupted(
    world: SimulatedWorld, sim: ActorSystem, puppet: type[Puppet]
) -> None:
    sleeper = sim.start(Sleeper)
    ref = sim.spawn(ChildSpec(puppet, shutdown_s=2))

    async def wait(_: Actor) -> None:
        await sleeper.request(Hold(), timeout=None)

    answer = ref.ask(Call(wait), block=False)
    settle(world)

    assert ref.stop() is True
    assert world.loop.time() == pytest.approx(2 if puppet is Puppet else 3, abs=0.01)
    with pytest.raises(ActorDead):
        answer.get()
    assert sim.dead_letters.counts() == {"interrupted": 1}


def test_a_handler_that_ignores_its_cancellation_is_left_behind(
    world: SimulatedWorld, sim: ActorSystem
) -> None:
    gate = asyncio.Event()

    async def cling(_: Actor) -> None:
        while not gate.is_set():
            try:
                await gate.wait()
            except asyncio.CancelledError:
                continue

    ref = sim.spawn(ChildSpec(Puppet, shutdown_s=2))
    ref.tell(Call(cling))
    settle(world)

    assert ref.stop() is True
    assert world.loop.time() == pytest.approx(3, abs=0.01)
    gate.set()
    settle(world)
    assert sim.audit().balanced


def test_an_actor_that_stops_itself_finishes_its_message(sim: ActorSystem) -> None:
    def leave(actor: Actor) -> str:
        actor.stop()
        return "bye"

    ref = sim.start(Puppet)
    answer = ref.ask(Call(leave), block=False)
    queued = ref.ask(Call(lambda _: None), block=False)

    assert answer.get() == "bye"
    with pytest.raises(ActorDead):
        queued.get()


def test_a_parent_that_stops_ends_a_permanent_child_that_was_stopping_itself(
    world: SimulatedWorld, sim: ActorSystem
) -> None:
    class Slow(Counter):
        async def on_stop(self) -> None:  # type: ignore[override]  # Pykka's is a def
            await asyncio.sleep(1)

    spec: ChildSpec[Actor] = ChildSpec(Slow, name="slow", restart="permanent")
    parent = sim.start(Parent, (spec,), name="top")
    settle(world)
    sim.ref("top/slow").tell(Leave())
    settle(world)

    assert parent.stop() is True
    assert sim.actors() == ()


def test_a_failing_on_stop_is_a_failed_end(sim: ActorSystem, world: SimulatedWorld) -> None:
    class Sour(Counter):
        def on_stop(self) -> None:
            raise OSError("sour")

    watcher = sim.start(Notebook)
    ref = sim.start(Sour, name="sour")
    watcher.actor_inbox.actor.watch(ref)  # type: ignore[union-attr]
    settle(world)
    ref.stop()

    assert watcher.ask(Notes()) == ("mob://sim/sour failed",)


def test_a_second_stop_joins_the_first(world: SimulatedWorld, sim: ActorSystem) -> None:
    class Slow(Counter):
        async def on_stop(self) -> None:  # type: ignore[override]  # Pykka's is a def
            await asyncio.sleep(1)

    ref = sim.start(Slow)
    first = ref.stop(block=False)
    settle(world)
    second = ref.stop(block=False, drain=True)

    assert (first.get(), second.get()) == (True, True)
    assert world.loop.time() == pytest.approx(1, abs=0.01)


def test_interleaving_async_handlers_run_beside_each_other(
    world: SimulatedWorld, sim: ActorSystem
) -> None:
    running: list[int] = []

    class Reader(Actor):
        @handles
        @interleave
        async def read(self, message: Total) -> int:
            running.append(1)
            await asyncio.sleep(1)
            return len(running)

    ref = sim.start(Reader)
    answers = [ref.ask(Total(), block=False) for _ in range(3)]

    assert [answer.get() for answer in answers] == [3, 3, 3]
    assert world.loop.time() == pytest.approx(1, abs=0.01)
    assert sim.audit().balanced


def test_a_failing_handler_interrupts_those_beside_it(
    world: SimulatedWorld, sim: ActorSystem
) -> None:
    class Reader(Actor):
        @handles
        @interleave
        async def read(self, message: Total) -> int:
            await asyncio.sleep(3_600)
            return 0

        @handles
        def fail(self, message: AskBoom) -> int:
            raise ValueError("beside")

    ref = sim.start(Reader)
    aside = ref.ask(Total(), block=False)
    settle(world)
    failed = ref.ask(AskBoom(), block=False)

    with pytest.raises(ActorFailed):
        failed.get()
    with pytest.raises(ActorDead):
        aside.get()
    settle(world)
    assert sim.dead_letters.counts() == {"interrupted": 1}
    assert sim.audit().balanced


@pytest.mark.parametrize("puppet", [Puppet, SteppedPuppet])
def test_the_clean_up_of_a_handler_that_is_given_up_harms_nobody(
    world: SimulatedWorld, sim: ActorSystem, puppet: type[Puppet]
) -> None:
    sleeper = sim.start(Sleeper)

    async def messy(_: Actor) -> None:
        try:
            await sleeper.request(Hold(), timeout=None)
        finally:
            raise OSError("messy")

    ref = sim.start(puppet)
    answer = ref.ask(Call(messy), block=False)
    settle(world)
    cell = ref.actor_inbox
    cell.post(lambda: cell.crash(ValueError("given up")))

    with pytest.raises(ActorDead):
        answer.get()
    settle(world)
    assert not ref.is_alive()
    assert sim.start(Counter).ask(Total()) == 0


def test_an_actor_shows_where_it_lives(sim: ActorSystem) -> None:
    shown = sim.start(Puppet, name="p").ask(Call(lambda actor: (str(actor), actor.actor_urn)))

    assert shown == ("Puppet (mob://sim/p)", "mob://sim/p")


# -- timers -------------------------------------------------------------------------------------


def test_after_and_every_deliver_on_virtual_time(world: SimulatedWorld, sim: ActorSystem) -> None:
    def set_timers(actor: Actor) -> None:
        actor.after(1, Note(text="once"))
        actor.every(2, Note(text="tick"))

    pages: list[str] = []

    class Clock(Notebook):
        def on_start(self) -> None:
            set_timers(self)

    sim.start(Clock, pages)
    world.run_for(7)

    assert pages == ["once", "tick", "tick", "tick"]


def test_a_cancelled_timer_never_fires(world: SimulatedWorld, sim: ActorSystem) -> None:
    pages: list[str] = []

    class Clock(Notebook):
        def on_start(self) -> None:
            self.after(1, Note(text="once")).cancel()
            tick = self.every(1, Note(text="tick"))
            self.timer = tick
            self.after(2.5, Note(text="enough"))

        @handles
        def note(self, message: Note) -> None:
            super().note(message)
            if message.text == "enough":
                self.timer.cancel()
                self.timer.cancel()

    ref = sim.start(Clock, pages)
    world.run_for(9)

    assert pages == ["tick", "tick", "enough"]
    assert ref.is_alive()


def test_timers_end_with_their_incarnation(world: SimulatedWorld, sim: ActorSystem) -> None:
    pages: list[str] = []

    class Clock(Notebook):
        def on_start(self) -> None:
            self.pages.append("start")
            self.after(5, Note(text="due"))

        @handles
        def boom(self, message: AskBoom) -> int:
            raise ValueError

    ref = sim.spawn(ChildSpec(Clock, (pages,)))
    world.run_for(4)
    _ = ref.ask(AskBoom(), block=False)
    world.run_for(4)

    assert pages == ["start", "start"]


def test_missed_ticks_are_skipped(world: SimulatedWorld, sim: ActorSystem) -> None:
    pages: list[str] = []

    class Busy(Notebook):
        def on_start(self) -> None:
            self.every(1, Note(text="tick"))

        @handles
        def note(self, message: Note) -> None:
            super().note(message)
            if len(self.pages) == 1:
                world.loop.now += 3.5  # as if this handler had held the loop

    sim.start(Busy, pages)
    world.run_for(6.5)

    assert len(pages) == 4  # at 1, then (late) at 4.5, 5, 6


def test_a_timer_outside_the_actors_loop_is_refused(sim: ActorSystem) -> None:
    class Early(Actor):
        def __init__(self) -> None:
            super().__init__()
            self.after(1, Note(text="x"))

    with pytest.raises(KernelError, match="set timers in on_start"):
        sim.start(Early)


def test_a_period_that_never_ends_is_refused(sim: ActorSystem) -> None:
    def tick(actor: Actor) -> None:
        with pytest.raises(ValueError, match="never ends"):
            actor.every(0, Note(text="x"))

    sim.start(Puppet).ask(Call(tick))


def test_mail_of_a_timer_that_finds_no_room_is_a_dead_letter(
    world: SimulatedWorld, sim: ActorSystem
) -> None:
    class Small(Sleeper):
        def on_start(self) -> None:
            self.after(1, Note(text="a"))
            self.after(2, Note(text="b"))

    ref = sim.spawn(ChildSpec(Small, mailbox=1))
    _ = ref.ask(Hold(), block=False)
    world.run_for(3)

    assert sim.dead_letters.counts() == {"full": 1}
    assert sim.audit().balanced
