"""One turn under way: what `TurnContext` may do, and the end of it all (the fence).

A turn that is given up cannot be killed when it runs in a thread. It is fenced: every later call
raises, so it can neither send nor write, and its result is dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from actors.domain.bodies import Body, pack, unpack
from actors.domain.errors import InboxFull, StaleIncarnation, TurnCancelled
from actors.domain.events import Emitted, InputDone
from actors.domain.inbox import Mode, TurnInput
from actors.domain.reports import TurnResult
from actors.kernel.errors import AskTimeout, KernelError, MailboxFull
from actors.roles.messages import Append, AwaitTurn, Emit, Progress, Route
from actors.roles.patience import FIRST_PAUSE_S, LAST_PAUSE_S, patiently
from transport.message import Message

if TYPE_CHECKING:
    from actors.domain.reports import Receipt
    from actors.kernel.future import Reply
    from actors.kernel.ports import Scheduler
    from actors.kernel.ref import ActorRef
    from actors.roles.forwarder import Forwarder
    from actors.roles.memory import Memory
    from actors.roles.ops_registry import OpsRegistry
    from actors.roles.router import Router
    from actors.stores.ports import Ledger

PAGE: Final = 500
R = TypeVar("R")


class TurnOver(StaleIncarnation):
    """The turn has ended or was given up while its member lives on; nothing was done."""

    def __str__(self) -> str:
        return f"this turn of '{self.identity}' is over; the call was not carried out"


@dataclass(frozen=True, slots=True)
class Desk:
    """What every member of a mob works with: the other actors and the place of its files."""

    mob: str
    scheduler: Scheduler
    ledger: Ledger
    router: ActorRef[Router]
    forwarder: ActorRef[Forwarder]
    ops: ActorRef[OpsRegistry]
    folder: Path | None  # of the mob file
    source: str  # the mob file's name, for errors
    state_dir: Path
    after_send: Callable[[str, int], bool] | None = None  # chaos: fail member after its n-th send


class RunningTurn:
    """The port of one turn (`actors.executors.context.TurnPort`); lives on the member loop."""

    def __init__(
        self,
        desk: Desk,
        memory: Memory,
        given: TurnInput,
        die: Callable[[str], None],
    ) -> None:
        self.desk = desk
        self.memory = memory
        self.given = given
        self.loop = asyncio.get_running_loop()
        self.task: asyncio.Task[Any] | None = None
        self.attachments: dict[str, str] = {}
        self.sends = 0
        self._die = die
        self._peers: Mapping[str, str] = {}
        self._fence = memory.incarnation.fence
        self._steered = asyncio.Event()
        self._calls: set[asyncio.Task[Any]] = set()  # what its thread waits for
        self.interrupted = False  # it was asked to end
        self.over = False  # it ended, or goes on in vain
        self.killed = False  # it asked for the end of its member (chaos)

    # -- the member's side ------------------------------------------------------------------

    def know_peers(self, peers: Mapping[str, str]) -> None:
        """Who the member may talk to as the turn begins, with their profiles."""
        self._peers = peers

    def interrupt(self) -> None:
        """End it at its next call; its input stays open."""
        self.interrupted = True
        self._steered.set()

    def fence(self) -> None:
        """The member lives on (or not) without this turn: it can do nothing from now on."""
        self.over = True
        self._steered.set()
        mine = asyncio.current_task(self.loop)
        for call in self._calls:
            if call is not mine:
                call.cancel()

    def steered(self) -> None:
        """Something was steered in."""
        self._steered.set()

    # -- the turn's side --------------------------------------------------------------------

    def peers(self) -> Mapping[str, str]:
        """Peer name to profile."""
        return self._peers

    def check(self) -> None:
        """Raise if the turn is over."""
        current = self.memory.incarnation
        if self.over:
            late = StaleIncarnation if current.fence != self._fence else TurnOver
            raise late(current.identity, current.fence, self._fence)
        if self.interrupted:
            raise TurnCancelled(current.identity, self.given.input_id)

    async def run(self, call: Coroutine[Any, Any, R]) -> R:
        """Make a call of a turn in a thread; the end of the turn ends it, too."""
        task = asyncio.current_task()
        assert task is not None  # a coroutine of asyncio runs in one
        self._calls.add(task)
        try:
            return await call
        except asyncio.CancelledError:
            self.check()
            raise
        finally:
            self._calls.discard(task)

    async def send(self, to: str, body: str | Message, mode: Mode, timeout: float) -> Receipt:
        """Route to a peer; an inbox without room is tried again until `timeout`."""
        self.check()
        receipt = await self._route(to, self._new_id(), pack(body), mode, timeout)
        self._sent()
        return receipt

    async def ask(self, to: str, body: str | Message, timeout: float) -> TurnResult:
        """Route to a peer and wait for its turn."""
        self.check()
        clock = self.desk.scheduler.clock
        until = clock.monotonic() + timeout
        receipt = await self._route(to, self._new_id(), pack(body), "queue", timeout)
        self._sent()
        question = AwaitTurn(
            sender=self.memory.incarnation.identity,
            target=to,
            input_id=receipt.canonical_input_id,
            wait_s=max(until - clock.monotonic(), 0.001),
        )
        try:
            result = await patiently(self.desk.router, question, timeout=question.wait_s)
        except AskTimeout as error:
            raise TimeoutError(f"{to!r} did not finish within {timeout:g} s") from error
        self.check()
        return result

    async def emit(self, kind: str, data: str) -> None:
        """Queue an event; waits while the forwarder has too many."""
        self.check()
        event = Emitted(
            identity=self.memory.incarnation.identity,
            input_id=self.given.input_id,
            kind=kind,
            data=data,
        )
        await self.desk.forwarder.send(Emit(event=event))

    def emitted(self, kind: str | None) -> Iterator[str]:
        """Read the ledger for what earlier attempts emitted."""
        self.check()
        if self.given.attempt <= 1:
            return
        identity, input_id = self.memory.incarnation.identity, self.given.input_id
        cursor = self.memory.accepted_at.get(input_id, 0)
        while entries := self.desk.ledger.read(after=cursor, limit=PAGE):
            for entry in entries:
                event = entry.event
                if (
                    isinstance(event, Emitted)
                    and event.input_id == input_id
                    and event.identity == identity
                    and kind in (None, event.kind)
                ):
                    yield event.data
            cursor = entries[-1].cursor

    def progress(self, text: str) -> None:
        """Tell the operations registry; nobody waits, and a full mailbox drops it."""
        with contextlib.suppress(KernelError):  # the next one is newer anyway
            self.desk.ops.tell(Progress(identity=self.memory.incarnation.identity, text=text))

    def attach(self, name: str, path: Path) -> None:
        """Remember a file of the result."""
        self.attachments[name] = str(path)

    async def boundary(self, wait: float) -> tuple[TurnInput, ...]:
        """Take what was steered in; wait for something if there is nothing.

        What was taken at the last boundary is done with, so a turn that lives on its steered
        inputs never fills its inbox with them.
        """
        self.check()
        self._settle_taken()
        taken = self._take_steered()
        if not taken:
            self._steered.clear()
            if wait > 0:
                timer = self.loop.call_later(wait, self._steered.set)
                try:
                    await self._steered.wait()
                finally:
                    timer.cancel()
            else:
                await asyncio.sleep(0)  # a boundary always lets others run
            self.check()
            taken = self._take_steered()
        return tuple(presented(given) for given in taken)

    # -- inside -----------------------------------------------------------------------------

    def _settle_taken(self) -> None:
        """What was taken is done with, the operator's as soon as the ledger has that."""
        memory, identity = self.memory, self.memory.incarnation.identity
        operators = [given.input_id for given in memory.inbox.taken if given.sender is None]
        if not operators:
            self._finish(memory.inbox.settle_taken())
            return
        events = (InputDone(identity=identity, input_id=each, output="null") for each in operators)
        written = self.desk.forwarder.request(Append(events=tuple(events)), timeout=None)
        answer = cast("Reply[int]", written)
        if answer.error is not None:
            return  # no room at the forwarder: settled at the next boundary
        taken = memory.inbox.settle_taken()  # even if this turn is killed before the answer
        answer.when_done(lambda: self._finish(taken, answer.error))

    def _finish(self, taken: Iterable[str], error: BaseException | None = None) -> None:
        for input_id in taken:
            result = TurnResult(input_id=input_id, member=self.memory.incarnation.identity)
            self.memory.finish(input_id, error if isinstance(error, Exception) else result)

    def _take_steered(self) -> tuple[TurnInput, ...]:
        """What is in the ledger already: an input that may yet be refused is not worked on."""
        return self.memory.inbox.take_steered(until=self.memory.unwritten)

    async def _route(
        self, to: str, input_id: str, body: Body, mode: Mode, timeout: float
    ) -> Receipt:
        clock = self.desk.scheduler.clock
        until = clock.monotonic() + timeout
        pause = FIRST_PAUSE_S
        message = Route(
            sender=self.memory.incarnation.identity,
            target=to,
            input_id=input_id,
            body=body,
            mode=mode,
        )
        while True:
            try:
                # the same input id: delivered twice it is accepted once
                left = max(until - clock.monotonic(), 0.001)
                receipt = await self.desk.router.request(message, timeout=left)
            except (InboxFull, MailboxFull) as error:
                if clock.monotonic() + pause > until:
                    if isinstance(error, MailboxFull):
                        raise InboxFull(to, error.bound, pause) from error
                    raise
                await asyncio.sleep(pause)
                pause = min(pause * 2, LAST_PAUSE_S)
                self.check()
                continue
            except AskTimeout as error:
                raise TimeoutError(f"{to!r} did not accept within {timeout:g} s") from error
            self.check()
            return receipt

    def _sent(self) -> None:
        self.sends += 1
        chaos = self.desk.after_send
        if chaos is not None and chaos(self.memory.incarnation.identity, self.sends):
            self.killed = True
            self.fence()
            self._die("chaos")
            self.check()

    def _new_id(self) -> str:
        return new_input_id(self.desk.scheduler)


def new_input_id(scheduler: Scheduler) -> str:
    """A fresh input id: 128 random bits from the scheduler's source, as hex."""
    return f"{scheduler.random.getrandbits(128):032x}"


def presented(given: TurnInput) -> TurnInput:
    """The input as the turn sees it, its body unpacked."""
    if isinstance(given.body, Body):
        return replace(given, body=unpack(given.body))
    return given
