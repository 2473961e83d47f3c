"""The wiring of a mob as a picture: text, Mermaid, HTML.

Identities come from files and from people; none of the three forms lets one break out of its
place. Text shows unprintable characters as escapes, Mermaid sees only our own node ids and labels
whose punctuation is written as character codes, HTML is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from actors.domain.tables import (
    ELLIPSIS,
    GAP,
    INDENT,
    NOTHING,
    ROWS_SHOWN,
    WIDTH,
    columns_of,
    html_table,
    printable,
    shorten,
)
from actors.domain.wiring import Edge
from transport.message import Message

NAME_COLUMNS: Final = 40  # of the WIDTH columns of a line; longer names are shortened
ABSENT: Final = "not a member"


class MobGraph(Message):
    """Who is in a mob and who may talk to whom.

    Attributes:
        members: (name, profile) pairs in any order; printed sorted by name.
        edges: Endpoints that are not members are shown as `not a member`.
    """

    members: tuple[tuple[str, str], ...] = ()
    edges: tuple[Edge, ...] = ()

    def peers(self) -> dict[str, tuple[str, ...]]:
        """Every name, sorted, with its sorted peers."""
        peers: dict[str, set[str]] = {name: set() for name in self._profiles()}
        for edge in self.edges:
            peers[edge.a].add(edge.b)
            peers[edge.b].add(edge.a)
        return {name: tuple(sorted(found)) for name, found in peers.items()}

    def text(self, *, limit: int | None = None) -> str:
        """The peers of each member, aligned, at most `WIDTH` columns wide and complete.

        Args:
            limit: Members shown at most, the rest counted; None for all of them.
        """
        profiles = self._profiles()
        shown = list(profiles)[:limit]
        if not shown:
            return "(no members)" if not profiles else _more(len(profiles))
        peers = self.peers()
        names = _column(shown)
        roles = _column([f"({profiles[name]})" for name in shown])
        lines = []
        for name, first, second in zip(shown, names, roles, strict=True):
            lead = first + GAP + second + GAP
            blank = " " * columns_of(lead)
            wrapped = _wrap(peers[name], WIDTH - columns_of(lead))
            lines += [
                ((blank if number else lead) + line).rstrip() for number, line in enumerate(wrapped)
            ]
        if len(profiles) > len(shown):
            lines.append(_more(len(profiles) - len(shown)))
        return "\n".join(lines)

    def mermaid(self) -> str:
        """A Mermaid flowchart; paste it into any Markdown that draws them."""
        profiles = self._profiles()
        nodes = {name: f"n{number}" for number, name in enumerate(profiles)}
        lines = ["graph LR"]
        lines += [
            f'{INDENT}{nodes[name]}["{_label(name)} ({_label(profile)})"]'
            for name, profile in profiles.items()
        ]
        lines += [
            f"{INDENT}{nodes[edge.a]} --- {nodes[edge.b]}" for edge in sorted(set(self.edges))
        ]
        return "\n".join(lines)

    def _profiles(self) -> Mapping[str, str]:
        """Name to profile, sorted by name, endpoints of edges that are no member included."""
        found = dict(self.members)
        for edge in self.edges:
            found.setdefault(edge.a, ABSENT)
            found.setdefault(edge.b, ABSENT)
        return dict(sorted(found.items()))

    def _repr_html_(self) -> str:
        profiles, peers = self._profiles(), self.peers()
        shown = list(profiles)[:ROWS_SHOWN]
        rows = [(name, profiles[name], peers[name]) for name in shown]
        more = len(profiles) - len(shown)
        return html_table(("member", "profile", "wired to"), rows, more=more)

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        # A shell prints this without being asked; 100,000 members must not scroll by.
        return self.text(limit=ROWS_SHOWN)


def _more(count: int) -> str:
    return f"{ELLIPSIS} {count} more"


def _column(texts: Iterable[str]) -> list[str]:
    cells = [shorten(printable(text), NAME_COLUMNS) for text in texts]
    width = max(columns_of(cell) for cell in cells)
    return [cell + " " * (width - columns_of(cell)) for cell in cells]


def _wrap(names: Iterable[str], width: int) -> list[str]:
    """The names joined by commas, in lines of at most `width` columns; at least one line."""
    lines = [""]
    used = 0
    for name in names:
        word = shorten(printable(name), min(width - 1, NAME_COLUMNS))
        size = columns_of(word)
        if used and used + 2 + size + 1 > width:  # room for the comma at the end of the line
            lines[-1] += ","
            lines.append("")
            used = 0
        lines[-1] += f", {word}" if used else word
        used += size + 2 if used else size
    return lines if used else [NOTHING]


def _label(text: str) -> str:
    """The text for use between quotes in Mermaid: letters, digits, `_`, inner `-`, else codes.

    Mermaid knows `#35;` for a character by its number. Even harmless punctuation is written that
    way: a label that starts `1. ` is taken for a list, one with `style:` for a style.
    """
    return "".join(
        character
        if character.isalnum() or character in " _" or (character == "-" and index)
        else f"#{ord(character)};"
        for index, character in enumerate(printable(text))
    )
