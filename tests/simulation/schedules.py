"""Random schedules of a whole mob in the seeded world, and what must hold after each.

    python -m tests.simulation.schedules SEED [COUNT] [--keep 0,3,7] [--choices 12]

A seed decides everything: what the operator does, what the members do in their turns, and in
which order the world serves them. Every operation draws from a stream of its own, so some of them
can be left out and the others stay what they are. Nothing here sleeps or looks at a real clock.
"""

from __future__ import annotations

import logging
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any, Final

from actors import launching
from actors.domain.bodies import pack
from actors.domain.definition import MobDefinition
from actors.domain.errors import MobError
from actors.domain.events import (
    Entry,
    InputAccepted,
    InputDone,
    InputFailed,
    MemberRestarted,
    MemberRetired,
    MemberSpawned,
    MobStopped,
    TurnStarted,
)
from actors.domain.inbox import TurnInput
from actors.domain.planning import plan
from actors.domain.reports import Receipt
from actors.domain.roster import Roster
from actors.kernel.future import ThreadReply
from actors.kernel.lifecycle import State
from actors.kernel.simulation import SimulatedWorld, SimulationStuck
from actors.mob import Mob
from actors.roles.messages import Die, Reconcile, Retire, Route, Spawn, Unwire, Wire
from tests.simulation import campaign
from tests.simulation.campaign import Broken, Case, Outcome
from tests.simulation.mob_cast import DEFINITION, NAMES, Journal, Stage
from transport.message import Message

MODULE: Final = "tests.simulation.schedules"
SETTLING_S = 400.0  # virtual; back-offs and turn timeouts are over long before
LATE_MS = 50  # between a retirement in the ledger and the end of the member


class Schedule:
    """One run of a mob in a seeded world."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.seed = case.seed
        chance = Random(f"operator {case.seed}")
        count = chance.randrange(5, 16)
        self.operations = [n for n in range(count) if case.keep is None or n in case.keep]
        self.settles = chance.random() < 0.7
        self.timeout = chance.choice([0.0, 0.2, 60.0])
        self.interrupt = chance.random() < 0.3
        self.world = SimulatedWorld(case.seed, free_choices=case.choices)
        self.journal = Journal()
        self.definition: MobDefinition = DEFINITION
        parts = launching.start(
            launching.read_definition(DEFINITION),
            state_dir=Path("unused"),
            durability="memory",
            scheduler=self.world,
            casting=Stage.casting,
        )
        self.parts = parts
        self.mob = Mob(parts)
        self.accepted: dict[str, str] = {}  # operator's inputs: id to member
        self.asked: list[tuple[Message, ThreadReply[Any]]] = []
        self.drained = False
        Stage.journal = self.journal
        Stage.head = parts.ledger.head
        Stage.now_ms = self.world.clock.wall_ms

    def run(self) -> Outcome:
        """Do everything and check everything.

        Raises:
            Broken: a rule does not hold.
        """
        try:
            for number in self.operations:
                chance = Random(f"operator {self.seed} {number}")
                self._operate(chance)
                if chance.random() < 0.5:
                    self.world.run_for(chance.random() * 0.1)
            if self.settles:
                self._settle()
                self._check_quiet()
            entries = self._end()
            self._check_ledger(entries)
            events = len(entries) + len(self.journal.sent)
            return Outcome(self.world.trace, len(self.operations), self.world.choices, events)
        except SimulationStuck as error:
            raise self._broken("everything ends", error) from error
        finally:
            self.world.close()

    # -- what happens -----------------------------------------------------------------------

    def _operate(self, chance: Random) -> None:
        """One thing that an operator, or bad luck, does; nobody waits for its end."""
        name = chance.choice(NAMES)
        match chance.randrange(12):
            case 0:
                self._ask(Spawn(identity=name, profile=chance.choice(["lead", "worker"])))
            case 1:
                self._ask(Retire(identity=name))
            case 2:
                self._ask(Wire(a=name, b=chance.choice(NAMES)))
            case 3:
                self._ask(Unwire(a=name, b=chance.choice(NAMES)))
            case 4:
                self._ask(Reconcile())
            case 5 | 6:
                self._kill(name)
            case _:
                self._send(name, chance)

    def _ask(self, message: Message) -> None:
        self.asked.append((message, self.parts.supervisor.ask(message, block=False)))

    def _kill(self, name: str) -> None:
        resident = self.parts.system.realm.actors.get(f"supervisor/{name}")
        if resident is not None and resident.ref.is_alive():
            resident.ref.tell(Die(reason="bad luck"))

    def _send(self, name: str, chance: Random) -> None:
        key = chance.choice([None, None, "a", "b"])
        body = f"2:{self.seed}.{chance.randrange(1000) if key is None else key}"
        mode: Any = chance.choice(["queue", "queue", "queue", "steer"])
        input_id = f"{self.world.random.getrandbits(64):016x}"
        route = Route(
            sender=None, target=name, input_id=input_id, body=pack(body), key=key, mode=mode
        )
        self.asked.append((route, self.parts.router.ask(route, block=False)))

    def _answers(self) -> None:
        """Collect the answers; every question must have one, and only the declared errors."""
        for message, reply in self.asked:
            try:
                answer = reply.get(timeout=SETTLING_S)
            except MobError:
                continue
            except Exception as error:
                raise self._broken("an answer or a declared error", (message, error)) from error
            if isinstance(answer, Receipt) and answer.outcome == "accepted":
                assert isinstance(message, Route)  # nothing else is answered with a receipt
                self.accepted[answer.input_id] = message.target
        self.asked.clear()

    def _settle(self) -> None:
        """Let everything come to rest; nothing is retired, killed or sent meanwhile."""
        self._answers()
        until = self.world.clock.monotonic() + SETTLING_S
        while self.world.clock.monotonic() < until:
            status = self.mob.status()
            living = len(status.held) + len(self._awake())
            if not (status.queued or status.running) and living == status.members:
                return
            self.world.run_for(1.0)
        raise self._broken("everything ends", self.mob.members())

    def _awake(self) -> list[str]:
        """The members that are up, not waiting for a restart."""
        cells: dict[str, Any] = dict(self.parts.system.realm.actors)
        return [
            path
            for path, cell in cells.items()
            if path.startswith("supervisor/") and cell.state is State.RUNNING
        ]

    def _end(self) -> list[Entry]:
        timeout, interrupt = self.timeout, self.interrupt
        entries = list(self.mob.events())
        try:
            self._answers() if timeout else None
        finally:
            self.drained = self.mob.shutdown(timeout, interrupt=interrupt).drained and not interrupt
        entries += self.mob.events(after=len(entries))
        return entries

    # -- what must hold ---------------------------------------------------------------------

    def _expect(self, rule: str, holds: bool, found: object) -> None:
        if not holds:
            raise self._broken(rule, found)

    def _broken(self, rule: str, found: object) -> Broken:
        return Broken(self.case, rule, found, self.operations, self.world.choices)

    def _check_quiet(self) -> None:
        """Rules of a mob at rest."""
        roster = Roster.fold(entry.event for entry in self.mob.events())
        supervisor: Any = self.parts.supervisor.actor_inbox.actor
        known = supervisor._roster.snapshot()
        self._expect("the ledger folds to the roster", roster.snapshot() == known, known)

        router: Any = self.parts.router.actor_inbox.actor
        open_pairs = {(a, b) for a, peers in router._peers.items() for b in peers if a < b}
        self._expect(
            "the router opens what is on the roster", open_pairs == roster.pairs, open_pairs
        )
        edges: Any = self.parts.edges.actor_inbox.actor
        managed = {edge.pair for edge in edges._managed}
        self._expect("ownership is durable", managed == roster.managed_pairs, managed)

        self.world.run_until(lambda: not self.mob.audit().in_flight, timeout=1.0)
        audit = self.mob.audit()
        self._expect("every message ended once", audit.balanced and not audit.in_flight, audit)

        self.mob.reconcile()
        todo = plan(self.definition, supervisor._roster, 0.0)
        self._expect("a plan after a reconcile is empty", todo.empty, todo)

    def _check_ledger(self, entries: list[Entry]) -> None:
        """Rules of the whole run, read from its ledger."""
        cursors = [entry.cursor for entry in entries]
        self._expect("cursors have no gap", cursors == list(range(1, len(entries) + 1)), cursors)
        last = entries[-1].event if entries else None
        self._expect("the end is written", isinstance(last, MobStopped), last)
        fences = [
            entry.event.fence
            for entry in entries
            if isinstance(entry.event, MemberSpawned | MemberRestarted)
        ]
        self._expect("fences rise", all(a < b for a, b in pairwise(fences)), fences)
        self._check_turns(entries)
        self._check_ends(entries)
        self._check_firewall(entries)

    def _check_turns(self, entries: list[Entry]) -> None:
        roster = Roster()
        attempts: dict[tuple[str, str], int] = {}
        for entry in entries:
            event = entry.event
            roster.apply(event)
            if isinstance(event, TurnStarted):
                member = roster.members.get(event.identity)
                living = member is None or member.fence == event.fence  # None: it is being stopped
                self._expect("a turn begins in the living incarnation", living, event)
                key = (event.identity, event.input_id)
                attempts[key] = attempts.get(key, 0) + 1
                self._expect("attempts are counted", attempts[key] == event.attempt, event)

    def _check_ends(self, entries: list[Entry]) -> None:
        """Accepted inputs end once; those of a member that was retired, or is held, may stay."""
        ends = Counter(_ends(entries))
        twice = [key for key, count in ends.items() if count > 1]
        self._expect("no input ends twice", not twice, twice)
        accepted = {
            (entry.event.identity, entry.event.input_id): entry.cursor
            for entry in entries
            if isinstance(entry.event, InputAccepted)
        }
        for input_id, name in self.accepted.items():
            key = (name, input_id)
            self._expect("a receipt is in the ledger", key in accepted, key)
        for sent in self.journal.sent:
            accepted.setdefault((sent.target, sent.input_id), sent.before)
        lost = {
            letter.message.input_id
            for letter in self.parts.system.dead_letters
            if isinstance(letter.message, TurnInput)
        }
        if not self.drained:
            return
        members = Roster.fold(entry.event for entry in entries).members
        held = {name for name, member in members.items() if member.state == "held"}
        left = {
            key: cursor
            for key, cursor in accepted.items()
            if not ends[key] and key[0] not in held and key[1] not in lost | self._settled()
        }
        self._expect("what was accepted has ended or is a dead letter", not left, left)
        alive = {
            key: cursor
            for key, cursor in accepted.items()
            if key[1] in lost and not ends[key] and not _retired(entries, key[0], cursor)
        }
        self._expect("only a retired member loses its inputs", not alive, alive)

    def _settled(self) -> set[str]:
        """Inputs of peers that a turn took: they end with it, and not in the ledger."""
        return self.journal.taken - self.accepted.keys()

    def _check_firewall(self, entries: list[Entry]) -> None:
        """No delivery without an edge at some moment between its sending and its receipt."""
        at_ms = [entry.at_ms for entry in entries]
        for sent in self.journal.sent:
            pair = tuple(sorted((sent.sender, sent.target)))
            begin = sent.before
            # a member that is being retired may be reached until it has ended
            for at in range(begin - 1, -1, -1):
                if sent.at_ms - at_ms[at] > LATE_MS:
                    break
                if isinstance(entries[at].event, MemberRetired):
                    begin = at
            roster = Roster.fold(entry.event for entry in entries[:begin])
            seen = pair in roster.pairs
            for entry in entries[begin : sent.after]:
                roster.apply(entry.event)
                seen = seen or pair in roster.pairs
            self._expect("no edge, no delivery", seen, sent)


def _ends(entries: list[Entry]) -> Iterator[tuple[str, str]]:
    for entry in entries:
        event = entry.event
        if isinstance(event, InputDone) or (isinstance(event, InputFailed) and event.quarantined):
            yield event.identity, event.input_id


def _retired(entries: list[Entry], name: str, cursor: int) -> bool:
    """Whether a member was retired after it had accepted something, or while it did."""
    since = entries[max(cursor - 1, 0)].at_ms - LATE_MS
    return any(
        isinstance(entry.event, MemberRetired)
        and entry.event.identity == name
        and entry.at_ms >= since
        for entry in entries
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Members are killed thousands of times here; each is an error in the log."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def run(case: Case, *, verbose: bool = False) -> Outcome:
    """Run one schedule. Raises Broken."""
    return Schedule(case).run()


def main(arguments: list[str]) -> int:
    """Run what is asked for; see `campaign.main`."""
    from tests.simulation.mob_plants import MOB

    with quiet():
        return campaign.main(MODULE, run, MOB, arguments)


if __name__ == "__main__":
    from tests.simulation.schedules import main as again  # so that turns and driver share a module

    sys.exit(again(sys.argv[1:]))
