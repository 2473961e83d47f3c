"""Who waits for whom: the graph in which an ask that would close a circle is seen at once.

A *holder* is a handler under way that keeps its actor's mailbox shut until it ends. While it
waits for an answer there is an edge from its actor to the one it asked. An ask that would close
a circle of such edges can never be answered, so it is refused with the path (`AskCycle`).

The rule for several threads is that of the mailboxes: *first leave your mark, then look for the
other side's*. A holder notes what it asks and only then walks the graph, so of two asks that
meet at least one sees the other.

No edge, because it does not keep its mailbox shut: an `@interleave` handler, a `def` handler that
returns the answer of another ask, a task that outlives the handler that began it. No edge to an
`@interleave` handler either: it is served while its actor waits.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Protocol

from actors.kernel.errors import AskCycle


class Asked(Protocol):
    """An answer that a holder waits for."""

    done: bool
    target: Box | None
    asker: Holder | None


class Box(Protocol):
    """A mailbox, as the graph sees it; `keeper` is the holder that keeps it shut right now."""

    address: str
    keeper: Holder | None

    def check_process(self) -> None:
        """Raise ForkedProcess in a fork of the process that it belongs to."""

    def serves_aside(self, message: object) -> bool:
        """Whether it handles `message` while a holder waits."""


class Holder:
    """A handler that keeps `box` shut, and the answers it has asked for."""

    __slots__ = ("asked", "box", "reply")

    def __init__(self, box: Box, reply: object = None) -> None:
        self.box = box
        self.reply = reply  # where its own answer goes; tells who waits for it
        self.asked: list[Asked] = []

    @property
    def ended(self) -> bool:
        """Whether it is over already, though its box is told only when its loop comes round."""
        return False

    def waits_for(self) -> Iterator[Box]:
        """The actors whose answers it waits for; any thread."""
        for reply in tuple(self.asked):  # its own thread may change it
            if not reply.done and reply.target is not None:
                yield reply.target


def note(holder: Holder, reply: Asked, target: Box, message: object) -> None:
    """Note that `holder` asks `target`, before the message is put.

    Raises:
        AskCycle: nobody could ever answer; nothing is noted.
    """
    box = holder.box
    if box.keeper is not holder or target.serves_aside(message):
        return
    reply.target, reply.asker = target, holder
    asked = holder.asked
    if asked and asked[-1].done:
        asked[:] = [each for each in asked if not each.done] if len(asked) > 1 else ()
    asked.append(reply)
    if target is not box and target.keeper is None:  # nearly always
        return
    path = _way(target, box)
    if path is not None:
        asked.remove(reply)
        raise AskCycle((box.address, *path))


def reaches(start: Box, goals: Collection[str]) -> tuple[str, ...] | None:
    """Addresses from `start`, along who waits for whom, to one of `goals`; None: no way."""
    return _walk(start, lambda box: box.address in goals)


def _way(start: Box, goal: Box) -> tuple[str, ...] | None:
    if start is goal:
        return (goal.address,)
    return _walk(start, lambda box: box is goal)


def _walk(start: Box, is_goal: Callable[[Box], bool]) -> tuple[str, ...] | None:
    ways: list[tuple[Box, tuple[str, ...]]] = [(start, (start.address,))]
    seen = {id(start)}
    for box, path in ways:  # grows while it is walked: breadth first, so the path is a short one
        for target in _waits_for(box):
            if is_goal(target):
                return (*path, target.address)
            if id(target) not in seen:
                seen.add(id(target))
                ways.append((target, (*path, target.address)))
    return None


def _waits_for(box: Box) -> Iterator[Box]:
    keeper = box.keeper
    if keeper is not None and not keeper.ended:
        yield from keeper.waits_for()
