"""The messages of the kernel's schedules: one class per kind of handler."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from actors.kernel.ports import Pending
    from tests.simulation.kernel_journal import Incarnation, Life

How = Literal["tell", "ask", "send", "timer"]


class Boom(Exception):
    """What a failing handler or hook raises."""


class Declared(Exception):
    """A domain error that handlers declare: it is a reply."""


class Word:
    """A message: what its handler does is decided by `seed`; `depth` bounds what follows."""

    __slots__ = (
        "accepted",
        "began",
        "cancelled",
        "depth",
        "done",
        "due",
        "expires_at",
        "failures",
        "how",
        "id",
        "key",
        "made_by",
        "passed_to",
        "period_s",
        "seed",
        "sender",
        "stray",
        "target",
        "ticking",
    )
    urgent = False  # may overtake
    merges = False  # a newer one may take its place
    awaits = False  # its handler is a task

    def __init__(self, number: int, seed: int, depth: int, how: How, sender: object) -> None:
        self.id = number
        self.seed = seed
        self.depth = depth
        self.how: How = how
        self.sender = sender  # the driver, a life (its exclusive handlers), or one aside handler
        self.key = seed % 3
        self.target: Life | None = None
        self.accepted = 0  # as the how-manieth of all; 0: not
        self.began: list[int] = []  # incarnations that began to handle it
        self.failures = 0
        self.done = False  # its handler returned, or raised a declared error
        self.cancelled = False  # its handler was
        self.stray = False  # sent by a handler that was cancelled
        self.passed_to: Word | None = None  # whose answer is its own
        self.expires_at: float | None = None
        self.due: float | None = None  # of a timer
        self.period_s = 0.0
        self.ticking: Pending | None = None
        self.made_by: Incarnation | None = None  # who set the timer

    @property
    def may_wait(self) -> bool:
        """Whether it may be in a mailbox: not handled yet, or put back after a failure."""
        sent = bool(self.accepted) or self.how in ("ask", "timer")
        return self.ticking is not None or (sent and len(self.began) == self.failures)

    def __repr__(self) -> str:
        return f"{type(self).__name__}#{self.id}"


class Now(Word):
    """Handled in line."""

    __slots__ = ()


class Later(Word):
    """Handled by a task."""

    __slots__ = ()
    awaits = True


class Stepped(Word):
    """Handled by a coroutine that the kernel steps."""

    __slots__ = ()


class Urgent(Word):
    """Handled in line, from the CONTROL lane."""

    __slots__ = ()
    urgent = True


class UrgentLater(Word):
    """Handled by a task, from the CONTROL lane."""

    __slots__ = ()
    urgent = True
    awaits = True


class Look(Word):
    """Handled in line while another handler awaits."""

    __slots__ = ()
    urgent = True


class LookLater(Word):
    """Handled by a task while another handler awaits."""

    __slots__ = ()
    urgent = True
    awaits = True


class Merge(Word):
    """One of a key stands for all that wait."""

    __slots__ = ()
    merges = True


class MergeUrgent(Word):
    """One stands for all that wait; from the CONTROL lane."""

    __slots__ = ()
    merges = True
    urgent = True


class Unknown(Word):
    """Nobody handles it."""

    __slots__ = ()


class Probe:
    """Asks whether somebody is there."""


KINDS: Final[tuple[type[Word], ...]] = (
    *(Now, Now, Now, Later, Later, Later, Stepped, Stepped, Stepped),
    *(Urgent, UrgentLater, Look, LookLater, LookLater, Merge, Merge, MergeUrgent, Unknown),
)
