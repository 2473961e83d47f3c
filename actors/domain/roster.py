"""Who is in the mob and who may talk to whom: a fold over the ledger.

Projection contract:

- *Source*: the mob's ledger, every event in cursor order. Nothing else writes here.
- *Rebuilt*: when the mob is launched, by `Roster.fold` over the whole ledger.
- *Staleness*: none inside the supervisor, which applies each event when it has appended it; a
  snapshot is as old as its `revision`.

Replay never fails: an event about a member that is not there, an edge with such an endpoint,
changes nothing. So the same ledger gives the same roster in every version
(spec/member_runtime.md §5.9, I5.1).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from types import MappingProxyType
from typing import Final, Literal

from actors.domain.errors import MemberNotFound, StaleIncarnation
from actors.domain.events import (
    LedgerEvent,
    MemberHeld,
    MemberRestarted,
    MemberRetired,
    MemberSpawned,
    MembersUnwired,
    MembersWired,
    MobCreated,
    MobStopped,
)
from actors.domain.identity import Fence, Generation, Incarnation
from actors.domain.wiring import Edge, Pair
from transport.message import FrozenMap, Message

FIRST_FENCE: Final = 1

_STRUCTURAL: Final[frozenset[type[LedgerEvent]]] = frozenset(
    {
        MemberSpawned,
        MemberRestarted,
        MemberHeld,
        MemberRetired,
        MembersWired,
        MembersUnwired,
        MobCreated,
        MobStopped,
    }
)

Phase = Literal["new", "running", "stopped"]
MemberState = Literal["active", "held"]


class RosterEntry(Message, tag="mob.roster_entry"):
    """One member. `declared` is false when it was spawned by hand, not by the definition."""

    identity: str
    profile: str
    generation: Generation
    fence: Fence
    state: MemberState = "active"
    labels: FrozenMap[str, str] = FrozenMap()
    restarts: int = 0
    declared: bool = True

    @property
    def incarnation(self) -> Incarnation:
        """The incarnation that lives now."""
        return Incarnation(identity=self.identity, generation=self.generation, fence=self.fence)


class RosterSnapshot(Message, tag="mob.roster_snapshot"):
    """A roster at one moment: members sorted by identity, edges sorted, `managed` among them."""

    mob: str
    phase: Phase
    members: tuple[RosterEntry, ...]
    edges: tuple[Edge, ...]
    managed: tuple[Edge, ...]
    next_fence: Fence
    revision: int


class Roster:
    """The mob's members and edges, changed by `apply` only; not safe across threads.

    Every event costs time in proportion to what it names; retiring costs the member's edges.
    The edges never name somebody who is not a member, and `managed`, the edges made by the
    reconcile cycle and not by a user, is always a part of them.
    """

    def __init__(self) -> None:
        self.mob = ""
        self.definition_digest = ""
        self.phase: Phase = "new"
        self.next_fence: int = FIRST_FENCE
        """One more than the highest fence ever seen, also after a stop (I1.7)."""
        self.revision = 0
        """How many events changed, or could have changed, this roster."""
        self._members: dict[str, RosterEntry] = {}
        # Keyed by plain pairs, which hash and compare several times faster than edges.
        self._edges: dict[Pair, Edge] = {}
        self._managed: dict[Pair, Edge] = {}
        # So that wired_to and retiring do not search all edges.
        self._peers: dict[str, set[str]] = {}

    @classmethod
    def fold(cls, events: Iterable[LedgerEvent]) -> Roster:
        """Return the roster after these events, oldest first."""
        roster = cls()
        for event in events:
            roster.apply(event)
        return roster

    def copy(self) -> Roster:
        """A roster of the same state that later events of this one do not change."""
        twin = Roster()
        twin.mob, twin.definition_digest, twin.phase = self.mob, self.definition_digest, self.phase
        twin.next_fence, twin.revision = self.next_fence, self.revision
        twin._members = self._members.copy()
        twin._edges = self._edges.copy()
        twin._managed = self._managed.copy()
        twin._peers = {name: peers.copy() for name, peers in self._peers.items()}
        return twin

    @property
    def members(self) -> Mapping[str, RosterEntry]:
        """The members by identity, in the order of spawning; a live, read-only view."""
        return MappingProxyType(self._members)

    @property
    def edges(self) -> Set[Edge]:
        """All edges; a live, read-only set."""
        return _EdgeSet(self._edges)

    @property
    def managed(self) -> Set[Edge]:
        """The edges that the reconcile cycle made and may remove; a live, read-only set."""
        return _EdgeSet(self._managed)

    @property
    def pairs(self) -> Set[Pair]:
        """The endpoints of `edges`; a live, read-only set, quick to compare with others."""
        return self._edges.keys()

    @property
    def managed_pairs(self) -> Set[Pair]:
        """The endpoints of `managed`; a live, read-only set."""
        return self._managed.keys()

    def member(self, identity: str) -> RosterEntry:
        """Return the member.

        Raises:
            MemberNotFound: Nobody has this identity.
        """
        try:
            return self._members[identity]
        except KeyError:
            raise MemberNotFound(identity, tuple(self._members)) from None

    def wired_to(self, identity: str) -> frozenset[str]:
        """Return the names the member may talk to; none for somebody who is not there."""
        return frozenset(self._peers.get(identity, ()))

    def check_fence(self, identity: str, fence: int) -> RosterEntry:
        """Return the member if `fence` is that of its living incarnation (scenario 1-3).

        Raises:
            MemberNotFound: Nobody has this identity.
            StaleIncarnation: Another fence is on the roster; it names the runtime id of now.
        """
        entry = self.member(identity)
        if entry.fence != fence:
            raise StaleIncarnation(str(entry.incarnation.runtime_id), entry.fence, fence)
        return entry

    def snapshot(self) -> RosterSnapshot:
        """Return the roster as an immutable value."""
        return RosterSnapshot(
            mob=self.mob,
            phase=self.phase,
            members=tuple(self._members[identity] for identity in sorted(self._members)),
            edges=tuple(self._edges[pair] for pair in sorted(self._edges)),
            managed=tuple(self._managed[pair] for pair in sorted(self._managed)),
            next_fence=self.next_fence,
            revision=self.revision,
        )

    def apply(self, event: LedgerEvent) -> None:
        """Take in the next event of the ledger; events that concern no member change nothing."""
        # Most of a ledger is turns and inputs, and pydantic makes a failing isinstance slow.
        if type(event) not in _STRUCTURAL:
            return
        self.revision += 1
        match event:
            case MemberSpawned():
                self._spawned(event)
            case MemberRestarted():
                self._restarted(event)
            case MemberHeld():
                self._held(event)
            case MemberRetired():
                self._remove(event.identity)
            case MembersWired():
                self._wired(event)
            case MembersUnwired():
                self._unwired(event)
            case MobCreated():
                # Members stay: a mob that is launched again goes on with its roster.
                self.mob = event.mob
                self.definition_digest = event.definition_digest
                self.phase = "running"
            case _:
                self.phase = "stopped"

    def _spawned(self, event: MemberSpawned) -> None:
        # spec/member_runtime.md §5.2: adding an identity again replaces the entry. Its edges go,
        # because a new member of that name has not been granted them.
        self._remove(event.identity)
        self._raise_fence(event.fence)
        self._members[event.identity] = RosterEntry(
            identity=event.identity,
            profile=event.profile,
            generation=event.generation,
            fence=event.fence,
            labels=event.labels,
            declared=event.declared,
        )

    def _restarted(self, event: MemberRestarted) -> None:
        self._raise_fence(event.fence)
        entry = self._members.get(event.identity)
        if entry is not None:
            self._members[event.identity] = entry.model_copy(
                update={
                    "generation": event.generation,
                    "fence": event.fence,
                    "state": "active",
                    "restarts": entry.restarts + 1,
                }
            )

    def _held(self, event: MemberHeld) -> None:
        entry = self._members.get(event.identity)
        if entry is not None:
            self._members[event.identity] = entry.model_copy(update={"state": "held"})

    def _wired(self, event: MembersWired) -> None:
        for edge in event.edges:
            a, b = pair = edge.pair
            if a in self._members and b in self._members:
                self._edges[pair] = edge
                self._peers.setdefault(a, set()).add(b)
                self._peers.setdefault(b, set()).add(a)
                if event.managed:
                    self._managed[pair] = edge

    def _unwired(self, event: MembersUnwired) -> None:
        for edge in event.edges:
            if edge.pair in self._edges:
                self._cut(edge.pair)

    def _remove(self, identity: str) -> None:
        if self._members.pop(identity, None) is not None:
            for peer in self._peers.pop(identity, set()):
                self._cut((identity, peer) if identity < peer else (peer, identity))

    def _cut(self, pair: Pair) -> None:
        del self._edges[pair]
        self._managed.pop(pair, None)
        a, b = pair
        for name, peer in ((a, b), (b, a)):
            peers = self._peers.get(name)
            if peers is not None:
                peers.discard(peer)
                if not peers:
                    del self._peers[name]

    def _raise_fence(self, fence: int) -> None:
        self.next_fence = max(self.next_fence, fence + 1)


class _EdgeSet(Set[Edge]):
    """A live view of edges kept by pair."""

    __slots__ = ("_by_pair",)

    def __init__(self, by_pair: Mapping[Pair, Edge]) -> None:
        self._by_pair = by_pair

    def __contains__(self, edge: object) -> bool:
        return isinstance(edge, Edge) and edge.pair in self._by_pair

    def __iter__(self) -> Iterator[Edge]:
        return iter(self._by_pair.values())

    def __len__(self) -> int:
        return len(self._by_pair)

    def __repr__(self) -> str:
        return f"{{{', '.join(map(str, self))}}}"

    @classmethod
    def _from_iterable(cls, edges: Iterable[Edge]) -> Set[Edge]:  # type: ignore[override]
        # What the operators of Set make: mypy's stub asks for the same class, Python does not.
        return frozenset(edges)
