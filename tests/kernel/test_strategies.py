"""Which siblings start again with a child, in which order, and what becomes of their mail.

The grid is OTP's: restart type × strategy × kind of end (`supervisor_SUITE.erl`), design §4.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from actors import Actor, ActorSystem, ChildSpec, Down, Message, Request, handles
from actors.kernel.errors import ActorFailed, AskTimeout, Interrupted, StartFailed
from actors.kernel.ref import ActorRef
from actors.kernel.simulation import SimulatedWorld
from actors.kernel.supervision import Restart, Strategy, companions
from tests.kernel.cast import Boom, Call, Leave, Logged, Note, Notes, Parent, Puppet

RESTARTS: tuple[Restart, ...] = ("permanent", "transient", "temporary")
STRATEGIES: tuple[Strategy, ...] = ("one_for_one", "rest_for_one", "one_for_all")
ENDS = ("normal", "shutdown", "failure")
TOGETHER = {"one_for_one": "b", "rest_for_one": "bc", "one_for_all": "abc"}


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.CRITICAL, "actors"):
        yield


class Worker(Logged):
    """Says when it starts and stops; leaves, fails, notes and holds as it is told."""

    def __init__(self, log: list[str], word: str) -> None:
        super().__init__(log, word)
        self.notes: list[str] = []

    @handles
    def leave(self, message: Leave) -> None:
        self.stop()

    @handles
    def note(self, message: Note) -> None:
        self.notes.append(message.text)

    @handles
    def read(self, message: Notes) -> tuple[str, ...]:
        return tuple(self.notes)

    @handles
    async def call(self, message: Call) -> object:
        result = message.work(self)
        return await result if asyncio.iscoroutine(result) else result


class SlowToStart(Worker):
    """Needs a second to be up."""

    async def on_start(self) -> None:  # type: ignore[override]  # Pykka: a def
        self.log.append(f"starting {self.word}")
        await asyncio.sleep(1.0)
        self.log.append(f"+{self.word}")


def team(
    sim: ActorSystem, log: list[str], **specs: dict[str, Any]
) -> tuple[ActorRef[Parent], dict[str, ActorRef[Worker]]]:
    """A parent with a Worker per keyword, started in that order."""
    children = tuple(
        ChildSpec(Worker, (log, name), name=name, **{"backoff_s": 0.1, "jitter": 0.0, **options})
        for name, options in specs.items()
    )
    parent: ActorRef[Parent] = sim.start(Parent, children, name="parent", wait=True)
    refs = {name: sim.ref(f"parent/{name}") for name in specs}
    for ref in refs.values():
        ref.ask(Notes())  # it is up
    return parent, refs  # type: ignore[return-value]  # the refs are those of Workers


def end(ref: ActorRef[Worker], kind: str) -> None:
    if kind == "shutdown":
        ref.stop(block=False)
    else:
        ref.tell(Leave() if kind == "normal" else Boom())


@pytest.mark.parametrize("kind", ENDS)
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("restart", RESTARTS)
def test_restart_strategy_and_kind_of_end_decide(
    world: SimulatedWorld, sim: ActorSystem, restart: Restart, strategy: Strategy, kind: str
) -> None:
    log: list[str] = []
    options = {"strategy": strategy, "restart": restart, "intensity": 1}
    # Its two siblings are permanent: what becomes of them is decided by b alone.
    others = {"restart": "permanent"}
    _, refs = team(sim, log, a=others, b=options, c=others)
    assert log == ["+a", "+b", "+c"]
    log.clear()

    end(refs["b"], kind)
    world.run_for(5.0)

    again = restart == "permanent" and kind == "normal"
    again = again or (restart in ("permanent", "transient") and kind == "failure")
    # A tell that failed goes to the head of the lane and fails the second incarnation, too:
    # by then the budget of one restart is used up, so b and its parent end.
    started = [word for word in log if word.startswith("+")]
    assert started == ([f"+{name}" for name in TOGETHER[strategy]] if again else [])
    if kind != "failure":
        assert refs["a"].is_alive()
        assert refs["c"].is_alive()
        assert refs["b"].is_alive() is again


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_companions_stop_in_reverse_start_order_and_start_in_order(
    world: SimulatedWorld, sim: ActorSystem, strategy: Strategy
) -> None:
    log: list[str] = []
    options = {"strategy": strategy}
    _, refs = team(sim, log, a=options, b=options, c=options, d=options)
    log.clear()

    _ = refs["b"].ask(Call(fail), block=False)
    world.run_for(5.0)

    assert (
        log
        == {
            "one_for_one": ["+b"],
            "rest_for_one": ["-d", "-c", "+b", "+c", "+d"],
            "one_for_all": ["-d", "-c", "-a", "+a", "+b", "+c", "+d"],
        }[strategy]
    )


async def fail(_: Actor) -> None:
    raise ValueError("boom")


def test_the_next_one_starts_when_the_one_before_is_up(
    world: SimulatedWorld, sim: ActorSystem
) -> None:
    log: list[str] = []

    options: dict[str, Any] = {"strategy": "one_for_all", "backoff_s": 0.1}
    specs = tuple(ChildSpec(SlowToStart, (log, name), name=name, **options) for name in "abc")
    sim.start(Parent, specs, name="parent", wait=True)
    world.run_for(2.0)
    log.clear()

    _ = sim.ref("parent/c").ask(Call(fail), block=False)
    world.run_for(10.0)

    assert log == ["-b", "-a", *(f"{word}{name}" for name in "abc" for word in ("starting ", "+"))]


def test_mail_of_a_companion_waits_for_its_next_incarnation(
    world: SimulatedWorld, sim: ActorSystem
) -> None:
    log: list[str] = []
    options = {"strategy": "one_for_all", "backoff_s": 1.0}
    _, refs = team(sim, log, a=options, b=options)
    _ = refs["b"].ask(Call(fail), block=False)
    world.run_for(0.5)

    assert log == ["+a", "+b", "-a"]
    refs["a"].tell(Note(text="while it is down"))

    assert refs["a"].ask(Notes(), timeout=10) == ("while it is down",)
    assert log == ["+a", "+b", "-a", "+a"]


def test_a_companion_that_is_at_work_is_interrupted(
    world: SimulatedWorld, sim: ActorSystem
) -> None:
    log: list[str] = []
    options = {"strategy": "one_for_all"}
    _, refs = team(sim, log, a=options, b=options)

    async def work_long(_: Actor) -> None:
        try:
            await asyncio.sleep(100)
        finally:
            log.append("cleaned up")

    told, asked = Call(work_long), Call(work_long)
    refs["a"].tell(told)
    answer = refs["a"].ask(asked, block=False)
    world.run_for(0.01)
    _ = refs["b"].ask(Call(fail), block=False)
    world.run_for(1.0)
    _ = refs["b"].ask(Call(fail), block=False)
    world.run_for(1.0)

    letters = [letter for letter in sim.dead_letters if letter.reason == "interrupted"]
    assert [letter.message for letter in letters] == [told, asked]
    with pytest.raises(Interrupted, match=r"mob://sim/parent/a was restarted with a sibling"):
        answer.get(timeout=0)
    assert log.count("cleaned up") == 2
    assert sim.audit().balanced


def test_a_companion_that_ignores_its_cancellation_is_fenced_counted_and_replaced(
    world: SimulatedWorld, sim: ActorSystem
) -> None:
    log: list[str] = []
    options = {"strategy": "one_for_all", "shutdown_s": 1.0}
    _, refs = team(sim, log, a=options, b=options)
    over = asyncio.Event()

    async def never_stop(_: Actor) -> str:
        while not over.is_set():
            try:
                await over.wait()
            except asyncio.CancelledError:
                log.append("ignored")
        return "too late"

    answer = refs["a"].ask(Call(never_stop), block=False)
    world.run_for(0.01)
    _ = refs["b"].ask(Call(fail), block=False)
    world.run_for(10.0)

    assert sim.fenced_handlers == 1
    refs["a"].tell(Note(text="next life"))
    assert refs["a"].ask(Notes(), timeout=1) == ("next life",)
    with pytest.raises(Interrupted):
        answer.get(timeout=0)
    world.loop.call_soon(over.set)
    world.run_for(1.0)
    assert sim.audit().balanced


def test_a_temporary_companion_only_stops(world: SimulatedWorld, sim: ActorSystem) -> None:
    log: list[str] = []
    options = {"strategy": "one_for_all"}
    _, refs = team(sim, log, a={"restart": "temporary"}, b=options, c=options)
    log.clear()

    _ = refs["b"].ask(Call(fail), block=False)
    world.run_for(1.0)

    assert log == ["-c", "-a", "+b", "+c"]
    assert not refs["a"].is_alive()


def test_a_restart_by_strategy_is_no_down(world: SimulatedWorld, sim: ActorSystem) -> None:
    log: list[str] = []
    options = {"strategy": "one_for_all"}
    _, refs = team(sim, log, a=options, b=options)
    downs: list[Down] = []

    class Watcher(Puppet):
        @handles
        def down(self, message: Down) -> None:
            downs.append(message)

    watcher = sim.start(Watcher)
    watcher.ask(Call(lambda actor: actor.watch(refs["a"])))
    _ = refs["b"].ask(Call(fail), block=False)
    world.run_for(1.0)
    assert downs == []

    refs["a"].stop()
    world.run_for(1.0)
    assert [each.reason for each in downs] == ["shutdown"]


def test_a_failure_while_a_group_is_down_joins_it(world: SimulatedWorld, sim: ActorSystem) -> None:
    log: list[str] = []
    tries: list[str] = []

    class Fragile(Worker):
        """Fails to start at its second try."""

        def on_start(self) -> None:
            tries.append(self.word)
            if tries.count("b") == 2 and self.word == "b":
                raise ValueError("not yet")
            super().on_start()

    options: dict[str, Any] = {"strategy": "one_for_all", "backoff_s": 0.1}
    specs = tuple(ChildSpec(Fragile, (log, name), name=name, **options) for name in "abc")
    sim.start(Parent, specs, name="parent", wait=True)
    world.run_for(0.1)
    log.clear()

    _ = sim.ref("parent/c").ask(Call(fail), block=False)
    world.run_for(10.0)

    # c failed, all went down; a came up, b could not, so a went down again, then all came up
    assert log == ["-b", "-a", "+a", "-a", "+a", "+b", "+c"]


def test_two_that_fail_at_once_are_restarted_once(world: SimulatedWorld, sim: ActorSystem) -> None:
    log: list[str] = []
    options = {"strategy": "one_for_all"}
    _, refs = team(sim, log, a=options, b=options, c=options)
    log.clear()

    _ = refs["a"].ask(Call(fail), block=False)
    _ = refs["c"].ask(Call(fail), block=False)
    world.run_for(10.0)

    assert log == ["-b", "+a", "+b", "+c"]


def test_an_exhausted_budget_ends_the_group(world: SimulatedWorld, sim: ActorSystem) -> None:
    log: list[str] = []
    options = {"strategy": "one_for_all", "intensity": 0}
    parent, refs = team(sim, log, a=options, b=options)

    _ = refs["a"].ask(Call(fail), block=False)
    world.run_for(10.0)

    assert not parent.is_alive()
    assert sim.actors() == ()


def test_a_stop_while_the_group_is_down_ends_the_companion(
    world: SimulatedWorld, sim: ActorSystem
) -> None:
    log: list[str] = []
    options = {"strategy": "one_for_all", "backoff_s": 5.0}
    _, refs = team(sim, log, a=options, b=options)
    _ = refs["b"].ask(Call(fail), block=False)
    world.run_for(1.0)

    assert refs["a"].stop(timeout=1) is True
    world.run_for(10.0)

    assert log == ["+a", "+b", "-a", "+b"]
    assert refs["b"].is_alive()


def test_a_stop_while_a_companion_winds_down_is_the_end(
    world: SimulatedWorld, sim: ActorSystem
) -> None:
    log: list[str] = []

    class Slow(Worker):
        async def on_stop(self) -> None:  # type: ignore[override]  # Pykka: a def
            await asyncio.sleep(1.0)
            self.log.append(f"-{self.word}")

    options: dict[str, Any] = {"strategy": "one_for_all", "backoff_s": 0.1}
    specs = tuple(ChildSpec(Slow, (log, name), name=name, **options) for name in "ab")
    sim.start(Parent, specs, name="parent", wait=True)
    ref = sim.ref("parent/a")
    world.run_for(0.1)
    _ = sim.ref("parent/b").ask(Call(fail), block=False)
    world.run_for(0.5)

    assert ref.stop(timeout=5) is True
    world.run_for(10.0)

    assert log == ["+a", "+b", "-a", "+b"]
    assert sim.actors() == ("mob://sim/parent", "mob://sim/parent/b")


def test_a_parent_that_stops_takes_a_group_that_is_down_with_it(
    world: SimulatedWorld, sim: ActorSystem
) -> None:
    log: list[str] = []
    options = {"strategy": "one_for_all", "backoff_s": 5.0}
    parent, refs = team(sim, log, a=options, b=options)
    _ = refs["b"].ask(Call(fail), block=False)
    world.run_for(1.0)

    assert parent.stop(timeout=10) is True
    world.run_for(10.0)

    assert sim.actors() == ()
    assert log == ["+a", "+b", "-a"]


def test_a_child_that_never_comes_up_does_not_hold_up_those_after_it(
    world: SimulatedWorld, sim: ActorSystem
) -> None:
    log: list[str] = []

    class Stuck(Worker):
        """Comes up the first time only."""

        async def on_start(self) -> None:  # type: ignore[override]  # Pykka: a def
            if self.word == "a" and "+a" in self.log:
                await asyncio.Event().wait()
            self.log.append(f"+{self.word}")

    options: dict[str, Any] = {"strategy": "one_for_all", "backoff_s": 0.1}
    specs = tuple(ChildSpec(Stuck, (log, name), name=name, **options) for name in "ab")
    sim.start(Parent, specs, name="parent", wait=True)
    world.run_for(0.1)

    _ = sim.ref("parent/b").ask(Call(fail), block=False)
    world.run_for(100.0)

    assert log == ["+a", "+b", "-a", "+b"]


def test_strategies_reach_over_loops(system: ActorSystem) -> None:
    log: list[str] = []

    class Ping(Request[int]):
        pass

    class Slave(Worker):
        @handles
        def ping(self, message: Ping) -> int:
            return self.log.count(f"+{self.word}")

    specs = tuple(
        ChildSpec(
            Slave,
            (log, name),
            name=name,
            loop="system" if name == "a" else "member",
            strategy="one_for_all",
            backoff_s=0.01,
        )
        for name in "ab"
    )
    system.start(Parent, specs, name="parent", wait=True)
    a, b = system.ref("parent/a"), system.ref("parent/b")
    assert (a.ask(Ping()), b.ask(Ping())) == (1, 1)

    _ = b.ask(Call(fail), block=False)

    # b fails before it hears the question, which therefore waits for its second incarnation
    assert b.ask(Ping()) == 2
    assert a.ask(Ping()) == 2


class Silent(Message):
    """For specs that are never started."""


@pytest.mark.parametrize(
    ("strategy", "found"), [("one_for_one", ""), ("rest_for_one", "cd"), ("one_for_all", "acd")]
)
def test_companions_are_chosen_by_strategy(strategy: Strategy, found: str) -> None:
    assert companions(strategy, "abcd", "b") == list(found)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_child_that_has_left_has_no_companions(strategy: Strategy) -> None:
    assert companions(strategy, "acd", "b") == []


@pytest.mark.parametrize(
    ("field", "value", "near"),
    [
        ("restart", "permament", "permanent"),
        ("strategy", "one_for_many", "one_for_one"),
        ("exhausted", "escalated", "escalate"),
    ],
)
def test_an_unknown_word_in_a_spec_names_the_nearest(field: str, value: str, near: str) -> None:
    options: dict[str, Any] = {field: value}

    with pytest.raises(ValueError, match=f"{field}='{value}' is not known; did you mean '{near}'"):
        ChildSpec(Worker, **options)


# -- ordered start ------------------------------------------------------------------------------


def test_children_start_one_after_the_other_when_their_parent_awaits_each(
    world: SimulatedWorld, sim: ActorSystem
) -> None:
    log: list[str] = []

    class Top(Actor):
        async def on_start(self) -> None:  # type: ignore[override]  # Pykka: a def
            for word in "ab":
                await self.spawn(ChildSpec(SlowToStart, (log, word), name=word)).started()

    sim.start(Top, wait=True)

    assert log == ["starting a", "+a", "starting b", "+b"]


@pytest.mark.parametrize("restart", RESTARTS)
def test_who_waits_for_a_child_that_cannot_start_is_told(
    world: SimulatedWorld, sim: ActorSystem, restart: Restart
) -> None:
    class Broken(Actor):
        def on_start(self) -> None:
            raise ValueError("no database")

    found: list[str] = []

    class Top(Actor):
        async def on_start(self) -> None:  # type: ignore[override]  # Pykka: a def
            ref = self.spawn(ChildSpec(Broken, restart=restart, exhausted="stop"))
            for _ in range(2):
                try:
                    await ref.started()
                except StartFailed as error:
                    found.append(str(error))

    sim.start(Top, name="top", wait=True)

    assert len(found) == 2
    assert "could not start" in found[0]
    assert "no database" in found[0]


def test_who_waits_for_an_actor_that_was_stopped_is_told(sim: ActorSystem) -> None:
    ref = sim.start(Puppet)
    ref.stop()

    async def wait(_: Actor) -> None:
        await ref.started()

    with pytest.raises(ActorFailed, match="could not start: Stopped"):
        sim.start(Puppet).ask(Call(wait))


def test_a_start_is_awaited_on_any_loop_and_not_for_ever(system: ActorSystem) -> None:
    gate = threading.Event()

    class Slow(Actor):
        def on_start(self) -> None:
            gate.wait(10)

    ref = system.start(Slow)
    with pytest.raises(AskTimeout):
        asyncio.run(ref.started(timeout=0.01))
    gate.set()

    asyncio.run(ref.started(timeout=10))
