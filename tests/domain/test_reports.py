"""Reports: the small decisions they carry, and that they travel and print."""

from __future__ import annotations

import pytest

from actors.domain.edges import EdgeReport
from actors.domain.reports import (
    AuditReport,
    DeadLetterView,
    ErrorDetail,
    MemberFailure,
    MemberView,
    MobStatus,
    Receipt,
    ReconcileReport,
    ShutdownReport,
    SpawnedMember,
    TurnResult,
)
from actors.domain.tables import WIDTH, Report, Rows, columns_of
from actors.domain.wiring import Edge
from transport.message import FrozenMap

AB = Edge.of("a", "b")
FAILURE = MemberFailure(
    agent_identity="w2", stage="spawn", error=ErrorDetail(code="profile_not_found", message="no")
)
REPORTS: list[Report] = [
    Receipt(input_id="in-2", canonical_input_id="in-1", outcome="duplicate"),
    TurnResult(
        input_id="in-1",
        member="lead",
        output='{"n": 1}',
        duration_s=0.25,
        attachments=FrozenMap({"findings": "out.jsonl"}),
    ),
    MemberView(
        name="risk-1",
        profile="risk",
        state="active",
        running="in-9",
        wired_to=("lead",),
        labels=FrozenMap({"team": "a"}),
    ),
    MobStatus(mob="panel", phase="running", members=7, edges=6, held=("risk-1",), uptime_s=1.5),
    ReconcileReport(
        desired=("w1", "w2"),
        spawned=(SpawnedMember(agent_identity="w1", member_ref="w1:0"),),
        failures=(FAILURE,),
        edges=EdgeReport(desired_edges=(AB,), wired_edges=(AB,)),
    ),
    ShutdownReport(
        drained=False,
        timed_out=True,
        drain_duration_ms=30_000,
        waiting_for=("lead: a turn is running",),
        stopped=("lead", "risk-1"),
    ),
    AuditReport(sent=3, handled=2, in_flight=1),
    DeadLetterView(target="risk-1", reason="not_wired", message="in-3"),
]


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: type(report).__name__)
def test_reports_travel_hash_and_print(report: Report) -> None:
    again = type(report).model_validate_json(report.model_dump_json())

    assert again == report
    assert hash(again) == hash(report)
    lines = str(report).split("\n")
    assert lines[0] == type(report).__name__
    assert all(columns_of(line) <= WIDTH for line in lines)


def test_a_table_of_members_shows_whole_names_and_headers() -> None:
    view = MemberView(
        name="complexity-12",
        profile="complexity",
        state="active",
        generation=1,
        fence=12,
        running="in-9",
        wired_to=("lead", "risk-1", "risk-2", "docs-1"),
        labels=FrozenMap({"team": "a"}),
    )

    head, _, first, _ = str(Rows([view, view])).split("\n")

    assert head.split() == list(MemberView.row_columns)
    assert first.startswith("complexity-12  complexity  active ")


@pytest.mark.parametrize(
    ("output", "value"),
    [(None, None), ("null", None), ('{"n": [1, "a"]}', {"n": [1, "a"]}), ('"text"', "text")],
)
def test_the_value_of_a_result_is_its_output_parsed(output: str | None, value: object) -> None:
    assert TurnResult(input_id="i", member="m", output=output).value == value


def test_a_reconcile_fails_by_its_members_only() -> None:
    skipped = ReconcileReport(edges=EdgeReport(skipped_missing_members=(AB,)))

    assert skipped.ok
    assert not ReconcileReport(failures=(FAILURE,)).ok


@pytest.mark.parametrize(
    ("report", "changed"),
    [
        (ReconcileReport(desired=("a",), retained=("a",)), False),
        (ReconcileReport(failures=(FAILURE,)), False),
        (ReconcileReport(spawned=(SpawnedMember(agent_identity="a", member_ref="a:0"),)), True),
        (ReconcileReport(retired=("a",)), True),
        (ReconcileReport(edges=EdgeReport(retained_edges=(AB,))), False),
        (ReconcileReport(edges=EdgeReport(wired_edges=(AB,))), True),
        (ReconcileReport(edges=EdgeReport(unwired_edges=(AB,))), True),
        (ReconcileReport(edges=EdgeReport(pruned_stale_managed_edges=(AB,))), True),
    ],
)
def test_a_reconcile_says_whether_it_changed_anything(
    report: ReconcileReport, changed: bool
) -> None:
    assert report.changed is changed


def test_the_books_balance_when_every_message_ended_once() -> None:
    whole = AuditReport(
        sent=21, handled=1, rejected=2, coalesced=3, dead_lettered=4, ambiguous=5, in_flight=6
    )
    lost = AuditReport(sent=2, handled=1)
    twice = AuditReport(sent=1, handled=2)

    assert (whole.balanced, lost.balanced, twice.balanced) == (True, False, False)
    assert (whole.missing, lost.missing, twice.missing) == (0, 1, -1)
