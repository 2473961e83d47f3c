"""`ActorSystem`: no global state, names, ports, other nodes, and a bounded end."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pykka
import pytest

from actors import Actor, ActorSystem, ChildSpec, ThreadActor, handles
from actors.kernel.errors import (
    ActorDead,
    KernelError,
    NameTaken,
    UnknownAddress,
)
from actors.kernel.ref import ActorRef
from actors.kernel.simulation import SimulatedWorld, simulated
from actors.system import _close_all, default_system
from tests.kernel.cast import (
    PATIENCE_S,
    Add,
    Call,
    Counter,
    Door,
    Hold,
    Logged,
    Note,
    Notebook,
    Notes,
    Puppet,
    SteppedPuppet,
    Total,
)
from transport.address import Address
from transport.errors import AddressError

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def system() -> Any:
    with ActorSystem("test") as system:
        yield system


class InMemory:
    """A Wire that joins systems of one process: `mob://other/…` leads to `other`."""

    def __init__(self) -> None:
        self.nodes: dict[str, ActorSystem] = {}

    def ref(self, address: Address) -> pykka.ActorRef[Any]:
        if address.node not in self.nodes:
            raise UnknownAddress(str(address), "no way there")
        return self.nodes[address.node].ref(str(address))


def test_two_systems_of_one_process_never_meet() -> None:
    with ActorSystem("one") as one, ActorSystem("two") as two:
        mine = one.start(Counter, 1, name="c")
        theirs = two.start(Counter, 2, name="c")
        mine.tell(Add())

        assert (mine.ask(Total()), theirs.ask(Total())) == (2, 2)
        assert mine != theirs
        assert (one.audit().sent, two.audit().sent) == (2, 1)
        with pytest.raises(UnknownAddress, match="node 'two' is not this system"):
            one.ref("mob://two/c")

        one.shutdown()
        assert theirs.ask(Total()) == 2


def test_systems_may_share_a_name() -> None:
    with ActorSystem("same") as one, ActorSystem("same") as two:
        one.start(Counter, name="c")
        two.start(Counter, name="c")

        assert one.actors() == two.actors() == ("mob://same/c",)


def test_actors_are_numbered_by_class_unless_named(system: ActorSystem) -> None:
    system.start(Counter, name="counter-2")
    kinds: list[type[Actor]] = [Counter, Counter, Notebook]
    refs = [system.start(kind) for kind in kinds]

    assert [ref.address for ref in refs] == [
        "mob://test/counter-1",
        "mob://test/counter-3",
        "mob://test/notebook-1",
    ]


def test_a_name_is_taken_while_its_actor_lives(system: ActorSystem) -> None:
    ref = system.start(Counter, name="c")
    with pytest.raises(NameTaken, match="an actor named 'c' already lives in system 'test'"):
        system.start(Notebook, name="c")
    ref.stop()

    assert system.start(Notebook, name="c").is_alive()


@pytest.mark.parametrize("name", ["", " x", "a//b", "..", "a\nb", "x" * 129])
def test_a_name_that_is_no_address_is_refused(system: ActorSystem, name: str) -> None:
    with pytest.raises(AddressError):
        system.start(Counter, name=name)


@pytest.mark.parametrize("name", ["", "a b", "a/b"])
def test_a_system_name_that_is_no_node_is_refused(name: str) -> None:
    with pytest.raises(AddressError):
        ActorSystem(name)


def test_refs_are_found_by_address_or_path(system: ActorSystem) -> None:
    class Blocking(ThreadActor):
        pass

    loop, thread = system.start(Counter, name="l"), system.start(Blocking, name="t")

    assert system.ref("l") == system.ref("mob://test/l") == loop
    assert system.ref("t") is thread
    with pytest.raises(UnknownAddress, match="no such actor"):
        system.ref("nobody")
    with pytest.raises(AddressError):
        system.ref("mob://")


def test_something_else_than_an_actor_is_refused(system: ActorSystem) -> None:
    with pytest.raises(TypeError, match="dict is neither an Actor nor a ThreadActor"):
        system.start(dict)  # type: ignore[type-var]  # that is the mistake


def test_two_systems_talk_over_a_wire() -> None:
    wire = InMemory()
    with ActorSystem("west", remote=wire) as west, ActorSystem("east", remote=wire) as east:
        wire.nodes = {"west": west, "east": east}
        east.start(Counter, 4, name="c")
        far = west.ref("mob://east/c")
        watcher = west.start(Puppet, name="p")

        async def use(actor: Actor) -> int:
            actor.watch(far)
            assert isinstance(far, ActorRef)
            await far.send(Add(n=1))
            return int(await far.request(Total()))

        assert far.ask(Total()) == 4
        assert watcher.ask(Call(use)) == 5
        assert west.start(SteppedPuppet).ask(Call(use)) == 5 + 1
        with pytest.raises(UnknownAddress, match="no way there"):
            west.ref("mob://north/c")


def test_a_wire_works_in_the_simulated_world() -> None:
    wire = InMemory()
    with simulated(3) as world:
        west = ActorSystem("west", scheduler=world, remote=wire)
        east = ActorSystem("east", scheduler=world, remote=wire)
        wire.nodes = {"west": west, "east": east}
        east.start(Counter, 4, name="c")
        watcher = west.start(Notebook)
        watcher.actor_inbox.actor.watch(west.ref("mob://east/c"))  # type: ignore[union-attr]
        west.ref("mob://east/c").stop()
        world.run_for(1)

        assert watcher.ask(Notes()) == ("mob://east/c shutdown",)
        assert west.audit().balanced
        assert east.audit().balanced


def test_everything_reaches_the_world_through_the_scheduler() -> None:
    with simulated(5) as world:
        system = ActorSystem("ports", scheduler=world)

        async def look(actor: Actor) -> tuple[float, float]:
            scheduler = actor.realm.scheduler
            await asyncio.sleep(2)
            return scheduler.clock.monotonic(), scheduler.random.random()

        first = system.start(Puppet).ask(Call(look))
    with simulated(5) as again:
        system = ActorSystem("ports", scheduler=again)

        assert system.start(Puppet).ask(Call(look)) == first
        assert not any(thread.name.startswith("ports") for thread in threading.enumerate())


def test_the_default_system_is_made_on_first_use_and_again_after_its_end() -> None:
    ref = Counter.start(3)
    first = default_system()

    assert ref.ask(Total()) == 3
    assert ref.address.startswith("mob://local/counter-")
    first.shutdown()
    again = Counter.start(4)
    assert again.ask(Total()) == 4
    assert default_system() is not first
    default_system().shutdown()


def test_shutdown_handles_what_is_queued(system: ActorSystem) -> None:
    pages: list[str] = []
    ref = system.start(Notebook, pages)
    for n in range(500):
        ref.tell(Note(text=str(n)))

    assert system.shutdown() is True
    assert pages == [str(n) for n in range(500)]
    assert system.actors() == ()
    assert system.audit().balanced


def test_shutdown_is_idempotent_and_ends_the_threads() -> None:
    system = ActorSystem("ending")
    system.start(Counter)

    assert system.shutdown() is True
    assert system.shutdown() is True
    assert not any(thread.name.startswith("ending-") for thread in threading.enumerate())


def test_a_second_shutdown_waits_for_the_first_and_says_the_same() -> None:
    entered, opened = threading.Event(), threading.Event()
    system = ActorSystem("twice")
    system.start(Door, entered, opened).tell(Hold())
    assert entered.wait(PATIENCE_S)
    said: list[bool] = []
    first = threading.Thread(target=lambda: said.append(system.shutdown(PATIENCE_S)))
    first.start()
    while not system.realm.closing:
        pass
    second = threading.Thread(target=lambda: said.append(system.shutdown(PATIENCE_S)))
    second.start()
    second.join(0.05)
    assert said == []
    opened.set()
    first.join()
    second.join()

    assert said == [True, True]
    assert system.shutdown() is True


def test_a_shutdown_that_was_not_clean_stays_so() -> None:
    entered, opened = threading.Event(), threading.Event()
    system = ActorSystem("unclean")
    system.start(Door, entered, opened).tell(Hold())
    assert entered.wait(PATIENCE_S)

    assert system.shutdown(0.01, cut_off_s=0.01) is False
    assert system.shutdown() is False
    opened.set()


def test_a_given_scheduler_is_closed_by_its_owner() -> None:
    with simulated(1) as world:
        with ActorSystem("one", scheduler=world) as one:
            assert one.start(Counter).ask(Total()) == 0
        with ActorSystem("two", scheduler=world) as two:
            assert two.start(Counter).ask(Total()) == 0


def test_nothing_starts_after_shutdown_began() -> None:
    system = ActorSystem("over")
    system.shutdown()

    class Blocking(ThreadActor):
        pass

    for kind in (Counter, Blocking):
        with pytest.raises(KernelError, match="'over' is shutting down"):
            system.start(kind)


def test_children_may_start_while_their_parent_drains(sim: tuple[Any, Any]) -> None:
    _, system = sim
    log: list[str] = []
    ref = system.start(Puppet)
    ref.tell(Call(lambda actor: actor.spawn(ChildSpec(Logged, (log, "x")))))

    assert system.shutdown() is True
    assert log in (["+x", "-x"], [])
    assert system.actors() == ()


@pytest.fixture
def sim() -> Any:
    with simulated(1) as world:
        yield world, ActorSystem("sim", scheduler=world)


def test_an_actor_that_does_not_end_in_time_is_stopped_at_once(
    sim: tuple[SimulatedWorld, ActorSystem],
) -> None:
    world, system = sim

    async def linger(_: Actor) -> None:
        await asyncio.sleep(3_600)

    ref = system.spawn(ChildSpec(Puppet, shutdown_s=1))
    ref.tell(Call(linger))

    assert system.shutdown(timeout=5) is False
    assert world.loop.time() == pytest.approx(6, abs=0.01)
    assert system.actors() == ()


def test_a_hung_actor_is_cut_off_and_nobody_waits_for_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    entered, opened = threading.Event(), threading.Event()
    system = ActorSystem("hung")
    door = system.start(Door, entered, opened)
    door.tell(Hold())
    assert entered.wait(PATIENCE_S)
    door.tell(Note(text="lost"))
    asked = door.ask(Notes(), block=False)

    assert system.shutdown(timeout=0.01) is False
    with pytest.raises(ActorDead):
        asked.get(timeout=PATIENCE_S)
    with pytest.raises(ActorDead):
        door.tell(Note(text="late"))
    assert door.stop() is False
    assert system.dead_letters.counts() == {"dead": 1}
    opened.set()


def test_a_program_that_forgets_to_shut_down_ends_all_the_same() -> None:
    code = (
        "from tests.kernel.cast import Logged\n"
        "from actors import ActorSystem\n"
        "class Speaking(Logged):\n"
        "    def on_stop(self): print('goodbye', flush=True)\n"
        "ActorSystem('forgotten').start(Speaking, [], 'x', wait=True)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "goodbye\n", "")


def test_at_exit_all_systems_share_one_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.system.EXIT_S", 0.1)
    opened = threading.Event()
    systems = [ActorSystem(name) for name in ("one", "two", "three")]
    for system in systems:
        entered = threading.Event()
        system.start(Door, entered, opened).tell(Hold())
        assert entered.wait(PATIENCE_S)
    began = time.monotonic()

    _close_all()

    assert time.monotonic() - began < 4  # each alone would take its time and be cut off after 4
    assert [system.shutdown() for system in systems] == [False, False, False]
    opened.set()


def test_a_system_shows_itself(system: ActorSystem) -> None:
    system.start(Counter)

    assert repr(system) == "<ActorSystem 'test': 1 actors>"


def test_the_kernel_alone_loads_no_library_of_other_parts() -> None:
    code = "import sys, actors; print(*{name.partition('.')[0] for name in sys.modules})"

    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()

    assert not {"typer", "rich", "apsw", "zmq", "msgpack", "uvloop", "tomllib"} & set(loaded)


def test_spawn_takes_a_spec_and_waits_if_told(system: ActorSystem) -> None:
    class Slow(Actor):
        async def on_start(self) -> None:  # type: ignore[override]  # Pykka's is a def
            await asyncio.sleep(0)
            self.up = True

        @handles
        def total(self, message: Total) -> int:
            return int(self.up)

    assert system.spawn(ChildSpec(Slow, name="slow"), wait=True).ask(Total()) == 1
