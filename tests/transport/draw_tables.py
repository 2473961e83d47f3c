"""The tables of `transport.states` as Markdown, for docs/wire.md.

python -m tests.transport.draw_tables      print what has to stand there
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import TypeVar

from transport.states import LINK_TABLE, SESSION_TABLE, LinkInput, SessionInput

StateT = TypeVar("StateT", bound=Enum)
InputT = TypeVar("InputT", bound=Enum)


def draw(table: Mapping[StateT, Mapping[InputT, StateT]], inputs: Iterable[InputT]) -> str:
    """One row per state, one column per input; a dot where the input is not taken."""
    columns = list(inputs)
    lines = [
        ["", *(each.value for each in columns)],
        ["---"] * (len(columns) + 1),
        *(
            [f"**{state.value}**", *(row[each].value if each in row else "·" for each in columns)]
            for state, row in table.items()
        ),
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def drawings() -> dict[str, str]:
    """The drawing of each machine by its name."""
    return {
        "link": draw(LINK_TABLE, LinkInput),
        "session": draw(SESSION_TABLE, SessionInput),
    }


if __name__ == "__main__":
    sys.stdout.write("\n\n".join(drawings().values()) + "\n")
