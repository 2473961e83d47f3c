"""The spool and the report: merged, ranked, escaped, flat in memory."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panel_findings import SEVERITIES, Finding, rank_of
from panel_report import escape, write_findings, write_report
from panel_spool import Spool


@pytest.fixture
def spool() -> Iterator[Spool]:
    spool = Spool()
    yield spool
    spool.close()


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
found = st.builds(
    Finding,
    file=texts,
    line=st.integers(1, 3),
    name=texts,
    rule=st.sampled_from(["complexity", "long-line", "eval-call"]),
    value=st.integers(0, 30) | texts,
    severity=st.sampled_from(SEVERITIES),
    reviewer=st.sampled_from(["a-1", "a-2"]),
)


@given(st.lists(found, max_size=30))
def test_the_spool_gives_each_finding_once_in_rank(findings: list[Finding]) -> None:
    spool = Spool()
    try:
        for finding in findings:
            spool.add([finding])
        spool.rank()
        once: dict[str, Finding] = {}
        for finding in sorted(findings, key=lambda finding: finding.reviewer):
            key = finding.model_copy(update={"reviewer": ""}).model_dump_json()
            once.setdefault(key, finding)
        given_back = list(spool.findings())
        assert {f.model_dump_json() for f in given_back} == {
            f.model_dump_json() for f in once.values()
        }
        ranks = [rank_of(finding)[:6] for finding in given_back]
        assert ranks == sorted(ranks)
        assert sum(spool.by_rule().values()) == sum(spool.by_severity().values()) == len(once)
    finally:
        spool.close()


def test_many_findings_do_not_fill_the_memory(spool: Spool, tmp_path: Path) -> None:
    tracemalloc.start()
    try:
        for part in range(20):
            spool.add(finding(file=f"module{part}.py", line=line) for line in range(1, 2001))
        spool.rank()
        write_report(spool, tmp_path / "report.md", source="x", files=20)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (tmp_path / "report.md").stat().st_size > 2_000_000
    assert peak < 2_000_000


def finding(**fields: object) -> Finding:
    base: dict[str, object] = {"file": "a.py", "line": 1, "name": "f", "rule": "long-line"}
    rest = {"value": 130, "severity": "low", "reviewer": "docs-1"}
    return Finding.model_validate({**base, **rest, **fields})


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a|b", "a\\|b"),
        ("a\\|b", "a&#92;\\|b"),
        ("<script>", "&lt;script&gt;"),
        ("__init__.py", "\\_\\_init\\_\\_.py"),
        ("a\nb\x1b", "a&#92;nb&#92;x1b"),
        ("[x](y) `z` *w* ~v~ &amp;", "\\[x\\](y) \\`z\\` \\*w\\* \\~v\\~ &amp;amp;"),
    ],
)
def test_names_cannot_break_the_report(text: str, shown: str) -> None:
    assert escape(text) == shown


def test_the_report_shows_counts_and_the_ranked_table(spool: Spool, tmp_path: Path) -> None:
    spool.add([finding(), finding(reviewer="docs-2"), finding(name="a|b", severity="high")])
    spool.rank()
    write_report(spool, tmp_path / "new" / "report.md", source="code", files=1)
    text = (tmp_path / "new" / "report.md").read_text(encoding="utf-8")
    assert text.startswith("# Review of code\n\n1 file, 2 findings.\n")
    assert "| high | 1 |\n| medium | 0 |\n| low | 1 |\n" in text
    assert text.endswith(
        "| high | a.py:1 | a\\|b | long-line | 130 | docs-1 |\n"
        "| low | a.py:1 | f | long-line | 130 | docs-1 |\n"
    )
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["report.md"]


def test_a_report_that_fails_leaves_the_one_before(spool: Spool, tmp_path: Path) -> None:
    spool.rank()
    report = tmp_path / "report.md"
    write_report(spool, report, source="code", files=1)
    before = report.read_bytes()
    spool.close()
    with pytest.raises(Exception, match="closed"):
        write_report(spool, report, source="other", files=1)
    assert report.read_bytes() == before


def test_findings_are_json_lines(spool: Spool, tmp_path: Path) -> None:
    spool.add([finding(), finding(value="text", severity="high")])
    spool.rank()
    write_findings(spool, tmp_path / "findings.jsonl")
    lines = (tmp_path / "findings.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["value"] for line in lines] == ["text", 130]
