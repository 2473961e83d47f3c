"""The supervisor: spawn, retire, wire, reconcile by the scenarios of the specification; drain.

Scenario numbers are those of spec/member_runtime.md (1-1, 5-3, …) and spec/unified_runtime.md
(SC-2.18, …). There is no respawn yet, so 1-2 is shown by a restart.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors import Mob
from actors.domain.errors import (
    Draining,
    InvalidIdentity,
    MemberAlreadyExists,
    MemberNotFound,
    ProfileNotFound,
    StoreError,
    WiringError,
)
from actors.domain.events import (
    InputAccepted,
    MemberRestarted,
    MemberRetired,
    MemberSpawned,
    MembersUnwired,
    MembersWired,
    MobStopped,
)
from actors.domain.operations import OperationStatus
from actors.domain.planning import plan
from actors.domain.reports import MemberView
from actors.domain.roster import Roster
from actors.domain.wiring import Edge
from actors.executors.context import ThreadTurnContext, TurnContext
from actors.kernel.simulation import simulated
from actors.launching import Casting, read_definition, start
from actors.roles.member import Member
from actors.roles.messages import Drain, GetRoster, Retire, Spawn
from actors.stores.memory import MemoryLedger
from tests.roles.stage import RefusingLedger, actor, kill, of, stage

HERE = __name__
GATES: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
DOORS: defaultdict[str, threading.Event] = defaultdict(threading.Event)


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    GATES.clear()
    DOORS.clear()
    yield
    for door in DOORS.values():
        door.set()


async def echo(ctx: TurnContext) -> object:
    return ctx.input.body


async def gated(ctx: TurnContext) -> object:
    await GATES[str(ctx.input.body)].wait()
    return "done"


def profiles() -> dict[str, Any]:
    return {"lead": {"call": f"{HERE}:echo"}, "worker": {"call": f"{HERE}:gated"}}


def mob(*members: tuple[str, str], **more: Any) -> dict[str, Any]:
    return {
        "profiles": profiles(),
        "members": [{"name": name, "profile": profile} for name, profile in members],
        **more,
    }


# Members


def test_1_1_fences_rise_and_the_generation_begins_at_0() -> None:
    with stage(**mob()) as (running, _):
        lead = running.spawn("lead", profile="lead")
        worker = running.spawn("w-1", profile="worker")

        assert (lead.generation, lead.fence) == (0, 1)
        assert (worker.generation, worker.fence) == (0, 2)


def test_1_2_a_restart_is_the_next_generation_with_a_new_fence() -> None:
    with stage(**mob(("lead", "lead"), ("w-1", "worker"))) as (running, world):
        kill(running, "w-1")
        world.run_for(2)

        view = running.member("w-1")

        assert (view.generation, view.fence) == (1, 3)


def test_1_4_a_namesake_begins_at_generation_0_with_a_fence_of_its_own() -> None:
    with stage(**mob(("lead", "lead"), ("w-1", "worker"))) as (running, world):
        kill(running, "w-1")
        world.run_for(2)
        running.retire("w-1")

        view = running.spawn("w-1", profile="worker")

        assert (view.generation, view.fence, view.restarts) == (0, 4, 0)


@pytest.mark.parametrize(
    ("name", "profile", "error", "text"),
    [
        ("__flow_system_x", "worker", WiringError, "__flow_system_"),
        ("w-1", "worker", MemberAlreadyExists, "member 'w-1' already exists"),
        ("x", "wroker", ProfileNotFound, "no profile 'wroker'; did you mean 'worker'?"),
        ("a/b", "worker", InvalidIdentity, "a/b"),
        ("", "worker", InvalidIdentity, "identity"),
    ],
    ids=["1-5", "1-6", "1-8", "a slash", "empty"],
)
def test_a_refused_spawn_changes_nothing(
    name: str, profile: str, error: type[Exception], text: str
) -> None:
    with stage(**mob(("w-1", "worker"))) as (running, _):
        before = (running.cursor, running.members())

        with pytest.raises(error, match=text.replace("?", r"\?")):
            running.spawn(name, profile=profile)

        assert (running.cursor, running.members()) == before


def test_1_7_a_member_that_is_being_retired_still_has_its_name() -> None:
    with stage(**mob(("w-1", "worker"))) as (running, _):
        supervisor = running._parts.supervisor
        retiring = supervisor.ask(Retire(identity="w-1"), block=False)
        spawning = supervisor.ask(Spawn(identity="w-1", profile="worker"), block=False)

        assert retiring.get(timeout=5) is True
        # ours waits for its turn and then finds the name free
        assert spawning.get(timeout=5).generation == 0


@pytest.mark.parametrize("name", ["a b", "ä-1", "a:b", "a#b", "a?b", "-x", "x.y", "a" * 128])
def test_every_identity_can_live_and_work(name: str) -> None:
    with stage(**mob(("lead", "lead"))) as (running, _):
        assert running.spawn(name, profile="lead").name == name
        assert running.ask(name, "hello").value == "hello"
        assert running.wire("lead", name)
        assert running.retire(name)


def test_5_18_spawning_many_gives_one_answer_each_in_order() -> None:
    with stage(**mob()) as (running, _):
        a, bad, b, again = running.spawn_many(
            [("a", "worker"), ("x", "ghost"), {"name": "b", "profile": "lead"}, ("a", "worker")]
        )

        assert (getattr(a, "name", None), getattr(b, "name", None)) == ("a", "b")
        assert isinstance(bad, ProfileNotFound)
        assert isinstance(again, MemberAlreadyExists)
        assert [view.name for view in running.members()] == ["a", "b"]


def test_labels_of_a_member_overlay_those_of_its_profile() -> None:
    given = mob()
    given["profiles"]["worker"]["labels"] = {"team": "red", "floor": "1"}
    with stage(**given) as (running, _):
        view = running.spawn("w", profile="worker", labels={"floor": "2"})

        assert view.labels == {"team": "red", "floor": "2"}


def test_5_7_retiring_nobody_is_fine_and_writes_nothing() -> None:
    with stage(**mob()) as (running, _):
        before = running.cursor

        assert running.retire("ghost") is False
        assert running.cursor == before


def test_5_8_two_who_retire_the_same_member_make_one_event() -> None:
    with stage(**mob(("a", "lead"))) as (running, _):
        supervisor = running._parts.supervisor
        answers = [supervisor.ask(Retire(identity="a"), block=False) for _ in range(2)]

        assert [answer.get(timeout=5) for answer in answers] == [True, False]
        assert len(of(MemberRetired, running)) == 1


def test_5_9_a_retirement_that_the_ledger_refuses_changes_nothing_and_can_be_retried() -> None:
    with stage(**mob(("a", "lead"))) as (running, _):
        forwarder = actor(running, "forwarder")
        real, forwarder._ledger = forwarder._ledger, RefusingLedger()
        forwarder._ledger.full = True
        with pytest.raises(StoreError):
            running.retire("a")
        forwarder._ledger = real

        assert running.member("a").state == "active"
        assert running.ask("a", "still here").value == "still here"
        assert running.retire("a")


def test_i5_9_after_a_retirement_nobody_is_wired_to_the_member() -> None:
    with stage(**mob(("a", "lead"), ("b", "lead"), edges=[{"a": "a", "b": "b"}])) as (running, _):
        running.retire("b")

        assert running.member("a").wired_to == ()
        assert running.edges() == ()


def test_operations_follow_the_members() -> None:
    with stage(**mob(("a", "lead"), ("b", "lead"))) as (running, _):
        running.retire("b")

        statuses = {record.display_name: record.status for record in running.operations()}

        assert statuses == {
            "stage/a": OperationStatus.RUNNING,
            "stage/b": OperationStatus.RETIRED,
        }


# Edges


def test_5_3_wiring_what_is_wired_is_fine_and_writes_nothing() -> None:
    with stage(**mob(("a", "lead"), ("b", "lead"))) as (running, _):
        assert running.wire("a", "b") is True
        before = running.cursor

        assert running.wire("b", "a") is False
        assert running.cursor == before
        assert running.edges() == (Edge.of("a", "b"),)


def test_i5_5_cutting_what_is_cut_is_fine_and_writes_nothing() -> None:
    with stage(**mob(("a", "lead"), ("b", "lead"))) as (running, _):
        running.wire("a", "b")
        assert running.unwire("a", "b") is True
        assert running.unwire("a", "b") is False

        assert len(of(MembersUnwired, running)) == 1


def test_5_4_a_member_is_not_wired_to_itself() -> None:
    with stage(**mob(("A", "lead"))) as (running, _):
        with pytest.raises(WiringError, match=r"^wire requires distinct members \(got 'A'\)$"):
            running.wire("A", "A")
        with pytest.raises(WiringError, match="unwire requires distinct peers"):
            running.unwire("A", "A")


def test_wiring_somebody_who_is_not_there_names_the_nearest() -> None:
    given = mob(("alpha", "lead"), ("beta", "lead"))
    with stage(**given) as (running, _), pytest.raises(MemberNotFound, match="mean 'beta'"):
        running.wire("alpha", "bet")


def test_a_member_spawned_by_hand_is_wired_by_its_role_before_the_answer() -> None:
    wiring = {"orchestrator": "lead", "auto_wire_orchestrator": True}
    with stage(**mob(("lead", "lead"), wiring=wiring)) as (running, _):
        assert running.spawn("w", profile="worker").wired_to == ("lead",)


# Reconciling


def test_sc_2_19_a_member_that_is_no_longer_declared_is_retired(tmp_path: Path) -> None:
    both = {"id": "r", **mob(("m1", "lead"), ("m2", "lead"))}
    with Mob.launch(both, state_dir=tmp_path, durability="normal") as running:
        running.wire("m1", "m2")
    one = {"id": "r", **mob(("m1", "lead"))}
    with Mob.launch(one, state_dir=tmp_path, durability="normal") as running:
        assert [view.name for view in running.members()] == ["m1"]
        assert running.edges() == ()
        report = running.reconcile()
        assert (report.retained, report.retired) == (("m1",), ())


def test_a_member_whose_profile_is_gone_is_retired_at_launch(tmp_path: Path) -> None:
    given = {"id": "r", **mob(("lead", "lead"))}
    with Mob.launch(given, state_dir=tmp_path, durability="normal") as running:
        running.spawn("w", profile="worker")
    del given["profiles"]["worker"]
    with Mob.launch(given, state_dir=tmp_path, durability="normal") as running:
        assert [view.name for view in running.members()] == ["lead"]


def test_a_member_spawned_by_hand_survives_reconciling_and_a_relaunch(tmp_path: Path) -> None:
    given = {"id": "r", **mob(("lead", "lead"))}
    with Mob.launch(given, state_dir=tmp_path, durability="normal") as running:
        running.spawn("extra", profile="lead")
        assert running.reconcile().retired == ()
    with Mob.launch(given, state_dir=tmp_path, durability="normal") as running:
        assert [view.name for view in running.members()] == ["extra", "lead"]


def test_a_declared_member_that_was_retired_by_hand_comes_back() -> None:
    with stage(**mob(("a", "lead"), ("b", "lead"), edges=[{"a": "a", "b": "b"}])) as (running, _):
        running.retire("b")
        report = running.reconcile()

        assert [spawned.member_ref for spawned in report.spawned] == ["b:0"]
        assert report.retained == ("a",)
        assert report.edges.wired_edges == (Edge.of("a", "b"),)


def test_5_12_and_sc_2_18_one_failure_does_not_stop_the_rest() -> None:
    """Names and profiles are checked with the definition, so the ledger is what fails here."""
    with stage(**mob(("a", "lead"), ("b", "lead"), ("c", "lead"))) as (running, _):
        running.retire("a")
        running.retire("b")
        forwarder = actor(running, "forwarder")
        real, forwarder._ledger = forwarder._ledger, RefusingLedger()
        forwarder._ledger.full = True
        report = running.reconcile()
        forwarder._ledger = real

        assert [(f.agent_identity, f.stage, f.error.code) for f in report.failures] == [
            ("a", "spawn", "StoreError"),
            ("b", "spawn", "StoreError"),
        ]
        assert not report.ok
        assert report.retained == ("c",)
        again = running.reconcile()
        assert [spawned.agent_identity for spawned in again.spawned] == ["a", "b"]
        assert again.ok


def test_reconciling_again_finds_nothing_to_do() -> None:
    with stage(**mob(("a", "lead"), ("b", "worker"), edges=[{"a": "a", "b": "b"}])) as (running, _):
        before = running.cursor
        report = running.reconcile()

        assert not report.changed
        assert report.edges.complete
        assert running.cursor == before
        assert plan(running.definition, actor(running, "supervisor")._roster, 0.0).empty


def test_one_reconcile_runs_at_a_time() -> None:
    from actors.roles.messages import Reconcile

    with stage(**mob(("a", "lead"), ("b", "lead"))) as (running, _):
        running.retire("a")
        supervisor = running._parts.supervisor
        answers = [supervisor.ask(Reconcile(), block=False) for _ in range(3)]
        spawned = [len(answer.get(timeout=5).spawned) for answer in answers]

        assert spawned == [1, 0, 0]
        assert len([e for e in of(MemberSpawned, running) if e.identity == "a"]) == 2


def test_what_was_taken_away_comes_back_by_itself_with_the_resync() -> None:
    given = mob(("a", "lead"), ("b", "lead"), edges=[{"a": "a", "b": "b"}])
    with stage(**given, limits={"resync_s": 5.0}) as (running, world):
        running.unwire("a", "b")
        running.retire("b")
        world.run_for(6)

        assert running.edges() == (Edge.of("a", "b"),)


def test_a_settled_mob_writes_nothing_while_time_passes() -> None:
    with stage(**mob(("a", "lead"), ("b", "lead"))) as (running, world):
        before = running.cursor
        world.run_for(120)

        assert running.cursor == before


def test_the_roster_is_the_fold_of_the_ledger() -> None:
    with stage(**mob(("a", "lead"), ("b", "lead"), edges=[{"a": "a", "b": "b"}])) as (
        running,
        world,
    ):
        running.spawn("c", profile="worker")
        running.wire("c", "a")
        running.retire("b")
        kill(running, "a")
        world.run_for(2)

        folded = Roster.fold(entry.event for entry in running.events())

        assert running._parts.supervisor.ask(GetRoster()) == folded.snapshot()


def test_many_members_start_in_commits_of_bounded_size() -> None:
    given = mob()
    given["members"] = [{"name": "w", "profile": "worker", "count": 500}]
    given["profiles"]["worker"]["labels"] = {"about": "x" * 2_000}
    given["wiring"] = {"orchestrator": "lead", "auto_wire_orchestrator": True}
    given["members"].append({"name": "lead", "profile": "lead"})
    with stage(**given) as (running, _):
        assert len(running.members()) == 501
        assert len(running.member("lead").wired_to) == 500


# Looking


def test_the_status_says_how_many_and_what_they_do() -> None:
    with stage(**mob(("a", "lead"), ("b", "worker"))) as (running, world):
        running.send("b", "x")
        running.send("b", "y")
        world.run_for(1)

        status = running.status()

        assert (status.mob, status.phase, status.members) == ("stage", "running", 2)
        assert (status.running, status.queued, status.draining) == (1, 1, False)
        assert status.cursor == running.cursor
        assert status.ledger is None


# Ending


def test_a_quiet_mob_drains_and_says_who_was_stopped() -> None:
    with stage(**mob(("a", "lead"), ("b", "lead"))) as (running, _):
        running.ask("a", "x")
        report = running.shutdown(timeout=5)

        assert (report.drained, report.timed_out, report.waiting_for) == (True, False, ())
        assert report.stopped == ("b", "a")
        assert [event.drained for event in of(MobStopped, running)] == [True]


def test_a_drain_waits_for_the_running_turn_and_for_what_is_queued() -> None:
    with stage(**mob(("w", "worker"))) as (running, world):
        running.send("w", "x")
        running.send("w", "y")
        supervisor = running._parts.supervisor
        ending = supervisor.ask(Drain(timeout_s=60), block=False)
        world.run_for(5)
        assert not ending.done
        GATES["x"].set()
        world.run_for(5)
        assert not ending.done
        GATES["y"].set()

        assert ending.get(timeout=10).drained


def test_a_drain_that_times_out_says_honestly_what_it_waited_for() -> None:
    with stage(**mob(("a", "lead"), ("w", "worker"))) as (running, world):
        running.send("w", "x")
        running.send("w", "y")
        before = world.clock.monotonic()
        report = running.shutdown(timeout=3)

        assert (report.drained, report.timed_out) == (False, True)
        assert report.waiting_for == ("w: a turn is running, 1 input waiting",)
        assert report.drain_duration_ms >= 3000
        assert world.clock.monotonic() - before < 5
        assert [event.drained for event in of(MobStopped, running)] == [False]


def test_what_is_asked_of_a_draining_mob_is_refused_at_once() -> None:
    with stage(**mob(("a", "lead"), ("w", "worker"))) as (running, world):
        running.send("w", "x")
        ending = running._parts.supervisor.ask(Drain(timeout_s=60), block=False)
        world.run_for(1)

        for refused in (
            lambda: running.spawn("b", profile="lead"),
            lambda: running.retire("a"),
            lambda: running.wire("a", "w"),
            lambda: running.unwire("a", "w"),
            lambda: running.reconcile(),
            lambda: running.send("a", "x"),
        ):
            with pytest.raises(Draining, match="refused: the mob is shutting down"):
                refused()
        assert running.status().phase == "draining"
        assert not ending.done
        GATES["x"].set()
        assert ending.get(timeout=10).drained


def test_a_second_shutdown_gives_the_first_report() -> None:
    with stage(**mob(("a", "lead"))) as (running, _):
        first = running.shutdown(timeout=5)

        assert running.shutdown(timeout=0) is first
        assert len(of(MobStopped, running)) == 1


async def interruptible(ctx: TurnContext) -> object:
    await ctx.boundary(wait=1000)
    return "never"


def test_an_interrupting_shutdown_ends_turns_at_their_boundary_and_leaves_inputs_open() -> None:
    given = mob(("i", "i"))
    given["profiles"]["i"] = {"call": f"{HERE}:interruptible"}
    with stage(**given) as (running, world):
        running.send("i", "x")
        running.send("i", "y")
        world.run_for(1)
        before = world.clock.monotonic()
        report = running.shutdown(timeout=60, interrupt=True)

        assert report.drained
        assert world.clock.monotonic() - before < 5
        ends = {entry.event.tag for entry in running.events()}
        assert not ends & {"input_done", "input_failed"}
        assert len(of(InputAccepted, running)) == 2


def test_a_member_that_waits_for_its_restart_does_not_keep_the_drain_from_ending() -> None:
    with stage(**mob(("a", "lead"))) as (running, world):
        for _ in range(4):  # the fifth back-off would be 3.2 s
            kill(running, "a")
            world.run_for(2)
        kill(running, "a")
        before = world.clock.monotonic()
        report = running.shutdown(timeout=1)

        assert report.timed_out
        assert world.clock.monotonic() - before < 3
        assert len(of(MemberRestarted, running)) == 4


async def deaf(ctx: TurnContext) -> object:
    # Deaf until the test is over: a task that is left for good is one that asyncio complains of.
    go = DOORS["go"]
    DOORS["began"].set()
    while not go.is_set():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0.01)
    return None


def deaf_in_thread(ctx: ThreadTurnContext) -> object:
    DOORS["began"].set()
    DOORS["go"].wait(60)
    return None


@pytest.mark.parametrize(("call", "isolation"), [("deaf", "async"), ("deaf_in_thread", "thread")])
def test_a_turn_that_never_ends_does_not_keep_the_mob_from_ending(
    tmp_path: Path, call: str, isolation: str
) -> None:
    given = mob(("m", "m"), ("a", "lead"))
    given["profiles"]["m"] = {"call": f"{HERE}:{call}", "isolation": isolation}
    running = Mob.launch({"id": "deaf", **given}, state_dir=tmp_path)
    running.send("m", "x")
    assert DOORS["began"].wait(10)
    began = time.monotonic()

    report = running.shutdown(timeout=0.5)

    assert time.monotonic() - began < 0.5 + 2.0
    assert report.timed_out
    assert report.waiting_for == ("m: a turn is running",)
    assert set(report.stopped) == {"a", "m"}
    assert of(MobStopped, running)[-1].drained is False
    assert of(MembersWired, running) == []


async def hog(ctx: TurnContext) -> object:
    DOORS["began"].set()
    DOORS["go"].wait(60)  # blocking, so it holds the loop that all members share
    return None


def test_a_member_that_holds_its_loop_does_not_keep_the_mob_from_ending(tmp_path: Path) -> None:
    given = mob(("m", "m"), ("a", "lead"))
    given["profiles"]["m"] = {"call": f"{HERE}:hog"}
    running = Mob.launch({"id": "hog", **given}, state_dir=tmp_path)
    running.send("m", "x")
    assert DOORS["began"].wait(10)
    began = time.monotonic()

    report = running.shutdown(timeout=0.5)

    assert time.monotonic() - began < 0.5 + 2.0
    assert report.timed_out
    assert report.stopped == ()
    assert set(report.waiting_for) >= {"a: did not stop", "m: did not stop"}
    with Mob.launch({"id": "hog", **mob(("a", "lead"))}, state_dir=tmp_path) as again:
        assert [view.name for view in again.members()] == ["a"]  # the ledger was given back


@pytest.mark.parametrize("members", [0, 3])
def test_a_drain_whose_ledger_writer_is_gone_says_so_and_stops_the_members(members: int) -> None:
    given = mob(*((f"m-{n}", "lead") for n in range(members)))
    with stage(**given) as (running, world):
        running._parts.forwarder.stop(block=False)
        world.run_for(1)
        before = world.clock.monotonic()
        report = running.shutdown(timeout=2)

        assert not report.drained
        assert report.waiting_for == ("the ledger's writer: does not answer",)
        assert len(report.stopped) == members
        assert world.clock.monotonic() - before < 4


def test_a_drain_that_breaks_stops_the_members_and_says_what_broke() -> None:
    class Broken(MemoryLedger):
        broken = False

        def head(self) -> int:
            if self.broken:
                raise OSError("the disk is gone")
            return super().head()

    with stage(**mob(("a", "lead"))) as (running, _):
        supervisor = actor(running, "supervisor")
        ledger = Broken("stage")
        ledger.broken = True
        supervisor._desk = dataclasses.replace(supervisor._desk, ledger=ledger)
        report = running.shutdown(timeout=2)

        assert (report.drained, report.timed_out, report.stopped) == (False, False, ("a",))
        assert report.waiting_for == ("the drain failed: the disk is gone",)


def test_whoever_asks_for_the_end_again_gets_the_first_report() -> None:
    with stage(**mob(("a", "lead"))) as (running, _):
        supervisor = running._parts.supervisor
        first = supervisor.ask(Drain(timeout_s=5), block=False)
        second = supervisor.ask(Drain(timeout_s=5), block=False)

        assert second.get(timeout=10) is first.get(timeout=10)
        assert len(of(MobStopped, running)) == 1


class SlowToStop(Member):
    """Takes three seconds to end."""

    async def on_stop(self) -> None:  # type: ignore[override]  # as in Member
        await asyncio.sleep(STOPPING["s"])
        await super().on_stop()


STOPPING = {"s": 0.0}


@pytest.mark.parametrize(("takes_s", "limit_s", "drained"), [(0.9, 10, True), (0.9, 0.5, False)])
def test_members_have_until_the_deadline_to_stop_and_who_did_not_is_not_drained(
    takes_s: float, limit_s: float, drained: bool
) -> None:
    STOPPING["s"] = takes_s
    with simulated(1) as world:
        parts = start(
            read_definition({"id": "stage", **mob(("a", "lead"))}),
            state_dir=Path("unused"),
            durability="memory",
            scheduler=world,
            casting=Casting(member=SlowToStop),
        )
        running = Mob(parts)
        before = world.clock.monotonic()
        report = running.shutdown(timeout=limit_s)

        assert (report.drained, report.timed_out) == (drained, not drained)
        assert report.waiting_for == (() if drained else ("a: did not stop",))
        assert [event.drained for event in of(MobStopped, running)] == [drained]
        assert world.clock.monotonic() - before < limit_s + 2


def test_spawning_many_is_one_commit_and_one_look_at_the_edges() -> None:
    given = mob(("lead", "lead"), wiring={"orchestrator": "lead", "auto_wire_orchestrator": True})
    with stage(**given) as (running, world):
        ledger = running._parts.ledger
        world.run_for(1.0)
        views = running.spawn_many((f"w-{n}", "worker") for n in range(50))

        at = {entry.at_ms for entry in ledger.read() if isinstance(entry.event, MemberSpawned)}
        assert len(of(MembersWired, running)) == 1
        assert len(at) == 2  # the lead at the launch, and these
        assert [view.name for view in views if isinstance(view, MemberView)] == [
            f"w-{n}" for n in range(50)
        ]
        assert all(isinstance(view, MemberView) and view.wired_to == ("lead",) for view in views)


def test_spawning_many_tells_every_one_why_not() -> None:
    with stage(**mob(("lead", "lead"))) as (running, _):
        specs: list[Any] = [
            ("a", "worker"),
            ("a", "worker"),
            {"name": "b", "profile": "x"},
            ("lead", "lead"),
        ]
        results = running.spawn_many(specs)

        assert [type(each) for each in results] == [
            MemberView,
            MemberAlreadyExists,
            ProfileNotFound,
            MemberAlreadyExists,
        ]
        running.shutdown(timeout=1)
        assert [type(each) for each in running.spawn_many([("z", "lead")])] == [Draining]


def test_spawning_many_that_the_ledger_refuses_starts_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ledger = RefusingLedger()
    monkeypatch.setattr("actors.launching.open_ledger", lambda *_: ledger)
    with stage(**mob(("lead", "lead"))) as (running, _):
        ledger.refuses = MemberSpawned
        results = running.spawn_many([("a", "worker"), ("b", "worker")])
        ledger.refuses = ()

        assert [type(each) for each in results] == [StoreError, StoreError]
        assert [view.name for view in running.members()] == ["lead"]


@pytest.mark.parametrize(
    "spec",
    [
        "ab",
        ("a",),
        ("a", 1),
        {"name": "a"},
        {"name": "a", "profile": "worker", "lables": {}},
        {"name": "a", "profile": "worker", "labels": {"x": 1}},
    ],
)
def test_a_malformed_spec_is_refused_before_anybody_is_spawned(spec: Any) -> None:
    with stage(**mob(("lead", "lead"))) as (running, _):
        with pytest.raises(TypeError, match=r"specs\[1\] must be"):
            running.spawn_many([("ok", "worker"), spec])

        assert [view.name for view in running.members()] == ["lead"]
