"""Between events and rows: what every store does before writing and after reading."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from actors.domain.errors import MobError
from actors.domain.events import EVENT_TYPES, Entry, LedgerEvent, decode_event, encode_event
from actors.stores.chain import BrokenLink, Row, genesis, verify
from actors.stores.ports import LedgerCheck
from actors.stores.witness import Claim


def parts_of(events: Sequence[LedgerEvent]) -> list[tuple[str, bytes]]:
    """Encode each event once, as the ``(tag, body)`` that is hashed and stored.

    Raises:
        TypeError: something is not an event of the closed list. Stored, it could never be read
            again, and the ledger would count as damaged.
        ValueError: an event cannot be encoded, such as a text with half a character.
    """
    parts: list[tuple[str, bytes]] = []
    for event in events:
        if EVENT_TYPES.get(getattr(event, "tag", "")) is not type(event):
            raise TypeError(f"a {type(event).__qualname__} is not a ledger event")
        parts.append((event.tag, encode_event(event)))
    return parts


def entry_of(row: Row) -> Entry:
    """Make the entry a row stands for.

    Raises:
        BrokenLink: the body is not an event we know; written by a newer program, or damaged
            before it was hashed.
    """
    cursor, at_ms, tag, body, _ = row
    try:
        return Entry(cursor=cursor, at_ms=at_ms, event=decode_event(tag, body))
    except (MobError, ValueError) as error:
        # Only the kind of the error: a decoder's message may repeat the payload.
        problem = f"its event {tag!r} cannot be decoded ({type(error).__name__})"
        raise BrokenLink(cursor, problem) from error


def check_rows(rows: Iterable[Row], mob: str, claim: Claim | None = None) -> LedgerCheck:
    """Check a whole ledger, row by row in flat memory: density, chain, events and the witness.

    Args:
        rows: From cursor 1 on. May raise BrokenLink itself where it cannot be read further.
        mob: Whose ledger it is; decides the genesis.
        claim: What the witness says must be there.
    """
    head = genesis(mob)
    try:
        for row in rows:
            head = verify((row,), head)
            entry_of(row)
            if claim is not None and claim.cursor == head.cursor and claim.hash != head.hash:
                raise BrokenLink(head.cursor, "another entry was acknowledged here")
        if claim is not None and claim.cursor > head.cursor:
            raise BrokenLink(head.cursor + 1, missing(claim.cursor))
    except BrokenLink as broken:
        return LedgerCheck(
            ok=False, entries=broken.cursor - 1, first_bad=broken.cursor, problem=broken.problem
        )
    return LedgerCheck(ok=True, entries=head.cursor)


def missing(acknowledged: int) -> str:
    """Say that a ledger ends too early."""
    return f"the entries from here to {acknowledged} were acknowledged and are missing"
