"""The kernel in the seeded world: random actors, the same trace again, planted bugs found.

`MOB_SCHEDULES` says how many schedules are run (500 by default), in processes of their own. A
failing one comes made smaller, with the command that runs it again.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.simulation.campaign import (
    JOBS,
    ROOT,
    Broken,
    Case,
    broken_rules,
    campaign,
    seeds,
    shrink,
)
from tests.simulation.kernel_plants import KERNEL
from tests.simulation.kernel_schedules import COMPLAINTS, MODULE, main, run

SCHEDULES = int(os.environ.get("MOB_SCHEDULES", "500"))
WITHIN = 5_000  # seeds in which a planted bug must show (design §11)


@pytest.fixture(autouse=True)
def _listening() -> Iterator[None]:
    with COMPLAINTS:
        yield


def case(seed: int) -> Case:
    return Case(MODULE, seed)


def test_every_rule_holds_after_every_schedule() -> None:
    report = campaign(MODULE, 0, SCHEDULES, JOBS)

    assert not report.failures, "\n\n".join(report.failures)


def test_the_same_seed_gives_the_same_trace() -> None:
    assert [run(case(seed)) for seed in range(100)] == [run(case(seed)) for seed in range(100)]


def test_the_same_seed_and_number_of_choices_give_the_same_trace() -> None:
    def few(seed: int) -> Case:
        return Case(MODULE, seed, choices=seed)

    first = [run(few(seed)) for seed in range(50)]

    assert first == [run(few(seed)) for seed in range(50)]
    assert all(outcome.choices <= seed for seed, outcome in enumerate(first))


def test_the_trace_does_not_depend_on_the_process() -> None:
    """Sets are ordered by hashes and places in memory, which differ from process to process."""

    def traces(hash_seed: str) -> str:
        return subprocess.run(
            [sys.executable, "-m", MODULE, "0", "200", "--outcomes"],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ).stdout

    first = traces("1")

    assert len(first.splitlines()) == 200
    assert traces("2") == first


def test_leaving_out_an_operation_leaves_the_others_as_they_are() -> None:
    everything = run(case(3))
    some = run(Case(MODULE, 3, keep=tuple(range(everything.operations))))

    assert some == everything
    assert run(Case(MODULE, 3, keep=(0,))).operations == 1


@pytest.mark.parametrize("name", KERNEL)
def test_a_planted_bug_is_found(name: str) -> None:
    with KERNEL[name].planted():
        found = broken_rules(case(0), WITHIN, run, KERNEL[name].rules)

    assert found & {*KERNEL[name].rules}


@pytest.mark.parametrize("name", ["dropped-lane", "asks-again", "no-cycles"])
def test_a_failing_schedule_is_made_smaller_and_its_command_shows_it_again(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with KERNEL[name].planted():
        tried = seeds(Case(MODULE, 0, plant=name), 99, run)
        big = next(found for _, found in tried if isinstance(found, Broken))
        small = shrink(big, run, patience_s=20.0)

    again = main(small.case.command.split()[3:])

    assert again == 1
    assert small.rule in capsys.readouterr().out
    assert small.rule == big.rule
    assert len(small.operations) < len(big.operations)
    assert small.choices <= big.choices


def failure_of(one: Case) -> Broken | None:
    try:
        run(one)
    except Broken as broken:
        return broken
    return None


def test_what_happens_can_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["3", "--verbose"]) == 0

    printed = capsys.readouterr().out
    assert "born   mob://k/" in printed
    assert "-- operation 0" in printed
