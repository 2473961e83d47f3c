"""One wrong byte: reported, never served (``reference/reliability.md`` G14)."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from actors.domain.errors import StoreDamaged, StoreError
from actors.domain.events import Emitted, Entry, LedgerEvent, MemberHeld
from actors.stores import SqliteLedger, verify_store
from actors.stores.storefile import LEDGER_FILE
from actors.stores.witness import WITNESS_FILE

FLIPS = 100


def history(count: int) -> list[LedgerEvent]:
    chance = Random(count)
    return [
        MemberHeld(identity=f"risk-{n}", reason="because " * chance.randrange(1, 20))
        if n % 40
        else Emitted(
            identity="lead", input_id=str(n), kind="note", data=f'"{chance.randbytes(4000).hex()}"'
        )
        for n in range(count)
    ]


def flip(file: Path, position: int, bits: int) -> None:
    with file.open("r+b") as raw:
        raw.seek(position)
        old = raw.read(1)[0]
        raw.seek(position)
        raw.write(bytes([old ^ bits]))


def served(state_dir: Path) -> list[Entry]:
    """Everything a mob would get out of the store, page by page."""
    entries: list[Entry] = []
    with closing(SqliteLedger(state_dir, "panel")) as ledger:
        while page := ledger.read(len(entries), 64):
            entries += page
        assert ledger.head() == len(entries)
    return entries


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Entry]]:
    """A store that was closed properly, and what is in it."""
    state_dir = tmp_path_factory.mktemp("closed")
    with closing(SqliteLedger(state_dir, "panel")) as ledger:
        for start in range(0, 1500, 300):
            ledger.append(history(1500)[start : start + 300], at_ms=start)
    return state_dir, served(state_dir)


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Entry]]:
    """A store as a killed process leaves it, half of it in the log, and what is in it."""
    running = tmp_path_factory.mktemp("running")
    state_dir = tmp_path_factory.mktemp("killed") / "state"
    with closing(SqliteLedger(running, "panel")) as ledger:
        ledger.append(history(200), at_ms=1)
    with closing(SqliteLedger(running, "panel")) as ledger:
        ledger.append(history(200), at_ms=2)
        ledger.append(history(100), at_ms=3)
        shutil.copytree(running, state_dir)
        return state_dir, list(ledger.read())


def row_positions(state_dir: Path, entries: list[Entry]) -> list[int]:
    """Give the places of bytes that belong to rows, by where their texts stand in the file.

    A row is a list of types, seven bytes here, and then time, tag, body and hash. One of the types
    is left out: the cursor is the row's key, so that SQLite ignores what the row says about it,
    and the entry stays what it was whatever happens to that byte.
    """
    raw = (state_dir / LEDGER_FILE).read_bytes()
    positions: list[int] = []
    for entry in entries:
        body = entry.event.model_dump_json().encode()
        text = body[:400]
        if raw.count(text) == 1:  # a page that was split leaves dead copies behind
            start = raw.index(text)
            time_bytes = 0 if entry.at_ms == 0 else 2
            types = start - len(entry.event.tag) - time_bytes - 7
            assert raw[types : types + 2] == b"\x07\x00"
            # The hash follows the body, when the row is short enough to have no overflow pages.
            end = start + len(text) + (32 if len(body) < 400 else 0)
            positions += [types, *range(types + 2, end)]
    return positions


def test_a_flipped_byte_in_a_row_is_reported_and_not_served(
    closed: tuple[Path, list[Entry]], tmp_path: Path
) -> None:
    original, entries = closed
    positions = row_positions(original, entries)
    assert len(positions) > 100_000
    chance = Random(11)

    unnoticed = []
    for number in range(FLIPS):
        state_dir = tmp_path / str(number)
        shutil.copytree(original, state_dir)
        position, bits = chance.choice(positions), 1 << chance.randrange(8)
        flip(state_dir / LEDGER_FILE, position, bits)

        if verify_store(state_dir).ok:
            unnoticed.append((position, bits))
        with pytest.raises(StoreDamaged):
            served(state_dir)

    assert unnoticed == []


@pytest.mark.parametrize("name", [LEDGER_FILE, f"{LEDGER_FILE}-wal", WITNESS_FILE])
def test_a_flipped_byte_anywhere_gives_the_right_answer_or_an_error(
    killed: tuple[Path, list[Entry]], tmp_path: Path, name: str
) -> None:
    original, entries = killed
    size = (original / name).stat().st_size
    chance = Random(name)

    wrong = []
    for number in range(FLIPS):
        state_dir = tmp_path / str(number)
        shutil.copytree(original, state_dir)
        position, bits = chance.randrange(size), 1 << chance.randrange(8)
        if number < 40:
            position %= 120  # the headers, where a bit means most
        flip(state_dir / name, min(position, size - 1), bits)

        try:
            sound = verify_store(state_dir).ok
        except StoreError:
            sound = False
        try:
            right = served(state_dir) == entries
        except StoreError:
            right = True
        if not right:
            wrong.append((position, bits, sound))

    assert wrong == []


def test_a_truncated_file_is_reported_and_not_served(
    closed: tuple[Path, list[Entry]], tmp_path: Path
) -> None:
    original, _ = closed
    size = (original / LEDGER_FILE).stat().st_size
    for number, length in enumerate((200, 4096, size // 2, size - 4096, size - 1)):
        state_dir = tmp_path / str(number)
        shutil.copytree(original, state_dir)
        with (state_dir / LEDGER_FILE).open("r+b") as raw:
            raw.truncate(length)

        assert not verify_store(state_dir).ok
        with pytest.raises(StoreDamaged):
            served(state_dir)
