"""`watch`: exactly one `Down` per watch, after the last message."""

from __future__ import annotations

import threading
from contextlib import suppress

import pytest

from actors import Actor, ActorSystem, ChildSpec, ThreadActor, handles
from actors.kernel.errors import MailboxFull
from actors.kernel.simulation import SimulatedWorld, simulated
from tests.kernel.cast import (
    PATIENCE_S,
    Add,
    AskBoom,
    Boom,
    Call,
    Counter,
    Leave,
    Note,
    Notebook,
    Notes,
)


class Watcher(Notebook):
    @handles
    def watch_it(self, message: Call) -> object:
        return message.work(self)


@pytest.mark.parametrize(
    ("end", "reason"), [("leave", "normal"), ("stop", "shutdown"), ("fail", "failed")]
)
def test_down_says_why_the_actor_is_gone(
    world: SimulatedWorld, sim: ActorSystem, end: str, reason: str
) -> None:
    ref = sim.start(Counter, name="c")
    watcher = sim.start(Watcher)
    watcher.ask(Call(lambda actor: actor.watch(ref)))
    if end == "stop":
        ref.stop()
    else:
        ref.tell(Leave() if end == "leave" else Boom())
    world.run_for(100)

    assert watcher.ask(Notes()) == (f"mob://sim/c {reason}",)


def test_watching_a_dead_actor_gives_one_down_at_once(sim: ActorSystem) -> None:
    ref = sim.start(Counter, name="c")
    ref.stop()
    watcher = sim.start(Watcher)
    watcher.ask(Call(lambda actor: actor.watch(ref)))

    assert watcher.ask(Notes()) == ("mob://sim/c no_such_actor",)


def test_every_watch_gets_its_own_down(world: SimulatedWorld, sim: ActorSystem) -> None:
    ref = sim.start(Counter, name="c")
    watcher = sim.start(Watcher)
    for _ in range(3):
        watcher.ask(Call(lambda actor: actor.watch(ref)))
    ref.stop()
    world.run_for(1)

    assert watcher.ask(Notes()) == ("mob://sim/c shutdown",) * 3


def test_a_restart_is_not_a_down(world: SimulatedWorld, sim: ActorSystem) -> None:
    ref = sim.spawn(ChildSpec(Counter, name="c"))
    watcher = sim.start(Watcher)
    watcher.ask(Call(lambda actor: actor.watch(ref)))
    _ = ref.ask(AskBoom(), block=False)
    world.run_for(1)
    assert watcher.ask(Notes()) == ()

    ref.stop()
    assert watcher.ask(Notes()) == ("mob://sim/c shutdown",)


@pytest.mark.parametrize("seed", range(20))
def test_down_comes_after_the_last_message(seed: int) -> None:
    class Talker(Actor):
        def __init__(self, listener: object) -> None:
            super().__init__()
            self.listener = listener

        @handles
        def leave(self, message: Leave) -> None:
            for n in range(5):
                self.listener.tell(Note(text=str(n)))  # type: ignore[attr-defined]
            self.stop()

        def on_stop(self) -> None:
            self.listener.tell(Note(text="last"))  # type: ignore[attr-defined]

    with simulated(seed) as world, ActorSystem("sim", scheduler=world) as sim:
        watcher = sim.start(Watcher)
        ref = sim.start(Talker, watcher, name="t")
        watcher.ask(Call(lambda actor: actor.watch(ref)))
        ref.tell(Leave())
        world.run_for(1)

        assert watcher.ask(Notes()) == (*"01234", "last", "mob://sim/t normal")


def test_down_is_exempt_from_the_bound_of_the_lane(system: ActorSystem) -> None:
    entered, opened = threading.Event(), threading.Event()

    class Busy(Watcher):
        @handles
        def hold(self, message: Add) -> None:
            entered.set()
            opened.wait(PATIENCE_S)

    ref = system.start(Counter, name="c")
    watcher = system.spawn(ChildSpec(Busy, mailbox=1))
    watcher.ask(Call(lambda actor: actor.watch(ref)))
    watcher.tell(Add())
    assert entered.wait(PATIENCE_S)
    watcher.tell(Note(text="x"))
    ref.actor_inbox.post(lambda: ref.actor_inbox.request_stop("shutdown", drain=False))
    opened.set()

    ref.stop()
    notes: tuple[str, ...] = ()
    while len(notes) < 2:
        with suppress(MailboxFull):  # the lane takes one message; the question may be the second
            notes = watcher.ask(Notes())
    assert notes == ("x", "mob://test/c shutdown")


class Blocking(ThreadActor):
    def on_receive(self, message: object) -> object:
        if isinstance(message, Boom):
            raise ValueError("boom")
        return message


@pytest.mark.parametrize(("fails", "reason"), [(False, "shutdown"), (True, "failed")])
def test_thread_actors_are_watched_like_others(
    system: ActorSystem, fails: bool, reason: str
) -> None:
    ref = system.start(Blocking, name="t")
    watcher = system.start(Watcher)
    watcher.ask(Call(lambda actor: actor.watch(ref)))
    if fails:
        ref.tell(Boom())
    ref.stop()  # answered, at the latest, when it has ended
    while not (notes := watcher.ask(Notes())):
        pass
    watcher.ask(Call(lambda actor: actor.watch(ref)))

    assert notes == (f"mob://test/t {reason}",)
    assert watcher.ask(Notes())[1:] == ("mob://test/t no_such_actor",)


def test_the_down_of_a_dead_watcher_is_a_dead_letter(
    world: SimulatedWorld, sim: ActorSystem
) -> None:
    ref = sim.start(Counter)
    watcher = sim.start(Watcher)
    watcher.ask(Call(lambda actor: actor.watch(ref)))
    watcher.stop()
    ref.stop()
    world.run_for(1)

    assert [letter.message_type for letter in sim.dead_letters] == ["Down"]
    assert sim.audit().balanced
