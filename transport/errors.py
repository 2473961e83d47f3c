"""Everything this package raises.

The class says who has to act, the attributes carry the values, `str()` is one sentence::

    TransportError
    ├── AddressError (ValueError)      correct the address; `nearest` is a valid one
    ├── LocalProtocolError             this side called a state machine out of turn; a bug here
    ├── MessageTypeError (TypeError)   correct the message class; retrying never helps
    │   └── TagInUse                   two classes ask for one wire tag
    ├── RemoteProtocolError            the peer sent what the protocol does not allow
    │   ├── PeerViolation              it broke a rule: the link ends
    │   ├── SequenceGap                envelopes are missing: the connection is made anew
    │   └── UnknownSession             it resumes what this side does not have: it begins anew
    ├── RowTooBig                      make the message smaller; retrying never helps
    └── WouldBlock                     wait for room, then offer again

No error holds a field's value: messages may carry secrets, errors end in logs.
"""

from __future__ import annotations

__all__ = [
    "AddressError",
    "LocalProtocolError",
    "MessageTypeError",
    "PeerViolation",
    "RemoteProtocolError",
    "RowTooBig",
    "SequenceGap",
    "TagInUse",
    "TransportError",
    "UnknownSession",
    "WouldBlock",
]

_SHOWN_CHARACTERS = 80  # of a refused text; the rest would only flood the log line


class TransportError(Exception):
    """Root of the tree; catch it to catch whatever the post office refuses."""


class AddressError(TransportError, ValueError):
    """A text is not a `mob://node/actor` address.

    Attributes:
        text: What was given, whole.
        problem: What is wrong with it, as the end of a sentence.
        nearest: A valid address (or part of one) close to the text.
    """

    def __init__(self, text: str, problem: str, nearest: str) -> None:
        super().__init__(text, problem, nearest)
        self.text = text
        self.problem = problem
        self.nearest = nearest

    def __str__(self) -> str:
        return f"{_shortened(self.text)} {self.problem}; nearest valid: {_shortened(self.nearest)}"


class MessageTypeError(TransportError, TypeError):
    """A message class breaks a rule of `transport.message`.

    Raised when the class is made, or, when an annotation names something that does not exist yet,
    at the first use after it does. The class then never becomes usable and its tag is not taken.

    Attributes:
        message_class: `module.qualname` of the class.
        field: Name of the field, `"reply type"` for the parameter of a `Request`, or None when
            the whole class is at fault.
        refused: The offending type as one would write it, or None.
        problem: What is wrong, as the end of a sentence.
        hint: What to write instead.
    """

    def __init__(
        self, message_class: str, field: str | None, refused: str | None, problem: str, hint: str
    ) -> None:
        super().__init__(message_class, field, refused, problem, hint)
        self.message_class = message_class
        self.field = field
        self.refused = refused
        self.problem = problem
        self.hint = hint

    def __str__(self) -> str:
        place = f"{self.message_class}.{self.field}" if self.field else self.message_class
        subject = f"{self.refused} {self.problem}" if self.refused else self.problem
        return f"{place}: {subject}; {self.hint}"


class TagInUse(MessageTypeError):
    """A wire tag already belongs to another class; both are named.

    Attributes:
        tag: The tag both ask for.
        holder: `module.qualname` of the class that has it and keeps it.
    """

    def __init__(self, message_class: str, tag: str, holder: str) -> None:
        super().__init__(
            message_class,
            None,
            None,
            f"the wire tag {tag!r} already belongs to {holder}",
            "give one of the two another tag",
        )
        # The arguments of this class, so that copies and pickles are made from them.
        self.args = (message_class, tag, holder)
        self.tag = tag
        self.holder = holder


class LocalProtocolError(TransportError):
    """This side asked a state machine for a step that its table does not have; nothing changed.

    Attributes:
        machine: "link" or "session".
        state: Where it stands, in one word or two.
        tried: What was asked of it.
    """

    def __init__(self, machine: str, state: str, tried: str) -> None:
        super().__init__(machine, state, tried)
        self.machine = machine
        self.state = state
        self.tried = tried

    def __str__(self) -> str:
        return f"a {self.machine} that is {self.state} does not take {self.tried}"


class RemoteProtocolError(TransportError):
    """The peer sent what the protocol does not allow."""


class PeerViolation(RemoteProtocolError):
    """The peer broke a rule; nothing of the offending parcel took effect.

    Attributes:
        code: What to say in the `Bye`.
        problem: The rule that was broken, as a sentence without names of payloads.
    """

    def __init__(self, code: str, problem: str) -> None:
        super().__init__(code, problem)
        self.code = code
        self.problem = problem

    def __str__(self) -> str:
        return self.problem


class SequenceGap(RemoteProtocolError):
    """Envelopes are missing between what arrived and what the peer says it sent.

    Attributes:
        expected: Number of the first missing envelope.
        found: Number that shows that it is missing.
    """

    def __init__(self, expected: int, found: int) -> None:
        super().__init__(expected, found)
        self.expected = expected
        self.found = found

    def __str__(self) -> str:
        return f"envelope {self.expected} was expected and {self.found} is spoken of"


class UnknownSession(RemoteProtocolError):
    """The peer wants to resume a session that this side does not have (any more)."""

    def __str__(self) -> str:
        return "this session is not known here (any more); begin a new one"


class RowTooBig(TransportError):
    """A packed envelope does not fit in a frame; it was not taken.

    Attributes:
        size_bytes: Its size.
        limit_bytes: The largest that fits.
    """

    def __init__(self, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(size_bytes, limit_bytes)
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes

    def __str__(self) -> str:
        return (
            f"an envelope of {self.size_bytes} bytes does not fit in a frame; "
            f"the limit is {self.limit_bytes}"
        )


class WouldBlock(TransportError):
    """The peer's credit is used up; the envelope was not taken.

    Attributes:
        size_bytes: Size of the envelope.
        messages_left: How many more envelopes the credit allows now.
        bytes_left: How many more bytes it allows now.
    """

    def __init__(self, size_bytes: int, messages_left: int, bytes_left: int) -> None:
        super().__init__(size_bytes, messages_left, bytes_left)
        self.size_bytes = size_bytes
        self.messages_left = messages_left
        self.bytes_left = bytes_left

    def __str__(self) -> str:
        return (
            f"no credit for an envelope of {self.size_bytes} bytes: {self.messages_left} envelopes "
            f"and {self.bytes_left} bytes are left; wait for room and offer it again"
        )


def _shortened(text: str) -> str:
    if len(text) > _SHOWN_CHARACTERS:
        return repr(text[:_SHOWN_CHARACTERS]) + "..."
    return repr(text)
