"""A stage for the actors of a mob: the seeded world, a whole mob in it, and its ledger."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from actors import Mob
from actors.domain.errors import StoreError
from actors.domain.events import Entry, LedgerEvent
from actors.kernel.simulation import SimulatedWorld, simulated
from actors.roles.messages import Die
from actors.stores.memory import MemoryLedger

E = TypeVar("E")


@contextmanager
def stage(seed: int = 1, **definition: Any) -> Iterator[tuple[Mob, SimulatedWorld]]:
    """A mob in a seeded world, shut down in the end."""
    given = {"id": "stage", **definition}
    with simulated(seed) as world:
        mob = Mob.launch(given, scheduler=world, durability="memory", state_dir=Path("unused"))
        yield mob, world
        mob.shutdown(timeout=1)


def kill(mob: Mob, name: str) -> None:
    """Fail a member, as if a handler had raised."""
    ref: Any = mob._parts.system.ref(f"supervisor/{name}")
    ref.tell(Die(reason="killed"))


def actor(mob: Mob, part: str) -> Any:
    """The actor object behind a part of a mob: supervisor, router, edges, …"""
    return getattr(mob._parts, part).actor_inbox.actor


def member(mob: Mob, name: str) -> Any:
    """The present incarnation of a member."""
    resident: Any = mob._parts.system.realm.actors[f"supervisor/{name}"]
    return resident.actor


def of(kind: type[E], mob: Mob) -> list[E]:
    """The events of one class in the ledger of a mob, in order."""
    return [entry.event for entry in mob.events() if isinstance(entry.event, kind)]


def tags(entries: Iterator[Entry]) -> list[str]:
    """What happened, as tags."""
    return [entry.event.tag for entry in entries]


class RefusingLedger(MemoryLedger):
    """A ledger whose disk is full while `full` is set, or for the events that `refuses` names."""

    def __init__(self, mob: str = "stage") -> None:
        super().__init__(mob)
        self.full = False
        self.refuses: type[Any] | tuple[type[Any], ...] = ()
        self.commits: list[int] = []

    def append(self, events: Sequence[LedgerEvent], *, at_ms: int) -> int:
        if self.full or any(isinstance(event, self.refuses) for event in events):
            raise StoreError("memory", "the disk is full", "make room")
        self.commits.append(len(events))
        return super().append(events, at_ms=at_ms)
