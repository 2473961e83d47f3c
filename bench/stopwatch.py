"""How a figure is taken: time around a call, memory of the process."""

from __future__ import annotations

import gc
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

_STATM = Path("/proc/self/statm")


def seconds(work: Callable[[], object]) -> float:
    """Run `work` once and return how long it took, in seconds, with the collector at rest.

    The collector is run before and switched off during the call, as `timeit` does: a full
    collection belongs to whoever made the garbage, and that may have been the previous measure.
    """
    gc.collect()
    gc.disable()
    try:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start
    finally:
        gc.enable()


def resident_bytes() -> int:
    """Return the memory this process holds, in bytes; where only the peak is known, the peak."""
    gc.collect()
    if _STATM.exists():
        return int(_STATM.read_text().split()[1]) * resource.getpagesize()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
