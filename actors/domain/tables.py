"""Reports that print well: small text tables in a terminal, escaped HTML in a notebook.

`Report` is the base of everything a mob answers with; `Rows` is a tuple of reports that prints as
one table. Both are pure and deterministic: the same values give the same text on every machine.

Two promises hold for any content, hostile content included:

- A line is at most `WIDTH` columns wide, counted as a terminal counts them (a CJK character takes
  two); what does not fit is shortened with an ellipsis, and a long collection says how many items
  it has.
- Nothing a value contains can move the cursor, start a new line or change the reading direction:
  every character that is not printable is shown as its escape (`\\n`, `\\x1b`, `\\u202e`). In HTML
  every cell is escaped as well.

Source: design §7 ("they print as small tables in a terminal and as HTML in a notebook").
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from enum import Enum
from html import escape
from itertools import islice
from typing import ClassVar, Final, SupportsIndex, TypeVar, overload

from transport.message import Message

WIDTH: Final = 100  # columns; two terminals side by side on a laptop, and the width of our code
ROWS_SHOWN: Final = 100  # rows of one printed table; the rest is counted in the last line
NESTED_ROWS_SHOWN: Final = 20  # the same for a table inside a report
ITEMS_SHOWN: Final = 30  # items of a collection looked at for one cell
HTML_CELL: Final = 1000  # columns of one HTML cell, which wraps by itself
NARROWEST: Final = 4  # columns; below this a cell says nothing, so columns are left out instead
COMFORTABLE: Final = 12  # columns; most names and numbers fit
GAP: Final = "  "
INDENT: Final = "  "
ELLIPSIS: Final = "…"
NOTHING: Final = "-"

R = TypeVar("R", bound=Message)


# Characters and widths


def printable(text: str) -> str:
    """The text with every character that could disturb a terminal replaced by its escape.

    Printable characters stay as they are, a backslash included: the result is for reading, not
    for decoding.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def columns_of(text: str) -> int:
    """How many terminal columns a printable text takes: 0, 1 or 2 for each character."""
    if text.isascii():
        return len(text)
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def shorten(text: str, width: int) -> str:
    """The text in at most `width` (1 or more) columns; a cut text ends with an ellipsis."""
    # A terminal column holds at most a few combining marks in honest text; thousands of them on
    # one letter take no columns but still flood a screen, so the length is bounded too.
    if len(text) <= 4 * width and columns_of(text) <= width:
        return text
    kept: list[str] = []
    room = width - 1
    for character in islice(text, 4 * width):
        room -= _columns(character)
        if room < 0:
            break
        kept.append(character)
    return "".join(kept) + ELLIPSIS


def _pad(text: str, width: int, *, right: bool = False) -> str:
    blanks = " " * (width - columns_of(text))
    return blanks + text if right else text + blanks


# Cells


def cell(value: object) -> str:
    """One value as one printable line of bounded length, whatever it contains."""
    return shorten(printable(_cell(value)[: 4 * HTML_CELL]), HTML_CELL)


def _cell(value: object) -> str:
    match value:
        case None:
            return NOTHING
        case Enum():
            return _cell(value.value)
        case bool():
            return "yes" if value else "no"
        case float():
            return _number(value)
        case str():
            return value if value.strip() else repr(value)
        case bytes():
            return f"{len(value)} bytes"
        case Report():
            return _one_line(value)
        case Mapping():
            return _items(
                (f"{key}={_cell(value[key])}" for key in sorted(value, key=str)), len(value)
            )
        case Set():
            return _items(sorted(_cell(item) for item in value), len(value))
        case tuple() | list():
            return _items((_cell(item) for item in value), len(value))
        case _:
            return str(value)


def _number(value: float) -> str:
    if value and not 0.001 <= abs(value) < 1e15:  # also NaN, which no comparison accepts
        return f"{value:.3g}"
    return f"{value:.3f}".rstrip("0").rstrip(".")


def _items(items: Iterable[str], count: int) -> str:
    if not count:
        return NOTHING
    shown = ", ".join(islice(items, ITEMS_SHOWN))
    return f"({count}) {shown}, {ELLIPSIS}" if count > ITEMS_SHOWN else shown


def _one_line(report: Report) -> str:
    fields = (f"{name}={_cell(value)}" for name, value in _fields(report))
    return f"{type(report).__name__}({', '.join(fields)})"


def _fields(report: Message) -> list[tuple[str, object]]:
    return [(name, getattr(report, name)) for name in type(report).model_fields]


def _is_table(value: object) -> bool:
    return isinstance(value, tuple) and bool(value) and all(isinstance(x, Report) for x in value)


# Text


def text_table(
    headers: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    width: int = WIDTH,
    more: int = 0,
) -> str:
    """Rows under headers, aligned, numbers to the right, in at most `width` columns.

    The widest columns are shortened first, the first column (it names the row) last. Columns that
    would get fewer than `NARROWEST` columns are left out from the right and named in a last line.

    Args:
        headers: Column names, 1 or more.
        rows: One sequence of values per row, each as long as `headers`.
        width: Terminal columns of the longest line.
        more: Rows that exist but are not given; they are only counted below the table.
    """
    cells = [[cell(value) for value in row] for row in rows]
    names = [cell(name) for name in headers]
    natural = [
        min(width, max(columns_of(line[index]) for line in [names, *cells]))
        for index in range(len(names))
    ]
    widths = _fit(natural, width)
    right = [
        bool(rows) and all(_is_number(row[index]) for row in rows) for index in range(len(widths))
    ]
    rule = ["-" * size for size in widths]
    lines = [_line(line, widths, right) for line in [names, rule, *cells]]
    if more:
        lines.append(shorten(f"{ELLIPSIS} {more} more, {len(rows) + more} in all", width))
    if len(widths) < len(names):
        missing = ", ".join(names[len(widths) :])
        lines.append(shorten(f"{ELLIPSIS} without the columns {missing}", width))
    return "\n".join(lines)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _fit(natural: Sequence[int], width: int) -> list[int]:
    """Widths of the leading columns that fit, none wider than natural, widest cut first."""
    widths: list[int] = []
    needed = -len(GAP)
    for size in natural:
        needed += len(GAP) + min(size, NARROWEST)
        if needed > width and widths:
            break
        widths.append(size)
    room = width - len(GAP) * (len(widths) - 1)
    while sum(widths) > room:
        # The first column names the row: it gives way only when the others are narrow already.
        first = 1 if max(widths[1:], default=0) > COMFORTABLE else 0
        widths[widths.index(max(widths[first:]), first)] -= 1
    return widths


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    return GAP.join(
        _pad(shorten(text, size), size, right=to_right)
        for text, size, to_right in zip(cells, widths, right, strict=False)
    ).rstrip()


def _field_lines(report: Report, width: int) -> list[str]:
    """The report's name, then one line for each field; nested reports follow, indented."""
    fields = _fields(report)
    name_width = max((len(name) for name, _ in fields), default=0)
    lines = [shorten(type(report).__name__, width)]
    for name, value in fields:
        label = shorten(f"{INDENT}{name}", width // 2)
        label_width = min(len(INDENT) + name_width, width // 2)
        nested: list[str] = []
        if isinstance(value, tuple) and _is_table(value):
            shown = str(len(value))
            nested = _rows_text(value, width=width - 4, shown=NESTED_ROWS_SHOWN).split("\n")
        elif isinstance(value, Report) and width > WIDTH // 2:
            head, *nested = _field_lines(value, width - 2)
            shown, nested = head, [line[len(INDENT) :] for line in nested]
        else:
            shown = cell(value)
        room = width - label_width - len(GAP)
        lines.append((_pad(label, label_width) + GAP + shorten(shown, room)).rstrip())
        lines.extend(INDENT * 2 + line for line in nested)
    return lines


def _columns_and_values(rows: Sequence[Message]) -> tuple[list[str], list[list[object]]]:
    """The union of the rows' fields in order of first sight, and each row's values in it."""
    headers = list(dict.fromkeys(name for row in rows for name in _row_columns(row)))
    return headers, [[_in_row(getattr(row, name, None)) for name in headers] for row in rows]


def _row_columns(row: Message) -> Iterable[str]:
    return (isinstance(row, Report) and row.row_columns) or type(row).model_fields


def _in_row(value: object) -> object:
    return len(value) if isinstance(value, Collection) and _is_table(value) else value


def _rows_text(rows: Sequence[Message], *, width: int, shown: int) -> str:
    headers, values = _columns_and_values(rows[:shown])
    if not headers:
        return f"{len(rows)} x {type(rows[0]).__name__}"
    return text_table(headers, values, width=width, more=max(0, len(rows) - shown))


# HTML


def html_table(headers: Sequence[str], rows: Sequence[Sequence[object]], *, more: int = 0) -> str:
    """The same table as HTML, every cell escaped; `more` rows are only counted at its foot."""
    head = "".join(f"<th>{_html_cell(name)}</th>" for name in headers)
    body = "".join(
        "<tr>" + "".join(f"<td>{_html_cell(value)}</td>" for value in row) + "</tr>" for row in rows
    )
    foot = (
        f'<tfoot><tr><td colspan="{len(headers)}">{ELLIPSIS} {more} more</td></tr></tfoot>'
        if more
        else ""
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody>{foot}</table>"


def _html_cell(value: object) -> str:
    if isinstance(value, tuple) and _is_table(value):
        return _rows_html(value, shown=NESTED_ROWS_SHOWN)
    if isinstance(value, Report):
        return value._repr_html_()
    return escape(cell(value), quote=True)


def _rows_html(rows: Sequence[Message], *, shown: int) -> str:
    headers, values = _columns_and_values(rows[:shown])
    return html_table(headers, values, more=max(0, len(rows) - shown))


# The two that print


class Report(Message):
    """Base of frozen reports and snapshots; subclass it like any `Message`.

    `str` and `repr` are the same text table (a plain Python shell shows `repr`): the report's
    name, then one line for each field in field order. A non-empty tuple of reports shows its
    length and, below it, an indented table of at most `NESTED_ROWS_SHOWN` rows; a nested report
    shows its fields indented.

    Class attributes:
        row_columns: The fields that `Rows` shows; empty for all of them.
    """

    row_columns: ClassVar[tuple[str, ...]] = ()

    def __str__(self) -> str:
        return "\n".join(_field_lines(self, WIDTH))

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th>{_html_cell(name)}</th><td>{_html_cell(value)}</td></tr>"
            for name, value in _fields(self)
        )
        name = escape(type(self).__name__, quote=True)
        return f"<table><caption>{name}</caption><tbody>{rows}</tbody></table>"


class Rows(tuple[R, ...]):
    """A tuple of reports that prints as one table, one row for each; slices stay `Rows`.

    Columns are the reports' fields (or `row_columns`) in order of first sight; a nested tuple of
    reports shows its length. At most `ROWS_SHOWN` rows are printed and the rest counted: a mob of
    100,000 members stays readable in a shell.
    """

    __slots__ = ()

    @overload
    def __getitem__(self, index: SupportsIndex) -> R: ...

    @overload
    def __getitem__(self, index: slice) -> Rows[R]: ...

    def __getitem__(self, index: SupportsIndex | slice) -> R | Rows[R]:
        if isinstance(index, slice):
            return Rows(super().__getitem__(index))
        return super().__getitem__(index)

    def __str__(self) -> str:
        if not self:
            return "(no rows)"
        return _rows_text(self, width=WIDTH, shown=ROWS_SHOWN)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        if not self:
            return "<p>(no rows)</p>"
        return _rows_html(self, shown=ROWS_SHOWN)
