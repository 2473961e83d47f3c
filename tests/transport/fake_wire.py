"""A wire as bad as real ones, in virtual time.

The `Wire` delays, drops and doubles parcels, cuts one way, and breaks connections with or without
telling. Inside one connection parcels never overtake each other; parcels of different connections
do. Who sits at its ends is in `fake_host`.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from transport.parcels import Hello, Parcel


class World:
    """Virtual time: actions in the order of their time, first come first served."""

    def __init__(self) -> None:
        self.now = 0.0
        self._actions: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def after(self, delay: float, action: Callable[[], None]) -> None:
        self.at(self.now + delay, action)

    def at(self, when: float, action: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._actions, (max(when, self.now), self._count, action))

    def run_until(self, end: float) -> None:
        while self._actions and self._actions[0][0] <= end:
            self.now, _, action = heapq.heappop(self._actions)
            action()
        self.now = end


class End(Protocol):
    """Who sits at an end of a connection."""

    name: str
    boots: int  # changes when the process does
    up: bool

    def arrived(self, connection: Connection, parcel: Parcel | None) -> None:
        """A parcel, or None: the connection was closed."""

    def told_of_the_end(self, connection: Connection) -> Callable[[], None]:
        """What tells it, unless it is another process by then."""


@dataclass(eq=False)
class Connection:
    """One connection; each end sees it open until it closes it or hears of its end."""

    number: int
    dialler: End
    acceptor: End
    intact: bool = True
    open: dict[str, bool] = field(default_factory=dict)
    due: dict[str, float] = field(default_factory=dict)
    stalled: set[str] = field(default_factory=set)  # nothing of theirs arrives any more

    def far(self, end: End) -> End:
        return self.acceptor if end is self.dialler else self.dialler


@dataclass
class Weather:
    """How the wire behaves: seconds, and chances per parcel."""

    latency: float = 0.001
    jitter: float = 0.0
    drop: float = 0.0
    drop_hello: float = 0.0
    double: float = 0.0


class Wire:
    """Everything between the hosts."""

    def __init__(self, world: World, chance: Random) -> None:
        self.world = world
        self.chance = chance
        self.weather = Weather()
        self.mute: set[str] = set()  # what is sent by these arrives nowhere
        self.connections: list[Connection] = []

    def connect(self, dialler: End, acceptor: End) -> Connection | None:
        if not acceptor.up:
            return None
        connection = Connection(len(self.connections), dialler, acceptor)
        for host in (dialler, acceptor):
            connection.open[host.name] = True
            connection.due[host.name] = self.world.now
        self.connections.append(connection)
        return connection

    def send(self, connection: Connection, sender: End, parcel: Parcel) -> None:
        weather, chance = self.weather, self.chance
        greets = isinstance(parcel, Hello)
        lost = sender.name in self.mute or sender.name in connection.stalled
        if lost or chance.random() < (weather.drop_hello if greets else weather.drop):
            # Parcels are lost singly; but a connection whose Hello is lost never came up.
            connection.stalled |= {sender.name} if greets else set()
            return
        self._carry(connection, sender, parcel)
        if not greets and chance.random() < weather.double:
            self._carry(connection, sender, parcel)

    def _carry(self, connection: Connection, sender: End, parcel: Parcel | None) -> None:
        weather = self.weather
        arrival = self.world.now + weather.latency + self.chance.random() * weather.jitter
        due = connection.due[sender.name] = max(connection.due[sender.name], arrival)
        receiver = connection.far(sender)
        boot = receiver.boots

        def arrive() -> None:
            if connection.intact and receiver.boots == boot:
                receiver.arrived(connection, parcel)

        self.world.at(due, arrive)

    def close(self, connection: Connection, host: End) -> None:
        """One end closes; the other hears of it after what was sent before."""
        if connection.open[host.name]:
            connection.open[host.name] = False
            self._carry(connection, host, None)

    def break_(self, connection: Connection, told: dict[str, float | None]) -> None:
        """What is under way is lost; each end is told after some seconds, or never."""
        connection.intact = False
        for host in (connection.dialler, connection.acceptor):
            delay = told[host.name]
            if delay is not None:
                self.world.after(delay, host.told_of_the_end(connection))

    def open_connections(self) -> list[Connection]:
        return [each for each in self.connections if each.intact and any(each.open.values())]
