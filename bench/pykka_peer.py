"""Pykka's side: the same work in Pykka's own way, one thread per actor.

Runs in `.venv-bench/pykka` and imports nothing of this project.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import pykka
from pydantic import BaseModel, ConfigDict

from bench import disturbance, stopwatch
from bench.disturbance import Kind

THREADS = 4


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
        with stopwatch.timing() as taken:
            if isinstance(message, Flood):
                flood(self.target, message.count, fresh=message.fresh)
            elif isinstance(message, Interview):
                interview(self.target, message.count)
        return taken.seconds


class Disturber(pykka.ThreadingActor):
    """Disturbs the other threads until it is over."""

    def __init__(self, begun: threading.Event, over: threading.Event) -> None:
        super().__init__()
        self.begun = begun
        self.over = over

    def on_receive(self, message: Kind) -> None:
        """Do what `message` names."""
        disturbance.disturb(message, self.begun, self.over)


def told(target: pykka.ActorRef[Counter], count: int, *, fresh: bool) -> None:
    """Tell `count` messages."""
    tell = target.tell
    if fresh:
        for n in range(count):
            tell(Add(n=n))
    else:
        message = Add(n=1)
        for _ in range(count):
            tell(message)


def flood(target: pykka.ActorRef[Counter], count: int, *, fresh: bool) -> None:
    """Tell `count` messages and wait until all are handled."""
    told(target, count, fresh=fresh)
    target.ask(Total())


def interview(target: pykka.ActorRef[Counter], count: int) -> None:
    """Ask `count` times, each after the answer to the one before."""
    question = Total()
    for _ in range(count):
        target.ask(question)


def tell_from_threads(count: int, *, threads: int, fresh: bool) -> float:
    """Return messages per second, told by so many threads at once and handled."""
    counter = Counter.start(0)

    def work() -> None:
        if threads == 1:
            flood(counter, count, fresh=fresh)
            return
        each = count // threads
        tellers = [
            threading.Thread(target=told, args=(counter, each), kwargs={"fresh": fresh})
            for _ in range(threads)
        ]
        for teller in tellers:
            teller.start()
        for teller in tellers:
            teller.join()
        counter.ask(Total())

    flood(counter, stopwatch.warm_up(count), fresh=fresh)
    return count // threads * threads / stopwatch.seconds(work)


def tell_between_actors(count: int, *, fresh: bool) -> float:
    """Return messages per second, told by one actor and handled by another."""
    return count / _drive(Flood(stopwatch.warm_up(count), fresh), Flood(count, fresh))


def ask_between_actors(count: int) -> float:
    """Return microseconds per ask of one actor to another."""
    return _drive(Interview(stopwatch.warm_up(count)), Interview(count)) / count * 1e6


def _drive(warm_up: object, work: object) -> float:
    driver = Driver.start(Counter.start(0))
    driver.ask(warm_up, block=True)
    return float(driver.ask(work, block=True))


def ask_from_thread(count: int) -> float:
    """Return microseconds per ask of the main thread."""
    counter = Counter.start(0)
    interview(counter, stopwatch.warm_up(count))
    return stopwatch.seconds(lambda: interview(counter, count)) / count * 1e6


def spawn(count: int) -> float:
    """Return actors started per second; the last one has answered."""

    def work(total: int) -> None:
        for _ in range(total):
            last = Counter.start(0)
        last.ask(Total())

    work(stopwatch.warm_up(count))
    return count / stopwatch.seconds(lambda: work(count))


def idle_actor(count: int) -> float:
    """Return bytes per actor that has started and does nothing."""
    Counter.start(0).ask(Total())
    before = stopwatch.resident_bytes()
    actors = [Counter.start(0) for _ in range(count)]
    actors[-1].ask(Total())
    return (stopwatch.resident_bytes() - before) / count


def reaction(kind: Kind, for_ms: int) -> float:
    """Return the 99th percentile, in ms, of an actor's answers while another one disturbs it."""
    begun, over = threading.Event(), threading.Event()
    responder = Counter.start(0)
    disturber = Disturber.start(begun, over)
    question = Total()
    disturbance.p99_ms(lambda: responder.ask(question), for_ms / 20_000)
    disturber.tell(kind)
    begun.wait()
    try:
        return disturbance.p99_ms(lambda: responder.ask(question), for_ms / 1_000)
    finally:
        over.set()


def close() -> None:
    """End every actor, so that the process can end."""
    pykka.ActorRegistry.stop_all(block=True)


MEASURES: dict[str, Callable[[int], float]] = {
    "tell_thread_reused": lambda count: tell_from_threads(count, threads=1, fresh=False),
    "tell_thread_fresh": lambda count: tell_from_threads(count, threads=1, fresh=True),
    "tell_threads_reused": lambda count: tell_from_threads(count, threads=THREADS, fresh=False),
    "tell_threads_fresh": lambda count: tell_from_threads(count, threads=THREADS, fresh=True),
    "tell_actor_reused": lambda count: tell_between_actors(count, fresh=False),
    "tell_actor_fresh": lambda count: tell_between_actors(count, fresh=True),
    "ask_actor": ask_between_actors,
    "ask_thread": ask_from_thread,
    "spawn": spawn,
    "idle_actor": idle_actor,
    "idle": lambda for_ms: reaction("idle", for_ms),
    "block": lambda for_ms: reaction("block", for_ms),
    "spin": lambda for_ms: reaction("spin", for_ms),
    "parse": lambda for_ms: reaction("parse", for_ms),
}
