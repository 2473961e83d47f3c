"""The report: `report.md` for people, `findings.jsonl` for programs.

Neither holds a time or a count of restarts: two runs over the same files write the same bytes,
whoever died in between.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

from panel_findings import Finding
from panel_spool import Spool

_ESCAPES: Final = str.maketrans(
    {
        "\\": "&#92;",
        "&": "&amp;",
        "<": "&lt;",
        ">": "&gt;",
        **{mark: "\\" + mark for mark in "`*_[]~|"},
    }
)


def escape(text: str) -> str:
    """The text as a Markdown table cell shows it literally: one line, no markup, no HTML."""
    visible = "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text
    )
    return visible.translate(_ESCAPES)


def write_report(spool: Spool, path: Path, *, source: str, files: int) -> None:
    """Write the Markdown report on the ranked spool, all of it or nothing."""

    def body(out: IO[str]) -> None:
        total = sum(spool.by_severity().values())
        out.write(f"# Review of {escape(source)}\n\n")
        if not files:
            out.write("There are no Python files here.\n")
            return
        out.write(f"{_count(files, 'file')}, {_count(total, 'finding')}.\n")
        if not total:
            return
        out.write("\n| severity | findings |\n| --- | ---: |\n")
        for severity, count in spool.by_severity().items():
            out.write(f"| {severity} | {count} |\n")
        out.write("\n| rule | findings |\n| --- | ---: |\n")
        for rule, count in spool.by_rule().items():
            out.write(f"| {rule} | {count} |\n")
        out.write("\n## Findings\n\n")
        out.write("| severity | place | name | rule | value | reviewer |\n")
        out.write("| --- | --- | --- | --- | --- | --- |\n")
        for finding in spool.findings():
            out.write(_line(finding))

    _write(path, body)


def write_findings(spool: Spool, path: Path) -> None:
    """Write the ranked findings as JSON lines, all of them or nothing."""

    def body(out: IO[str]) -> None:
        for finding in spool.findings():
            out.write(json.dumps(finding.model_dump(mode="json")) + "\n")

    _write(path, body)


def _line(finding: Finding) -> str:
    place = escape(f"{finding.file}:{finding.line}")
    cells = (
        finding.severity,
        place,
        escape(finding.name),
        finding.rule,
        escape(str(finding.value)),
        escape(finding.reviewer),
    )
    return "| " + " | ".join(cells) + " |\n"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _write(path: Path, body: Callable[[IO[str]], None]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(path.name + ".part")
    with half.open("w", encoding="utf-8", newline="\n") as out:
        body(out)
        out.flush()
        os.fsync(out.fileno())
    os.replace(half, path)
