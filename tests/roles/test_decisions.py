"""Decisions about many members are made off the loop, which answers meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from actors import Actor, ActorSystem, Request, handles
from actors.roles.decisions import IN_LINE, decide
from actors.roles.messages import Reconcile
from tests.kernel.cast import PATIENCE_S
from tests.roles.stage import kill, stage


class Decide(Request[str], tag="test.decide"):
    size: int


class Ping(Request[str], tag="test.ping"):
    pass


class Decider(Actor):
    def __init__(self, decision: Callable[[], str]) -> None:
        super().__init__()
        self.decision = decision

    @handles
    async def decide(self, message: Decide) -> str:
        return await decide(self.realm.scheduler, message.size, self.decision)


class Neighbour(Actor):
    @handles
    def ping(self, message: Ping) -> str:
        return threading.current_thread().name


@pytest.fixture
def system() -> ActorSystem:
    return ActorSystem("test")


def test_a_long_decision_does_not_hold_its_loop(system: ActorSystem) -> None:
    began, over = threading.Event(), threading.Event()

    def decision() -> str:
        began.set()
        over.wait(PATIENCE_S)
        return threading.current_thread().name

    with system:
        decider = system.start(Decider, decision, loop="system")
        neighbour = system.start(Neighbour, loop="system")
        answer = decider.ask(Decide(size=IN_LINE + 1), block=False)
        assert began.wait(PATIENCE_S)

        loop = neighbour.ask(Ping(), timeout=PATIENCE_S)
        over.set()

        assert loop == "test-system"
        assert answer.get(timeout=PATIENCE_S).startswith("test-work")


def test_a_short_decision_is_made_in_line(system: ActorSystem) -> None:
    with system:
        decider = system.start(Decider, lambda: threading.current_thread().name, loop="system")

        assert decider.ask(Decide(size=IN_LINE), timeout=PATIENCE_S) == "test-system"


def test_a_large_mob_that_loses_a_member_while_it_plans_is_right_in_the_end() -> None:
    count = IN_LINE + 1
    idle = {"call": "tests.simulation.mob_cast:work"}  # nobody is given anything to do
    lead = {"name": "lead", "profile": "lead"}
    with stage(
        profiles={"lead": idle, "w": idle},
        members=[lead, {"name": "w", "profile": "w", "count": count}],
        wiring={"orchestrator": "lead", "auto_wire_orchestrator": True},
    ) as (mob, world):
        mob.retire("w-7")
        report = mob._parts.supervisor.ask(Reconcile(), block=False)
        kill(mob, "w-8")
        world.run_until(lambda: report.done, timeout=60)
        world.run_for(5.0)

        assert [each.agent_identity for each in report.get().spawned] == ["w-7"]
        assert mob.member("w-8").generation == 1
        status = mob.status()
        assert (status.members, status.edges, status.held) == (count + 1, count, ())
        assert mob.reconcile().spawned == ()
