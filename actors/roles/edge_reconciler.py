"""The edge reconciler: owns the edges of a mob and is the only one who changes them.

Which edges to make and to cut is decided by `actors.domain.edges` (spec/unified_runtime.md
§2.3) from three facts it keeps: who is on the roster in which role, which edges there are, which
of them it manages. A change is committed first and then opened in the router; a cut closes in
the router first, because a firewall errs on the safe side, and the next cycle repairs what a
failed commit left. Ownership is durable (`MembersWired.managed`), so it survives a restart.

Runs on the system loop; its caller, the supervisor, sends one change at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from actors.domain.edges import (
    EdgeChanges,
    EdgeReport,
    UnwireOutcome,
    WireOutcome,
    classify,
    settle,
)
from actors.domain.errors import MobError
from actors.domain.events import MembersUnwired, MembersWired
from actors.domain.wiring import desired_edges
from actors.kernel.actor import Actor
from actors.kernel.errors import KernelError
from actors.kernel.handlers import handles
from actors.roles.decisions import decide
from actors.roles.messages import (
    Append,
    ChangeEdges,
    Connect,
    Disconnect,
    EdgeOutcome,
    MemberJoined,
    MemberLeft,
    ReconcileEdges,
)
from actors.roles.patience import patiently

if TYPE_CHECKING:
    from actors.domain.definition import MobDefinition
    from actors.domain.events import LedgerEvent
    from actors.domain.roster import Roster
    from actors.domain.wiring import Edge
    from actors.kernel.ref import ActorRef
    from actors.roles.forwarder import Forwarder
    from actors.roles.router import Router

CHUNK: Final = 1_000  # edges of one message or event: 50,000 in one would be too big to send


class EdgeReconciler(Actor):
    """Carries out changes of edges and knows which ones are its own."""

    def __init__(
        self,
        definition: MobDefinition,
        roster: Roster,
        forwarder: ActorRef[Forwarder],
        router: ActorRef[Router],
    ) -> None:
        super().__init__()
        self._definition = definition
        self._forwarder = forwarder
        self._router = router
        self._roles = {entry.identity: entry.profile for entry in roster.members.values()}
        self._edges = set(roster.edges)
        self._managed = frozenset(roster.managed)

    async def on_start(self) -> None:  # type: ignore[override]  # Pykka: a def
        """Open what the ledger says is open."""
        for edges in _chunks(sorted(self._edges)):
            await patiently(self._router, Connect(edges=edges))

    @handles
    def member_joined(self, message: MemberJoined) -> None:
        """A member counts from the next reconcile on."""
        self._roles[message.identity] = message.profile

    @handles
    def member_left(self, message: MemberLeft) -> None:
        """Its edges went with it (the roster and the router forgot them, too)."""
        self._roles.pop(message.identity, None)
        gone = {edge for edge in self._edges if message.identity in (edge.a, edge.b)}
        self._edges -= gone
        self._managed -= gone

    @handles
    async def reconcile(self, message: ReconcileEdges) -> EdgeOutcome:
        """Classify, wire in one batch, then unwire; failures are in the report, never raised."""
        # Nothing below changes meanwhile: this handler keeps the mailbox shut.
        size = len(self._roles) + len(self._edges)
        changes = await decide(self.realm.scheduler, size, self._classified)
        events: list[LedgerEvent] = []
        batch = None
        if changes.batch:
            try:
                await self._wire(changes.batch, events, managed=True)
                batch = WireOutcome(wired=changes.batch)
            except (MobError, KernelError) as error:
                made = tuple(edge for edge in changes.batch if edge in self._edges)
                batch = WireOutcome(wired=made) if made else WireOutcome(error=str(error))
        unwires: list[UnwireOutcome] = []
        if changes.unwire:
            failure = None
            try:
                await self._unwire(changes.unwire, events)
            except (MobError, KernelError) as error:
                failure = str(error)
            unwires = [
                UnwireOutcome(edge=edge, error=failure if edge in self._edges else None)
                for edge in changes.unwire
            ]
        report, self._managed = settle(changes, batch, unwires)
        return EdgeOutcome(report=report, events=tuple(events))

    def _classified(self) -> EdgeChanges:
        desired = sorted(desired_edges(self._definition, self._roles))
        return classify(desired, self._edges, self._managed, self._roles.keys())

    @handles(raises=(MobError,))
    async def change(self, message: ChangeEdges) -> EdgeOutcome:
        """The operator's edges; what is so already is left alone and not in the report.

        Raises:
            StoreError: the ledger refused; the edges are as they were.
        """
        wire = tuple(edge for edge in message.wire if edge not in self._edges)
        unwire = tuple(edge for edge in message.unwire if edge in self._edges)
        events: list[LedgerEvent] = []
        if wire:
            await self._wire(wire, events, managed=False)
        if unwire:
            await self._unwire(unwire, events)
            self._managed = self._managed.difference(unwire)
        report = EdgeReport(wired_edges=wire, unwired_edges=unwire)
        return EdgeOutcome(report=report, events=tuple(events))

    async def _wire(
        self, edges: Sequence[Edge], events: list[LedgerEvent], *, managed: bool
    ) -> None:
        for chunk in _chunks(edges):
            event = MembersWired(edges=chunk, managed=managed)
            await patiently(self._forwarder, Append(events=(event,)))
            events.append(event)
            self._edges.update(chunk)
            await patiently(self._router, Connect(edges=chunk))

    async def _unwire(self, edges: Sequence[Edge], events: list[LedgerEvent]) -> None:
        for chunk in _chunks(edges):
            await patiently(self._router, Disconnect(edges=chunk))
            event = MembersUnwired(edges=chunk)
            try:
                await patiently(self._forwarder, Append(events=(event,)))
            except (MobError, KernelError):
                await patiently(self._router, Connect(edges=chunk))  # as it was; retried next time
                raise
            events.append(event)
            self._edges.difference_update(chunk)


def _chunks(edges: Sequence[Edge]) -> Iterator[tuple[Edge, ...]]:
    for start in range(0, len(edges), CHUNK):
        yield tuple(edges[start : start + CHUNK])
