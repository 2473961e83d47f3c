"""Answers: what an ask gives at once and fills later.

`Reply` belongs to one event loop: only that loop resolves it and awaits it, so it needs no
lock. `ThreadReply` is a Pykka future that any thread may wait for.

`ThreadReply` has no lock for those who wait: the setter stores the result, marks it done and
then looks for waiters; a waiter registers itself and then looks at the mark. Whatever the
order, one of them sees the other, and a waiter may be woken twice, which does nothing.

`resolve` and `answer` never raise: whoever answers is a loop or an actor's thread, so a waiter's
call that raises is logged.
"""

from __future__ import annotations

import abc
import asyncio
import contextlib
import queue
import sys
import threading
from collections.abc import Awaitable, Callable, Generator, Iterable
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast

import pykka

from actors.kernel.current import HOLDER, ON_LOOP
from actors.kernel.errors import AskTimeout, WouldDeadlock
from actors.kernel.forks import keep_over_forks
from actors.kernel.logs import logger_for
from actors.kernel.waits import Box, Holder, note

if TYPE_CHECKING:
    from types import TracebackType

    from actors.kernel.dispatch import Dispatcher
    from actors.kernel.ports import Pending, Scheduler

logger = logger_for(__name__)

R = TypeVar("R")
J = TypeVar("J")
M = TypeVar("M")


_SETTLING: Final = keep_over_forks(threading.Lock())  # leaf; a ThreadReply is answered once


class Answering(abc.ABC):
    """Where the answer of a handler goes; see `kernel.ports.Answerable`."""

    __slots__ = ()

    def answer(self, value: object) -> None:
        """Answer with what a handler returned; an answer to come is passed on when it comes."""
        if type(value) is Reply:
            value.pass_on(self)
        else:
            self.resolve(value, None)

    @abc.abstractmethod
    def resolve(self, value: Any, error: BaseException | None) -> object:
        """Answer with a value or an error; only the first answer counts."""


class Reply(Answering, Awaitable[R], Generic[R]):
    """The answer to a `request`, owned by the loop `home` that asked.

    Awaited in an asyncio task it suspends the task; in a handler that the kernel steps it
    yields itself to the kernel, which is several times faster.
    """

    __slots__ = (
        "address",
        "asker",
        "done",
        "error",
        "home",
        "target",
        "timer",
        "value",
        "waiter",
    )

    def __init__(self, home: Dispatcher, address: str) -> None:
        self.home = home
        self.address = address
        self.done = False
        self.error: BaseException | None = None
        self.value: R | None = None
        self.waiter: Callable[[], object] | None = None
        self.timer: Pending | None = None  # of a short timeout
        self.target: Box | None = None  # whom a handler asked; see `waits`
        self.asker: Holder | None = None  # and that handler

    def set(self, value: R | None = None) -> None:
        """Answer from any thread; a late or second answer is counted and dropped."""
        self.resolve(value, None)

    def fail(self, error: BaseException) -> None:
        """Answer with an exception, from any thread."""
        self.resolve(None, error)

    def resolve(self, value: R | None, error: BaseException | None) -> object:
        """Answer from any thread; a late or second answer is counted and dropped."""
        home = self.home
        if ON_LOOP.dispatcher is home:
            self.settle(value, error)
        else:
            home.call(lambda: self.settle(value, error))
        return None

    def settle(self, value: R | None, error: BaseException | None) -> None:
        """Answer on the home loop; only the first answer counts."""
        if self.done:
            self.home.late_answers += 1
            return
        self.value = value
        self.error = error
        self.done = True
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        waiter = self.waiter
        if waiter is not None:
            self.waiter = None
            _wake(waiter, self.address)

    def when_done(self, wake: Callable[[], object]) -> None:
        """Call `wake` when done, or at once; on the home loop."""
        earlier = self.waiter
        if self.done:
            _wake(wake, self.address)
        elif earlier is None:
            self.waiter = wake
        else:

            def both() -> None:
                _wake(earlier, self.address)
                wake()

            self.waiter = both

    def pass_on(self, asker: Answering) -> None:
        """Give this answer, when it comes, to somebody who asked for the same.

        So a `def` handler may return `ref.request(…)` or `self.promise()`: the mailbox goes on
        at once and nobody waits in between.
        """
        self.when_done(lambda: asker.resolve(self.value, self.error))

    def __await__(self) -> Generator[object, None, R]:
        if not self.done:
            try:
                if self.home.stepping is not None:
                    yield self
                else:
                    future: asyncio.Future[None] = self.home.loop.create_future()
                    self.when_done(lambda: None if future.done() else future.set_result(None))
                    yield from future
            except BaseException:
                self.target = None  # cancelled: nobody waits for it any more
                raise
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value]  # done: it is an R


class ThreadReply(Answering, pykka.Future[R]):
    """An answer that any thread may wait for, and any event loop may await."""

    def __init__(self, scheduler: Scheduler | None = None, address: str = "the actor") -> None:
        super().__init__()
        self.address = address
        self._scheduler = scheduler
        self._waiters: list[Callable[[], object]] = []
        self._sources: tuple[pykka.Future[Any], ...] = ()  # what a derived future waits for
        self._error: BaseException | None = None
        self._trace: TracebackType | None = None
        self._value: R | None = None
        self.target: Box | None = None  # whom it was asked
        self.asked: object = None  # and what
        self.asker: Holder | None = None  # by which handler
        self.done = False

    # -- waiting ----------------------------------------------------------------------------

    def get(self, *, timeout: float | None = None) -> R:
        """Wait for the answer, at most `timeout` seconds (None: for ever).

        Raises:
            AskTimeout: (a pykka.Timeout) no answer in time.
            WouldDeadlock: called on one of the loops and the answer is not there yet.
            AskCycle: called by a thread actor for whom the other one waits.
            ForkedProcess: the actor belongs to the process that this one was forked from.
            Exception: whatever the answer is, if it is an exception.
        """
        if self._get_hook is not None:
            return super().get(timeout=timeout)
        if not self.done and (timeout is None or timeout > 0):
            if ON_LOOP.dispatcher is not None:
                raise WouldDeadlock(f"waiting for {self.address}")
            if self.target is not None:
                self.target.check_process()
                holder = HOLDER.get()
                if holder is not None and self not in holder.asked:
                    note(holder, self, self.target, self.asked)
            if self._scheduler is not None:
                self._scheduler.wait(self, timeout)
            else:
                self.block(timeout)
        if not self.done:
            self.target = None  # nobody waits for it any more
            raise AskTimeout(self.address, timeout)
        if self._error is not None:
            raise self._error.with_traceback(self._trace)
        return cast("R", self._value)

    def block(self, timeout: float | None) -> None:
        """Block this thread until done or `timeout` seconds passed."""
        gate = threading.Lock()
        gate.acquire()
        self.when_done(lambda: _open(gate))
        gate.acquire(timeout=-1 if timeout is None else min(timeout, threading.TIMEOUT_MAX))

    def when_done(self, wake: Callable[[], object]) -> None:
        """Call `wake` once or twice when done, in the thread that answers or at once."""
        self._waiters.append(wake)
        if self.done:
            _wake(wake, self.address)

    def __await__(self) -> Generator[Any, None, R]:
        # a derived future is computed here, as Pykka's, but once its sources have answered
        for source in self._sources:
            with contextlib.suppress(Exception):  # `get` raises it again
                yield from source.__await__()
        if self._get_hook is None and not self.done:
            loop = asyncio.get_running_loop()
            future: asyncio.Future[None] = loop.create_future()

            def wake() -> None:
                with contextlib.suppress(RuntimeError):  # that loop was closed meanwhile
                    loop.call_soon_threadsafe(
                        lambda: None if future.done() else future.set_result(None)
                    )

            self.when_done(wake)
            yield from future
        return self.get(timeout=0)

    __iter__ = __await__

    # -- answering --------------------------------------------------------------------------

    def resolve(self, value: R | None, error: BaseException | None) -> bool:
        """Answer from any thread; whether this was the first answer."""
        return self._settle(value, error, None if error is None else error.__traceback__)

    def set(self, value: R | None = None) -> None:
        """Answer; the value is not copied.

        Raises:
            queue.Full: it has an answer already (Pykka's contract).
        """
        if not self._settle(value, None, None):
            raise queue.Full

    def set_exception(
        self,
        exc_info: tuple[Any, Any, Any] | None = None,  # Any: sys.exc_info, Pykka's contract
    ) -> None:
        """Answer with `exc_info`, by default the exception being handled.

        Raises:
            queue.Full: it has an answer already (Pykka's contract).
            ValueError: there is no exception.
        """
        kind, value, trace = exc_info or sys.exc_info()
        if value is None:
            if kind is None:
                raise ValueError("no exception to set: pass exc_info or call it in an except block")
            value = kind()
        if not self._settle(None, value, trace):
            raise queue.Full

    def set_get_hook(self, func: Callable[[float | None], R]) -> None:
        """Compute the answer with `func(timeout)` on the first `get`."""
        if self.done:
            raise queue.Full
        super().set_get_hook(func)

    def _settle(
        self, value: R | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        with _SETTLING:
            if self.done or self._get_hook is not None:
                return False
            self._value = value
            self._error = error
            self._trace = trace
            self.done = True
        for wake in tuple(self._waiters):
            _wake(wake, self.address)
        return True

    # -- deriving: Pykka's, and awaitable without blocking ----------------------------------

    def filter(
        self: pykka.Future[Iterable[J]], func: Callable[[J], bool]
    ) -> pykka.Future[Iterable[J]]:
        """Only the items of the answer that pass `func`."""
        return _derived(pykka.Future.filter(self, func), self)

    def join(self: pykka.Future[Any], *futures: pykka.Future[Any]) -> pykka.Future[Iterable[Any]]:
        """This answer and those of `futures`, in a list."""
        return _derived(pykka.Future.join(self, *futures), self, *futures)

    def map(self, func: Callable[[R], M]) -> pykka.Future[M]:
        """What `func` makes of the answer."""
        return _derived(super().map(func), self)

    def reduce(
        self: pykka.Future[Iterable[J]], func: Callable[[M, J], M], *args: M
    ) -> pykka.Future[M]:
        """The items of the answer, reduced by `func`."""
        return _derived(pykka.Future.reduce(self, func, *args), self)


def _derived(future: pykka.Future[R], *sources: pykka.Future[Any]) -> pykka.Future[R]:
    if isinstance(future, ThreadReply):
        future._sources = sources
    return future


def _wake(wake: Callable[[], object], address: str) -> None:
    try:
        wake()
    except BaseException:  # also SystemExit: it is not the answerer's
        logger.exception("a waiter for the answer of %s raised", address)


def _open(gate: threading.Lock) -> None:
    with contextlib.suppress(RuntimeError):  # it is open: woken twice
        gate.release()
