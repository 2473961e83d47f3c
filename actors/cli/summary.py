"""The end of a run as people read it: what was found, who worked, where it is written."""

from __future__ import annotations

import io
import json
import shutil
import sys
from itertools import islice
from typing import IO, TYPE_CHECKING, Final

from actors.cli.failures import one_line
from actors.cli.outcome import FINDINGS, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rich.console import Console
    from rich.table import Table

TOP: Final = 5
RULES: Final = 8
MEMBERS: Final = 50
NAME_ROOM: Final = 10  # columns below which a name is not worth beginning
PLAIN_WIDTH: Final = 100  # where the output is not a terminal and COLUMNS says nothing
SEVERITY_STYLES: Final = {"high": "bold red", "medium": "yellow", "low": "dim"}


def print_summary(outcome: Outcome) -> None:
    """Print it to standard output: with colours on a terminal, plain elsewhere.

    Raises:
        AttachmentUnreadable: the findings are no JSON lines.
    """
    console = _console(sys.stdout)
    if console.is_terminal:
        _Summary(outcome, console).print()
        return
    buffer = io.StringIO()
    width = shutil.get_terminal_size((PLAIN_WIDTH, 24)).columns
    _Summary(outcome, _console(buffer, width)).print()
    for line in buffer.getvalue().splitlines():
        sys.stdout.write(line.rstrip() + "\n")  # cells are filled up to their width


def _console(file: IO[str], width: int | None = None) -> Console:
    from rich.console import Console

    return Console(file=file, width=width, highlight=False, emoji=False, markup=False)


class _Summary:
    """Prints the parts; a part about which the output says nothing is left out."""

    def __init__(self, outcome: Outcome, console: Console) -> None:
        self._outcome = outcome
        self._console = console

    def print(self) -> None:
        self._print_result()
        self._print_findings()
        self._print_members()
        self._print_facts()

    def _print_result(self) -> None:
        outcome = self._outcome
        files, total = outcome.count("files"), outcome.count("findings_total")
        self._line(f"{one_line(outcome.mob)}: {one_line(outcome.given)}", "bold")
        note = outcome.text("note")
        if note is not None:
            self._line(one_line(note), "yellow")
        elif files is not None and total is not None:
            severities = ", ".join(
                f"{count} {one_line(name)}"
                for name, count in outcome.counts("by_severity").items()
                if count
            )
            said = f"{_count(files, 'file')}, {_count(total, 'finding')}"
            self._line(f"{said}: {severities}" if total and severities else said)
        elif isinstance(outcome.output, str):
            self._line(outcome.output)
        elif outcome.output is not None:
            self._line(json.dumps(outcome.output, indent=2, ensure_ascii=False))

    def _print_findings(self) -> None:
        from rich.text import Text

        rules = outcome_rules(self._outcome.counts("by_rule"))
        if rules:
            table = self._table(("rule", "left"), ("findings", "right"))
            for rule, count in rules:
                table.add_row(Text(one_line(rule)), str(count))
            self._block(table)
        lines = islice(self._outcome.lines(FINDINGS), TOP)
        top = [finding for finding in lines if isinstance(finding, dict)]
        if not top:
            return
        total = self._outcome.count("findings_total") or len(top)
        self._line("")
        self._line("findings" if total <= len(top) else f"first {len(top)} findings", "dim")
        for finding in top:
            # As compilers write it, its place never cut: editors and terminals follow it.
            severity = _said(finding, "severity")
            line = Text()
            line.append(f"{severity:<7} ", style=SEVERITY_STYLES.get(severity))
            line.append(f"{_said(finding, 'file')}:{_said(finding, 'line')}: ")
            line.append(f"{_said(finding, 'rule')} {_said(finding, 'value')}")
            room = self._console.width - line.cell_len
            if room >= NAME_ROOM:
                line.append(f" ({_said(finding, 'name')})", style="dim")
                line.truncate(self._console.width, overflow="ellipsis")
            self._console.print(line, soft_wrap=True)

    def _print_members(self) -> None:
        from rich.text import Text

        table = self._table(
            ("member", "left"), ("profile", "left"), ("turns", "right"), ("restarts", "right")
        )
        for view in self._outcome.members[:MEMBERS]:
            table.add_row(
                Text(one_line(view.name)),
                Text(one_line(view.profile), style="cyan"),
                str(view.turns),
                Text(str(view.restarts), style="yellow" if view.restarts else ""),
            )
        self._block(table)
        more = len(self._outcome.members) - MEMBERS
        if more > 0:
            self._line(f"and {_count(more, 'more member')}", "dim")

    def _print_facts(self) -> None:
        outcome = self._outcome
        total = outcome.count("findings_total")
        facts = {
            "messages": str(outcome.messages),
            "findings": None if total is None else str(total),
            "time": f"{outcome.duration_s:.1f} s",
            "report": outcome.text("report"),
            "ledger": outcome.ledger or "in memory",
        }
        self._line("")
        for name, value in facts.items():
            if value is not None:
                # Soft-wrapped: a path that is cut or broken cannot be copied.
                self._line(f"{name:<9} {one_line(value)}")
        if not outcome.audit.balanced:
            self._line(f"the books do not balance: {outcome.audit.missing} messages", "bold red")

    def _table(self, *columns: tuple[str, str]) -> Table:
        from rich.table import Table

        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        for name, side in columns:
            table.add_column(name, justify="right" if side == "right" else "left")
        return table

    def _block(self, table: Table) -> None:
        self._line("")
        self._console.print(table)

    def _line(self, text: str, style: str = "") -> None:
        self._console.print(text, style=style, soft_wrap=True)


def outcome_rules(counts: Mapping[str, int]) -> Iterable[tuple[str, int]]:
    """The most frequent rules first; what does not fit is one row at the end."""
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    shown = ranked[:RULES]
    rest = ranked[RULES:]
    if len(rest) == 1:
        return ranked
    if rest:
        shown.append((f"{len(rest)} other rules", sum(count for _, count in rest)))
    return shown


def _said(finding: Mapping[str, object], key: str) -> str:
    return one_line(finding.get(key, ""))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
