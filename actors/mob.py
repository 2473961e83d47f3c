"""`Mob`: a running mob, driven from a script, a service or a Python shell.

    with Mob.launch("mob.toml") as mob:
        mob.send("lead", "have a look at this")
        print(mob.ask("lead", "what did you find?").value)

Every method blocks its caller and is safe from any thread; none may be called by a member (a
turn has its `TurnContext`). Reports are frozen and print as tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from actors import launching
from actors.answers import Blocking, at_once
from actors.history import each
from actors.verbs import Verbs

if TYPE_CHECKING:
    from types import TracebackType

    from actors.domain.definition import Durability, MobDefinition
    from actors.domain.errors import MobError
    from actors.domain.events import Entry
    from actors.domain.graph import MobGraph
    from actors.domain.inbox import Mode, TurnInput
    from actors.domain.operations import OperationRecord
    from actors.domain.reports import (
        AuditReport,
        DeadLetterView,
        MemberView,
        MobStatus,
        Receipt,
        ReconcileReport,
        ShutdownReport,
        TurnResult,
    )
    from actors.domain.tables import Rows
    from actors.domain.wiring import Edge
    from actors.kernel.ports import Scheduler
    from actors.kernel.stacks import Stacks
    from transport.message import Message


class Mob:
    """A running mob. Make one with `Mob.launch`."""

    def __init__(self, parts: launching.Parts) -> None:
        self._parts = parts
        self._verbs = Verbs(parts, Blocking())

    @classmethod
    def launch(
        cls,
        definition: str | Path | Mapping[str, object] | MobDefinition,
        *,
        state_dir: str | Path | None = None,
        hosts: None = None,
        durability: Durability | None = None,
        scheduler: Scheduler | None = None,
        after_send: launching.AfterSend | None = None,
    ) -> Mob:
        """Start a mob in this process; returns when every declared member is started and wired.

        What a former run left open in the ledger goes on at once.

        Args:
            definition: A mob file, its content as a mapping, or a MobDefinition.
            state_dir: Where the ledger is; `.mob/<id>` in the current directory by default.
            hosts: Machines to place members on; not available yet, so only None.
            durability: What an accepted input survives; by default what the definition says
                (`full`: power loss, `normal`: the end of the process, `memory`: neither).
            scheduler: A `SimulatedWorld` for tests, of `Mob` only: its time moves while a call
                blocks. Two loop threads by default.
            after_send: For chaos tests: called with a member and its number of sends in this
                turn; answers whether the member shall fail now.

        Raises:
            DefinitionError: the definition is wrong; it names file, key and the nearest name.
            StoreInUse: the state directory is in use; it names the process.
            StoreError: the ledger cannot be used.
            StartFailed: the mob could not start; what was started is stopped.
        """
        mob = cls(
            launching.launch(
                definition,
                state_dir=state_dir,
                hosts=hosts,
                durability=durability,
                scheduler=scheduler,
                after_send=after_send,
            )
        )
        if scheduler is None:
            launching.end_at_exit(mob._verbs._ending.end)
        return mob

    # -- members ----------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """The mob's id."""
        return self._verbs.id

    @property
    def definition(self) -> MobDefinition:
        """The declared shape."""
        return self._verbs.definition

    @property
    def state_dir(self) -> Path:
        """Where ledger and results are."""
        return self._verbs.state_dir

    def members(self) -> Rows[MemberView]:
        """Every member, sorted by name."""
        return at_once(self._verbs.members())

    def member(self, name: str) -> MemberView:
        """One member.

        Raises:
            MemberNotFound: nobody has this name; it names the nearest one.
        """
        return at_once(self._verbs.member(name))

    def spawn(
        self, name: str, *, profile: str, labels: Mapping[str, str] | None = None
    ) -> MemberView:
        """Add a member by hand; reconciling never retires it.

        Raises:
            MemberAlreadyExists, ProfileNotFound, InvalidIdentity, WiringError: nothing changed.
            Draining: the mob is shutting down.
        """
        return at_once(self._verbs.spawn(name, profile=profile, labels=labels))

    def spawn_many(
        self, specs: Iterable[tuple[str, str] | Mapping[str, Any]]
    ) -> list[MemberView | MobError]:
        """Add several members, each on its own: one result per spec, in order.

        Args:
            specs: `(name, profile)` pairs, or mappings with the arguments of `spawn`.

        Returns:
            The member, or the error that kept it from being (spec/member_runtime.md 5-18).

        Raises:
            TypeError: a spec is malformed; nothing was spawned.
        """
        return at_once(self._verbs.spawn_many(specs))

    def retire(self, name: str) -> bool:
        """Remove a member, its edges with it; False if there is none (that is no error).

        A declared member comes back with the next reconcile.
        """
        return at_once(self._verbs.retire(name))

    # -- edges ------------------------------------------------------------------------------

    def wire(self, a: str, b: str) -> bool:
        """Let two members talk; whether the edge is new.

        Raises:
            MemberNotFound, WiringError: nothing changed.
        """
        return at_once(self._verbs.wire(a, b))

    def unwire(self, a: str, b: str) -> bool:
        """Forbid two members to talk; whether there was an edge.

        An edge that the definition asks for comes back with the next reconcile.
        """
        return at_once(self._verbs.unwire(a, b))

    def edges(self) -> Rows[Edge]:
        """All edges, sorted."""
        return at_once(self._verbs.edges())

    def graph(self) -> MobGraph:
        """Members and edges, as text, Mermaid or HTML."""
        return at_once(self._verbs.graph())

    def reconcile(self) -> ReconcileReport:
        """Bring members and edges to the definition now; a second call finds nothing to do."""
        return at_once(self._verbs.reconcile())

    # -- work -------------------------------------------------------------------------------

    def send(
        self,
        who: str,
        body: str | Message,
        *,
        key: str | None = None,
        mode: Mode = "queue",
        timeout: float = 30.0,
    ) -> Receipt:
        """Give a member something to do; returns when it is accepted, durably.

        Args:
            body: Text or a message.
            key: The same key and body again give the first receipt and no second turn.
            mode: `queue`, or `steer` to offer it to the turn that runs.
            timeout: Seconds to wait for the receipt.

        Raises:
            MemberNotFound, MemberHeld: nobody takes it.
            InboxFull: the member has too much to do; it names when to try again.
            KeyConflict: the key came before with another body.
            Draining: the mob is shutting down.
            TimeoutError: no receipt in time; it may be accepted all the same, so send it again
                under its key.
        """
        return at_once(self._verbs.send(who, body, key=key, mode=mode, timeout=timeout))

    def ask(
        self, who: str, body: str | Message, *, timeout: float = 60.0, key: str | None = None
    ) -> TurnResult:
        """Give a member something to do and wait for the result of its turn.

        Raises:
            TurnFailed: it was tried as often as the profile allows.
            TimeoutError: no result in time; the member goes on, `result` waits again.
            MemberNotFound, MemberHeld, InboxFull, KeyConflict, Draining: as for `send`.
        """
        return at_once(self._verbs.ask(who, body, timeout=timeout, key=key))

    def result(self, who: str, input_id: str, *, timeout: float = 60.0) -> TurnResult:
        """Wait for the result of an input that was accepted, by this run or a former one.

        Raises:
            UnknownInput: the member was never given it.
            TurnFailed, TimeoutError, MemberNotFound, MemberHeld, Draining: as for `ask`.
        """
        return at_once(self._verbs.result(who, input_id, timeout=timeout))

    def unfinished(self, who: str) -> tuple[TurnInput, ...]:
        """Inputs of a member that a former run had accepted and not finished, oldest first."""
        return at_once(self._verbs.unfinished(who))

    # -- looking ----------------------------------------------------------------------------

    def events(
        self, after: int | None = None, *, follow: bool = False, **filters: str
    ) -> Iterator[Entry]:
        """Entries of the ledger, in order.

        Args:
            after: Begin behind this cursor; None for the beginning, or with `follow` the end.
            follow: Go on with what comes, until the mob is shut down.
            filters: Fields that must be equal: `tag="member_spawned"`, `identity="lead"`, …

        Raises:
            TypeError: no event has a field of that name; it names the nearest.
            Draining: the mob has ended, and what is asked for is older than its last entries.
        """
        return each(self._verbs._history.reader(after, follow=follow, filters=filters))

    @property
    def cursor(self) -> int:
        """The last entry of the ledger, 0 for an empty one; known after the end too."""
        return self._verbs.cursor

    def status(self) -> MobStatus:
        """The mob as a whole."""
        return at_once(self._verbs.status())

    def operations(self) -> Rows[OperationRecord]:
        """The lifecycle record of every member there was."""
        return at_once(self._verbs.operations())

    def progress_texts(self) -> Mapping[str, str]:
        """What every working member last said about how far it is."""
        return at_once(self._verbs.progress_texts())

    def routed(self) -> int:
        """Messages passed between members, and from outside, since the launch."""
        return at_once(self._verbs.routed())

    def dead_letters(self) -> Rows[DeadLetterView]:
        """The last messages and inputs that nobody will handle, oldest first."""
        return at_once(self._verbs.dead_letters())

    def audit(self) -> AuditReport:
        """Where every message between the actors ended; exact when the mob is quiet."""
        return at_once(self._verbs.audit())

    def stacks(self) -> Stacks:
        """What every actor is doing right now; prints as text. Nothing is stopped."""
        return at_once(self._verbs.stacks())

    # -- ending -----------------------------------------------------------------------------

    def shutdown(self, timeout: float | None = None, *, interrupt: bool = False) -> ShutdownReport:
        """Refuse new work, wait until the mob is quiet, stop it; ends within `timeout` + 2 s.

        What is not finished then stays open in the ledger and goes on with the next launch. A
        second call returns the first report.

        Args:
            timeout: Seconds to wait for quiet; the definition's `drain_timeout_s` by default.
            interrupt: End running turns at their next boundary instead of waiting for their end.
        """
        return at_once(self._verbs.shutdown(timeout, interrupt=interrupt))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.shutdown()

    def __repr__(self) -> str:
        return self._verbs._described("Mob")
