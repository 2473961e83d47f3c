"""The outcome as one JSON document, written as it is read: findings are never all in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator

from actors.cli.failures import explain
from actors.cli.outcome import FINDINGS, Outcome

OWN = ("mob", "members", "messages", "restarts", "ledger", "events", "duration_s", "audit", "error")
"""Keys that the output of a turn cannot take; `output` is one when it is not a mapping."""


def write_document(outcome: Outcome, write: Callable[[str], object]) -> None:
    """Write the document in pieces and end it with a newline.

    Every attachment is a list under its name; what else the output says keeps its keys.

    Raises:
        AttachmentUnreadable: an attachment is no JSON; nothing was written.
    """
    for name in outcome.attachments:  # all of it or nothing
        for _ in outcome.lines(name):
            pass
    separator = "{\n"
    for piece in _members_of(outcome):
        write(separator)
        separator = ",\n"
        for part in piece:
            write(part)
    write("\n}\n")


def _members_of(outcome: Outcome) -> Iterator[Iterable[str]]:
    """Key and value of the document, one after the other, in pieces of JSON text."""
    said = outcome.said
    yield _pair("mob", outcome.mob)
    yield _pair("input", said.get("input", outcome.given))
    yield _pair("files", said.get("files"))
    members = [
        {
            "name": view.name,
            "profile": view.profile,
            "turns": view.turns,
            "restarts": view.restarts,
        }
        for view in outcome.members
    ]
    yield _list("members", members)
    if FINDINGS in outcome.attachments:
        yield _list(FINDINGS, outcome.lines(FINDINGS))
    else:
        yield _pair(FINDINGS, said.get(FINDINGS, []))
    yield _pair("messages", outcome.messages)
    yield _pair("restarts", outcome.restarts)
    yield _pair("report", said.get("report"))
    yield _pair("ledger", outcome.ledger)
    yield _pair("events", outcome.events)
    yield _pair("duration_s", round(outcome.duration_s, 3))
    audit = outcome.audit
    yield _pair("audit", {**audit.model_dump(mode="json"), "balanced": audit.balanced})
    if outcome.error is not None:
        failure = explain(outcome.error)
        kind = type(outcome.error).__name__
        yield _pair("error", {"type": kind, "text": failure.sentence, "hint": failure.hint})
    taken = {*OWN, "input", "files", FINDINGS, "report"}
    if outcome.error is None and not isinstance(outcome.output, dict):
        taken.add("output")
        yield _pair("output", outcome.output)
    for name in sorted(outcome.attachments):
        if name not in taken:
            taken.add(name)
            yield _list(name, outcome.lines(name))
    for key, value in said.items():
        if key not in taken:
            yield _pair(key, value)


def _pair(key: str, value: object) -> Iterator[str]:
    yield f"  {json.dumps(key)}: {json.dumps(value)}"


def _list(key: str, values: Iterable[object]) -> Iterator[str]:
    """One value per line."""
    yield f"  {json.dumps(key)}: ["
    first = True
    for value in values:
        yield ("\n    " if first else ",\n    ") + json.dumps(value)
        first = False
    yield "]" if first else "\n  ]"
