"""Where an actor lives: `mob://node/actor`.

A *node* is one process on the network: 1-63 ASCII letters, digits, `.`, `_`, `-`, the first a
letter or digit. An *actor* is a path of one or more segments joined by `/`, the children of an
actor below its own name. A segment is 1-128 characters of any script, without control characters
and without blanks at its ends, and not `.` or `..`: every other `AgentIdentity` is a valid segment.
An address has at most 1,024 characters. Nothing is escaped, case matters, equal text means equal
address.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from transport.errors import AddressError

__all__ = ["Address"]

SCHEME: Final = "mob://"
NODE_CHARACTERS: Final = 63
SEGMENT_CHARACTERS: Final = 128
ADDRESS_CHARACTERS: Final = 1024

_NODE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
# Nearly every actor name; the others take the slower way through `_segment_problem`.
_PLAIN_PATH: Final = re.compile(
    r"[A-Za-z0-9_:@+-][A-Za-z0-9_:@+.-]{0,127}(?:/[A-Za-z0-9_:@+-][A-Za-z0-9_:@+.-]{0,127})*"
)
# Control characters, halves of surrogate pairs (they have no UTF-8), line and paragraph ends.
_REFUSED_CATEGORIES: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """The address of one actor; frozen, hashable, ordered by node, then actor.

    Args:
        node: Name of the process.
        actor: Path of the actor on that node, segments joined by `/`.

    Raises:
        AddressError: A part breaks the rules of this module; the error names a valid neighbour.
    """

    node: str
    actor: str

    def __post_init__(self) -> None:
        problem = _problem(self.node, self.actor)
        if problem is not None:
            raise AddressError(str(self), problem, _nearest(self.node, self.actor))

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read `mob://node/actor`; the inverse of `str()`.

        Raises:
            AddressError: The text is not an address.
        """
        if not text.startswith(SCHEME):
            stray = re.sub(r"^\s*(?:\w+:/*|mob//|/+)", "", text)
            raise AddressError(
                text, f"does not start with {SCHEME!r}", _nearest(*stray.partition("/")[::2])
            )
        node, _, actor = text[len(SCHEME) :].partition("/")
        return cls(node, actor)

    def __str__(self) -> str:
        return f"{SCHEME}{self.node}/{self.actor}"

    @property
    def segments(self) -> tuple[str, ...]:
        """The actor's path from the outermost parent to the actor itself; never empty."""
        return tuple(self.actor.split("/"))

    @property
    def name(self) -> str:
        """The last segment: the actor's name among its siblings."""
        return self.actor.rpartition("/")[2]

    @property
    def parent(self) -> Address | None:
        """The address one segment up, or None for an actor without a parent."""
        path, slash, _ = self.actor.rpartition("/")
        return Address(self.node, path) if slash else None

    def child(self, name: str) -> Address:
        """The address of a child of this actor.

        Raises:
            AddressError: The name breaks the rules of a segment, or the path becomes too long.
        """
        return Address(self.node, f"{self.actor}/{name}")


def _problem(node: str, actor: str) -> str | None:
    if _NODE.fullmatch(node) is None:
        return _node_problem(node)
    if _PLAIN_PATH.fullmatch(actor) is None:
        if not actor:
            return f"names no actor behind the node {node!r}"
        for segment in actor.split("/"):
            problem = _segment_problem(segment)
            if problem is not None:
                return problem
    if len(SCHEME) + len(node) + 1 + len(actor) > ADDRESS_CHARACTERS:
        return f"is longer than {ADDRESS_CHARACTERS} characters"
    return None


def _node_problem(node: str) -> str:
    if not node:
        return "names no node"
    if len(node) > NODE_CHARACTERS:
        return f"has a node name longer than {NODE_CHARACTERS} characters"
    return (
        "has a node name with other characters than ASCII letters, digits, '.', '_' and '-', "
        "or one that does not start with a letter or digit"
    )


def _segment_problem(segment: str) -> str | None:
    if not segment:
        return "has an empty segment in the actor's path"
    if segment in {".", ".."}:
        return f"has the segment {segment!r}; paths are not walked"
    if segment != segment.strip():
        return "has a segment with blanks at its ends"
    if len(segment) > SEGMENT_CHARACTERS:
        return f"has a segment longer than {SEGMENT_CHARACTERS} characters"
    if any(unicodedata.category(character) in _REFUSED_CATEGORIES for character in segment):
        return "has a control character or an unpaired surrogate in the actor's path"
    return None


def _nearest(node: str, actor: str) -> str:
    """A valid address made from the valid characters of an invalid one."""
    node = re.sub(r"[^A-Za-z0-9._-]+", "-", node.strip()).lstrip("._-")[:NODE_CHARACTERS] or "node"
    room = ADDRESS_CHARACTERS - len(SCHEME) - len(node) - 1
    path = ""
    for segment in actor.split("/"):
        kept = "".join(
            character
            for character in segment
            if unicodedata.category(character) not in _REFUSED_CATEGORIES
        )
        kept = kept.strip()[:SEGMENT_CHARACTERS].strip()
        longer = f"{path}/{kept}" if path else kept
        if kept and kept not in {".", ".."} and len(longer) <= room:
            path = longer
    return f"{SCHEME}{node}/{path or 'actor'}"
