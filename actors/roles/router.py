"""The router: every message between members passes here, and the edges decide.

The firewall of the mob: no edge, no delivery (`not_wired`), from the first day. It never waits
for a member: what a member answers is passed on to the asker when it comes, so a member that
starts again or has a full mailbox delays nobody else.

Runs on the member loop, so mail between members crosses no thread. Its tables are changed only by
the edge reconciler (edges) and the supervisor (members), after the change is in the ledger.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, TypeVar, cast

from actors.domain.errors import (
    Draining,
    MemberHeld,
    MemberNotFound,
    MobError,
    NotWired,
)
from actors.kernel.actor import Actor
from actors.kernel.errors import ActorDead
from actors.kernel.handlers import handles
from actors.roles.messages import (
    AwaitTurn,
    Connect,
    Deliver,
    Detach,
    Disconnect,
    GetPeers,
    GetTraffic,
    Open,
    ResultOf,
    Route,
    SetDraining,
    Traffic,
)
from transport.message import FrozenMap

if TYPE_CHECKING:
    from actors.domain.reports import Receipt, TurnResult
    from actors.kernel.future import Reply
    from actors.kernel.ref import ActorRef
    from actors.roles.member import Member

R = TypeVar("R")


class Attach:
    """A member can be reached by `ref` (not a Message: it holds a ref)."""

    __slots__ = ("identity", "profile", "ref")

    def __init__(self, identity: str, profile: str, ref: ActorRef[Member]) -> None:
        self.identity = identity
        self.profile = profile
        self.ref = ref


class Router(Actor):
    """Knows who may talk to whom and where everybody is."""

    def __init__(self) -> None:
        super().__init__()
        self._members: dict[str, ActorRef[Member]] = {}
        self._held: dict[str, str] = {}
        self._profiles: dict[str, str] = {}
        self._peers: dict[str, set[str]] = {}
        self._open = False
        self._early: list[tuple[str, Reply[FrozenMap[str, str]]]] = []
        self._draining = False
        self._routed = 0
        self._not_wired = 0

    @handles(raises=(MobError,))
    def route(self, message: Route) -> Receipt:
        """Deliver if the edge allows it; the member's receipt is passed on.

        Raises:
            NotWired: no edge between sender and target.
            MemberNotFound, MemberHeld: nobody takes it.
            Draining: an operator's input after the drain began.
        """
        member = self._reach(message.sender, message.target, message)
        if self._draining and message.sender is None:
            raise Draining("send")
        self._routed += 1
        delivery = Deliver(
            sender=message.sender,
            input_id=message.input_id,
            body=message.body,
            key=message.key,
            mode=message.mode,
        )
        return self._pass_on(message.target, member.request(delivery, timeout=None))

    @handles(raises=(MobError,))
    def await_turn(self, message: AwaitTurn) -> TurnResult:
        """Pass on the result of a turn, under the same rules as its input."""
        member = self._reach(message.sender, message.target, message)
        question = ResultOf(input_id=message.input_id)
        return self._pass_on(message.target, member.request(question, timeout=message.wait_s))

    @handles
    def attach(self, message: Attach) -> None:
        """A member lives (again)."""
        self._members[message.identity] = message.ref
        self._profiles[message.identity] = message.profile
        self._held.pop(message.identity, None)

    @handles
    def detach(self, message: Detach) -> None:
        """A member is down (`held`) or gone; a gone one takes its edges along."""
        self._members.pop(message.identity, None)
        if message.held is not None:
            self._held[message.identity] = message.held
            return
        self._held.pop(message.identity, None)
        self._profiles.pop(message.identity, None)
        for peer in self._peers.pop(message.identity, ()):
            self._peers[peer].discard(message.identity)

    @handles
    def connect(self, message: Connect) -> None:
        """Open edges."""
        for edge in message.edges:
            self._peers.setdefault(edge.a, set()).add(edge.b)
            self._peers.setdefault(edge.b, set()).add(edge.a)

    @handles
    def disconnect(self, message: Disconnect) -> None:
        """Close edges."""
        for edge in message.edges:
            self._peers.get(edge.a, set()).discard(edge.b)
            self._peers.get(edge.b, set()).discard(edge.a)

    @handles
    def get_peers(self, message: GetPeers) -> FrozenMap[str, str]:
        """Peers with their profiles, held ones too.

        Every turn asks this first, so no turn begins before the mob is complete: one that
        resumes after a crash must not see half of its peers.
        """
        promise: Reply[FrozenMap[str, str]] = self.promise()
        if self._open:
            promise.set(self._peers_of(message.identity))
        else:
            self._early.append((message.identity, promise))
        return promise  # type: ignore[return-value]  # an answer that may come later

    @handles
    def open(self, message: Open) -> None:
        """Everybody is there: answer the turns that wait to begin."""
        self._open = True
        early, self._early = self._early, []
        for identity, promise in early:
            promise.set(self._peers_of(identity))

    @handles(control=True)
    def set_draining(self, message: SetDraining) -> None:
        """Refuse what comes from outside from now on."""
        self._draining = True

    @handles(control=True)
    def get_traffic(self, message: GetTraffic) -> Traffic:
        """How much was passed on and refused."""
        return Traffic(routed=self._routed, not_wired=self._not_wired)

    def _peers_of(self, identity: str) -> FrozenMap[str, str]:
        peers = self._peers.get(identity, ())
        return FrozenMap({name: self._profiles[name] for name in peers if name in self._profiles})

    def _pass_on(self, target: str, answer: Awaitable[R]) -> R:
        """Answer with what the member will answer; its end becomes an error of the mob."""
        asked = cast("Reply[R]", answer)
        promise: Reply[R] = self.promise()

        def pass_on() -> None:
            error = asked.error
            if isinstance(error, ActorDead):
                error = self._gone(target, "it has just stopped")
            promise.resolve(asked.value, error)

        asked.when_done(pass_on)
        return promise  # type: ignore[return-value]  # an answer that comes later

    def _gone(self, target: str, otherwise: str | None = None) -> MobError:
        reason = self._held.get(target, otherwise if target in self._members else None)
        if reason is None:
            return MemberNotFound(target, tuple(self._members))
        return MemberHeld(target, reason)

    def _reach(self, sender: str | None, target: str, message: Any) -> ActorRef[Member]:
        if sender is not None and target not in self._peers.get(sender, ()):
            if target not in self._members and target not in self._held:
                raise MemberNotFound(target, tuple(self._peers.get(sender, ())))
            self._not_wired += 1
            self.realm.refused(f"mob://{self.realm.name}/{target}", "not_wired", message)
            raise NotWired(sender, target)
        member = self._members.get(target)
        if member is not None:
            return member
        raise self._gone(target)
