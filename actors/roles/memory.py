"""What a member keeps over its incarnations: its inbox, its results, who waits for them.

One object per member, made by the supervisor and handed to every incarnation. It belongs to the
member loop; while the member is down nobody touches it but `give_up`, and what waits in it is
there again for the next incarnation.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from actors.domain.errors import TurnFailed
from actors.domain.identity import Incarnation
from actors.domain.inbox import Inbox, Mode, Phase, TurnInput
from actors.domain.reports import Receipt, TurnResult

if TYPE_CHECKING:
    from actors.domain.definition import Profile
    from actors.kernel.future import Reply

RESULTS: Final = 256  # finished inputs whose result can still be asked for from memory


@dataclass(frozen=True, slots=True)
class OpenInput:
    """An accepted input of the ledger that is not finished; `at` is the cursor of its accept."""

    given: TurnInput
    at: int
    failures: int = 0


class Memory:
    """The lasting part of a member.

    Attributes:
        incarnation: Who the member is now; a new one after each failure.
        joined: Whether an incarnation has started already.
        inbox: What it has accepted.
        turns: Turns finished since the launch.
        accepted_at: Cursor after which the events of an open input are.
        accepted: Tells the living incarnation that an input was accepted in this mode.
        unwritten: Inputs on their way to the ledger, with the receipts that wait for that.
        writing: Tasks that end something in the ledger; they outlive the incarnation that began
            them, and the next one begins when they are over.
    """

    def __init__(self, profile: Profile, incarnation: Incarnation) -> None:
        self.incarnation = incarnation
        self.joined = False
        limits = profile.limits
        self.inbox = Inbox(limits.inbox, limits.attempts, identity=incarnation.identity)
        self.turns = 0
        self.accepted_at: dict[str, int] = {}
        self.accepted: Callable[[Mode], object] = lambda _: None
        self.unwritten: dict[str, list[tuple[Receipt, Reply[Receipt]]]] = {}
        self.writing: set[asyncio.Task[None]] = set()
        self._results: OrderedDict[str, TurnResult | Exception] = OrderedDict()
        self._waiting: dict[str, list[Reply[TurnResult]]] = {}

    def restore(self, inputs: Iterable[OpenInput], finished: Iterable[TurnInput]) -> None:
        """Bring back what the ledger knows; called before the first incarnation starts."""
        for given in finished:
            self.inbox.remember(given)
        for item in inputs:
            self.inbox.restore(item.given, failures=item.failures)
            self.accepted_at[item.given.input_id] = item.at

    async def written(self) -> None:
        """Wait until nothing is on its way to the ledger."""
        while self.writing:
            await asyncio.wait(self.writing)

    def wait_for(self, input_id: str, promise: Reply[TurnResult]) -> bool:
        """Answer `promise` when the input ends; False if nothing is known of such an input."""
        known = self._results.get(input_id)
        if known is not None:
            _answer(promise, known)
            return True
        phase = self.inbox.phase(input_id)
        if phase is Phase.QUARANTINED:
            failures = self.inbox.failures(input_id)
            why = "it was given up before; the ledger says why"
            identity = self.incarnation.identity
            promise.fail(TurnFailed(identity, input_id, "Quarantined", why, failures))
            return True
        if phase is None:
            return False
        self._waiting.setdefault(input_id, []).append(promise)
        return True

    def finish(self, input_id: str, result: TurnResult | Exception) -> None:
        """An input ended: answer who waits, keep the result for who asks later."""
        self.accepted_at.pop(input_id, None)
        self._results[input_id] = result
        while len(self._results) > RESULTS:
            self._results.popitem(last=False)
        for promise in self._waiting.pop(input_id, ()):
            _answer(promise, result)

    def give_up(self, error: Exception) -> tuple[TurnInput, ...]:
        """The member is down for good: nobody waits for it any more.

        Returns:
            Its open inputs, which nobody will work on.
        """
        waiting, self._waiting = self._waiting, {}
        for promises in waiting.values():
            for promise in promises:
                _answer(promise, error)
        self.inbox.interrupted()
        return self.inbox.pending


def _answer(promise: Reply[TurnResult], result: TurnResult | Exception) -> None:
    if isinstance(result, Exception):
        promise.fail(result)
    else:
        promise.set(result)
