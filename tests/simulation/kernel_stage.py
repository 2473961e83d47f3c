"""What the actors of one schedule of the kernel share: places, and the making of messages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any, Final

from actors.kernel.errors import KernelError
from actors.kernel.ref import ActorRef
from actors.kernel.supervision import ChildSpec
from tests.simulation.kernel_journal import Asked, Incarnation, Journal, Life
from tests.simulation.kernel_words import KINDS, How, Word

if TYPE_CHECKING:
    from tests.simulation.kernel_cast import Player

SLOTS: Final = 12  # places for actors: three trees of four
MOST_WORDS: Final = 400  # of one schedule; nobody tells more


@dataclass(frozen=True, slots=True)
class Part:
    """One actor of a tree: where it stands, how it is made, and what goes wrong with it."""

    slot: int
    kind: type[Player]
    options: dict[str, Any]
    trouble: int  # a seed
    children: tuple[Part, ...] = ()


@dataclass(eq=False, slots=True)
class Doing:
    """One handler or hook under way, and whose answers it has asked for."""

    one: Incarnation
    word: Word | None
    aside: bool = False
    cancelled: bool = False
    edges: list[tuple[str, str]] = field(default_factory=list)

    @property
    def sender(self) -> object:
        """Whose messages are in one order: those of the handlers that exclude each other."""
        return self if self.aside or self.cancelled or self.word is None else self.one.life

    def __repr__(self) -> str:
        return f"{self.word} at {self.one.life}"


class Stage:
    """What the actors of one schedule share."""

    def __init__(self, journal: Journal, part: Callable[[Random], Part]) -> None:
        self.journal = journal
        self.part = part  # makes one that is started by a handler
        self.slots: list[Life | None] = [None] * SLOTS

    def spec(self, part: Part, parent: ActorRef[Any] | None) -> ChildSpec[Player]:
        return ChildSpec(part.kind, (self, part, parent), **part.options)

    def somebody(self, chance: Random) -> Life | None:
        """Who had a slot last, dead or alive; of an empty slot the next one."""
        first = int(chance.random() * SLOTS)
        for life in (*self.slots[first:], *self.slots[:first]):
            if life is not None:
                return life
        return None

    def word(
        self, chance: Random, target: Life | None, depth: int, how: How, sender: object
    ) -> Word:
        """A message of any kind."""
        words = self.journal.words
        kind = KINDS[int(chance.random() * len(KINDS))]
        word = kind(len(words), int(chance.random() * 2**32), depth, how, sender)
        word.target = target
        words.append(word)
        return word

    def tell(self, chance: Random, depth: int, doing: Doing | None) -> None:
        """Tell somebody something."""
        target = self.somebody(chance)
        if target is None or len(self.journal.words) > MOST_WORDS:
            return
        word = self.word(chance, target, depth, "tell", doing.sender if doing else "driver")
        word.stray = doing is not None and doing.cancelled
        expires = (None, None, None, None, 1 / 32, 0.5)[int(chance.random() * 6)]
        if expires is not None:
            word.expires_at = self.journal.now() + expires
        try:
            target.ref.tell(word, expires=expires)
        except KernelError as error:
            self.journal.say(f"tell   {word} to {target}: {error!r}")
        else:
            self.journal.accepts(word)
            self.journal.say(f"tell   {word} to {target} by {word.sender}")

    def question(
        self, chance: Random, depth: int, doing: Doing | None, timeout: float | None
    ) -> Asked | None:
        """Something to ask somebody."""
        target = self.somebody(chance)
        if target is None or len(self.journal.words) > MOST_WORDS:
            return None
        word = self.word(chance, target, depth, "ask", doing.sender if doing else "driver")
        asked = Asked(word, self.journal.now(), timeout)
        self.journal.asked.append(asked)
        self.journal.say(f"ask    {word} of {target} by {word.sender}, timeout {timeout}")
        return asked

    def stop(self, chance: Random) -> None:
        """Have somebody stopped, and wait for nothing."""
        target = self.somebody(chance)
        if target is not None:
            self.journal.stopping(target, target.ref.stop(block=False, drain=chance.random() < 0.4))
