"""What ours offer beyond Pykka's contract; where they leave it stands in `pykka_deviations.py`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pykka
import pytest

from actors import Actor, ActorSystem, ThreadActor, handles
from actors.kernel.errors import (
    ActorFailed,
    NameTaken,
    StartFailed,
    Unhandled,
    WouldDeadlock,
)
from tests.kernel.cast import PATIENCE_S, Add, Call, Counter, Puppet, SteppedPuppet, Total
from tests.kernel.pykka_kinds import held, sample


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.CRITICAL):
        yield
    pykka.ActorRegistry.stop_all()


def test_a_loop_actor_fails_the_same_way_from_ask_and_tell(system: ActorSystem) -> None:
    asked, told = system.start(Puppet), system.start(Puppet)

    def fail(_: Actor) -> None:
        raise ValueError

    with pytest.raises(ActorFailed):
        asked.ask(Call(fail))
    told.tell(Call(fail))
    told.stop(drain=True)

    assert not asked.is_alive()
    assert system.audit().failed == 2


def test_our_stop_overtakes_the_backlog_when_told_to(system: ActorSystem) -> None:
    seen: list[Any] = []
    ref = system.start(sample(ThreadActor), seen)
    gate = held(ref)
    ref.tell("backlog")
    end = ref.stop(block=False, drain=False)
    late = ref.stop(block=False)
    gate.open()

    assert end.get(timeout=PATIENCE_S) is True
    assert late.get(timeout=PATIENCE_S) is True
    assert seen == []
    assert system.dead_letters.counts() == {"shutdown": 1}


class Typed(ThreadActor):
    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    @handles
    def add(self, message: Add) -> None:
        self.total += message.n

    @handles
    def read(self, message: Total) -> int:
        return self.total


def test_thread_actors_have_handlers_too(system: ActorSystem) -> None:
    ref = system.start(Typed)
    ref.tell(Add(n=3))

    assert ref.ask(Total()) == 3
    with pytest.raises(Unhandled):
        ref.ask("x")


@pytest.mark.parametrize("stepped", [False, True])
def test_loop_actors_request_from_thread_actors(system: ActorSystem, stepped: bool) -> None:
    ref = system.start(Typed)

    async def ask(_: Actor) -> int:
        ref.tell(Add(n=3))
        return await ref.request(Total())

    async def end(_: Actor) -> bool:
        await ref.stopped()
        return ref.is_alive()

    puppet = system.start(SteppedPuppet if stepped else Puppet)
    assert puppet.ask(Call(ask)) == 3
    assert puppet.ask(Call(end)) is False


def test_requests_of_thread_actors_work_on_foreign_loops(system: ActorSystem) -> None:
    ref = system.start(Typed)

    async def main() -> int:
        total = await ref.request(Total())
        await ref.stopped()
        return total

    assert asyncio.run(main()) == 0


def test_a_blocking_ask_of_a_thread_actor_on_a_loop_sends_nothing(system: ActorSystem) -> None:
    ref = system.start(Typed)

    def block(_: Actor) -> int:
        before = system.audit().sent
        with pytest.raises(WouldDeadlock):
            ref.ask(Total())
        with pytest.raises(WouldDeadlock):
            ref.stop()
        return system.audit().sent - before

    assert system.start(Puppet).ask(Call(block)) == 0


def test_a_failed_on_start_of_a_thread_actor_is_reported(system: ActorSystem) -> None:
    class Broken(ThreadActor):
        def on_start(self) -> None:
            raise OSError("no")

    with pytest.raises(StartFailed, match="OSError: no"):
        system.start(Broken, wait=True)
    assert system.start(Typed, wait=True).is_alive()


def test_a_thread_actor_that_forgets_super_is_refused(system: ActorSystem) -> None:
    class Forgetful(ThreadActor):
        def __init__(self) -> None:
            pass

    with pytest.raises(StartFailed):
        system.start(Forgetful)


def test_hooks_of_a_thread_actor_that_raise_end_it_only(system: ActorSystem) -> None:
    class Sour(Typed):
        def on_stop(self) -> None:
            raise SystemExit

        def on_failure(self, *info: object) -> None:
            raise SystemExit

        def on_receive(self, message: Any) -> Any:
            raise ValueError

    stopped, failed, other = (system.start(Sour) for _ in range(3))
    stopped.stop()
    failed.tell("x")
    failed.stop()

    assert other.ask(Total()) == 0
    assert not failed.is_alive()


def test_names_of_thread_actors_are_taken_and_freed(system: ActorSystem) -> None:
    ref = system.start(Typed, name="t")
    with pytest.raises(NameTaken):
        system.start(Counter, name="t")
    assert system.ref("t") is ref
    ref.stop()

    assert system.start(Counter, name="t").address == "mob://test/t"
    assert ref.address == "mob://test/t"


def test_a_thread_actor_stops_itself_behind_its_queue(system: ActorSystem) -> None:
    class Leaver(Typed):
        def on_receive(self, message: Any) -> Any:
            self.stop()

    ref = system.start(Leaver)
    ref.tell("leave")
    ref.tell(Add())
    ref.stop()

    assert not ref.is_alive()
    assert system.audit().balanced
