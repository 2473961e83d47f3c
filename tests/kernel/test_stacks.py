"""What every actor is doing, for a person who looks at a process that seems to hang."""

from __future__ import annotations

import asyncio
import threading

import pytest

from actors import Actor, ActorSystem, ThreadActor
from actors.kernel.simulation import SimulatedWorld
from tests.kernel.cast import PATIENCE_S, Call, Counter, Door, Hold, Note, Puppet


def test_an_idle_actor_is_only_counted(sim: ActorSystem) -> None:
    for _ in range(3):
        sim.start(Counter, 0)

    found = sim.stacks()

    assert (found.system, found.idle, found.busy) == ("sim", 3, ())
    assert "0 actors busy, 3 idle" in str(found)


def test_a_handler_that_awaits_is_shown_with_its_line_and_whom_it_waits_for(
    world: SimulatedWorld, sim: ActorSystem
) -> None:
    async def wait_for_ever(_: Actor) -> None:
        await asyncio.Event().wait()

    async def ask_other(_: Actor) -> object:
        return await other.request(Call(wait_for_ever), timeout=None)

    other = sim.start(Puppet, name="other")
    first = sim.start(Puppet, name="first")
    first.tell(Call(ask_other))
    first.tell(Note(text="waits behind it"))
    world.run_for(1.0)

    a, b = sorted(sim.stacks().busy, key=lambda each: each.address)
    assert (a.address, a.state, a.queued, a.handling) == ("mob://sim/first", "running", 1, "Call")
    assert a.waits_for == ("mob://sim/other",)
    assert "ask_other" in a.stack
    assert (b.address, b.waits_for) == ("mob://sim/other", ())
    assert "wait_for_ever" in b.stack
    assert str(a).startswith(
        "mob://sim/first  running, 1 queued, handles Call, waits for mob://sim/other\n"
    )


@pytest.mark.by_reference
def test_a_handler_that_holds_its_loop_is_shown_with_the_stack_of_its_thread(
    system: ActorSystem,
) -> None:
    entered, opened = threading.Event(), threading.Event()
    door = system.start(Door, entered, opened, name="door")
    held = door.ask(Hold(), block=False)
    assert entered.wait(PATIENCE_S)
    door.tell(Note(text="waits"))

    (found,) = system.stacks().busy
    opened.set()
    held.get(timeout=PATIENCE_S)

    assert (found.address, found.queued, found.handling) == ("mob://test/door", 1, "Hold")
    assert "opened.wait" in found.stack
    assert [name for name, _ in system.stacks().loops] == ["system", "member"]


def test_a_thread_actor_that_blocks_is_shown(system: ActorSystem) -> None:
    entered, opened = threading.Event(), threading.Event()

    class Threaded(ThreadActor):
        def on_receive(self, message: object) -> None:
            entered.set()
            opened.wait(PATIENCE_S)

    ref = system.start(Threaded, name="threaded")
    answer = ref.ask("x", block=False)
    assert entered.wait(PATIENCE_S)
    ref.tell("y")

    (found,) = system.stacks().busy
    opened.set()
    answer.get(timeout=PATIENCE_S)

    assert (found.address, found.queued, found.handling) == ("mob://test/threaded", 1, "str")
    assert "opened.wait" in found.stack


def test_an_actor_whose_on_start_hangs_is_shown(world: SimulatedWorld, sim: ActorSystem) -> None:
    class Stuck(Puppet):
        async def on_start(self) -> None:  # type: ignore[override]  # Pykka: a def
            await asyncio.Event().wait()

    sim.start(Stuck, name="stuck")
    world.run_for(1.0)

    (found,) = sim.stacks().busy
    assert (found.state, found.handling) == ("new", "a hook")
