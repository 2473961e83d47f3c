"""Findings on disk: ranked and merged by SQLite, so that memory stays flat however many."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator

from panel_findings import SEVERITIES, Finding, Severity, rank_of

_SCHEMA = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -4096;
CREATE TABLE found (severity INTEGER, weight INTEGER, file TEXT, line INTEGER, rule TEXT,
                    name TEXT, value TEXT, reviewer TEXT);
CREATE TABLE ranked (place INTEGER PRIMARY KEY, severity INTEGER, file TEXT, line INTEGER,
                     rule TEXT, name TEXT, value TEXT, reviewer TEXT);
"""
# What several reviewers say of one place in the same words is one finding, of the first of them.
_RANK = """
INSERT INTO ranked (severity, file, line, rule, name, value, reviewer)
SELECT severity, file, line, rule, name, value, MIN(reviewer) FROM found
GROUP BY severity, weight, file, line, rule, name, value
ORDER BY severity, weight, file, line, rule, name, value
"""


class Spool:
    """A temporary database without a name: it vanishes with the process, however that ends.

    Add findings, call `rank` once, then read. Any thread may call, one at a time.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # The empty path is SQLite's private temporary file, unlinked as soon as it is open.
        self._file = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._file.executescript(_SCHEMA)

    def add(self, findings: Iterable[Finding]) -> None:
        """Keep these findings, in one transaction."""
        with self._lock:
            self._file.execute("BEGIN")
            self._file.executemany(
                "INSERT INTO found VALUES (?, ?, ?, ?, ?, ?, ?, ?)", map(_row, findings)
            )
            self._file.execute("COMMIT")

    def rank(self) -> None:
        """Merge and order what was added."""
        with self._lock:
            self._file.execute("DELETE FROM ranked")
            self._file.execute(_RANK)

    def findings(self) -> Iterator[Finding]:
        """The ranked findings, first the gravest. They are read as they are asked for."""
        rows = self._file.execute(
            "SELECT file, line, name, rule, value, severity, reviewer FROM ranked ORDER BY place"
        )
        for file, line, name, rule, value, severity, reviewer in rows:
            yield Finding(
                file=file,
                line=line,
                name=name,
                rule=rule,
                value=json.loads(value),
                severity=SEVERITIES[severity],
                reviewer=reviewer,
            )

    def by_severity(self) -> dict[Severity, int]:
        """Ranked findings per severity, gravest first, every severity present."""
        rows = self._file.execute("SELECT severity, COUNT(*) FROM ranked GROUP BY severity")
        counts: dict[int, int] = dict(rows.fetchall())
        return {name: counts.get(place, 0) for place, name in enumerate(SEVERITIES)}

    def by_rule(self) -> dict[str, int]:
        """Ranked findings per rule, the most frequent first."""
        rows = self._file.execute(
            "SELECT rule, COUNT(*) FROM ranked GROUP BY rule ORDER BY COUNT(*) DESC, rule"
        )
        return dict(rows.fetchall())

    def close(self) -> None:
        """Drop the database. Calling it again does nothing."""
        with self._lock:
            self._file.close()


def _row(finding: Finding) -> tuple[object, ...]:
    severity, weight, file, line, rule, name, _, reviewer = rank_of(finding)
    return severity, weight, file, line, rule, name, json.dumps(finding.value), reviewer
