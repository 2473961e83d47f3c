"""The tables of link and session: every state with every input; docs/wire.md shows the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.transport.draw_tables import drawings
from transport.errors import IllegalStep
from transport.states import (
    LINK_TABLE,
    SESSION_TABLE,
    LinkInput,
    LinkState,
    SessionInput,
    SessionState,
    step_link,
    step_session,
)

WIRE_PAGE = Path(__file__).resolve().parents[2] / "docs" / "wire.md"
L, I = LinkState, LinkInput  # noqa: E741 -- a grid wants short names
S, J = SessionState, SessionInput

# Row by row, in the order of the inputs; None: not taken.
LINK_GRID: dict[LinkState, tuple[LinkState | None, ...]] = {
    # opened, greeted, heard, quiet, closed, ended
    L.NEW: (L.GREETING, None, None, None, None, L.GONE),
    L.GREETING: (L.GREETING, L.READY, None, None, L.CUT, L.GONE),
    L.READY: (L.GREETING, None, L.READY, L.SILENT, L.CUT, L.GONE),
    L.SILENT: (L.GREETING, None, L.READY, None, L.CUT, L.GONE),
    L.CUT: (L.GREETING, None, None, None, None, L.GONE),
    L.GONE: (None, None, None, None, None, None),
}
SESSION_GRID: dict[SessionState, tuple[SessionState | None, ...]] = {
    # propose, begin, resume, pause, end
    S.IDLE: (S.PROPOSED, S.OPEN, None, S.IDLE, S.IDLE),
    S.PROPOSED: (S.PROPOSED, S.OPEN, None, S.PROPOSED, S.IDLE),
    S.OPEN: (None, None, None, S.PAUSED, S.IDLE),
    S.PAUSED: (S.PAUSED, None, S.OPEN, S.PAUSED, S.IDLE),
}

Step = Callable[[Any, Any], Enum]  # Any: two machines, one test
CELLS: list[tuple[Step, Mapping[Any, tuple[Enum | None, ...]], Enum, Enum, int]] = [
    *((step_link, LINK_GRID, a, b, i) for a, (i, b) in product(L, enumerate(I))),
    *((step_session, SESSION_GRID, a, b, i) for a, (i, b) in product(S, enumerate(J))),
]


def label(value: object) -> str | None:
    return str(value) if isinstance(value, Enum) else ""


@pytest.mark.parametrize(("step", "grid", "state", "happened", "column"), CELLS, ids=label)
def test_a_step_is_taken_as_the_grid_says_or_refused(
    step: Step,
    grid: Mapping[Any, tuple[Enum | None, ...]],
    state: Enum,
    happened: Enum,
    column: int,
) -> None:
    expected = grid[state][column]

    if expected is None:
        with pytest.raises(IllegalStep) as refused:
            step(state, happened)

        assert (refused.value.state, refused.value.tried) == (state.value, happened.value)
    else:
        assert step(state, happened) is expected


def test_the_tables_cannot_be_changed() -> None:
    for table in (LINK_TABLE, SESSION_TABLE):
        with pytest.raises(TypeError):
            table[next(iter(table))] = {}  # type: ignore[index]  # that is the point


def test_a_gone_link_never_comes_back_and_every_other_state_leads_there() -> None:
    assert not LINK_TABLE[L.GONE]
    assert all(LINK_TABLE[state][I.ENDED] is L.GONE for state in L if state is not L.GONE)


@pytest.mark.parametrize("name", drawings())
def test_the_page_shows_the_table_as_it_is(name: str) -> None:
    assert drawings()[name] in WIRE_PAGE.read_text(encoding="utf-8")
