"""The doors through which actors reach the world: time, chance, loops, the wire.

Real ones are in `loops.py`; `simulation.py` has the seeded ones. Nothing else in the kernel
reads a clock, draws a random number or starts a thread.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

from actors.kernel.waits import Box

if TYPE_CHECKING:
    import pykka

    from actors.kernel.bonds import Bonds
    from actors.kernel.dispatch import Dispatcher
    from actors.kernel.future import ThreadReply
    from actors.kernel.realm import Realm
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
    """The way to actors of other nodes; `ActorSystem(remote=…)` takes one instead of its own."""

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


class Recipient(Box, Protocol):
    """What a ref holds: the mailbox of an actor here, or the way to one on another node.

    All methods may be called on any thread.
    """

    sealed: bool
    realm: Realm
    dispatcher: Dispatcher

    @property
    def kind(self) -> type[Any]:
        """The class of the actor, as far as it is known here."""

    def bump(self) -> object:
        """Count a message that is about to be put."""

    def refused(self) -> None:
        """Count that it was not put after all, and its sender was told."""

    def put(
        self, message: object, reply: Answerable | None = None, deadline: float | None = None
    ) -> None:
        """Take a message, or say at once why not.

        Args:
            reply: Where the answer goes; None: nobody waits for one.
            deadline: On the clock of the realm; afterwards it is not worth handling.

        Raises:
            KernelError: it was not taken.
        """

    def when_room(self, message: object, wake: Callable[[], object]) -> None:
        """Call `wake` when to try `message` again."""

    def forget_room(self, wake: Callable[[], object]) -> None:
        """Undo `when_room`."""

    def tell_started(self, starter: Answerable) -> None:
        """Answer when the actor is up, or cannot be."""

    def end(self, reply: Answerable, *, drain: bool) -> None:
        """Stop the actor; answer True when it has ended, False if it had ended before."""

    def watched_by(self, watcher: Bonds) -> None:
        """Put exactly one `Down` into `watcher` when the actor is gone."""


class Watchable(Protocol):
    """What a ref's `actor_inbox` offers to `Actor.watch`, here or on another node."""

    def watched_by(self, watcher: Bonds) -> None:
        """Put exactly one `Down` into `watcher` when the actor is gone; any thread."""


class Pending(Protocol):
    """A timer that has not fired."""

    def cancel(self) -> None:
        """Never fire; a second call and a call after firing do nothing."""
