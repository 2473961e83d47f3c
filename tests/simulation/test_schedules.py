"""The real mob in the seeded world: random schedules, the same trace again, planted bugs found.

`MOB_SCHEDULES` says how many schedules are run (500 by default), in processes of their own. A
failing one comes made smaller, with the command that runs it again.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.simulation.campaign import JOBS, ROOT, Broken, Case, broken_rules, campaign, shrink
from tests.simulation.mob_plants import MOB
from tests.simulation.schedules import MODULE, main, quiet, run

SCHEDULES = int(os.environ.get("MOB_SCHEDULES", "500"))
WITHIN = 500  # seeds in which a planted bug must show


@pytest.fixture(autouse=True)
def _quiet_logs() -> Iterator[None]:
    with quiet():
        yield


def case(seed: int) -> Case:
    return Case(MODULE, seed)


def test_every_rule_holds_after_every_schedule() -> None:
    report = campaign(MODULE, 0, SCHEDULES, JOBS)

    assert not report.failures, "\n\n".join(report.failures)


@pytest.mark.parametrize("seed", range(0, 200, 10))
def test_the_same_seed_gives_the_same_trace(seed: int) -> None:
    assert run(case(seed)) == run(case(seed))


def test_other_seeds_give_other_traces() -> None:
    assert len({run(case(seed)).trace for seed in range(20)}) == 20


def test_the_trace_does_not_depend_on_the_process() -> None:
    """Sets of texts are ordered by a hash that differs from process to process."""

    def traces(hash_seed: str) -> str:
        return subprocess.run(
            [sys.executable, "-m", MODULE, "0", "20", "--outcomes"],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    first = traces("1")

    assert len(first.splitlines()) == 20
    assert traces("2") == first
    assert traces("3") == first


@pytest.mark.parametrize("name", MOB)
def test_a_planted_bug_is_found(name: str) -> None:
    with MOB[name].planted():
        found = broken_rules(case(0), WITHIN, run, MOB[name].rules)

    assert found & {*MOB[name].rules}


def test_a_failing_schedule_is_made_smaller_and_its_command_shows_it_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    big = Case(MODULE, 4, plant="deaf-router")
    with MOB[big.plant].planted():
        with pytest.raises(Broken) as failure:
            run(big)
        small = shrink(failure.value, run, patience_s=20.0)

    again = main(small.case.command.split()[3:])

    assert again == 1
    assert small.rule in capsys.readouterr().out
    assert small.rule == failure.value.rule
    assert len(small.operations) < len(failure.value.operations)
    assert small.choices < failure.value.choices
