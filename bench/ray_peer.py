"""Ray's side: an actor in a process of its own, driven by the main process.

Runs in `.venv-bench/ray` and imports nothing of this project. Calls go over gRPC in the clear, and
messages are pickled. A call always has an answer, which a *tell* leaves alone; calls of one caller
are handled in order, so the last answer means that all were.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # read when ray is imported, as are the next two
os.environ["RAY_DISABLE_IMPORT_WARNING"] = "1"
os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"  # else it warns of its next release

import ray
from pydantic import BaseModel, ConfigDict

from bench import stopwatch

WAIT_S: Final = 120.0
IN_FLIGHT: Final = 256
STORE_BYTES: Final = 100 * 1024 * 1024


class Add(BaseModel):
    """The message of the measures: strict and frozen, as ours are."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    n: int


class Counter:
    """Adds what it is told; answers its total."""

    def __init__(self) -> None:
        self.total = 0

    def add(self, message: Add) -> None:
        """Add a number."""
        self.total += message.n

    def read(self) -> int:
        """Answer at once."""
        return self.total


@contextmanager
def counter() -> Iterator[Any]:
    """A cluster of this machine only, and a counter in it."""
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
        object_store_memory=STORE_BYTES,
        _node_ip_address="127.0.0.1",
    )
    try:
        made = ray.remote(Counter).remote()
        ray.get(made.read.remote(), timeout=WAIT_S)
        yield made
    finally:
        ray.shutdown()


def tell(count: int) -> float:
    """Return messages per second, told and handled; new message each."""
    with counter() as made:

        def work(total: int) -> None:
            for n in range(total):
                made.add.remote(Add(n=n))
            ray.get(made.read.remote(), timeout=WAIT_S)

        work(stopwatch.warm_up(count))
        return count / stopwatch.seconds(lambda: work(count))


def ask(count: int) -> float:
    """Return microseconds per ask, one at a time."""
    with counter() as made:

        def work(total: int) -> None:
            for _ in range(total):
                ray.get(made.read.remote(), timeout=WAIT_S)

        work(stopwatch.warm_up(count))
        return stopwatch.seconds(lambda: work(count)) / count * 1e6


def asks(count: int) -> float:
    """Return answers per second, 256 calls on their way at any time."""
    with counter() as made:

        def work(total: int) -> None:
            begun = [made.read.remote() for _ in range(IN_FLIGHT)]
            for at in range(total):
                ray.get(begun[at % IN_FLIGHT], timeout=WAIT_S)
                begun[at % IN_FLIGHT] = made.read.remote()
            ray.get(begun, timeout=WAIT_S)

        work(stopwatch.warm_up(count))
        return (count + IN_FLIGHT) / stopwatch.seconds(lambda: work(count))


def close() -> None:
    """Leave nothing to end: every measure shuts its own cluster down."""


MEASURES: dict[str, Callable[[int], float]] = {"tell": tell, "ask": ask, "asks": asks}
