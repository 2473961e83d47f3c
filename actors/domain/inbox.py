"""A member's inbox: what it has accepted, what it works on, what it gave up on.

An input moves along this table; whatever is not in it raises `InputPhaseError` and changes nothing:

    queued ──start──▶ running ──done──▶ finished
       │ ▲              │ │ └──cancelled──▶ finished
       │ └──fail, interrupted┘ └──fail (as often as allowed)──▶ quarantined
       └──take_steered──▶ taken ──settle_taken, or its turn ends: done, cancelled──▶ finished
             ▲──────────────┘ fail, interrupted

There are two lanes. *queue*: first in, first out. *steer*: inputs that came with that mode while a
turn ran; the turn may take them at its next boundary. What it took is finished when it comes to the
boundary after that (so a long turn can take any number) or ends. Those it did not take go first in
the next turn. One turn runs at a time.

An interruption (the member died, the host died) is not the input's fault: it goes back to the head
of its lane and only failures count towards quarantine. A taken input is not blamed for the failure
of the turn it was given to.

Idempotency keys are remembered for the life of the inbox; to bring an inbox back, restore the
ledger's accepted inputs in order, the finished ones with `remember`.

Source: spec/member_runtime.md §3.4 to §3.8, changed by design §6: keys are never forgotten, and a
steered input that comes while no turn runs is queued like any other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import takewhile
from typing import Final, Literal

from actors.domain.errors import InboxFull, KeyConflict, MobError
from actors.domain.reports import Receipt
from transport.message import Message

LIMIT: Final = 1000  # open inputs; ProfileLimits.inbox
ATTEMPTS: Final = 5  # failures; ProfileLimits.attempts
RETRY_AFTER_S: Final = 0.1  # a short turn; the sender backs off by itself if it was too short

Mode = Literal["queue", "steer"]


@dataclass(frozen=True, slots=True)
class TurnInput:
    """One thing a member is asked to do.

    A dataclass and not a Message because `body` may be any message.

    Attributes:
        input_id: Unique; the caller's choice.
        sender: The member that sent it; None for the outside.
        body: Text or a message.
        key: Idempotency key: accepted once, however often it is sent.
        mode: `queue` waits for a turn of its own, `steer` is offered to the running turn.
        digest: Of the body; equal bodies have equal digests. Only compared.
        attempt: How often a turn was started with it, the present one included.
    """

    input_id: str
    sender: str | None
    body: str | Message
    key: str | None = None
    mode: Mode = "queue"
    digest: str = ""
    attempt: int = 0


class Phase(StrEnum):
    """Where an input is; finished ones are not kept."""

    QUEUED = "queued"
    RUNNING = "running"
    TAKEN = "taken"
    QUARANTINED = "quarantined"


class InputPhaseError(MobError):
    """`action` is not for input `input_id` in its `phase`; None means not in the inbox."""

    def __init__(self, input_id: str, phase: Phase | None, action: str) -> None:
        super().__init__(input_id, phase, action)
        self.input_id = input_id
        self.phase = phase
        self.action = action

    def __str__(self) -> str:
        found = self.phase.value if self.phase else "not in the inbox"
        return f"cannot {self.action} input {self.input_id}: it is {found}"


@dataclass(slots=True)
class _Entry:
    given: TurnInput
    lane: Mode
    phase: Phase = Phase.QUEUED
    failures: int = 0


@dataclass(frozen=True, slots=True)
class _Key:
    input_id: str
    digest: str


@dataclass(slots=True)
class _Lanes:
    """Ids in the order they will be worked on."""

    steer: deque[str] = field(default_factory=deque)
    queue: deque[str] = field(default_factory=deque)

    def of(self, mode: Mode) -> deque[str]:
        return self.steer if mode == "steer" else self.queue


class Inbox:
    """What one member has accepted and not finished, in order.

    Args:
        limit: Open inputs (queued, running or taken) it accepts; quarantined ones do not count.
        attempts: Failures after which an input is quarantined, 1 or more.
        identity: The member's name, for errors.
        retry_after_s: What a refused sender is told to wait.
    """

    def __init__(
        self,
        limit: int = LIMIT,
        attempts: int = ATTEMPTS,
        *,
        identity: str = "",
        retry_after_s: float = RETRY_AFTER_S,
    ) -> None:
        self._limit = limit
        self._attempts = attempts
        self._identity = identity
        self._retry_after_s = retry_after_s
        self._entries: dict[str, _Entry] = {}  # all but finished ones
        self._lanes = _Lanes()
        self._running: str | None = None
        self._taken: list[str] = []
        self._quarantined: list[str] = []
        self._keys: dict[str, _Key] = {}

    # Views

    def __len__(self) -> int:
        """Open inputs: queued, running or taken."""
        return len(self._entries) - len(self._quarantined)

    @property
    def pending(self) -> tuple[TurnInput, ...]:
        """Queued inputs in the order in which turns will start with them."""
        return self._inputs((*self._lanes.steer, *self._lanes.queue))

    @property
    def queued(self) -> int:
        """How many inputs are queued; cheaper than `len(pending)`."""
        return len(self._lanes.steer) + len(self._lanes.queue)

    @property
    def running(self) -> TurnInput | None:
        """The input of the running turn."""
        return None if self._running is None else self._entries[self._running].given

    @property
    def taken(self) -> tuple[TurnInput, ...]:
        """Steered inputs that the running turn has taken, in the order of acceptance."""
        return self._inputs(self._taken)

    @property
    def quarantined(self) -> tuple[TurnInput, ...]:
        """Inputs given up on, oldest first."""
        return self._inputs(self._quarantined)

    def phase(self, input_id: str) -> Phase | None:
        """Where an input is; None if it was never accepted or is finished."""
        entry = self._entries.get(input_id)
        return entry.phase if entry else None

    def failures(self, input_id: str) -> int:
        """How often turns with this input have failed; 0 if it is not in the inbox."""
        entry = self._entries.get(input_id)
        return entry.failures if entry else 0

    # In

    def accept(self, given: TurnInput) -> Receipt:
        """Take an input in, at most once for each key and each id.

        Returns:
            A receipt `accepted`, or `duplicate` naming the first input, whatever became of it.

        Raises:
            KeyConflict: The key (or the id) came before with another digest.
            InboxFull: There is no room; a duplicate needs none.
        """
        known = self._known(given)
        if known is not None:
            return Receipt(input_id=given.input_id, canonical_input_id=known, outcome="duplicate")
        if len(self) >= self._limit:
            raise InboxFull(self._identity, self._limit, self._retry_after_s)
        self.restore(given)
        return Receipt(
            input_id=given.input_id, canonical_input_id=given.input_id, outcome="accepted"
        )

    def restore(self, given: TurnInput, *, failures: int = 0) -> Phase:
        """Put an accepted, unfinished input back, in the order of acceptance and beyond the limit.

        Args:
            given: The input; `attempt` says how often it was started before.
            failures: How many of these attempts failed; as many as allowed means quarantine.

        Returns:
            `QUEUED` or `QUARANTINED`.

        Raises:
            KeyConflict: The id or the key is there already.
        """
        if given.input_id in self._entries:
            raise KeyConflict(given.input_id)
        self.remember(given)
        lane: Mode = "steer" if given.mode == "steer" and self._running is not None else "queue"
        entry = _Entry(given, lane, failures=failures)
        self._entries[given.input_id] = entry
        if failures >= self._attempts:
            self._quarantine(entry)
        else:
            self._lanes.of(lane).append(given.input_id)
        return entry.phase

    def remember(self, given: TurnInput) -> None:
        """Keep the key of an input that is finished (or about to be restored).

        Raises:
            KeyConflict: The key belongs to another input.
        """
        if given.key is None:
            return
        key = _Key(given.input_id, given.digest)
        if self._keys.setdefault(given.key, key) != key:
            raise KeyConflict(given.key)

    def _known(self, given: TurnInput) -> str | None:
        """The id under which this input was accepted before."""
        if given.key is not None and given.key in self._keys:
            first = self._keys[given.key]
            if first.digest != given.digest:
                raise KeyConflict(given.key)
            return first.input_id
        # The same id again is the same delivery again: it must not be queued twice.
        entry = self._entries.get(given.input_id)
        if entry is None:
            return None
        if entry.given.digest != given.digest or entry.given.key != given.key:
            raise KeyConflict(given.input_id)
        return given.input_id

    # Turns

    def next_ready(self, mode: Mode | None = None) -> TurnInput | None:
        """The input the next turn shall start with; None while a turn runs or nothing waits.

        Args:
            mode: One lane only; None for the steer lane first, then the queue.
        """
        if self._running is not None:
            return None
        modes: tuple[Mode, ...] = ("steer", "queue") if mode is None else (mode,)
        for each in modes:
            lane = self._lanes.of(each)
            if lane:
                return self._entries[lane[0]].given
        return None

    def start(self, input_id: str) -> int:
        """Begin a turn with a queued input.

        Returns:
            The number of this attempt, 1 for the first.

        Raises:
            InputPhaseError: The input is not queued, or a turn runs already.
        """
        entry = self._in(Phase.QUEUED, input_id, "start")
        if self._running is not None:
            raise InputPhaseError(self._running, Phase.RUNNING, f"start {input_id} beside")
        self._lanes.of(entry.lane).remove(input_id)  # O(1) at the head, where it nearly always is
        entry.given = replace(entry.given, attempt=entry.given.attempt + 1)
        entry.phase = Phase.RUNNING
        self._running = input_id
        return entry.given.attempt

    def take_steered(self, *, until: Container[str] = ()) -> tuple[TurnInput, ...]:
        """Give the running turn the inputs of the steer lane; none when no turn runs.

        Args:
            until: Ids that are not to be given yet; what came behind one of them waits with it.
        """
        if self._running is None:
            return ()
        ids = tuple(takewhile(lambda input_id: input_id not in until, self._lanes.steer))
        for input_id in ids:
            self._lanes.steer.popleft()
            self._entries[input_id].phase = Phase.TAKEN
        self._taken.extend(ids)
        return self._inputs(ids)

    def settle_taken(self) -> tuple[str, ...]:
        """Finish what the running turn has taken so far: it has come to its next boundary.

        Returns:
            The finished ids, in the order of acceptance.
        """
        ids = tuple(self._taken)
        for input_id in ids:
            del self._entries[input_id]
        self._taken.clear()
        return ids

    def done(self, input_id: str) -> tuple[str, ...]:
        """End the running turn well.

        Returns:
            The finished ids: the running input, then those it had taken.

        Raises:
            InputPhaseError: The input is not running.
        """
        self._in(Phase.RUNNING, input_id, "finish")
        return self._finish_turn(input_id)

    def fail(self, input_id: str) -> Literal["retry", "quarantined"]:
        """End the running turn badly.

        Returns:
            `retry`: the input is at the head of its lane again. `quarantined`: it has failed as
            often as it may. What it had taken is back in the steer lane either way.

        Raises:
            InputPhaseError: The input is not running.
        """
        entry = self._in(Phase.RUNNING, input_id, "fail")
        self._give_back()
        self._running = None
        entry.failures += 1
        if entry.failures >= self._attempts:
            self._quarantine(entry)
            return "quarantined"
        self._to_head(entry)
        return "retry"

    def interrupted(self) -> tuple[str, ...]:
        """End the running turn, if one runs, through no fault of its input.

        Returns:
            The ids that are at the head of their lanes again: the running input, then those it
            had taken. Empty if no turn ran.
        """
        if self._running is None:
            return ()
        ids = (self._running, *self._taken)
        self._give_back()
        self._to_head(self._entries[self._running])
        self._running = None
        return ids

    def cancelled(self, input_id: str) -> tuple[str, ...]:
        """Forget a queued input, or end the running turn together with what it had taken.

        Returns:
            The finished ids, `input_id` first.

        Raises:
            InputPhaseError: The input is taken, quarantined or not in the inbox.
        """
        if input_id == self._running:
            return self._finish_turn(input_id)
        entry = self._in(Phase.QUEUED, input_id, "cancel")
        self._lanes.of(entry.lane).remove(input_id)
        del self._entries[input_id]
        return (input_id,)

    def withdraw(self, input_id: str) -> None:
        """Undo `accept`: a queued input that could not be kept was never here, nor was its key.

        Raises:
            InputPhaseError: The input is not queued.
        """
        entry = self._in(Phase.QUEUED, input_id, "withdraw")
        self._lanes.of(entry.lane).remove(input_id)
        del self._entries[input_id]
        if entry.given.key is not None:
            del self._keys[entry.given.key]

    # Parts

    def _inputs(self, ids: list[str] | tuple[str, ...]) -> tuple[TurnInput, ...]:
        return tuple(self._entries[input_id].given for input_id in ids)

    def _in(self, phase: Phase, input_id: str, action: str) -> _Entry:
        entry = self._entries.get(input_id)
        if entry is None or entry.phase is not phase:
            raise InputPhaseError(input_id, entry.phase if entry else None, action)
        return entry

    def _finish_turn(self, running: str) -> tuple[str, ...]:
        ids = (running, *self._taken)
        for input_id in ids:
            del self._entries[input_id]
        self._running = None
        self._taken.clear()
        return ids

    def _give_back(self) -> None:
        """Return what the turn had taken to the head of the steer lane, in its order."""
        for input_id in self._taken:
            self._entries[input_id].phase = Phase.QUEUED
        self._lanes.steer.extendleft(reversed(self._taken))
        self._taken.clear()

    def _to_head(self, entry: _Entry) -> None:
        """Put the running input where it was accepted: before everything that came later."""
        entry.phase = Phase.QUEUED
        self._lanes.of(entry.lane).appendleft(entry.given.input_id)

    def _quarantine(self, entry: _Entry) -> None:
        entry.phase = Phase.QUARANTINED
        self._quarantined.append(entry.given.input_id)
