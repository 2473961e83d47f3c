"""`Mob`: a running mob, driven from a script, a service or a Python shell.

    with Mob.launch("mob.toml") as mob:
        mob.send("lead", "have a look at this")
        print(mob.ask("lead", "what did you find?").value)

Every method blocks its caller and is safe from any thread; none may be called by a member (a
turn has its `TurnContext`). Reports are frozen and print as tables.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar, cast

from actors import launching
from actors.domain.bodies import Body, pack
from actors.domain.durations import check_seconds
from actors.domain.errors import Draining, InboxFull, MemberNotFound
from actors.domain.graph import MobGraph
from actors.domain.inbox import TurnInput
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
from actors.history import History, audit_report, letter_view
from actors.kernel.current import ON_LOOP
from actors.kernel.errors import ActorDead, AskTimeout, MailboxFull, WouldDeadlock
from actors.roles.member import UnknownInput
from actors.roles.messages import (
    AwaitTurn,
    GetMembers,
    GetOperations,
    GetProgress,
    GetRoster,
    GetStatus,
    GetTraffic,
    Reconcile,
    Retire,
    Route,
    Spawn,
    Unwire,
    Wire,
)
from actors.roles.spawning import SpawnMany, each_spawn
from actors.roles.turn import new_input_id, presented
from transport.message import FrozenMap, Message, Request

if TYPE_CHECKING:
    from types import TracebackType

    from actors.domain.definition import Durability, MobDefinition
    from actors.domain.errors import MobError
    from actors.domain.events import Entry
    from actors.domain.inbox import Mode
    from actors.domain.operations import OperationRecord
    from actors.domain.wiring import Edge
    from actors.kernel.ports import Scheduler
    from actors.kernel.ref import ActorRef
    from actors.kernel.stacks import Stacks

CALL_S: Final = 60.0  # for what the supervisor does; it waits for nobody longer than this
R = TypeVar("R")


class Mob:
    """A running mob. Make one with `Mob.launch`."""

    def __init__(self, parts: launching.Parts) -> None:
        self._parts = parts
        self._lock = threading.Lock()  # leaf; guards `_ending`
        self._ending: threading.Event | None = None
        self._limit = 0.0  # what the first shutdown was given
        self._report: ShutdownReport | None = None
        self._history = History(parts.ledger, parts.forwarder)

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
            scheduler: A `SimulatedWorld` for tests; two loop threads by default.
            after_send: For chaos tests: called with a member and its number of sends in this
                turn; answers whether the member shall fail now.

        Raises:
            DefinitionError: the definition is wrong; it names file, key and the nearest name.
            StoreInUse: the state directory is in use; it names the process.
            StoreError: the ledger cannot be used.
        """
        if hosts is not None:
            raise TypeError("hosts: members are placed in this process only; leave it None")
        source = launching.read_definition(definition)
        parts = launching.start(
            source,
            state_dir=None if state_dir is None else Path(state_dir),
            durability=durability or source.definition.store.durability,
            scheduler=scheduler,
            after_send=after_send,
        )
        mob = cls(parts)
        if scheduler is None:
            launching.end_at_exit(mob.shutdown)
        return mob

    # -- members ----------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """The mob's id."""
        return self._parts.source.definition.id

    @property
    def definition(self) -> MobDefinition:
        """The declared shape."""
        return self._parts.source.definition

    @property
    def state_dir(self) -> Path:
        """Where ledger and results are."""
        return self._parts.state_dir

    def members(self) -> Rows[MemberView]:
        """Every member, sorted by name."""
        return Rows(self._ask(GetMembers()))

    def member(self, name: str) -> MemberView:
        """One member.

        Raises:
            MemberNotFound: nobody has this name; it names the nearest one.
        """
        views = {view.name: view for view in self.members()}
        if name not in views:
            raise MemberNotFound(name, tuple(views))
        return views[name]

    def spawn(
        self, name: str, *, profile: str, labels: Mapping[str, str] | None = None
    ) -> MemberView:
        """Add a member by hand; reconciling never retires it.

        Raises:
            MemberAlreadyExists, ProfileNotFound, InvalidIdentity, WiringError: nothing changed.
            Draining: the mob is shutting down.
        """
        return self._ask(Spawn(identity=name, profile=profile, labels=FrozenMap(labels or {})))

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
        batch = SpawnMany(each_spawn(specs))
        try:
            views = self._call(batch, "spawn_many", self._parts.supervisor, CALL_S)
            return cast("list[MemberView | MobError]", views)
        except Draining as error:
            return [error for _ in batch.spawns]

    def retire(self, name: str) -> bool:
        """Remove a member, its edges with it; False if there is none (that is no error).

        A declared member comes back with the next reconcile.
        """
        return self._ask(Retire(identity=name))

    # -- edges ------------------------------------------------------------------------------

    def wire(self, a: str, b: str) -> bool:
        """Let two members talk; whether the edge is new.

        Raises:
            MemberNotFound, WiringError: nothing changed.
        """
        return self._ask(Wire(a=a, b=b))

    def unwire(self, a: str, b: str) -> bool:
        """Forbid two members to talk; whether there was an edge.

        An edge that the definition asks for comes back with the next reconcile.
        """
        return self._ask(Unwire(a=a, b=b))

    def edges(self) -> Rows[Edge]:
        """All edges, sorted."""
        return Rows(self._ask(GetRoster()).edges)

    def graph(self) -> MobGraph:
        """Members and edges, as text, Mermaid or HTML."""
        roster = self._ask(GetRoster())
        members = tuple((entry.identity, entry.profile) for entry in roster.members)
        return MobGraph(members=members, edges=roster.edges)

    def reconcile(self) -> ReconcileReport:
        """Bring members and edges to the definition now; a second call finds nothing to do."""
        return self._ask(Reconcile())

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
        """
        return self._route(who, pack(body), key, mode, timeout)

    def ask(
        self, who: str, body: str | Message, *, timeout: float = 60.0, key: str | None = None
    ) -> TurnResult:
        """Give a member something to do and wait for the result of its turn.

        Raises:
            TurnFailed: it was tried as often as the profile allows.
            TimeoutError: no result in time; the member goes on, `result` waits again.
            MemberNotFound, MemberHeld, InboxFull, KeyConflict, Draining: as for `send`.
        """
        clock = self._parts.system.realm.scheduler.clock
        until = clock.monotonic() + check_seconds(timeout)
        receipt = self._route(who, pack(body), key, "queue", timeout)
        left = max(until - clock.monotonic(), 0.0)
        return self._result(who, receipt.canonical_input_id, left, timeout)

    def result(self, who: str, input_id: str, *, timeout: float = 60.0) -> TurnResult:
        """Wait for the result of an input that was accepted, by this run or a former one.

        Raises:
            UnknownInput: the member was never given it.
            TurnFailed, TimeoutError, MemberNotFound, MemberHeld, Draining: as for `ask`.
        """
        return self._result(who, input_id, check_seconds(timeout), timeout)

    def unfinished(self, who: str) -> tuple[TurnInput, ...]:
        """Inputs of a member that a former run had accepted and not finished, oldest first."""
        found = self._parts.unfinished.get(who, ())
        return tuple(presented(given) for given in found)

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
        return self._history.entries(after, follow=follow, filters=filters)

    @property
    def cursor(self) -> int:
        """The last entry of the ledger, 0 for an empty one; known after the end too."""
        return self._history.cursor

    def status(self) -> MobStatus:
        """The mob as a whole."""
        return self._ask(GetStatus())

    def operations(self) -> Rows[OperationRecord]:
        """The lifecycle record of every member there was."""
        return Rows(self._ask(GetOperations(), self._parts.ops))

    def progress_texts(self) -> Mapping[str, str]:
        """What every working member last said about how far it is."""
        return self._ask(GetProgress(), self._parts.ops)

    def routed(self) -> int:
        """Messages passed between members, and from outside, since the launch."""
        return self._ask(GetTraffic(), self._parts.router).routed

    def dead_letters(self) -> Rows[DeadLetterView]:
        """The last messages and inputs that nobody will handle, oldest first."""
        return Rows(letter_view(letter) for letter in self._parts.system.dead_letters)

    def audit(self) -> AuditReport:
        """Where every message between the actors ended; exact when the mob is quiet."""
        return audit_report(self._parts.system.audit())

    def stacks(self) -> Stacks:
        """What every actor is doing right now; prints as text. Nothing is stopped."""
        return self._parts.system.stacks()

    # -- ending -----------------------------------------------------------------------------

    def shutdown(self, timeout: float | None = None, *, interrupt: bool = False) -> ShutdownReport:
        """Refuse new work, wait until the mob is quiet, stop it; ends within `timeout` + 2 s.

        What is not finished then stays open in the ledger and goes on with the next launch. A
        second call returns the first report.

        Args:
            timeout: Seconds to wait for quiet; the definition's `drain_timeout_s` by default.
            interrupt: End running turns at their next boundary instead of waiting for their end.
        """
        if ON_LOOP.dispatcher is not None:
            raise WouldDeadlock("shutdown()")
        limit = (
            self.definition.limits.drain_timeout_s if timeout is None else check_seconds(timeout)
        )
        with self._lock:
            first = self._ending is None
            if self._ending is None:
                self._ending = threading.Event()
                self._limit = limit
            ending = self._ending
        if first:
            self._end(limit, ending, interrupt=interrupt)
        else:
            ending.wait(self._limit + 3.0)  # the first one's time and the 2 s it may take longer
        if self._report is None:
            raise Draining("a second shutdown")
        return self._report

    def _end(self, timeout: float, ending: threading.Event, *, interrupt: bool) -> None:
        parts = self._parts
        report = launching.INTERRUPTED
        try:
            report = launching.drain(parts, timeout, interrupt=interrupt)
        finally:  # also on Ctrl-C: the actors and the ledger end with this call
            parts.system.shutdown(timeout=0.1, cut_off_s=launching.CUT_OFF_S)
            self._history.close()
            self._report = report
            launching.forget_at_exit(self.shutdown)
            ending.set()

    @property
    def _over(self) -> bool:
        return self._report is not None

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
        state = "ended" if self._over else "running"
        return f"<Mob {self.id!r}, {state}, {self.state_dir}>"

    # -- inside -----------------------------------------------------------------------------

    def _ask(self, message: Request[R], ref: ActorRef[Any] | None = None) -> R:
        """Ask the supervisor, or another actor of the mob."""
        what = type(message).__name__.removeprefix("Get").lower()
        answer: R = self._call(message, what, ref or self._parts.supervisor, CALL_S)
        return answer

    def _call(self, message: object, what: str, ref: ActorRef[Any], timeout: float) -> Any:
        if self._over:
            raise Draining(what)
        try:
            return ref.ask(message, timeout=timeout)
        except ActorDead as error:
            if self._ending is None:
                raise  # no shutdown took it away
            raise Draining(what) from error

    def _result(self, who: str, input_id: str, left: float, timeout: float) -> TurnResult:
        """Wait `left` seconds of the `timeout` that the user gave."""
        question = AwaitTurn(sender=None, target=who, input_id=input_id, wait_s=left)
        try:
            return cast("TurnResult", self._call(question, "ask", self._parts.router, left))
        except UnknownInput:
            old = self._history.result(who, input_id)
            if old is None:
                raise
            return old
        except AskTimeout as error:
            raise TimeoutError(
                f"{who!r} did not finish input {input_id} within {timeout:g} s"
            ) from error

    def _route(self, who: str, body: Body, key: str | None, mode: Mode, timeout: float) -> Receipt:
        message = Route(
            sender=None,
            target=who,
            input_id=new_input_id(self._parts.system.realm.scheduler),
            body=body,
            key=key,
            mode=mode,
        )
        try:
            return cast("Receipt", self._call(message, "send", self._parts.router, timeout))
        except MailboxFull as error:
            raise InboxFull(who, error.bound, 0.1) from error
        except AskTimeout as error:
            raise TimeoutError(f"{who!r} did not accept within {timeout:g} s") from error
