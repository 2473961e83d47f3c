"""How a figure is taken: time around a piece of work, memory of the process."""

from __future__ import annotations

import gc
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_STATM = Path("/proc/self/statm")


@dataclass(slots=True)
class Timing:
    """How long the body of a `with timing()` took; 0 until it is over."""

    seconds: float = 0.0


@contextmanager
def timing() -> Iterator[Timing]:
    """Take the time of the body, in seconds, with the collector at rest.

    The collector is run before and switched off during the body, as `timeit` does: a full
    collection belongs to whoever made the garbage, and that may have been the previous measure.
    """
    taken = Timing()
    gc.collect()
    gc.disable()
    start = time.perf_counter()
    try:
        yield taken
        taken.seconds = time.perf_counter() - start
    finally:
        gc.enable()


def seconds(work: Callable[[], object]) -> float:
    """Run `work` once and return how long it took, taken by `timing`."""
    with timing() as taken:
        work()
    return taken.seconds


def warm_up(count: int) -> int:
    """Return how often to do the work before the measure: enough for caches, a small part of it."""
    return max(count // 20, 1)


def resident_bytes() -> int:
    """Return the memory this process holds, in bytes; where only the peak is known, the peak."""
    gc.collect()
    if _STATM.exists():
        return int(_STATM.read_text().split()[1]) * resource.getpagesize()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
