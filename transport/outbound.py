"""One direction of a session, at its sender: credit, numbers, what may have to be sent again.

An envelope is *unacknowledged* from the moment it is offered until the peer says that it handed it
over. Three numbers say everything::

    acked ≤ sent ≤ high          acked + len(rows) is the number of the last one offered

`rows` holds the unacknowledged envelopes in order, so the number of `rows[i]` is `acked + 1 + i`
and nothing is kept per envelope but itself and its owner's token. To resume is to set `sent` back
to what the peer handed over: what follows is sent again, and the peer ignores what it has. `high`
remembers how far `sent` ever was, because the peer may acknowledge that far before it is reached
again.
"""

from __future__ import annotations

from typing import Final, Generic, TypeVar

from transport.errors import PeerViolation, RowTooBig, WouldBlock
from transport.events import ByeCode
from transport.greeting import FRAME_BYTES
from transport.parcels import Batch

__all__ = ["BATCH_BYTES", "ROW_BYTES", "Outbound"]

BATCH_BYTES: Final = 256 * 1024  # of rows in one batch, so that a heartbeat never waits long
ROW_BYTES: Final = FRAME_BYTES - 64  # a batch adds at most 40 bytes to a single row

T = TypeVar("T")


class Outbound(Generic[T]):
    """What this side owes the peer.

    Args:
        window: Messages and bytes; the most that is kept unacknowledged, whatever a peer allows.
    """

    __slots__ = (
        "_bytes",
        "_bytes_limit",
        "_limit",
        "_out_bytes",
        "_rows",
        "_tokens",
        "_wanted",
        "_window",
        "acked",
        "acknowledged",
        "ambiguous",
        "high",
        "refused",
        "sent",
    )

    def __init__(self, window: tuple[int, int]) -> None:
        self._window = window
        self._limit, self._bytes_limit = window
        self._rows: list[bytes] = []
        self._tokens: list[T] = []
        self._bytes = 0  # of all rows
        self._out_bytes = 0  # of the rows up to `sent`
        self._wanted: int | None = None  # the smallest row refused since there was room
        self.acked = 0
        self.sent = 0
        self.high = 0
        # over the life of this object
        self.acknowledged = 0
        self.ambiguous = 0
        self.refused = 0

    def __len__(self) -> int:
        """How many envelopes are unacknowledged."""
        return len(self._rows)

    def offer(self, row: bytes, token: T) -> None:
        """Take one packed envelope, connected or not; `batches` gives it its way out.

        Args:
            row: At most `ROW_BYTES`.
            token: Comes back in `SessionLost` when nobody can say whether the envelope arrived.

        Raises:
            WouldBlock: The credit is used up; the event `Room` says when to try again.
            RowTooBig: No frame can carry it.
        """
        # The only code that runs once per envelope.
        size = len(row)
        rows = self._rows
        after = self._bytes + size
        if len(rows) >= self._limit or after > self._bytes_limit or size > ROW_BYTES:
            self._refuse(size)
        rows.append(row)
        self._tokens.append(token)
        self._bytes = after

    def _refuse(self, size: int) -> None:
        self.refused += 1
        if size > ROW_BYTES:
            raise RowTooBig(size, ROW_BYTES)
        self._wanted = size if self._wanted is None else min(size, self._wanted)
        messages = max(0, self._limit - len(self._rows))
        raise WouldBlock(size, messages, max(0, self._bytes_limit - self._bytes))

    def room(self) -> bool:
        """Whether an envelope that was refused would be taken now; says so once per refusal."""
        wanted = self._wanted
        if (
            wanted is None
            or len(self._rows) >= self._limit
            or self._bytes + wanted > self._bytes_limit
        ):
            return False
        self._wanted = None
        return True

    @property
    def waiting(self) -> bool:
        """Whether `batches` would give something now."""
        start = self.sent - self.acked
        return (
            start < len(self._rows)
            and start < self._limit
            and self._out_bytes + len(self._rows[start]) <= self._bytes_limit
        )

    def batches(self, ack: int) -> list[Batch]:
        """Number what was offered since the last call, in batches of at most 256 KiB.

        A row above 256 KiB has a batch of its own. What was offered before a peer named a smaller
        window waits for its acknowledgements.

        Args:
            ack: Goes into every batch.

        Returns:
            At least one batch if something is `waiting`.
        """
        rows = self._rows
        start = self.sent - self.acked
        if (
            self._bytes - self._out_bytes <= BATCH_BYTES
            and len(rows) <= self._limit
            and self._bytes <= self._bytes_limit
        ):
            batch = Batch(self.sent + 1, ack, (*(rows[start:] if start else rows),))
            sent = self.sent = self.acked + len(rows)
            self._out_bytes = self._bytes
            self.high = max(self.high, sent)
            return [batch]
        batches = []
        stop = min(len(rows), self._limit)
        end = start
        while start < stop:
            size = 0
            while end < stop:
                after = size + len(rows[end])
                if self._out_bytes + after > self._bytes_limit or (size and after > BATCH_BYTES):
                    break
                end, size = end + 1, after
            if end == start:
                break
            batches.append(Batch(self.sent + 1, ack, tuple(rows[start:end])))
            self.sent = self.acked + end
            self._out_bytes += size
            self.high = max(self.high, self.sent)
            start = end
        return batches

    def check(self, ack: int) -> None:
        """Refuse an acknowledgement that cannot be.

        Raises:
            PeerViolation: `ack` was never sent.
        """
        if ack > self.high:
            raise PeerViolation(
                ByeCode.PROTOCOL, f"{ack} is acknowledged, and {self.high} was the last one sent"
            )

    def acknowledge(self, ack: int) -> None:
        """The peer handed over everything up to `ack`; an older one than the last says nothing.

        Raises:
            PeerViolation: `ack` was never sent.
        """
        if ack > self.high:
            self.check(ack)
        count = ack - self.acked
        if count <= 0:
            return
        rows = self._rows
        freed = self._bytes if count == len(rows) else sum(map(len, rows[:count]))
        del rows[:count]
        del self._tokens[:count]
        self._bytes -= freed
        self.acked = ack
        self.acknowledged += count
        if self.sent < ack:  # resumed, and the peer had them already
            self.sent, self._out_bytes = ack, 0
        else:
            self._out_bytes -= freed

    def rewind(self, received: int) -> None:
        """Resume: send again what comes after `received`.

        Raises:
            PeerViolation: That was never sent.
        """
        self.acknowledge(received)
        self.sent, self._out_bytes = self.acked, 0

    def allow(self, window: tuple[int, int]) -> None:
        """Keep to the peer's window from now on."""
        self._limit = min(window[0], self._window[0])
        self._bytes_limit = min(window[1], self._window[1])

    def abandon(self) -> tuple[tuple[T, ...], tuple[bytes, ...]]:
        """Start at 1 again with nothing.

        Returns:
            The tokens of what was unacknowledged, in order, and the rows of those at the end that
            never left.
        """
        tokens = tuple(self._tokens)
        unsent = tuple(self._rows[self.high - self.acked :])
        self.ambiguous += len(tokens) - len(unsent)
        self._rows.clear()
        self._tokens.clear()
        self._bytes = self._out_bytes = 0
        self.acked = self.sent = self.high = 0
        return tokens, unsent
