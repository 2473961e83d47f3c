"""The actors of the kernel's schedules: every kind of handler and hook, doing what a seed says."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any, Final

from actors.kernel.actor import Actor
from actors.kernel.errors import KernelError
from actors.kernel.future import Reply
from actors.kernel.handlers import handles, interleave
from actors.kernel.messages import Down
from actors.kernel.ref import ActorRef
from tests.simulation.kernel_journal import Asked, Life
from tests.simulation.kernel_stage import MOST_WORDS, Doing, Part, Stage
from tests.simulation.kernel_words import (
    Boom,
    Declared,
    Later,
    Look,
    LookLater,
    Merge,
    MergeUrgent,
    Now,
    Probe,
    Stepped,
    Urgent,
    UrgentLater,
    Word,
)

PAUSES_S: Final = tuple(n / 64 for n in (0, 1, 1, 2, 4, 4, 8, 16))  # often at the same time
PATIENCE_S: Final = (1 / 16, 1 / 16, 0.25, 12.0)  # 12: shares the sweep of long timeouts
MOST_LIVES: Final = 60  # of one schedule; nobody fails to start any more


class Player(Actor):
    """Without hooks, and all its handlers are in the USER lane."""

    def __init__(self, stage: Stage, part: Part, parent: ActorRef[Any] | None) -> None:
        super().__init__()
        self.stage = stage
        self.part = part
        journal = self.journal = stage.journal
        self.life = journal.born(self.actor_ref, part.options, parent)
        self.one = self.life.current
        stage.slots[part.slot] = self.life
        self.trouble = Random(part.trouble + self.one.number)
        # who fails whenever it starts may start again for ever; a schedule must end
        self.tired = self.one.number + len(journal.lives) > MOST_LIVES
        if type(self).starts_silently:
            self.spawn_children(self.part.children)
        if self.trouble.random() < 0.04 and not self.tired:
            journal.over(self.one, failed=True)
            self.life.stillborn = not self.one.number
            raise Boom("__init__")
        if type(self).starts_silently:
            journal.up(self.one)

    def spawn_children(self, parts: tuple[Part, ...]) -> None:
        for part in parts:
            try:
                self.spawn(self.stage.spec(part, self.actor_ref))
            except (Boom, KernelError) as error:
                self.journal.say(f"spawn  of {part.slot} by {self.life}: {error!r}")

    def on_failure(self, *failure: object) -> None:
        self.journal.over(self.one, failed=True)

    # -- handlers ---------------------------------------------------------------------------

    @handles(raises=(Declared,))
    def now(self, word: Now) -> object:
        return self.in_line(word)

    @handles(raises=(Declared,))
    async def later(self, word: Later) -> object:
        return await self.awaiting(word)

    @handles(stepped=True, raises=(Declared,))
    async def stepped(self, word: Stepped) -> object:
        return await self.awaiting(word, stepped=True)

    @handles(raises=(Declared,))
    def urgent(self, word: Urgent) -> object:
        return self.in_line(word)

    @handles(raises=(Declared,))
    async def urgent_later(self, word: UrgentLater) -> object:
        return await self.awaiting(word)

    @handles(raises=(Declared,))
    def look(self, word: Look) -> object:
        return self.in_line(word)

    @handles(raises=(Declared,))
    async def look_later(self, word: LookLater) -> object:
        return await self.awaiting(word)

    @handles(raises=(Declared,))
    def merge(self, word: Merge) -> object:
        return self.in_line(word)

    @handles(raises=(Declared,))
    def merge_urgent(self, word: MergeUrgent) -> object:
        return self.in_line(word)

    @handles
    def down(self, message: Down) -> None:
        self.journal.down(self.one, message.address)

    @handles
    def probe(self, message: Probe) -> bool:
        return True

    # -- what they do -----------------------------------------------------------------------

    def in_line(self, word: Word, *, aside: bool = False) -> object:
        doing = Doing(self.one, word, aside)
        self.journal.begins(self.one, word, aside=aside)
        how = "failed"
        try:
            chance = Random(word.seed + len(word.began))
            for _ in range(int(chance.random() * 3)):
                self.act(chance, doing)
            result = self.reply(chance, doing, word)
            how = "done"
        except Declared:
            how = "done"
            raise
        finally:
            self.journal.ends(self.one, word, how, doing.edges)
        return result

    def reply(self, chance: Random, doing: Doing, word: Word) -> object:
        """An answer, a promise of one, or the answer of somebody else."""
        kind = chance.random()
        if kind < 0.1:
            promise: Reply[Any] = self.promise()
            pause_s = PAUSES_S[int(chance.random() * 8)]
            loop = self.stage.journal.loop
            loop.call_later(pause_s, promise.set, word.id)
            return promise
        if kind < 0.2 and word.depth > 0:
            # nobody waits here, so nothing but its own patience keeps it from waiting for ever
            asked = self.stage.question(chance, word.depth - 1, doing, 0.5)
            if asked is not None:
                word.passed_to = asked.word
                return self.ask_aside(asked, doing)
        return word.id

    async def awaiting(self, word: Word, *, aside: bool = False, stepped: bool = False) -> object:
        doing = Doing(self.one, word, aside)
        self.journal.begins(self.one, word, aside=aside)
        how = "failed"
        try:
            chance = Random(word.seed + len(word.began))
            for _ in range(int(chance.random() * 4)):
                await self.step(chance, doing, stepped=stepped)
            how = "done"
        except Declared:
            how = "done"
            raise
        except asyncio.CancelledError:
            how = "cancelled"
            doing.cancelled = word.cancelled = True
            await self.clean_up(Random(word.seed), doing)
            raise
        except GeneratorExit:
            how = "cancelled"
            raise
        finally:
            self.journal.ends(self.one, word, how, doing.edges)
        return word.id

    async def clean_up(self, chance: Random, doing: Doing) -> None:
        """What a handler does that is cancelled; some go on for long."""
        kind = chance.random()
        if kind < 0.6:
            return
        self.stage.tell(chance, 0, doing)
        until = self.journal.now() + (2.5 if kind > 0.9 else 1 / 16)
        while self.journal.now() < until:
            try:
                await asyncio.sleep(until - self.journal.now())
            except asyncio.CancelledError:
                continue

    async def step(self, chance: Random, doing: Doing, *, stepped: bool) -> None:
        """One thing that an `async` handler does."""
        kind = chance.random()
        depth = doing.word.depth if doing.word is not None else 1
        if kind < 0.25:
            if not stepped:
                await asyncio.sleep(PAUSES_S[int(chance.random() * 8)])
        elif kind < 0.5 and depth > 0:
            await self.ask(chance, doing, depth - 1)
        elif kind < 0.58 and depth > 0:
            await self.send(chance, doing, depth - 1, stepped=stepped)
        elif kind < 0.63 and not stepped:
            await self.together(chance, doing, depth)
        elif kind < 0.66 and not stepped:
            await self.realm.scheduler.run_blocking(lambda: None)
        elif kind < 0.69 and not stepped:
            await self.stop_and_wait(chance)
        elif kind < 0.72:
            await self.wait_for_start(chance)
        else:
            self.act(chance, doing)

    def act(self, chance: Random, doing: Doing) -> None:
        """One thing that any handler may do."""
        kind = chance.random()
        depth = doing.word.depth if doing.word is not None else 1
        if kind < 0.35:
            if depth > 0:
                self.stage.tell(chance, depth - 1, doing)
        elif kind < 0.42:
            asked = self.stage.question(chance, depth - 1, doing, 0.25) if depth > 0 else None
            if asked is not None:
                _ = self.ask_aside(asked, doing)
        elif kind < 0.5:
            raise Boom(str(doing.word))
        elif kind < 0.56:
            raise Declared(str(doing.word))
        elif kind < 0.66:
            self.watch_somebody(chance)
        elif kind < 0.78:
            self.set_timer(chance, depth, doing)
        elif kind < 0.82:
            self.spawn_children((self.stage.part(chance),))
        elif kind < 0.86:
            self.life.left = True
            self.stop()
        elif kind < 0.9:
            self.stage.stop(chance)

    def request(self, asked: Asked, doing: Doing) -> Any:  # Any: as `request`
        """Ask now."""
        target = asked.word.target
        assert target is not None  # it was chosen with the question
        edge = (self.address, target.address)
        doing.edges.append(edge)
        self.journal.waiting[edge] += 1
        return target.ref.request(asked.word, timeout=asked.timeout)

    def ask_aside(self, asked: Asked, doing: Doing) -> Reply[Any]:
        """Ask and go on; the journal learns the answer."""
        reply: Reply[Any] = self.request(asked, doing)
        reply.when_done(lambda: self.journal.answered(asked, reply.value, reply.error))
        return reply

    async def ask(self, chance: Random, doing: Doing, depth: int) -> None:
        """Ask and wait for the answer."""
        timeout: float | None = PATIENCE_S[int(chance.random() * 4)]
        if not doing.aside and chance.random() < 0.6:
            timeout = None  # a circle must be seen, or it waits for ever
        asked = self.stage.question(chance, depth, doing, timeout)
        if asked is None:
            return
        value: object = None
        error: BaseException | None = None
        try:
            value = await self.request(asked, doing)
        except (KernelError, Declared) as answer:
            error = answer
        except BaseException as other:
            error = other
            raise
        finally:
            self.journal.answered(asked, value, error)

    async def together(self, chance: Random, doing: Doing, depth: int) -> None:
        """Wait for two answers at once, or for room for three messages."""
        if chance.random() < 0.5:
            both = [self.ask(chance, doing, depth - 1) for _ in range(2)]
            await asyncio.gather(*both)
            return
        target = self.stage.somebody(chance)
        if target is not None:
            await asyncio.gather(*(self.send_to(target, chance, object(), 0) for _ in range(3)))

    async def send(self, chance: Random, doing: Doing, depth: int, *, stepped: bool) -> None:
        """Send when there is room."""
        target = self.stage.somebody(chance)
        if target is not None:
            await self.send_to(target, chance, doing.sender, depth)

    async def send_to(self, target: Life, chance: Random, sender: object, depth: int) -> None:
        journal = self.journal
        if len(journal.words) > MOST_WORDS:
            return
        word = self.stage.word(chance, target, depth, "send", sender)
        timeout = (1 / 16, 1.0)[int(chance.random() * 2)]
        journal.say(f"send   {word} to {target} by {word.sender}")
        journal.sending.append(word)
        try:
            await target.ref.send(word, timeout=timeout)
            journal.accepts(word)
        except KernelError as error:
            journal.say(f"send   {word} to {target}: {error!r}")
        finally:
            journal.sending.remove(word)

    async def stop_and_wait(self, chance: Random) -> None:
        """Wait for the end of somebody; never by draining, which may wait for this handler."""
        target = self.stage.somebody(chance)
        if target is not None:
            self.journal.say(f"stop   {target} by {self.life}")
            await target.ref.stopped()
            self.journal.expect(
                "who is stopped has ended", not self.journal.lives_on(target), target
            )

    async def wait_for_start(self, chance: Random) -> None:
        target = self.stage.somebody(chance)
        if target is not None:
            self.journal.say(f"start  of {target} awaited by {self.life}")
            try:
                await target.ref.started(timeout=0.25)
            except KernelError:
                return
            was_up = any(one.was_up for one in target.incarnations)
            self.journal.expect("who is said to be up has been up", was_up, target)

    def watch_somebody(self, chance: Random) -> None:
        target = self.stage.somebody(chance)
        if target is not None:
            self.journal.say(f"watch  {target} by {self.life}")
            self.journal.watches[self.address, target.address] += 1
            self.watch(target.ref)

    def set_timer(self, chance: Random, depth: int, doing: Doing) -> None:
        """A message to itself, once or three times."""
        journal = self.journal
        if len(journal.words) > MOST_WORDS:
            return
        word = self.stage.word(chance, self.life, max(depth - 1, 0), "timer", "timer")
        word.made_by = self.one
        pause_s = PAUSES_S[int(chance.random() * 8)]
        word.due = journal.now() + pause_s
        kind = chance.random()
        if kind < 0.3:
            word.period_s = pause_s + 1 / 16
            word.due += 1 / 16
            word.ticking = self.every(word.period_s, word)
            journal.loop.call_later(3.5 * word.period_s, word.ticking.cancel)
        else:
            timer = self.after(pause_s, word)
            if kind > 0.9:
                timer.cancel()
                word.expires_at = -1.0
        journal.say(f"timer  {word} at {self.life}, due {word.due:.5f}")


class Sorter(Player):
    """With CONTROL handlers, some that interleave, and some that coalesce."""

    @handles(control=True, raises=(Declared,))
    def urgent(self, word: Urgent) -> object:
        return self.in_line(word)

    @handles(control=True, raises=(Declared,))
    async def urgent_later(self, word: UrgentLater) -> object:
        return await self.awaiting(word)

    @interleave
    @handles(raises=(Declared,))
    def look(self, word: Look) -> object:
        return self.in_line(word, aside=True)

    @interleave
    @handles(raises=(Declared,))
    async def look_later(self, word: LookLater) -> object:
        return await self.awaiting(word, aside=True)

    @handles(coalesce=lambda word: word.key, raises=(Declared,))
    def merge(self, word: Merge) -> object:
        return self.in_line(word)

    @handles(control=True, coalesce=True, raises=(Declared,))
    def merge_urgent(self, word: MergeUrgent) -> object:
        return self.in_line(word)
