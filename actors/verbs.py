"""The verbs of a mob, each written once: what is asked of whom, and what comes of the answer.

They wait only through a `Waiting`, so `Mob` can run them to their end in the calling thread and
`AsyncMob` await them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from actors.answers import Waiting, answer
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
from actors.ending import Ending
from actors.history import History, audit_report, letter_view
from actors.kernel.errors import ActorDead, AskTimeout, MailboxFull
from actors.kernel.future import ThreadReply
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
    from actors.domain.definition import MobDefinition
    from actors.domain.errors import MobError
    from actors.domain.inbox import Mode
    from actors.domain.operations import OperationRecord
    from actors.domain.wiring import Edge
    from actors.kernel.ref import ActorRef
    from actors.kernel.stacks import Stacks
    from actors.launching import Parts

CALL_S: Final = 60.0  # for what the supervisor does; it waits for nobody longer than this
ROOM_S: Final = 0.05  # between two looks for room at the router, to wait for a result
R = TypeVar("R")


class Verbs:
    """What can be done with a running mob, for whoever waits as `waiting` does."""

    def __init__(self, parts: Parts, waiting: Waiting) -> None:
        self._parts = parts
        self._waiting = waiting
        self._history = History(parts.ledger, parts.forwarder)
        self._ending = Ending(parts, self._history)

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

    async def members(self) -> Rows[MemberView]:
        """Every member, sorted by name."""
        return Rows(await self._ask(GetMembers()))

    async def member(self, name: str) -> MemberView:
        """One member.

        Raises:
            MemberNotFound: nobody has this name; it names the nearest one.
        """
        views = {view.name: view for view in await self.members()}
        if name not in views:
            raise MemberNotFound(name, tuple(views))
        return views[name]

    async def spawn(
        self, name: str, *, profile: str, labels: Mapping[str, str] | None = None
    ) -> MemberView:
        """Add a member by hand; reconciling never retires it.

        Raises:
            MemberAlreadyExists, ProfileNotFound, InvalidIdentity, WiringError: nothing changed.
            Draining: the mob is shutting down.
        """
        return await self._ask(
            Spawn(identity=name, profile=profile, labels=FrozenMap(labels or {}))
        )

    async def spawn_many(
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
            views = await self._call(batch, "spawn_many", self._parts.supervisor, CALL_S)
            return cast("list[MemberView | MobError]", views)
        except Draining as error:
            return [error for _ in batch.spawns]

    async def retire(self, name: str) -> bool:
        """Remove a member, its edges with it; False if there is none (that is no error).

        A declared member comes back with the next reconcile.
        """
        return await self._ask(Retire(identity=name))

    # -- edges ------------------------------------------------------------------------------

    async def wire(self, a: str, b: str) -> bool:
        """Let two members talk; whether the edge is new.

        Raises:
            MemberNotFound, WiringError: nothing changed.
        """
        return await self._ask(Wire(a=a, b=b))

    async def unwire(self, a: str, b: str) -> bool:
        """Forbid two members to talk; whether there was an edge.

        An edge that the definition asks for comes back with the next reconcile.
        """
        return await self._ask(Unwire(a=a, b=b))

    async def edges(self) -> Rows[Edge]:
        """All edges, sorted."""
        return Rows((await self._ask(GetRoster())).edges)

    async def graph(self) -> MobGraph:
        """Members and edges, as text, Mermaid or HTML."""
        roster = await self._ask(GetRoster())
        members = tuple((entry.identity, entry.profile) for entry in roster.members)
        return MobGraph(members=members, edges=roster.edges)

    async def reconcile(self) -> ReconcileReport:
        """Bring members and edges to the definition now; a second call finds nothing to do."""
        return await self._ask(Reconcile())

    # -- work -------------------------------------------------------------------------------

    async def send(
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
        return await self._route(who, pack(body), key, mode, check_seconds(timeout))

    async def ask(
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
        receipt = await self._route(who, pack(body), key, "queue", timeout)
        left = max(until - clock.monotonic(), 0.0)
        return await self._result(who, receipt.canonical_input_id, left, timeout)

    async def result(self, who: str, input_id: str, *, timeout: float = 60.0) -> TurnResult:
        """Wait for the result of an input that was accepted, by this run or a former one.

        Raises:
            UnknownInput: the member was never given it.
            TurnFailed, TimeoutError, MemberNotFound, MemberHeld, Draining: as for `ask`.
        """
        return await self._result(who, input_id, check_seconds(timeout), timeout)

    async def unfinished(self, who: str) -> tuple[TurnInput, ...]:
        """Inputs of a member that a former run had accepted and not finished, oldest first."""
        found = self._parts.unfinished.get(who, ())
        return tuple(presented(given) for given in found)

    # -- looking ----------------------------------------------------------------------------

    @property
    def cursor(self) -> int:
        """The last entry of the ledger, 0 for an empty one; known after the end too."""
        return self._history.cursor

    async def status(self) -> MobStatus:
        """The mob as a whole."""
        return await self._ask(GetStatus())

    async def operations(self) -> Rows[OperationRecord]:
        """The lifecycle record of every member there was."""
        return Rows(await self._ask(GetOperations(), self._parts.ops))

    async def progress_texts(self) -> Mapping[str, str]:
        """What every working member last said about how far it is."""
        return await self._ask(GetProgress(), self._parts.ops)

    async def routed(self) -> int:
        """Messages passed between members, and from outside, since the launch."""
        return (await self._ask(GetTraffic(), self._parts.router)).routed

    async def dead_letters(self) -> Rows[DeadLetterView]:
        """The last messages and inputs that nobody will handle, oldest first."""
        return Rows(letter_view(letter) for letter in self._parts.system.dead_letters)

    async def stacks(self) -> Stacks:
        """What every actor is doing right now; prints as text. Nothing is stopped."""
        return self._parts.system.stacks()

    async def audit(self) -> AuditReport:
        """Where every message between the actors ended; exact when the mob is quiet."""
        return audit_report(self._parts.system.audit())

    # -- ending -----------------------------------------------------------------------------

    async def shutdown(
        self, timeout: float | None = None, *, interrupt: bool = False
    ) -> ShutdownReport:
        """Refuse new work, wait until the mob is quiet, stop it; ends within `timeout` + 2 s.

        What is not finished then stays open in the ledger and goes on with the next launch. A
        second call returns the first report.

        Args:
            timeout: Seconds to wait for quiet; the definition's `drain_timeout_s` by default.
            interrupt: End running turns at their next boundary instead of waiting for their end.
        """
        self._waiting.check("shutdown()")
        limit = (
            self.definition.limits.drain_timeout_s if timeout is None else check_seconds(timeout)
        )
        ending = self._ending
        if ending.claim(limit, interrupt=interrupt):
            await self._waiting.see_through(ending.finish, ending.cut_short)
        try:
            return await self._waiting.reply(ending.report, ending.patience_s)
        except AskTimeout as error:
            raise Draining("a second shutdown") from error

    # -- inside -----------------------------------------------------------------------------

    def _described(self, surface: str) -> str:
        state = "ended" if self._ending.over else "running"
        return f"<{surface} {self.id!r}, {state}, {self.state_dir}>"

    async def _ask(self, message: Request[R], ref: ActorRef[Any] | None = None) -> R:
        """Ask the supervisor, or another actor of the mob."""
        what = type(message).__name__.removeprefix("Get").lower()
        return cast("R", await self._call(message, what, ref or self._parts.supervisor, CALL_S))

    async def _call(self, message: object, what: str, ref: ActorRef[Any], timeout: float) -> Any:
        if self._ending.over:
            raise Draining(what)
        try:
            return await answer(self._waiting, ref, message, timeout)
        except ActorDead as error:
            if not self._ending.begun:
                raise  # no shutdown took it away
            raise Draining(what) from error

    async def _result(self, who: str, input_id: str, left: float, timeout: float) -> TurnResult:
        """Wait `left` seconds of the `timeout` that the user gave."""
        scheduler = self._parts.system.realm.scheduler
        until = scheduler.clock.monotonic() + left
        while True:
            question = AwaitTurn(sender=None, target=who, input_id=input_id, wait_s=left)
            try:
                found = await self._call(question, "ask", self._parts.router, left)
                return cast("TurnResult", found)
            except UnknownInput:
                old = await self._waiting.work(lambda: self._history.result(who, input_id))
                if old is None:
                    raise
                return old
            except (AskTimeout, MailboxFull) as error:
                if isinstance(error, AskTimeout) or left <= 0:
                    raise TimeoutError(
                        f"{who!r} did not finish input {input_id} within {timeout:g} s"
                    ) from error
            # The router has much to do; what was accepted can wait until it has room.
            with contextlib.suppress(AskTimeout):
                await self._waiting.reply(ThreadReply[None](scheduler), min(left, ROOM_S))
            left = max(until - scheduler.clock.monotonic(), 0.0)

    async def _route(
        self, who: str, body: Body, key: str | None, mode: Mode, timeout: float
    ) -> Receipt:
        message = Route(
            sender=None,
            target=who,
            input_id=new_input_id(self._parts.system.realm.scheduler),
            body=body,
            key=key,
            mode=mode,
        )
        try:
            return cast("Receipt", await self._call(message, "send", self._parts.router, timeout))
        except MailboxFull as error:
            raise InboxFull(who, error.bound, 0.1) from error
        except AskTimeout as error:
            raise TimeoutError(f"{who!r} did not accept within {timeout:g} s") from error
