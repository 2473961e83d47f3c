"""What every actor is doing right now: for a person who looks at a process that seems to hang.

It only reads, from any thread, without a lock: what it shows of a running actor may be a moment
old. Actors that have nothing to do are only counted.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

from actors.kernel.cell import Cell
from actors.kernel.lifecycle import State
from actors.kernel.realm import LOOPS
from actors.kernel.thread_inbox import ThreadInbox
from actors.kernel.turns import Turn

if TYPE_CHECKING:
    from actors.kernel.dispatch import Dispatcher
    from actors.kernel.realm import Realm
    from actors.kernel.waits import Holder

SHOWN = 100  # tasks, and threads
FRAMES = 12  # innermost frames of a stack that are shown


@dataclass(frozen=True, slots=True)
class ActorStack:
    """One actor that has something to do.

    Attributes:
        state: Of its life: `new`, `running`, `waiting` (for its restart), `stopping`.
        queued: Messages that wait in its mailbox.
        handling: Class of the message that it handles, or the hook; "" for none.
        waits_for: Addresses of the actors whose answers it waits for.
        stack: Where its handler is, outermost call first; "" when that cannot be seen.
    """

    address: str
    state: str
    queued: int
    handling: str
    waits_for: tuple[str, ...]
    stack: str

    def __str__(self) -> str:
        head = f"{self.address}  {self.state}, {self.queued} queued"
        if self.handling:
            head += f", handles {self.handling}"
        if self.waits_for:
            head += f", waits for {', '.join(self.waits_for)}"
        return f"{head}\n{self.stack.rstrip()}".rstrip()


@dataclass(frozen=True, slots=True)
class Stacks:
    """All actors of a system at one moment."""

    system: str
    busy: tuple[ActorStack, ...]
    idle: int
    loops: tuple[tuple[str, str], ...]  # name of each loop, and where its thread is
    tasks: tuple[tuple[str, str], ...]  # on the loops, of no handler: turns, background work
    threads: tuple[tuple[str, str], ...]  # the other threads of the process

    def __str__(self) -> str:
        parts = [f"system {self.system}: {len(self.busy)} actors busy, {self.idle} idle"]
        parts += map(str, self.busy)
        for kind, found in (("loop", self.loops), ("task", self.tasks), ("thread", self.threads)):
            parts += [f"{kind} {name}\n{stack.rstrip()}" for name, stack in found]
        return "\n\n".join(parts) + "\n"


def look(realm: Realm) -> Stacks:
    """What the actors of `realm` are doing."""
    frames = sys._current_frames()
    found = [_look_at(each, frames) for each in realm.actors.copy().values()]
    busy = tuple(each for each in found if each is not None)
    loops = {name: realm.scheduler.dispatcher(name) for name in LOOPS}
    shown: set[int | None] = {loop.ident for loop in loops.values()}
    shown |= {each.owner for each in realm.actors.copy().values() if isinstance(each, ThreadInbox)}
    return Stacks(
        realm.name,
        busy,
        len(found) - len(busy),
        tuple((name, _text(frames.get(loop.ident))) for name, loop in loops.items()),
        tuple(_tasks(set(loops.values()), realm))[:SHOWN],
        tuple(_threads(frames, shown))[:SHOWN],
    )


def _tasks(loops: set[Dispatcher], realm: Realm) -> Iterator[tuple[str, str]]:
    """Tasks that are no handler: those are shown with their actors."""
    cells = [each for each in realm.actors.copy().values() if isinstance(each, Cell)]
    handlers = {
        turn.task for cell in cells for turn in (cell.turn, *(cell.aside or ())) if turn is not None
    }
    for loop in loops:
        for task in loop.tasks():
            if task not in handlers:
                yield task.get_name(), _chain(task.get_coro())


def _threads(frames: dict[int, FrameType], shown: set[int | None]) -> Iterator[tuple[str, str]]:
    for thread in threading.enumerate():
        if thread.ident is not None and thread.ident not in shown:
            yield thread.name, _text(frames.get(thread.ident))


def _look_at(resident: object, frames: dict[int, FrameType]) -> ActorStack | None:
    if isinstance(resident, Cell):
        return _look_at_cell(resident, frames)
    if isinstance(resident, ThreadInbox):
        return _look_at_thread(resident, frames)
    return None


def _look_at_cell(cell: Cell, frames: dict[int, FrameType]) -> ActorStack | None:
    queued = cell.waiting()
    keeper = () if cell.keeper is None else (cell.keeper,)
    holders = (*keeper, *(cell.aside or ()))
    on_loop = cell.dispatcher.current is cell
    if cell.state is State.RUNNING and not (queued or holders or on_loop):
        return None
    handling, stack = "", ""
    if holders:
        handling = ", ".join(map(_name_of, holders))
        stack = "".join(map(_stack_of, holders))
    elif on_loop:
        handling = type(cell.dispatcher.message).__qualname__
        stack = _text(frames.get(cell.dispatcher.ident))
    return ActorStack(cell.address, cell.state.value, queued, handling, _targets(holders), stack)


def _look_at_thread(inbox: ThreadInbox, frames: dict[int, FrameType]) -> ActorStack | None:
    queued = inbox.in_flight()
    holders = () if inbox.keeper is None else (inbox.keeper,)
    if not queued:
        return None
    frame = frames.get(inbox.owner) if inbox.owner is not None else None
    handling = inbox.handling if holders else ""
    busy = len(holders)
    waits = _targets(holders)
    return ActorStack(inbox.address, "running", queued - busy, handling, waits, _text(frame))


def _targets(holders: tuple[Holder, ...]) -> tuple[str, ...]:
    return tuple(box.address for holder in holders for box in holder.waits_for())


def _name_of(holder: Holder) -> str:
    return type(holder.message).__qualname__ if isinstance(holder, Turn) else "a hook"


def _stack_of(holder: Holder) -> str:
    if not isinstance(holder, Turn):
        return ""
    return _chain(holder.coro)


def _chain(coro: object) -> str:
    lines = traceback.StackSummary.from_list(list(_calls(coro)))
    return "".join(lines.format()[-FRAMES:])


def _calls(awaited: Any) -> Iterator[traceback.FrameSummary]:  # Any: coroutines, generators
    """The chain of coroutines that wait for each other, outermost first."""
    while awaited is not None:
        frame = getattr(awaited, "cr_frame", None) or getattr(awaited, "gi_frame", None)
        code: CodeType | None = getattr(frame, "f_code", None)
        if frame is not None and code is not None:
            yield traceback.FrameSummary(code.co_filename, frame.f_lineno, code.co_name)
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "gi_yieldfrom", None)
        if isinstance(awaited, asyncio.Future):
            return


def _text(frame: FrameType | None) -> str:
    return "" if frame is None else "".join(traceback.format_stack(frame)[-FRAMES:])
