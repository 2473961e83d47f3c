"""The supervisor: brings the roster to the definition, and ends the mob in good order.

It decides nothing twice: what to do is said by `plan` (pure), which edges by the edge reconciler,
whether a failed member starts again by its child spec. A structural change is in the ledger
before it takes effect. One reconcile runs at a time because this is an actor; nudges while
nothing has changed cost nothing; a timer reconciles every `limits.resync_s` anyway.

Runs on the system loop. Members are its children, on the member loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from actors.domain.edges import EdgeReport
from actors.domain.errors import Draining, MemberHeld, MemberNotFound, MobError, StoreError
from actors.domain.events import (
    MemberHeld as MemberHeldEvent,
)
from actors.domain.events import (
    MemberRetired,
    MemberSpawned,
    MobCreated,
)
from actors.domain.identity import Incarnation, RuntimeId
from actors.domain.planning import Plan, plan, spawned
from actors.domain.reports import (
    ErrorDetail,
    MemberFailure,
    MemberView,
    MobStatus,
    ReconcileReport,
    ShutdownReport,
    SpawnedMember,
)
from actors.kernel.actor import Actor
from actors.kernel.errors import KernelError, describe
from actors.kernel.handlers import handles, interleave
from actors.kernel.logs import logger_for
from actors.kernel.messages import Down
from actors.kernel.supervision import ChildSpec
from actors.roles.crew import Crew
from actors.roles.decisions import IN_LINE, decide
from actors.roles.ending import end
from actors.roles.member import Member
from actors.roles.memory import Memory
from actors.roles.messages import (
    ChangeEdges,
    CloseOperation,
    Detach,
    Drain,
    EdgeOutcome,
    GetMembers,
    GetRoster,
    GetStatus,
    Join,
    MemberJoined,
    MemberLeft,
    Nudge,
    Open,
    OpenOperation,
    Reconcile,
    ReconcileEdges,
    Retire,
    Spawn,
    Unwire,
    Wire,
)
from actors.roles.patience import patiently
from actors.roles.register import CHUNK, Register
from actors.roles.router import Attach
from actors.roles.spawning import SpawnMany, accepted

if TYPE_CHECKING:
    from actors.domain.definition import MobDefinition
    from actors.domain.events import LedgerEvent
    from actors.domain.roster import RosterSnapshot
    from actors.kernel.future import Reply
    from actors.kernel.ref import ActorRef
    from actors.roles.edge_reconciler import EdgeReconciler
    from actors.roles.recovery import Recovered
    from actors.roles.turn import Desk

logger = logger_for(__name__)


class Supervisor(Actor):
    """Owns the definition, the roster and the members."""

    def __init__(
        self,
        definition: MobDefinition,
        recovered: Recovered,
        desk: Desk,
        edges: ActorRef[EdgeReconciler],
        member: type[Member] = Member,
    ) -> None:
        super().__init__()
        self._definition = definition
        self._register = Register(recovered.roster, desk.forwarder)
        self._roster = recovered.roster  # the register's; only read here
        self._inputs = recovered.inputs
        self._desk = desk
        self._edges = edges
        self._member = member
        self._crew = Crew()
        self._draining = False
        self._ending: Reply[ShutdownReport] | None = None
        self._settled_at = -1  # revision of the roster at which there was nothing to do
        self._began = 0.0

    async def on_start(self) -> None:  # type: ignore[override]  # Pykka: a def
        """Bring back the members of the ledger, then reconcile."""
        clock = self.realm.scheduler.clock
        self._began = clock.monotonic()
        definition = self._definition
        events: list[LedgerEvent] = [
            MobCreated(mob=definition.id, definition_digest=definition.digest())
        ]
        before = [entry.identity for entry in self._roster.members.values()]
        events += [self._register.restarted(identity, "launched again") for identity in before]
        await self._register.commit(events)
        for identity in before:
            entry = self._roster.member(identity)
            if entry.profile in definition.profiles:
                await self._start_member(identity)
            else:
                await self._retire(identity, f"its profile {entry.profile!r} is not defined")
        await self._reconcile()
        self._desk.router.tell(Open())
        self.every(definition.limits.resync_s, Nudge())

    # -- members ----------------------------------------------------------------------------

    @handles(raises=(MobError,))
    async def spawn_member(self, message: Spawn) -> MemberView:
        """Add a member by hand.

        Raises:
            InvalidIdentity, WiringError, MemberAlreadyExists, ProfileNotFound, Draining,
            StoreError: nothing was changed.
        """
        self._check_open("spawn")
        event = self._spawned(message)
        await self._register.commit([event])
        await self._start_member(event.identity)
        await self._reconcile_edges()
        return (await self._crew.views(self._roster, [event.identity]))[0]

    @handles(raises=(MobError,))
    async def spawn_many(self, message: SpawnMany) -> list[MemberView | MobError]:
        """Add members by hand, chunk by chunk; what keeps one of them out does not the others.

        Raises:
            Draining: nothing was changed.
        """
        self._check_open("spawn_many")
        results: list[MobError | None] = []
        for start in range(0, len(message.spawns), CHUNK):
            results += await self._spawn_chunk(message.spawns[start : start + CHUNK])
        await self._reconcile_edges()
        both = zip(message.spawns, results, strict=True)
        names = [each.identity for each, error in both if error is None]
        views = iter(await self._crew.views(self._roster, names))
        return [next(views) if error is None else error for error in results]

    async def _spawn_chunk(self, spawns: Sequence[Spawn]) -> list[MobError | None]:
        """Spawn with one commit; for each the error that kept it out, or None."""
        events, results = accepted(spawns, self._spawned)
        try:
            await self._register.commit(events)
        except MobError as refused:
            return [error or refused for error in results]
        for event in events:
            await self._start_member(event.identity)
        return results

    @handles(raises=(MobError,))
    async def retire_member(self, message: Retire) -> bool:
        """Remove a member; unknown is fine (spec/member_runtime.md 5-7)."""
        self._check_open("retire")
        if message.identity not in self._roster.members:
            return False
        await self._retire(message.identity, message.reason)
        await self._reconcile_edges()
        return True

    @interleave
    @handles(raises=(MobError,))
    async def join(self, message: Join) -> Incarnation:
        """Give a member that starts again its generation and fence, durably."""
        identity = message.identity
        if identity not in self._roster.members:
            raise MemberNotFound(identity, tuple(self._roster.members))
        berth = self._crew.berth(identity)
        if berth is not None:
            berth.restarts += 1
        await self._register.commit([self._register.restarted(identity, message.reason)])
        return self._roster.member(identity).incarnation

    @handles
    async def member_down(self, message: Down) -> None:
        """A member used up its restarts: it is held until a person acts."""
        identity = self._crew.at(message.address)
        if identity is None or message.reason != "failed":
            return  # retired, or stopped with the mob
        berth = self._crew.down(identity)
        reason = message.error or "failed"
        logger.error("%s is held: %s", identity, reason)
        await patiently(self._desk.router, Detach(identity=identity, held=reason))
        try:
            await self._register.commit([MemberHeldEvent(identity=identity, reason=reason)])
        except StoreError as error:  # the next launch finds it active, and tries it again
            logger.error("that %s is held is not in the ledger: %s", identity, error)
        if berth is not None:
            berth.memory.give_up(MemberHeld(identity, reason))
        await self._desk.ops.send(CloseOperation(identity=identity, error=reason))

    # -- edges ------------------------------------------------------------------------------

    @handles(raises=(MobError,))
    async def wire(self, message: Wire) -> bool:
        """Let two members talk; wiring what is wired changes nothing (I5.5).

        Raises:
            WiringError: the two are the same.
            MemberNotFound, Draining, StoreError: nothing was changed.
        """
        self._check_open("wire")
        edge = self._register.edge(message.a, message.b, "wire requires distinct members")
        outcome = await patiently(self._edges, ChangeEdges(wire=(edge,)))
        return self._take(outcome)

    @handles(raises=(MobError,))
    async def unwire(self, message: Unwire) -> bool:
        """Forbid two members to talk; a declared edge comes back with the next reconcile."""
        self._check_open("unwire")
        edge = self._register.edge(message.a, message.b, "unwire requires distinct peers")
        outcome = await patiently(self._edges, ChangeEdges(unwire=(edge,)))
        return self._take(outcome)

    # -- reconciling ------------------------------------------------------------------------

    @handles(raises=(MobError,))
    async def reconcile(self, message: Reconcile) -> ReconcileReport:
        """Bring the roster to the definition now."""
        self._check_open("reconcile")
        return await self._reconcile()

    @handles(coalesce=True)
    async def nudge(self, message: Nudge) -> None:
        """Reconcile if anything has changed since there was nothing to do."""
        if self._draining or self._roster.revision == self._settled_at:
            return
        await self._reconcile()

    # -- looking ----------------------------------------------------------------------------

    @interleave
    @handles
    async def get_members(self, message: GetMembers) -> tuple[MemberView, ...]:
        """Every member, sorted by name."""
        return tuple(await self._crew.views(self._roster, sorted(self._roster.members)))

    @interleave
    @handles
    def get_roster(self, message: GetRoster) -> RosterSnapshot:
        """Members and edges as of the last committed event."""
        return self._roster.snapshot()

    @interleave
    @handles
    async def get_status(self, message: GetStatus) -> MobStatus:
        """The mob as a whole."""
        roster = self._roster
        activities = (await self._crew.activities()).values()
        held = (name for name, entry in roster.members.items() if entry.state == "held")
        return MobStatus(
            mob=self._definition.id,
            phase="draining" if self._draining else roster.phase,
            members=len(roster.members),
            edges=len(roster.edges),
            queued=sum(each.queued for each in activities),
            running=sum(each.running is not None for each in activities),
            held=tuple(sorted(held)),
            restarts=self._crew.restarts,
            cursor=self._desk.ledger.head(),
            uptime_s=self.realm.scheduler.clock.monotonic() - self._began,
            draining=self._draining,
            ledger=self._desk.ledger.path,
        )

    # -- ending -----------------------------------------------------------------------------

    @handles
    def drain(self, message: Drain) -> ShutdownReport:
        """Refuse new work, wait for quiet or the deadline, stop the members.

        Quiet is two equal quiet looks (design §6). What did not end stays open in the ledger. The
        mailbox goes on meanwhile, so what is asked of a draining mob is refused at once. Who asks
        a second time gets the first report.
        """
        self._draining = True
        if self._ending is None:
            self._ending = promise = self.promise()

            async def drain() -> None:
                try:
                    promise.set(await end(self._desk, self._crew, self._register, message))
                except Exception as error:  # else the asker would wait for nothing
                    logger.exception("the mob could not be ended in good order")
                    promise.fail(error)

            _ = self._cell.dispatcher.task(drain(), f"{self.address} drain")
        return self._ending  # type: ignore[return-value]  # an answer that comes later

    # -- inside -----------------------------------------------------------------------------

    def _check_open(self, what: str) -> None:
        if self._draining:
            raise Draining(what)

    def _spawned(self, message: Spawn) -> MemberSpawned:
        return spawned(
            self._definition,
            self._roster,
            message.identity,
            message.profile,
            labels=message.labels,
            fence=self._register.next_fence(),
        )

    async def _start_member(self, identity: str) -> None:
        """Start the actor of a member of the roster and let it be reached."""
        entry = self._roster.member(identity)
        profile = self._definition.profile(entry.profile)
        memory = Memory(profile, entry.incarnation)
        inputs = self._inputs.pop(identity, None)
        if inputs is not None:
            memory.restore(inputs.open.values(), inputs.finished)
        limits = self._definition.limits
        ref = self.spawn(
            ChildSpec(
                self._member,
                (self._desk, profile, memory, self.actor_ref),
                name=identity,
                restart="transient",
                intensity=limits.restarts,
                period_s=limits.restart_window_s,
                exhausted="stop",
                loop="member",
                shutdown_s=1.0,
            )
        )
        self.watch(ref)
        self._crew.add(identity, memory, ref)
        await self._desk.router.send(Attach(identity, entry.profile, ref))
        await self._edges.send(MemberJoined(identity=identity, profile=entry.profile))
        operation = OpenOperation(identity=identity, owner=self._definition.id)
        await self._desk.ops.send(operation)

    async def _retire(self, identity: str, reason: str) -> None:
        """The event first: from then on the member is gone, whatever the rest does (§5.5)."""
        await self._register.commit([MemberRetired(identity=identity, reason=reason)])
        berth = self._crew.remove(identity)
        await patiently(self._desk.router, Detach(identity=identity))
        await self._edges.send(MemberLeft(identity=identity))
        if berth is not None:
            if berth.ref is not None:
                await berth.ref.stopped()
            gone = MemberNotFound(identity, tuple(self._roster.members))
            for given in berth.memory.give_up(gone):
                self.realm.refused(f"{self.address}/{identity}", "dead", given)
        await self._desk.ops.send(CloseOperation(identity=identity))

    async def _reconcile(self) -> ReconcileReport:
        """Carry out one plan, members first, then edges; one failure never stops the rest."""
        todo = await self._plan()
        failures: list[MemberFailure] = []
        done: list[SpawnedMember] = []
        retired: list[str] = []
        for identity in todo.retire:
            try:
                await self._retire(identity, "no longer declared")
                retired.append(identity)
            except (MobError, KernelError) as error:
                failures.append(_failure(identity, "retire", error))
        for start in range(0, len(todo.spawn), CHUNK):
            chunk = [
                spawned(
                    self._definition,
                    self._roster,
                    each.identity,
                    each.profile,
                    labels=each.labels,
                    declared=True,
                    fence=self._register.next_fence(),
                )
                for each in todo.spawn[start : start + CHUNK]
            ]
            try:
                await self._register.commit(chunk)
            except (MobError, KernelError) as error:
                failures += [_failure(event.identity, "spawn", error) for event in chunk]
                continue
            for event in chunk:
                await self._start_member(event.identity)
                runtime = RuntimeId(identity=event.identity, generation=event.generation)
                done.append(SpawnedMember(agent_identity=event.identity, member_ref=str(runtime)))
        edges = await self._reconcile_edges()
        new = {each.agent_identity for each in done} | {each.agent_identity for each in failures}
        desired = tuple(spec.name for spec in self._definition.members)
        if not failures and edges.complete:
            self._settled_at = self._roster.revision
        return ReconcileReport(
            desired=desired,
            retained=tuple(name for name in desired if name not in new),
            spawned=tuple(done),
            retired=tuple(retired),
            failures=tuple(failures),
            edges=edges,
        )

    async def _plan(self) -> Plan:
        """What to do; from a copy of the roster where that takes long (`join` changes it)."""
        scheduler = self.realm.scheduler
        now = scheduler.clock.monotonic()
        size = len(self._roster.members) + len(self._definition.members) + len(self._roster.pairs)
        roster = self._roster if size <= IN_LINE else self._roster.copy()
        return await decide(scheduler, size, lambda: plan(self._definition, roster, now))

    async def _reconcile_edges(self) -> EdgeReport:
        outcome = await patiently(self._edges, ReconcileEdges())
        self._take(outcome)
        return outcome.report

    def _take(self, outcome: EdgeOutcome) -> bool:
        """Fold what the edge reconciler committed; whether anything was."""
        self._register.take(outcome.events)
        return bool(outcome.events)


def _failure(identity: str, stage: Literal["spawn", "retire"], error: Exception) -> MemberFailure:
    detail = ErrorDetail(code=type(error).__name__, message=describe(error))
    return MemberFailure(agent_identity=identity, stage=stage, error=detail)
