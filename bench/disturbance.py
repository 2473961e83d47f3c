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
from typing import Final

from bench import figures

EVERY_S: Final = 0.002
"""The pause between two questions."""

SOURCE_BYTES: Final = 500_000
"""How much of the standard library's source is parsed in one call."""


def idle(over: threading.Event) -> None:
    """Do nothing."""


def block(over: threading.Event) -> None:
    """Sleep in the thread, as a blocking library call does."""
    while not over.is_set():
        time.sleep(0.05)


def spin(over: threading.Event) -> None:
    """Compute in Python without a pause."""
    total = 0
    while not over.is_set():
        for n in range(10_000):
            total += n


def parse(over: threading.Event) -> None:
    """Parse a large source again and again: one C call, which holds the interpreter's lock."""
    source = large_source()
    while not over.is_set():
        ast.parse(source)


def large_source() -> str:
    """Return at least 500,000 characters of the standard library's source, which parse."""
    parts: list[str] = []
    size = 0
    for file in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        text = file.read_text(encoding="utf-8")
        # An import from __future__ may stand at the top of a file only.
        if "from __future__" not in text:
            parts.append(text)
            size += len(text)
        if size >= SOURCE_BYTES:
            break
    return "\n".join(parts)


KINDS: Final[dict[str, Callable[[threading.Event], None]]] = {
    "idle": idle,
    "block": block,
    "spin": spin,
    "parse": parse,
}


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
