"""The hash chain of a ledger: pure, so that every store keeps the same one.

Each row carries ``hash_n = BLAKE2b-256(hash_{n-1} || cursor || at_ms || len(tag) || tag || body)``
and ``hash_0``, the genesis, is made from the mob's id. Whoever holds one trusted hash can therefore
tell whether anything before it was changed, dropped, swapped or added, and a row of another mob's
ledger never fits. SQLite's own check finds few single-bit flips (``reference/reliability.md`` F9:
11 of 300), which is why the ledger does not rely on it.

The tag's length is hashed before the tag, so that a byte cannot move from the tag into the body
unnoticed; all other parts have a fixed length or come last.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from hashlib import blake2b
from typing import NamedTuple, TypeAlias

HASH_BYTES = 32

# Signed 64 bits as in SQLite's INTEGER; the tag's length is in bytes of UTF-8.
_HEADER = struct.Struct(">qqI")
_GENESIS = b"mob-actors ledger 1\0"

Row: TypeAlias = tuple[int, int, str, bytes, bytes]
"""``(cursor, at_ms, tag, body, hash)``, in the order of the table's columns."""


class Head(NamedTuple):
    """The end of a chain: what the next row continues.

    ``at_ms`` is the display time of the last row (0 for an empty chain).
    """

    cursor: int
    at_ms: int
    hash: bytes


class BrokenLink(ValueError):
    """A row does not continue the chain before it.

    ``cursor`` is the first place that cannot be trusted (the one expected there, whatever the row
    says it is), ``problem`` one clause saying what was found.
    """

    def __init__(self, cursor: int, problem: str) -> None:
        super().__init__(cursor, problem)
        self.cursor = cursor
        self.problem = problem

    def __str__(self) -> str:
        return f"the chain breaks at cursor {self.cursor}: {self.problem}"


def genesis(mob: str) -> Head:
    """Say where the ledger of ``mob`` starts: cursor 0 and a hash no other mob has."""
    return Head(0, 0, blake2b(_GENESIS + mob.encode(), digest_size=HASH_BYTES).digest())


def link(previous: bytes, cursor: int, at_ms: int, tag: str, body: bytes) -> bytes:
    """Give the 32-byte hash of one row.

    Raises:
        TypeError, AttributeError, struct.error, UnicodeEncodeError: a part is not of its type or
            not in the range of 64 bits, as can be read from a damaged file.
    """
    raw_tag = tag.encode()
    header = _HEADER.pack(cursor, at_ms, len(raw_tag))
    return blake2b(previous + header + raw_tag + body, digest_size=HASH_BYTES).digest()


def extend(head: Head, parts: Iterable[tuple[str, bytes]], at_ms: int) -> tuple[list[Row], Head]:
    """Make the rows that continue ``head``, one for each ``(tag, body)``, and the new head.

    Cursors are dense. Every row gets the display time ``max(head.at_ms, at_ms)``: time never runs
    backwards in a ledger, and order is the cursor's business alone (``reference/reliability.md``
    M11). No parts, no rows, and ``head`` itself comes back.
    """
    cursor, last_ms, previous = head
    shown_ms = max(last_ms, at_ms)
    rows: list[Row] = []
    for tag, body in parts:
        cursor += 1
        previous = link(previous, cursor, shown_ms, tag, body)
        rows.append((cursor, shown_ms, tag, body, previous))
    return (rows, Head(cursor, shown_ms, previous)) if rows else (rows, head)


def verify(rows: Iterable[Row], after: Head) -> Head:
    """Check that ``rows`` continue ``after`` without a gap, and give the head they lead to.

    The rows are read once, in order, and not kept: an iterator over a table of any size will do.

    Raises:
        BrokenLink: at the first row which is not the next one or whose hash is not the one its
            content and its predecessor give.
    """
    cursor, at_ms, previous = after
    for found, at_ms, tag, body, stored in rows:
        cursor += 1
        if found != cursor:
            raise BrokenLink(cursor, f"the next row has cursor {found!r}")
        try:
            previous = link(previous, cursor, at_ms, tag, body)
        except (TypeError, AttributeError, struct.error, UnicodeEncodeError) as error:
            raise BrokenLink(cursor, "a value is not of its column's type") from error
        if previous != stored:
            raise BrokenLink(cursor, "its hash does not match its content and its predecessor")
    return Head(cursor, at_ms, previous)
