"""Samples the rows: both sides in turn, several rounds, the best figure of each kept."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import peers
from bench.rows import Result, Row, Side

TIMEOUT_S = 300
"""A sample that takes longer has hung; the largest takes seconds."""

LOWER_IS_BETTER = frozenset({"us", "ms", "B"})


class SampleError(Exception):
    """A sample ended without a figure; `text` is its last line of complaint."""

    def __init__(self, side: Side, text: str) -> None:
        super().__init__(side, text)
        self.side = side
        self.text = text

    def __str__(self) -> str:
        return f"{self.side.module}.{self.side.measure}: {self.text}"


def sample(python: Path, side: Side, *, quick: bool) -> float:
    """Run one measure in a new process of `python` and return its figure.

    Raises:
        SampleError: The process failed, hung, or printed no figure.
    """
    count = side.quick if quick else side.count
    command = [str(python), "-m", "bench.side", side.module, side.measure, str(count)]
    try:
        done = subprocess.run(
            command, cwd=peers.ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise SampleError(side, f"no figure within {TIMEOUT_S} s") from None
    if done.returncode != 0:
        complaint = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise SampleError(side, complaint[-1])
    return float(json.loads(done.stdout.splitlines()[-1]))


class _Tally:
    """The figures of one row so far."""

    def __init__(self, row: Row) -> None:
        self.row = row
        self.ours: list[float] = []
        self.theirs: list[float] = []
        self.problem: str | None = None

    def take(self, round_number: int, *, quick: bool) -> None:
        """Sample both sides once; who goes first alternates, as the machine warms and tires."""
        turns: list[tuple[Path, Side, list[float]]] = [
            (Path(sys.executable), self.row.ours, self.ours)
        ]
        if self.row.peer is not None and self.row.theirs is not None:
            turns.append((peers.interpreter(self.row.peer), self.row.theirs, self.theirs))
        if round_number % 2:
            turns.reverse()
        for python, side, figures in turns:
            try:
                figures.append(sample(python, side, quick=quick))
            except SampleError as error:
                self.problem = str(error)

    def result(self) -> Result:
        """Return the best of both sides."""
        best = min if self.row.unit in LOWER_IS_BETTER else max
        return Result(
            self.row,
            best(self.ours, default=None),
            best(self.theirs, default=None),
            self.problem,
        )


def run(
    rows: Sequence[Row], *, rounds: int, quick: bool, progress: Callable[[str], None]
) -> list[Result]:
    """Measure `rows` in `rounds` rounds; one result per row, in their order.

    Rounds go over all rows before the next begins, so that a slow minute of the machine touches
    one sample of each row and not all samples of one.
    """
    for peer in sorted({row.peer for row in rows if row.peer is not None}):
        peers.interpreter(peer)
    tallies = [_Tally(row) for row in rows]
    for round_number in range(rounds):
        for tally in tallies:
            if tally.problem is None:
                progress(f"round {round_number + 1}/{rounds}: {tally.row.name}")
                tally.take(round_number, quick=quick)
    return [tally.result() for tally in tallies]
