"""The one JSON document of `--json`."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from actors.cli.document import write_document
from actors.cli.outcome import AttachmentUnreadable, Outcome
from actors.domain.errors import TurnFailed
from actors.domain.reports import AuditReport
from tests.cli.outcomes import lines_file, outcome


def document(given: Outcome) -> dict[str, Any]:
    pieces: list[str] = []
    write_document(given, pieces.append)
    text = "".join(pieces)
    assert text.endswith("}\n")
    pairs = json.loads(text, object_pairs_hook=list)
    assert len({key for key, _ in pairs}) == len(pairs)
    found = json.loads(text)
    assert isinstance(found, dict)
    return found


def test_keys_are_those_of_the_contract_in_their_order() -> None:
    assert list(document(outcome(output={}))) == [
        "mob",
        "input",
        "files",
        "members",
        "findings",
        "messages",
        "restarts",
        "report",
        "ledger",
        "events",
        "duration_s",
        "audit",
    ]


def test_what_the_lead_says_is_merged_in(tmp_path: Path) -> None:
    said = {"input": "/x", "files": 2, "report": "/r.md", "note": "n", "by_rule": {"a": 1}}
    finding = {"file": "a.py", "line": 1}
    findings = lines_file(tmp_path / "f", [finding, finding])
    more = lines_file(tmp_path / "g", [1, None])

    found = document(outcome(output=said, attachments={"findings": findings, "more": more}))

    assert {key: found[key] for key in said} == said
    assert found["findings"] == [finding, finding]
    assert found["more"] == [1, None]


def test_figures_come_from_the_run() -> None:
    found = document(outcome())

    assert found["restarts"] == 2
    assert found["duration_s"] == 1.235
    assert found["members"][1] == {"name": "risk-1", "profile": "risk", "turns": 3, "restarts": 2}
    assert found["audit"]["balanced"] is True
    assert document(outcome(audit=AuditReport(sent=2)))["audit"]["balanced"] is False


@pytest.mark.parametrize("output", ["done", 7, [1, 2], None])
def test_an_output_that_is_no_mapping_stands_under_output(output: object) -> None:
    found = document(outcome(output=output, ledger=None))

    assert found["output"] == output
    assert found["input"] == "/code"
    assert found["files"] is None
    assert found["findings"] == []
    assert found["report"] is None
    assert found["ledger"] is None


def test_the_lead_cannot_overwrite_what_the_run_says(tmp_path: Path) -> None:
    said = {"members": "none", "audit": 0, "mob": "other"}
    attached = {"members": lines_file(tmp_path / "m", [1])}

    found = document(outcome(output=said, attachments=attached))

    assert found["mob"] == "panel"
    assert len(found["members"]) == 2
    assert found["audit"]["sent"] == 5


def test_a_failed_job_says_why() -> None:
    error = TurnFailed("lead", "1", "ValueError", "no\nsuch", 5)

    found = document(outcome(error=error))

    assert found["error"]["type"] == "TurnFailed"
    assert "ValueError: no such" in found["error"]["text"]
    assert "output" not in found


@pytest.mark.parametrize("content", [b"{}\n{", b"\xff\n"])
def test_a_bad_attachment_is_refused_before_anything_is_written(
    tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "f"
    file.write_bytes(content)
    written: list[str] = []

    with pytest.raises(AttachmentUnreadable, match="'findings'"):
        write_document(outcome(attachments={"findings": str(file)}), written.append)

    assert not written


def test_findings_are_never_all_in_memory(tmp_path: Path) -> None:
    finding = {"file": "a" * 200, "name": "b" * 200}
    file = lines_file(tmp_path / "f", (finding for _ in range(20_000)))
    given = outcome(attachments={"findings": file})
    sizes: list[int] = []

    tracemalloc.start()
    write_document(given, lambda piece: sizes.append(len(piece)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert sum(sizes) > 8_000_000
    assert peak < 2_000_000
