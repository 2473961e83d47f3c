"""Bugs planted in the kernel (see `plants`): a lost wake-up, a second `Down`, a dropped lane, …"""

from __future__ import annotations

from typing import Any, Final

from actors.kernel import groups, waits
from actors.kernel.bonds import Bonds
from actors.kernel.cell import Cell
from actors.kernel.lifecycle import LifeCycle, State
from actors.kernel.mailbox import Mailbox, Slot
from actors.kernel.supervision import GiveUp, RestartLog
from actors.kernel.turns import Turn, Turns
from tests.simulation.plants import Plant, Plants, replacing


def _lost_wake_up(_: Any) -> Any:
    """An answer that comes while its mailbox is scheduled does not wake the handler."""

    def can_go_on(self: Cell) -> bool:
        if self.turn is None:
            return bool(self.user or self.control)
        return bool(self.control) and self._aside_index() is not None

    return can_go_on


def _double_down(right: Any) -> Any:
    """Who begins to watch an actor that is stopping is told twice."""

    def add_watcher(self: LifeCycle, watcher: Bonds) -> None:
        right(self, watcher)
        if self.state is State.STOPPING:
            right(self, watcher)

    return add_watcher


def _dropped_lane(right: Any) -> Any:
    """What waits for the next incarnation becomes dead letters."""

    def restart(self: Cell) -> None:
        for item in self.take_all():
            message = getattr(item, "message", item)
            self.realm.dead(self.address, "dead", message)
        right(self)

    return restart


def _old_timer(right: Any) -> Any:
    """The timers of a failed incarnation go on."""

    def cancel_timers(self: LifeCycle) -> None:
        if self.state is not State.WAITING:
            right(self)

    return cancel_timers


def _coalesced_stop(right: Any) -> Any:
    """Only the first who waits for the end is told."""

    def request_stop(self: LifeCycle, reason: Any, *, drain: bool, done: Any = None) -> None:
        right(self, reason, drain=drain, done=None if self.enders else done)

    return request_stop


def _lost_ack(right: Any) -> Any:
    """A companion that is down already does not say so to its group."""

    def park(self: LifeCycle, done: Any) -> None:
        right(self, (lambda: None) if self.state is State.WAITING else done)

    return park


def _oldest_kept(right: Any) -> Any:
    """Of messages that coalesce the oldest is handled."""

    def coalesce(
        self: Mailbox, lane: Any, bound: int, message: object, slot: Slot, size: int
    ) -> None:
        earlier = (self.slots or {}).get(slot)
        right(self, lane, bound, message, slot, size)
        if earlier is not None and self.slots is not None:
            self.slots[slot] = earlier

    return coalesce


def _no_cycles(_: Any) -> Any:
    """No circle of asks is seen."""
    return lambda start, goal: None


def _asks_again(right: Any) -> Any:
    """A failed ask is handled again."""

    def raised(self: Turns, error: Any, handler: Any, item: object, *rest: Any) -> None:
        right(self, error, handler, item, *rest)
        if rest[1] is not None and self.state is State.WAITING:
            self.user.appendleft(item)
            self.count.failed -= 1

    return raised


def _tail(right: Any) -> Any:
    """A failed tell goes back to the end of its lane."""

    def tell_failed(self: Turns, item: object, message: object) -> None:
        before = len(self.user)
        right(self, item, message)
        if len(self.user) > before:
            self.user.append(self.user.popleft())

    return tell_failed


def _orphans(right: Any) -> Any:
    """A parent does not wait for the last of its children."""

    def stop_children(self: LifeCycle, then: Any) -> None:
        if self.children and len(self.children) == 1:
            right(self, lambda: None)
            then()
        else:
            right(self, then)

    return stop_children


def _forgotten_interrupt(right: Any) -> Any:
    """Who asked is not told that the handler was interrupted."""

    def interrupted(self: Turns, turn: Turn) -> None:
        turn.reply = None
        right(self, turn)

    return interrupted


def _one_sender(right: Any) -> Any:
    """Of several senders that wait for room the first is told, the others are forgotten."""

    def wake_senders(self: Mailbox) -> None:
        if self.room and len(self.room) > 1:
            for wake in tuple(self.room)[1:]:
                self.room.pop(wake)
        right(self)

    return wake_senders


def _never_expires(_: Any) -> Any:
    """A message is handled after its deadline."""
    return lambda self, item: False


def _endless_budget(right: Any) -> Any:
    """Nobody gives up."""

    def decide(self: RestartLog, spec: Any, **facts: Any) -> Any:
        decision = right(self, spec, **facts)
        if isinstance(decision, GiveUp):
            self.times.clear()
            return right(self, spec, **facts) if spec.intensity else decision
        return decision

    return decide


def _alone(right: Any) -> Any:
    """The first of a family is left out when it starts again together."""

    def companions(strategy: Any, siblings: Any, child: Any) -> Any:
        return right(strategy, siblings, child)[1:]

    return companions


AT_REST: Final = "nothing waits when everything rests"
KERNEL: Final[Plants] = {
    "lost-wake-up": Plant(
        ("every ask is answered", AT_REST), replacing(Cell, "_can_go_on", _lost_wake_up)
    ),
    "double-down": Plant(("one Down per watch",), replacing(Bonds, "_add_watcher", _double_down)),
    "dropped-lane": Plant(
        ("the living keep their mail",), replacing(LifeCycle, "_restart", _dropped_lane)
    ),
    "old-timer": Plant(
        ("a timer ends with its incarnation",), replacing(Bonds, "cancel_timers", _old_timer)
    ),
    "coalesced-stop": Plant(
        ("who asks for an end is told",), replacing(LifeCycle, "request_stop", _coalesced_stop)
    ),
    "lost-ack": Plant(
        ("who is alive answers", AT_REST, "every ask is answered"),
        replacing(LifeCycle, "park", _lost_ack),
    ),
    "oldest-kept": Plant(("the newest is kept",), replacing(Mailbox, "_coalesce", _oldest_kept)),
    "no-cycles": Plant(("every ask is answered", AT_REST), replacing(waits, "_way", _no_cycles)),
    "asks-again": Plant(
        ("only a failed tell is tried again, once",), replacing(Turns, "raised", _asks_again)
    ),
    "tail": Plant(("a failed tell goes to the head",), replacing(Turns, "_tell_failed", _tail)),
    "orphans": Plant(
        ("children end before their parent",), replacing(Bonds, "stop_children", _orphans)
    ),
    "forgotten-interrupt": Plant(
        ("every ask is answered",), replacing(Turns, "_interrupted", _forgotten_interrupt)
    ),
    "one-sender": Plant(
        ("who waits for room gets it",), replacing(Mailbox, "wake_senders", _one_sender)
    ),
    "never-expires": Plant(
        ("what has expired is not handled",), replacing(Cell, "_expired", _never_expires)
    ),
    "endless-budget": Plant(
        ("restarts have a budget",), replacing(RestartLog, "decide", _endless_budget)
    ),
    "alone": Plant(("siblings start again together",), replacing(groups, "companions", _alone)),
}
