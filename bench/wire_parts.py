"""Our side, one part of the way of a remote message at a time, without a socket.

Nanoseconds per message, best of several rounds. What CURVE takes is the difference between the rows
over tcp + CURVE and ipc of raw pyzmq; what validation takes, the difference between the two rows
that decode.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import msgpack

from bench.ours_remote import Add
from transport.codec import decode_message, encode_message, pack_envelope, unpack_envelope
from transport.envelope import Envelope, Kind
from transport.inbound import Inbound
from transport.outbound import Outbound

ROUNDS: Final = 5
BATCH: Final = 256
WINDOW: Final = (1_024, 4 * 1024 * 1024)

MESSAGE: Final = Add(n=1)
TAG, VERSION = MESSAGE.wire_tag, MESSAGE.wire_version
PAYLOAD: Final = encode_message(MESSAGE)
ENVELOPE: Final = Envelope(Kind.TELL, 0, "counter", tag=TAG, version=VERSION, payload=PAYLOAD)
ROW: Final = pack_envelope(ENVELOPE)


def best(count: int, work: Callable[[], object], each: int = 1) -> float:
    """Return nanoseconds per message; `work` handles `each` of them."""
    found = []
    turns = max(count // each // ROUNDS, 1)
    for _ in range(ROUNDS):
        start = time.perf_counter_ns()
        for _ in range(turns):
            work()
        found.append((time.perf_counter_ns() - start) / turns / each)
    return min(found)


def envelope() -> None:
    """Pack an envelope and unpack it."""
    unpack_envelope(pack_envelope(ENVELOPE))


def sessions() -> Callable[[], None]:
    """One direction of a session at both ends, a batch at a time."""
    out: Outbound[None] = Outbound(WINDOW)
    inbound = Inbound(WINDOW)

    def work() -> None:
        for _ in range(BATCH):
            out.offer(ROW, None)
        for batch in out.batches(0):
            delivery = inbound.receive(batch, 0.0)
            assert delivery is not None
            inbound.handed_over(delivery.number)
        out.acknowledge(inbound.acknowledge())

    return work


def close() -> None:
    """Leave nothing to end."""


MEASURES: Final[dict[str, Callable[[int], float]]] = {
    "encode": lambda count: best(count, lambda: encode_message(MESSAGE)),
    "unpack": lambda count: best(count, lambda: msgpack.unpackb(PAYLOAD, use_list=False)),
    "decode": lambda count: best(count, lambda: decode_message(TAG, VERSION, PAYLOAD)),
    "envelope": lambda count: best(count, envelope),
    "session": lambda count: best(count, sessions(), BATCH),
}
