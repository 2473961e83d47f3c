"""The structural events of a mob, as its ledger keeps them.

The list is closed: `LedgerEvent` is the union of all event classes, told apart by their `tag`,
which is also their wire tag. A stored event is never rewritten, so a field may be added with a
default and nothing may be removed or renamed.

Free-form JSON (`output`, `data`) is carried as text: a ledger does not interpret it.

Source: spec/member_runtime.md §5.2; docs/design.md §6 for inputs and turns in the same log.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, get_args

from pydantic import Field

from actors.domain.errors import UnknownEvent
from actors.domain.identity import Fence, Generation
from actors.domain.tables import WIDTH, cell, shorten
from actors.domain.wiring import Edge
from transport.message import FrozenMap, Message

VALUE_WIDTH: Final = 36  # of one value in the line of an entry; an input id fits

Attempt = Annotated[int, Field(ge=1)]


class MobCreated(Message, tag="mob_created"):
    """The mob was launched, for the first time or again; its members stay."""

    tag: Literal["mob_created"] = "mob_created"
    mob: str
    definition_digest: str


class MobStopped(Message, tag="mob_stopped"):
    """The mob was shut down; `drained` says whether all accepted work was done."""

    tag: Literal["mob_stopped"] = "mob_stopped"
    drained: bool


class MemberSpawned(Message, tag="member_spawned"):
    """A member joined. `declared` is false when a user spawned it by hand."""

    tag: Literal["member_spawned"] = "member_spawned"
    identity: str
    profile: str
    generation: Generation
    fence: Fence
    labels: FrozenMap[str, str] = FrozenMap()
    declared: bool = True


class MemberRestarted(Message, tag="member_restarted"):
    """A new incarnation of the member lives; it is active again if it was held."""

    tag: Literal["member_restarted"] = "member_restarted"
    identity: str
    generation: Generation
    fence: Fence
    reason: str


class MemberHeld(Message, tag="member_held"):
    """The member stays down until a person acts."""

    tag: Literal["member_held"] = "member_held"
    identity: str
    reason: str


class MemberRetired(Message, tag="member_retired"):
    """The member left, and its edges with it."""

    tag: Literal["member_retired"] = "member_retired"
    identity: str
    reason: str


class MembersWired(Message, tag="members_wired"):
    """Edges were made; `managed` when the reconcile cycle made them and may remove them."""

    tag: Literal["members_wired"] = "members_wired"
    edges: tuple[Edge, ...]
    managed: bool


class MembersUnwired(Message, tag="members_unwired"):
    """Edges were removed."""

    tag: Literal["members_unwired"] = "members_unwired"
    edges: tuple[Edge, ...]


class InputAccepted(Message, tag="input_accepted"):
    """A member will work on this input; `digest` is of its content, for the same `key` again.

    `body` is text, or the JSON of a message with the tag `body_tag`.
    """

    tag: Literal["input_accepted"] = "input_accepted"
    identity: str
    input_id: str
    key: str | None = None
    digest: str
    body: str
    body_tag: str | None = None


class TurnStarted(Message, tag="turn_started"):
    """Attempt number `attempt` (from 1) of an input began, by the incarnation with this fence."""

    tag: Literal["turn_started"] = "turn_started"
    identity: str
    input_id: str
    attempt: Attempt
    fence: Fence


class Emitted(Message, tag="emitted"):
    """The running turn said something; `data` is JSON text."""

    tag: Literal["emitted"] = "emitted"
    identity: str
    input_id: str
    kind: str
    data: str


class InputDone(Message, tag="input_done"):
    """The input is finished; `output` is JSON text, "null" for nothing."""

    tag: Literal["input_done"] = "input_done"
    identity: str
    input_id: str
    output: str


class InputFailed(Message, tag="input_failed"):
    """An attempt raised; when `quarantined` it was the last one."""

    tag: Literal["input_failed"] = "input_failed"
    identity: str
    input_id: str
    error_type: str
    error_text: str
    quarantined: bool


LedgerEvent = (
    MobCreated
    | MobStopped
    | MemberSpawned
    | MemberRestarted
    | MemberHeld
    | MemberRetired
    | MembersWired
    | MembersUnwired
    | InputAccepted
    | TurnStarted
    | Emitted
    | InputDone
    | InputFailed
)

EVENT_TYPES: Final[FrozenMap[str, type[LedgerEvent]]] = FrozenMap(
    {event.wire_tag: event for event in get_args(LedgerEvent)}
)
"""Event class by tag, in the order above."""


class Entry(Message, tag="mob.ledger_entry"):
    """One line of a ledger: `cursor` counts from 1 without gaps, `at_ms` is the wall clock."""

    cursor: Annotated[int, Field(ge=1)]
    at_ms: int
    event: Annotated[LedgerEvent, Field(discriminator="tag")]

    def __str__(self) -> str:
        """One line: cursor, tag, member if it has one, then what else fits."""
        fields = ((name, getattr(self.event, name)) for name in type(self.event).model_fields)
        shown = [
            cell(value) if name == "identity" else f"{name}={_short(value)}"
            for name, value in fields
            if name != "tag"
        ]
        return shorten(" ".join((f"{self.cursor:>5}", f"{self.event.tag:<16}", *shown)), WIDTH)

    def __repr__(self) -> str:
        return f"<{str(self).strip()}>"


def _short(value: object) -> str:
    """A value of an event in one line."""
    return f"({len(value)})" if isinstance(value, tuple) else shorten(cell(value), VALUE_WIDTH)


def encode_event(event: LedgerEvent) -> bytes:
    """Return the event as compact UTF-8 JSON, its keys in field order, maps in insertion order.

    The bytes of one event object are always the same; two equal events may differ in the order of
    their maps.
    """
    return event.model_dump_json().encode()


def decode_event(tag: str, raw: bytes) -> LedgerEvent:
    """Undo `encode_event`.

    Raises:
        UnknownEvent: No event has this tag.
        ValueError: The bytes are not an event of this tag (pydantic's ValidationError).
    """
    event_type = EVENT_TYPES.get(tag)
    if event_type is None:
        raise UnknownEvent(tag, tuple(EVENT_TYPES))
    return event_type.model_validate_json(raw)
