"""What `scripts/check [ARGS...]` runs: all that is to be proved, and how it is shared out.

The tests are run in parts, side by side, as many at a time as there are processors, the longest
first. Every part is a pytest of its own, so that a part may be run by hand as it is run here. A
test file belongs to the part that names it, or else to the one that names its folder, or the folder
above: whatever is added to `tests` is run.
"""

from __future__ import annotations

import configparser
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

from tests.check.running import Runner, Stage, closing_line

ROOT: Final = Path(__file__).resolve().parents[2]
JOBS: Final = int(os.environ.get("MOB_JOBS") or os.cpu_count() or 1)

# The "ci" profile of hypothesis: no deadlines, the same examples in every run. The largest tests
# take more than the minute after which pytest would show where a test hangs.
PATIENCE: Final = "faulthandler_timeout=300"
PYTEST: Final = ("pytest", "-W", "error", "--hypothesis-profile=ci", "-o", PATIENCE)

TOOLS: Final = (
    Stage("ruff format", ("ruff", "format", "--check", ".")),
    Stage("ruff check", ("ruff", "check", ".")),
    Stage("import floors", ("lint-imports",)),
    Stage("mypy", ("mypy", "actors", "transport", "bench", "examples", "tests")),
)


class Part(NamedTuple):
    """Tests that one pytest runs.

    Attributes:
        paths: Without what other parts name below them.
        traced: Whether coverage counts what they run. Campaigns take two to four times as long
            under its tracer, and tests of other processes run nothing here: both leave it to the
            others to run every line.
    """

    name: str
    paths: tuple[str, ...]
    traced: bool = True


# The longest first, by what they take on two cores: with the short ones at the end all processors
# are busy until the end.
PARTS: Final = (
    Part("killed and large runs", ("tests/system/test_run_survives.py",), traced=False),
    Part("other processes", ("tests/system",), traced=False),
    Part("the rest", ("tests",)),
    Part(
        "campaigns",
        (
            "tests/simulation",
            "tests/fuzz",
            "tests/transport/test_link_pairs.py",
            "tests/examples/test_review_complexity.py",
        ),
        traced=False,
    ),
    Part(
        "commands",
        (
            "tests/cli",
            "tests/test_examples.py",
            "tests/test_pytest_plugin.py",
            "tests/test_readme.py",
        ),
    ),
    Part("transport", ("tests/transport", "tests/post")),
)

# The same tests with every typed message going through codec and ZeroMQ.
WIRED: Final = ("tests/kernel", "tests/roles", "tests/test_system.py", "tests/test_mob.py")


def part_of(path: str, parts: Sequence[Part] = PARTS) -> Part:
    """The part that names the file, or the nearest folder above it."""
    places = (path, *map(str, PurePosixPath(path).parents))
    return next(part for place in places for part in parts if place in part.paths)


def left_out(part: Part, parts: Sequence[Part] = PARTS) -> list[str]:
    """What other parts name below the paths of this one."""
    return [
        path
        for other in parts
        if other is not part
        for path in other.paths
        if not set(part.paths).isdisjoint(map(str, PurePosixPath(path).parents))
    ]


def arguments(part: Part) -> list[str]:
    """What makes pytest run this part."""
    return [*part.paths, *(f"--ignore={path}" for path in left_out(part))]


def pure() -> str:
    """The files that decide and do no I/O, for coverage: those of the contract, and three more."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    files = [f"actors/kernel/{name}.py" for name in ("supervision", "waits", "groups")]
    for module in config["importlinter:contract:pure"]["source_modules"].split():
        place = module.replace(".", "/")
        files.append(f"{place}/*" if (ROOT / place).is_dir() else f"{place}.py")
    return ",".join(files)


def tests(name: str, given: Sequence[str], data: str | None, **environment: str) -> Stage:
    """A pytest; `data` is the file for its coverage, None if it is not traced."""
    traced = ("coverage", "run", f"--data-file={data}") if data else (sys.executable,)
    return Stage(name, (*traced, "-m", *PYTEST, *given), environment, tests=True)


def everything(runner: Runner, folder: str) -> None:
    """Prove all there is; `folder` is for what coverage has counted."""
    stages = [
        tests(f"tests: {part.name}", arguments(part), f"{folder}/{n}" if part.traced else None)
        for n, part in enumerate(PARTS)
    ]
    stages.append(tests("tests over the wire", WIRED, f"{folder}/wire", MOB_WIRE="1"))
    runner.side_by_side([*TOOLS, *stages])
    counted = sorted(str(file) for file in Path(folder).iterdir())
    report = ("coverage", "report")
    runner.alone(Stage("coverage", ("coverage", "combine", "--quiet", *counted)))
    runner.alone(Stage("coverage of it all", (*report, "--fail-under=90")))
    only = f"--include={pure()}"
    runner.alone(Stage("coverage of the pure modules", (*report, "--fail-under=100", only)))


def main(given: Sequence[str]) -> int:
    """Prove everything, or with arguments the tests they choose; 0 if all of it holds."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: end what was started
    os.chdir(ROOT)
    began = time.monotonic()
    runner = Runner(JOBS)
    interrupted = False
    try:
        if given:  # a part of the tests cannot cover the whole
            runner.side_by_side(TOOLS)
            runner.alone(tests("tests", given, ".coverage"))
        else:
            with tempfile.TemporaryDirectory() as folder:
                everything(runner, folder)
    except KeyboardInterrupt:
        interrupted = True
    return summary(runner, time.monotonic() - began, interrupted=interrupted)


def summary(runner: Runner, took_s: float, *, interrupted: bool) -> int:
    """Say how long what took and what failed; last of all the closing line, where CI looks for it.

    Returns:
        The exit status of the whole.
    """
    results = sorted(runner.results, key=lambda result: result.began)
    lines = ["\n== timings"]
    for result in results:
        verdict = "ok" if result.ok else "FAILED"
        lines.append(f"{result.ended - result.began:6.0f} s  {verdict:6}  {result.stage.name}")
    lines.append(f"{took_s:6.0f} s          altogether, {JOBS} at a time\n")
    failed = ", ".join(result.stage.name for result in results if not result.ok)
    if failed:
        lines.append(f"scripts/check: failed: {failed}")
    if interrupted:
        lines.append("scripts/check: interrupted, not all was run")
    lines.append(closing_line(results))
    sys.stdout.write("\n".join(lines).rstrip("\n") + "\n")
    return 130 if interrupted else int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
