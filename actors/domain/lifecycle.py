"""The life of an operation as a table: statuses, commands, `step`, and what is refused.

Rule 1: what changes a status is in `TRANSITIONS`, a table with one row per command, and `step`
reads it. Rule 2: whatever raises has changed nothing.

An operation is *live* while it is provisioning, running or retiring; the six other stored statuses
are terminal and never left. *Absent* stands for "no record" and is never stored.

    MobError
    ├── OperationError (abstract)
    │   ├── NotFound               no record has this id
    │   ├── AlreadyRegistered      a record has this id already
    │   ├── InvalidTransition      the table has no such step
    │   ├── PeerNotExpected        only mob member children have a peer
    │   └── AlreadyPeerReady       the first peer handle stays
    └── MaxConcurrentExceeded      too many live records

Source: spec/member_runtime.md §2.1 (errors) and §2.2 (table).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from actors.domain.errors import MobError


class OperationStatus(StrEnum):
    """The ten statuses; the value is the wire word."""

    ABSENT = "absent"
    PROVISIONING = "provisioning"
    RUNNING = "running"
    RETIRING = "retiring"
    COMPLETED = "completed"
    FAILED = "failed"
    ABORTED = "aborted"
    CANCELLED = "cancelled"
    RETIRED = "retired"
    TERMINATED = "terminated"

    @property
    def live(self) -> bool:
        """Whether the operation still goes on."""
        return self in _LIVE

    @property
    def terminal(self) -> bool:
        """Whether the operation has ended; it never changes again."""
        return self in _TERMINAL


class Command(StrEnum):
    """What may be asked of an operation."""

    REGISTER = "register"
    PROVISIONING_SUCCEEDED = "provisioning_succeeded"
    PROVISIONING_FAILED = "provisioning_failed"
    ABORT_PROVISIONING = "abort_provisioning"
    PEER_READY = "peer_ready"
    REPORT_PROGRESS = "report_progress"
    COMPLETE = "complete"
    FAIL = "fail"
    CANCEL = "cancel"
    REQUEST_RETIRE = "request_retire"
    MARK_RETIRED = "mark_retired"
    TERMINATE_OWNER = "terminate_owner"

    @property
    def action(self) -> str:
        """The action word of `InvalidTransition`."""
        return _ACTIONS.get(self, self.value)


_ACTIONS: Final = {
    Command.PROVISIONING_FAILED: "fail_operation",
    Command.COMPLETE: "complete_operation",
    Command.FAIL: "fail_operation",
    Command.CANCEL: "cancel_operation",
}


class Refusal(StrEnum):
    """Why the table has no next status."""

    NOT_FOUND = "not found"
    TAKEN = "already registered"
    INVALID = "invalid transition"


# The table


S = OperationStatus
C = Command
_LIVE: Final = frozenset({S.PROVISIONING, S.RUNNING, S.RETIRING})
_TERMINAL: Final = frozenset(S) - _LIVE - {S.ABSENT}

_NONE, _TAKEN, _BAD = Refusal.NOT_FOUND, Refusal.TAKEN, Refusal.INVALID
_SAME: Final = None  # the status found

# spec §2.2, row by row and column by column; the last column stands for all six terminal statuses.
# provisioning_failed is strict (0.5.0): `fail` is the command for an operation that has started.
# fmt: off
_ROWS: Final[Mapping[Command, tuple[OperationStatus | Refusal | None, ...]]] = {
    # command                  absent          provisioning  running       retiring      terminal
    C.REGISTER:               (S.PROVISIONING, _TAKEN,       _TAKEN,       _TAKEN,       _TAKEN),
    C.PROVISIONING_SUCCEEDED: (_NONE,          S.RUNNING,    _BAD,         _BAD,         _BAD),
    C.PROVISIONING_FAILED:    (_NONE,          S.FAILED,     _BAD,         _BAD,         _BAD),
    C.ABORT_PROVISIONING:     (_NONE,          S.ABORTED,    _BAD,         _BAD,         _BAD),
    C.PEER_READY:             (_NONE,          _BAD,         _SAME,        _SAME,        _BAD),
    C.REPORT_PROGRESS:        (_NONE,          _BAD,         _SAME,        _SAME,        _BAD),
    C.COMPLETE:               (_NONE,          _BAD,         S.COMPLETED,  S.COMPLETED,  _BAD),
    C.FAIL:                   (_NONE,          S.FAILED,     S.FAILED,     S.FAILED,     _BAD),
    C.CANCEL:                 (_NONE,          S.CANCELLED,  S.CANCELLED,  S.CANCELLED,  _BAD),
    C.REQUEST_RETIRE:         (_NONE,          _BAD,         S.RETIRING,   _BAD,         _BAD),
    C.MARK_RETIRED:           (_NONE,          _BAD,         S.RETIRED,    S.RETIRED,    _BAD),
    C.TERMINATE_OWNER:        (_SAME,          S.TERMINATED, S.TERMINATED, S.TERMINATED, _SAME),
}
# fmt: on

_COLUMNS: Final = ((S.ABSENT,), (S.PROVISIONING,), (S.RUNNING,), (S.RETIRING,), _TERMINAL)

TRANSITIONS: Final[Mapping[tuple[OperationStatus, Command], OperationStatus | Refusal]] = (
    MappingProxyType(
        {
            (status, command): status if target is _SAME else target
            for command, row in _ROWS.items()
            for column, target in zip(_COLUMNS, row, strict=True)
            for status in column
        }
    )
)
"""Every status with every command: the next status, or why there is none."""


# Errors


class OperationError(MobError):
    """A command was refused; every record is as it was. `id` names the operation."""

    def __init__(self, operation_id: str, *rest: object) -> None:
        self.id = operation_id
        super().__init__(operation_id, *rest)


class NotFound(OperationError):
    """No operation has this id."""

    hint = "list the operations with mob.operations()"

    def __str__(self) -> str:
        return f"no operation '{self.id}'"


class AlreadyRegistered(OperationError):
    """An operation has this id already, live or ended."""

    hint = "choose a new id for a new operation"

    def __str__(self) -> str:
        return f"operation '{self.id}' is already registered"


class InvalidTransition(OperationError):
    """The command is not for this status; `status` is the one found, `action` the action word."""

    def __init__(self, operation_id: str, status: OperationStatus, action: str) -> None:
        super().__init__(operation_id, status, action)
        self.status = status
        self.action = action

    def __str__(self) -> str:
        return (
            f"invalid lifecycle transition for {self.id}: "
            f"{self.status.value.capitalize()} -> {self.action}"
        )


class PeerNotExpected(OperationError):
    """The operation is not a mob member child, so it has no peer."""

    def __str__(self) -> str:
        return f"operation '{self.id}' is not a mob member and expects no peer"


class AlreadyPeerReady(OperationError):
    """The operation has its peer handle; the first one stays."""

    def __str__(self) -> str:
        return f"operation '{self.id}' already has its peer"


class MaxConcurrentExceeded(MobError):
    """`limit` operations may be live at once and `active` are; nothing was registered."""

    hint = "wait for one to end, or raise the limit"

    def __init__(self, limit: int, active: int) -> None:
        super().__init__(limit, active)
        self.limit = limit
        self.active = active

    def __str__(self) -> str:
        return f"{self.active} operations are live and the limit is {self.limit}"


def step(status: OperationStatus, command: Command, *, operation_id: str = "") -> OperationStatus:
    """Give the status after a command, from the table alone.

    Args:
        status: The status found; `ABSENT` if there is no record.
        command: What is asked.
        operation_id: Names the operation in an error.

    Raises:
        NotFound: Nothing is registered and the command needs a record.
        AlreadyRegistered: `register` for an id in use.
        InvalidTransition: The command is not for this status.

    Source:
        spec/member_runtime.md §2.2.
    """
    answer = TRANSITIONS[status, command]
    if isinstance(answer, OperationStatus):
        return answer
    if answer is Refusal.NOT_FOUND:
        raise NotFound(operation_id)
    if answer is Refusal.TAKEN:
        raise AlreadyRegistered(operation_id)
    raise InvalidTransition(operation_id, status, command.action)
