"""What an actor may do to the others of its process, and how late they are then.

Runs on our side and in Pykka's environment; imports nothing of either.
"""

from __future__ import annotations

import ast
import sysconfig
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

from bench import figures

EVERY_S: Final = 0.002
"""The pause between two questions."""

SOURCE_LENGTH: Final = 500_000
"""Characters of the standard library's source that are parsed in one call, at least."""

Kind = Literal["idle", "block", "spin", "parse"]


def disturb(kind: Kind, begun: threading.Event, over: threading.Event) -> None:
    """Do what `kind` names until `over` is set; `begun` is set just before.

    - `idle`: nothing; it returns at once.
    - `block`: sleep in the thread, as a blocking library call does.
    - `spin`: compute in Python without a pause.
    - `parse`: parse a large source again and again: one C call, which holds the interpreter's lock.
    """
    source = large_source() if kind == "parse" else ""
    begun.set()
    while kind != "idle" and not over.is_set():
        if kind == "block":
            time.sleep(0.05)
        elif kind == "spin":
            sum(n for n in range(10_000))
        else:
            ast.parse(source)


def large_source() -> str:
    """Return a long piece of the standard library's source that parses."""
    parts: list[str] = []
    size = 0
    for file in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        text = file.read_text(encoding="utf-8")
        # An import from __future__ may stand at the top of a file only.
        if "from __future__" not in text:
            parts.append(text)
            size += len(text)
        if size >= SOURCE_LENGTH:
            break
    return "\n".join(parts)


def p99_ms(ask: Callable[[], object], for_s: float) -> float:
    """Return the 99th percentile of how long `ask` takes, in ms, asked every 2 ms for `for_s`.

    After a late answer the next question comes 2 ms later, not at once.
    """
    taken = []
    until = time.perf_counter() + for_s
    while time.perf_counter() < until:
        start = time.perf_counter()
        ask()
        taken.append(time.perf_counter() - start)
        time.sleep(EVERY_S)
    return figures.percentile(taken, 99) * 1e3
