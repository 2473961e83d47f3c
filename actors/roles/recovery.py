"""What a ledger says about a mob: its roster, and the inputs that are not finished.

A fold over all entries, made once at launch, before any actor lives. Pure but for the reading.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from actors.domain.bodies import Body
from actors.domain.events import (
    InputAccepted,
    InputDone,
    InputFailed,
    LedgerEvent,
    MemberRetired,
    MemberSpawned,
    TurnStarted,
)
from actors.domain.inbox import TurnInput
from actors.domain.roster import Roster
from actors.roles.memory import OpenInput

if TYPE_CHECKING:
    from actors.stores.ports import Ledger

PAGE: Final = 1_000


@dataclass(slots=True)
class Inputs:
    """The inputs of one member: open ones in the order of acceptance, keys of finished ones."""

    open: dict[str, OpenInput] = field(default_factory=dict)
    finished: list[TurnInput] = field(default_factory=list)


@dataclass(slots=True)
class Recovered:
    """A mob as its ledger has it."""

    roster: Roster = field(default_factory=Roster)
    inputs: dict[str, Inputs] = field(default_factory=dict)

    def apply(self, event: LedgerEvent, cursor: int) -> None:
        """Fold one event. Inputs of peers are not in the ledger; their turns are passed over."""
        self.roster.apply(event)
        match event:
            case MemberSpawned() | MemberRetired():
                self.inputs.pop(event.identity, None)  # a namesake does not inherit them
            case InputAccepted() if event.identity in self.roster.members:
                given = TurnInput(
                    event.input_id,
                    None,
                    Body(tag=event.body_tag, data=event.body),
                    event.key,
                    "queue",
                    event.digest,
                )
                mine = self.inputs.setdefault(event.identity, Inputs())
                mine.open[event.input_id] = OpenInput(given, cursor - 1)
            case TurnStarted():
                self._change(event.identity, event.input_id, attempt=event.attempt)
            case InputFailed(quarantined=False):
                self._change(event.identity, event.input_id, failed=True)
            case InputDone() | InputFailed():
                self._finish(event.identity, event.input_id)
            case _:
                return

    def _change(
        self, identity: str, input_id: str, *, attempt: int | None = None, failed: bool = False
    ) -> None:
        mine = self.inputs.get(identity)
        item = mine.open.get(input_id) if mine is not None else None
        if mine is None or item is None:
            return
        given = item.given if attempt is None else replace(item.given, attempt=attempt)
        mine.open[input_id] = OpenInput(given, item.at, item.failures + failed)

    def _finish(self, identity: str, input_id: str) -> None:
        mine = self.inputs.get(identity)
        item = mine.open.pop(input_id, None) if mine is not None else None
        if mine is not None and item is not None and item.given.key is not None:
            mine.finished.append(item.given)


def recover(ledger: Ledger) -> Recovered:
    """Read a ledger from its beginning, page by page.

    Raises:
        StoreDamaged, StoreError: it cannot be read; nothing was started.
    """
    found = Recovered()
    cursor = 0
    while entries := ledger.read(after=cursor, limit=PAGE):
        for entry in entries:
            found.apply(entry.event, entry.cursor)
        cursor = entries[-1].cursor
    return found
