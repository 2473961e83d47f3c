"""What every ledger promises, whatever it is made of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from actors.domain.errors import StoreDamaged, StoreError
from actors.domain.events import Emitted, LedgerEvent, MemberHeld, MemberRestarted
from actors.stores import Ledger, LedgerCheck, open_ledger
from actors.stores.ports import Durability


@pytest.fixture(params=["full", "normal", "memory"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    durability: Durability = request.param
    ledger = open_ledger(tmp_path / "state", "panel", durability)
    yield ledger
    ledger.close()


def notes(count: int, first: int = 1) -> list[LedgerEvent]:
    return [MemberHeld(identity=f"risk-{n}", reason="tired") for n in range(first, first + count)]


def cursors(ledger: Ledger, after: int = 0, limit: int = 1000) -> list[int]:
    return [entry.cursor for entry in ledger.read(after, limit)]


def test_a_new_ledger_is_empty_and_sound(ledger: Ledger) -> None:
    assert ledger.head() == 0
    assert ledger.read() == ()
    assert ledger.verify() == LedgerCheck(ok=True, entries=0)


def test_append_gives_the_last_cursor_and_read_gives_the_events_back(ledger: Ledger) -> None:
    events = notes(3)

    head = ledger.append(events, at_ms=1000)

    assert head == ledger.head() == 3
    assert [(entry.cursor, entry.at_ms, entry.event) for entry in ledger.read()] == [
        (1, 1000, events[0]),
        (2, 1000, events[1]),
        (3, 1000, events[2]),
    ]
    assert ledger.verify() == LedgerCheck(ok=True, entries=3)


def test_appending_nothing_gives_the_head_and_changes_nothing(ledger: Ledger) -> None:
    assert ledger.append([], at_ms=9000) == 0
    ledger.append(notes(2), at_ms=1000)

    assert ledger.append((), at_ms=9000) == 2
    ledger.append(notes(1), at_ms=1001)
    assert [entry.at_ms for entry in ledger.read()] == [1000, 1000, 1001]


def test_cursors_are_dense_across_appends(ledger: Ledger) -> None:
    for size in (1, 5, 2, 7):
        ledger.append(notes(size), at_ms=1000)

    assert cursors(ledger) == list(range(1, 16))


def test_display_time_never_runs_backwards(ledger: Ledger) -> None:
    for at_ms in (1000, 400, 1200, -5, 1200, 1201):
        ledger.append(notes(1), at_ms=at_ms)

    assert [entry.at_ms for entry in ledger.read()] == [1000, 1000, 1200, 1200, 1200, 1201]


@pytest.mark.parametrize(
    ("after", "limit", "expected"),
    [
        (0, 3, [1, 2, 3]),
        (3, 3, [4, 5, 6]),
        (8, 5, [9, 10]),
        (9, 1, [10]),
        (10, 5, []),
        (99, 5, []),
        (0, 1000, list(range(1, 11))),
    ],
)
def test_a_page_holds_what_follows_its_cursor(
    ledger: Ledger, after: int, limit: int, expected: list[int]
) -> None:
    ledger.append(notes(10), at_ms=1)

    assert cursors(ledger, after, limit) == expected


@pytest.mark.parametrize(("after", "limit"), [(-1, 10), (0, 0), (0, -3)])
def test_an_impossible_page_is_refused(ledger: Ledger, after: int, limit: int) -> None:
    with pytest.raises(ValueError, match="after must be >= 0 and limit >= 1"):
        ledger.read(after, limit)


def test_pages_put_together_are_the_whole_ledger(ledger: Ledger) -> None:
    for start in range(0, 2500, 250):
        ledger.append(notes(250, start), at_ms=start)

    after, seen = 0, []
    while page := ledger.read(after, 333):
        seen += [(entry.cursor, entry.event) for entry in page]
        after = page[-1].cursor

    assert seen == list(enumerate(notes(2500, 0), start=1))
    assert ledger.verify() == LedgerCheck(ok=True, entries=2500)


def test_long_and_odd_content_comes_back_as_it_was(ledger: Ledger) -> None:
    events: list[LedgerEvent] = [
        Emitted(
            identity="länd-1 🦆", input_id="i\0n", kind="", data='{"a": "' + "x" * 200_000 + '"}'
        ),
        Emitted(identity="b", input_id="2", kind="\u2028", data="null"),
    ]

    ledger.append(events, at_ms=1)

    assert [entry.event for entry in ledger.read()] == events


def test_a_batch_with_something_that_is_no_event_appends_nothing(ledger: Ledger) -> None:
    ledger.append(notes(1), at_ms=1)

    with pytest.raises(TypeError, match="a str is not a ledger event"):
        ledger.append([*notes(2), "not an event"], at_ms=2)  # type: ignore[list-item]  # the point

    assert ledger.head() == 1
    assert ledger.append(notes(1), at_ms=3) == 2
    assert ledger.verify() == LedgerCheck(ok=True, entries=2)


def test_an_event_that_could_not_have_been_made_is_damage_and_not_served(ledger: Ledger) -> None:
    ledger.append(notes(1), at_ms=1)
    impossible = MemberRestarted.model_construct(identity="a", generation=-1, fence=1, reason="")
    ledger.append([impossible], at_ms=1)

    with pytest.raises(StoreDamaged, match="'member_restarted' cannot be decoded") as caught:
        ledger.read()

    assert caught.value.cursor == 2
    check = ledger.verify()
    assert (check.ok, check.entries, check.first_bad) == (False, 1, 2)


def test_appends_of_many_threads_are_taken_one_after_the_other(ledger: Ledger) -> None:
    def add(worker: int) -> None:
        for _ in range(20):
            ledger.append(
                [MemberHeld(identity=f"w-{worker}", reason=str(n)) for n in range(5)], at_ms=1
            )

    workers = [Thread(target=add, args=(n,)) for n in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    held = [entry.event for entry in ledger.read(limit=1000)]
    assert cursors(ledger) == list(range(1, 401))
    # A batch stays together.
    for start in range(0, 400, 5):
        batch = held[start : start + 5]
        assert [event.reason for event in batch if isinstance(event, MemberHeld)] == list("01234")
    assert ledger.verify() == LedgerCheck(ok=True, entries=400)


def test_readers_beside_a_writer_see_a_growing_prefix(ledger: Ledger) -> None:
    problems: list[str] = []

    def follow() -> None:
        after = 0
        while after < 300:
            for entry in ledger.read(after, 50):
                if entry.cursor != after + 1:
                    problems.append(f"{entry.cursor} after {after}")
                after = entry.cursor

    readers = [Thread(target=follow) for _ in range(3)]
    for reader in readers:
        reader.start()
    for _ in range(100):
        ledger.append(notes(3), at_ms=1)
    for reader in readers:
        reader.join()

    assert problems == []


def test_a_closed_ledger_refuses_everything_but_closing(ledger: Ledger) -> None:
    ledger.append(notes(1), at_ms=1)

    ledger.close()
    ledger.close()

    for call in (ledger.head, ledger.read, ledger.verify):
        with pytest.raises(StoreError, match="the ledger is closed"):
            call()
    for events in ([], notes(1)):
        with pytest.raises(StoreError, match="the ledger is closed"):
            ledger.append(events, at_ms=1)
