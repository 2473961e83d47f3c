"""The hash chain: what continues, and everything that does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.stores.chain import HASH_BYTES, BrokenLink, Row, extend, genesis, link, verify

PARTS = st.lists(st.tuples(st.text(max_size=8), st.binary(max_size=40)), max_size=12)
SOME_PARTS = st.lists(
    st.tuples(st.text(max_size=8), st.binary(max_size=40)), min_size=2, max_size=12
)
TIMES = st.integers(min_value=-(2**63), max_value=2**63 - 1)


def broken_at(rows: list[Row], mob: str = "panel") -> int:
    with pytest.raises(BrokenLink) as caught:
        verify(rows, genesis(mob))
    return caught.value.cursor


@given(PARTS, TIMES)
def test_what_was_extended_verifies_to_the_same_head(
    parts: list[tuple[str, bytes]], at_ms: int
) -> None:
    rows, head = extend(genesis("panel"), parts, at_ms)

    found = verify(iter(rows), genesis("panel"))

    assert found == head
    assert [row[0] for row in rows] == list(range(1, len(parts) + 1))


@given(PARTS, PARTS, TIMES, TIMES)
def test_two_batches_are_one_chain(
    first: list[tuple[str, bytes]], second: list[tuple[str, bytes]], early: int, late: int
) -> None:
    rows, middle = extend(genesis("panel"), first, early)
    more, head = extend(middle, second, late)

    assert verify(more, middle) == verify(rows + more, genesis("panel")) == head
    assert head.cursor == len(first) + len(second)


@given(PARTS, TIMES, TIMES)
def test_time_never_runs_backwards(parts: list[tuple[str, bytes]], early: int, late: int) -> None:
    rows, middle = extend(genesis("panel"), parts, early)
    more, _ = extend(middle, parts, late)

    shown = [row[1] for row in rows + more]
    assert shown == sorted(shown)
    assert all(at_ms in (0, early, late) for at_ms in shown)


def test_nothing_added_keeps_the_head_and_its_time() -> None:
    _, head = extend(genesis("panel"), [("note", b"x")], 5)

    assert extend(head, [], 99) == ([], head)


@given(SOME_PARTS, st.data())
def test_any_changed_value_breaks_at_its_row(
    parts: list[tuple[str, bytes]], data: st.DataObject
) -> None:
    rows, _ = extend(genesis("panel"), parts, 7)
    index = data.draw(st.integers(0, len(rows) - 1))
    cursor, at_ms, tag, body, stored = rows[index]
    changed: Row = data.draw(
        st.sampled_from(
            [
                (cursor, at_ms + 1, tag, body, stored),
                (cursor, at_ms, tag + "x", body, stored),
                (cursor, at_ms, tag, body + b"\0", stored),
                (cursor, at_ms, tag, body, stored[:-1] + bytes([stored[-1] ^ 1])),
                (cursor, at_ms, tag, body, stored[:-1]),
            ]
        )
    )
    rows[index] = changed

    assert broken_at(rows) == cursor


@given(SOME_PARTS, st.data())
def test_a_dropped_row_breaks_where_it_was(
    parts: list[tuple[str, bytes]], data: st.DataObject
) -> None:
    rows, _ = extend(genesis("panel"), parts, 7)
    index = data.draw(st.integers(0, len(rows) - 2))
    del rows[index]

    assert broken_at(rows) == index + 1


@given(SOME_PARTS)
def test_swapped_rows_break_at_the_first(parts: list[tuple[str, bytes]]) -> None:
    rows, _ = extend(genesis("panel"), parts, 7)
    rows[0], rows[1] = rows[1], rows[0]

    assert broken_at(rows) == 1


def test_a_row_of_another_mob_does_not_fit() -> None:
    rows, _ = extend(genesis("panel"), [("note", b"x")], 7)

    assert broken_at(rows, mob="panels") == 1


def test_a_byte_cannot_move_from_the_tag_into_the_body() -> None:
    start = genesis("panel").hash

    assert link(start, 1, 0, "ab", b"c") != link(start, 1, 0, "a", b"bc")
    assert len(link(start, 1, 0, "ab", b"c")) == HASH_BYTES


@pytest.mark.parametrize(
    "row",
    [
        (1, "7", "note", b"x", b""),
        (1, 2**63, "note", b"x", b""),
        (1, 7, b"note", b"x", b""),
        (1, 7, "note", "x", b""),
        (1, 7, "note", None, b""),
        (1, 7, "\ud800", b"x", b""),
    ],
    ids=["text time", "huge time", "blob tag", "text body", "null body", "half a character"],
)
def test_a_value_of_the_wrong_type_is_a_broken_link(row: Row) -> None:
    with pytest.raises(BrokenLink, match="cursor 1: a value is not of its column's type"):
        verify([row], genesis("panel"))


def test_a_cursor_that_is_no_number_is_a_gap() -> None:
    with pytest.raises(BrokenLink, match="cursor 1: the next row has cursor None"):
        verify([(None, 7, "note", b"x", b"")], genesis("panel"))  # type: ignore[list-item]  # as damage would
