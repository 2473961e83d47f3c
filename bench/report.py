"""The measured rows as a table for people and as a JSON document for programs."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from typing import Final

from rich.console import Console
from rich.table import Table

from bench.rows import Result

BUSY: Final = 0.5
"""Load average above which somebody else uses the machine."""

WIDTH: Final = 180
"""Columns of the table where the output is no terminal; the default of 80 would fold every row."""

_VERDICT = {True: "yes", False: "no", None: "-"}


@dataclass(frozen=True, slots=True)
class Circumstances:
    """How the figures were taken.

    Attributes:
        suite: The name of the suite.
        quick: Whether in the short form.
        load: The load average before.
        loop: `uvloop` or `asyncio`, ours and that of the peers on asyncio.
        versions: The version of each peer that was there.
        absent: Why a peer was not there, in a few words.
    """

    suite: str
    quick: bool
    load: float
    loop: str
    versions: Mapping[str, str] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)


def document(results: Sequence[Result], taken: Circumstances) -> dict[str, object]:
    """Return the JSON document: the circumstances, then `rows` with a fixed set of keys.

    In a row, `peers` and `ratios` have a key for each peer it names, null where there is no
    figure; `peer`, `peer_value` and `ratio` are those of the first one.
    """
    return {
        "suite": taken.suite,
        "quick": taken.quick,
        "version": metadata.version("mob-actors"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "load_before": taken.load,
        "loop": taken.loop,
        "peer_versions": dict(taken.versions),
        "peers_absent": dict(taken.absent),
        "rows": [_row(result) for result in results],
    }


def _row(result: Result) -> dict[str, object]:
    names = list(result.row.peers)
    first = names[0] if names else ""
    return {
        "name": result.row.name,
        "ours": result.ours,
        "unit": result.row.unit,
        "peer": first or None,
        "peer_value": result.peers.get(first),
        "ratio": result.ratios.get(first),
        "peers": {name: result.peers.get(name) for name in names},
        "ratios": {name: result.ratios.get(name) for name in names},
        "target": result.target,
        "met": result.met,
        "problem": result.problem,
    }


def show(results: Sequence[Result], taken: Circumstances) -> None:
    """Print the table; below it, how it was taken and what could not be measured."""
    # A pipe has no width.
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    console.print(table(results))
    for line in notes(results, taken):
        console.print(line, markup=False, highlight=False)


def table(results: Sequence[Result]) -> Table:
    """Return the table: a row each, a column for each peer that a row names."""
    peers = list(dict.fromkeys(name for result in results for name in result.row.peers))
    made = Table(title_justify="left", caption_justify="left")
    made.add_column("name")
    for column in ("ours", "unit", *peers):
        made.add_column(column, justify="right", no_wrap=True)
    made.add_column("target")
    made.add_column("met")
    for result in results:
        made.add_row(
            result.row.name,
            figure(result.ours),
            result.row.unit,
            *(beside(result, peer) for peer in peers),
            result.target or "-",
            _VERDICT[result.met],
        )
    return made


def beside(result: Result, peer: str) -> str:
    """Return a peer's cell: its figure and the ratio to it, or a word why there is none."""
    if peer not in result.row.peers:
        return "-"
    if peer not in result.peers:
        return result.absent.get(peer, "-")
    ratio = result.ratios.get(peer)
    return figure(result.peers[peer]) + ("" if ratio is None else f"  {ratio:.3g} x")


def notes(results: Sequence[Result], taken: Circumstances) -> list[str]:
    """Return the lines below the table."""
    lines = [
        f"event loop: {taken.loop}, ours and the peers' on asyncio",
        "peers: " + (", ".join(f"{name} {v}" for name, v in taken.versions.items()) or "none"),
    ]
    lines += [f"{name} is not measured: {word}" for name, word in taken.absent.items()]
    problems = dict.fromkeys(result.problem for result in results if result.problem is not None)
    lines += [f"not measured: {problem}" for problem in problems]
    if taken.load > BUSY:
        # Threads that hand over to each other get faster when they share one core: on a busy
        # machine Pykka told 620,000/s where two free cores gave 250,000/s.
        lines.append(f"the machine was busy (load {taken.load:.1f}): ratios are worth less")
    return lines


def figure(value: float | None) -> str:
    """Return a figure as people read it: three digits that mean something, thousands apart."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
