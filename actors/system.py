"""`ActorSystem`: one object that owns actors, their loops and their dead letters.

No global state: two systems in one process never meet. `Counter.start(0)` (Pykka's way) uses
the process's default system, which is made on first use and closed at exit.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
import time
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast, overload

import pykka

from actors.kernel.actor import Actor, launch, on_default_system
from actors.kernel.arguments import check_node, check_text
from actors.kernel.cell import Cell
from actors.kernel.current import ON_LOOP
from actors.kernel.errors import (
    AskTimeout,
    KernelError,
    LocalOnly,
    NotRedeliverable,
    UnknownAddress,
    WouldDeadlock,
)
from actors.kernel.forks import keep_over_forks
from actors.kernel.future import ThreadReply
from actors.kernel.loops import LoopThreads
from actors.kernel.realm import Realm
from actors.kernel.ref import ActorRef
from actors.kernel.stacks import Stacks, look
from actors.kernel.supervision import ChildSpec
from actors.kernel.thread_ref import ThreadRef
from actors.kernel.threads import ThreadActor, launch_thread
from actors.kernel.watchdog import Watchdog
from actors.network import Network, wire_wanted
from transport.address import Address

if TYPE_CHECKING:
    from types import TracebackType

    from actors.kernel.counters import Audit, SlowHandler
    from actors.kernel.letters import DeadLetter, DeadLetters
    from actors.kernel.ports import LoopName, Scheduler, Wire
    from actors.post.local_wire import Wires
    from actors.post.report import LinkReport
    from transport.allowed import Allowed
    from transport.keys import KeyPair

A = TypeVar("A", bound=Actor)
T = TypeVar("T", bound=ThreadActor)
R = TypeVar("R")
CUT_OFF_S = 2.0
EXIT_S = 5.0  # what `atexit` gives the actors of all systems to end (design §11)


def _started(ref: R, starter: ThreadReply[bool] | None, timeout: float) -> R:
    if starter is not None:
        starter.get(timeout=timeout)
    return ref


class ActorSystem:
    """Owns actors. Start it, start actors in it, shut it down (or use it in a `with`).

    On an event loop of your own use it in an `async with`, and its actors with `request`, `send`
    and `stopped`.

    Args:
        name: The node part of its actors' addresses: `mob://name/path`.
        scheduler: Where it runs. By default two loop threads of its own, which it closes. One
            that is given, a `SimulatedWorld` in tests, stays open at shutdown: its owner closes
            it. Such a system has no ThreadActors and no watchdog, and is not ended at exit.
        keys: Key pair of this node (`mob keys new`, `transport.security.load_key_pair`); needed
            for tcp, where everything is encrypted.
        allowed: Public keys of the nodes that may connect, with their roles; nobody by default.
        remote: The way to actors of other nodes, instead of the network: for simulated ones.
        wire: Whether every typed message between loop actors goes through the codec and ZeroMQ
            (`inproc://`), as it would to another process: for tests. None: whether MOB_WIRE is set.
        watchdog: Whether to name handlers that hold a loop for too long.
    """

    def __init__(
        self,
        name: str = "local",
        *,
        scheduler: Scheduler | None = None,
        keys: KeyPair | None = None,
        allowed: Allowed | None = None,
        remote: Wire | None = None,
        wire: bool | None = None,
        watchdog: bool = True,
    ) -> None:
        check_node(name, keys, allowed)
        Address(name, "actor")  # raises AddressError with what is wrong
        self.name = name
        self._owns_loops = scheduler is None
        self._scheduler: Scheduler = scheduler or LoopThreads(name)
        self._realm = Realm(name, self._scheduler)
        self._network = Network(
            self._realm, real=self._owns_loops, remote=remote, keys=keys, allowed=allowed
        )
        if (self._owns_loops and wire_wanted()) if wire is None else wire:
            self._network.open_wire()
        self._lock = threading.Lock()  # leaf; guards `_down`
        self._down = False
        self._ended = threading.Event()  # the first shutdown() is over; `_clean` is its result
        self._clean = False
        self._watchdog = Watchdog(self._realm) if watchdog and self._owns_loops else None
        if self._owns_loops:
            _at_exit(self)

    # -- actors -----------------------------------------------------------------------------

    @overload
    def start(
        self,
        actor: type[A],
        *args: Any,
        name: str | None = None,
        loop: LoopName = "member",
        wait: bool = False,
        timeout: float = 30.0,
        **kwargs: Any,
    ) -> ActorRef[A]: ...
    @overload
    def start(
        self,
        actor: type[T],
        *args: Any,
        name: str | None = None,
        wait: bool = False,
        timeout: float = 30.0,
        **kwargs: Any,
    ) -> ThreadRef[T]: ...
    def start(
        self,
        actor: type[Any],
        *args: Any,
        name: str | None = None,
        loop: LoopName = "member",
        wait: bool = False,
        timeout: float = 30.0,
        **kwargs: Any,
    ) -> Any:
        """Start an actor of this system; `actor(*args, **kwargs)` runs in the calling thread.

        The keywords `name`, `loop`, `wait` and `timeout` are taken here and never reach the
        actor. To one whose `__init__` has a keyword of that name, give it by position, or start
        it with `spawn(ChildSpec(Kind, (), {"name": …}))`.

        Args:
            actor: A subclass of Actor or ThreadActor.
            args: For its `__init__`.
            kwargs: For its `__init__`.
            name: Its path, unique among the living; numbered by class when None.
            loop: Which loop an Actor lives on.
            wait: Return only when `on_start` is done.
            timeout: Seconds that `wait` waits.

        Returns:
            The ref: `ActorRef` of an Actor, `ThreadRef` of a ThreadActor.

        Raises:
            NameTaken: the name is in use.
            KernelError: the system is shutting down.
            StartFailed: with `wait`, `on_start` raised.
            AskTimeout: with `wait`, `on_start` is not done in time.
            WouldDeadlock: `wait` on one of the loops.
            Exception: whatever `__init__` raises.
        """
        starter = self._starter(actor) if wait else None
        if issubclass(actor, ThreadActor):
            if not self._owns_loops:
                raise LocalOnly(
                    self._realm.address(actor.__name__),
                    "a thread actor",
                    hint="threads cannot be simulated: make it an Actor, or use real loops",
                )
            thread = launch_thread(self._realm, actor, args, kwargs, name=name, starter=starter)
            return _started(thread, starter, timeout)
        if not issubclass(actor, Actor):
            raise TypeError(
                f"{actor.__name__} is neither an Actor nor a ThreadActor; subclass one of them"
            )
        spec = ChildSpec(actor, args, kwargs, name=name, loop=loop, restart="temporary")
        return _started(launch(self._realm, spec, starter=starter), starter, timeout)

    def spawn(
        self, spec: ChildSpec[A], *, wait: bool = False, timeout: float = 30.0
    ) -> ActorRef[A]:
        """Start an actor as its spec says (restarts, back-off, mailbox). Raises as `start`."""
        starter = self._starter(spec.actor) if wait else None
        return _started(launch(self._realm, spec, starter=starter), starter, timeout)

    def _starter(self, actor: type) -> ThreadReply[bool]:
        if ON_LOOP.dispatcher is not None:
            raise WouldDeadlock(f"waiting for the start of {actor.__name__}")
        return ThreadReply(self._scheduler, actor.__name__)

    def ref(self, address: str) -> pykka.ActorRef[Any]:
        """The ref of the living actor at `mob://node/path` (or a path of this system).

        Raises:
            AddressError: not an address; WrongArgument: no str.
            UnknownAddress: nobody lives there, or its node cannot be reached.
        """
        self._realm.check_process()
        check_text("address", address, "'mob://node/actor'")
        text = address if "://" in address else f"mob://{self.name}/{address}"
        parsed = Address.parse(text)
        if parsed.node != self.name:
            return self._network.ref(parsed)
        resident = self._realm.actors.get(parsed.actor)
        if resident is None:
            raise UnknownAddress(text, "no such actor")
        return resident.ref

    def actors(self) -> tuple[str, ...]:
        """The addresses of all living actors, sorted."""
        return tuple(sorted(self._realm.address(path) for path in tuple(self._realm.actors)))

    # -- other nodes ------------------------------------------------------------------------

    def listen(self, address: str = "ipc", *, public: bool = False) -> str:
        """Let other nodes connect; returns the address to give to their `connect`.

        Args:
            address: `ipc` for processes of this user on this machine, or `tcp://HOST:PORT` (port
                `*` for a free one), which is encrypted and needs `keys` and `allowed`.
            public: Whether HOST may be one that the whole world can reach.

        Raises:
            SecurityError: not safe. EndpointError, WrongArgument: no address; it has the nearest.
            KernelError: it listens already; the port is in use; another has this name on `ipc`.
        """
        return self._network.listen(address, public=public)

    def connect(self, address: str, *, key: str | None = None, timeout: float = 10.0) -> str:
        """Connect to another node, now and again whenever the connection ends.

        Args:
            address: What its `listen` returned.
            key: Its public key, for tcp.
            timeout: Seconds to wait until it answers.

        Returns:
            Its name: `system.ref(f"mob://{name}/actor")`.

        Raises:
            SecurityError: tcp without keys. EndpointError, WrongArgument: as `listen`.
            FileRefused: others can write at the `ipc` path. KernelError: itself, or turned away.
            AskTimeout: it did not answer, with the reason if one is known; it is tried no longer.
        """
        return self._network.connect(address, key=key, timeout=timeout)

    def links(self) -> tuple[LinkReport, ...]:
        """What went between this node and each other one; exact when nothing moves."""
        return self._network.links()

    @property
    def wires(self) -> Wires | None:
        """What crossed the system's own wire, with `wire=True`."""
        return self._network.wires

    # -- looking ----------------------------------------------------------------------------

    @property
    def dead_letters(self) -> DeadLetters:
        """Messages that reached nobody, with reasons."""
        return self._realm.letters

    @property
    def slow_handlers(self) -> tuple[SlowHandler, ...]:
        """The last 100 handlers that held a loop for longer than its budget."""
        return tuple(self._realm.counts.slow)

    @property
    def realm(self) -> Realm:
        """The kernel's side of this system."""
        return self._realm

    @property
    def fenced_handlers(self) -> int:
        """Handlers and hooks that ignored their cancellation and were left behind."""
        return self._realm.counts.fenced.value()

    def redeliver(self, letter: DeadLetter) -> None:
        """Send a dead letter again, to whoever has its address now; it leaves `dead_letters`.

        Safe are letters that nobody handled and whose sender was not told: those with the reason
        `no_such_actor`, `dead`, `sealed`, `full`, `unhandled` or `shutdown`. The audit counts the
        message as one more that was sent.

        Raises:
            NotRedeliverable: it is not safe, or not among `dead_letters`; nothing was sent.
            UnknownAddress: nobody has the address; the letter stays.
            KernelError: the actor does not take it now; the letter stays.
        """
        if letter.obstacle is not None:
            raise NotRedeliverable(repr(letter), letter.obstacle)
        ref = self.ref(letter.address)
        if not self.dead_letters.take(letter):
            raise NotRedeliverable(repr(letter), "it is not among the dead letters any more")
        try:
            ref.tell(letter.message)
        except KernelError:
            self.dead_letters.put_back(letter)
            raise

    def stacks(self) -> Stacks:
        """What every actor is doing right now; prints as text. Any thread, nothing is stopped."""
        self._realm.check_process()
        return look(self._realm)

    def audit(self) -> Audit:
        """Where every message ended; exact when nothing is moving."""
        self._realm.check_process()
        return self._realm.audit()

    # -- ending -----------------------------------------------------------------------------

    def shutdown(self, timeout: float = 10.0, *, cut_off_s: float = CUT_OFF_S) -> bool:
        """Stop every actor and the loops; idempotent, ends within `timeout + 2 * cut_off_s`.

        Actors handle what is queued first; after `timeout` seconds they are stopped at once,
        and after `cut_off_s` more they are cut off. A loop that an actor holds is given the
        same time again and then left behind: its thread is a daemon. A later call, also one
        from another thread meanwhile, waits for the first one's end and returns its result.

        Returns:
            Whether all ended within the time (of the first call).

        Raises:
            WouldDeadlock: called by an actor; its own loop cannot end it.
            ForkedProcess: called in a forked child; nothing of the parent's was touched.
        """
        if ON_LOOP.dispatcher is not None:
            raise WouldDeadlock("shutdown()")
        self._realm.check_process()
        with self._lock:
            first, self._down = not self._down, True
        if first:
            try:
                self._clean = self._shut_down(timeout, cut_off_s)
            finally:
                self._ended.set()
        else:
            self._ended.wait(timeout + 2 * cut_off_s)
        return self._clean

    def _shut_down(self, timeout: float, cut_off_s: float) -> bool:
        _living.discard(self)
        self._realm.closing = True
        clean = self._stop_all(timeout, drain=True)
        clean = self._stop_all(cut_off_s, drain=False) and clean  # also who came meanwhile
        clock = self._scheduler.clock
        began = clock.monotonic()
        self._network.close(cut_off_s / 4)  # a held loop must not take the time twice
        if self._watchdog is not None:
            self._watchdog.close()
        if self._owns_loops:
            self._scheduler.close(max(began + cut_off_s - clock.monotonic(), 0.0))
        self._network.close_wire()
        for resident in tuple(self._realm.actors.values()):
            if isinstance(resident, Cell):  # a thread cannot be cut off; it is a daemon
                resident.cut_off()
        return clean

    def _stop_all(self, timeout: float, *, drain: bool) -> bool:
        """Stop the actors without a parent, last started first; whether all ended in time."""
        clock = self._scheduler.clock
        until = clock.monotonic() + timeout
        living = [each for each in self._realm.actors.copy().values() if each.parent is None]
        ends = [
            cast("Any", each.ref).stop(block=False, drain=drain)  # Any: both refs take `drain`
            for each in reversed(living)
        ]
        clean = True
        for end in ends:
            try:
                end.get(timeout=max(until - clock.monotonic(), 0.0))
            except AskTimeout:
                clean = False
        return clean

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.shutdown()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """As `__exit__`, in a thread: the loop that runs this goes on meanwhile."""
        await asyncio.to_thread(self.shutdown)

    def __repr__(self) -> str:
        return f"<ActorSystem {self.name!r}: {len(self._realm.actors)} actors>"


_living: set[ActorSystem] = set()  # what `atexit` has to close
# guards `_default`; loop threads start while it is held
_default_lock = keep_over_forks(threading.Lock())
_default: list[ActorSystem] = []  # at most one
# A forked child has none of the threads: it ends no system, and its default one is a new one.
os.register_at_fork(after_in_child=_living.clear)
os.register_at_fork(after_in_child=_default.clear)


def default_system() -> ActorSystem:
    """The system behind `Counter.start(0)`; made on first use, closed at exit."""
    with _default_lock:
        if not _default or _default[0]._down:
            _default[:] = [ActorSystem("local")]
        return _default[0]


def _at_exit(system: ActorSystem) -> None:
    if not _living:
        atexit.unregister(_close_all)
        atexit.register(_close_all)
    _living.add(system)


def _close_all() -> None:
    until = time.monotonic() + EXIT_S
    for system in tuple(_living):  # one deadline for all; who comes after it is cut off soon
        left = max(until - time.monotonic(), 0.0)
        system.shutdown(left, cut_off_s=min(max(left, 0.1), CUT_OFF_S))


on_default_system(lambda actor, *args, **kwargs: default_system().start(actor, *args, **kwargs))
