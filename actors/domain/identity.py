"""Who a member is: a durable identity, a generation of it, a fence.

`AgentIdentity` is chosen by the caller of spawn and survives every restart. `RuntimeId` names one
incarnation of it, `Incarnation` adds the fence that tells a living incarnation from a past one
(spec/member_runtime.md §1.1). Identities that come out of a ledger are not checked again: what an
earlier version accepted stays readable.
"""

from __future__ import annotations

import re
from typing import Annotated, NewType

from pydantic import Field

from actors.domain.errors import InvalidIdentity, WiringError
from transport.message import Message

AgentIdentity = NewType("AgentIdentity", str)

MAX_IDENTITY_CHARS = 128
RESERVED_PREFIX = "__flow_system_"  # spec/member_runtime.md §1.1, AgentIdentity

_PLAIN_NUMBER = re.compile(r"0|[1-9][0-9]{0,19}")
MAX_COUNTER = 2**64 - 1  # generations and fences are unsigned 64-bit numbers

Generation = Annotated[int, Field(ge=0, le=MAX_COUNTER)]
Fence = Annotated[int, Field(ge=1, le=MAX_COUNTER)]


def check_identity(text: object) -> AgentIdentity:
    """Return the text as an identity.

    Raises:
        InvalidIdentity: Not a text, empty, longer than `MAX_IDENTITY_CHARS`, blanks around it, a
            character that does not print (control, format, lone surrogate), a '/' (it separates the
            parts of comms names), or one of "." and ".." (identities become directory names).
        WiringError: It begins with `RESERVED_PREFIX` (scenario 1-5).
    """
    if not isinstance(text, str):
        raise InvalidIdentity(text, f"it must be a text, not {type(text).__name__}")
    problem = _problem_of(text)
    if problem is not None:
        raise InvalidIdentity(text, problem)
    if text.startswith(RESERVED_PREFIX):
        raise WiringError(f"identity '{text}' begins with the reserved prefix '{RESERVED_PREFIX}'")
    return AgentIdentity(text)


def _problem_of(text: str) -> str | None:
    if not text.strip():
        return "it is empty"
    if text != text.strip():
        return "it has blanks around it"
    if len(text) > MAX_IDENTITY_CHARS:
        return f"it has {len(text)} characters, at most {MAX_IDENTITY_CHARS} are allowed"
    unprintable = next((character for character in text if not character.isprintable()), None)
    if unprintable is not None:
        return f"it contains U+{ord(unprintable):04X}, which does not print"
    if "/" in text:
        return "it contains '/'"
    if text in {".", ".."}:
        return "it would name a directory"
    return None


class RuntimeId(Message, tag="mob.runtime_id"):
    """One incarnation: text form `identity:generation`. Sorts like its text (I1.6)."""

    identity: str
    generation: Generation

    @classmethod
    def parse(cls, text: str) -> RuntimeId:
        """Undo `str()`: split at the last colon, since identities may contain colons (I1.4).

        Raises:
            InvalidIdentity: No colon, nothing before it, or no plain decimal number after it.
        """
        identity, colon, digits = text.rpartition(":")
        if not colon or not identity:
            raise InvalidIdentity(text, "a runtime id is 'identity:generation'")
        # int() would also take signs, blanks, underscores, leading zeros and foreign digits.
        plain = _PLAIN_NUMBER.fullmatch(digits)
        if plain is None or int(digits) > MAX_COUNTER:
            raise InvalidIdentity(text, "what follows the last colon is not a generation")
        return cls(identity=identity, generation=int(digits))

    def __str__(self) -> str:
        return f"{self.identity}:{self.generation}"

    def __lt__(self, other: RuntimeId) -> bool:
        return str(self) < str(other)


class Incarnation(Message, tag="mob.incarnation"):
    """One incarnation with its fence, which rises over the whole life of the mob (I1.2)."""

    identity: str
    generation: Generation
    fence: Fence

    @property
    def runtime_id(self) -> RuntimeId:
        """The incarnation without its fence."""
        return RuntimeId(identity=self.identity, generation=self.generation)

    def __str__(self) -> str:
        return f"{self.runtime_id} fence:{self.fence}"
