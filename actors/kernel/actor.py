"""Actors that share an event loop.

    class Counter(Actor):
        def __init__(self, start: int) -> None:
            super().__init__()
            self.total = start

        @handles
        def add(self, message: Add) -> None:
            self.total += message.n

One message at a time. The object lives inside a cell, which keeps its name, mailbox and
children while the object itself may be replaced after a failure.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, TypeVar, cast

import pykka

from actors.kernel.cell import Cell
from actors.kernel.errors import KernelError, StartFailed
from actors.kernel.future import Reply, ThreadReply
from actors.kernel.handlers import Handler, HandlerTable, Marks, table_of
from actors.kernel.lifecycle import State
from actors.kernel.ref import Stopped
from actors.kernel.supervision import ChildSpec
from actors.kernel.timers import Every

if TYPE_CHECKING:
    from actors.kernel.ports import Pending, Watchable
    from actors.kernel.realm import Realm
    from actors.kernel.ref import ActorRef

A = TypeVar("A", bound="Actor")

_MAKING: Final = threading.local()  # `.cell` while an actor's __init__ runs in this thread

StartInDefault = Callable[..., Any]  # Any: ActorSystem.start, typed there
_default_start: list[StartInDefault] = []


def on_default_system(start: StartInDefault) -> None:
    """Say how `Counter.start(0)` reaches the process's default system; `actors.system` does."""
    _default_start[:] = [start]


class Actor(pykka.Actor):
    """Base class of actors on event loops: `@handles` methods, one message at a time."""

    starts_silently: ClassVar[bool] = True
    stops_silently: ClassVar[bool] = True
    handler_table: ClassVar[HandlerTable] = {}
    sorts: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Read the handlers; a wrong declaration raises HandlerError here, not at run time."""
        super().__init_subclass__(**kwargs)
        cls.starts_silently = cls.on_start is Actor.on_start
        cls.stops_silently = cls.on_stop is Actor.on_stop
        cls.handler_table = table_of(cls)
        if cls.on_receive is not pykka.Actor.on_receive:
            marks = Marks(object, None, (), stepped=False, control=False, key=None)
            cls.handler_table[object] = Handler(cls.on_receive, marks, interleave=False)
        rows = cls.handler_table.values()
        cls.sorts = any(row.control or row.key is not None for row in rows)

    def __init__(self) -> None:
        cell: Cell | None = getattr(_MAKING, "cell", None)
        if cell is None:
            raise KernelError(
                f"{type(self).__name__} was made by hand",
                hint=f"start it: system.start({type(self).__name__}, …)",
            )
        self._cell = cell

    @classmethod
    def start(cls, *args: Any, **kwargs: Any) -> ActorRef[Self]:
        """Start in the process's default system, Pykka's way: `Counter.start(0)`."""
        if not _default_start:
            raise KernelError("there is no default system", hint="import actors, or ActorSystem")
        return cast("ActorRef[Self]", _default_start[0](cls, *args, **kwargs))

    # -- hooks ------------------------------------------------------------------------------

    def on_start(self) -> Awaitable[None] | None:  # type: ignore[override]  # may be async
        """Run on the actor's loop before its first message; also after a restart."""
        return None

    def on_stop(self) -> Awaitable[None] | None:  # type: ignore[override]  # may be async
        """Run after the last message and after the children ended; not after a failure."""
        return None

    # -- from inside ------------------------------------------------------------------------

    @property
    def actor_ref(self) -> ActorRef[Self]:
        """The ref of this actor."""
        return self._cell.ref

    @property
    def address(self) -> str:
        """`mob://system/path` of this actor."""
        return self._cell.address

    @property
    def actor_urn(self) -> str:  # type: ignore[override]  # Pykka stores what we compute
        """Pykka's name for the address."""
        return self._cell.address

    @property
    def actor_inbox(self) -> Cell:  # type: ignore[override]  # as above
        """The mailbox."""
        return self._cell

    @property
    def actor_stopped(self) -> Stopped:  # type: ignore[override]  # as above
        """Whether this actor takes no more messages."""
        return Stopped(self._cell)

    @property
    def realm(self) -> Realm:
        """What the actors of this system share."""
        return self._cell.realm

    def spawn(self, spec: ChildSpec[A]) -> ActorRef[A]:
        """Start a child. It stops before this actor does, and starts again as its spec says.

        Raises:
            KernelError: this actor has ended, or this is not its loop (nor its `__init__`).
            NameTaken: a living child has that name.
            TypeError: the spec is of a ThreadActor, which has no parent.
            Exception: whatever its `__init__` raises.
        """
        cell = self._cell
        outside = cell.state not in (State.NEW, State.DEAD) and not cell.dispatcher.here()
        if outside:  # in `__init__`, still NEW, it is the thread that makes the parent
            raise KernelError(
                f"a child of {cell.address} was spawned outside its loop",
                hint="spawn in __init__, on_start or a handler; from elsewhere: send a message",
            )
        return launch(cell.realm, spec, parent=cell)

    def watch(self, ref: pykka.ActorRef[Any]) -> None:
        """Get exactly one `Down` when the actor of `ref` is gone for good, also if it is now."""
        cast("Watchable", ref.actor_inbox).watched_by(self._cell)

    def after(self, delay_s: float, message: object) -> Pending:
        """Get `message` after `delay_s` seconds; forgotten when this incarnation ends."""
        cell = self._cell
        return cell.timers.after(delay_s, lambda: cell.deliver(message))

    def every(self, period_s: float, message: object) -> Pending:
        """Get `message` every `period_s` seconds; missed ticks are skipped, not made up for."""
        cell = self._cell
        return Every(cell.timers, period_s, lambda: cell.deliver(message))

    def promise(self) -> Reply[Any]:
        """An answer to give later: return it from a handler, then `set` or `fail` it once.

        It may outlive this incarnation; any thread may answer it.
        """
        return Reply(self._cell.dispatcher, self._cell.address)

    def stop(self) -> None:
        """Stop after this message; what is queued becomes dead letters (`shutdown`)."""
        cell = self._cell
        cell.post(lambda: cell.request_stop("normal", drain=False))

    # -- Pykka's seams ----------------------------------------------------------------------

    @staticmethod
    def _create_actor_inbox() -> Any:  # Any: Pykka's ActorInbox protocol; cells are ours
        return _MAKING.cell

    @staticmethod
    def _create_future() -> ThreadReply[Any]:
        return ThreadReply()

    def _start_actor_loop(self) -> None:
        self._cell.begin(self)

    def __str__(self) -> str:
        return f"{type(self).__name__} ({self._cell.address})"


def launch(
    realm: Realm,
    spec: ChildSpec[A],
    *,
    parent: Cell | None = None,
    starter: ThreadReply[bool] | None = None,
) -> ActorRef[A]:
    """Make an actor in `realm` and start it; called on any thread.

    `__init__` runs in the calling thread (Pykka's contract), `on_start` on the actor's loop.

    Raises:
        NameTaken: the name is in use.
        KernelError: the system is closing, or `__init__` did not call `super().__init__()`.
        TypeError: the class of the spec is not an Actor.
        Exception: whatever `__init__` raises; the name is free again.
    """
    if not issubclass(spec.actor, Actor):
        name = spec.actor.__name__
        raise TypeError(
            f"{name} is not an Actor on a loop, so it cannot be spawned from a ChildSpec; "
            f"a ThreadActor is started with system.start({name})"
        )
    realm.check_process()
    if parent is None and realm.closing:
        raise KernelError(f"system {realm.name!r} is shutting down")
    if parent is not None and parent.ended is not None:
        raise KernelError(f"{parent.address} has ended; it cannot have children any more")
    kind = spec.actor
    path = realm.path_for(kind, spec.name, parent.path if parent is not None else None)
    if spec.loop is not None or parent is None:
        dispatcher = realm.scheduler.dispatcher(spec.loop or "member")
    else:
        dispatcher = parent.dispatcher
    make = realm.make_cell or Cell
    cell = make(kind.handler_table, realm, path, spec, dispatcher, parent, sorts=kind.sorts)
    if starter is not None:
        cell.starters = [starter]
    if spec.restart != "temporary":
        cell.maker = lambda: _make(cell)
    realm.enter(path, cell)
    if parent is not None:
        parent.adopt(cell)  # also a stillborn one, whose children may live for a while
    try:
        actor = _make(cell)
    except BaseException as error:
        cell.stillborn(error)
        raise
    actor._start_actor_loop()
    return cell.ref


def _make(cell: Cell) -> Any:  # Any: an instance of spec.actor
    outer = getattr(_MAKING, "cell", None)
    _MAKING.cell = cell
    try:
        actor = cell.spec.make()
    finally:
        _MAKING.cell = outer
    if getattr(actor, "_cell", None) is not cell:
        raise StartFailed(
            cell.address,
            "TypeError",
            f"{type(actor).__name__}.__init__ did not call super().__init__()",
        )
    return actor
