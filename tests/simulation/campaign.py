"""What all seeded schedules share: a case that can be run again, making it smaller, many at once.

A *case* is a seed, perhaps with only some of its operations and only the first of its choices. The
same case does the same on every machine. A case that fails is made smaller (first operations are
left out, then choices), and the command that runs it again is printed.
"""

from __future__ import annotations

import argparse
import dataclasses
import gc
import itertools
import math
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Final, Protocol

ROOT: Final = Path(__file__).resolve().parents[2]
JOBS: Final = min(os.cpu_count() or 1, 8)  # processes that share a campaign
SHRINK_S: Final = 60.0  # at most, for one failure
A_SCHEDULE_S: Final = 2.0  # far more than one takes; a campaign that needs more hangs
SHOWN: Final = 20  # failures of one process that are made smaller; the others are only named


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """A schedule that can be run again.

    Attributes:
        module: What is run with `python -m`.
        keep: The numbers of the operations that are done; None: all.
        choices: How many choices are the seed's; None: all.
        plant: The planted bug that is in force, for the tests of these tests.
    """

    module: str
    seed: int
    keep: tuple[int, ...] | None = None
    choices: int | None = None
    plant: str = ""

    @property
    def command(self) -> str:
        """Runs it again, in the folder of the project."""
        words = ["python", "-m", self.module, str(self.seed)]
        if self.keep is not None:
            words += ["--keep", ",".join(map(str, self.keep))]
        if self.choices is not None:
            words += ["--choices", str(self.choices)]
        if self.plant:
            words += ["--plant", self.plant]
        return shlex.join(words)


class Broken(AssertionError):
    """A rule does not hold in a case.

    Attributes:
        operations: The numbers of the operations that the case had.
        choices: How many choices its seed has made.
    """

    def __init__(
        self, case: Case, rule: str, found: object, operations: Sequence[int], choices: int
    ) -> None:
        super().__init__(case, rule, found)
        self.case = case
        self.rule = rule
        self.found = found
        self.operations = tuple(operations)
        self.choices = choices

    def __str__(self) -> str:
        size = f"{len(self.operations)} operations, {self.choices} choices"
        return f"{self.rule}: {self.found}\n  ({size}) again: {self.case.command}"


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What one schedule was, for comparing: the world's trace, and how much happened."""

    trace: str
    operations: int
    choices: int
    events: int

    def __str__(self) -> str:
        return f"{self.trace} {self.operations} {self.choices} {self.events}"


class Run(Protocol):
    """Runs a case. Raises Broken."""

    def __call__(self, case: Case, *, verbose: bool = False) -> Outcome: ...


class Planted(Protocol):
    """A bug that can be put in force."""

    @property
    def planted(self) -> Callable[[], AbstractContextManager[object]]: ...


def shrink(broken: Broken, run: Run, *, patience_s: float = SHRINK_S) -> Broken:
    """A smaller case that breaks the same rule; the one that is given if none is found.

    Operations are left out in halves, quarters and so on (Zeller's ddmin), then the choices are
    made fewer, then once more operations: with fewer choices more of them are superfluous.
    """
    until = time.monotonic() + patience_s

    def try_it(case: Case) -> Broken | None:
        if time.monotonic() >= until:
            return None
        try:
            run(case)
        except Broken as again:
            return again if again.rule == broken.rule else None
        return None

    best = broken
    for narrow in (_fewer_operations, _fewer_choices, _fewer_operations, _fewer_choices):
        best = narrow(best, try_it)
    return best


def _fewer_operations(best: Broken, try_it: Callable[[Case], Broken | None]) -> Broken:
    parts = 2
    while len(best.operations) > 1:
        keep = best.operations
        size = math.ceil(len(keep) / parts)
        for start in range(0, len(keep), size):
            fewer = keep[:start] + keep[start + size :]
            again = try_it(dataclasses.replace(best.case, keep=fewer))
            if again is not None:
                best = again
                parts = max(parts - 1, 2)
                break
        else:
            if size == 1:
                break
            parts = min(parts * 2, len(keep))
    return best


def _fewer_choices(best: Broken, try_it: Callable[[Case], Broken | None]) -> Broken:
    """Halve the distance to the fewest choices that show it; then one less at a time, a little."""
    low, high = 0, best.choices
    again = try_it(dataclasses.replace(best.case, choices=0))
    if again is not None:
        return again
    while high - low > 1:
        middle = (low + high) // 2
        again = try_it(dataclasses.replace(best.case, choices=middle))
        if again is None:
            low = middle
        else:
            best, high = again, middle
    return best


# -- many ---------------------------------------------------------------------------------------


@dataclasses.dataclass(slots=True)
class Report:
    """What a campaign found."""

    schedules: int
    took_s: float
    failures: list[str]

    @property
    def per_s(self) -> float:
        """Schedules per second."""
        return self.schedules / max(self.took_s, 1e-9)


def campaign(module: str, first: int, count: int, jobs: int, *, plant: str = "") -> Report:
    """Run `count` seeds from `first` on in `jobs` processes; failures come made smaller."""
    began = time.monotonic()
    bounds = [first + count * n // jobs for n in range(jobs + 1)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", module, str(start), str(end - start), "--plant", plant],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for start, end in itertools.pairwise(bounds)
        if end > start
    ]
    failures = []
    patience_s = 60.0 + count * A_SCHEDULE_S + SHRINK_S * SHOWN
    try:
        for process in processes:
            left = max(patience_s - (time.monotonic() - began), 1.0)
            printed, _ = process.communicate(timeout=left)
            if process.returncode != 0:
                failures.append(printed.strip())
    finally:
        for process in processes:
            process.kill()
            process.wait()
    return Report(count, time.monotonic() - began, failures)


def seeds(
    case: Case, count: int, run: Run, *, verbose: bool = False
) -> Iterator[tuple[int, Outcome | Broken]]:
    """Run `count` seeds from the one of `case` on."""
    for seed in range(case.seed, case.seed + count):
        try:
            yield seed, run(dataclasses.replace(case, seed=seed), verbose=verbose)
        except Broken as broken:
            yield seed, broken


def broken_rules(case: Case, count: int, run: Run, wanted: Collection[str]) -> set[str]:
    """The rules that `count` seeds break, up to the first seed that breaks one of `wanted`."""
    rules: set[str] = set()
    for _, found in seeds(case, count, run):
        if isinstance(found, Broken):
            rules.add(found.rule)
            if found.rule in wanted:
                break
    return rules


def main(module: str, run: Run, plants: Mapping[str, Planted], arguments: Sequence[str]) -> int:
    """Run the seeds that are asked for; say what was found, smaller, with its command."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}")
    parser.add_argument("seed", type=int)
    parser.add_argument("count", type=int, nargs="?", default=1)
    parser.add_argument("--keep", help="only these operations, for example 0,3,7")
    parser.add_argument("--choices", type=int, help="only so many choices are the seed's")
    parser.add_argument("--plant", default="", choices=["", *plants], help="plant this bug")
    parser.add_argument("--outcomes", action="store_true", help="print what every seed was")
    parser.add_argument("--no-shrink", action="store_true", help="show failures as they are")
    parser.add_argument("-v", "--verbose", action="store_true", help="print what happens")
    asked = parser.parse_args(arguments)
    keep = None if asked.keep is None else tuple(map(int, filter(None, asked.keep.split(","))))
    case = Case(module, asked.seed, keep, asked.choices, asked.plant)
    began, broken = time.perf_counter(), 0
    gc.freeze()  # what is loaded by now stays; the collector need not look at it again
    with plants[asked.plant].planted() if asked.plant else nullcontext():
        for seed, found in seeds(case, asked.count, run, verbose=asked.verbose):
            if isinstance(found, Broken):
                broken += 1
                exact = asked.no_shrink or keep is not None or asked.choices is not None
                if not exact and broken <= SHOWN:
                    found = shrink(found, run)
                sys.stdout.write(f"seed {seed}: {found}\n")
            elif asked.count == 1 or asked.outcomes:
                sys.stdout.write(f"seed {seed}: {found}\n")
            sys.stdout.flush()
    took = time.perf_counter() - began
    sys.stderr.write(f"{asked.count} schedules, {broken} broken, {asked.count / took:.0f}/s\n")
    return 1 if broken else 0
