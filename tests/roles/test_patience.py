"""Asking an actor whose mailbox is full: wait for room, and ask once."""

from __future__ import annotations

import pytest

from actors import Actor, ActorSystem, Message, Request, handles
from actors.kernel.errors import ActorDead, AskTimeout
from actors.kernel.ref import ActorRef
from actors.kernel.simulation import simulated
from actors.kernel.supervision import ChildSpec
from actors.roles.patience import patiently


class Work(Message, tag="test.patience.work"):
    """Takes a second."""


class Count(Request[int], tag="test.patience.count"):
    """How many questions were answered, this one included."""


class Busy(Actor):
    """Has room for two messages."""

    def __init__(self) -> None:
        super().__init__()
        self.answered = 0

    @handles
    async def work(self, message: Work) -> None:
        await self.realm.scheduler.run_blocking(lambda: None)

    @handles
    def count(self, message: Count) -> int:
        self.answered += 1
        return self.answered


async def fill_and_ask(ref: ActorRef[Busy]) -> int:
    for _ in range(2):
        ref.tell(Work())
    return await patiently(ref, Count())


def test_a_full_mailbox_is_waited_for_and_the_question_is_asked_once() -> None:
    with simulated(2) as world, ActorSystem("patience", scheduler=world) as system:
        ref = system.spawn(ChildSpec(Busy, restart="temporary", mailbox=2))

        assert world.run(fill_and_ask(ref)) == 1
        assert system.audit().rejected >= 1


def test_the_end_of_the_actor_ends_the_patience() -> None:
    with simulated(2) as world, ActorSystem("patience", scheduler=world) as system:
        ref = system.spawn(ChildSpec(Busy, restart="temporary", mailbox=2))
        ref.stop(block=False)

        with pytest.raises(ActorDead):
            world.run(patiently(ref, Count()))


def test_patience_ends_with_the_time_that_was_given() -> None:
    with simulated(2) as world, ActorSystem("patience", scheduler=world) as system:
        ref = system.spawn(ChildSpec(Stuck, restart="temporary", mailbox=1))
        ref.tell(Work())
        world.run_for(1)
        ref.tell(Work())
        before = world.clock.monotonic()
        with pytest.raises(AskTimeout):
            world.run(patiently(ref, Count(), timeout=2.0))

        assert 1.0 <= world.clock.monotonic() - before <= 2.1


class Stuck(Actor):
    """Never ends its first work."""

    @handles
    async def work(self, message: Work) -> None:
        await self.promise()

    @handles
    def count(self, message: Count) -> int:
        return 0
