"""What `scripts/check` runs is everything, and its last line says how that ended."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.check.__main__ import PARTS, ROOT, WIRED, arguments, part_of, pure, summary
from tests.check.running import Result, Runner, Stage, closing_line

TEST_FILES = [str(file.relative_to(ROOT)) for file in sorted(ROOT.glob("tests/**/test_*.py"))]
PASSED = "collected 2 items\n\ntests/a.py ..\n\n====== 2 passed in 1.02s ======\n"


def taken(path: str, given: list[str]) -> bool:
    """Whether a pytest with these arguments runs the file."""
    places = {path, *map(str, Path(path).parents)}
    ignored = {each.removeprefix("--ignore=") for each in given if each.startswith("--")}
    return not places.isdisjoint(given) and places.isdisjoint(ignored)


@pytest.mark.parametrize("path", TEST_FILES)
def test_every_test_file_is_run_by_one_part(path: str) -> None:
    takers = [part for part in PARTS if taken(path, arguments(part))]

    assert takers == [part_of(path)]


def test_every_place_that_is_named_exists() -> None:
    for path in (*WIRED, *(path for part in PARTS for path in part.paths)):
        assert (ROOT / path).exists(), path


def test_the_pure_files_are_those_of_the_contract() -> None:
    files = pure().split(",")

    assert {"actors/domain/*", "actors/kernel/waits.py", "transport/codec.py"} <= set(files)
    for file in files:
        assert (ROOT / file.removesuffix("/*")).exists(), file


# -- the closing line ---------------------------------------------------------------------------


def result(output: str, code: int | None = 0, *, tests: bool = True, ended: float = 3) -> Result:
    return Result(Stage("a stage", ("true",), tests=tests), code, 1, ended, output)


def said(*results: Result) -> str:
    return closing_line(results).strip("= ")


def test_the_closing_line_is_the_sum_of_all_parts() -> None:
    quiet = "..s\n2 passed, 1 skipped, 1 warning in 3.40s\n"
    failed = "= 1 failed, 9 passed, 2 skipped, 2 warnings, 1 error in 65.00s (0:01:05) =\n"

    both = said(result(PASSED), result(quiet, ended=141.5), result("ok", tests=False, ended=999))
    all_three = said(result(PASSED), result(quiet), result(failed, 1))

    assert both == "4 passed, 1 skipped, 1 warning in 140.50s (0:02:20)"
    assert all_three == ("1 failed, 13 passed, 3 skipped, 3 warnings, 1 error in 2.00s (0:00:02)")
    assert closing_line([result(PASSED), result(quiet)]).startswith("=====")


def test_the_closing_line_of_one_part_is_its_own() -> None:
    assert said(result(PASSED)) == "2 passed in 1.02s"
    assert said(result("== no tests ran in 0.01s ==\n", 5)) == "no tests ran in 0.01s"
    assert closing_line([result("usage: pytest", 4)]) == ""
    assert closing_line([]) == ""


@pytest.mark.parametrize(
    ("output", "code"),
    [
        ("tests/a.py ..\nSegmentation fault", -11),
        ("", 0),
        ("= no tests ran in 0.01s =", 5),
        ("!!!!! KeyboardInterrupt !!!!!\n= 3 passed in 0.12s =\n", 2),
        ("", None),
    ],
)
def test_a_part_that_ends_without_saying_why_is_an_error(output: str, code: int | None) -> None:
    assert "1 error in" in said(result(PASSED), result(output, code))


# -- running ------------------------------------------------------------------------------------


def program(name: str, text: str, *, tests: bool = False) -> Stage:
    return Stage(name, (sys.executable, "-c", text), {"COLOUR": "red"}, tests=tests)


@contextmanager
def ctrl_c_counts() -> Iterator[None]:
    """A background job of a shell ignores it, and so would what it starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def test_what_runs_side_by_side_is_shown_apart_and_goes_on_when_one_fails() -> None:
    out = io.StringIO()
    runner = Runner(2, out)
    loud = "import os; [print(os.environ['COLOUR'], flush=True) for _ in range(3)]"

    runner.side_by_side(
        [
            program("fails", "import sys; sys.exit('no')"),
            *(program(f"loud {n}", loud) for n in range(4)),
            Stage("missing", ("no-such-program-anywhere",)),
        ]
    )

    assert {one.stage.name: one.code for one in runner.results} == {
        **{f"loud {n}": 0 for n in range(4)},
        "fails": 1,
        "missing": 127,
    }
    assert out.getvalue().count("red\nred\nred\n") == 4
    assert "\n== fails\nno\n" in out.getvalue()
    assert "no-such-program-anywhere" in out.getvalue()


def test_what_runs_alone_is_shown_as_it_comes() -> None:
    out = io.StringIO()
    runner = Runner(2, out)

    runner.alone(program("one", "print('2 passed in 0.1s')", tests=True))
    runner.alone(Stage("missing", ("no-such-program-anywhere",)))

    assert out.getvalue().startswith("\n== one\n2 passed in 0.1s\n")
    assert [one.code for one in runner.results] == [0, 127]


def test_an_interruption_ends_what_runs_and_begins_nothing() -> None:
    out = io.StringIO()
    runner = Runner(1, out)
    # It interrupts us, and is interrupted by us then.
    first = f"""
import os, signal, time
try:
    os.kill({os.getpid()}, signal.SIGINT)
    time.sleep(60)
except KeyboardInterrupt:
    print("interrupted")
"""

    with ctrl_c_counts(), pytest.raises(KeyboardInterrupt):
        runner.side_by_side([program("first", first), program("second", "print('begun')")])

    assert "interrupted" in out.getvalue()
    assert "begun" not in out.getvalue()
    assert {one.stage.name: one.code for one in runner.results} == {"first": 0, "second": None}


def test_an_interruption_of_what_runs_alone_lets_it_end() -> None:
    out = io.StringIO()
    runner = Runner(1, out)
    stage = program(
        "one", f"import os, signal; os.kill({os.getpid()}, signal.SIGINT); print('1 passed in 1s')"
    )

    with ctrl_c_counts(), pytest.raises(KeyboardInterrupt):
        runner.alone(stage)

    assert out.getvalue().endswith("1 passed in 1s\n")
    assert [one.code for one in runner.results] == [0]


def test_the_end_says_what_failed_and_the_last_line_is_the_closing_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    runner = Runner(1)
    runner.results += [result(PASSED), result(PASSED, -9), result("", 1, tests=False)]

    status = summary(runner, 12, interrupted=False)

    lines = capsys.readouterr().out.splitlines()
    assert status == 1
    assert "     2 s  FAILED  a stage" in lines
    assert "scripts/check: failed: a stage, a stage" in lines
    assert "4 passed, 1 error in 2.00s" in lines[-1]


def test_an_interrupted_check_has_failed(capsys: pytest.CaptureFixture[str]) -> None:
    assert summary(Runner(1), 12, interrupted=True) == 130
    assert "interrupted" in capsys.readouterr().out


def test_a_check_that_holds_ends_well(capsys: pytest.CaptureFixture[str]) -> None:
    runner = Runner(1)
    runner.results += [result(PASSED)]

    assert summary(runner, 12, interrupted=False) == 0
    assert "FAILED" not in (printed := capsys.readouterr().out)
    assert printed.splitlines()[-1] == f"{'=' * 30} 2 passed in 1.02s {'=' * 31}"
