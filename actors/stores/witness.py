"""A second opinion on how far a ledger goes, kept beside the SQLite file.

A hash chain proves that nothing *inside* it changed; it cannot prove that nothing was cut off its
end. SQLite cannot either: a damaged or deleted write-ahead log is, by its rules, a log that ended
earlier, so that acknowledged entries vanish without an error. After each commit the store
therefore writes ``(cursor, hash)`` of its head into 48 bytes of their own; a file that ends earlier
or holds another row there is damaged (``reference/reliability.md`` G14, X9).

The witness must never be ahead of the disk, so it is written only after a commit that has been
synced: never under ``durability="normal"``, where a power loss may take the last commits and that
is no damage. It is not synced itself: an old claim is still a true one. A witness that cannot be
read or written is treated as absent; the ledger is the truth, and an append that is durable must
not fail because of a note about it.
"""

from __future__ import annotations

import os
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from struct import Struct
from typing import NamedTuple

from actors.stores.chain import HASH_BYTES

WITNESS_FILE = "ledger.head"

_CONTENT = Struct(f">q{HASH_BYTES}s")
_CHECK_BYTES = 8


class Claim(NamedTuple):
    """The row at ``cursor`` exists and has this hash."""

    cursor: int
    hash: bytes


class Witness:
    """The file, open for writing from construction to `close`."""

    def __init__(self, path: Path) -> None:
        self._fd = -1
        with suppress(OSError):
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def write(self, claim: Claim) -> None:
        """Replace the claim; one small write, about a microsecond, no sync."""
        content = _CONTENT.pack(*claim)
        with suppress(OSError):
            os.pwrite(self._fd, content + _check(content), 0)

    def close(self) -> None:
        """Close the file; closing twice does nothing."""
        fd, self._fd = self._fd, -1
        with suppress(OSError):
            os.close(fd)


def read_claim(path: Path) -> Claim | None:
    """Give the claim in the file, or None when there is no file or no whole claim in it."""
    try:
        raw = path.read_bytes()
    except OSError:
        return None
    content = raw[: _CONTENT.size]
    if len(content) != _CONTENT.size or raw[_CONTENT.size :] != _check(content):
        return None
    return Claim(*_CONTENT.unpack(content))


def _check(content: bytes) -> bytes:
    return blake2b(content, digest_size=_CHECK_BYTES).digest()
