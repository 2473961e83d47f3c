"""What can go wrong between actors.

KernelError
├── ActorDead            the target has stopped (also pykka.ActorDeadError)
├── ActorFailed          the target's handler raised; the asker learns it as data
├── AskTimeout           no answer within the time (also pykka.Timeout)
├── MailboxFull          the target's lane has no room; nothing was queued
│   └── WouldBlock       the way to the target's node has no room
├── Ambiguous            the way to its node was lost: it may have been handled, or not
├── ChainTooLong         more than 32 actors wait for each other in one ask
├── MessageTooBig        one message above the limit; nothing was queued
├── WouldDeadlock        a blocking wait on a thread that must not wait
├── AskCycle             an ask that would close a circle of actors that wait
├── Interrupted          the actor was restarted while it handled the message
├── ForkedProcess        called in a forked child, which has none of the threads
├── NotRedeliverable     a dead letter that must not be sent again
├── Unhandled            the target has no handler for this message type
├── Expired              the deadline passed before the handler ran
├── StartFailed          `__init__` or `on_start` raised
├── NameTaken            a living actor has this name
├── UnknownAddress       no such actor, or no way to its node
├── LocalOnly            asked of a kind of actor that does not offer it
├── WrongArgument        an argument is of another type, or no number (a programming error)
└── HandlerError         a class declares its handlers wrongly (a programming error)
"""

from __future__ import annotations

import pykka


class KernelError(Exception):
    """Root of everything the kernel raises; `hint` says what a person can do."""

    hint: str = ""

    def __init__(self, text: str, *, hint: str = "") -> None:
        super().__init__(text)
        self.hint = hint or self.hint

    def __str__(self) -> str:
        text = str(self.args[0]) if self.args else type(self).__name__
        return f"{text} ({self.hint})" if self.hint else text


class ActorDead(KernelError, pykka.ActorDeadError):
    """The actor `address` has stopped; `what` was not handled."""

    def __init__(self, address: str, what: str = "the message") -> None:
        super().__init__(f"{address} has stopped; {what} was not handled")
        self.address = address


class ActorFailed(KernelError):
    """The handler of `address` failed on a message; its supervisor decides what follows."""

    def __init__(self, address: str, message_type: str, error_type: str, error_text: str) -> None:
        super().__init__(f"{address} failed on {message_type}: {error_type}: {error_text}")
        self.address = address
        self.message_type = message_type
        self.error_type = error_type
        self.error_text = error_text


class AskTimeout(KernelError, pykka.Timeout):
    """`address` did not answer within `timeout` seconds; it may still handle the message.

    Of `connect` it says why, as far as that is known.
    """

    def __init__(
        self, address: str, timeout: float | None, why: str = "", *, hint: str = ""
    ) -> None:
        reason = f": {why}" if why else ""
        super().__init__(f"{address} did not answer within {timeout} s{reason}", hint=hint)
        self.address = address
        self.timeout = timeout


class MailboxFull(KernelError):
    """The lane has `bound` messages or too many bytes; the message was not queued."""

    hint = "wait for room: tell(message, timeout=…) from a thread, await send(…) in an actor"

    def __init__(self, address: str, lane: str, bound: int) -> None:
        super().__init__(f"the {lane} lane of {address} is full at {bound} messages or its bytes")
        self.address = address
        self.lane = lane
        self.bound = bound


class WouldBlock(MailboxFull):
    """The link to the target's node, or the target over there, has no room; nothing was sent."""

    def __init__(self, address: str, bound: int) -> None:
        KernelError.__init__(self, f"{bound} messages are on their way to {address} already")
        self.address = address
        self.lane = "LINK"
        self.bound = bound


class Ambiguous(KernelError):
    """The connection was lost: nobody here knows whether the message was handled."""

    hint = "ask the actor what it knows, or send again what is safe to be handled twice"

    def __init__(self, address: str, message_type: str, why: str) -> None:
        super().__init__(f"whether {address} handled {message_type} is not known: {why}")
        self.address = address
        self.message_type = message_type


class ChainTooLong(KernelError):
    """An ask of an ask of an ask … over more than 32 actors; nothing was sent."""

    hint = "make one of them a tell"

    def __init__(self, address: str, length: int) -> None:
        super().__init__(f"{length} actors wait for each other in this ask of {address}")
        self.address = address


class MessageTooBig(KernelError):
    """One message counts `size` bytes, `limit` is allowed; it was not queued."""

    hint = "store the payload and send its path or key"

    def __init__(self, address: str, size: int, limit: int) -> None:
        super().__init__(f"a message of {size} bytes to {address} is above the limit of {limit}")
        self.address = address
        self.size = size
        self.limit = limit


class WouldDeadlock(KernelError):
    """A blocking wait on an event loop, or of an actor on itself, would never end."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} would block the event loop it waits for",
            hint="inside an actor write: await ref.request(message)",
        )


class AskCycle(KernelError):
    """The ask would wait for an actor that waits for the asker; nothing was sent.

    Attributes:
        path: Addresses from the asker over everybody who waits, back to the asker.
    """

    def __init__(self, path: tuple[str, ...]) -> None:
        super().__init__(
            f"this ask would wait for itself: {' -> '.join(path)}",
            hint="make one of them a tell, or mark a read-only handler @interleave",
        )
        self.path = path


class Interrupted(KernelError):
    """`address` was restarted together with a sibling while it handled the message."""

    def __init__(self, address: str, message_type: str) -> None:
        super().__init__(
            f"{address} was restarted with a sibling while it handled {message_type}",
            hint="it may have done a part of it: ask again only if that is safe",
        )
        self.address = address
        self.message_type = message_type


class ForkedProcess(KernelError):
    """This process was forked from the one that runs the actors of `system`."""

    def __init__(self, system: str) -> None:
        super().__init__(
            f"system {system!r} runs in the process that this one was forked from",
            hint="start workers with multiprocessing's 'spawn', and a system in each of them",
        )
        self.system = system


class NotRedeliverable(KernelError):
    """The dead letter cannot be sent again; it stays where it is."""

    def __init__(self, letter: str, why: str) -> None:
        super().__init__(f"{letter} cannot be delivered again: {why}")


class Unhandled(KernelError):
    """`address` has no handler for `message_type`."""

    def __init__(self, address: str, message_type: str, cause: str = "") -> None:
        super().__init__(
            f"{address} has no handler for {message_type}{cause}",
            hint="add a method with @handles whose parameter is annotated with that type",
        )
        self.address = address
        self.message_type = message_type


class Expired(KernelError):
    """The deadline of the message passed before its handler could run; it was not run."""

    def __init__(self, address: str, message_type: str) -> None:
        super().__init__(f"{message_type} to {address} expired before it was handled")
        self.address = address
        self.message_type = message_type


class StartFailed(KernelError):
    """The actor could not start; it is stopped and its name is free."""

    def __init__(self, address: str, error_type: str, error_text: str) -> None:
        super().__init__(f"{address} could not start: {error_type}: {error_text}")
        self.address = address
        self.error_type = error_type
        self.error_text = error_text


class NameTaken(KernelError):
    """A living actor of this system has the name."""

    def __init__(self, name: str, system: str) -> None:
        super().__init__(f"an actor named {name!r} already lives in system {system!r}")
        self.name = name


class UnknownAddress(KernelError):
    """No actor has this address, or its node cannot be reached from here."""

    def __init__(self, address: str, why: str, *, hint: str = "") -> None:
        super().__init__(f"{address}: {why}", hint=hint)
        self.address = address


class LocalOnly(KernelError):
    """This kind of actor does not offer `what`."""

    def __init__(self, address: str, what: str, *, hint: str) -> None:
        super().__init__(f"{what} is not available on {address}", hint=hint)
        self.address = address


class WrongArgument(KernelError, TypeError, ValueError):
    """An argument cannot be used; nothing was done.

    Attributes:
        argument: Its name.
    """

    def __init__(self, argument: str, problem: str, *, hint: str) -> None:
        super().__init__(f"{argument} {problem}", hint=hint)
        self.argument = argument


class HandlerError(KernelError, TypeError):
    """A class declares its handlers wrongly; raised when the class is made."""


def describe(error: BaseException) -> str:
    """The text of an error, bounded to 500 characters, never failing, always UTF-8.

    Error paths must not `repr` payloads (reference/reliability.md F8).
    """
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - a broken __str__ must not hide the first failure
        text = "<unprintable>"
    text = text.encode("utf-8", "backslashreplace").decode()  # it goes into a ledger
    return text if len(text) <= 500 else text[:497] + "..."
