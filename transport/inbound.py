"""One direction of a session, at its receiver: order, duplicates, gaps, the credit that was given.

Three numbers say everything::

    told ≤ handed ≤ arrived          told is the `ack` that the peer was given last

An `ack` says that envelopes were *handed over*, not that they arrived: what dies with this process
between the two must stay ambiguous for its sender. So nothing is acknowledged before the owner
calls `handed_over`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, cast

from transport.errors import IllegalStep, PeerViolation, SequenceGap
from transport.events import ByeCode, Delivery
from transport.parcels import Batch

__all__ = ["ACK_S", "Inbound"]

# Straight to C: one is made per frame.
_new_delivery: Final = cast(
    "Callable[[tuple[object, ...]], Delivery]", partial(tuple.__new__, Delivery)
)
ACK_S: Final = 0.020  # how long an acknowledgement may wait for a batch to ride on


class Inbound:
    """What the peer owes this side.

    Args:
        window: Messages and bytes the peer may have unacknowledged.
    """

    __slots__ = (
        "_ack_at",
        "_arrived",
        "_base",
        "_handed",
        "_held_bytes",
        "_sizes",
        "_told",
        "_window",
        "duplicates",
    )

    def __init__(self, window: tuple[int, int]) -> None:
        self._window = window
        self._base = 0  # delivered before the last `restart`
        self._arrived = 0
        self._handed = 0
        self._told = 0
        self._sizes: list[int] = []  # of the rows after `told`
        self._held_bytes = 0  # their sum
        self._ack_at = 0.0  # when the oldest of them should be acknowledged
        self.duplicates = 0  # over the life of this object

    @property
    def delivered(self) -> int:
        """How many envelopes were delivered over the life of this object."""
        return self._base + self._arrived

    def receive(self, batch: Batch, now: float) -> Delivery | None:
        """Take a batch; rows that arrived before are ignored.

        Returns:
            What is new, to be handed over; None if nothing is.

        Raises:
            SequenceGap: Envelopes before it are missing.
            PeerViolation: It is empty, or exceeds the credit.
        """
        first, _, rows = batch
        known = self._arrived + 1 - first
        if known < 0:
            raise SequenceGap(self._arrived + 1, first)
        if not rows or first < 1:
            raise PeerViolation(ByeCode.PROTOCOL, "a batch has rows, and numbers from 1")
        new = rows[known:] if known else rows
        sizes = [*map(len, new)]
        held = self._held_bytes + sum(sizes)
        messages = len(self._sizes) + len(sizes)
        if messages > self._window[0] or held > self._window[1]:
            raise PeerViolation(
                ByeCode.PROTOCOL,
                f"{messages} envelopes of {held} bytes are unacknowledged, and the window is "
                f"{self._window[0]} and {self._window[1]} bytes",
            )
        if known:
            self.duplicates += len(rows) - len(new)
            if not new:
                return None
        if not self._sizes:
            self._ack_at = now + ACK_S
        self._sizes += sizes
        self._held_bytes = held
        self._arrived += len(sizes)
        return _new_delivery((new, self._base + self._arrived))

    def peer_sent(self, sent: int) -> None:
        """A Beat says how far the peer is; what it sent before must have arrived.

        Raises:
            SequenceGap: The tail was lost.
        """
        if sent > self._arrived:
            raise SequenceGap(self._arrived + 1, sent)

    def handed_over(self, number: int) -> None:
        """Everything up to `number` (of a `Delivery`) has reached its place; acks may say so.

        A number from before the last `restart`, or one said before, changes nothing.

        Raises:
            IllegalStep: It was never delivered.
        """
        handed = number - self._base
        if handed > self._arrived:
            raise IllegalStep("session", f"at {self.delivered}", f"handed_over({number})")
        self._handed = max(self._handed, handed)

    def acknowledge(self) -> int:
        """The `ack` of a parcel that is about to leave; gives the credit back to the peer."""
        count = self._handed - self._told
        if count:
            sizes = self._sizes
            self._held_bytes -= sum(sizes[:count])
            del sizes[:count]
            self._told = self._handed
            if sizes:  # still on their way to their places: one ack per 20 ms is enough for them
                self._ack_at += ACK_S
        return self._handed

    @property
    def ack_deadline(self) -> float | None:
        """When an Ack must leave if nothing else carries it; None while nothing is owed.

        In the past when half the window waits for it.
        """
        owed = self._handed - self._told
        if not owed:
            return None
        messages, size = self._window
        # Summing is only worth it when it can matter.
        if 2 * owed >= messages or (
            2 * self._held_bytes >= size and 2 * sum(self._sizes[:owed]) >= size
        ):
            return 0.0
        return self._ack_at

    def restart(self) -> None:
        """Expect number 1 next."""
        self._base += self._arrived
        self._arrived = self._handed = self._told = 0
        self._sizes.clear()
        self._held_bytes = 0
