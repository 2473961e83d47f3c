"""What is on its way: whose envelope it was, and what becomes of its sender.

The session keeps one of these per unacknowledged envelope and gives it back when it dies; the line
keeps those that are answered until the answer comes. Each ends exactly once.
"""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from actors.kernel.errors import Ambiguous, UnknownAddress
from actors.kernel.messages import Down
from transport.codec import decode_message, decode_reply
from transport.envelope import Envelope
from transport.errors import Undecodable
from transport.message import Request

if TYPE_CHECKING:
    from actors.kernel.bonds import Bonds
    from actors.kernel.ports import Answerable
    from actors.post.line import Line
    from actors.post.outward import RemoteBox


Told: TypeAlias = tuple[str, object]
"""A message that nobody waits for, and whom it was told. There is one per message: a tuple costs a
tenth of an object."""


class Stopped(Request[bool], tag="post.stopped"):
    """What a STOP is answered with: whether it ended the actor."""


def lose(token: Token, line: Line, why: str) -> None:
    """The session of a token died: nobody knows whether its envelope arrived.

    A message that was told becomes a letter to look at.
    """
    if isinstance(token, tuple):
        address, message = token
        line.branch.office.realm.refused(address, "transport_lost", message)
    elif token is not None:
        token.lost(line, why)


def keep_back(token: Token, line: Line, why: str) -> None:
    """The session of a token died before its envelope left: it surely did not arrive."""
    if isinstance(token, Asked) and not isinstance(token, Confirmation):
        if line.asked.pop(token.id, None) is not None:
            hint = "the link is made anew: try again"
            token.failed(UnknownAddress(token.address, f"{why}; it was not sent", hint=hint))
    else:
        lose(token, line, why)


class Asked(abc.ABC):
    """Something that is answered, by its number.

    Attributes:
        offered: The session took it; before, it waits here and may still be sent to the next one.
    """

    __slots__ = ("address", "id", "offered", "what")

    def __init__(self, number: int, address: str, what: str) -> None:
        self.id = number
        self.address = address
        self.what = what
        self.offered = False

    @abc.abstractmethod
    def replied(self, payload: bytes) -> None:
        """A REPLY came. Raises RemoteProtocolError when it is none."""

    def answered(self, envelope: Envelope) -> None:
        """A REPLY or a DOWN came. Raises as `replied`."""
        self.replied(envelope.payload)

    @abc.abstractmethod
    def failed(self, error: BaseException) -> None:
        """An ERROR came, or no answer will."""

    def lost(self, line: Line, why: str) -> None:
        """The session died; only the first end counts."""
        if line.asked.pop(self.id, None) is not None:
            self.failed(Ambiguous(self.address, self.what, why))


class Question(Asked):
    """An ask, or a stop: somebody waits for a value."""

    __slots__ = ("answer", "request")

    def __init__(
        self,
        number: int,
        address: str,
        what: str,
        answer: Answerable,
        request: type[Request[Any]] | None,  # Any: whatever it is answered with
    ) -> None:
        self.id, self.address, self.what = number, address, what  # a call less than `super`
        self.offered = False
        self.answer = answer
        self.request = request

    def replied(self, payload: bytes) -> None:
        """Give the asker its value."""
        if self.request is None and payload:
            problem = "has a value, and the class of the question here is no Request"
            raise Undecodable(f"the answer to {self.what}", problem)
        value = None if self.request is None else decode_reply(self.request, payload)
        self.answer.resolve(value, None)

    def failed(self, error: BaseException) -> None:
        """Tell the asker why."""
        self.answer.resolve(None, error)

    @property
    def given_up(self) -> bool:
        """Whether its asker waits no longer."""
        asker = cast("Any", self.answer)  # Any: a Reply or a ThreadReply
        return bool(asker.done) or asker.target is None


class Confirmation(Asked):
    """A message that is told, too; says that all told to a box so far is in its actor's mailbox."""

    __slots__ = ("box", "large", "line", "told", "upto")

    def __init__(
        self, number: int, box: RemoteBox, upto: int, told: Told, line: Line, large: int
    ) -> None:
        super().__init__(number, box.address, "a message")
        self.box = box
        self.upto = upto
        self.told = told
        self.line = line
        self.large = large  # bytes that the line counts

    def replied(self, payload: bytes) -> None:
        """So much is in the mailbox."""
        self.confirm()

    def failed(self, error: BaseException) -> None:
        """The next ones may be tried."""
        self.confirm()

    def confirm(self) -> None:
        """Give back what the message took of both windows."""
        self.box.confirm(self.upto)
        if self.large:
            self.line.release(self.large)

    def lost(self, line: Line, why: str) -> None:
        """The message may be lost, and nobody will say so."""
        lose(self.told, line, why)
        super().lost(line, why)


class Watch(Asked):
    """Somebody here watches an actor over there; it ends with exactly one `Down`."""

    __slots__ = ("watcher",)

    def __init__(self, number: int, address: str, watcher: Bonds) -> None:
        super().__init__(number, address, "a watch")
        self.watcher = watcher

    def replied(self, payload: bytes) -> None:
        """Nobody was asked anything."""
        self.failed(Undecodable("the end of a watch", "is no Down"))

    def answered(self, envelope: Envelope) -> None:
        """Put the one `Down`."""
        down = decode_message(envelope.tag, envelope.version, envelope.payload)
        if isinstance(down, Down):
            self.watcher.put_down(self.address, down.reason, down.error)
        else:
            self.failed(Undecodable("the end of a watch", "is no Down"))

    def failed(self, error: BaseException) -> None:
        """Nobody knows: `unreachable`."""
        self.watcher.put_down(self.address, "unreachable", str(error))


Token: TypeAlias = Told | Asked | None
