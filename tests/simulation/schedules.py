"""Random schedules of a whole mob in the seeded world, and what must hold after each.

    python -m tests.simulation.schedules SEED [COUNT]      run it (them), print what was found

A seed decides everything: what the operator does, what the members do in their turns, and in
which order the world serves them. Nothing here sleeps or looks at a real clock.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any, Final

from actors import launching
from actors.domain.bodies import pack
from actors.domain.definition import MobDefinition
from actors.domain.definition_file import definition_from
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
from actors.executors.context import TurnContext
from actors.kernel.future import ThreadReply
from actors.kernel.lifecycle import State
from actors.kernel.simulation import SimulatedWorld
from actors.launching import Casting
from actors.mob import Mob
from actors.roles.messages import (
    Die,
    Reconcile,
    Retire,
    Route,
    Spawn,
    Unwire,
    Wire,
)
from transport.message import Message

DEFINITION = definition_from(
    {
        "id": "schedule",
        "profiles": {
            "lead": {"call": "tests.simulation.schedules:work"},
            "worker": {
                "call": "tests.simulation.schedules:work",
                "limits": {"attempts": 2, "inbox": 4, "turn_timeout_s": 5.0},
            },
        },
        "members": [
            {"name": "lead", "profile": "lead"},
            {"name": "w", "profile": "worker", "count": 2},
        ],
        "wiring": {"orchestrator": "lead", "auto_wire_orchestrator": True},
        "limits": {"restarts": 4, "restart_window_s": 20.0, "resync_s": 10.0},
    }
)
AS_IS: Final = Casting()
NAMES = ("lead", "w-1", "w-2", "x-1", "x-2")
SETTLING_S = 400.0  # virtual; back-offs and turn timeouts are over long before
LATE_MS = 50  # between a retirement in the ledger and the end of the member


class Broken(AssertionError):
    """A rule does not hold; `seed` shows it again."""

    def __init__(self, seed: int, rule: str, found: object) -> None:
        super().__init__(seed, rule, found)
        self.seed = seed
        self.rule = rule
        self.found = found

    def __str__(self) -> str:
        return f"{self.rule}: {self.found}\nagain: python -m tests.simulation.schedules {self.seed}"


@dataclass
class Sent:
    """A delivery between members that was acknowledged to its sender."""

    sender: str
    target: str
    input_id: str
    before: int  # cursor of the ledger when it was sent
    after: int  # and when the receipt came
    at_ms: int


@dataclass
class Journal:
    """What the members of the running schedule saw; there is one schedule at a time."""

    sent: list[Sent] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)  # by a turn, at a boundary; of peers or not
    began: Counter[str] = field(default_factory=Counter)


class _Now:
    """The schedule that runs: turns find their journal and their mob here."""

    journal = Journal()
    head: Callable[[], int] = staticmethod(lambda: 0)
    now_ms: Callable[[], int] = staticmethod(lambda: 0)


async def work(ctx: TurnContext) -> object:
    """A turn: its body is `DEPTH:SEED`, and the seed says what it does."""
    depth_text, _, seed = str(ctx.input.body).partition(":")
    depth = int(depth_text)
    chance = Random(f"{seed} {ctx.attempt}")
    _Now.journal.began[f"{ctx.member}/{ctx.input.input_id}"] += 1
    for step in range(chance.randrange(5)):
        body = f"{depth - 1}:{seed}.{step}"
        match chance.randrange(8 if depth > 0 else 4):
            case 0:
                await asyncio.sleep(chance.random() * 0.2)
            case 1:
                await ctx.emit("step", step)
            case 2:
                taken = await ctx.boundary(wait=chance.choice([0.0, 0.05]))
                _Now.journal.taken.update(each.input_id for each in taken)
            case 3:
                if chance.random() < 0.3:
                    raise ValueError("this turn fails")
            case 4 | 5 | 6:
                await _try_to_send(ctx, _somebody(ctx, chance), body, chance)
            case _:
                try:
                    await ctx.ask(_somebody(ctx, chance), body, timeout=1.0)
                except (MobError, TimeoutError):
                    continue
    return depth


def _somebody(ctx: TurnContext, chance: Random) -> str:
    """A peer more often than not; else anybody, there or not."""
    return chance.choice(ctx.peers if ctx.peers and chance.random() < 0.8 else NAMES)


async def _try_to_send(ctx: TurnContext, to: str, body: str, chance: Random) -> None:
    before, at_ms = _Now.head(), _Now.now_ms()
    mode: Any = chance.choice(["queue", "steer"])
    try:
        receipt = await ctx.send(to, body, mode=mode, timeout=chance.choice([0.1, 2.0]))
    except (MobError, TimeoutError):
        return
    sent = Sent(ctx.member, to, receipt.input_id, before, _Now.head(), at_ms)
    _Now.journal.sent.append(sent)


@dataclass(frozen=True)
class Outcome:
    """What one schedule was, for comparing."""

    trace: str
    entries: int
    deliveries: int


class Schedule:
    """One run of a mob in a seeded world."""

    def __init__(self, seed: int, casting: Casting = AS_IS) -> None:
        self.seed = seed
        self.chance = Random(f"operator {seed}")
        self.world = SimulatedWorld(seed)
        self.journal = Journal()
        self.definition: MobDefinition = DEFINITION
        parts = launching.start(
            launching.read_definition(DEFINITION),
            state_dir=Path("unused"),
            durability="memory",
            scheduler=self.world,
            casting=casting,
        )
        self.parts = parts
        self.mob = Mob(parts)
        self.accepted: dict[str, str] = {}  # operator's inputs: id to member
        self.asked: list[tuple[Message, ThreadReply[Any]]] = []
        self.drained = False
        _Now.journal = self.journal
        _Now.head = parts.ledger.head
        _Now.now_ms = self.world.clock.wall_ms

    def run(self) -> Outcome:
        """Do everything and check everything.

        Raises:
            Broken: a rule does not hold.
        """
        try:
            for _ in range(self.chance.randrange(5, 16)):
                self._operate()
                if self.chance.random() < 0.5:
                    self.world.run_for(self.chance.random() * 0.1)
            if self.chance.random() < 0.7:
                self._settle()
                self._check_quiet()
            entries = self._end()
            self._check_ledger(entries)
            return Outcome(self.world.trace, len(entries), len(self.journal.sent))
        finally:
            self.world.close()

    # -- what happens -----------------------------------------------------------------------

    def _operate(self) -> None:
        """One thing that an operator, or bad luck, does; nobody waits for its end."""
        chance = self.chance
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
                self._send(name)

    def _ask(self, message: Message) -> None:
        self.asked.append((message, self.parts.supervisor.ask(message, block=False)))

    def _kill(self, name: str) -> None:
        resident = self.parts.system.realm.actors.get(f"supervisor/{name}")
        if resident is not None and resident.ref.is_alive():
            resident.ref.tell(Die(reason="bad luck"))

    def _send(self, name: str) -> None:
        chance = self.chance
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
                raise Broken(
                    self.seed, "an answer or a declared error", (message, error)
                ) from error
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
        raise Broken(self.seed, "everything ends", self.mob.members())

    def _awake(self) -> list[str]:
        """The members that are up, not waiting for a restart."""
        cells: dict[str, Any] = dict(self.parts.system.realm.actors)
        return [
            path
            for path, cell in cells.items()
            if path.startswith("supervisor/") and cell.state is State.RUNNING
        ]

    def _end(self) -> list[Entry]:
        timeout = self.chance.choice([0.0, 0.2, 60.0])
        interrupt = self.chance.random() < 0.3
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
            raise Broken(self.seed, rule, found)

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
            while (
                begin
                and isinstance(entries[begin - 1].event, MemberRetired)
                and (sent.at_ms - at_ms[begin - 1] <= LATE_MS)
            ):
                begin -= 1
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


def run(seed: int, casting: Casting = AS_IS) -> Outcome:
    """Run one schedule. Raises Broken."""
    return Schedule(seed, casting).run()


def main(arguments: list[str]) -> int:
    """Run the seeds that are asked for and print what was found."""
    first = int(arguments[0])
    count = int(arguments[1]) if len(arguments) > 1 else 1
    logging.disable(logging.CRITICAL)
    began = time.perf_counter()
    broken = 0
    for seed in range(first, first + count):
        try:
            outcome = run(seed)
        except Broken as error:
            broken += 1
            sys.stdout.write(f"seed {seed}: {error}\n")
        else:
            if count <= 20:
                found = f"{outcome.trace} {outcome.entries} {outcome.deliveries}"
                sys.stdout.write(f"seed {seed}: {found}\n")
    took = time.perf_counter() - began
    sys.stderr.write(f"{count} schedules, {broken} broken, {count / took:.0f}/s\n")
    return 1 if broken else 0


if __name__ == "__main__":
    from tests.simulation.schedules import main as again  # so that turns and driver share a module

    sys.exit(again(sys.argv[1:]))
