"""Making a failing case smaller, and running many seeds in several processes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.simulation import simulate
from tests.simulation.campaign import Broken, Case, Outcome, campaign, seeds, shrink
from tests.simulation.kernel_schedules import MODULE

TEN = tuple(range(10))


class Toy:
    """Breaks when certain operations are there and so many choices are free."""

    def __init__(self, needed: frozenset[int], choices: int, rule: str = "a rule") -> None:
        self.needed = needed
        self.choices = choices
        self.rule = rule
        self.runs = 0

    def __call__(self, case: Case, *, verbose: bool = False) -> Outcome:
        self.runs += 1
        keep = TEN if case.keep is None else case.keep
        made = 100 if case.choices is None else min(case.choices, 100)
        if self.needed <= {*keep} and made >= self.choices:
            raise Broken(case, self.rule, "found", keep, made)
        return Outcome("", len(keep), made, 0)


def failure(run: Toy) -> Broken:
    with pytest.raises(Broken) as raised:
        run(Case("module", 7))
    return raised.value


@given(st.frozensets(st.integers(0, 9), max_size=5), st.integers(0, 100))
def test_exactly_what_is_needed_is_left(needed: frozenset[int], choices: int) -> None:
    run = Toy(needed, choices)

    small = shrink(failure(run), run)

    assert {*small.operations} == needed or not needed
    assert len(small.operations) == max(len(needed), 1)
    assert small.choices == choices
    assert run.runs < 500


def test_another_rule_is_not_taken_for_the_same_failure() -> None:
    class Other(Toy):
        def __call__(self, case: Case, *, verbose: bool = False) -> Outcome:
            self.rule = "a rule" if case.keep is None else "another rule"
            return super().__call__(case, verbose=verbose)

    run = Other(frozenset({1}), 0)

    small = shrink(failure(run), run)

    assert small.operations == TEN
    assert small.rule == "a rule"


def test_without_time_the_failure_stays_as_it_is() -> None:
    run = Toy(frozenset({1}), 0)
    big = failure(run)

    assert shrink(big, run, patience_s=0.0) is big


def test_a_case_names_the_command_that_runs_it() -> None:
    assert Case("m", 4).command == "python -m m 4"
    small = Case("m", 4, keep=(0, 3), choices=12, plant="bug")
    assert small.command == "python -m m 4 --keep 0,3 --choices 12 --plant bug"


def test_every_seed_is_run_once_and_failures_are_data() -> None:
    def run(case: Case, *, verbose: bool = False) -> Outcome:
        if case.seed == 3:
            raise Broken(case, "a rule", "found", (), 0)
        return Outcome(str(case.seed), 0, 0, 0)

    found = dict(seeds(Case("m", 2), 3, run))

    assert [*found] == [2, 3, 4]
    assert isinstance(found[3], Broken)


def test_several_processes_share_the_seeds_and_say_what_failed() -> None:
    good = campaign(MODULE, 0, 6, 2)
    bad = campaign(MODULE, 0, 2, 2, plant="dropped-lane")

    assert not good.failures
    assert good.schedules == 6
    assert good.per_s > 0
    assert any("--plant dropped-lane" in text for text in bad.failures)


def test_the_night_form_says_how_fast_it_was_and_what_failed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    good = simulate.main(["--seeds", "4", "--from", "8", "--jobs", "2"])
    printed = capsys.readouterr().out

    assert good == 0
    assert [line.partition(",")[0] for line in printed.splitlines()] == [
        "kernel: seeds 8 to 11",
        "mob: seeds 8 to 11",
    ]
    assert printed.count("all hold") == 2

    bad = simulate.main(["--seeds", "2", "--kind", "kernel", "--plant", "dropped-lane"])

    assert bad == 1
    assert "again: python -m tests.simulation.kernel_schedules 0 " in capsys.readouterr().out


@pytest.mark.parametrize("wrong", [["--seeds", "0"], ["--jobs", "0"], ["--kind", "all"]])
def test_the_night_form_refuses_what_it_cannot_do(wrong: list[str]) -> None:
    with pytest.raises(SystemExit) as ending:
        simulate.main(wrong)

    assert ending.value.code == 2
