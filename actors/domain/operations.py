"""Operations: long-running children as seen by the session that owns them.

`OperationBook` is the registry of one owner session. A command reads the table of
`actors.domain.lifecycle`, replaces one frozen record and returns it, or raises and changes nothing.
The names of that module are importable from here as well.

Watchers, completion feed, eviction and barriers (§2.3 to §2.5) are not here yet: terminal records
are retained without bound.

Source: spec/member_runtime.md §2.1, §2.2 and I2.1 to I2.5, I2.12, I2.13.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from actors.domain.lifecycle import (
    TRANSITIONS,
    AlreadyPeerReady,
    AlreadyRegistered,
    Command,
    InvalidTransition,
    MaxConcurrentExceeded,
    NotFound,
    OperationError,
    OperationStatus,
    PeerNotExpected,
    Refusal,
    step,
)
from actors.domain.tables import Report, Rows
from transport.message import Message

__all__ = [
    "PROGRESS_CEILING",
    "TRANSITIONS",
    "Aborted",
    "AlreadyPeerReady",
    "AlreadyRegistered",
    "Cancelled",
    "Command",
    "Completed",
    "Failed",
    "InvalidTransition",
    "MaxConcurrentExceeded",
    "NotFound",
    "OperationBook",
    "OperationError",
    "OperationKind",
    "OperationRecord",
    "OperationResult",
    "OperationStatus",
    "Outcome",
    "PeerHandle",
    "PeerNotExpected",
    "Refusal",
    "Registration",
    "Retired",
    "Terminated",
    "step",
]

PROGRESS_CEILING: Final = 2**63 - 1  # the count saturates at what SQLite and msgpack both hold


class OperationKind(StrEnum):
    """What kind of child the operation stands for."""

    MOB_MEMBER_CHILD = "mob_member_child"
    BACKGROUND_TOOL_OP = "background_tool_op"


class OperationResult(Message):
    """What a completed operation gave: `duration_ms` and `tokens_used` are never negative."""

    id: str
    content: str
    is_error: bool = False
    duration_ms: int = 0
    tokens_used: int = 0


class Completed(Message):
    """The operation did its work."""

    outcome_type: Literal["completed"] = "completed"
    result: OperationResult


class Failed(Message):
    """The operation failed with this error text."""

    outcome_type: Literal["failed"] = "failed"
    error: str


class Aborted(Message):
    """Provisioning was given up."""

    outcome_type: Literal["aborted"] = "aborted"
    reason: str | None = None


class Cancelled(Message):
    """Somebody cancelled the operation."""

    outcome_type: Literal["cancelled"] = "cancelled"
    reason: str | None = None


class Retired(Message):
    """The operation was retired, its usual end."""

    outcome_type: Literal["retired"] = "retired"


class Terminated(Message):
    """The owner of the whole registry ended."""

    outcome_type: Literal["terminated"] = "terminated"
    reason: str


Outcome = Annotated[
    Completed | Failed | Aborted | Cancelled | Retired | Terminated,
    Field(discriminator="outcome_type"),
]
"""How an operation ended; `outcome_type` is the word of its terminal status."""


class PeerHandle(Message):
    """How the member is reached by its peers: its name and the address it is trusted under."""

    name: str
    trusted_peer: str


class Registration(Message):
    """What the caller says of an operation; the id is the caller's.

    `expect_peer_channel` is kept but not consulted: the kind decides whether a peer is legal.
    """

    id: str
    kind: OperationKind
    owner_session_id: str
    display_name: str
    source_label: str
    child_session_id: str | None = None
    expect_peer_channel: bool = False


class OperationRecord(Report):
    """One operation as of now: a frozen snapshot, spec/member_runtime.md §2.1.

    Times are milliseconds of the clock that the commands' `now_ms` came from; never
    `completed_at_ms < started_at_ms`, even if that clock was set back in between.
    """

    # A line of 100 columns has room for these; the rest is for one operation.
    row_columns: ClassVar[tuple[str, ...]] = (
        "display_name",
        "status",
        "progress_count",
        "terminal_outcome",
        "elapsed_ms",
    )

    id: str
    kind: OperationKind
    display_name: str
    child_session_id: str | None
    status: OperationStatus
    peer_ready: bool = False
    peer_handle: PeerHandle | None = None
    progress_count: int = 0
    terminal_outcome: Outcome | None = None
    created_at_ms: int
    started_at_ms: int | None = None
    completed_at_ms: int | None = None
    elapsed_ms: int | None = None


# The registry


@dataclass(slots=True)
class _Entry:
    registration: Registration
    record: OperationRecord


class OperationBook:
    """The operations of one owner session.

    Every command takes the caller's `now_ms` and either succeeds or raises an `OperationError`
    (or `MaxConcurrentExceeded`) and changes nothing.

    Args:
        max_concurrent: Live records allowed at once; None for no bound.
    """

    def __init__(self, *, max_concurrent: int | None = None) -> None:
        self._max_concurrent = max_concurrent
        self._entries: dict[str, _Entry] = {}
        self._live = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def live(self) -> int:
        """How many operations are live."""
        return self._live

    def snapshot(self, operation_id: str) -> OperationRecord | None:
        """The record as of now, None if there is none."""
        entry = self._entries.get(operation_id)
        return entry.record if entry else None

    def registration(self, operation_id: str) -> Registration | None:
        """What the operation was registered with, None if there is no record."""
        entry = self._entries.get(operation_id)
        return entry.registration if entry else None

    def list(self) -> Rows[OperationRecord]:
        """All records, live and ended, sorted by display name, then creation, then id."""
        records = (entry.record for entry in self._entries.values())
        return Rows(sorted(records, key=lambda r: (r.display_name, r.created_at_ms, r.id)))

    def register(self, registration: Registration, *, now_ms: int) -> OperationRecord:
        """Start tracking an operation, in status provisioning.

        Raises:
            AlreadyRegistered: The id is in use; checked first.
            MaxConcurrentExceeded: As many operations are live as may be.
        """
        status = self._step(registration.id, Command.REGISTER)
        if self._max_concurrent is not None and self._live >= self._max_concurrent:
            raise MaxConcurrentExceeded(self._max_concurrent, self._live)
        record = OperationRecord(
            id=registration.id,
            kind=registration.kind,
            display_name=registration.display_name,
            child_session_id=registration.child_session_id,
            status=status,
            created_at_ms=now_ms,
        )
        self._entries[registration.id] = _Entry(registration, record)
        self._live += 1
        return record

    def provisioning_succeeded(self, operation_id: str, *, now_ms: int) -> OperationRecord:
        """Provisioning to running; sets `started_at_ms`."""
        status = self._step(operation_id, Command.PROVISIONING_SUCCEEDED)
        started = max(now_ms, self._entries[operation_id].record.created_at_ms)
        return self._update(operation_id, status=status, started_at_ms=started)

    def provisioning_failed(self, operation_id: str, error: str, *, now_ms: int) -> OperationRecord:
        """Provisioning to failed; unlike `fail`, refused once the operation has started."""
        return self._end(operation_id, Command.PROVISIONING_FAILED, Failed(error=error), now_ms)

    def abort_provisioning(
        self, operation_id: str, reason: str | None = None, *, now_ms: int
    ) -> OperationRecord:
        """Provisioning to aborted."""
        return self._end(operation_id, Command.ABORT_PROVISIONING, Aborted(reason=reason), now_ms)

    def peer_ready(self, operation_id: str, handle: PeerHandle) -> OperationRecord:
        """Keep the member's peer handle, once.

        Raises:
            PeerNotExpected: The operation is no mob member child; checked first.
            AlreadyPeerReady: It has its handle, even if it has ended since.
            InvalidTransition: It is not running or retiring.
        """
        entry = self._entries.get(operation_id)
        if entry is not None and entry.record.kind is not OperationKind.MOB_MEMBER_CHILD:
            raise PeerNotExpected(operation_id)
        if entry is not None and entry.record.peer_ready:
            raise AlreadyPeerReady(operation_id)
        status = self._step(operation_id, Command.PEER_READY)
        return self._update(operation_id, status=status, peer_ready=True, peer_handle=handle)

    def report_progress(self, operation_id: str) -> OperationRecord:
        """Count one report; its text and percentage are not kept here."""
        status = self._step(operation_id, Command.REPORT_PROGRESS)
        count = min(self._entries[operation_id].record.progress_count + 1, PROGRESS_CEILING)
        return self._update(operation_id, status=status, progress_count=count)

    def complete(
        self, operation_id: str, result: OperationResult, *, now_ms: int
    ) -> OperationRecord:
        """Running or retiring to completed."""
        return self._end(operation_id, Command.COMPLETE, Completed(result=result), now_ms)

    def fail(self, operation_id: str, error: str, *, now_ms: int) -> OperationRecord:
        """Any live status to failed."""
        return self._end(operation_id, Command.FAIL, Failed(error=error), now_ms)

    def cancel(
        self, operation_id: str, reason: str | None = None, *, now_ms: int
    ) -> OperationRecord:
        """Any live status to cancelled."""
        return self._end(operation_id, Command.CANCEL, Cancelled(reason=reason), now_ms)

    def request_retire(self, operation_id: str) -> OperationRecord:
        """Running to retiring."""
        return self._update(operation_id, status=self._step(operation_id, Command.REQUEST_RETIRE))

    def mark_retired(self, operation_id: str, *, now_ms: int) -> OperationRecord:
        """Running or retiring to retired; asking for it first is not needed."""
        return self._end(operation_id, Command.MARK_RETIRED, Retired(), now_ms)

    def terminate_owner(self, reason: str, *, now_ms: int) -> tuple[str, ...]:
        """End every live operation, all with this reason; never fails.

        Returns:
            The ids that were ended, in order of registration; empty on a second call.
        """
        ended = tuple(key for key, entry in self._entries.items() if entry.record.status.live)
        outcome = Terminated(reason=reason)
        for operation_id in ended:
            self._end(operation_id, Command.TERMINATE_OWNER, outcome, now_ms)
        return ended

    def _step(self, operation_id: str, command: Command) -> OperationStatus:
        entry = self._entries.get(operation_id)
        found = entry.record.status if entry else OperationStatus.ABSENT
        return step(found, command, operation_id=operation_id)

    def _end(
        self, operation_id: str, command: Command, outcome: Outcome, now_ms: int
    ) -> OperationRecord:
        status = self._step(operation_id, command)
        record = self._entries[operation_id].record
        # now_ms may come from a wall clock that was set back: an end never precedes its start.
        earliest = record.created_at_ms if record.started_at_ms is None else record.started_at_ms
        completed = max(now_ms, earliest)
        self._live -= 1
        return self._update(
            operation_id,
            status=status,
            terminal_outcome=outcome,
            completed_at_ms=completed,
            elapsed_ms=completed - record.created_at_ms,
        )

    def _update(self, operation_id: str, **changes: object) -> OperationRecord:
        entry = self._entries[operation_id]
        entry.record = entry.record.model_copy(update=changes)
        return entry.record
