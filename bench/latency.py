"""Our side: how late the system loop reacts while an actor of the member loop disturbs it.

An actor on `loop="system"` is asked every 2 ms by the main thread; the figure is the 99th
percentile of the whole way there and back, so the loop's own lateness is less.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from actors import Actor, ActorSystem, Message, Request, handles
from bench import disturbance
from bench.disturbance import Kind


class Ping(Request[int]):
    """Asks a `Responder`."""


class Disturb(Message):
    """Tells a `Disturber` what to do, until it is over."""

    kind: Kind


class Responder(Actor):
    """Answers at once."""

    @handles
    def ping(self, message: Ping) -> int:
        """Answer."""
        return 0


class Disturber(Actor):
    """Holds its loop."""

    def __init__(self, begun: threading.Event, over: threading.Event) -> None:
        super().__init__()
        self.begun = begun
        self.over = over

    @handles
    def disturb(self, message: Disturb) -> None:
        """Do it until it is over."""
        disturbance.disturb(message.kind, self.begun, self.over)


def reaction(kind: Kind, for_ms: int) -> float:
    """Return the 99th percentile of the system loop's answers in ms, asked for `for_ms`."""
    begun, over = threading.Event(), threading.Event()
    with ActorSystem("bench") as system:
        responder = system.start(Responder, loop="system", name="responder")
        disturber = system.start(Disturber, begun, over, name="disturber")
        question = Ping()
        disturbance.p99_ms(lambda: responder.ask(question), for_ms / 20_000)
        disturber.tell(Disturb(kind=kind))
        begun.wait()
        try:
            return disturbance.p99_ms(lambda: responder.ask(question), for_ms / 1_000)
        finally:
            over.set()


def close() -> None:
    """Leave nothing to end: every measure closes its own system."""


MEASURES: dict[str, Callable[[int], float]] = {
    "idle": lambda for_ms: reaction("idle", for_ms),
    "block": lambda for_ms: reaction("block", for_ms),
    "spin": lambda for_ms: reaction("spin", for_ms),
    "parse": lambda for_ms: reaction("parse", for_ms),
}
