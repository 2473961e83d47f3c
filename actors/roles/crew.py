"""The crew: the supervisor's book of the members that live, and what they are doing.

Owned by the supervisor, on its loop. Source of names and states is the roster; what a member is
doing is asked of the member itself and is as old as its answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from actors.domain.reports import MemberView
from actors.kernel.errors import KernelError, describe
from actors.kernel.logs import logger_for
from actors.roles.messages import Activity, Observe

if TYPE_CHECKING:
    from actors.domain.roster import Roster
    from actors.kernel.ref import ActorRef
    from actors.roles.member import Member
    from actors.roles.memory import Memory
    from transport.message import Request

logger = logger_for(__name__)

ANSWER_S: Final = 1.0  # a member answers at once; one that is starting again may not
R = TypeVar("R")


@dataclass(slots=True)
class Berth:
    """One member: what it keeps, and its actor while it has one."""

    memory: Memory
    ref: ActorRef[Member] | None
    restarts: int = 0  # since the launch


class Crew:
    """Members by name, in the order in which they were started."""

    def __init__(self) -> None:
        self._berths: dict[str, Berth] = {}
        self._at: dict[str, str] = {}  # address to identity

    def add(self, identity: str, memory: Memory, ref: ActorRef[Member]) -> None:
        """A member was started."""
        self._berths[identity] = Berth(memory, ref)
        self._at[ref.address] = identity

    def remove(self, identity: str) -> Berth | None:
        """A member left."""
        berth = self._berths.pop(identity, None)
        if berth is not None and berth.ref is not None:
            self._at.pop(berth.ref.address, None)
        return berth

    def berth(self, identity: str) -> Berth | None:
        """A member's place."""
        return self._berths.get(identity)

    def at(self, address: str) -> str | None:
        """Who lives at this address."""
        return self._at.get(address)

    def down(self, identity: str) -> Berth | None:
        """A member has no actor any more; its place stays."""
        berth = self._berths.get(identity)
        if berth is not None and berth.ref is not None:
            self._at.pop(berth.ref.address, None)
            berth.ref = None
        return berth

    @property
    def restarts(self) -> int:
        """Restarts of all members since the launch."""
        return sum(berth.restarts for berth in self._berths.values())

    @property
    def alive(self) -> dict[str, ActorRef[Member]]:
        """The members that have an actor."""
        return self._living(self._berths)

    def _living(self, names: Iterable[str]) -> dict[str, ActorRef[Member]]:
        berths = ((name, self._berths.get(name)) for name in names)
        return {name: b.ref for name, b in berths if b is not None and b.ref is not None}

    @property
    def memories(self) -> Iterable[Memory]:
        """What every member keeps."""
        return [berth.memory for berth in self._berths.values()]

    async def ask_all(
        self,
        question: Request[R],
        *,
        names: Iterable[str] | None = None,
        timeout: float = ANSWER_S,
    ) -> dict[str, R]:
        """Ask every living member (or those of `names`) at once.

        Who does not answer within `timeout` seconds is left out.
        """
        alive = self.alive if names is None else self._living(names)
        asked = {name: ref.request(question, timeout=timeout) for name, ref in alive.items()}
        answers = {}
        for name, answer in asked.items():
            try:
                answers[name] = await answer
            except KernelError as error:
                logger.debug("%s did not answer: %s", name, describe(error))
        return answers

    async def activities(self, *, timeout: float = ANSWER_S) -> dict[str, Activity]:
        """What every living member does right now."""
        return await self.ask_all(Observe(), timeout=timeout)

    async def stop_all(self, timeout: float) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Stop every member, last started first; who ended in `timeout` s, and who did not."""
        alive = self.alive
        ends = {name: asyncio.ensure_future(alive[name].stopped()) for name in reversed(alive)}
        if ends:
            await asyncio.wait(ends.values(), timeout=timeout)
        stopped = tuple(name for name, end in ends.items() if end.done())
        left = tuple(name for name, end in ends.items() if end.cancel())
        return stopped, left

    async def views(self, roster: Roster, names: Sequence[str]) -> list[MemberView]:
        """The members of these names that are on the roster, in this order."""
        activities = await self.ask_all(Observe(), names=names)
        views = []
        for name in names:
            entry = roster.members.get(name)
            if entry is None:
                continue  # retired while we asked
            berth, activity = self._berths.get(name), activities.get(name)
            turns = berth.memory.turns if berth is not None else 0
            views.append(
                MemberView(
                    name=name,
                    profile=entry.profile,
                    state=entry.state,
                    generation=entry.generation,
                    fence=entry.fence,
                    queued=activity.queued if activity is not None else 0,
                    running=activity.running if activity is not None else None,
                    turns=activity.turns if activity is not None else turns,
                    restarts=berth.restarts if berth is not None else 0,
                    wired_to=tuple(sorted(roster.wired_to(name))),
                    labels=entry.labels,
                )
            )
        return views
