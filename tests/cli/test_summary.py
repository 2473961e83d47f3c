"""The end of a run as people read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.cli.summary import outcome_rules, print_summary
from actors.domain.reports import AuditReport, MemberView
from tests.cli.outcomes import lines_file, outcome

FINDING = {
    "file": "a/b.py",
    "line": 3,
    "name": "Thing.do",
    "rule": "complexity",
    "value": 12,
    "severity": "medium",
    "reviewer": "complexity-1",
}


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)


def test_a_review_is_summed_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = {
        "files": 7,
        "findings_total": 8,
        "by_severity": {"high": 0, "medium": 8, "low": 0},
        "by_rule": {"complexity": 8},
        "report": "/state/report.md",
    }
    attached = {"findings": lines_file(tmp_path / "f", [FINDING] * 8)}

    print_summary(outcome(output=said, attachments=attached))

    printed = capsys.readouterr().out
    assert printed.splitlines()[:13] == [
        "panel: /code",
        "7 files, 8 findings: 8 medium",
        "",
        "rule        findings",
        "complexity         8",
        "",
        "first 5 findings",
        *["medium  a/b.py:3: complexity 12 (Thing.do)"] * 5,
        "",
    ]
    assert "risk-1  risk         3         2" in printed
    assert "report    /state/report.md" in printed
    assert all(line == line.rstrip() for line in printed.splitlines())


def test_a_place_is_never_cut(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    long = FINDING | {"file": "deep/" * 30 + "x.py", "name": "n" * 100}
    attached = {"findings": lines_file(tmp_path / "f", [long, FINDING | {"name": "n" * 100}])}

    print_summary(outcome(output={"findings_total": 2}, attachments=attached))

    lines = capsys.readouterr().out.splitlines()
    assert f"medium  {'deep/' * 30}x.py:3: complexity 12" in lines
    assert any(line.startswith("medium  a/b.py") and len(line) == 80 for line in lines)


@pytest.mark.parametrize(("output", "shown"), [("all well", "all well"), ([1, "é"], '  "é"')])
def test_another_output_is_shown_as_it_is(
    output: object, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    print_summary(outcome(output=output))

    assert shown in capsys.readouterr().out.splitlines()


def test_a_note_takes_the_place_of_counts(capsys: pytest.CaptureFixture[str]) -> None:
    print_summary(outcome(output={"files": 0, "findings_total": 0, "note": "nothing here"}))

    assert "nothing here" in capsys.readouterr().out.splitlines()


def test_a_terminal_is_not_made_to_obey_a_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = FINDING | {"file": "x\x1b[2J.py", "name": "[bold]n[/bold]"}
    attached = {"findings": lines_file(tmp_path / "f", [bad])}

    print_summary(outcome(output={}, attachments=attached))

    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert "[bold]n[/bold]" in printed


def test_a_large_mob_and_unbalanced_books_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    members = tuple(MemberView(name=f"m-{n}", profile="p", state="active") for n in range(60))

    print_summary(outcome(members=members, audit=AuditReport(sent=3), ledger=None))

    printed = capsys.readouterr().out
    assert "and 10 more members" in printed
    assert "the books do not balance: 3 messages" in printed
    assert "ledger    in memory" in printed


def test_rules_that_do_not_fit_are_one_row() -> None:
    counts = {f"rule{n:02}": n for n in range(1, 12)}

    rows = list(outcome_rules(counts))

    assert rows[0] == ("rule11", 11)
    assert rows[-1] == ("3 other rules", 1 + 2 + 3)
    assert sum(count for _, count in rows) == sum(counts.values())
    assert len(list(outcome_rules({f"r{n}": 1 for n in range(9)}))) == 9
