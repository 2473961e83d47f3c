"""Chaos by seed: which reviewer fails after which message. Pure, but for the lock around counts."""

from __future__ import annotations

import threading
from collections import Counter
from random import Random
from typing import Final

MOST: Final = 2  # failures per member; a member may fail five times a minute before it is held
FIRST_AMONG: Final = 4  # the first failure is at one of so many messages: small runs have few
SECOND_AMONG: Final = 40  # the second one at one of so many messages after the first


class Chaos:
    """Says, for each message a member has sent, whether the member shall fail now.

    A member's plan follows from the seed and its name alone, and what is said follows from its
    plan and how many messages it has sent: the same seed and the same messages give the same
    failures, whatever other members do. Every member fails once when it sends `FIRST_AMONG`
    messages, and at most `MOST` times. Any thread may call.

    Args:
        seed: Any whole number.
        spared: Members that never fail, such as the orchestrator.
    """

    def __init__(self, seed: int, *, spared: frozenset[str] = frozenset()) -> None:
        self._seed = seed
        self._spared = spared
        self._lock = threading.Lock()  # leaf; guards both tables
        self._sent: Counter[str] = Counter()
        self._plans: dict[str, frozenset[int]] = {}

    def __call__(self, member: str, sends: int) -> bool:
        """Whether `member`, which has sent one more message, shall fail.

        Args:
            member: Its name.
            sends: How many it has sent in this turn, from 1; a turn that begins again counts
                anew, so the count that matters is kept here.
        """
        if member in self._spared:
            return False
        with self._lock:
            self._sent[member] += 1
            plan = self._plans.setdefault(member, self.plan(member))
            return self._sent[member] in plan

    def plan(self, member: str) -> frozenset[int]:
        """After how many messages of its whole life the member fails: one or two counts."""
        chance = Random(f"{self._seed}/{member}")
        first = chance.randint(1, FIRST_AMONG)
        second = first + chance.randint(1, SECOND_AMONG)
        return frozenset((first, second)[: chance.randint(1, MOST)])
