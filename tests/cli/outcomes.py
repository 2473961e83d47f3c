"""Outcomes of runs for the tests of what is printed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from actors.cli.outcome import Outcome
from actors.domain.reports import AuditReport, MemberView


def outcome(**changes: Any) -> Outcome:
    """A run that went well, changed as told."""
    values: dict[str, Any] = {
        "mob": "panel",
        "given": "/code",
        "output": None,
        "attachments": {},
        "members": (
            MemberView(name="lead", profile="lead", state="active", turns=1),
            MemberView(name="risk-1", profile="risk", state="active", turns=3, restarts=2),
        ),
        "messages": 12,
        "ledger": "/state/ledger.sqlite",
        "events": 40,
        "duration_s": 1.23456,
        "audit": AuditReport(sent=5, handled=5),
    }
    return Outcome(**values | changes)


def lines_file(path: Path, values: Iterable[object]) -> str:
    """A file of JSON lines."""
    path.write_text("".join(json.dumps(value) + "\n" for value in values), encoding="utf-8")
    return str(path)
