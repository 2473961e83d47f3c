"""The operations registry: one lifecycle record per life of a member."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from actors import ActorSystem
from actors.domain.operations import OperationStatus
from actors.kernel.ref import ActorRef
from actors.kernel.simulation import SimulatedWorld, simulated
from actors.roles.messages import (
    CloseOperation,
    GetOperations,
    GetProgress,
    OpenOperation,
    Progress,
)
from actors.roles.ops_registry import OpsRegistry


@contextmanager
def registry() -> Iterator[tuple[ActorRef[OpsRegistry], SimulatedWorld]]:
    with simulated(5) as world, ActorSystem("ops", scheduler=world) as system:
        yield system.start(OpsRegistry, "panel", name="operations"), world


def test_a_spawned_member_has_a_running_operation() -> None:
    with registry() as (ref, _):
        ref.tell(OpenOperation(identity="w-1", owner="panel"))

        (record,) = ref.ask(GetOperations())

        assert record.status is OperationStatus.RUNNING
        assert record.display_name == "panel/w-1"
        assert record.started_at_ms == record.created_at_ms


def test_opening_twice_is_one_operation() -> None:
    with registry() as (ref, _):
        for _ in range(2):
            ref.tell(OpenOperation(identity="w-1", owner="panel"))

        assert len(ref.ask(GetOperations())) == 1


def test_progress_is_counted_and_the_last_text_kept() -> None:
    with registry() as (ref, _):
        ref.tell(OpenOperation(identity="w-1", owner="panel"))
        ref.tell(Progress(identity="w-1", text="1 of 3"))
        ref.tell(Progress(identity="w-1", text="2 of 3"))

        assert ref.ask(GetOperations())[0].progress_count == 2
        assert ref.ask(GetProgress()) == {"w-1": "2 of 3"}


def test_progress_of_a_member_that_is_gone_is_dropped() -> None:
    with registry() as (ref, _):
        ref.tell(Progress(identity="ghost", text="boo"))

        assert ref.ask(GetOperations()) == ()
        assert ref.ask(GetProgress()) == {}


def test_a_retired_member_s_operation_is_retired_and_its_progress_forgotten() -> None:
    with registry() as (ref, _):
        ref.tell(OpenOperation(identity="w-1", owner="panel"))
        ref.tell(Progress(identity="w-1", text="1 of 3"))
        ref.tell(CloseOperation(identity="w-1"))

        assert ref.ask(GetOperations())[0].status is OperationStatus.RETIRED
        assert ref.ask(GetProgress()) == {}


def test_a_held_member_s_operation_has_failed_with_the_reason() -> None:
    with registry() as (ref, _):
        ref.tell(OpenOperation(identity="w-1", owner="panel"))
        ref.tell(CloseOperation(identity="w-1", error="too many failures"))

        (record,) = ref.ask(GetOperations())

        assert record.status is OperationStatus.FAILED
        assert "too many failures" in str(record.terminal_outcome)


def test_closing_what_is_not_open_changes_nothing() -> None:
    with registry() as (ref, _):
        ref.tell(CloseOperation(identity="ghost"))

        assert ref.ask(GetOperations()) == ()


def test_a_namesake_gets_an_operation_of_its_own() -> None:
    with registry() as (ref, _):
        ref.tell(OpenOperation(identity="w-1", owner="panel"))
        ref.tell(CloseOperation(identity="w-1"))
        ref.tell(OpenOperation(identity="w-1", owner="panel"))

        statuses = [record.status for record in ref.ask(GetOperations())]

        assert sorted(statuses) == sorted([OperationStatus.RETIRED, OperationStatus.RUNNING])
