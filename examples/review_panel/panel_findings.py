"""What the members of the panel say to each other, and how findings are ordered.

A rule yields bare `Mark`s; the reviewer that ran it turns them into `Finding`s.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, NamedTuple

from transport.message import Message

Severity = Literal["high", "medium", "low"]

#: The name a finding carries when it concerns the file as a whole.
MODULE: Final = "<module>"

SEVERITY_OF: Final[dict[str, Severity]] = {
    # said by every reviewer about a file it cannot analyse
    "unreadable": "high",
    "too-large": "high",
    "encoding": "high",
    "syntax": "high",
    "too-deep": "high",
    "review-failed": "high",
    "findings-capped": "high",
    # said by the lead
    "unreviewed": "high",
    # the rules proper
    "complexity": "medium",
    "bare-except": "high",
    "swallowed-exception": "medium",
    "mutable-default": "high",
    "eval-call": "high",
    "assert-on-tuple": "high",
    "none-comparison": "low",
    "long-function": "medium",
    "many-arguments": "medium",
    "undocumented": "low",
    "todo-comment": "low",
    "long-line": "low",
}
SEVERITIES: Final[tuple[Severity, ...]] = ("high", "medium", "low")

# A message stays well under the half mebibyte at which a sender must split it.
MAX_NAME: Final = 500
MAX_TEXT: Final = 200
MAX_REVIEW_BYTES: Final = 400 * 1024


class Mark(NamedTuple):
    """What a rule saw: a place, a name, the rule and a number or a short text."""

    line: int
    name: str
    rule: str
    value: int | str


class Finding(Message, tag="review.finding"):
    """One finding. `file` is relative to the input, in posix form; `line` counts from 1."""

    file: str
    line: int
    name: str
    rule: str
    value: int | str
    severity: Severity
    reviewer: str


class ReviewBatch(Message, tag="review.batch"):
    """Lead to reviewer: review these `files` (relative to the directory `root`).

    `run` is the id of the lead's input; the answers carry it back.
    """

    run: str
    root: str
    files: tuple[str, ...]


class FileReviewed(Message, tag="review.file_reviewed"):
    """Reviewer to lead: all that `profile` has to say about `file`.

    `size` (bytes) and `mtime_ns` are those of the file when it was read, both -1 when it could
    not be looked at: a later run trusts the review while they still hold.
    """

    run: str
    profile: str
    file: str
    size: int
    mtime_ns: int
    findings: tuple[Finding, ...]


def clean(text: str, limit: int) -> str:
    """The text in a form every wire carries: no lone surrogates, at most `limit` characters."""
    if len(text) > limit:
        text = text[: limit - 1] + "\u2026"
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def finding_of(mark: Mark, *, file: str, reviewer: str) -> Finding:
    """The finding a mark in `file` becomes. An unknown rule is a KeyError."""
    value = mark.value if isinstance(mark.value, int) else clean(mark.value, MAX_TEXT)
    return Finding(
        file=file,
        line=mark.line,
        name=clean(mark.name, MAX_NAME),
        rule=mark.rule,
        value=value,
        severity=SEVERITY_OF[mark.rule],
        reviewer=reviewer,
    )


def rank_of(finding: Finding) -> tuple[int, int, str, int, str, str, str, str]:
    """Sort key of the report, a total order.

    Severity first, then the higher complexity, then the place, the rule and the name; value and
    reviewer only break ties that remain.
    """
    weight = finding.value if finding.rule == "complexity" else 0
    return (
        SEVERITIES.index(finding.severity),
        -weight if isinstance(weight, int) else 0,
        finding.file,
        finding.line,
        finding.rule,
        finding.name,
        str(finding.value),
        finding.reviewer,
    )


def capped(findings: Iterable[Finding], *, budget: int = MAX_REVIEW_BYTES) -> tuple[Finding, ...]:
    """The findings in order of rank, cut where their JSON would exceed `budget` bytes.

    What was cut is said by one more finding, rule `findings-capped`, value the number left out.
    """
    kept: list[Finding] = []
    left_out: list[Finding] = []
    for finding in sorted(findings, key=rank_of):
        budget -= len(finding.model_dump_json().encode()) + 1
        (left_out if left_out or budget < 0 else kept).append(finding)
    if left_out:
        first = left_out[0]
        mark = Mark(1, MODULE, "findings-capped", len(left_out))
        kept.append(finding_of(mark, file=first.file, reviewer=first.reviewer))
    return tuple(kept)
