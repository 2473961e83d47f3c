"""The register: the roster, and the one way to change it. Ledger first, then the roster.

Owned by the supervisor, on its loop. Fences are given out here, because commits overlap: what
the roster knows as the next fence may be on its way to the ledger already.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from actors.domain.errors import MemberNotFound, WiringError
from actors.domain.planning import restarted
from actors.domain.wiring import Edge
from actors.roles.messages import Append
from actors.roles.patience import patiently

if TYPE_CHECKING:
    from actors.domain.events import LedgerEvent, MemberRestarted
    from actors.domain.roster import Roster
    from actors.kernel.ref import ActorRef
    from actors.roles.forwarder import Forwarder

CHUNK: Final = 200  # events of one append: 10,000 spawns in one message would be too big


class Register:
    """Who is in the mob, as the ledger has it.

    Attributes:
        roster: Changed here and nowhere else.
    """

    def __init__(self, roster: Roster, forwarder: ActorRef[Forwarder]) -> None:
        self.roster = roster
        self._forwarder = forwarder
        self._fence = roster.next_fence

    def next_fence(self) -> int:
        """A fence that nobody has had."""
        self._fence = max(self._fence, self.roster.next_fence) + 1
        return self._fence - 1

    def restarted(self, identity: str, reason: str) -> MemberRestarted:
        """The event that gives a member its next incarnation. Raises MemberNotFound."""
        return restarted(self.roster, identity, reason, fence=self.next_fence())

    async def commit(self, events: Sequence[LedgerEvent]) -> None:
        """Change the roster when the ledger has the events.

        Raises:
            StoreError: the ledger refused; up to `CHUNK` events nothing was changed, of more the
                first ones may be in force.
        """
        for start in range(0, len(events), CHUNK):
            chunk = tuple(events[start : start + CHUNK])
            await patiently(self._forwarder, Append(events=chunk))
            self.take(chunk)

    def take(self, events: Iterable[LedgerEvent]) -> None:
        """Change the roster by events that are in the ledger already."""
        for event in events:
            self.roster.apply(event)

    def edge(self, a: str, b: str, rule: str) -> Edge:
        """The edge between two members.

        Raises:
            WiringError: the two are one; its text is `rule` and the name (scenario 5-4).
            MemberNotFound: one is not in the mob.
        """
        if a == b:
            raise WiringError(f"{rule} (got '{a}')")
        for identity in (a, b):
            if identity not in self.roster.members:
                raise MemberNotFound(identity, tuple(self.roster.members))
        return Edge.of(a, b)
