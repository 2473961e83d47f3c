"""What the actors of one system share: names, counts, dead letters, the doors to the world.

There is no global registry: two realms in one process never meet. Entering and leaving are
O(1), so stopping n actors costs n.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakSet

from actors.kernel.counters import Audit, Counts, LoopCount
from actors.kernel.errors import ForkedProcess, NameTaken
from actors.kernel.forks import FORKS
from actors.kernel.letters import DeadLetter, DeadLetters, DeadReason
from actors.kernel.messages import Down
from transport.address import Address

if TYPE_CHECKING:
    import pykka

    from actors.kernel.cell import Cell
    from actors.kernel.ports import LoopName, Scheduler

LOOPS: tuple[LoopName, ...] = ("system", "member")


class Resident(Protocol):
    """What lives in a realm: a cell or a thread actor's inbox."""

    @property
    def parent(self) -> object | None:
        """Who stops it; None: the system."""

    @property
    def ref(self) -> pykka.ActorRef[Any]:
        """The ref of the actor."""

    def in_flight(self) -> int:
        """Messages queued or being handled."""

    def lost_in_fork(self) -> None:
        """Take nothing more: this is a child process, and the loops are not in it."""


class Realm:
    """Owner of the actors of one `ActorSystem`. Any thread may call it."""

    def __init__(self, name: str, scheduler: Scheduler) -> None:
        self.name = name
        self.scheduler = scheduler
        self.counts = Counts()
        # by loop; a simulated world has one dispatcher for both
        self.loop_counts = {scheduler.dispatcher(name): LoopCount() for name in LOOPS}
        self.letters = DeadLetters()
        self.actors: dict[str, Resident] = {}  # the living by path, in start order
        self.make_cell: Callable[..., Cell] | None = None  # instead of `Cell`
        self.resolve: Callable[[str], object] = self._unresolved  # addresses in messages to refs
        self.parked: Callable[[], int] = lambda: 0  # messages that came from elsewhere and wait
        self._born = FORKS.generation
        self.closing = False  # no actor without a parent starts any more
        self._numbers: defaultdict[str, itertools.count[int]] = defaultdict(
            lambda: itertools.count(1)
        )
        self._lock = threading.Lock()  # leaf; numbers only
        _realms.add(self)

    @property
    def forked(self) -> bool:
        """Whether this process was forked from the one in which the actors run."""
        return self._born != FORKS.generation

    def check_process(self) -> None:
        """Raise ForkedProcess if this process is not the one in which the actors run."""
        if self.forked:
            raise ForkedProcess(self.name)

    def address(self, path: str) -> str:
        """The address of the actor at `path`, unique among the living of this system."""
        return f"mob://{self.name}/{path}"

    def path_for(self, kind: type, name: str | None, parent: str | None) -> str:
        """The path of a new actor: its name, or its class numbered, below its parent.

        Raises:
            AddressError: the name cannot be part of an address.
            NameTaken: a living actor has that path.
        """
        prefix = "" if parent is None else f"{parent}/"
        if name is not None:
            path = prefix + name
            Address(self.name, path)
            if path in self.actors:
                raise NameTaken(path, self.name)
            return path
        base = f"{prefix}{kind.__name__.lower()}-"
        while True:
            with self._lock:
                path = base + str(next(self._numbers[kind.__name__]))
            if path not in self.actors:  # somebody may have been named like that
                return path

    def _unresolved(self, text: str) -> object:
        raise ValueError(f"system {self.name!r} knows no way to {text}")

    def enter(self, path: str, resident: Resident) -> None:
        """Take a path for an actor.

        Raises:
            NameTaken: another thread took it first.
        """
        if self.actors.setdefault(path, resident) is not resident:
            raise NameTaken(path, self.name)

    def leave(self, path: str, resident: object) -> None:
        """Free the path of an actor that ended, unless a namesake has it already."""
        if self.actors.get(path) is resident:
            del self.actors[path]

    def dead(
        self, address: str, reason: DeadReason, message: object, *, told: bool = False
    ) -> None:
        """File a message that ended nowhere; `told`: somebody asked, and was answered with it."""
        letter = DeadLetter(address, reason, message, self.scheduler.clock.wall_ms(), told)
        expected = type(message) is Down and reason in ("dead", "shutdown")
        self.letters.add(letter, expected=expected)

    def refused(self, address: str, reason: DeadReason, message: object) -> None:
        """Keep a message whose sender was told that it was not delivered, for looking."""
        at_ms = self.scheduler.clock.wall_ms()
        self.letters.add(DeadLetter(address, reason, message, at_ms, told=True), ended=False)

    def audit(self) -> Audit:
        """Count where every message ended; exact when nothing is moving."""
        loops = self.loop_counts.values()
        in_flight = sum(resident.in_flight() for resident in tuple(self.actors.values()))
        counts = self.counts
        return Audit(
            sent=counts.sent.value(),
            handled=sum(loop.handled for loop in loops) + counts.handled_elsewhere.value(),
            failed=sum(loop.failed for loop in loops) + counts.failed_elsewhere.value(),
            rejected=counts.rejected.value(),
            coalesced=counts.coalesced.value(),
            dead_lettered=self.letters.total,
            ambiguous=0,
            in_flight=in_flight + self.parked(),
        )


_realms: WeakSet[Realm] = WeakSet()


def _lose_actors() -> None:
    for realm in tuple(_realms):
        for resident in realm.actors.copy().values():
            resident.lost_in_fork()


os.register_at_fork(after_in_child=_lose_actors)
