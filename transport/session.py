"""Session: which envelopes two nodes owe each other, over any number of connections.

Each direction numbers its envelopes 1, 2, 3, … (`transport.outbound`, `transport.inbound`). A Hello
names the session and says how much of the peer's direction was handed over here; so each connection
resumes where the last one ended, and nothing is lost or doubled.

The side that dials names the session. The other side resumes it if it knows the name. Else, when
the Hello says that nothing was received, it begins a session of that name. And when something was,
it does not know what is meant, and refuses.

A session dies with either process (boot id), or when one side has given it up. What was not
acknowledged then may or may not have arrived: it is returned as ambiguous and never sent again.

One Hello could deceive: the peer has not heard that its session died here, received nothing so
far, and so resumes it from 0. That must not look like a beginning, or what it sends again would be
handed over twice. So the name of the session that died last is remembered; an older one cannot come
any more, for its peer was told or has died. Keep one `Session` per pair of nodes and channel as
long as the process lives: wire sessions come and go inside it.

Source: design §5 Session; reliability.md M5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from transport.errors import IllegalStep, PeerViolation, UnknownSession
from transport.events import ByeCode, Delivery, LossCause, SessionLost
from transport.inbound import Inbound
from transport.outbound import Outbound
from transport.parcels import Batch, Hello
from transport.states import SessionInput, SessionState, step_session

__all__ = ["WINDOW", "Session", "SessionStatistics"]

WINDOW: Final = (1024, 4 * 1024 * 1024)  # messages, bytes; 64 messages would halve the throughput

_KNOWN: Final = frozenset({SessionState.OPEN, SessionState.PAUSED})  # to both sides

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SessionStatistics:
    """Envelopes counted over the life of a `Session`; sent = acknowledged + ambiguous + in_flight.

    Attributes:
        sent: Taken by `offer`.
        acknowledged: Handed over by the peer.
        refused: Not taken: no credit, or too big.
        ambiguous: Unacknowledged when their session died.
        in_flight: Unacknowledged now, sent or waiting to be.
        received: Delivered to the owner of this side, each once.
        duplicates: Arrived again and were ignored.
    """

    sent: int
    acknowledged: int
    refused: int
    ambiguous: int
    in_flight: int
    received: int
    duplicates: int


class Session(Generic[T]):
    """One pair of nodes and channel, both directions.

    Args:
        window: Messages and bytes the peer may have unacknowledged; also the most that this side
            keeps unacknowledged, whatever the peer would allow.

    Attributes:
        offer: `offer(row, token)` takes one packed envelope, connected or not, or raises
            `WouldBlock` or `RowTooBig`; see `Outbound.offer`.
        handed_over: `handed_over(number)` says that everything up to the number of a `Delivery`
            has reached its place, so that it may be acknowledged; see `Inbound.handed_over`.
        room: `room()` says whether an envelope that was refused would be taken now; once per
            refusal.
        window: As given.
    """

    def __init__(self, window: tuple[int, int] = WINDOW) -> None:
        self.window = window
        self._state = SessionState.IDLE
        self._name = b""  # of the session both know
        self._proposed = b""
        self._dead = b""  # the last one that both knew
        self._boot = b""  # the peer's
        self._outbound: Outbound[T] = Outbound(window)
        self._inbound = Inbound(window)
        # Bound here once: a call less per envelope and per batch.
        self.room: Callable[[], bool] = self._outbound.room
        self.offer: Callable[[bytes, T], None] = self._outbound.offer
        self.handed_over: Callable[[int], None] = self._inbound.handed_over

    @property
    def state(self) -> SessionState:
        """Where the session stands."""
        return self._state

    @property
    def name(self) -> bytes:
        """The 16 bytes that both sides, or so far this side, call it; empty when there is none."""
        return self._name or self._proposed

    @property
    def sent(self) -> int:
        """Highest number sent on this connection, for a Beat."""
        return self._outbound.sent

    @property
    def statistics(self) -> SessionStatistics:
        """The counts of both directions, as they are now."""
        out = self._outbound
        return SessionStatistics(
            sent=out.acknowledged + out.ambiguous + len(out),
            acknowledged=out.acknowledged,
            refused=out.refused,
            ambiguous=out.ambiguous,
            in_flight=len(out),
            received=self._inbound.delivered,
            duplicates=self._inbound.duplicates,
        )

    # -- what leaves ------------------------------------------------------------------------

    def batches(self) -> list[Batch]:
        """What was offered since the last call, numbered; empty unless the session is open."""
        if self._state is not SessionState.OPEN or not self._outbound.waiting:
            return []
        return self._outbound.batches(self._inbound.acknowledge())

    def acknowledge(self) -> int:
        """The `ack` of a parcel that is about to leave; gives the credit back to the peer."""
        return self._inbound.acknowledge()

    @property
    def ack_deadline(self) -> float | None:
        """When an Ack must leave if no batch carries it, in monotonic seconds; None: no need."""
        return self._inbound.ack_deadline if self._state is SessionState.OPEN else None

    # -- what arrives -----------------------------------------------------------------------

    def receive(self, batch: Batch, now: float) -> Delivery | None:
        """Take a batch; rows that arrived before are ignored.

        Returns:
            What is new, to be handed over; None if nothing is.

        Raises:
            SequenceGap: Envelopes before it are missing.
            PeerViolation: It is empty, exceeds the credit, or acknowledges what was never sent.
            IllegalStep: The session is not open.
        """
        if self._state is not SessionState.OPEN:
            raise IllegalStep("session", self._state.value, "a batch")
        outbound = self._outbound
        if batch.ack > outbound.high:
            outbound.check(batch.ack)
        delivery = self._inbound.receive(batch, now)
        if batch.ack > outbound.acked:
            outbound.acknowledge(batch.ack)
        return delivery

    def acknowledged(self, ack: int) -> None:
        """The peer handed over everything up to `ack`.

        Raises:
            PeerViolation: That was never sent.
            IllegalStep: The session is not open.
        """
        self._require_open("an ack")
        self._outbound.acknowledge(ack)

    def peer_sent(self, sent: int) -> None:
        """The peer says how far it is; all of that must have arrived.

        Raises:
            SequenceGap: The tail was lost.
            IllegalStep: The session is not open.
        """
        self._require_open("a beat")
        self._inbound.peer_sent(sent)

    def _require_open(self, tried: str) -> None:
        if self._state is not SessionState.OPEN:
            raise IllegalStep("session", self._state.value, tried)

    # -- connections ------------------------------------------------------------------------

    def propose(self, fresh: bytes) -> bytes:
        """Name the session for the Hello of a connection that this side dials.

        Args:
            fresh: 16 random bytes; used if there is no session and none was proposed before. A
                peer that accepted an earlier proposal must recognise it.

        Raises:
            IllegalStep: The session is open.
        """
        self._state = step_session(self._state, SessionInput.PROPOSE)
        if self._state is SessionState.PROPOSED and not self._proposed:
            self._proposed = fresh
        return self.name

    def restarted(self, hello: Hello) -> bool:
        """Whether the peer of this session is another process than before."""
        return self._state in _KNOWN and hello.boot != self._boot

    def resumes(self, hello: Hello) -> bool:
        """Whether the Hello of a peer that dialled continues this session; else it begins one.

        Raises:
            UnknownSession: It continues what this side does not have.
            PeerViolation: The peer received more than was sent.
        """
        known = self._state in _KNOWN and hello.boot == self._boot
        if known and hello.session == self._name:
            if hello.received < self._outbound.acked:  # older than what was acknowledged since
                raise UnknownSession
            self._outbound.check(hello.received)
            return True
        if hello.received or hello.session == self._dead:
            raise UnknownSession
        return False

    def answer(self, hello: Hello) -> SessionLost[T] | None:
        """The peer dialled: resume its session or begin it.

        Returns:
            What became ambiguous because there was another session before.

        Raises:
            UnknownSession, PeerViolation: As `resumes`.
            IllegalStep: The session is open.
        """
        if self.resumes(hello):
            self._resume(hello)
            return None
        lost = None
        if self._state is SessionState.PAUSED:
            restarted = self.restarted(hello)
            lost = self.end(LossCause.RESTARTED if restarted else LossCause.REPLACED)
        self._begin(hello)
        return lost

    def confirm(self, hello: Hello) -> SessionLost[T] | None:
        """The peer answers: resume or begin what was proposed to it.

        Returns:
            What became ambiguous because the peer was started anew.

        Raises:
            PeerViolation: It names another session, or numbers that cannot be.
            IllegalStep: The session is open.
        """
        paused = self._state is SessionState.PAUSED
        if hello.session != self.name:
            raise PeerViolation(
                ByeCode.PROTOCOL, "the answer names another session than was proposed"
            )
        if paused and not self.restarted(hello):
            if hello.received < self._outbound.acked:
                raise PeerViolation(
                    ByeCode.PROTOCOL,
                    f"{hello.received} received, and {self._outbound.acked} was acknowledged",
                )
            self._resume(hello)
            return None
        if hello.received:
            raise PeerViolation(ByeCode.PROTOCOL, f"{hello.received} received in a new session")
        lost = self.end(LossCause.RESTARTED) if paused else None
        self._begin(hello)
        return lost

    def _begin(self, hello: Hello) -> None:
        self._state = step_session(self._state, SessionInput.BEGIN)
        self._name, self._boot, self._proposed = hello.session, hello.boot, b""
        self._outbound.allow(hello.window)

    def _resume(self, hello: Hello) -> None:
        after = step_session(self._state, SessionInput.RESUME)
        self._outbound.rewind(hello.received)
        self._state = after
        self._outbound.allow(hello.window)

    def pause(self) -> None:
        """No connection carries the session now."""
        self._state = step_session(self._state, SessionInput.PAUSE)

    def disowned(self) -> SessionLost[T] | None:
        """The peer does not know the session that was proposed to it.

        Returns:
            What became ambiguous; None if the session never began: what was offered waits for the
            next one then.
        """
        if self._state in _KNOWN:
            return self.end(LossCause.UNKNOWN)
        self._state = step_session(self._state, SessionInput.END)
        self._proposed = b""
        return None

    def end(self, cause: LossCause = LossCause.ENDED) -> SessionLost[T] | None:
        """Give the session up, and everything that waits for one.

        Returns:
            What became ambiguous; None if there was neither a session nor an envelope.
        """
        known = self._state in _KNOWN
        self._state = step_session(self._state, SessionInput.END)
        if known:
            self._dead = self._name
        self._name = self._proposed = b""
        self._inbound.restart()
        tokens, rows = self._outbound.abandon()
        return SessionLost(tokens, rows, cause) if known or tokens else None
