"""Thread actors: Pykka's `ThreadingActor`, repaired. One thread each; blocking is fine.

A program written for `pykka.ThreadingActor` runs unchanged: an ask's exception returns to the
asker and the actor lives, a tell's exception ends it, `stop` waits behind what was queued,
proxies work, the actor is in `pykka.ActorRegistry`. Repaired (reference/reliability.md F11):

- the inbox is bounded; `tell` waits up to 30 s for room, then MailboxFull;
- what is left in the inbox of a failed actor becomes dead letters, asks are answered;
- `SystemExit` and other BaseExceptions end this actor only, not every actor of the process;
- `stop(drain=False)` overtakes the backlog;
- a proxy message that names a private attribute is refused;
- a put that races with the end is answered, and a second answer cannot kill the loop.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, TypeVar, cast

import pykka
from pykka import messages

from actors.kernel.current import HOLDER
from actors.kernel.errors import (
    ActorDead,
    ActorFailed,
    HandlerError,
    KernelError,
    StartFailed,
    Unhandled,
    describe,
)
from actors.kernel.future import ThreadReply
from actors.kernel.handlers import HandlerTable, find, table_of
from actors.kernel.logs import logger_for
from actors.kernel.mailbox import Envelope
from actors.kernel.thread_inbox import BOUND, Stop, ThreadInbox
from actors.kernel.thread_ref import ThreadRef

if TYPE_CHECKING:
    from actors.kernel.letters import DeadReason
    from actors.kernel.realm import Realm

logger = logger_for(__name__)

T = TypeVar("T", bound="ThreadActor")
_PROXY: Final = (messages.ProxyCall, messages.ProxyGetAttr, messages.ProxySetAttr)


class ThreadActor(pykka.ThreadingActor):
    """Pykka's threading actor on our inbox; `@handles` methods and `on_receive` both work."""

    mailbox: ClassVar[int] = BOUND
    handler_table: ClassVar[HandlerTable] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Read the handlers; a wrong declaration raises HandlerError here."""
        super().__init_subclass__(**kwargs)
        cls.handler_table = table_of(cls)
        for row in cls.handler_table.values():
            if row.is_async or row.control or row.key is not None:
                raise HandlerError(
                    f"{cls.__qualname__}: the handler of {row.message.__qualname__} is async, "
                    "control, interleave or coalescing, which a ThreadActor is not",
                    hint="write a plain def, or make it an Actor",
                )

    @classmethod
    def start(cls, *args: Any, **kwargs: Any) -> ThreadRef[Self]:
        """Start without a system, as Pykka does; `system.start` gives it a name and an audit."""
        return cast("ThreadRef[Self]", super().start(*args, **kwargs))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        inbox = self._inbox
        inbox.bound = self.mailbox
        inbox.address = self.actor_urn
        self._actor_ref = inbox.ref = ThreadRef(self)
        self._starter: ThreadReply[bool] | None = None
        self._goodbye: ThreadReply[bool] | None = None  # of the stop that ends it

    @property
    def actor_ref(self) -> ThreadRef[Self]:
        """The ref of this actor."""
        return cast("ThreadRef[Self]", self._actor_ref)

    @property
    def _inbox(self) -> ThreadInbox:
        """The inbox, with its own type."""
        return cast("ThreadInbox", self.actor_inbox)

    def stop(self) -> None:
        """Stop after what is queued, Pykka's order."""
        self._inbox.put_stop(None, overtake=False)

    # -- Pykka's seams ----------------------------------------------------------------------

    def _create_actor_inbox(self) -> Any:  # type: ignore[override]  # Any: see ThreadRef
        return ThreadInbox()

    @staticmethod
    def _create_future() -> ThreadReply[Any]:
        return ThreadReply()

    def _start_actor_loop(self) -> None:
        threading.Thread(
            target=self._actor_loop,
            name=f"{type(self).__name__} {self._inbox.address}",
            # a system ends its actors at exit, so a hung one must not hold the process
            daemon=self.use_daemon_thread or self._inbox.address != self.actor_urn,
        ).start()

    def _actor_loop(self) -> None:
        inbox = self._inbox
        inbox.owner = threading.get_ident()
        HOLDER.set(inbox.holder)
        inbox.keeper = inbox.holder
        error = self._hook(self.on_start)
        inbox.keeper = None
        if self._starter is not None:
            failed = None
            if error is not None:
                failed = StartFailed(inbox.address, type(error).__name__, describe(error))
            self._starter.resolve(error is None, failed)
        while error is None and self._goodbye is None:
            item = inbox.get()
            if isinstance(item, Stop):
                self._goodbye = item.reply or ThreadReply()
            else:
                error = self._serve(item.message, item.reply)
        self._end(error)

    def _serve(self, message: object, reply: Any) -> BaseException | None:  # Any: any answer
        """Handle one message; the failure that ends this actor, if any."""
        inbox = self._inbox
        try:
            answer = self._handle_receive(message)
        except _Refused as refusal:
            inbox.done()
            inbox.bury(refusal.reason, message)
            if reply is not None:
                reply.resolve(None, refusal.error)
            return None
        except BaseException as error:  # noqa: BLE001 - SystemExit ends this actor only
            inbox.done()
            inbox.counts.failed_elsewhere.bump()
            if reply is not None and isinstance(error, Exception):
                reply.resolve(None, error)  # Pykka's way: the asker gets it, the actor lives
                return None
            if reply is not None:  # raising SystemExit in the asker would end that one, too
                kind = type(message).__qualname__
                failure = ActorFailed(inbox.address, kind, type(error).__name__, describe(error))
                reply.resolve(None, failure)
            self._failed(error)
            return error
        inbox.done()
        inbox.counts.handled_elsewhere.bump()
        if reply is not None:
            reply.resolve(answer, None)
        return None

    def _handle_receive(self, message: Any) -> Any:
        if isinstance(message, _PROXY):
            if any(part.startswith("_") for part in message.attr_path):
                path = ".".join(message.attr_path)
                text = f"a proxy of {type(self).__name__} cannot reach the private {path}"
                raise _Refused("unauthorised", AttributeError(text))
            return super()._handle_receive(message)
        handler = find(self.handler_table, type(message))
        if handler is not None:
            return handler.call(self, message)
        if self.handler_table and type(self).on_receive is pykka.Actor.on_receive:
            kind = type(message).__qualname__
            raise _Refused("unhandled", Unhandled(self._inbox.address, kind))
        return self.on_receive(message)

    # -- ending -----------------------------------------------------------------------------

    def _failed(self, error: BaseException) -> None:
        logger.error("%s failed: %s", self._inbox.address, type(error).__name__, exc_info=error)
        self._close()
        try:
            self.on_failure(type(error), error, error.__traceback__)
        except BaseException:  # also SystemExit: it ends this actor only, which ends anyway
            logger.exception("on_failure of %s failed", self._inbox.address)

    def _hook(self, hook: Callable[[], object]) -> BaseException | None:
        try:
            hook()
        except BaseException as error:
            logger.error("%s failed", self._inbox.address, exc_info=error)
            return error
        return None

    def _close(self) -> None:
        """Be dead to others before the last hook runs, as Pykka's actors are."""
        pykka.ActorRegistry.unregister(self._actor_ref)
        self.actor_stopped.set()
        self._inbox.close()

    def _end(self, error: BaseException | None) -> None:
        inbox = self._inbox
        self._close()
        if error is None:
            error = self._hook(self.on_stop)
        left = inbox.seal()
        inbox.leave()
        for item in left:
            if isinstance(item, Stop):
                if item.reply is not None:
                    item.reply.resolve(True, None)
            else:
                self._bury(item, failed=error is not None)
        if error is None:
            inbox.end("shutdown", None)
        else:
            inbox.end("failed", f"{type(error).__name__}: {describe(error)}")
        if self._goodbye is not None:
            self._goodbye.resolve(True, None)

    def _bury(self, item: Envelope, *, failed: bool) -> None:
        """Answer or file what was left in the inbox."""
        inbox = self._inbox
        kind = type(item.message).__qualname__
        if item.reply is not None:
            inbox.counts.rejected.bump()
            item.reply.resolve(None, ActorDead(inbox.address, kind))
            return
        inbox.bury("dead" if failed else "shutdown", item.message)


class _Refused(Exception):
    """A message that is not for the actor's code; no failure of the actor."""

    def __init__(self, reason: DeadReason, error: Exception) -> None:
        super().__init__(reason)
        self.reason = reason
        self.error = error


def launch_thread(
    realm: Realm,
    kind: type[T],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    *,
    name: str | None,
    starter: ThreadReply[bool] | None,
) -> ThreadRef[T]:
    """Start a thread actor in a system; `starter` is answered when `on_start` is done.

    Raises:
        NameTaken: the name is in use.
        KernelError: the system is closing.
        StartFailed: `__init__` did not call `super().__init__()`.
        Exception: whatever `__init__` raises.
    """
    realm.check_process()
    if realm.closing:
        raise KernelError(f"system {realm.name!r} is shutting down")
    path = realm.path_for(kind, name, None)
    actor = kind(*args, **kwargs)
    if not isinstance(getattr(actor, "actor_inbox", None), ThreadInbox):
        text = f"{kind.__name__}.__init__ did not call super().__init__()"
        raise StartFailed(realm.address(path), "TypeError", text)
    inbox = actor._inbox
    realm.enter(path, inbox)
    inbox.address = realm.address(path)
    inbox.counts = realm.counts
    inbox.bury = lambda reason, message: realm.dead(inbox.address, reason, message)
    inbox.leave = lambda: realm.leave(path, inbox)
    actor._starter = starter
    pykka.ActorRegistry.register(actor.actor_ref)
    actor._start_actor_loop()
    return actor.actor_ref
