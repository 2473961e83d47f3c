"""Every deviation from Pykka is documented, has a reason, and is shown beside Pykka's sentence."""

from __future__ import annotations

import importlib
import inspect
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.kernel.pykka_deviations import BOTH, DEVIATIONS, OF

HERE = Path(__file__).resolve()
ROOT = HERE.parents[2]
DOCUMENT = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")


class Row(NamedTuple):
    """One line of the table in docs/guarantees.md."""

    name: str
    of: str
    pykka: str
    here: str
    why: str
    shown_by: str


def _documented() -> list[Row]:
    table = DOCUMENT.partition("<!-- pykka -->")[2].partition("<!-- /pykka -->")[0]
    lines = [line for line in table.splitlines() if line.startswith("| `")]
    return [Row(*(cell.strip() for cell in line.strip("|").split(" | "))) for line in lines]


def _tests() -> Iterator[tuple[str, Any]]:  # Any: a function with the marks of `pykka_kinds`
    """The sentences and deviations of all modules, each with its path."""
    for file in sorted(HERE.parent.glob("test_pykka_*.py")):
        module = importlib.import_module(f"tests.kernel.{file.stem}")
        for name, test in inspect.getmembers(module, inspect.isfunction):
            if hasattr(test, "kinds"):
                yield f"tests/kernel/{file.name}::{name}", test


ROWS = {row.name.strip("`"): row for row in _documented()}


def test_the_documented_deviations_are_those_of_the_tests() -> None:
    documented = {name: (row.of, row.here) for name, row in ROWS.items()}

    assert documented == {name: (OF[row.of], row.instead) for name, row in DEVIATIONS.items()}
    assert len(ROWS) == len(_documented())


@pytest.mark.parametrize("name", DEVIATIONS)
def test_a_deviation_says_what_pykka_does_and_why_we_do_not(name: str) -> None:
    row = ROWS[name]

    assert all(len(cell) > 3 for cell in row)
    assert row.pykka != row.here


def test_a_deviation_names_the_tests_that_show_it() -> None:
    shown = defaultdict(set)
    for path, test in _tests():
        if test.shows:
            shown[test.shows].add(path)

    named = {name: set(re.findall(r"`([^`]+)`", row.shown_by)) for name, row in ROWS.items()}

    assert named == shown


def test_a_deviation_stands_beside_pykkas_sentence() -> None:
    """Nothing is said of Pykka that its own class does not do in a test."""
    sentences = {row for _, test in _tests() if "pykka" in test.kinds for row in test.unless}

    assert sentences == set(DEVIATIONS)


def test_every_sentence_runs_over_pykka_and_over_ours_unless_a_row_says_no() -> None:
    for path, test in _tests():
        if not test.shows:
            apart = {kind for row in test.unless for kind in DEVIATIONS[row].of}
            assert set(test.kinds) == {"pykka", *BOTH} - apart, path
