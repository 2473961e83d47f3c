"""Asks that would close a circle fail at once, with the path (design §4)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from actors import Actor, ActorSystem, ChildSpec, Request, ThreadActor, handles, interleave
from actors.kernel.errors import ActorFailed, AskCycle, AskTimeout
from actors.kernel.ref import ActorRef
from actors.kernel.simulation import SimulatedWorld
from tests.kernel.cast import PATIENCE_S, Call, Peek, Puppet, SteppedPuppet


class Ask(Request[str], tag="test.cycle_ask"):
    """Asks the next one on the way, and says what came of it."""

    way: tuple[str, ...]


class Link(Actor):
    """Asks the others as it is told."""

    @handles(raises=(AskCycle,))
    async def ask(self, message: Ask) -> str:
        if not message.way:
            return "end"
        others: ActorRef[Any] = self.peer(message.way[0])
        return str(await others.request(Ask(way=message.way[1:])))

    def peer(self, name: str) -> Any:
        return self.realm.actors[name].ref

    @handles
    @interleave
    def peek(self, message: Peek) -> str:
        return "peeked"


class SteppedLink(Link):
    @handles(stepped=True, raises=(AskCycle,))
    async def ask(self, message: Ask) -> str:
        if not message.way:
            return "end"
        return str(await self.peer(message.way[0]).request(Ask(way=message.way[1:])))


LINKS = [Link, SteppedLink]
AT = "mob://sim/"


@pytest.mark.parametrize("kind", LINKS)
@pytest.mark.parametrize("way", [("a",), ("b", "a"), ("b", "c", "a"), ("b", "c", "b")])
def test_a_chain_that_comes_back_fails_with_its_path(
    sim: ActorSystem, kind: type[Link], way: tuple[str, ...]
) -> None:
    refs = {name: sim.start(kind, name=name) for name in "abc"}

    with pytest.raises(AskCycle) as caught:
        refs["a"].ask(Ask(way=way))

    whole = ("a", *way)
    circle = whole[whole.index(way[-1]) :]
    assert caught.value.path == (
        *(AT + name for name in circle[-2:-1]),
        *(AT + name for name in circle[:-1]),
    )
    assert "make one of them a tell" in str(caught.value)
    assert sim.audit().balanced


@pytest.mark.parametrize("kind", LINKS)
def test_two_chains_that_meet_are_seen(
    world: SimulatedWorld, sim: ActorSystem, kind: type[Link]
) -> None:
    a, b = sim.start(kind, name="a"), sim.start(kind, name="b")

    first, second = a.ask(Ask(way=("b",)), block=False), b.ask(Ask(way=("a",)), block=False)
    world.run_until(lambda: first.done and second.done, timeout=1.0)

    ends = [_end(first), _end(second)]
    paths = [each for each in ends if each != "end"]
    assert len(paths) == 1
    assert paths[0] in ((AT + "a", AT + "b", AT + "a"), (AT + "b", AT + "a", AT + "b"))
    assert world.clock.monotonic() < 1.0  # nobody waited for a timeout


@pytest.mark.parametrize("kind", LINKS)
def test_three_chains_that_meet_are_seen(
    world: SimulatedWorld, sim: ActorSystem, kind: type[Link]
) -> None:
    refs = [sim.start(kind, name=name) for name in "abc"]

    answers = [ref.ask(Ask(way=(to,)), block=False) for ref, to in zip(refs, "bca", strict=True)]
    world.run_until(lambda: all(each.done for each in answers), timeout=1.0)

    ends = [_end(each) for each in answers]
    paths = [each for each in ends if each != "end"]
    assert len(paths) == 1
    assert len(paths[0]) == 4
    assert paths[0][0] == paths[0][-1]


def _end(answer: Any) -> Any:
    try:
        return answer.get(timeout=0)
    except AskCycle as error:
        return error.path


def test_a_refused_ask_was_not_sent(sim: ActorSystem) -> None:
    a = sim.start(Link, name="a")

    with pytest.raises(AskCycle):
        a.ask(Ask(way=("a",)))

    audit = sim.audit()
    assert (audit.sent, audit.handled, audit.rejected) == (2, 1, 1)


def test_an_undeclared_cycle_is_a_failure_like_any_other(sim: ActorSystem) -> None:
    puppet = sim.start(Puppet)

    async def ask_itself(me: Actor) -> object:
        return await me.actor_ref.request(Call(print))

    with pytest.raises(ActorFailed, match="AskCycle"):
        puppet.ask(Call(ask_itself))


def test_an_interleave_handler_may_be_asked_back(sim: ActorSystem) -> None:
    a = sim.start(Link, name="a")
    b = sim.start(Puppet, name="b")

    class Asker(Link):
        @handles(raises=(AskCycle,))
        async def ask(self, message: Ask) -> str:
            return str(await b.request(Call(lambda _: self.actor_ref.request(Peek()))))

    asker = sim.start(Asker, name="asker")
    assert a.ask(Ask(way=("asker",))) == "peeked"
    assert asker.ask(Ask(way=())) == "peeked"


def test_an_interleave_handler_may_ask_anybody(sim: ActorSystem) -> None:
    """It does not keep its mailbox shut."""

    class Open(Actor):
        @handles
        @interleave
        async def ask(self, message: Ask) -> str:
            if not message.way:
                return "end"
            return str(await self.actor_ref.request(Ask(way=message.way[1:])))

    assert sim.start(Open).ask(Ask(way=("me", "me", "me"))) == "end"


def test_a_def_handler_that_passes_an_ask_on_waits_for_nobody(sim: ActorSystem) -> None:
    class Relay(Actor):
        @handles
        def ask(self, message: Ask) -> str:
            if not message.way:
                return "end"
            peer: Any = self.realm.actors[message.way[0]].ref
            reply: str = peer.request(Ask(way=message.way[1:]))  # an answer to come is passed on
            return reply

    a, _ = sim.start(Relay, name="a"), sim.start(Relay, name="b")

    assert a.ask(Ask(way=("b", "a", "b", "a"))) == "end"


def test_an_ask_that_was_given_up_is_no_edge(world: SimulatedWorld, sim: ActorSystem) -> None:
    gate = asyncio.Event()

    async def hold(_: Actor) -> str:
        await gate.wait()
        return str(await a.request(Ask(way=())))

    async def give_up(_: Actor) -> str:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(b.request(Call(hold)), 0.1)
        gate.set()
        await asyncio.sleep(0.1)
        return "went on"

    class Both(Link):
        @handles
        async def call(self, message: Call) -> object:
            return await message.work(self)  # type: ignore[misc]  # these are coroutines

    a, b = sim.start(Both, name="a"), sim.start(Puppet, name="b")

    assert a.ask(Call(give_up)) == "went on"
    world.run_for(1.0)
    audit = sim.audit()
    assert audit.failed == 0
    assert audit.balanced


@pytest.mark.parametrize("kind", [Puppet, SteppedPuppet])
def test_an_ask_that_timed_out_is_no_edge(sim: ActorSystem, kind: type[Actor]) -> None:
    async def ask_back(_: Actor) -> object:
        return await a.request(Call(lambda _: "answered"))

    async def ask(_: Actor) -> str:
        with pytest.raises(AskTimeout):
            await c.request(Call(never), timeout=0.1)
        return "timed out"

    async def never(_: Actor) -> None:
        await asyncio.Event().wait()

    a, b, c = (sim.start(kind if name != "c" else Puppet, name=name) for name in "abc")

    assert a.ask(Call(ask)) == "timed out"
    assert b.ask(Call(ask_back)) == "answered"
    c.stop(block=False)


def test_asks_of_a_gather_are_edges(sim: ActorSystem) -> None:
    """They run in tasks of their own, which belong to the handler."""
    a, b = sim.start(Puppet, name="a"), sim.start(Puppet, name="b")

    async def back(_: Actor) -> object:
        return await a.request(Call(print))

    async def both(_: Actor) -> tuple[object, object]:
        asks = (b.request(Call(back)), b.request(Call(print)))
        found: list[object] = await asyncio.gather(*asks, return_exceptions=True)
        return found[0], found[1]

    answers: tuple[object, object] = a.ask(Call(both))
    first, second = answers

    assert isinstance(first, ActorFailed)
    assert first.error_type == "AskCycle"
    assert f"{AT}b -> {AT}a -> {AT}b" in first.error_text
    assert second is not None  # b failed, and answered


def test_a_child_whose_on_start_asks_its_parent_that_waits_for_it_is_seen(
    sim: ActorSystem,
) -> None:
    found: list[tuple[str, ...]] = []

    class Child(Puppet):
        def __init__(self, parent: ActorRef[Any]) -> None:
            super().__init__()
            self.parent = parent

        async def on_start(self) -> None:  # type: ignore[override]  # Pykka: a def
            try:
                await self.parent.request(Call(print))
            except AskCycle as error:
                found.append(error.path)

    class Top(Actor):
        async def on_start(self) -> None:  # type: ignore[override]  # Pykka: a def
            child = self.spawn(ChildSpec(Child, (self.actor_ref,), name="child"))
            await child.request(Call(lambda _: None))

    sim.start(Top, name="top", wait=True)

    assert found == [(AT + "top/child", AT + "top", AT + "top/child")]


class Work:
    """Code for a thread actor."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.work = work


class Threaded(ThreadActor):
    def on_receive(self, message: Any) -> Any:
        return message.work()


def test_thread_actors_that_block_on_each_other_are_seen(system: ActorSystem) -> None:
    a, b = system.start(Threaded, name="a"), system.start(Threaded, name="b")

    with pytest.raises(AskCycle) as caught:
        a.ask(Work(lambda: b.ask(Work(lambda: a.ask(Work(print))))), timeout=PATIENCE_S)

    assert caught.value.path == ("mob://test/b", "mob://test/a", "mob://test/b")
    assert a.ask(Work(lambda: "alive"), timeout=PATIENCE_S) == "alive"


def test_a_future_that_a_thread_actor_waits_for_is_an_edge(system: ActorSystem) -> None:
    a, b = system.start(Threaded, name="a"), system.start(Threaded, name="b")

    def back() -> object:
        return a.ask(Work(print), block=False).get(timeout=PATIENCE_S)

    with pytest.raises(AskCycle):
        a.ask(Work(lambda: b.ask(Work(back), block=False).get()), timeout=PATIENCE_S)


def test_an_ask_that_a_thread_actor_gave_up_is_no_edge(system: ActorSystem) -> None:
    a, b = system.start(Threaded, name="a"), system.start(Threaded, name="b")
    opened, gone_on = threading.Event(), threading.Event()

    def back() -> object:
        gone_on.wait(PATIENCE_S)
        answer = a.ask(Work(lambda: "answered"), block=False)
        opened.set()
        return answer.get(timeout=PATIENCE_S)

    def ask() -> None:
        with pytest.raises(AskTimeout):
            b.ask(Work(back), timeout=0.01)
        gone_on.set()
        opened.wait(PATIENCE_S)

    a.ask(Work(ask), timeout=PATIENCE_S)

    assert b.ask(Work(lambda: "alive"), timeout=PATIENCE_S) == "alive"
    assert system.audit().failed == 0


def test_a_thread_actor_and_a_loop_actor_that_wait_for_each_other_are_seen(
    system: ActorSystem,
) -> None:
    threaded, looped = system.start(Threaded, name="t"), system.start(Puppet, name="l")

    async def ask_thread(_: Actor) -> object:
        return await threaded.request(Work(lambda: looped.ask(Call(print))))

    with pytest.raises(ActorFailed, match="AskCycle"):
        looped.ask(Call(ask_thread), timeout=PATIENCE_S)


def test_chains_over_two_loops_that_meet_never_hang(system: ActorSystem) -> None:
    """Each leaves its mark before it looks, so one of them sees the other, whatever the order."""
    a = system.start(Link, name="a", loop="system")
    b = system.start(Link, name="b", loop="member")

    for _ in range(200):
        answers = [a.ask(Ask(way=("b",)), block=False), b.ask(Ask(way=("a",)), block=False)]
        for answer in answers:
            try:
                assert answer.get(timeout=PATIENCE_S) == "end"
            except AskCycle as error:
                assert len(error.path) == 3
