"""Two links on a bad wire: told cases, random schedules, planted bugs.

`MOB_WIRE_SCHEDULES` says how many schedules are run (500 by default). A failing seed is named with
the command that runs it again.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.transport.ablations import ABLATIONS
from tests.transport.fake_host import Host, pair
from tests.transport.fake_wire import Weather, Wire, World
from tests.transport.wire_schedules import Broken, Rules, Schedule, run
from transport.errors import IllegalStep
from transport.events import ByeCode, Delivery, Gone, LossCause, Ready, SessionLost, Suspected
from transport.states import LinkState

ROOT = Path(__file__).resolve().parents[2]
SCHEDULES = int(os.environ.get("MOB_WIRE_SCHEDULES", "500"))
WITHIN = 250  # seeds in which a planted bug must show


class Case:
    """Two hosts whose every step is told by the test; the rules of the schedules hold here too."""

    def __init__(
        self, *, mild: bool = True, slow: float = 0.0, window: tuple[int, int] = (8, 1 << 20)
    ) -> None:
        chance = Random("told")
        self.world = World()
        self.wire = Wire(self.world, chance)
        self.rules = Rules("told", mild=mild)
        self.a, self.b = (
            Host(
                self.world,
                self.wire,
                name,
                chance,
                book=self.rules,
                window=window,
                dials=dials,
                slow=slow,
            )
            for name, dials in (("a", True), ("b", False))
        )
        pair(self.world, self.wire, self.a, self.b)
        self.after(0.1)

    def after(self, seconds: float) -> None:
        self.world.run_until(self.world.now + seconds)

    def break_(self, told_a: float | None = 0.0, told_b: float | None = 0.0) -> None:
        self.wire.break_(self.wire.connections[-1], {"a": told_a, "b": told_b})

    def states(self) -> list[LinkState | None]:
        return [host.link.state if host.link else None for host in (self.a, self.b)]


def kinds(host: Host) -> list[type]:
    return [type(event) for event in host.events]


# Told cases


def test_two_nodes_meet_and_envelopes_arrive_both_ways() -> None:
    case = Case()

    case.a.offer()
    case.b.offer()
    case.after(0.1)

    assert case.states() == [LinkState.READY, LinkState.READY]
    assert kinds(case.a) == kinds(case.b) == [Ready, Delivery]
    assert case.a.session.statistics.acknowledged == 1


def test_idle_nodes_stay_ready() -> None:
    case = Case()

    case.after(60.0)

    assert case.states() == [LinkState.READY, LinkState.READY]
    assert kinds(case.a) == kinds(case.b) == [Ready]


def test_a_lost_connection_costs_nothing_but_time() -> None:
    case = Case()
    for _ in range(5):
        case.a.offer()

    case.break_()
    case.after(1.0)

    assert case.rules.counts["delivered"] == 5
    assert kinds(case.a) == [Ready, Suspected, Ready]
    assert case.a.session.statistics.acknowledged == 5


def test_a_lost_parcel_is_a_gap_and_is_sent_again() -> None:
    case = Case()
    case.wire.weather = Weather(drop=1.0)
    case.a.offer()
    case.after(0.01)
    case.wire.weather = Weather()

    case.a.offer()
    case.after(1.0)

    assert case.rules.counts["delivered"] == 2
    assert len(case.wire.connections) == 2


def test_a_lost_tail_shows_with_the_next_beat() -> None:
    case = Case()
    case.wire.weather = Weather(drop=1.0)
    case.a.offer()
    case.after(0.01)
    case.wire.weather = Weather()

    case.after(2.0)

    assert case.rules.counts["delivered"] == 1


def test_a_killed_peer_makes_what_it_did_not_hand_over_ambiguous_at_once() -> None:
    case = Case(mild=False, slow=5.0)
    for _ in range(3):
        case.a.offer()
    case.after(0.01)

    case.b.kill()
    case.b.boot()
    case.after(1.0)

    (lost,) = [event for event in case.a.events if isinstance(event, SessionLost)]
    assert lost == SessionLost((0, 1, 2), (), LossCause.RESTARTED)
    assert case.states() == [LinkState.READY, LinkState.READY]


def test_a_peer_that_stays_away_is_gone_after_three_seconds() -> None:
    case = Case(mild=False)

    case.b.kill()
    case.after(2.9)
    before = case.states()[0]
    case.after(0.2)

    assert before is LinkState.CUT
    assert [event.code for event in case.a.events if isinstance(event, Gone)] == [ByeCode.SILENT]


def test_a_peer_whose_machine_died_is_gone_after_eight_seconds() -> None:
    case = Case(mild=False)
    case.a.impatient = False

    case.b.kill(quiet=True)
    case.after(7.0)
    before = case.states()[0]
    case.after(1.5)

    assert before is LinkState.SILENT
    assert [event.code for event in case.a.events if isinstance(event, Gone)] == [ByeCode.SILENT]


def test_a_peer_that_is_stopped_for_less_than_three_seconds_is_never_suspect() -> None:
    case = Case()

    case.b.pause(1.9)
    case.after(5.0)

    assert kinds(case.a) == kinds(case.b) == [Ready]


def test_one_that_wakes_after_a_long_stop_does_not_give_up_its_peer() -> None:
    case = Case(mild=False)
    case.a.impatient = False

    case.b.pause(7.0)
    case.after(12.0)

    assert case.states() == [LinkState.READY, LinkState.READY]
    assert kinds(case.b) == [Ready]


def test_a_one_way_cut_ends_on_both_sides() -> None:
    case = Case(mild=False)
    case.a.impatient = False
    case.wire.mute.add("b")

    case.after(9.0)

    assert Gone in kinds(case.a)
    assert Gone in kinds(case.b)


def test_a_full_window_opens_again_when_the_peer_hands_over() -> None:
    case = Case(slow=0.5)
    taken = [case.a.offer() for _ in range(9)]

    case.after(3.0)

    assert taken == [True] * 8 + [False]
    assert not case.a.blocked
    assert case.rules.counts["delivered"] == 8


def test_both_dial_at_once_and_one_connection_stays() -> None:
    case = Case()
    case.b.dials = True
    case.break_()
    case.a.dial()
    case.b.dial()

    case.after(1.0)

    assert case.states() == [LinkState.READY, LinkState.READY]
    assert len(case.wire.open_connections()) == 1


# Random schedules


def test_every_rule_holds_after_every_schedule() -> None:
    broken = []
    for seed in range(SCHEDULES):
        try:
            run(seed)
        except Broken as error:
            broken.append(str(error))

    assert not broken, "\n\n".join(broken)


@pytest.mark.parametrize("name", ABLATIONS)
def test_a_planted_bug_is_found(name: str) -> None:
    found = None
    for seed in range(WITHIN):
        try:
            run(seed, ABLATIONS[name])
        except (Broken, IllegalStep) as error:
            found = error
            break

    assert found is not None


def test_the_same_seed_gives_the_same_trace_in_every_process() -> None:
    def traces(hash_seed: str) -> str:
        return subprocess.run(
            [sys.executable, "-m", "tests.transport.wire_schedules", "0", "12"],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    first = traces("1")

    assert len(set(first.splitlines())) == 12
    assert traces("2") == first


def test_a_broken_rule_names_the_command_that_shows_it_again() -> None:
    error = Broken(7, "no gap", ("a", 3))

    assert "python -m tests.transport.wire_schedules 7" in str(error)


class BadWire(RuleBasedStateMachine):
    """Whatever happens in whatever order: after healing the books agree."""

    schedule: Schedule

    @initialize(seed=st.integers(0, 2**16))
    def start(self, seed: int) -> None:
        self.schedule = Schedule(seed)
        self.schedule.mild = self.schedule.rules.mild = False

    @rule(which=st.booleans(), count=st.integers(1, 30))
    def offer(self, which: bool, count: int) -> None:
        self.schedule.burst(self.schedule.hosts[which], count)

    @rule(seconds=st.floats(0.0, 4.0))
    def wait(self, seconds: float) -> None:
        world = self.schedule.world
        world.run_until(world.now + seconds)

    @rule()
    def break_one(self) -> None:
        self.schedule.break_one()

    @rule(which=st.booleans())
    def mute(self, which: bool) -> None:
        self.schedule.wire.mute ^= {self.schedule.hosts[which].name}

    @rule(which=st.booleans(), seconds=st.floats(0.1, 10.0))
    def pause(self, which: bool, seconds: float) -> None:
        self.schedule.hosts[which].pause(seconds)

    @rule(which=st.booleans())
    def kill_or_start(self, which: bool) -> None:
        host = self.schedule.hosts[which]
        if host.up:
            self.schedule.kill(host)
        else:
            self.schedule.start(host)

    @rule(drop=st.floats(0.0, 0.5), latency=st.floats(0.0, 0.5), double=st.floats(0.0, 0.5))
    def weather(self, drop: float, latency: float, double: float) -> None:
        self.schedule.wire.weather = Weather(latency, latency, drop, drop, double)

    def teardown(self) -> None:
        if hasattr(self, "schedule"):
            self.schedule.heal()


BadWire.TestCase.settings = settings(deadline=None, max_examples=60, stateful_step_count=30)
TestBadWire = BadWire.TestCase
