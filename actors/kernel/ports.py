"""The doors through which actors reach the world: time, chance, loops, the wire.

Real ones are in `loops.py`; `simulation.py` has the seeded ones. Nothing else in the kernel
reads a clock, draws a random number or starts a thread.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

if TYPE_CHECKING:
    import pykka

    from actors.kernel.bonds import Bonds
    from actors.kernel.dispatch import Dispatcher
    from actors.kernel.future import ThreadReply
    from transport.address import Address

R = TypeVar("R")
LoopName = Literal["system", "member"]


class Clock(Protocol):
    """Two times: one that only moves forward, one for people."""

    def monotonic(self) -> float:
        """Seconds that never go back; for durations and deadlines."""

    def wall_ms(self) -> int:
        """Milliseconds since 1970; for display only."""


class Scheduler(Protocol):
    """Owns the loops on which actors run, and the place for work that blocks."""

    clock: Clock
    random: random.Random

    def dispatcher(self, loop: LoopName) -> Dispatcher:
        """The dispatcher of that loop; always the same object."""

    async def run_blocking(self, work: Callable[[], R]) -> R:
        """Run `work` off the loops and give its result to the calling loop."""

    async def run_ordered(self, queue: str, work: Callable[[], R]) -> R:
        """As `run_blocking`, but one at a time and in order per `queue` name."""

    def wait(self, reply: ThreadReply[R], timeout: float | None) -> None:
        """Block the calling thread until `reply` is done or `timeout` seconds passed.

        Raises:
            WouldDeadlock: the calling thread is one of the loops.
        """

    def close(self, patience_s: float = 2.0) -> None:
        """Stop the loops; idempotent, bounded to `patience_s` seconds."""


class Wire(Protocol):
    """The way to actors of other nodes; `ActorSystem(remote=…)` fills it."""

    def ref(self, address: Address) -> pykka.ActorRef[pykka.Actor]:
        """A ref that behaves as a local one.

        Raises:
            UnknownAddress: no way to that node.
        """


class Answerable(Protocol):
    """Where an answer goes: a `Reply` or a `ThreadReply`; any thread, and neither raises."""

    def answer(self, value: object) -> None:
        """Answer with what a handler returned."""

    def resolve(self, value: Any, error: BaseException | None) -> object:
        """Answer with a value or an error; only the first answer counts."""


class Watchable(Protocol):
    """What a ref's `actor_inbox` offers to `Actor.watch`, here or on another node."""

    def watched_by(self, watcher: Bonds) -> None:
        """Put exactly one `Down` into `watcher` when the actor is gone; any thread."""


class Pending(Protocol):
    """A timer that has not fired."""

    def cancel(self) -> None:
        """Never fire; a second call and a call after firing do nothing."""
