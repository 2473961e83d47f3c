"""A host on the fake wire: does what an endpoint does, and tells a book what happens.

It dials, accepts, carries parcels to and from its `Link`, hands envelopes over, offers new ones.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from random import Random

from tests.transport.fake_wire import Connection, Wire, World
from transport.errors import WouldBlock
from transport.events import Connection as ConnectionId
from transport.events import (
    Delivery,
    Event,
    Gone,
    Hangup,
    Room,
    SessionLost,
    Suspected,
)
from transport.greeting import LocalNode
from transport.link import Link
from transport.parcels import Parcel
from transport.session import WINDOW, Session
from transport.states import LinkState

MakeSession = Callable[[tuple[int, int]], Session[int]]


class Book:
    """Who keeps track of what the hosts do; this one does not."""

    def offered(self, host: Host, token: int) -> None: ...

    def delivered(self, host: Host, row: bytes) -> None: ...

    def handed(self, host: Host, row: bytes) -> None: ...

    def acknowledged(self, host: Host, tokens: list[int]) -> None: ...

    def lost(self, host: Host, lost: SessionLost[int]) -> None: ...

    def gone(self, host: Host, gone: Gone) -> None: ...

    def killed(self, host: Host, tokens: list[int]) -> None: ...

    def turned(self, host: Host) -> None: ...


class Host:
    """One node: the part that an endpoint plays.

    Args:
        world: Its clock.
        wire: Its network.
        name: Of the node.
        chance: Its randomness.
        window: What it allows the peer.
        make_session: Makes its sessions.
        dials: Whether it dials, or waits to be dialled.
        slow: Most seconds until an envelope that arrived is handed over.
    """

    def __init__(
        self,
        world: World,
        wire: Wire,
        name: str,
        chance: Random,
        *,
        book: Book | None = None,
        window: tuple[int, int] = WINDOW,
        make_session: MakeSession = Session,
        dials: bool = False,
        slow: float = 0.0,
        impatient: bool = True,
        redial_s: float = 0.9,
    ) -> None:
        self.world = world
        self.wire = wire
        self.name = name
        self.chance = chance
        self.book = book or Book()
        self.window = window
        self.make_session = make_session
        self.dials = dials
        self.slow = slow
        self.impatient = impatient  # dials again when the peer is silent
        self.redial_s = redial_s
        self.peer: Host
        self.boots = 0
        self.tokens = 0
        self.up = False
        self.heard = 0.0
        self.paused_until = -1.0
        self.events: list[Event[int]] = []
        self.boot()

    # -- life -------------------------------------------------------------------------------

    def boot(self) -> None:
        self.boots += 1
        self.up = True
        self.local = LocalNode(
            self.name, bytes(self.chance.randbytes(16)), "data", endpoints=(("data", self.name),)
        )
        self.session = self.make_session(self.window)
        self.link: Link[int] | None = None
        self.open_tokens: deque[int] = deque()
        self.acked = 0
        self.in_box: deque[tuple[Connection, Parcel | None]] = deque()
        self.accepted: set[int] = set()
        self.by_number: dict[ConnectionId, Connection] = {}
        self.to_hand_over: deque[tuple[int, bytes]] = deque()
        self.handing = False
        self.unhanded: dict[int, int] = {}  # of this session: number to size
        self.blocked = False
        self._wake_at: float | None = None

    def kill(self, *, quiet: bool = False) -> None:
        """The process is gone; the kernel closes its connections, unless the machine died too."""
        self.up = False
        self.boots += 1
        self.book.killed(self, list(self.open_tokens))
        for connection in self.wire.connections:
            if self in (connection.dialler, connection.acceptor) and connection.intact:
                delay = None if quiet else self.chance.random() * 0.05
                far = connection.far(self).name
                self.wire.break_(connection, {self.name: None, far: delay})

    def pause(self, seconds: float) -> None:
        """Stopped as by a signal: nothing runs, and what arrives waits."""
        self.paused_until = self.world.now + seconds

    # -- its loop ---------------------------------------------------------------------------

    def wake(self, when: float) -> None:
        if self._wake_at is not None and self._wake_at <= when:
            return
        self._wake_at = when
        boot = self.boots

        def turn() -> None:
            if self.boots == boot and self.up and self._wake_at == when:
                self._wake_at = None
                if self.world.now < self.paused_until:
                    self.wake(self.paused_until)
                else:
                    self.turn()

        self.world.at(when, turn)

    def arrived(self, connection: Connection, parcel: Parcel | None) -> None:
        if self.up and connection.open[self.name]:
            self.in_box.append((connection, parcel))
            self.wake(self.world.now)

    def told_of_the_end(self, connection: Connection) -> Callable[[], None]:
        boot = self.boots

        def tell() -> None:
            if self.boots == boot:
                self.arrived(connection, None)

        return tell

    def turn(self) -> None:
        now = self.world.now
        if now == self.paused_until and self.link is not None:
            self._finish(*self.link.tick(now))  # timers may come before what waits to be read
        while self.in_box:
            self._read(*self.in_box.popleft())
            if self.link is not None:
                self._act(self.link.events())
        if self.link is not None:
            self._finish(*self.link.tick(now))
        if self.link is not None:
            deadline = self.link.next_deadline(now)
            if deadline is not None:
                assert deadline >= now
                self.wake(deadline)
        self._count_acks()
        self.book.turned(self)

    def _read(self, connection: Connection, parcel: Parcel | None) -> None:
        now = self.world.now
        if not connection.open[self.name]:
            return
        number = connection.number
        if parcel is None:
            connection.open[self.name] = False
            if self.link is not None:
                self.link.closed(number, now)
            self._dial_soon()
            return
        self.heard = now
        if connection.acceptor is self and number not in self.accepted:
            self.accepted.add(number)
            self.by_number[number] = connection
            link = self.link = self.link or Link(self.local, self.session)
            link.accepted(number, parcel, now, key=f"key of {self.peer.name}")
        elif self.link is not None:
            self.link.receive(number, parcel, now)

    def _finish(self, parcels: list[tuple[ConnectionId, Parcel]], events: list[Event[int]]) -> None:
        for number, parcel in parcels:
            connection = self.by_number[number]
            if connection.open[self.name]:
                self.wire.send(connection, self, parcel)
        self._act(events)

    def _act(self, events: list[Event[int]]) -> None:
        self.events += events
        hangups = []
        for event in events:
            match event:
                case Delivery():
                    self._deliver(event)
                case SessionLost():
                    self._count_acks()
                    self.unhanded.clear()
                    self.book.lost(self, event)
                    self.open_tokens.clear()
                case Room():
                    self.blocked = False
                case Hangup():
                    hangups.append(self.by_number[event.connection])
                case Gone():
                    self.book.gone(self, event)
                case Suspected(closed=False) if self.dials and self.impatient:
                    self.world.after(0.0, self.dial)
                case _:
                    pass
        if hangups:  # what is to be sent before goes out first
            assert self.link is not None
            self._finish(self.link.parcels(self.world.now), [])
            for connection in hangups:
                self.wire.close(connection, self)
            self._dial_soon()
        if self.link is not None and self.link.state is LinkState.GONE:
            self.link = None
            self._dial_soon()

    def _count_acks(self) -> None:
        acked = self.session.statistics.acknowledged
        if acked > self.acked:
            tokens = [self.open_tokens.popleft() for _ in range(acked - self.acked)]
            self.acked = acked
            self.book.acknowledged(self, tokens)

    # -- connections ------------------------------------------------------------------------

    def _dial_soon(self) -> None:
        if self.dials:
            boot = self.boots
            delay = 0.01 + self.chance.random() * 0.2
            self.world.after(delay, lambda: self.dial() if self.boots == boot else None)

    def dial(self) -> None:
        """Dial, unless there is a connection that works or may come to work."""
        state = self.link.state if self.link is not None else LinkState.NEW
        if not self.up or state in {LinkState.GREETING, LinkState.READY}:
            return
        if self.world.now < self.paused_until:
            self.world.at(self.paused_until, self.dial)
            return
        connection = self.wire.connect(self, self.peer)
        if connection is None:
            self._dial_soon()
        else:
            number = connection.number
            self.by_number[number] = connection
            self.link = self.link or Link(self.local, self.session, peer=self.peer.name)
            self.link.dialled(
                number,
                self.world.now,
                key=f"key of {self.peer.name}",
                fresh=self.chance.randbytes(16),
            )
            self.wake(self.world.now)
            self.world.after(self.redial_s, lambda: self._dial_again(connection))

    def _dial_again(self, connection: Connection) -> None:
        """Nobody answered; the Hello may have been lost."""
        if (
            connection.open[self.name]
            and self.link is not None
            and self.link.state is LinkState.GREETING
            and self.by_number.get(connection.number) is connection
        ):
            self.wire.close(connection, self)
            self.link.closed(connection.number, self.world.now)
            self.dial()

    # -- envelopes --------------------------------------------------------------------------

    def offer(self, size: int = 0) -> bool:
        """Offer one envelope; whether it was taken."""
        token = self.tokens
        row = f"{self.name}:{token}:".encode().ljust(size, b".")
        try:
            self.session.offer(row, token)
        except WouldBlock:
            self.blocked = True
            return False
        self.tokens += 1
        self.open_tokens.append(token)
        self.book.offered(self, token)
        self.wake(self.world.now)
        return True

    def _deliver(self, delivery: Delivery) -> None:
        number = delivery.number - len(delivery.rows)
        for row in delivery.rows:
            number += 1
            self.unhanded[number] = len(row)
            self.book.delivered(self, row)
            self.to_hand_over.append((number, row))
        if not self.slow:
            self._hand_over()
        elif not self.handing:
            self.handing = True
            self._hand_over_later()

    def _hand_over_later(self) -> None:
        boot = self.boots

        def later() -> None:
            if self.boots == boot:
                self._hand_over()

        self.world.after(self.chance.random() * self.slow, later)

    def _hand_over(self) -> None:
        if self.slow and self.world.now < self.paused_until:
            self._hand_over_later()
            return
        count = len(self.to_hand_over)
        if self.slow:  # some of them
            count = self.chance.randint(1, count)
        number = 0
        for _ in range(count):
            number, row = self.to_hand_over.popleft()
            self.book.handed(self, row)
            self.unhanded.pop(number, None)
        self.session.handed_over(number)
        self.wake(self.world.now)
        self.handing = bool(self.to_hand_over)
        if self.handing:
            self._hand_over_later()


def pair(world: World, wire: Wire, a: Host, b: Host) -> None:
    """Make two hosts each other's peers, and dial."""
    a.peer, b.peer = b, a
    for host in (a, b):
        if host.dials:
            world.after(0.0, host.dial)
