"""Random schedules of the kernel in the seeded world, and what must hold after each.

    python -m tests.simulation.kernel_schedules SEED [COUNT] [--keep 0,3,7] [--choices 12] [-v]

A seed decides everything: the actors, what they are told, what their handlers do, and in which
order the world serves them. Every operation draws from a stream of its own, so some of them can be
left out and the others stay what they are.
"""

from __future__ import annotations

import gc
import logging
import math
import sys
from collections import Counter
from random import Random
from typing import Any, Final

from actors.kernel.errors import KernelError
from actors.kernel.future import ThreadReply
from actors.kernel.letters import DeadLetter
from actors.kernel.messages import Down
from actors.kernel.simulation import SimulatedWorld, SimulationStuck
from actors.system import ActorSystem
from tests.simulation import campaign
from tests.simulation.campaign import Broken, Case, Outcome
from tests.simulation.kernel_cast import PAUSES_S, Sorter
from tests.simulation.kernel_journal import Asked, Journal, Life
from tests.simulation.kernel_stage import Stage
from tests.simulation.kernel_troupe import any_part, random_tree
from tests.simulation.kernel_words import Boom, Declared, Probe, Word

MODULE: Final = "tests.simulation.kernel_schedules"
SETTLING_S: Final = 900.0  # virtual; every sleep, back-off and patience is over long before
MAX_STEPS: Final = 100_000  # turns of the world; a schedule needs some hundred


class Complaints(logging.Handler):
    """What the kernel logs when something of its own raises; that must never happen.

    Within it the actors' own failures, of which there are many here, are not logged.
    """

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []
        self._depth = 0
        self._levels: list[int] = []

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        self.found.append(f"{record.getMessage()}: {error!r}")

    def __enter__(self) -> None:
        self._depth += 1
        if self._depth > 1:
            return
        self._levels = [each.level for each in (ALL, *OF_THE_KERNEL)]
        ALL.setLevel(logging.CRITICAL)
        for each in OF_THE_KERNEL:
            each.setLevel(logging.ERROR)
            each.addHandler(self)
            each.propagate = False

    def __exit__(self, *failure: object) -> None:
        self._depth -= 1
        if self._depth:
            return
        for each, level in zip((ALL, *OF_THE_KERNEL), self._levels, strict=True):
            each.setLevel(level)
            each.removeHandler(self)
            each.propagate = True


ALL: Final = logging.getLogger("actors")
OF_THE_KERNEL: Final = tuple(
    map(logging.getLogger, ("actors.kernel.dispatch", "actors.kernel.future"))
)
COMPLAINTS: Final = Complaints()


class Schedule:
    """One run of random actors in a seeded world."""

    def __init__(self, case: Case, *, verbose: bool = False) -> None:
        self.case = case
        self.world = SimulatedWorld(case.seed, free_choices=case.choices, max_steps=MAX_STEPS)
        self.world.loop.set_exception_handler(self._complain)
        self.system = ActorSystem("k", scheduler=self.world)
        self.journal = Journal(self.system, _print if verbose else None)
        self.stage = Stage(self.journal, any_part)
        COMPLAINTS.found.clear()
        chance = Random(case.seed)
        count = 6 + int(chance.random() * 17)
        self.settles = chance.random() < 0.8
        self.operations = [n for n in range(count) if case.keep is None or n in case.keep]

    def run(self) -> Outcome:
        """Do everything and check everything. Raises Broken."""
        try:
            for number in self.operations:
                self._operate(number)
            if self.settles:
                self._settle()
            self._end()
        except SimulationStuck as error:
            self._fail("everything ends", error)
        finally:
            self.world.close()
        return Outcome(
            self.world.trace, len(self.operations), self.world.choices, len(self.journal.words)
        )

    # -- what happens -----------------------------------------------------------------------

    def _operate(self, number: int) -> None:
        """One thing that happens from outside."""
        chance = Random(self.case.seed * 1_000 + number)
        kind = chance.random()
        self.journal.say(f"-- operation {number}")
        if number < 1 + self.case.seed % 3 or kind < 0.06:
            self._start(chance)
        elif kind < 0.2:
            for _ in range(2 + int(chance.random() * 6)):
                self.stage.tell(chance, 1, None)
        elif kind < 0.55:
            self.stage.tell(chance, 3, None)
        elif kind < 0.8:
            self._ask(chance, 3)
        elif kind < 0.9:
            self.stage.stop(chance)
        if chance.random() < 0.6:
            self.world.run_for(PAUSES_S[int(chance.random() * 8)])
            self._check_quiet()

    def _start(self, chance: Random) -> None:
        part = random_tree(chance, 4 * int(chance.random() * 3))
        there = self.stage.slots[part.slot]
        if there is not None and there.ref.is_alive():
            return
        try:
            self.system.spawn(self.stage.spec(part, None))
        except (Boom, KernelError) as error:
            self.journal.say(f"spawn  of {part.slot}: {error!r}")

    def _ask(self, chance: Random, depth: int) -> None:
        asked = self.stage.question(chance, depth, None, None)
        if asked is not None:
            target = asked.word.target
            assert target is not None  # it was chosen with the question
            _learn(self.journal, asked, target.ref.ask(asked.word, block=False))

    def _settle(self) -> None:
        """Let everything come to rest; then everybody alive must answer."""
        self._rest()
        self._check_families()
        self.journal.say("-- is everybody there?")
        probes = [(life, life.ref.ask(Probe(), block=False)) for life in self._living()]
        self.world.run_until(lambda: self.world.idle, timeout=SETTLING_S)
        mute = [life for life, probe in probes if not probe.done]
        self._expect("who is alive answers", not mute, mute)
        self._rest()

    def _rest(self) -> None:
        self.world.run_until(lambda: self.world.idle, timeout=SETTLING_S)
        self._expect("everything comes to rest", self.world.idle, "timers go on")
        self._check_quiet()
        self._check_answers()
        in_flight = self.system.audit().in_flight
        self._expect("nothing waits when everything rests", in_flight == 0, in_flight)

    def _end(self) -> None:
        self.journal.say("-- the end")
        clean = self.system.shutdown(timeout=60.0)
        self._expect("all ended in time", clean, self.system.actors())
        self._rest()
        self._expect("nobody is left", not self.system.actors(), self.system.actors())
        self._check_messages()
        self._check_downs()
        self._check_budgets()
        self._check_quiet()

    # -- what must hold ---------------------------------------------------------------------

    def _fail(self, rule: str, found: object) -> None:
        raise Broken(self.case, rule, found, self.operations, self.world.choices)

    def _expect(self, rule: str, holds: bool, found: object) -> None:
        if not holds:
            self._fail(rule, found)

    def _complain(self, _: object, context: dict[str, Any]) -> None:
        error = context.get("exception")
        COMPLAINTS.found.append(f"{context.get('message')}: {error!r}")

    def _living(self) -> list[Life]:
        return [life for life in self.journal.lives.values() if life.ref.is_alive()]

    def _check_quiet(self) -> None:
        """Nothing is runnable right now; much may be waiting for its time."""
        journal = self.journal
        if journal.broken is not None:
            self._fail(*journal.broken)
        self._expect("the kernel itself never fails", not COMPLAINTS.found, COMPLAINTS.found)
        audit = self.system.audit()
        ended = audit.handled + audit.failed + audit.rejected + audit.coalesced
        ended += audit.dead_lettered + audit.in_flight + len(journal.sending)
        self._expect("every message ends once", audit.sent == ended, (audit, journal.sending))
        for letter in self.system.dead_letters:
            self._check_letter(letter)
        for word in journal.sending:
            self._check_room(word)

    def _check_letter(self, letter: DeadLetter) -> None:
        """Who lives, or is down only to start again, loses no mail."""
        if letter.reason in ("dead", "shutdown"):
            alive = [
                life
                for life in self.journal.at[letter.address]
                if life.ref.is_alive()
                and not life.left
                and len(self.journal.at[letter.address]) == 1
            ]
            self._expect("the living keep their mail", not alive, letter)

    def _check_room(self, word: Word) -> None:
        """Nobody waits for room in a lane that is empty."""
        life = word.target
        assert life is not None  # it was sent to somebody
        queued = [each for each in self.journal.words if each.target is life and each.may_wait]
        watches = sum(n for (who, _), n in self.journal.watches.items() if who == life.address)
        queued += [word] * (watches - life.downs.total())  # they are in that lane, too
        empty = not queued and life.ref.is_alive() and not life.left
        self._expect("who waits for room gets it", not empty, (word, life))

    def _check_answers(self) -> None:
        open_asks = [asked.word for asked in self.journal.asked if not asked.over]
        self._expect("every ask is answered", not open_asks, open_asks)
        open_stops = [life for life, end in self.journal.stops if not end.done]
        self._expect("who asks for an end is told", not open_stops, open_stops)
        self._expect("no send waits for ever", not self.journal.sending, self.journal.sending)

    def _check_families(self) -> None:
        """Siblings that start again together have all started again."""
        for life in self._living():
            strategy = life.options["strategy"]
            if life.parent is None or strategy == "one_for_one" or len(life.incarnations) < 2:
                continue
            failed = [one for one in life.incarnations[:-1] if one.failed]
            if not failed:
                continue
            at = failed[-1].over_at or 0.0
            for other in life.parent.children:
                together = strategy == "one_for_all" or other.number > life.number
                there = other.incarnations[0].born_at < at and other.ref.is_alive()
                if other is not life and together and there:
                    again = other.current.born_at >= at
                    self._expect("siblings start again together", again, (life, other))

    def _check_messages(self) -> None:
        """What was accepted was handled, failed, is a letter, or stands aside for a newer one."""
        letters: Counter[int] = Counter()
        for letter in self.system.dead_letters:
            word = letter.message
            if isinstance(word, Word) and (not word.done or self.journal.refused_too_late(word)):
                letters[word.id] += 1
        replaced, newest = 0, dict[tuple[Life | None, type, int], float]()
        for word in self.journal.words:
            if word.how == "timer" and type(word).merges:  # it may be the newest, if it fired
                newest[word.target, type(word), _slot_key(word)] = math.inf
        for word in sorted(self.journal.words, key=_acceptance, reverse=True):
            life = word.target
            assert life is not None  # everything is sent to somebody
            coalesces = type(word).merges and word.expires_at is None and word.how != "ask"
            coalesces = coalesces and issubclass(life.ref.actor_class, Sorter)
            slot = (life, type(word), _slot_key(word))
            if word.how not in ("tell", "send") or not word.accepted or word.cancelled:
                continue
            filed, began = letters[word.id], len(word.began)
            if not began and not filed and coalesces:
                replaced += 1
                self._expect(
                    "the newest is kept", newest.get(slot, 0) > word.accepted, (word, life)
                )
            elif word.done:
                self._expect("what is handled is no dead letter", not filed, word)
            elif not began:
                self._expect("nothing is lost", filed == 1, (word, life, filed))
            else:
                # who stops itself when it fails does not get it back
                lost = not filed and began == 1 and word.began[0] < life.current.number
                self._expect("a failed tell comes back", not lost or life.left, (word, life))
                self._expect("nothing is lost", filed <= 1, (word, life, filed))
            if coalesces:
                newest.setdefault(slot, word.accepted)
        coalesced = self.system.audit().coalesced
        self._expect("what stood aside is counted", replaced <= coalesced, (replaced, coalesced))

    def _check_downs(self) -> None:
        """One `Down` per watch, handled or left behind by a watcher that ended, too."""
        seen: Counter[tuple[str, str]] = Counter()
        for life in self.journal.lives.values():
            for address, count in life.downs.items():
                seen[life.address, address] += count
        for letter in self.system.dead_letters:
            if isinstance(letter.message, Down):
                seen[letter.address, letter.message.address] += 1
        watches = Counter({pair: count for pair, count in self.journal.watches.items() if count})
        self._expect("one Down per watch", seen == watches, (seen - watches, watches - seen))

    def _check_budgets(self) -> None:
        """Nobody starts again more often than its spec allows; OTP's rule of intensity."""
        for life in self.journal.lives.values():
            if life.left or (life.parent is not None and self._has_groups(life.parent)):
                continue
            intensity, period_s = life.options["intensity"], life.options["period_s"]
            again = life.decisions[: len(life.incarnations) - 1]
            for first, last in zip(again, again[intensity:], strict=False):
                self._expect("restarts have a budget", last - first >= period_s, (life, again))

    def _has_groups(self, parent: Life) -> bool:
        return any(child.options["strategy"] != "one_for_one" for child in parent.children)


def _acceptance(word: Word) -> int:
    return word.accepted


def _slot_key(word: Word) -> int:
    """Words of one class with the same key stand for each other."""
    return 0 if type(word).urgent else word.key


def _learn(journal: Journal, asked: Asked, reply: ThreadReply[Any]) -> None:
    """Have the journal told when a question of the driver is answered."""

    def learn() -> None:
        value, error = None, None
        try:
            value = reply.get(timeout=0)
        except (KernelError, Declared) as answer:
            error = answer
        journal.answered(asked, value, error)

    reply.when_done(learn)


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def run(case: Case, *, verbose: bool = False) -> Outcome:
    """Run one schedule. Raises Broken."""
    collects = gc.isenabled()
    gc.disable()  # when it runs must not depend on what ran before
    try:
        with COMPLAINTS:
            return Schedule(case, verbose=verbose).run()
    finally:
        if collects:
            gc.enable()


def main(arguments: list[str]) -> int:
    """Run what is asked for; see `campaign.main`."""
    from tests.simulation.kernel_plants import KERNEL

    with COMPLAINTS:
        return campaign.main(MODULE, run, KERNEL, arguments)


if __name__ == "__main__":
    from tests.simulation import kernel_schedules as this  # one module, not a second as __main__

    sys.exit(this.main(sys.argv[1:]))
