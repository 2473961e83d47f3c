"""Thespian's side: `multiprocTCPBase`, which puts each actor into a process of its own.

Runs in `.venv-bench/thespian` and imports nothing of this project. Whoever is outside an actor is a
process of its own for it, too: it tells and asks one actor over tcp, messages pickled.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final

from pydantic import BaseModel, ConfigDict
from thespian.actors import Actor, ActorSystem

from bench import stopwatch

WAIT: Final = timedelta(seconds=60)
READ: Final = "read"


class Add(BaseModel):
    """The message of the measures: strict and frozen, as ours are."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    n: int


class Counter(Actor):
    """Adds what it is told; answers its total."""

    total = 0

    def receiveMessage(self, message: object, sender: Any) -> None:  # noqa: N802 - Thespian's name
        """Add a number, or answer."""
        if isinstance(message, Add):
            self.total += message.n
        elif message == READ:
            self.send(sender, self.total)


@contextmanager
def system() -> Iterator[tuple[Any, Any]]:
    """A system on a port of its own, and a counter in it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    made = ActorSystem("multiprocTCPBase", {"Admin Port": port}, transientUnique=False)
    try:
        counter = made.createActor(Counter)
        made.ask(counter, READ, WAIT)
        yield made, counter
    finally:
        made.shutdown()


def tell(count: int) -> float:
    """Return messages per second, told and handled; new message each."""
    with system() as (made, counter):

        def work(total: int) -> None:
            for n in range(total):
                made.tell(counter, Add(n=n))
            made.ask(counter, READ, WAIT)

        work(stopwatch.warm_up(count))
        return count / stopwatch.seconds(lambda: work(count))


def ask(count: int) -> float:
    """Return microseconds per ask, one at a time."""
    with system() as (made, counter):

        def work(total: int) -> None:
            for _ in range(total):
                made.ask(counter, READ, WAIT)

        work(stopwatch.warm_up(count))
        return stopwatch.seconds(lambda: work(count)) / count * 1e6


def close() -> None:
    """Leave nothing to end: every measure shuts its own system down."""


MEASURES: dict[str, Callable[[int], float]] = {"tell": tell, "ask": ask}
