"""The operations registry: the lifecycle record of every member, by the table of the spec.

An operation is provisioning when the member is spawned, running when it lives, and ends with it
(spec/member_runtime.md §2.2; the decisions are `actors.domain.operations`). Runs on the system
loop.
"""

from __future__ import annotations

import uuid

from actors.domain.operations import (
    OperationBook,
    OperationError,
    OperationKind,
    OperationRecord,
    Registration,
)
from actors.kernel.actor import Actor
from actors.kernel.handlers import handles
from actors.kernel.logs import logger_for
from actors.roles.messages import (
    CloseOperation,
    GetOperations,
    GetProgress,
    OpenOperation,
    Progress,
)
from transport.message import FrozenMap

logger = logger_for(__name__)

SOURCE = "mob_member"  # the adapter always writes this label, spec §2.1


class OpsRegistry(Actor):
    """Owns the operations of one mob."""

    def __init__(self, mob: str) -> None:
        super().__init__()
        self._mob = mob
        self._book = OperationBook()
        self._current: dict[str, str] = {}  # identity to operation id
        self._texts: dict[str, str] = {}

    @handles
    def open(self, message: OpenOperation) -> None:
        """Register a member's operation; one that is open already goes on."""
        if message.identity in self._current:
            return
        operation = uuid.UUID(int=self.realm.scheduler.random.getrandbits(128), version=4)
        registration = Registration(
            id=str(operation),
            kind=OperationKind.MOB_MEMBER_CHILD,
            owner_session_id=message.owner,
            display_name=f"{self._mob}/{message.identity}",
            source_label=SOURCE,
            expect_peer_channel=True,
        )
        now_ms = self.realm.scheduler.clock.wall_ms()
        self._book.register(registration, now_ms=now_ms)
        self._book.provisioning_succeeded(registration.id, now_ms=now_ms)
        self._current[message.identity] = registration.id

    @handles
    def progress(self, message: Progress) -> None:
        """Count a progress report; one of a member that is gone is dropped (race, rule A6)."""
        operation = self._current.get(message.identity)
        if operation is None:
            return
        self._texts[message.identity] = message.text
        self._book.report_progress(operation)

    @handles
    def close(self, message: CloseOperation) -> None:
        """End a member's operation; without one nothing happens (rule A8)."""
        operation = self._current.pop(message.identity, None)
        self._texts.pop(message.identity, None)
        if operation is None:
            return
        now_ms = self.realm.scheduler.clock.wall_ms()
        try:
            if message.error is None:
                self._book.request_retire(operation)
                self._book.mark_retired(operation, now_ms=now_ms)
            else:
                self._book.fail(operation, message.error, now_ms=now_ms)
        except OperationError as error:
            logger.error("operation %s of %s: %s", operation, message.identity, error)

    @handles
    def get_operations(self, message: GetOperations) -> tuple[OperationRecord, ...]:
        """All operations, by display name."""
        return tuple(self._book.list())

    @handles(control=True)
    def get_progress(self, message: GetProgress) -> FrozenMap[str, str]:
        """The last progress text of every living member that gave one."""
        return FrozenMap(self._texts)
