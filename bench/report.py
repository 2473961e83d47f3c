"""The measured rows as a table for people and as a JSON document for programs."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from importlib import metadata

from rich.console import Console
from rich.table import Table

from bench.rows import Result

BUSY = 0.5
"""Load average above which somebody else uses the machine."""

_VERDICT = {True: "yes", False: "no", None: "-"}


def document(
    suite: str, results: Sequence[Result], *, quick: bool, load: float
) -> dict[str, object]:
    """Return the JSON document: the machine, then `rows` with a fixed set of keys."""
    return {
        "suite": suite,
        "quick": quick,
        "version": metadata.version("mob-actors"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "load_before": load,
        "rows": [
            {
                "name": result.row.name,
                "ours": result.ours,
                "unit": result.row.unit,
                "peer": result.row.peer,
                "peer_value": result.peer_value,
                "ratio": result.ratio,
                "target": result.target,
                "met": result.met,
                "problem": result.problem,
            }
            for result in results
        ],
    }


def show(results: Sequence[Result], *, load: float) -> None:
    """Print the table; below it, rows that could not be measured and a machine that was busy."""
    table = Table(title_justify="left", caption_justify="left")
    table.add_column("name")
    for column in ("ours", "unit", "peer", "ratio"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("target")
    table.add_column("met")
    for result in results:
        row = result.row
        peer = f"{figure(result.peer_value)} {row.peer}" if row.peer else "-"
        table.add_row(
            row.name,
            figure(result.ours),
            row.unit,
            peer,
            "-" if result.ratio is None else f"{result.ratio:.3g} x",
            result.target or "-",
            _VERDICT[result.met],
        )
    # A pipe has no width; the default of 80 would fold every row.
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(table)
    for result in results:
        if result.problem is not None:
            console.print(f"not measured: {result.problem}", markup=False)
    if load > BUSY:
        # Threads that hand over to each other get faster when they share one core: on a busy
        # machine Pykka told 620,000/s where two free cores gave 250,000/s.
        console.print(
            f"the machine was busy (load {load:.1f}): ratios are worth less", markup=False
        )


def figure(value: float | None) -> str:
    """Return a figure as people read it: three digits that mean something, thousands apart."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
