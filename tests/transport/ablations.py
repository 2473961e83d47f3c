"""Sessions with one safeguard taken out each: the schedules must notice.

Each is what somebody could have forgotten. None of them has a switch in the real code.
"""

from __future__ import annotations

from transport.events import Delivery, SessionLost
from transport.inbound import Inbound
from transport.outbound import Outbound
from transport.parcels import Batch, Hello
from transport.session import Session

__all__ = ["ABLATIONS"]

NO_LIMIT = 1 << 60


class _GapBlind(Inbound):
    """Takes whatever comes next."""

    __slots__ = ()

    def receive(self, batch: Batch, now: float) -> Delivery | None:
        missing = batch.first - self._arrived - 1
        if missing > 0:
            self._sizes += [0] * missing
            self._arrived += missing
        return super().receive(batch, now)

    def peer_sent(self, sent: int) -> None:
        pass


class _TailBlind(Inbound):
    """Does not see by the heartbeat that the tail was lost."""

    __slots__ = ()

    def peer_sent(self, sent: int) -> None:
        pass


class _Doubling(Inbound):
    """Takes what it has once more."""

    __slots__ = ()

    def receive(self, batch: Batch, now: float) -> Delivery | None:
        if batch.first <= self._arrived:
            again = max(0, batch.first + len(batch.rows) - 1 - self._arrived)
            self._sizes += [0] * again
            self._arrived += again
            return Delivery(batch.rows, self.delivered)
        return super().receive(batch, now)


class _Hasty(Inbound):
    """Acknowledges what arrived, handed over or not."""

    __slots__ = ()

    def receive(self, batch: Batch, now: float) -> Delivery | None:
        delivery = super().receive(batch, now)
        self._handed = self._arrived
        return delivery


def _with_inbound(kind: type[Inbound], window: tuple[int, int]) -> Session[int]:
    session: Session[int] = Session(window)
    session._inbound = kind(window)
    session.handed_over = session._inbound.handed_over
    return session


class _BootBlind(Session[int]):
    """Takes a restarted peer for the one before."""

    def restarted(self, hello: Hello) -> bool:
        return False

    def resumes(self, hello: Hello) -> bool:
        self._boot = hello.boot
        return super().resumes(hello)


class _Forgetful(Session[int]):
    """Does not remember the session that died."""

    def end(self, *cause: object) -> SessionLost[int] | None:
        lost = super().end(*cause)  # type: ignore[arg-type]  # passed through
        self._dead = b""
        return lost


class _Resending(Session[int]):
    """Sends what may have arrived again in the next session."""

    def end(self, *cause: object) -> SessionLost[int] | None:
        rows, tokens = list(self._outbound._rows), list(self._outbound._tokens)
        lost = super().end(*cause)  # type: ignore[arg-type]  # passed through
        self._outbound._rows += rows
        self._outbound._tokens += tokens
        self._outbound._bytes = sum(map(len, rows))
        return lost


class _Generous(Outbound[int]):
    """Sends without credit."""

    __slots__ = ()

    def allow(self, window: tuple[int, int]) -> None:
        super().allow((NO_LIMIT, NO_LIMIT))


def _without_credit(window: tuple[int, int]) -> Session[int]:
    session: Session[int] = Session(window)
    session._outbound = _Generous((NO_LIMIT, NO_LIMIT))
    session._inbound = Inbound((NO_LIMIT, NO_LIMIT))
    session.offer = session._outbound.offer
    session.handed_over = session._inbound.handed_over
    return session


ABLATIONS = {
    "no gap check": lambda window: _with_inbound(_GapBlind, window),
    "no check of the tail": lambda window: _with_inbound(_TailBlind, window),
    "duplicates are taken": lambda window: _with_inbound(_Doubling, window),
    "ack before hand-over": lambda window: _with_inbound(_Hasty, window),
    "boot ids are ignored": _BootBlind,
    "the dead session is forgotten": _Forgetful,
    "ambiguous envelopes are sent again": _Resending,
    "no credit": _without_credit,
}
