"""The lead of the review panel: every file once, one report, whatever dies."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from actors.domain.errors import Draining, MemberNotFound, TurnFailed
from panel_findings import ReviewBatch
from tests.examples.small_panel import Panel

PROFILES = ("complexity", "risk", "docs")


@pytest.fixture
def panel(mob_file: dict[str, Any], tmp_path: Path) -> Panel:
    return Panel(mob_file, tmp_path / "state", batch=4)


@pytest.fixture
def undisturbed(mob_file: dict[str, Any], tmp_path: Path, code: Path) -> bytes:
    """The report of a run in which nothing happens."""
    Panel(mob_file, tmp_path / "undisturbed").run(code)
    return (tmp_path / "undisturbed" / "report.md").read_bytes()


def report(panel: Panel) -> bytes:
    return (panel.state_dir / "report.md").read_bytes()


def test_every_file_is_reviewed_once_by_every_profile(panel: Panel, code: Path) -> None:
    result = panel.run(code)
    reviewed = sorted(file for _, files in panel.asks for file in files)
    files = sorted(str(path.relative_to(code)) for path in code.rglob("*.py"))
    assert reviewed == sorted(files * 3)
    assert result["files"] == len(files) == 62
    assert len(panel.ledger) == 62 * 3
    assert all(len(asked) <= 4 for _, asked in panel.asks)
    assert set(panel.turns) == set(panel.roles)


def test_the_result_counts_what_the_attached_findings_hold(panel: Panel, code: Path) -> None:
    result = panel.run(code)
    findings = panel.findings()
    assert result["input"] == str(code)
    assert result["findings_total"] == len(findings) == sum(result["by_rule"].values())
    assert sum(result["by_severity"].values()) == len(findings)
    assert list(findings[0]) == ["file", "line", "name", "rule", "value", "severity", "reviewer"]
    assert result["report"] == str(panel.state_dir / "report.md")
    assert {"complexity", "syntax", "encoding", "bare-except"} <= set(result["by_rule"])


def test_findings_come_ranked_and_what_several_say_comes_once(panel: Panel, code: Path) -> None:
    panel.run(code)
    findings = panel.findings()
    severities = [finding["severity"] for finding in findings]
    assert severities == sorted(severities, key=["high", "medium", "low"].index)
    numbers = [finding["value"] for finding in findings if finding["rule"] == "complexity"]
    assert numbers == sorted(numbers, reverse=True)
    assert [f["reviewer"] for f in findings if f["file"] == "broken.py"] == ["complexity-2"]
    assert len({tuple(finding.values()) for finding in findings}) == len(findings)


@pytest.mark.parametrize("spread", [1, 3, 7])
def test_reviewers_that_die_midway_do_not_change_the_report(
    panel: Panel, code: Path, undisturbed: bytes, spread: int
) -> None:
    panel.deaths = {name: list(range(spread, 40, 5 * spread)) for name in panel.roles}
    panel.run(code)
    assert sum(panel.turns.values()) > len(panel.asks)
    assert report(panel) == undisturbed
    assert len(panel.ledger) == 62 * 3


@pytest.mark.parametrize("events", [1, 57, 186])
def test_a_lead_that_dies_goes_on_from_the_ledger(
    panel: Panel, code: Path, undisturbed: bytes, events: int
) -> None:
    panel.lead_dies_after = events
    panel.run(code)
    assert report(panel) == undisturbed
    assert len(panel.ledger) == 62 * 3


def test_a_lead_that_dies_leaves_no_question_behind(
    panel: Panel, code: Path, undisturbed: bytes
) -> None:
    panel.stubborn = set(panel.roles)
    panel.lead_dies_after = 5
    panel.run(code)
    assert report(panel) == undisturbed


def test_a_file_that_changed_since_is_reviewed_again(panel: Panel, code: Path) -> None:
    panel.run(code)
    asked = len(panel.asks)
    (code / "latin.py").write_text("def f(): eval('1')\n", encoding="utf-8")
    panel.run(code)
    assert {files for _, files in panel.asks[asked:]} == {("latin.py",)}
    assert [f["rule"] for f in panel.findings() if f["file"] == "latin.py"] == [
        "eval-call",
        "undocumented",
        "undocumented",
    ]


def test_a_review_lost_on_the_way_is_asked_for_again(
    panel: Panel, code: Path, undisturbed: bytes
) -> None:
    panel.lost = {(name, number) for name in panel.roles for number in (2, 3)}
    panel.run(code)
    assert report(panel) == undisturbed


def test_a_reviewer_that_cannot_be_reached_is_replaced_by_its_colleague(
    panel: Panel, code: Path
) -> None:
    def gone(member: str, batch: ReviewBatch, asked: int) -> Exception | None:
        return MemberNotFound(member, ()) if member == "risk-1" else None

    panel.trouble = gone
    result = panel.run(code)
    assert "unreviewed" not in result["by_rule"]
    assert len(panel.ledger) == 62 * 3
    assert "risk-1" not in panel.turns
    assert [member for member, _ in panel.asks].count("risk-1") == 3


def test_what_nobody_can_review_is_a_finding(panel: Panel, code: Path) -> None:
    def gone(member: str, batch: ReviewBatch, asked: int) -> Exception | None:
        return TimeoutError() if member.startswith("docs") else None

    panel.trouble = gone
    result = panel.run(code)
    assert result["by_rule"]["unreviewed"] == 62
    assert {f["reviewer"] for f in panel.findings() if f["rule"] == "unreviewed"} == {"lead"}


def test_a_file_that_fails_every_turn_does_not_take_its_neighbours_along(
    panel: Panel, code: Path
) -> None:
    def poisoned(member: str, batch: ReviewBatch, asked: int) -> Exception | None:
        if "latin.py" in batch.files:
            return TurnFailed(member, "batch", "MemoryError", "too much", 5)
        return None

    panel.trouble = poisoned
    panel.run(code)
    unreviewed = [f for f in panel.findings() if f["rule"] == "unreviewed"]
    assert {f["file"] for f in unreviewed} == {"latin.py"}
    assert len(unreviewed) == 3


def test_a_profile_without_members_leaves_findings_and_no_hang(
    mob_file: dict[str, Any], tmp_path: Path, code: Path
) -> None:
    panel = Panel(mob_file, tmp_path / "state", reviewers=[*PROFILES, "style"])
    assert panel.run(code)["by_rule"]["unreviewed"] == 62


def test_a_mob_that_drains_ends_the_turn_instead_of_the_review(panel: Panel, code: Path) -> None:
    panel.trouble = lambda member, batch, asked: Draining("asks")
    with pytest.raises(Draining):
        panel.run(code)
    assert not (panel.state_dir / "report.md").exists()


def test_a_path_that_is_not_there_is_an_error_in_the_result(panel: Panel, tmp_path: Path) -> None:
    result = panel.run(tmp_path / "nowhere")
    assert str(tmp_path / "nowhere") in result["error"]
    assert result["files"] == 0


def test_no_python_files_are_said_to_be_none(panel: Panel, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = panel.run(tmp_path / "empty")
    assert (result["files"], result["findings_total"]) == (0, 0)
    assert "no Python files" in result["note"]
    assert b"no Python files" in report(panel)
    assert panel.findings() == []


def test_one_file_may_be_the_input(panel: Panel, code: Path) -> None:
    result = panel.run(code / "latin.py")
    assert result["files"] == 1
    assert [f["file"] for f in panel.findings()] == ["latin.py"]


def test_a_file_whose_name_is_not_text_is_a_finding(panel: Panel, tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/code/caf\xe9.py"
    (tmp_path / "code").mkdir()
    try:
        Path(os.fsdecode(name)).write_text("x = 1\n", encoding="utf-8")
    except OSError:
        pytest.skip("this file system takes only UTF-8 names")
    result = panel.run(tmp_path / "code")
    assert result["files"] == 1
    assert [(f["file"], f["rule"]) for f in panel.findings()] == [("caf\\xe9.py", "unreadable")]


def test_progress_ends_with_all_files(panel: Panel, code: Path) -> None:
    panel.run(code)
    assert panel.shown[-1] == "62/62 files"


def test_a_review_that_comes_after_the_run_is_ignored(panel: Panel, code: Path) -> None:
    panel.run(code)
    batch = ReviewBatch(run="run-1", root=str(code), files=("latin.py",))
    late = panel.reviewers["risk-1"].review(batch, "latin.py", profile="risk", reviewer="risk-1")
    assert panel.late(late) == {"ignored": "FileReviewed"}
