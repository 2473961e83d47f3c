"""Our side with very many actors in one process: start them, one message each, stop them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from actors import Actor, ActorSystem, Message, Request, handles
from bench import stopwatch

STOP_S = 250.0
"""How long all of them may take to stop; the sample is given up at 300 s."""


class Add(Message):
    """Tells a `Tallied` a number."""

    n: int


class Total(Request[int]):
    """Asks a `Tallied` for what all of them were told."""


class Tallied(Actor):
    """Adds what it is told to the total of all."""

    total = 0

    @handles
    def add(self, message: Add) -> None:
        """Add a number."""
        Tallied.total += message.n

    @handles
    def read(self, message: Total) -> int:
        """Answer at once."""
        return Tallied.total


def crowd(count: int) -> dict[str, float]:
    """Return the seconds of each phase and the bytes per actor after its message.

    - `start`: `count` actors are started; the last one has answered.
    - `tell`: each is told one message; all are handled.
    - `stop`: the system is shut down in order, and says that all ended.
    """
    system = ActorSystem("bench")
    before = stopwatch.resident_bytes()
    with stopwatch.timing() as start:
        actors = [system.start(Tallied) for _ in range(count)]
        actors[-1].ask(Total())
    message = Add(n=1)
    with stopwatch.timing() as tell:
        for actor in actors:
            actor.tell(message)
        # The loop serves mailboxes in the order of their mail.
        handled = actors[-1].ask(Total())
    held = stopwatch.resident_bytes() - before
    del actors
    with stopwatch.timing() as stop:
        clean = system.shutdown(STOP_S)
    assert handled == count
    assert clean
    return {
        "start": start.seconds,
        "tell": tell.seconds,
        "stop": stop.seconds,
        "bytes": held / count,
    }


def close() -> None:
    """Leave nothing to end: the measure closes its own system."""


MEASURES: Final[dict[str, Callable[[int], dict[str, float]]]] = {"crowd": crowd}
