"""What happened in a schedule of the kernel, written down by its actors, and rules on the way.

The journal knows nothing of how the kernel works: it sees what a user's actors see (handlers and
hooks that begin and end, answers, errors, `Down`s) and judges by the promises of design §4. The
first rule that does not hold is kept in `broken`; the driver raises it.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

from actors.kernel.errors import (
    ActorDead,
    ActorFailed,
    AskCycle,
    AskTimeout,
    Expired,
    Interrupted,
    MailboxFull,
    Unhandled,
)
from actors.kernel.future import ThreadReply
from actors.kernel.ref import ActorRef
from actors.system import ActorSystem
from tests.simulation.kernel_words import Declared, Word

SLACK_S = 1e-5  # more than the scheduler's own notion of "at the same time"


@dataclass(eq=False, slots=True)
class Incarnation:
    """One actor object."""

    life: Life
    number: int
    born_at: float
    phase: Literal["starting", "up", "over"] = "starting"
    was_up: bool = False
    fresh: Word | None = None  # the first USER message that it began and nobody had before
    over_at: float | None = None
    failed: bool = False
    busy: Word | None = None  # the exclusive handler that runs


@dataclass(eq=False, slots=True)
class Life:
    """An actor from its start to its end, over its incarnations; known by its ref."""

    ref: ActorRef[Any]
    options: dict[str, Any]
    parent: Life | None
    number: int  # in start order
    incarnations: list[Incarnation] = field(default_factory=list)
    children: list[Life] = field(default_factory=list)
    seen: dict[tuple[object, type], int] = field(default_factory=dict)  # newest word per sender
    downs: Counter[str] = field(default_factory=Counter)  # by the address of who is gone
    heard_the_end_of: set[Life] = field(default_factory=set)
    decisions: list[float] = field(default_factory=list)  # when its spec was asked
    left: bool = False  # it stopped itself at least once
    stillborn: bool = False  # its first `__init__` raised

    @property
    def address(self) -> str:
        return self.ref.address

    @property
    def current(self) -> Incarnation:
        return self.incarnations[-1]

    def __repr__(self) -> str:
        return self.ref.address


@dataclass(eq=False, slots=True)
class Asked:
    """A question and what became of it."""

    word: Word
    at: float
    timeout: float | None
    over: bool = False


class Journal:
    """Everything that is written down, and the rules that hold at every moment."""

    def __init__(self, system: ActorSystem, verbose: Callable[[str], object] | None) -> None:
        self.system = system
        self.loop = system.realm.scheduler.dispatcher("member").loop
        self.now = system.realm.scheduler.clock.monotonic
        self.verbose = verbose
        self.broken: tuple[str, str] | None = None
        self.lives: dict[ActorRef[Any], Life] = {}
        self.at: dict[str, list[Life]] = defaultdict(list)  # by address
        self.words: list[Word] = []
        self.accepted = 0
        self.asked: list[Asked] = []
        self.watches: Counter[tuple[str, str]] = Counter()  # watcher, watched
        self.waiting: Counter[tuple[str, str]] = Counter()  # who waits for whose answer
        self.sending: list[Word] = []  # by `send`, perhaps waiting for room
        self.stops: list[tuple[Life, ThreadReply[bool]]] = []

    def say(self, what: str) -> None:
        """Print one line, if somebody reads it."""
        if self.verbose is not None:
            self.verbose(f"{self.now():9.5f}  {what}")

    def expect(self, rule: str, holds: bool, found: object) -> None:
        """Keep the first rule that does not hold."""
        if not holds and self.broken is None:
            self.broken = (rule, str(found))
            self.say(f"BROKEN {rule}: {found}")

    # -- lives ------------------------------------------------------------------------------

    def born(
        self, ref: ActorRef[Any], options: dict[str, Any], parent: ActorRef[Any] | None
    ) -> Life:
        """An actor object is being made."""
        life = self.lives.get(ref)
        if life is None:
            above = None if parent is None else self.lives[parent]
            life = self.lives[ref] = Life(ref, options, above, len(self.lives))
            self.at[ref.address].append(life)
            if above is not None:
                above.children.append(life)
        number = len(life.incarnations)
        if number:
            before = life.current
            says_goodbye = not life.ref.actor_class.stops_silently
            replaced = says_goodbye and before.phase == "up"
            self.expect("who runs is not replaced", not replaced, life)
            self.over(before, failed=False)
            self.expect("who has ended stays ended", self.lives_on(life), life)
            temporary = life.options.get("restart") == "temporary"
            self.expect("a temporary actor lives once", not temporary, life)
            left = self._left(life)
            self.expect("children end before their parent starts again", not left, left)
        life.incarnations.append(Incarnation(life, number, self.now()))
        self.say(f"born   {life} incarnation {number}")
        return life

    def lives_on(self, life: Life) -> bool:
        """Whether the system still lists it."""
        path = life.address.removeprefix(f"mob://{self.system.name}/")
        resident = self.system.realm.actors.get(path)
        return resident is not None and resident.ref == life.ref

    def up(self, one: Incarnation) -> None:
        """Its `on_start` is done."""
        if one.phase == "starting":
            one.phase, one.was_up = "up", True
            self.say(f"up     {one.life}")

    def over(self, one: Incarnation, *, failed: bool) -> None:
        """It handles nothing any more."""
        if one.phase != "over":
            one.phase = "over"
            one.over_at = self.now()
            one.failed = failed
            self.say(f"over   {one.life} incarnation {one.number}{' failed' if failed else ''}")
        if failed:
            one.life.decisions.append(self.now())

    def stops_now(self, one: Incarnation) -> None:
        """Its `on_stop` begins."""
        self.over(one, failed=False)
        left = self._left(one.life)
        self.expect("children end before their parent", not left, (one.life, left))
        idle = self._idle(one) or not one.life.options["shutdown_s"]  # with no time to end
        self.expect("nothing runs when on_stop begins", idle, one.busy)

    def _left(self, life: Life) -> list[Life]:
        """The children that have not ended."""
        return [child for child in life.children if self.lives_on(child)]

    def stopping(self, life: Life, end: ThreadReply[bool]) -> None:
        """Somebody asked for the end of an actor and will be told."""
        self.say(f"stop   {life}")
        self.stops.append((life, end))
        end.when_done(
            lambda: self.expect("who is stopped has ended", not self.lives_on(life), life)
        )

    def _idle(self, one: Incarnation) -> bool:
        return one.busy is None or one.busy.cancelled

    # -- messages ---------------------------------------------------------------------------

    def accepts(self, word: Word) -> None:
        """Its mailbox has taken it."""
        self.accepted += 1
        word.accepted = self.accepted

    def begins(self, one: Incarnation, word: Word, *, aside: bool) -> None:
        """A handler begins."""
        life, now = one.life, self.now()
        self.say(f"begin  {word} at {life} for {word.how} of {word.sender}")
        self.expect("a message reaches its target", word.target in (None, life), (word, life))
        current = life.current is one and one.phase == "up"
        self.expect("nothing is handled by a dead incarnation", current, (word, one.phase))
        if not aside:
            self.expect("one message at a time", self._idle(one), (word, one.busy))
            one.busy = word
        if word.began and word.ticking is None:
            again = word.how != "ask" and len(word.began) == 1 and word.failures == 1
            again = again and word.began[0] < one.number
            self.expect("only a failed tell is tried again, once", again, (word, word.began))
            first = one.fresh is None or type(word).urgent  # a task of its own may begin later
            self.expect("a failed tell goes to the head", first, (word, one.fresh))
        elif not type(word).urgent and word.ticking is None and one.fresh is None:
            one.fresh = word
        if not word.began and word.how != "timer":
            self._in_order(life, word)
        fresh = word.expires_at is None or now <= word.expires_at
        self.expect("what has expired is not handled", fresh, (word, word.expires_at))
        if word.made_by is not None and word.due is not None:
            maker = word.made_by
            fired = maker.over_at is None or word.due <= maker.over_at + SLACK_S
            self.expect("a timer ends with its incarnation", fired, (word, word.due, maker.over_at))
            early = now + SLACK_S < word.due
            self.expect("a timer is never early", not early, (word, word.due))
        word.began.append(one.number)
        if word.ticking is not None:
            most = 1 + word.failures + (now + SLACK_S - (word.due or 0.0)) // word.period_s
            self.expect("a timer is never early", len(word.began) <= most, (word, word.began))

    def _in_order(self, life: Life, word: Word) -> None:
        kind = type(word)
        if not kind.merges:
            key = (word.sender, kind)
            newest = life.seen.get(key, -1)
            self.expect("per sender in the order sent", newest < word.id, (word, newest))
            life.seen[key] = word.id
        ended = isinstance(word.sender, Life) and word.sender in life.heard_the_end_of
        late = ended and not word.stray and not kind.urgent
        self.expect("Down comes after the last message", not late, (word, word.sender))

    def ends(self, one: Incarnation, word: Word, how: str, edges: list[tuple[str, str]]) -> None:
        """A handler ends: `done`, `failed` or `cancelled`."""
        self.say(f"{how:6} {word} at {one.life}")
        self.forget(edges)
        if one.busy is word:
            one.busy = None
        if how == "failed":
            word.failures += 1
        elif how == "done":
            word.done = True
        else:
            word.cancelled = True

    def forget(self, edges: list[tuple[str, str]]) -> None:
        """Who asked waits no longer."""
        for edge in edges:
            self.waiting[edge] -= 1
        edges.clear()

    def down(self, one: Incarnation, address: str) -> None:
        """A `Down` is handled."""
        life = one.life
        self.say(f"Down   of {address} at {life}")
        current = life.current is one and one.phase == "up"
        self.expect("nothing is handled by a dead incarnation", current, (address, one.phase))
        life.downs[address] += 1
        gone = {each for each in self.at[address] if not self.lives_on(each)}
        self.expect("Down says the truth", bool(gone), address)
        life.heard_the_end_of |= gone

    # -- answers ----------------------------------------------------------------------------

    def answered(self, asked: Asked, value: object, error: BaseException | None) -> None:
        """A question has its answer, a value or an error, or its asker was cancelled."""
        asked.over = True
        word = asked.word
        self.say(f"answer {word}: {value if error is None else repr(error)}")
        while word.passed_to is not None:
            word = word.passed_to
        began = bool(word.began)
        if error is None:
            right = word.done and value == word.id
            self.expect("an answer is what the handler gave", right, (word, value))
        elif isinstance(error, asyncio.CancelledError | GeneratorExit):
            return  # of who asked
        elif isinstance(error, Declared):
            self.expect("a declared error was raised", word.done, word)
        elif isinstance(error, AskTimeout):
            if word is asked.word:
                late = self.now() - asked.at >= (asked.timeout or 1e9) - SLACK_S
                self.expect("a timeout is never early", late, (word, asked.timeout))
        elif isinstance(error, ActorFailed):
            failed = word.failures == 1 or word.cancelled
            self.expect("who is said to have failed has failed", failed, word)
        elif isinstance(error, Interrupted):
            # a task may be interrupted before its first step
            begun = (began or type(word).awaits) and not self.refused_too_late(word)
            self.expect("what was interrupted had begun and not ended", begun, word)
        elif isinstance(error, ActorDead):
            late = self.refused_too_late(word)
            self.expect("what a dead actor refuses is not handled", not late, word)
        elif isinstance(error, AskCycle):
            self.expect("a refused ask is not sent", not began, word)
            hops = list(pairwise(error.path[1:]))
            missing = [hop for hop in hops if not self.waiting[hop]]
            self.expect("a refused ask closes a circle", not missing, (error.path, missing))
        elif isinstance(error, MailboxFull | Expired | Unhandled):
            self.expect("what is refused is not handled", not began, (word, error))
        else:
            self.expect("an answer is a value or a kernel error", False, (word, error))

    def refused_too_late(self, word: Word) -> bool:
        """Whether something that was handled is said not to be."""
        return word.done
