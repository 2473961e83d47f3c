"""After a fork: the child has none of the threads, so nothing of its parent works in it.

Every call there raises `ForkedProcess`, which says what to do instead; a new `ActorSystem` made
in the child works. Leaf locks of the kernel are held over the fork, so that the child does not
inherit one that nobody will release.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from threading import Lock
from typing import Final


class Forks:
    """How often this process's line of ancestors has forked since the module was loaded."""

    def __init__(self) -> None:
        self.generation = 0

    def count(self) -> None:
        """Called in the child."""
        self.generation += 1


FORKS: Final = Forks()
os.register_at_fork(after_in_child=FORKS.count)


def keep_over_forks(lock: Lock) -> Lock:
    """Have nobody hold `lock` when the process forks; gives it back."""
    acquire: Callable[[], object] = lock.acquire
    release: Callable[[], object] = lock.release
    os.register_at_fork(before=acquire, after_in_parent=release, after_in_child=release)
    return lock
