"""Pykka's side: the same work in Pykka's own way, one thread per actor.

Runs in `.venv-bench/pykka` and imports nothing of this project.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pykka
from pydantic import BaseModel, ConfigDict

from bench import stopwatch


class Add(BaseModel):
    """The message of the measures: strict and frozen, as ours are."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    n: int


class Total:
    """The question of the measures."""


class Flood:
    """Asks a `Driver` to tell its target `count` messages, the same one or new ones."""

    def __init__(self, count: int, fresh: bool) -> None:
        self.count = count
        self.fresh = fresh


class Interview:
    """Asks a `Driver` to ask its target `count` times."""

    def __init__(self, count: int) -> None:
        self.count = count


class Counter(pykka.ThreadingActor):
    """Adds what it is told; answers its total."""

    def __init__(self, start: int) -> None:
        super().__init__()
        self.total = start

    def on_receive(self, message: object) -> int | None:
        """Add a number, or answer the total."""
        if type(message) is Add:
            self.total += message.n
            return None
        return self.total


class Driver(pykka.ThreadingActor):
    """Drives a `Counter` from inside an actor; answers the seconds it took."""

    def __init__(self, target: pykka.ActorRef[Counter]) -> None:
        super().__init__()
        self.target = target

    def on_receive(self, message: object) -> float:
        """Do the work that `message` describes."""
        start = time.perf_counter()
        if isinstance(message, Flood):
            flood(self.target, message.count, fresh=message.fresh)
        elif isinstance(message, Interview):
            interview(self.target, message.count)
        return time.perf_counter() - start


def flood(target: pykka.ActorRef[Counter], count: int, *, fresh: bool) -> None:
    """Tell `count` messages and wait until all are handled."""
    tell = target.tell
    if fresh:
        for n in range(count):
            tell(Add(n=n))
    else:
        message = Add(n=1)
        for _ in range(count):
            tell(message)
    target.ask(Total())


def interview(target: pykka.ActorRef[Counter], count: int) -> None:
    """Ask `count` times, each after the answer to the one before."""
    question = Total()
    for _ in range(count):
        target.ask(question)


def tell_from_thread(count: int, *, fresh: bool) -> float:
    """Return messages per second, told by the main thread and handled."""
    counter = Counter.start(0)
    return count / stopwatch.seconds(lambda: flood(counter, count, fresh=fresh))


def tell_between_actors(count: int, *, fresh: bool) -> float:
    """Return messages per second, told by one actor and handled by another."""
    driver = Driver.start(Counter.start(0))
    return count / _answer(driver, Flood(count, fresh))


def ask_between_actors(count: int) -> float:
    """Return microseconds per ask of one actor to another."""
    driver = Driver.start(Counter.start(0))
    return _answer(driver, Interview(count)) / count * 1e6


def ask_from_thread(count: int) -> float:
    """Return microseconds per ask of the main thread."""
    counter = Counter.start(0)
    return stopwatch.seconds(lambda: interview(counter, count)) / count * 1e6


def _answer(driver: pykka.ActorRef[Driver], question: object) -> float:
    return float(driver.ask(question, block=True))


def spawn(count: int) -> float:
    """Return actors started per second; the last one has answered."""

    def work() -> None:
        for _ in range(count):
            last = Counter.start(0)
        last.ask(Total())

    return count / stopwatch.seconds(work)


def idle_actor(count: int) -> float:
    """Return bytes per actor that has started and does nothing."""
    Counter.start(0).ask(Total())
    before = stopwatch.resident_bytes()
    actors = [Counter.start(0) for _ in range(count)]
    actors[-1].ask(Total())
    return (stopwatch.resident_bytes() - before) / count


def close() -> None:
    """End every actor, so that the process can end."""
    pykka.ActorRegistry.stop_all(block=True)


MEASURES: dict[str, Callable[[int], float]] = {
    "tell_thread_reused": lambda count: tell_from_thread(count, fresh=False),
    "tell_thread_fresh": lambda count: tell_from_thread(count, fresh=True),
    "tell_actor_reused": lambda count: tell_between_actors(count, fresh=False),
    "tell_actor_fresh": lambda count: tell_between_actors(count, fresh=True),
    "ask_actor": ask_between_actors,
    "ask_thread": ask_from_thread,
    "spawn": spawn,
    "idle_actor": idle_actor,
}
