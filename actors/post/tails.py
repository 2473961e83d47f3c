"""The tails of rows that came lately: what is said again and again need not be unpacked again.

Only what `unpack_envelope` has taken is remembered, and it is found by equal bytes. Owned by the
loop of its line's branch.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from transport.envelope import Envelope, Kind
from transport.heads import opening_of, payload_behind

TAILS: Final = 256  # that are remembered per peer
LENGTHS: Final = 8  # that they may have
TAIL_BYTES: Final = 512  # of one
HEADER_BYTES: Final = (2, 3, 5)  # of payloads


class Tail(NamedTuple):
    """What the tail of a row says."""

    target: str
    tag: str
    version: int
    chain: tuple[str, ...]


class Tails:
    """Those of one peer."""

    def __init__(self) -> None:
        self._tails: dict[bytes, Tail] = {}
        self._lengths: tuple[int, ...] = ()

    def find(self, row: bytes, start: int) -> tuple[Tail, int] | None:
        """The tail of a row, which begins at `start`, and where it ends; None: it is not known."""
        for size in self._lengths:
            end = start + size
            tail = self._tails.get(row[start:end])
            if tail is not None:
                return tail, end
        return None

    def know(self, row: bytes, envelope: Envelope) -> None:
        """Remember the tail of a message that is told or asked, without a deadline."""
        opening = opening_of(row)
        if opening is None or envelope.kind is Kind.SEND or envelope.left_ms >= 0:
            return
        start = opening[2]
        behind = len(row) - len(envelope.payload)
        ends = (behind - size for size in HEADER_BYTES)
        end = next((end for end in ends if payload_behind(end, row) is not None), len(row))
        size = end - start
        if size >= TAIL_BYTES:
            return
        if len(self._tails) >= TAILS or len(self._lengths) >= LENGTHS:
            self._tails.clear()
            self._lengths = ()
        tail = Tail(envelope.target, envelope.tag, envelope.version, envelope.chain)
        self._tails[row[start:end]] = tail
        if size not in self._lengths:
            self._lengths = (size, *self._lengths)
