"""Link: the connection to one peer, whether it may be trusted, and whether it lives.

A link outlives its connections: a closed one makes the peer suspect, the next one within 3 s
clears it. *Gone* is final: the session is over, and who speaks to that node again makes a new link
on the same `Session`. There is one verb per thing that happens; what follows from it is collected
in two lists, which the owner takes at the end of a turn of its loop::

    dialled accepted receive closed tick close  ─▶  parcels()   what to send, on which connection
                                                    events()    what happened, in order

A *connection* is whatever the owner tells connections apart by (a routing id, a socket). What comes
late from another one than the current is ignored here, so that the owner need not look. The owner
sends what `parcels` gave, then closes the connections that a `Hangup` names.

Connections overtake each other: the Hello of one that its dialler has long given up may arrive
after that of the next one. So nothing is given up for a connection before its Hello is good, and a
peer that is trusted, has not restarted, and yet proposes a new session, is not believed.

Silence is measured between ticks: `next_deadline` asks for one every second, and when one comes
more than a second late, this process itself was stopped, and that time is no silence of the peer.

A Beat says more than that the peer's sockets live (ZMTP's own heartbeats are answered by a thread
of the library while Python hangs): its `progress` counts turns of the peer's member loop, and beats
at which that loop had nothing to do. The same number again and again means that the loop is held.

States and inputs: `transport.states`. Source: design §5 Link; times from reliability.md §2.2; M6.
"""

from __future__ import annotations

from typing import Final, Generic, NamedTuple, TypeVar, assert_never

from transport.errors import PeerViolation, SequenceGap, UnknownSession
from transport.events import (
    ByeCode,
    Connection,
    Event,
    Gone,
    Hangup,
    LoopFreed,
    LoopHeld,
    Ready,
    Room,
    SessionLost,
    Suspected,
    Trusted,
)
from transport.greeting import LocalNode, judge
from transport.parcels import Ack, Batch, Beat, Bye, Hello, Parcel
from transport.session import Session
from transport.states import LinkInput, LinkState, SessionState, step_link

__all__ = [
    "BEAT_S",
    "GONE_S",
    "HELD_BEATS",
    "PAUSE_S",
    "RECONNECT_S",
    "SUSPECT_S",
    "Link",
    "Outcome",
]

BEAT_S: Final = 1.0
SUSPECT_S: Final = 3.0  # of silence: three beats; zguide: "3-5 is reasonable"
GONE_S: Final = 8.0  # of silence
RECONNECT_S: Final = 3.0  # from the end of a connection, or the first attempt, to a Hello
PAUSE_S: Final = 1.0  # a tick later than this after its time: this process was stopped
HELD_BEATS: Final = 5  # with one progress; G9 allows 10 s to see hung Python
_TEXT_CHARACTERS: Final = 200  # of a peer's Bye; the rest would only flood a log

_READY: Final = LinkState.READY  # a module's name is found faster than a member of an enum
_CARRYING: Final = frozenset({LinkState.READY, LinkState.SILENT})
_ALIVE: Final = frozenset(LinkState) - {LinkState.NEW, LinkState.GONE}
_AGAIN: Final = frozenset(code for code in ByeCode if code.again)

T = TypeVar("T")


class Outcome(NamedTuple, Generic[T]):
    """What a tick leaves to do: send the parcels, then act on the events."""

    parcels: list[tuple[Connection, Parcel]]
    events: list[Event[T]]


class Link(Generic[T]):
    """One peer on one channel.

    Args:
        local: Who this side is.
        session: The pair's session; it outlives this link, and belongs to no other one meanwhile.
        peer: Name of the node that must answer, if it is known.
    """

    def __init__(self, local: LocalNode, session: Session[T], *, peer: str | None = None) -> None:
        self.local = local
        self.session = session
        self._state = LinkState.NEW
        self._peer = peer
        self.key: str | None = None  # of the peer, once there was a connection
        self._connection: Connection | None = None
        self._trusted = False
        self._heard = 0.0  # when
        self._hello_by = 0.0  # while greeting or cut
        self._tick_at = 0.0
        self._idle = 0  # beats at which our member loop had nothing to do
        self._progress = 0  # of the peer's member loop
        self._same = 0  # beats that said so, in a row
        self._out: list[tuple[Connection, Parcel]] = []
        self._events: list[Event[T]] = []

    @property
    def state(self) -> LinkState:
        """Where the link stands."""
        return self._state

    @property
    def peer(self) -> str | None:
        """Name of the peer's node, or None until it is known; it never changes then."""
        return self._peer

    # -- what happens -----------------------------------------------------------------------

    def dialled(self, connection: Connection, now: float, *, key: str, fresh: bytes) -> None:
        """This side made a connection; it takes the place of the one there was.

        Args:
            connection: Unlike any other that this link was given; not None.
            now: Monotonic seconds, as everywhere.
            key: The peer's public key as the authenticator verified it. Another than at first is
                refused with a Bye, and everything stays as it was.
            fresh: 16 random bytes: the name of the session, if there is none to resume.

        Raises:
            IllegalStep: The link is gone.
        """
        after = step_link(self._state, LinkInput.OPENED)
        if not self._belongs_to(key, connection):
            return
        self._move_to(connection, after, now, key=key)
        self.session.propose(fresh)
        self._say_hello()

    def accepted(self, connection: Connection, parcel: Parcel, now: float, *, key: str) -> None:
        """The peer made a connection, known by its first parcel; a good Hello makes it current.

        Else it is refused with a Bye, and everything stays as it was; only a link that was new is
        gone then, unless all that is wrong is the session. Good Hellos are refused, too: of a peer
        whose name is the greater, while this side dials; and with a new session, from a trusted
        peer that has not restarted.

        Args:
            connection: As for `dialled`.
            parcel: The first one on it.
            now: Monotonic seconds.
            key: As for `dialled`.

        Raises:
            IllegalStep: The link is gone.
        """
        after = step_link(self._state, LinkInput.OPENED)
        if not self._belongs_to(key, connection):
            return
        try:
            hello, protocol = self._judge(parcel)
            if self._is_dialling() and self.local.node < hello.node:
                self._dismiss(connection, ByeCode.CROSSED, "this side dials too and keeps that one")
                return
            resumes = self.session.resumes(hello)
            if not resumes and self._trusted and not self.session.restarted(hello):
                raise UnknownSession
        except UnknownSession as unknown:
            self._dismiss(connection, ByeCode.SESSION, str(unknown))
            return
        except PeerViolation as violation:
            if self._state is LinkState.NEW:
                self._connection = connection
                self._end(violation.code, str(violation))
            else:
                self._dismiss(connection, violation.code, str(violation))
            return
        self._move_to(connection, after, now, key=key)
        lost = self.session.answer(hello)
        self._say_hello()
        self._begin(hello, protocol, lost, now, resumed=resumes)

    def receive(self, connection: Connection, parcel: Parcel, now: float) -> None:
        """A parcel arrived. Whatever is wrong with it ends the connection or the link.

        A parcel of a connection that is not the current one is ignored.
        """
        if self._connection is None or connection != self._connection:
            return
        try:
            if self._trusted and self._state is _READY and type(parcel) is Batch:
                self._heard = now  # nearly always; `_take` in fewer steps
                delivery = self.session.receive(parcel, now)
                if delivery is not None:
                    self._events.append(delivery)
            elif self._state is LinkState.GREETING:
                self._greet(parcel, now)
            else:
                self._take(parcel, now)
        except SequenceGap as gap:
            self._dismiss(connection, ByeCode.GAP, str(gap))
            self._cut(now)
        except PeerViolation as violation:
            self._end(violation.code, str(violation))

    def closed(self, connection: Connection, now: float) -> None:
        """A connection was closed; only the current one matters."""
        if self._connection is not None and connection == self._connection:
            self._out = [(to, parcel) for to, parcel in self._out if to != connection]
            self._cut(now)

    def close(self, text: str = "", code: ByeCode = ByeCode.CLOSING) -> None:
        """End the link, with a Bye to the peer; what is unacknowledged is ambiguous.

        Raises:
            IllegalStep: The link is gone.
        """
        self._end(code, text)

    def tick(self, now: float, *, progress: int = 0, busy: bool = False) -> Outcome[T]:
        """Time has passed. Call it when `next_deadline` says so; more often does no harm.

        Args:
            now: Monotonic seconds.
            progress: Turns of this node's member loop since boot.
            busy: Whether that loop has something to do.

        Returns:
            All that `parcels` and `events` would give.
        """
        beat = False
        if self._state in _ALIVE:
            late = now - self._tick_at
            if late > PAUSE_S:
                self._heard = min(now, self._heard + late)
                self._hello_by += late
            if late >= 0:
                self._tick_at = now + BEAT_S
                beat = True
            self._listen(now)
        if not (beat and self._state in _CARRYING):
            return Outcome(self.parcels(now), self.events())
        self._idle += not busy
        parcels, self._out = self._out, []
        parcels += [(self._connection, batch) for batch in self.session.batches()]
        ack = self.session.acknowledge()
        parcels.append((self._connection, Beat(self.session.sent, ack, progress + self._idle)))
        return Outcome(parcels, self.events())

    # -- what follows -----------------------------------------------------------------------

    def parcels(self, now: float) -> list[tuple[Connection, Parcel]]:
        """What to send now, in order; the next call gives what came up since."""
        parcels, self._out = self._out, []
        batches = self.session.batches()
        if batches:  # they say what an Ack would
            # The session is open exactly while there is a connection that carries it.
            return parcels + [(self._connection, batch) for batch in batches]
        due = self.session.ack_deadline
        if due is not None and now >= due:
            parcels.append((self._connection, Ack(self.session.acknowledge())))
        return parcels

    def events(self) -> list[Event[T]]:
        """What happened, in order; the next call gives what happened since."""
        events, self._events = self._events, []
        if self.session.room():
            events.append(Room())
        return events

    def next_deadline(self, now: float) -> float | None:
        """When to call `tick`, in monotonic seconds, never before `now`; None: no need."""
        if self._state not in _ALIVE:
            return None
        at = min(self._tick_at, self._gone_at())
        if self._state is LinkState.READY:
            at = min(at, self._heard + SUSPECT_S)
        due = self.session.ack_deadline
        if due is not None:
            at = min(at, due)
        return max(now, at)

    # -- greeting ---------------------------------------------------------------------------

    def _belongs_to(self, key: str, connection: Connection) -> bool:
        """Whether the key is the one this link began with; if not, the connection is refused."""
        if self.key in {None, key}:
            return True
        self._dismiss(connection, ByeCode.IDENTITY, "another key belongs to this link")
        return False

    def _move_to(self, connection: Connection, after: LinkState, now: float, *, key: str) -> None:
        """Leave the connection there was for this one."""
        if self._connection is not None:
            self._dismiss(self._connection, ByeCode.REPLACED, "there is a newer connection")
        if self._state is LinkState.NEW:
            self._tick_at = now + BEAT_S
        self._limit_the_wait(now)
        self._state = after
        self._connection, self.key = connection, key
        self.session.pause()

    def _is_dialling(self) -> bool:
        """Whether a Hello of this side is out, and the peer may have begun what it proposes."""
        return self._state is LinkState.GREETING or self.session.state is SessionState.PROPOSED

    def _say_hello(self) -> None:
        session = self.session
        hello = self.local.hello(session.name, session.acknowledge(), session.window)
        self._out.append((self._connection, hello))

    def _greet(self, parcel: Parcel, now: float) -> None:
        if isinstance(parcel, Bye):
            self._take_leave(parcel, now)
            return
        hello, protocol = self._judge(parcel)
        paused = self.session.state is SessionState.PAUSED
        lost = self.session.confirm(hello)
        self._begin(hello, protocol, lost, now, resumed=paused and lost is None)

    def _judge(self, parcel: Parcel) -> tuple[Hello, int]:
        """See that the first parcel of a connection is a good Hello.

        Returns:
            It, and the protocol version to speak.
        """
        if not isinstance(parcel, Hello):
            raise PeerViolation(ByeCode.PROTOCOL, "the first parcel of a connection is a Hello")
        return parcel, judge(parcel, self.local, self._peer)

    def _begin(
        self, hello: Hello, protocol: int, lost: SessionLost[T] | None, now: float, *, resumed: bool
    ) -> None:
        self._state = step_link(self._state, LinkInput.GREETED)
        self._peer = hello.node
        self._trusted = True
        self._heard = now
        self._same = 0
        if lost is not None:
            self._events.append(lost)
        self._events.append(Ready(hello, protocol, resumed))

    # -- parcels ----------------------------------------------------------------------------

    def _take(self, parcel: Parcel, now: float) -> None:
        if isinstance(parcel, Bye):
            self._take_leave(parcel, now)
            return
        if not self._trusted:
            self._trusted = True
            self._events.append(Trusted())
        if self._state is not LinkState.READY:  # else it stays so; this runs for every parcel
            self._state = step_link(self._state, LinkInput.HEARD)
        self._heard = now
        match parcel:
            case Batch():
                delivery = self.session.receive(parcel, now)
                if delivery is not None:
                    self._events.append(delivery)
            case Ack():
                self.session.acknowledged(parcel.ack)
            case Beat():
                self.session.acknowledged(parcel.ack)
                self.session.peer_sent(parcel.sent)
                self._watch_the_loop(parcel.progress)
            case Hello():
                raise PeerViolation(ByeCode.PROTOCOL, "a connection has one Hello from each side")
            case _:
                assert_never(parcel)

    def _watch_the_loop(self, progress: int) -> None:
        if self._same and progress == self._progress:
            self._same += 1
            if self._same == HELD_BEATS:
                self._events.append(LoopHeld(progress))
            return
        if self._same >= HELD_BEATS:
            self._events.append(LoopFreed())
        self._progress, self._same = progress, 1

    def _take_leave(self, bye: Bye, now: float) -> None:
        if bye.code not in _AGAIN:
            self._end(bye.code[:_TEXT_CHARACTERS], bye.text[:_TEXT_CHARACTERS], by_peer=True)
            return
        if bye.code == ByeCode.SESSION and self._state is LinkState.GREETING:
            lost = self.session.disowned()
            if lost is not None:
                self._events.append(lost)
        self._events.append(Hangup(self._connection))
        self._cut(now)

    # -- time and ends ----------------------------------------------------------------------

    def _gone_at(self) -> float:
        return self._heard + GONE_S if self._state in _CARRYING else self._hello_by

    def _listen(self, now: float) -> None:
        """See what the silence means."""
        if now >= self._gone_at():
            heard = self._state in _CARRYING
            text = f"{GONE_S:g} s of silence" if heard else f"{RECONNECT_S:g} s without a Hello"
            self._end(ByeCode.SILENT, text)
        elif self._state is LinkState.READY and now >= self._heard + SUSPECT_S:
            self._state = step_link(self._state, LinkInput.QUIET)
            self._suspect(closed=False)

    def _suspect(self, *, closed: bool) -> None:
        self._trusted = False
        self._events.append(Suspected(closed=closed))

    def _limit_the_wait(self, now: float) -> None:
        """The time for a Hello runs from the first of several attempts in a row."""
        if self._state in _CARRYING:
            self._hello_by = min(now + RECONNECT_S, self._heard + GONE_S)
        elif self._state is LinkState.NEW:
            self._hello_by = now + RECONNECT_S

    def _cut(self, now: float) -> None:
        """The connection is over, the link waits for the next one."""
        self._limit_the_wait(now)
        if self._trusted:
            self._suspect(closed=True)
        self._state = step_link(self._state, LinkInput.CLOSED)
        self._connection = None
        self.session.pause()

    def _dismiss(self, connection: Connection, code: str, text: str) -> None:
        self._out.append((connection, Bye(str(code), text)))  # a plain str for the codec
        self._events.append(Hangup(connection))

    def _end(self, code: str, text: str, *, by_peer: bool = False) -> None:
        self._state = step_link(self._state, LinkInput.ENDED)
        if self._connection is not None:
            if not by_peer:
                self._out.append((self._connection, Bye(str(code), text)))
            self._events.append(Hangup(self._connection))
            self._connection = None
        lost = self.session.end()
        if lost is not None:
            self._events.append(lost)
        self._events.append(Gone(code, text, by_peer))
