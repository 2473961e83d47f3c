"""Samples the rows: all sides in turn, several rounds, the best figure of each kept."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench import figures, peers
from bench.loops import LOOP
from bench.rows import Result, Row, Side

OURS = "ours"
TIMEOUT_S = 300
"""A sample that takes longer has hung; the largest takes half a minute."""

Task = tuple[str, str, str, int]
"""One thing to sample: who (`ours` or a peer), module, measure, count."""


class SampleError(Exception):
    """A sample ended without a figure; `text` is its last line of complaint."""

    def __init__(self, task: Task, text: str) -> None:
        super().__init__(task, text)
        self.task = task
        self.text = text

    def __str__(self) -> str:
        _, module, measure, _ = self.task
        return f"{module}.{measure}: {self.text}"


def sample(python: Path, task: Task, *, loop: str) -> dict[str, float]:
    """Run one measure in a new process of `python` and return its figures by part.

    A measure with one figure has it under the part "". `loop` is which event loop peers on
    asyncio run on.

    Raises:
        SampleError: The process failed, hung, or printed no figure.
    """
    _, module, measure, count = task
    command = [str(python), "-m", "bench.side", module, measure, str(count)]
    try:
        done = subprocess.run(
            command,
            cwd=peers.ROOT,
            env={**os.environ, LOOP: loop},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SampleError(task, f"no figure within {TIMEOUT_S} s") from None
    if done.returncode != 0:
        complaint = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise SampleError(task, complaint[-1])
    found = json.loads(done.stdout.splitlines()[-1])
    return found if isinstance(found, dict) else {"": float(found)}


class Samples:
    """Every figure taken so far. What several rows read is taken once a round."""

    def __init__(self, pythons: Mapping[str, Path], *, quick: bool, loop: str) -> None:
        self.pythons = pythons
        self.quick = quick
        self.loop = loop
        self.problems: dict[Task, str] = {}
        self._found: dict[Task, list[dict[str, float]]] = {}

    def task(self, who: str, side: Side) -> Task:
        """Return what has to be run for one side of a row."""
        return (who, side.module, side.measure, side.quick if self.quick else side.count)

    def take(self, row: Row, round_number: int) -> None:
        """Sample the sides of a row that this round has not yet; who goes first alternates."""
        turns = [
            (who, side)
            for who, side in _sides(row)
            if who in self.pythons and round_number < (side.rounds or round_number + 1)
        ]
        # The machine warms and tires: nobody shall always come first.
        for who, side in turns[::-1] if round_number % 2 else turns:
            task = self.task(who, side)
            found = self._found.setdefault(task, [])
            if len(found) > round_number or task in self.problems:
                continue
            try:
                found.append(sample(self.pythons[who], task, loop=self.loop))
            except SampleError as error:
                self.problems[task] = str(error)

    def best(self, who: str, side: Side, unit: str) -> float | None:
        """Return the best figure of one side; None when there is none."""
        found = self._found.get(self.task(who, side), [])
        return figures.best(unit, [parts[side.part] for parts in found if side.part in parts])

    def ours(self, row: Row) -> float | None:
        """Return our figure of a row; of a growth, the exponent between the best costs."""
        if isinstance(row.ours, Side):
            return self.best(OURS, row.ours, row.unit)
        ends = [
            (self.task(OURS, side)[3], self.best(OURS, side, row.unit))
            for side in (row.ours.small, row.ours.large)
        ]
        known = [(float(size), cost) for size, cost in ends if cost is not None]
        return figures.growth_exponent(*known) if len(known) == 2 else None


def _sides(row: Row) -> list[tuple[str, Side]]:
    ours = [row.ours] if isinstance(row.ours, Side) else [row.ours.small, row.ours.large]
    return [*((OURS, side) for side in ours), *row.peers.items()]


def run(
    rows: Sequence[Row],
    *,
    pythons: Mapping[str, Path],
    absent: Mapping[str, str],
    loop: str,
    rounds: int,
    quick: bool,
    progress: Callable[[str], None],
) -> list[Result]:
    """Measure `rows` in `rounds` rounds; one result per row, in their order.

    Rounds go over all rows before the next begins, so that a slow minute of the machine touches
    one sample of each row and not all samples of one.

    Args:
        rows: What to measure.
        pythons: The interpreters, of `ours` and of the peers that there are.
        absent: Why a peer has none, in a few words.
        loop: `uvloop` or `asyncio`: what the peers on asyncio run on.
        rounds: Samples of each side, where the side does not want fewer.
        quick: Whether to take the short form of each measure.
        progress: Told what is being measured.
    """
    samples = Samples(pythons, quick=quick, loop=loop)
    for round_number in range(rounds):
        for row in rows:
            progress(f"round {round_number + 1}/{rounds}: {row.name}")
            samples.take(row, round_number)
    return [_result(row, samples, absent) for row in rows]


def _result(row: Row, samples: Samples, absent: Mapping[str, str]) -> Result:
    measured = {name: samples.best(name, side, row.unit) for name, side in row.peers.items()}
    problems = [
        samples.problems[task]
        for task in (samples.task(who, side) for who, side in _sides(row))
        if task in samples.problems
    ]
    return Result(
        row,
        samples.ours(row),
        peers={name: value for name, value in measured.items() if value is not None},
        absent={
            name: absent.get(name, "failed") for name, value in measured.items() if value is None
        },
        problem="; ".join(problems) or None,
    )
