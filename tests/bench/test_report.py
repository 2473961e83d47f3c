"""The shape of the table and of the JSON document."""

from __future__ import annotations

import io
import json
from typing import Any

from rich.console import Console

from bench import local, report
from bench.rows import Growth, Limit, Result, Row, Side

SIDE = Side("ours", "ask_thread", 10, 1)
PEERS = {"pykka": SIDE, "xoscar": SIDE}
ROW = Row("ask from a thread", "us", SIDE, PEERS, (Limit("at_most", 1.2, "pykka"),))
ABSENT = {"xoscar": "not installed (pip exit 1)"}
MEASURED = Result(ROW, 50.0, {"pykka": 40.0}, ABSENT)
ALONE = Result(Row("mob --help", "ms", SIDE), 218.4)
TAKEN = report.Circumstances("local", False, 0.1, "asyncio", {"pykka": "4.5.0"}, ABSENT)


def rows_of(*results: Result) -> list[dict[str, Any]]:  # Any: JSON
    rows: list[dict[str, Any]] = json.loads(json.dumps(report.document(results, TAKEN)))["rows"]
    return rows


def rendered(*results: Result) -> str:
    console = Console(width=200, file=io.StringIO(), record=True)
    console.print(report.table(results))
    return console.export_text()


def test_a_row_of_the_document_has_a_value_and_a_ratio_for_each_peer_it_names() -> None:
    rows = rows_of(MEASURED)

    assert rows == [
        {
            "name": "ask from a thread",
            "ours": 50.0,
            "unit": "us",
            "peer": "pykka",
            "peer_value": 40.0,
            "ratio": 1.25,
            "peers": {"pykka": 40.0, "xoscar": None},
            "ratios": {"pykka": 1.25, "xoscar": None},
            "target": "<= 1.2 x pykka",
            "met": False,
            "problem": None,
        }
    ]


def test_every_row_of_the_document_has_the_same_keys() -> None:
    first, second = rows_of(MEASURED, ALONE)

    assert list(first) == list(second)
    assert second["peer"] is None
    assert second["peers"] == {}


def test_the_document_says_how_it_was_taken() -> None:
    document = json.loads(json.dumps(report.document([], TAKEN)))

    assert document["suite"] == "local"
    assert document["loop"] == "asyncio"
    assert document["peer_versions"] == {"pykka": "4.5.0"}
    assert document["peers_absent"] == ABSENT
    assert document["rows"] == []


def test_the_table_has_a_column_for_each_peer_that_a_row_names() -> None:
    columns = [str(column.header) for column in report.table([MEASURED, ALONE]).columns]

    assert columns == ["name", "ours", "unit", "pykka", "xoscar", "target", "met"]


def test_a_peer_is_shown_with_its_figure_and_the_ratio_to_it() -> None:
    assert report.beside(MEASURED, "pykka") == "40  1.25 x"


def test_a_peer_that_cannot_be_installed_is_shown_with_a_word() -> None:
    text = rendered(MEASURED)

    assert "not installed (pip exit 1)" in text
    assert report.beside(MEASURED, "xoscar") == "not installed (pip exit 1)"


def test_a_peer_that_a_row_does_not_name_leaves_its_cell_empty() -> None:
    assert report.beside(ALONE, "pykka") == "-"


def test_the_verdict_stands_in_the_last_column() -> None:
    lines = rendered(MEASURED, ALONE).splitlines()

    verdicts = [line.split("│")[-2].strip() for line in lines if line.startswith("│")]
    assert verdicts == ["no", "-"]


def test_below_the_table_stand_the_loop_the_peers_and_what_could_not_be_measured() -> None:
    failed = Result(ROW, None, problem="ours.ask_thread: no figure within 300 s")

    lines = report.notes([failed, failed], TAKEN)

    assert lines == [
        "event loop: asyncio, ours and the peers' on asyncio",
        "peers: pykka 4.5.0",
        "xoscar is not measured: not installed (pip exit 1)",
        "not measured: ours.ask_thread: no figure within 300 s",
    ]


def test_a_busy_machine_is_named() -> None:
    busy = report.Circumstances("local", False, 1.5, "uvloop")

    assert "busy (load 1.5)" in report.notes([], busy)[-1]


def test_figures_keep_three_digits_that_mean_something() -> None:
    assert report.figure(1_234_567.8) == "1,234,568"
    assert report.figure(0.04183) == "0.0418"
    assert report.figure(None) == "-"


def test_every_local_row_has_a_name_of_its_own() -> None:
    names = [row.name for row in local.ROWS]

    assert len(names) == len(set(names))


def test_every_limit_of_a_local_row_names_a_peer_of_that_row() -> None:
    for row in local.ROWS:
        named = {limit.peer for limit in row.limits if limit.peer is not None}
        assert named <= set(row.peers), row.name


def test_growth_is_measured_from_a_smaller_to_a_larger_size() -> None:
    growths = [row.ours for row in local.ROWS if isinstance(row.ours, Growth)]

    assert growths
    for growth in growths:
        assert growth.small.count < growth.large.count
        assert growth.small.quick < growth.large.quick
