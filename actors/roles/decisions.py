"""Long decisions do not hold a loop.

A decision about ten members takes microseconds and is made in line. One about 100,000 takes a
second: it is made in a worker thread, which the interpreter interrupts every 0.5 ms for the loops,
so that heartbeats and questions are answered meanwhile (design §4: at most 10 ms).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from actors.kernel.ports import Scheduler

R = TypeVar("R")
IN_LINE: Final = 1_000  # members and edges; a decision about so many takes less than 5 ms


async def decide(scheduler: Scheduler, size: int, decision: Callable[[], R]) -> R:
    """Make a pure decision, in line or off the loop.

    Args:
        scheduler: Whose workers are used.
        size: How many members and edges it looks at.
        decision: Reads nothing that may change while the caller awaits; raises nothing.
    """
    if size <= IN_LINE:
        return decision()
    return await scheduler.run_blocking(decision)
