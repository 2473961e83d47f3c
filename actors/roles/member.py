"""A member: an agent that accepts inputs and takes one turn at a time.

The turn runs outside of the mailbox, as a task of the member loop (or in a thread, see
`actors.executors.python`), so the member answers at once whatever its executor does. Inputs of
the operator are in the ledger before their receipt; inputs of peers live as long as the process.

What must outlive an incarnation is in `Memory`. After a failure the next incarnation asks the
supervisor for its generation and fence (`Join`), puts the interrupted input back at the head and
goes on; the turn of the failed one is fenced. A turn that had ended when its incarnation failed
is not taken again: writing its end to the ledger is finished first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Final

from actors.domain.bodies import Body
from actors.domain.errors import MobError, TurnCancelled, TurnFailed
from actors.domain.events import InputAccepted, InputDone, InputFailed, TurnStarted
from actors.domain.inbox import Mode, TurnInput
from actors.domain.reports import TurnResult
from actors.executors.context import ThreadTurnContext, TurnContext, as_json
from actors.executors.python import PythonExecutor
from actors.kernel.actor import Actor
from actors.kernel.errors import KernelError, describe
from actors.kernel.handlers import handles
from actors.kernel.logs import logger_for
from actors.roles.messages import (
    Activity,
    Append,
    Deliver,
    Die,
    Emit,
    GetPeers,
    Interrupt,
    Join,
    Observe,
    ResultOf,
)
from actors.roles.patience import patiently
from actors.roles.turn import RunningTurn, presented
from transport.message import FrozenMap

if TYPE_CHECKING:
    from actors.domain.definition import Profile
    from actors.domain.events import LedgerEvent
    from actors.domain.reports import Receipt
    from actors.kernel.future import Reply
    from actors.kernel.ref import ActorRef
    from actors.roles.memory import Memory
    from actors.roles.supervisor import Supervisor
    from actors.roles.turn import Desk

logger = logger_for(__name__)

RETRY_S: Final = 0.1  # before the second attempt of an input; doubled for each further one
RETRY_CAP_S: Final = 30.0
GRACE_S: Final = 1.0  # a turn that took too long gets this long to notice


class MemberKilled(Exception):
    """Somebody asked this member to fail (`Die`)."""


class UnknownInput(MobError):
    """The member has no such input: never accepted, or finished long ago."""

    def __init__(self, identity: str, input_id: str) -> None:
        super().__init__(identity, input_id, hint="mob.events() has the results of old inputs")
        self.identity = identity
        self.input_id = input_id

    def __str__(self) -> str:
        return f"'{self.identity}' has no open input {self.input_id}"


class Member(Actor):
    """One incarnation of a member."""

    def __init__(
        self, desk: Desk, profile: Profile, memory: Memory, supervisor: ActorRef[Supervisor]
    ) -> None:
        super().__init__()
        self._desk = desk
        self._profile = profile
        self._memory = memory
        self._supervisor = supervisor
        self._executor: PythonExecutor | None = None
        self._turn: RunningTurn | None = None
        self._interrupted = False  # starts no more turns
        self._resting = False  # between two attempts of one input

    @property
    def identity(self) -> str:
        """The member's durable name."""
        return self._memory.incarnation.identity

    async def on_start(self) -> None:  # type: ignore[override]  # Pykka: a def
        """Get an incarnation (again), make the executor, go on where the last one stopped."""
        memory = self._memory
        if memory.joined:
            question = Join(identity=self.identity, reason="restarted after a failure")
            memory.incarnation = await patiently(self._supervisor, question)
        memory.joined = True
        desk = self._desk
        executor = await desk.scheduler.run_blocking(
            lambda: PythonExecutor(self._profile, desk.folder, desk.source)
        )
        await memory.written()
        memory.inbox.interrupted()
        memory.accepted = self._accepted
        self._executor = executor
        self._look()

    def on_failure(self, *_: object) -> None:
        """Fence the turn; the next incarnation begins it again."""
        self._drop_turn()

    async def on_stop(self) -> None:  # type: ignore[override]  # Pykka: a def
        """Fence the turn; its input stays open."""
        self._drop_turn()
        await self._memory.written()
        self._memory.inbox.interrupted()

    # -- inputs -----------------------------------------------------------------------------

    @handles(raises=(MobError,))
    def deliver(self, message: Deliver) -> Receipt:
        """Accept an input; one of the operator is durable before the answer.

        Raises:
            InboxFull: no room; try again after the time it names.
            KeyConflict: the key came before with another body.
            StoreError: the ledger refused; nothing was accepted.
        """
        memory, body = self._memory, message.body
        given = TurnInput(
            message.input_id, message.sender, body, message.key, message.mode, body.digest
        )
        receipt = memory.inbox.accept(given)
        first = receipt.canonical_input_id
        if receipt.outcome == "accepted":
            memory.accepted_at[first] = self._desk.ledger.head()
            if message.sender is None:
                memory.unwritten[first] = []
                self._outlive(self._write_down(given), "accept")
        if first in memory.unwritten:
            promise: Reply[Receipt] = self.promise()
            memory.unwritten[first].append((receipt, promise))
            return promise  # type: ignore[return-value]  # answered when it is durable
        if receipt.outcome == "accepted":
            self._accepted(given.mode)
        return receipt

    @handles(raises=(MobError,))
    def result_of(self, message: ResultOf) -> TurnResult:
        """Answered when the input has ended; outlives this incarnation.

        Raises:
            TurnFailed: it was given up.
            UnknownInput: there is no such input.
        """
        promise: Reply[TurnResult] = self.promise()
        if not self._memory.wait_for(message.input_id, promise):
            raise UnknownInput(self.identity, message.input_id)
        return promise  # type: ignore[return-value]  # answered when the turn has ended

    @handles(control=True)
    def observe(self, message: Observe) -> Activity:
        """What it does right now."""
        inbox = self._memory.inbox
        running = inbox.running
        return Activity(
            identity=self.identity,
            queued=inbox.queued,
            running=None if running is None else running.input_id,
            turns=self._memory.turns,
            paused=self._interrupted,
        )

    @handles(control=True)
    def interrupt(self, message: Interrupt) -> bool:
        """End the running turn at its next call and start no other one."""
        self._interrupted = True
        if self._turn is None:
            return False
        self._turn.interrupt()
        return True

    @handles(control=True)
    def die(self, message: Die) -> None:
        """Fail when this message is handled: it is not tried again by the next incarnation."""
        self._cell.post(lambda: self._cell.crash(MemberKilled(message.reason)))

    # -- turns ------------------------------------------------------------------------------

    def _look(self) -> None:
        """Start the next turn if there is something to do and nothing is being done."""
        if self._turn is not None or self._interrupted or self._resting or self._executor is None:
            return
        inbox = self._memory.inbox
        ready = inbox.next_ready()
        if ready is None or ready.input_id in self._memory.unwritten:
            return
        inbox.start(ready.input_id)
        given = inbox.running
        assert given is not None  # it was started in the line above
        turn = RunningTurn(self._desk, self._memory, given, self._fail_soon)
        self._turn = turn
        name = f"{self.address} turn"
        turn.task = self._cell.dispatcher.task(self._take(turn, self._executor), name)

    async def _take(self, turn: RunningTurn, executor: PythonExecutor) -> None:
        """Take one turn, from its start mark to where its end must be written down."""
        clock = self._desk.scheduler.clock
        try:
            await self._begin(turn)
            began = clock.monotonic()
            value = await self._run(turn, executor)
            result = TurnResult(
                input_id=turn.given.input_id,
                member=self.identity,
                output=None if value is None else as_json(value),
                attempts=turn.given.attempt,
                duration_s=clock.monotonic() - began,
                attachments=FrozenMap(turn.attachments),
            )
        except asyncio.CancelledError:
            return  # dropped; the next incarnation has the input
        except BaseException as error:  # noqa: BLE001 - whatever it is, the member goes on
            if turn is self._turn and not turn.killed:
                self._outlive(self._give_back(turn, error), "failure")
        else:
            if turn is self._turn:
                self._outlive(self._finish(turn, result), "end")

    async def _begin(self, turn: RunningTurn) -> None:
        """Mark the attempt.

        Durably if the next launch must count it, or if this attempt may ask what the ones before
        have emitted: that is in the ledger when the mark is, because the queue is one.
        """
        given = turn.given
        mark = TurnStarted(
            identity=self.identity,
            input_id=given.input_id,
            attempt=given.attempt,
            fence=self._memory.incarnation.fence,
        )
        if given.sender is None or given.attempt > 1:
            await self._commit([mark])
        else:
            await self._desk.forwarder.send(Emit(event=mark))
        turn.know_peers(await patiently(self._desk.router, GetPeers(identity=self.identity)))

    async def _run(self, turn: RunningTurn, executor: PythonExecutor) -> object:
        """Run the executor, at most for the profile's turn timeout; fence what it leaves behind."""
        kind = ThreadTurnContext if executor.isolation == "thread" else TurnContext
        context = kind(
            turn,
            mob=self._desk.mob,
            member=self.identity,
            profile=self._profile.name,
            given=presented(turn.given),
            options=dict(self._profile.options),
            state_dir=self._desk.state_dir,
        )
        name = f"{self.address} executor"
        work = self._cell.dispatcher.task(_outcome(executor.run(context)), name)
        limit = self._profile.limits.turn_timeout_s
        patient = self._cell.dispatcher.patient  # somebody debugs the turn
        try:
            await asyncio.wait({work}, timeout=None if patient else limit)
            if not work.done():
                turn.fence()
                work.cancel()
                # one that ignores this, or sits in a thread, goes on and can do nothing
                await asyncio.wait({work}, timeout=GRACE_S)
                raise TimeoutError(f"the turn took longer than {limit:g} s")
        finally:
            turn.fence()
            work.cancel()
        if work.cancelled():
            raise RuntimeError("the turn was cancelled by something that it awaited")
        value, error = work.result()
        if error is not None:
            raise error
        return value

    async def _finish(self, turn: RunningTurn, result: TurnResult) -> None:
        """The turn is done when the ledger has it, together with what it had taken."""
        memory, inbox = self._memory, self._memory.inbox
        done = [
            InputDone(
                identity=self.identity, input_id=result.input_id, output=result.output or "null"
            )
        ]
        done += [
            InputDone(identity=self.identity, input_id=taken.input_id, output="null")
            for taken in inbox.taken
            if taken.sender is None  # those of peers are not in the ledger
        ]
        try:
            await self._commit(done)
        except (MobError, KernelError) as error:
            await self._give_back(turn, error)
            return
        memory.turns += 1
        for input_id in inbox.done(result.input_id):
            mine = input_id == result.input_id
            memory.finish(input_id, result if mine else result.model_copy(update=_taken(input_id)))
        self._turn_over(turn)

    async def _give_back(self, turn: RunningTurn, error: BaseException) -> None:
        """A turn was interrupted or failed: decide what becomes of its input."""
        memory, inbox, given = self._memory, self._memory.inbox, turn.given
        if turn.interrupted and isinstance(error, TurnCancelled):
            inbox.interrupted()
            self._turn_over(turn)
            return
        kind, text = type(error).__name__, describe(error)
        logger.warning(
            "%s failed input %s (attempt %d): %s: %s",
            self.identity,
            given.input_id,
            given.attempt,
            kind,
            text,
        )
        last = inbox.failures(given.input_id) + 1 >= self._profile.limits.attempts
        event = InputFailed(
            identity=self.identity,
            input_id=given.input_id,
            error_type=kind,
            error_text=text,
            quarantined=last,
        )
        try:
            await self._commit([event])
        except (MobError, KernelError) as refused:
            logger.error("the failure of %s is not in the ledger: %s", given.input_id, refused)
        if inbox.fail(given.input_id) == "quarantined":
            self.realm.refused(self.address, "poison", given)
            failure = TurnFailed(self.identity, given.input_id, kind, text, given.attempt)
            memory.finish(given.input_id, failure)
        elif turn is self._turn:
            # A pause, as a timer: the member stays responsive, but no other input overtakes.
            self._resting = True
            pause = min(RETRY_S * 2.0 ** (inbox.failures(given.input_id) - 1), RETRY_CAP_S)
            self._cell.timers.after(pause, self._rested)
        self._turn_over(turn)

    # -- inside -----------------------------------------------------------------------------

    async def _write_down(self, given: TurnInput) -> None:
        """Put an input in the ledger; only then is it accepted and may be worked on."""
        memory, body = self._memory, given.body
        assert isinstance(body, Body)  # `deliver` gave it
        event = InputAccepted(
            identity=self.identity,
            input_id=given.input_id,
            key=given.key,
            digest=given.digest,
            body=body.data,
            body_tag=body.tag,
        )
        try:
            await self._commit([event])
        except Exception as error:  # noqa: BLE001 - whatever it is, the sender must learn it
            memory.inbox.withdraw(given.input_id)
            memory.accepted_at.pop(given.input_id, None)
            for _, promise in memory.unwritten.pop(given.input_id):
                promise.fail(error)
        else:
            for receipt, promise in memory.unwritten.pop(given.input_id):
                promise.set(receipt)
        memory.accepted(given.mode)  # or something else can begin now

    async def _commit(self, events: Sequence[LedgerEvent]) -> None:
        """Return when the events are durable; no deadline, because an answer always comes."""
        await patiently(self._desk.forwarder, Append(events=tuple(events)))

    def _outlive(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Do what must be done even if this incarnation fails meanwhile."""
        writing = self._memory.writing
        task = self._cell.dispatcher.task(work, f"{self.address} {name}")
        writing.add(task)
        task.add_done_callback(writing.discard)

    def _accepted(self, mode: Mode) -> None:
        if mode == "steer" and self._turn is not None:
            self._turn.steered()
        else:
            self._look()

    def _turn_over(self, turn: RunningTurn) -> None:
        if turn is self._turn:
            self._turn = None
            self._look()

    def _rested(self) -> None:
        self._resting = False
        self._look()

    def _fail_soon(self, reason: str) -> None:
        self.actor_ref.tell(Die(reason=reason))

    def _drop_turn(self) -> None:
        """No turn of this incarnation does anything any more, and none begins."""
        self._executor = None
        turn, self._turn = self._turn, None
        if turn is not None:
            turn.fence()
            if turn.task is not None:
                turn.task.cancel()


async def _outcome(work: Coroutine[Any, Any, object]) -> tuple[object, BaseException | None]:
    """The value or the error of a turn, as data.

    asyncio ends its loop when a task raises SystemExit; here it ends the turn and nothing else.
    """
    try:
        return await work, None
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # noqa: BLE001 - raised again
        return None, error


def _taken(input_id: str) -> dict[str, object]:
    """What is different in the result of an input that the turn had taken at a boundary."""
    return {"input_id": input_id, "output": None, "attachments": FrozenMap({})}
