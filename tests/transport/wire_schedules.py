"""Random schedules of two hosts on a bad wire, and what must hold in and after each.

    python -m tests.transport.wire_schedules SEED [COUNT]      run it (them), print what was found

A seed decides everything: who dials, the windows, what is offered when, what the wire and the hosts
suffer. A *mild* schedule has only what a link must survive without giving the peer up: in it no
envelope may become ambiguous. A *harsh* one has anything. In the end all heals.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from random import Random
from typing import Final

from tests.transport.fake_host import Book, Host, MakeSession, pair
from tests.transport.fake_wire import Weather, Wire, World
from transport.events import ByeCode, Gone, LossCause, SessionLost
from transport.link import SUSPECT_S
from transport.session import Session
from transport.states import LinkState

MIB: Final = 1024 * 1024
HEALING_S: Final = 30.0  # virtual; longer than every deadline together
HONEST: Final = {  # what two hosts that keep the protocol may end a link with
    ByeCode.CLOSING,
    ByeCode.SILENT,
}


class Broken(AssertionError):
    """A rule does not hold; `seed` shows it again."""

    def __init__(self, seed: object, rule: str, found: object) -> None:
        super().__init__(seed, rule, found)
        self.seed = seed
        self.rule = rule
        self.found = found

    def __str__(self) -> str:
        again = f"again: python -m tests.transport.wire_schedules {self.seed}"
        return f"{self.rule}: {self.found}\n{again}"


class Rules(Book):
    """Keeps the books of both hosts and says when they do not agree.

    Args:
        seed: Named in errors.
        mild: Nothing happens for which a peer may be given up.
    """

    def __init__(self, seed: object, *, mild: bool) -> None:
        self.seed = seed
        self.mild = mild
        self.excused = False  # a process died or a link went: envelopes may be ambiguous
        self.open: dict[str, list[int]] = defaultdict(list)  # offered, and nothing heard yet
        self.given_up: dict[str, set[int]] = defaultdict(set)  # ambiguous, or their sender died
        self.never_left: dict[str, set[int]] = defaultdict(set)
        self.newest: dict[str, int] = defaultdict(lambda: -1)  # delivered
        self.handed_over: dict[str, set[int]] = defaultdict(set)
        self.counts: dict[str, int] = defaultdict(int)
        self.log: list[tuple[object, ...]] = []

    def _must(self, holds: bool, rule: str, *found: object) -> None:
        if not holds:
            raise Broken(self.seed, rule, found)

    def _note(self, what: str, host: Host, *more: object) -> None:
        self.counts[what] += 1
        self.log.append((round(host.world.now, 6), what, host.name, *more))

    def offered(self, host: Host, token: int) -> None:
        self.counts["offered"] += 1
        self.open[host.name].append(token)

    def delivered(self, host: Host, row: bytes) -> None:
        sender, token = _read(row)
        newest = self.newest[sender]
        self._must(token > newest, "no envelope arrives twice, none overtakes", row[:20], newest)
        missing = set(range(newest + 1, token)) - self.given_up[sender]
        self._must(not missing, "no gap", sender, token, missing)
        self._must(token not in self.never_left[sender], "unsent is unsent", sender, token)
        self.newest[sender] = token
        self._note("delivered", host, token)
        held = (len(host.unhanded), sum(host.unhanded.values()))
        self._must(
            held[0] <= host.window[0] and held[1] <= host.window[1],
            "the credit is never exceeded",
            held,
            host.window,
        )

    def handed(self, host: Host, row: bytes) -> None:
        sender, token = _read(row)
        self.handed_over[sender].add(token)

    def acknowledged(self, host: Host, tokens: list[int]) -> None:
        name = host.name
        early = set(tokens) - self.handed_over[name]
        self._must(not early, "what is acknowledged was handed over", name, early)
        mine, self.open[name] = self.open[name][: len(tokens)], self.open[name][len(tokens) :]
        self._must(mine == tokens, "acknowledged in order", name, tokens)
        self._note("acknowledged", host, tokens[-1])

    def lost(self, host: Host, lost: SessionLost[int]) -> None:
        name = host.name
        self._note("session lost", host, lost.cause, len(lost.tokens))
        self.excused |= lost.cause is LossCause.ENDED  # the link says why, and that is judged
        crossed = lost.cause is LossCause.REPLACED and host.dials and host.peer.dials
        self._must(
            self.excused or crossed, "a session dies only with a process or a link", lost.cause
        )
        self._must(
            list(lost.tokens) == self.open[name],
            "what is neither acknowledged nor in flight is ambiguous",
            lost,
            self.open[name],
        )
        unsent = set(lost.tokens[len(lost.tokens) - lost.unsent :])
        self._must(self.newest[name] not in unsent, "unsent is unsent", name, unsent)
        self.never_left[name] |= unsent
        self.given_up[name] |= set(lost.tokens)
        self.open[name] = []
        if lost.cause is LossCause.RESTARTED:
            self._must(host.peer.boots > 1, "nobody is said to have restarted who did not", name)

    def gone(self, host: Host, gone: Gone) -> None:
        self._note("gone", host, gone.code)
        self._must(gone.code in HONEST, "honest peers never break the protocol", gone)
        self._must(not self.mild, "nobody is given up for a short fault", host.name, gone)
        self.excused = True

    def killed(self, host: Host, tokens: list[int]) -> None:
        self._note("killed", host)
        self.excused = True
        self.given_up[host.name] |= set(self.open[host.name])
        self.open[host.name] = []

    def turned(self, host: Host) -> None:
        """After every turn: the books of the session, and no blind trust."""
        counted = host.session.statistics
        self._must(
            counted.sent == counted.acknowledged + counted.ambiguous + counted.in_flight,
            "sent = acknowledged + ambiguous + in flight",
            counted,
        )
        self._must(
            counted.in_flight == len(self.open[host.name]),
            "every envelope ends exactly once",
            counted,
            len(self.open[host.name]),
        )
        link = host.link
        if link is not None and link.state is LinkState.READY and host.paused_until < 0:
            silence = host.world.now - host.heard
            self._must(silence < SUSPECT_S + 1e-6, "the silent are suspect", host.name, silence)

    def healed(self, host: Host) -> None:
        """After everything healed, and time enough."""
        name = host.name
        self._must(
            host.link is not None and host.link.state is LinkState.READY,
            "after healing the link is ready",
            name,
            host.link and host.link.state,
        )
        self._must(not self.open[name], "after healing everything is known", name, self.open[name])
        self._must(not host.blocked, "who was refused hears of room", name)
        offered = set(range(host.tokens))
        known = self.handed_over[name] | self.given_up[name]
        self._must(offered <= known, "nothing is lost in silence", name, offered - known)
        if not self.excused:
            self._must(not self.given_up[name], "nothing is ambiguous without a cause", name)


def _read(row: bytes) -> tuple[str, int]:
    sender, token, _ = row.split(b":", 2)
    return sender.decode(), int(token)


@dataclass(frozen=True)
class Outcome:
    """What one schedule was, for comparing."""

    trace: str
    counts: tuple[tuple[str, int], ...]

    def __str__(self) -> str:
        return f"{self.trace} " + ", ".join(f"{n} {what}" for what, n in self.counts)


class Schedule:
    """Two hosts, a wire, and what happens to them."""

    def __init__(self, seed: int, make_session: MakeSession = Session) -> None:
        self.chance = chance = Random(f"wire {seed}")
        self.mild = chance.random() < 0.4
        self.world = World()
        self.wire = Wire(self.world, chance)
        self.rules = Rules(seed, mild=self.mild)
        self.hosts: list[Host] = []
        both = chance.random() < 0.2
        for name, dials in (("a", True), ("b", both)):
            window = (chance.choice([1, 2, 8, 64, 1024]), chance.choice([1, 1, 2, 4]) * MIB)
            self.hosts.append(
                Host(
                    self.world,
                    self.wire,
                    name,
                    chance,
                    book=self.rules,
                    window=window,
                    make_session=make_session,
                    dials=dials,
                    slow=chance.choice([0.0, 0.0, 0.01, 0.2]),
                    impatient=chance.random() < 0.8,
                )
            )
        pair(self.world, self.wire, *self.hosts)

    def run(self) -> Outcome:
        """Do everything and check everything.

        Raises:
            Broken: A rule does not hold.
        """
        self._weather()
        for _ in range(self.chance.randrange(2, 7)):
            self._suffer()
            # The next fault of a mild schedule must not hit who still recovers from this one.
            self._live(self.chance.random() * 2.0 + 3.0 * self.mild)
        self.heal()
        counts = tuple(sorted(self.rules.counts.items()))
        trace = hashlib.blake2b(repr(self.rules.log).encode(), digest_size=8).hexdigest()
        return Outcome(trace, counts)

    def heal(self) -> None:
        """End all faults, wait, and check."""
        self.wire.weather = Weather()
        self.wire.mute.clear()
        for host in self.hosts:
            if not host.up:
                self.start(host)
        self.world.run_until(self.world.now + HEALING_S)
        for host in self.hosts:
            self.rules.healed(host)

    # -- what happens -----------------------------------------------------------------------

    def _live(self, seconds: float) -> None:
        """Time passes, and envelopes are offered."""
        chance = self.chance
        end = self.world.now + seconds
        while self.world.now < end:
            self.burst(chance.choice(self.hosts), chance.randrange(1, 20))
            self.world.run_until(min(end, self.world.now + chance.expovariate(4.0)))

    def burst(self, host: Host, count: int) -> None:
        """Offer some envelopes in one turn, a few of them large."""
        for _ in range(count):
            if not host.up or self.world.now < host.paused_until:
                return
            size = 0
            if self.chance.random() < 0.03:
                size = self.chance.choice([1000, 100_000, 300_000, MIB - 64])
            if not host.offer(size):
                return

    def start(self, host: Host) -> None:
        host.boot()
        if host.dials:
            host.dial()

    def _weather(self) -> None:
        chance = self.chance
        weather = Weather(
            latency=chance.choice([0.0001, 0.001, 0.05]),
            jitter=chance.choice([0.0, 0.001, 0.05]),
            double=chance.choice([0.0, 0.0, 0.05]),
        )
        # Every gap costs a connection, and a mild schedule must find the next one within 3 s.
        weather.drop = chance.choice([0.0, 0.0, 0.02 if self.mild else 0.1])
        if not self.mild:
            weather.latency = chance.choice([weather.latency, 0.4])
            weather.drop_hello = chance.choice([0.0, 0.1])
        self.wire.weather = weather

    def _suffer(self) -> None:
        """One fault, and in mild schedules its end."""
        chance = self.chance
        host = chance.choice(self.hosts)
        match chance.randrange(6 if self.mild else 9):
            case 0:
                self._weather()
            case 1:
                self.break_one()
            case 2:
                self.wire.mute.add(host.name)
                self._live(chance.random() * (1.0 if self.mild else 10.0))
                self.wire.mute.clear()
            case 3:
                self.wire.mute |= {each.name for each in self.hosts}
                self._live(chance.random() * (1.0 if self.mild else 10.0))
                self.wire.mute.clear()
            case 4:
                host.pause(chance.random() * (2.0 if self.mild else 12.0))
                self._live(chance.random())
            case 5:
                for _ in range(chance.randrange(2, 5)):
                    self.break_one()
                    self._live(chance.random() * 0.3)
            case 6 | 7:
                self.kill(host)
                self._live(chance.random() * chance.choice([0.1, 2.0, 10.0]))
                self.start(host)
            case _:
                if host.up and host.link is not None and self.world.now >= host.paused_until:
                    host.link.close("enough")
                    host.turn()

    def kill(self, host: Host) -> None:
        host.kill(quiet=self.chance.random() < 0.3)

    def break_one(self) -> None:
        """Break the newest connection; in a mild schedule its ends are told soon."""
        chance = self.chance
        connections = self.wire.open_connections()
        if not connections:
            return
        connection = connections[-1]
        most = 0.3 if self.mild else 5.0
        told: dict[str, float | None] = {host.name: chance.random() * most for host in self.hosts}
        # A dialler that is never told finds out by the silence, and that takes its 3 s.
        may_stay_deaf = self.hosts if not self.mild else [connection.acceptor]
        for host in may_stay_deaf:
            if chance.random() < 0.3:
                told[host.name] = None
        self.wire.break_(connection, told)


def run(seed: int, make_session: MakeSession = Session) -> Outcome:
    """Run the schedule of a seed.

    Raises:
        Broken: A rule does not hold.
    """
    return Schedule(seed, make_session).run()


def main(arguments: list[str]) -> int:
    first = int(arguments[0])
    count = int(arguments[1]) if len(arguments) > 1 else 1
    failed = 0
    began = time.perf_counter()
    for seed in range(first, first + count):
        try:
            sys.stdout.write(f"{seed} {run(seed)}\n")
        except Broken as error:
            failed += 1
            sys.stdout.write(f"{seed} BROKEN {error}\n")
    seconds = time.perf_counter() - began
    sys.stderr.write(f"{count} schedules, {failed} broken, {count / seconds:.0f}/s\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
