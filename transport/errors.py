"""Everything this package raises.

The class says who has to act, the attributes carry the values, `str()` is one sentence::

    TransportError
    ├── AddressError (ValueError)      correct the address; `nearest` is a valid one
    └── MessageTypeError (TypeError)   correct the message class; retrying never helps
        └── TagInUse                   two classes ask for one wire tag

No error holds a field's value: messages may carry secrets, errors end in logs.
"""

from __future__ import annotations

__all__ = ["AddressError", "MessageTypeError", "TagInUse", "TransportError"]

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


def _shortened(text: str) -> str:
    if len(text) > _SHOWN_CHARACTERS:
        return repr(text[:_SHOWN_CHARACTERS]) + "..."
    return repr(text)
