"""What the session layer costs per envelope, without codec and sockets.

    python -m tests.transport.session_speed [ROWS_PER_BATCH]

Two links in one process: one offers and sends, the other receives and hands over. Prints the best
of several rounds, in nanoseconds per envelope, for the sender and for the receiver.
"""

from __future__ import annotations

import sys
import time

from transport.events import Delivery
from transport.greeting import LocalNode
from transport.link import Link
from transport.parcels import Batch
from transport.session import Session

ROUNDS = 7
BATCHES = 2000
ROW = b"x" * 200


def connected() -> tuple[Link[int], Link[int]]:
    """Two links that have exchanged their Hellos."""
    a: Link[int] = Link(LocalNode("a", b"a" * 16, "data"), Session())
    b: Link[int] = Link(LocalNode("b", b"b" * 16, "data"), Session())
    a.dialled(0, 0.0, key="key of b", fresh=b"s" * 16)
    ((_, hello),) = a.parcels(0.0)
    b.accepted(0, hello, 0.0, key="key of a")
    ((_, answer),) = b.parcels(0.0)
    a.receive(0, answer, 0.0)
    a.events()
    b.events()
    return a, b


def measure(rows_per_batch: int) -> tuple[float, float]:
    """Nanoseconds per envelope of the sender and the receiver."""
    a, b = connected()
    sender = receiver = 0
    now = 0.0
    clock = time.perf_counter_ns
    for _ in range(BATCHES):
        now += 0.0002
        began = clock()
        offer = a.session.offer
        for token in range(rows_per_batch):
            offer(ROW, token)
        parcels = a.parcels(now)
        half = clock()
        for connection, parcel in parcels:
            b.receive(connection, parcel, now)
        for event in b.events():
            assert isinstance(event, Delivery)
            b.session.handed_over(event.number)
        acks = b.parcels(now)
        receiver += clock() - half
        sender += half - began
        assert isinstance(parcels[0][1], Batch)
        began = clock()
        for connection, parcel in acks:
            a.receive(connection, parcel, now)
        a.events()
        sender += clock() - began
    rows = BATCHES * rows_per_batch
    return sender / rows, receiver / rows


def main(arguments: list[str]) -> None:
    for rows in map(int, arguments or ["1", "16", "64", "256"]):
        figures = [measure(rows) for _ in range(ROUNDS)]
        sender, receiver = (min(column) for column in zip(*figures, strict=True))
        sys.stdout.write(
            f"{rows:4} rows a batch: sender {sender:6.0f} ns/row, receiver {receiver:6.0f} ns/row\n"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
