"""Everything this package raises.

The class says who has to act, the attributes carry the values, `str()` is one sentence::

    TransportError
    ├── AddressError (ValueError)      correct the address; `nearest` is a valid one
    ├── MessageTypeError (TypeError)   correct the message class; retrying never helps
    │   └── TagInUse                   two classes ask for one wire tag
    ├── LocalProtocolError             this side asked for what the wire cannot carry; nothing left
    │   ├── NotPortable                a class or a value that cannot cross
    │   ├── TooBigForWire              above a limit of the wire
    │   └── IllegalStep                a state machine was called out of turn; a bug here
    ├── RemoteProtocolError            the peer sent what this side refuses; nothing was kept
    │   ├── Undecodable                the bytes are not what docs/wire.md describes
    │   ├── OverLimit                  more of it than a peer may send
    │   ├── UnknownMessage             no class of this process has the tag
    │   ├── VersionMismatch            the class has another version
    │   ├── InvalidMessage             the fields are not those of the class
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
    "IllegalStep",
    "InvalidMessage",
    "LocalProtocolError",
    "MessageTypeError",
    "NotPortable",
    "OverLimit",
    "PeerViolation",
    "RemoteProtocolError",
    "RowTooBig",
    "SequenceGap",
    "TagInUse",
    "TooBigForWire",
    "TransportError",
    "Undecodable",
    "UnknownMessage",
    "UnknownSession",
    "VersionMismatch",
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
    """This side asked for something that the wire does not carry; no byte of it has left.

    Attributes:
        what: What was to be sent: an envelope, a parcel, a class or its field.
        problem: What is wrong, as the end of a sentence.
        hint: What to do instead, or empty.
    """

    def __init__(self, what: str, problem: str, hint: str = "") -> None:
        super().__init__(what, problem, hint)
        self.what = what
        self.problem = problem
        self.hint = hint

    def __str__(self) -> str:
        sentence = f"{self.what} {self.problem}"
        return f"{sentence}; {self.hint}" if self.hint else sentence


class NotPortable(LocalProtocolError):
    """A message class, or a value in a message, cannot leave the process; `hint` says the fix."""


class TooBigForWire(LocalProtocolError):
    """Something has more bytes or parts than a peer would take.

    Attributes:
        size: How much there is.
        limit: How much may be.
        unit: Of both, for instance "bytes".
    """

    def __init__(self, what: str, size: int, limit: int, unit: str, hint: str = "") -> None:
        super().__init__(what, f"has {size:,} {unit}, {limit:,} may be sent", hint)
        # The arguments of this class, so that copies and pickles are made from them.
        self.args = (what, size, limit, unit, hint)
        self.size = size
        self.limit = limit
        self.unit = unit


class RemoteProtocolError(TransportError):
    """The peer sent something that this side refuses; nothing of it was kept.

    Whatever bytes arrive, the codec raises subclasses of this error and nothing else. The texts
    tell what was refused and where, never what was in it.

    Attributes:
        what: What was received: a frame, an envelope, a message and its field.
        problem: What is wrong, as the end of a sentence.
    """

    def __init__(self, what: str, problem: str) -> None:
        super().__init__(what, problem)
        self.what = what
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.what} {self.problem}"


class Undecodable(RemoteProtocolError):
    """Bytes that are not in the form that docs/wire.md gives them."""


class OverLimit(RemoteProtocolError):
    """More bytes, values or depth than a peer may send; seen before it costs memory.

    Attributes:
        size: How much there is, or how far it was counted.
        limit: How much may be.
        unit: Of both, for instance "bytes".
    """

    def __init__(self, what: str, size: int, limit: int, unit: str) -> None:
        super().__init__(what, f"has {size:,} {unit}, {limit:,} are taken")
        self.args = (what, size, limit, unit)
        self.size = size
        self.limit = limit
        self.unit = unit


class UnknownMessage(RemoteProtocolError):
    """No message class of this process has the tag, or none that may come from outside.

    Attributes:
        tag: What the peer wrote, whole.
    """

    def __init__(self, tag: str) -> None:
        super().__init__(f"the tag {_shortened(tag)}", "names no message class of this process")
        self.args = (tag,)
        self.tag = tag


class VersionMismatch(RemoteProtocolError):
    """The peer has another version of a message class.

    Attributes:
        tag: The tag both have.
        theirs: Version in the envelope.
        ours: Version of the class in this process.
    """

    def __init__(self, tag: str, theirs: int, ours: int) -> None:
        super().__init__(
            _shortened(tag), f"has version {theirs} there and {ours} here; update the older side"
        )
        self.args = (tag, theirs, ours)
        self.tag = tag
        self.theirs = theirs
        self.ours = ours


class InvalidMessage(RemoteProtocolError):
    """Well-formed bytes that are not the fields of the message, or not an answer of the request.

    Attributes:
        tag: Wire tag of the message class, or of the innermost one in it that refused.
        field: The field at fault, or None when it is the whole.
    """

    def __init__(self, tag: str, field: str | None, problem: str) -> None:
        super().__init__(f"{tag}.{field}" if field else tag, problem)
        self.args = (tag, field, problem)
        self.tag = tag
        self.field = field


class IllegalStep(LocalProtocolError):
    """This side asked a state machine for a step that its table does not have; nothing changed.

    Attributes:
        machine: "link" or "session".
        state: Where it stands, in one word or two.
        tried: What was asked of it.
    """

    def __init__(self, machine: str, state: str, tried: str) -> None:
        super().__init__(machine, f"is {state} and does not take {tried}")
        self.args = (machine, state, tried)
        self.machine = machine
        self.state = state
        self.tried = tried

    def __str__(self) -> str:
        return f"a {self.machine} that is {self.state} does not take {self.tried}"


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
        super().__init__("an envelope", f"{expected} was expected, {found} is spoken of")
        self.args = (expected, found)
        self.expected = expected
        self.found = found

    def __str__(self) -> str:
        return f"envelope {self.expected} was expected and {self.found} is spoken of"


class UnknownSession(RemoteProtocolError):
    """The peer wants to resume a session that this side does not have (any more)."""

    def __init__(self) -> None:
        super().__init__("a session", "is not known here")
        self.args = ()

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
