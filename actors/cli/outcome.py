"""What a run of a mob has to tell, whoever prints it: for people or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

from actors.domain.errors import MobError

if TYPE_CHECKING:
    from actors.domain.reports import AuditReport, MemberView

FINDINGS = "findings"  # the attachment with one JSON object per line that the summary shows


class AttachmentUnreadable(MobError):
    """A file that a turn attached to its result cannot be shown; `problem` says why."""

    hint = "a turn attaches files of JSON lines: one JSON value per line, UTF-8"

    def __init__(self, name: str, path: str, problem: str) -> None:
        super().__init__(name, path, problem)
        self.name = name
        self.path = path
        self.problem = problem

    def __str__(self) -> str:
        return f"attachment {self.name!r} ({self.path}): {self.problem}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A run that has ended.

    Attributes:
        mob: The id.
        given: The input, an absolute path.
        output: What the lead's turn returned, as JSON values; None if it failed.
        attachments: Name to file of JSON lines.
        members: Every member as it was when the job had ended, sorted by name.
        messages: Messages passed between members and from outside.
        ledger: Where the ledger is; None if it was in memory.
        events: Entries in the ledger, those of earlier runs included.
        duration_s: Seconds from the launch to the end of the drain.
        audit: Where every message between actors has ended.
        error: What ended the job without a result; None if it is done.
    """

    mob: str
    given: str
    output: object
    attachments: Mapping[str, str]
    members: tuple[MemberView, ...]
    messages: int
    ledger: str | None
    events: int
    duration_s: float
    audit: AuditReport
    error: Exception | None = field(default=None)

    @property
    def restarts(self) -> int:
        """Restarts of all members together."""
        return sum(view.restarts for view in self.members)

    @property
    def said(self) -> Mapping[str, object]:
        """The output by its keys; empty if it is something else than a mapping."""
        return cast("dict[str, object]", self.output) if isinstance(self.output, dict) else {}

    def text(self, key: str) -> str | None:
        """What the output says under `key`, if it is a text."""
        value = self.said.get(key)
        return value if isinstance(value, str) else None

    def count(self, key: str) -> int | None:
        """What the output says under `key`, if it is a whole number."""
        value = self.said.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def counts(self, key: str) -> dict[str, int]:
        """What the output says under `key`, if it is a table of whole numbers; else empty."""
        value = self.said.get(key)
        if not isinstance(value, dict):
            return {}
        return {str(name): count for name, count in value.items() if isinstance(count, int)}

    def lines(self, name: str) -> Iterator[object]:
        """The values in an attachment, read line by line; nothing if there is none.

        Raises:
            AttachmentUnreadable: it cannot be opened, or a line is not JSON.
        """
        path = self.attachments.get(name)
        if path is None:
            return
        try:
            with Path(path).open(encoding="utf-8") as file:
                for number, line in enumerate(file, 1):
                    try:
                        yield json.loads(line)
                    except ValueError as error:
                        problem = f"line {number} is not JSON"
                        raise AttachmentUnreadable(name, path, problem) from error
        except UnicodeDecodeError as error:
            raise AttachmentUnreadable(name, path, "is not UTF-8 text") from error
        except OSError as error:
            problem = f"cannot be read: {error.strerror}"
            raise AttachmentUnreadable(name, path, problem) from error
