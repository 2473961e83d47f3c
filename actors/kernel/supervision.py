"""Supervision as data: when a failed child starts again, and after how long.

Pure: time and chance are arguments. The rule of restart intensity is OTP's
(`supervisor.erl` add_restart/3): more than `intensity` restarts within `period_s` and the
supervisor gives up. Ours allows 5 in 60 s (design §4); back-off is exponential with jitter,
and the waiting is done by a timer message, never by sleeping.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, NoReturn, TypeVar, get_args

if TYPE_CHECKING:
    from actors.kernel.ports import LoopName

A = TypeVar("A")
C = TypeVar("C")
Restart = Literal["permanent", "transient", "temporary"]
Strategy = Literal["one_for_one", "rest_for_one", "one_for_all"]
Exhausted = Literal["escalate", "stop"]
RESTARTS: Final = get_args(Restart)
STRATEGIES: Final = get_args(Strategy)
EXHAUSTIONS: Final = get_args(Exhausted)


@dataclass(frozen=True)  # slots would break ChildSpec[Counter](…): python/cpython#90562
class ChildSpec(Generic[A]):
    """How to make one child, and what happens when it ends: `ChildSpec(Counter, (0,))`.

    Attributes:
        actor: The class; instantiated as `actor(*args, **kwargs)`, again for every restart.
        name: Unique among the living children of one parent; None numbers it by class.
        restart: `permanent` = always, `transient` = only after a failure,
            `temporary` = never.
        strategy: Who starts again with it: `one_for_one` = nobody, `rest_for_one` = the siblings
            that were started after it, `one_for_all` = all siblings. They stop in reverse start
            order and start in start order; a temporary sibling only stops. An actor without a
            parent has no siblings.
        intensity, period_s: More than `intensity` restarts in `period_s` seconds exhaust it.
        exhausted: `escalate` = the parent fails too, `stop` = only this child stays down
            (its watchers get `Down`).
        backoff_s, backoff_cap_s, jitter: The n-th restart in the period waits
            `backoff_s * 2**(n-1)`, at most the cap, times 1 ± jitter.
        shutdown_s: Seconds a running handler gets to end when the child is stopped.
        loop: The loop it lives on; None = its parent's.
        mailbox: Messages its USER lane holds.
    """

    actor: type[A]
    args: tuple[object, ...] = ()
    kwargs: Mapping[str, object] = field(default_factory=dict)
    _: KW_ONLY
    name: str | None = None
    restart: Restart = "transient"
    strategy: Strategy = "one_for_one"
    intensity: int = 5
    period_s: float = 60.0
    exhausted: Exhausted = "escalate"
    backoff_s: float = 0.2
    backoff_cap_s: float = 30.0
    jitter: float = 0.2
    shutdown_s: float = 5.0
    loop: LoopName | None = None
    mailbox: int = 1024

    def __post_init__(self) -> None:
        if not (
            self.restart in RESTARTS
            and self.strategy in STRATEGIES
            and self.exhausted in EXHAUSTIONS
        ):
            self._refuse_word()
        if self.intensity < 0 or self.period_s <= 0:
            raise ValueError(f"intensity {self.intensity} in {self.period_s} s is no budget")
        if self.mailbox < 1:
            raise ValueError(f"a mailbox of {self.mailbox} messages can hold nothing")
        if not 0 <= self.jitter < 1:
            raise ValueError(f"jitter {self.jitter} must be in [0, 1)")
        if min(self.backoff_s, self.backoff_cap_s, self.shutdown_s) < 0:
            raise ValueError(
                f"back-off {self.backoff_s} to {self.backoff_cap_s} s and shutdown "
                f"{self.shutdown_s} s cannot be negative"
            )

    def _refuse_word(self) -> NoReturn:
        known = {"restart": RESTARTS, "strategy": STRATEGIES, "exhausted": EXHAUSTIONS}
        name = next(name for name, words in known.items() if getattr(self, name) not in words)
        value, words = getattr(self, name), known[name]
        near = difflib.get_close_matches(str(value), words, n=1, cutoff=0.0)[0]
        raise ValueError(f"{name}={value!r} is not known; did you mean {near!r}?")

    def make(self) -> A:
        """A fresh instance; whatever its `__init__` raises passes through."""
        return self.actor(*self.args, **self.kwargs)


def companions(strategy: Strategy, siblings: Sequence[C], child: C) -> list[C]:
    """Who starts again together with `child`, in start order and without itself.

    Args:
        siblings: All children of its parent in start order; `child` is one of them, or has left.
    """
    if strategy == "one_for_one" or child not in siblings:
        return []
    place = siblings.index(child)
    earlier = siblings[:place] if strategy == "one_for_all" else ()
    return [*earlier, *siblings[place + 1 :]]


@dataclass(frozen=True, slots=True)
class Again:
    """Start the child again after `delay_s` seconds."""

    delay_s: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The child stays down; `why` is for people."""

    why: str


@dataclass(slots=True)
class RestartLog:
    """When one child was restarted; only the last period counts."""

    times: list[float] = field(default_factory=list)

    def decide(
        self, spec: ChildSpec[Any], *, failed: bool, now: float, chance: float
    ) -> Again | GiveUp | None:
        """Say what follows the end of a child.

        Args:
            failed: It ended by a failure (not by `stop`).
            now: Seconds on the caller's monotonic clock.
            chance: In [0, 1), for the jitter.

        Returns:
            None when the child's restart type asks for nothing, else `Again` or `GiveUp`.
        """
        if spec.restart == "temporary" or (spec.restart == "transient" and not failed):
            return None
        self.times = [then for then in self.times if now - then < spec.period_s]
        if len(self.times) >= spec.intensity:
            return GiveUp(f"more than {spec.intensity} restarts in {spec.period_s:g} s")
        self.times.append(now)
        doublings = min(len(self.times) - 1, 64)  # a float cannot hold much more than 1,000
        wait = min(spec.backoff_s * 2.0**doublings, spec.backoff_cap_s)
        return Again(wait * (1.0 + spec.jitter * (2.0 * chance - 1.0)))
