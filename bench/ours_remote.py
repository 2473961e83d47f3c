"""Our side between two processes: typed, validated messages over tcp with CURVE, or over ipc.

The first process has a `Driver` on its member loop, the second one a `Counter`. What the driver
tells is handled when its last question is answered, so every figure is of handled messages.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final, Literal

from actors import Actor, ActorSystem, Message, Request, handles
from bench import stopwatch
from bench.second import Ready, second
from transport.allowed import Allowed
from transport.security import new_key_pair

Kind = Literal["curve", "ipc"]

WAIT_S: Final = 250.0
"""How long a measure may take; the sample is given up at 300 s."""

IN_FLIGHT: Final = 256
KB: Final = 1_024
LISTEN: Final = {"curve": "tcp://127.0.0.1:*", "ipc": "ipc"}


class Add(Message, tag="bench.add"):
    """Tells a `Counter` a number."""

    n: int


class Load(Message, tag="bench.load"):
    """Tells a `Counter` some bytes."""

    data: bytes


class Total(Request[int], tag="bench.total"):
    """Asks a `Counter` for its total."""


class Memory(Request[int], tag="bench.memory"):
    """Asks a `Counter` for the memory that its process holds, in bytes."""


class Flood(Request[float]):
    """Asks a `Driver` to tell `count` messages; answers the seconds until all are handled.

    `size` is that of the payload in bytes, one message reused; 0: a number, and `fresh` says
    whether each is a new message.
    """

    count: int
    size: int = 0
    fresh: bool = False


class Interview(Request[float]):
    """Asks a `Driver` to ask `count` times, `at_once` on their way; answers the seconds."""

    count: int
    at_once: int


class Counter(Actor):
    """Counts what it is told; answers its total."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    @handles
    def add(self, message: Add) -> None:
        """Add a number."""
        self.total += message.n

    @handles
    def load(self, message: Load) -> None:
        """Add the number of bytes."""
        self.total += len(message.data)

    @handles
    def read(self, message: Total) -> int:
        """Answer at once."""
        return self.total

    @handles
    def memory(self, message: Memory) -> int:
        """Answer what the process holds."""
        return stopwatch.resident_bytes()


class Driver(Actor):
    """Drives a `Counter` of another process from inside the loop."""

    def __init__(self, target: Any) -> None:  # Any: a ref, wherever its actor is
        super().__init__()
        self.target = target

    @handles(stepped=True)
    async def flood(self, message: Flood) -> float:
        """Send and wait until all are handled; `send` waits for room, so nothing is refused."""
        send = self.target.send
        with stopwatch.timing() as taken:
            if message.fresh:
                for n in range(message.count):
                    await send(Add(n=n))
            else:
                told = Load(data=bytes(message.size)) if message.size else Add(n=1)
                for _ in range(message.count):
                    await send(told)
            await self.target.request(Total())
        return taken.seconds

    @handles(stepped=True)
    async def interview(self, message: Interview) -> float:
        """Ask again for every answer, in order."""
        request, question = self.target.request, Total()
        with stopwatch.timing() as taken:
            if message.at_once == 1:
                for _ in range(message.count):
                    await request(question)
            else:
                begun = deque(request(question) for _ in range(message.at_once))
                for _ in range(message.count - message.at_once):
                    await begun.popleft()
                    begun.append(request(question))
                for reply in begun:
                    await reply
        return taken.seconds


def serve(ready: Ready, over: threading.Event, kind: Kind, *clients: str) -> None:
    """Have a `Counter` in this process, for these: `NAME=KEY`."""
    keys, allowed = new_key_pair("server"), Allowed()
    for client in clients:
        name, _, key = client.partition("=")
        allowed.allow(key, name, ["host"])
    with ActorSystem("server", keys=keys, allowed=allowed) as system:
        system.start(Counter, name="counter", wait=True)
        ready({"address": system.listen(LISTEN[kind]), "key": keys.public})
        over.wait()


@contextmanager
def connected(kind: Kind) -> Iterator[tuple[ActorSystem, Any]]:
    """A system of this process, and the ref of the counter of another one."""
    keys = new_key_pair("client")
    with (
        second("ours_remote", kind, f"client={keys.public}") as server,
        ActorSystem("client", keys=keys) as system,
    ):
        system.connect(server["address"], key=server["key"] if kind == "curve" else None)
        yield system, system.ref("mob://server/counter")


def drive(kind: Kind, warm_up: Request[float], question: Request[float]) -> float:
    """Return the seconds that a driver needed, after the warm-up."""
    with connected(kind) as (system, counter):
        driver = system.start(Driver, counter, name="driver")
        driver.ask(warm_up, timeout=WAIT_S)
        return driver.ask(question, timeout=WAIT_S)


def tell(kind: Kind, count: int, *, size: int = 0, fresh: bool = False) -> float:
    """Return messages per second, told by an actor and handled in the other process."""
    warm_up = Flood(count=stopwatch.warm_up(count), size=size, fresh=fresh)
    return count / drive(kind, warm_up, Flood(count=count, size=size, fresh=fresh))


def ask(kind: Kind, count: int) -> float:
    """Return microseconds per ask of an actor, one at a time."""
    warm_up = Interview(count=stopwatch.warm_up(count), at_once=1)
    return drive(kind, warm_up, Interview(count=count, at_once=1)) / count * 1e6


def asks(kind: Kind, count: int) -> float:
    """Return answers per second, 256 asks on their way at any time."""
    warm_up = Interview(count=IN_FLIGHT, at_once=IN_FLIGHT)
    return count / drive(kind, warm_up, Interview(count=count, at_once=IN_FLIGHT))


def idle_peer(kind: Kind, count: int) -> float:
    """Return bytes that a node holds per idle peer that dialled it, both channels.

    The peers are systems of this process, connected and silent.
    """
    names = ("client", *(f"peer-{number}" for number in range(count)))
    pairs = {name: new_key_pair(name) for name in names}
    clients = (f"{name}={pair.public}" for name, pair in pairs.items())
    with second("ours_remote", kind, *clients) as server, ExitStack() as stack:
        key = server["key"] if kind == "curve" else None

        def connect(name: str) -> ActorSystem:
            system = stack.enter_context(ActorSystem(name, keys=pairs[name], watchdog=False))
            system.connect(server["address"], key=key)
            return system

        counter: Any = connect(names[0]).ref("mob://server/counter")  # Any: as in `Driver`
        before = counter.ask(Memory())
        for name in names[1:]:
            connect(name)
        return float(counter.ask(Memory()) - before) / count


def close() -> None:
    """Leave nothing to end: every measure ends its own second process."""


def _measures(kind: Kind) -> dict[str, Callable[[int], float]]:
    return {
        f"tell_reused_{kind}": lambda count: tell(kind, count),
        f"tell_fresh_{kind}": lambda count: tell(kind, count, fresh=True),
        f"tell_1k_{kind}": lambda count: tell(kind, count, size=KB),
        f"tell_64k_{kind}": lambda count: tell(kind, count, size=64 * KB),
        f"ask_{kind}": lambda count: ask(kind, count),
        f"asks_{kind}": lambda count: asks(kind, count),
        f"idle_peer_{kind}": lambda count: idle_peer(kind, count),
    }


MEASURES: dict[str, Callable[[int], float]] = {**_measures("curve"), **_measures("ipc")}
