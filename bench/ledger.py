"""Our ledger: how fast events become durable."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from actors.domain.events import Emitted
from actors.stores import open_ledger
from bench import peers, stopwatch

BATCH = 256
"""Events per transaction: what a group commit of 2 ms collects at the target rate, and more."""


def appends(count: int, *, durability: Literal["full", "normal"]) -> float:
    """Return events per second into a SQLite ledger on the disk of the repository."""
    batch = [
        Emitted(identity=f"worker-{n}", input_id="in-1", kind="finding", data='{"line": 1}')
        for n in range(BATCH)
    ]
    # The system's temporary folder may be memory, where a flush to disk costs nothing.
    peers.HOME.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=peers.HOME) as folder:
        ledger = open_ledger(Path(folder), "bench", durability)

        def work(batches: int) -> None:
            for at_ms in range(batches):
                ledger.append(batch, at_ms=at_ms)

        try:
            work(stopwatch.warm_up(count // BATCH))
            took = stopwatch.seconds(lambda: work(count // BATCH))
        finally:
            ledger.close()
    return count // BATCH * BATCH / took


def close() -> None:
    """Leave nothing to end."""


MEASURES: dict[str, Callable[[int], float]] = {
    "full": lambda count: appends(count, durability="full"),
    "normal": lambda count: appends(count, durability="normal"),
}
