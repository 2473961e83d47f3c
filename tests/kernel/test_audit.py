"""Conservation: every message ends exactly once, and `audit()` proves it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import random
import threading
from collections import Counter as Tallies
from collections.abc import Iterator
from typing import Any

import pykka
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors import Actor, ActorSystem, ChildSpec, Down, Message, handles
from actors.kernel.counters import Audit, Tally
from actors.kernel.errors import KernelError
from actors.kernel.future import Reply
from actors.kernel.ref import ActorRef
from actors.kernel.simulation import simulated
from tests.kernel.cast import (
    PATIENCE_S,
    Add,
    AskBoom,
    Boom,
    Call,
    Counter,
    Hold,
    Leave,
    Note,
    Parent,
    Peek,
    Sleeper,
    Total,
)

SCHEDULES = 60  # of what one actor may do; tests/simulation has trees of them and more rules


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.CRITICAL, "actors"):
        yield


class Busy(Sleeper):
    """Everything that can happen to a message, in one actor."""

    def __init__(self, peers: list[ActorRef[Any]]) -> None:
        super().__init__()
        self.peers = peers

    @handles
    def boom(self, message: Boom) -> None:
        raise ValueError("boom")

    @handles
    def ask_boom(self, message: AskBoom) -> int:
        raise ValueError("boom")

    @handles
    def leave(self, message: Leave) -> None:
        self.stop()

    @handles(stepped=True)
    async def total(self, message: Total) -> int:
        peer = self.realm.scheduler.random.choice(self.peers)
        try:
            return len(await peer.request(Peek(), timeout=1))
        except KernelError:
            return -1

    @handles
    async def call(self, message: Call) -> None:
        self.peers[0].tell(Note(text="onward"))


def play(seed: int) -> tuple[Audit, str]:
    """A random schedule of everything; what the audit says when it is over."""
    chance = random.Random(seed)
    messages = [Add(), Note(text="x"), Boom(), Hold(), Leave(), Call(lambda _: None), object()]
    questions = [Total(), AskBoom(), Peek(), Hold(), Leave()]
    with simulated(seed) as world, ActorSystem("sim", scheduler=world) as sim:
        refs: list[ActorRef[Any]] = []
        for _ in range(4):
            restart = chance.choice(["permanent", "transient", "temporary"])
            spec = ChildSpec(
                Busy,
                (refs,),
                restart=restart,  # type: ignore[arg-type]  # chosen from its values
                mailbox=chance.choice([1, 3, 100]),
                intensity=chance.choice([0, 2, 5]),
            )
            refs.append(sim.spawn(spec))
        for _ in range(chance.randrange(10, 80)):
            ref = chance.choice(refs)
            try:
                act = chance.random()
                if act < 0.6:
                    expires = chance.choice([None, 0.5])
                    ref.tell(chance.choice(messages), expires=expires)
                elif act < 0.85:
                    _ = ref.ask(chance.choice(questions), block=False)
                elif act < 0.9:
                    ref.stop(block=False, drain=chance.random() < 0.5)
                else:
                    world.run_for(chance.random())
            except KernelError:
                pass
        world.run_for(60)
        assert sim.audit().balanced, (seed, sim.audit())
        sim.shutdown()
        return sim.audit(), world.trace


@pytest.mark.parametrize("seed", range(SCHEDULES))
def test_every_message_ends_exactly_once_in_any_schedule(seed: int) -> None:
    audit, _ = play(seed)

    assert audit.balanced, audit
    assert audit.in_flight == 0


def test_the_same_seed_gives_the_same_trace_and_audit() -> None:
    assert play(11) == play(11)


class Latest(Message, tag="test.latest"):
    key: int
    n: int


class Watch(Message, tag="test.watch"):
    address: str


class Child(Counter):
    """Adds, fails, coalesces and waits."""

    @handles(coalesce=lambda message: message.key)
    def latest(self, message: Latest) -> None:
        self.total = message.n

    @handles
    async def hold(self, message: Hold) -> None:
        await asyncio.sleep(0)

    @handles(control=True)
    def note(self, message: Note) -> None:
        self.total += 1


class Watcher(Actor):
    """Counts the `Down`s it gets for those it was told to watch."""

    def __init__(
        self, refs: dict[str, ActorRef[Any]], watched: Tallies[str], downs: Tallies[str]
    ) -> None:
        super().__init__()
        self.refs = refs
        self.watched = watched
        self.downs = downs
        self.asker: Reply[Any] | None = None

    @handles
    def begin(self, message: Watch) -> None:
        self.watched[message.address] += 1
        self.watch(self.refs[message.address])

    @handles
    def down(self, message: Down) -> None:
        self.downs[message.address] += 1
        if self.asker is not None and not self.watched - self.downs:
            self.asker.set(0)

    @handles
    def none_missing(self, message: Total) -> int:
        """Answered when every watch has its `Down`."""
        self.asker = self.promise()
        if not self.watched - self.downs:
            self.asker.set(0)
        return self.asker  # type: ignore[return-value]  # an answer that may come later


class Stress:
    """Families on both loops that restart together, watchers, and actors that come and go."""

    def __init__(self, system: ActorSystem) -> None:
        self.system = system
        self.refs: dict[str, ActorRef[Any]] = {}
        self.answers: list[pykka.Future[Any]] = []
        self.family: list[Any] = []  # refs of Child
        self.tallies = [(Tallies[str](), Tallies[str]()) for _ in range(2)]
        self.watchers = [system.start(Watcher, self.refs, *both) for both in self.tallies]
        for number, strategy in enumerate(("one_for_one", "rest_for_one", "one_for_all")):
            child = ChildSpec(
                Child,
                restart="permanent",
                strategy=strategy,  # type: ignore[arg-type]  # each of them is one
                intensity=10**9,
                backoff_s=0.0,
                loop="system" if number == 1 else "member",
            )
            specs = tuple(dataclasses.replace(child, name=name) for name in "abc")
            system.start(Parent, specs, name=strategy, wait=True)
            self.family += (system.ref(f"{strategy}/{name}") for name in "abc")

    def work(self, number: int) -> None:
        """What one thread does."""
        chance = random.Random(number)
        for n in range(1_500):
            with contextlib.suppress(KernelError):  # full, or gone: the sender was told
                self._act(chance, n)

    def _act(self, chance: random.Random, n: int) -> None:
        ref = chance.choice(self.family)
        kind = chance.random()
        if n % 100 == 99:
            self._come_and_go(chance)
        elif kind < 0.5:
            ref.tell(Add(), timeout=chance.choice([None, PATIENCE_S]))
        elif kind < 0.7:
            ref.tell(Latest(key=n % 3, n=n))
        elif kind < 0.75:
            ref.tell(Note(text="x"))
        elif kind < 0.77:
            self.answers.append(ref.ask(chance.choice([AskBoom(), Leave()]), block=False))
        elif kind < 0.78:
            ref.tell(Boom())
        else:
            self.answers.append(ref.ask(chance.choice([Total(), Hold()]), block=False))

    def _come_and_go(self, chance: random.Random) -> None:
        """Start somebody, tell it something, have it watched, stop it: in any order, and twice."""
        ref = self.system.start(Child)
        self.refs[ref.address] = ref

        def stop() -> None:
            self.answers.append(ref.stop(block=False, drain=chance.random() < 0.5))

        acts = [
            lambda: ref.tell(Add()),
            lambda: ref.tell(Latest(key=1, n=1)),
            lambda: self.watchers[0].tell(Watch(address=ref.address), timeout=PATIENCE_S),
            lambda: self.watchers[1].tell(Watch(address=ref.address), timeout=PATIENCE_S),
            stop,
            stop,
        ]
        chance.shuffle(acts)
        for act in acts:
            with contextlib.suppress(KernelError):
                act()


def test_eight_threads_lose_no_message() -> None:
    with ActorSystem("stress") as system:
        stress = Stress(system)
        threads = [threading.Thread(target=stress.work, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for answer in stress.answers:
            with contextlib.suppress(KernelError):
                answer.get(timeout=PATIENCE_S)
        for watcher in stress.watchers:
            watcher.ask(Total(), timeout=PATIENCE_S)
        assert system.shutdown()
        audit = system.audit()

    assert audit.balanced, audit
    assert audit.in_flight == 0
    assert audit.sent >= 12_000
    assert audit.coalesced > 0
    assert audit.failed > 0
    for watched, downs in stress.tallies:
        assert watched == downs
        assert watched.total() > 100
    assert system.actors() == ()


def test_no_ask_hangs_when_it_races_with_the_end() -> None:
    with ActorSystem("race") as system:
        for _ in range(200):
            ref = system.start(Counter)
            ready = threading.Barrier(2)

            def stop(ref: ActorRef[Counter] = ref, ready: threading.Barrier = ready) -> None:
                ready.wait()
                ref.stop()

            stopper = threading.Thread(target=stop)
            stopper.start()
            ready.wait()
            answers = [ref.ask(Total(), block=False) for _ in range(20)]
            for answer in answers:
                with contextlib.suppress(pykka.ActorDeadError):
                    answer.get(timeout=PATIENCE_S)
            stopper.join()
        assert system.audit().balanced


def test_actors_may_stop_and_start_while_others_look() -> None:
    with ActorSystem("looking") as system:
        done = threading.Event()
        seen: list[bool] = []

        def look() -> None:
            while not done.is_set():
                system.audit()
                seen.append(all(address.startswith("mob://") for address in system.actors()))

        looker = threading.Thread(target=look)
        looker.start()
        for _ in range(300):
            system.start(Counter).stop()
        done.set()
        looker.join()

        assert all(seen)
        assert system.actors() == ()


@given(st.lists(st.booleans(), max_size=50))
def test_a_tally_counts_bumps_and_not_looks(acts: list[bool]) -> None:
    tally, bumps = Tally(), 0
    for bump in acts:
        if bump:
            tally.bump()
            bumps += 1
        else:
            assert tally.value() == bumps

    assert tally.value() == bumps


def test_threads_never_lose_a_count() -> None:
    tally = Tally()
    threads = [
        threading.Thread(target=lambda: [tally.bump() for _ in range(20_000)]) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert tally.value() == 160_000


def test_an_unbalanced_audit_says_so() -> None:
    audit = Audit(
        sent=2,
        handled=1,
        failed=0,
        rejected=0,
        coalesced=0,
        dead_lettered=0,
        ambiguous=0,
        in_flight=0,
    )

    assert not audit.balanced
