"""What `system.links()` says of a peer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LinkReport:
    """One peer on one channel; sent = acknowledged + ambiguous + in_flight.

    Attributes:
        state: connecting, ready, suspect, held (its member loop stands) or gone.
        sent, acknowledged, ambiguous, in_flight: Envelopes of this side: taken, handed over by
            the peer, unknown because the session died, on their way.
        received, duplicates: Envelopes of the peer.
        asked: Asks, watches and stops whose answer has not come.
        parked: Messages that wait for room in a mailbox here.
    """

    node: str
    channel: str
    state: str
    sent: int
    acknowledged: int
    ambiguous: int
    in_flight: int
    received: int
    duplicates: int
    asked: int
    parked: int
