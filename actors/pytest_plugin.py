"""Fixtures for tests of your own actors and mobs; pytest finds them by itself.

    def test_adding(system):                       # real loops; shut down and audited afterwards
        counter = system.start(Counter, 0)
        counter.tell(Add(n=2))
        assert counter.ask(Total()) == 2

    @pytest.mark.mob("team.toml")                  # beside the test; or a dict, or `mob_definition`
    def test_a_question(mob):                      # in memory; shut down afterwards
        assert mob.ask("lead", "hello").value

    def test_transfers(sim):                       # once per seed, in virtual time
        bank = sim.system.start(Bank)
        bank.tell(Transfer(n=10))
        sim.run_for(1.0)
        assert bank.ask(Total()) == 10

`sim` runs the test function for 20 seeds (`--sim-seeds N`), each with a new world. A seed that
fails is run again with fewer and fewer free choices, and the command that shows it again is
printed (`--sim-seed S`, `--sim-choices K`). docs/simulation.md has the whole story.

Nothing is imported here that `import actors` does not load; each fixture loads what it needs.
"""

from __future__ import annotations

import inspect
import os
import shlex
import sys
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

import pytest

if TYPE_CHECKING:
    from actors.domain.definition import MobDefinition
    from actors.kernel.simulation import SimulatedWorld
    from actors.mob import Mob
    from actors.system import ActorSystem

R = TypeVar("R")
SEEDS: Final = 20
END_S: Final = 5.0  # for actors to end after a test; virtual for `sim`
SHRINK_S: Final = 10.0  # at most, to find fewer choices with which a seed fails


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of `sim`."""
    group = parser.getgroup("actors", "actors on the seeded scheduler (fixture sim)")
    group.addoption(
        "--sim-seeds", type=_positive, default=SEEDS, metavar="N", help=f"seeds per test ({SEEDS})"
    )
    group.addoption("--sim-seed", type=int, metavar="S", help="run this seed and no other")
    group.addoption(
        "--sim-choices",
        type=int,
        metavar="K",
        help="let the seed make the first K choices only; then the oldest of everything goes first",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers",
        "mob(definition): the mob of the fixture `mob`; a file beside the test, or a dict",
    )


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


# -- real loops ---------------------------------------------------------------------------------


@pytest.fixture
def system() -> Iterator[ActorSystem]:
    """An `ActorSystem` of its own; the test fails if an actor does not end or a message is lost."""
    from actors.system import ActorSystem

    system = ActorSystem("test")
    yield system
    problem = _end(system)
    if problem:
        pytest.fail(problem, pytrace=False)


def _end(system: ActorSystem) -> str:
    """Shut a system down; what is wrong with its end, or ""."""
    busy = [system.stacks().busy]
    loop = system.realm.scheduler.dispatcher("system")
    # who hangs is seen shortly before the time is up; afterwards it is cut off
    loop.call(lambda: loop.later(0.9 * END_S, lambda: busy.append(system.stacks().busy)))
    if not system.shutdown(timeout=END_S):
        shown = "\n".join(map(str, busy[-1]))
        return f"not every actor ended within {END_S:g} s after the test:\n{shown}"
    audit = system.audit()
    if audit.in_flight or not audit.balanced:
        return f"a message did not end exactly once: {audit}"
    return ""


# -- mobs ---------------------------------------------------------------------------------------


@pytest.fixture
def mob_definition(request: pytest.FixtureRequest) -> str | Path | Mapping[str, object]:
    """What `mob` launches: by default the argument of the marker `mob`. Override it at will."""
    marker = request.node.get_closest_marker("mob")
    if marker is None or len(marker.args) != 1:
        pytest.fail(
            "the fixture 'mob' does not know which mob: mark the test with "
            '@pytest.mark.mob("team.toml"), or with a dict, or define a fixture mob_definition',
            pytrace=False,
        )
    given: str | Path | Mapping[str, object] = marker.args[0]
    return request.path.parent / given if isinstance(given, str | Path) else given


@pytest.fixture
def mob(
    mob_definition: str | Path | Mapping[str, object] | MobDefinition, tmp_path: Path
) -> Iterator[Mob]:
    """A running mob whose ledger is in memory; the test fails if it cannot be drained."""
    from actors.mob import Mob

    mob = Mob.launch(mob_definition, state_dir=tmp_path / "mob", durability="memory")
    yield mob
    report = mob.shutdown(END_S)
    if not report.drained:
        waited = ", ".join(report.waiting_for) or "nothing that it knows of"
        pytest.fail(
            f"the mob was not drained within {END_S:g} s after the test; it waited for {waited}",
            pytrace=False,
        )


# -- the seeded scheduler -----------------------------------------------------------------------


class Sim:
    """A system on the seeded scheduler; everything runs in the test's thread, in virtual time.

    Attributes:
        seed: What decides every choice.
        world: The scheduler: clock, random numbers, `run_until`, `trace`.
        system: The `ActorSystem` on it.
    """

    def __init__(self, seed: int, free_choices: int | None = None) -> None:
        from actors.kernel.simulation import SimulatedWorld
        from actors.system import ActorSystem

        self.seed = seed
        self.world: SimulatedWorld = SimulatedWorld(seed, free_choices=free_choices)
        self.system: ActorSystem = ActorSystem("sim", scheduler=self.world)

    def run_for(self, seconds: float) -> None:
        """Let virtual time pass; what is due at its end happens, too."""
        self.world.run_for(seconds)

    def run_until(self, done: Callable[[], bool], *, timeout: float | None = None) -> bool:
        """Run until `done()`, or for `timeout` virtual seconds; whether it is done.

        Raises:
            SimulationStuck: nothing is left to run and there is no timeout.
        """
        return self.world.run_until(done, timeout=timeout)

    def run(self, work: Coroutine[Any, Any, R]) -> R:
        """Run a coroutine on the actors' loop; in it `await ref.request(…)` works."""
        return self.world.run(work)

    def __repr__(self) -> str:
        return f"<Sim seed={self.seed} at {self.world.clock.monotonic():g} s>"


class _EverySeed:
    """What the fixture gives; the test function gets a `Sim` per seed in its place."""

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(
            f"sim.{name} is there in the test function only: every seed has a world of its own, "
            "while a fixture is made once; start the actors in the test, or in a function it calls"
        )


@pytest.fixture
def sim() -> Any:  # Any: a Sim, to the test function
    """Your actors on the seeded scheduler (`Sim`); the test function is run once per seed."""
    return _EverySeed()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test function that has `sim` once per seed."""
    if not isinstance(pyfuncitem.funcargs.get("sim"), _EverySeed):
        return None
    one: int | None = pyfuncitem.config.getoption("--sim-seed")
    count: int = pyfuncitem.config.getoption("--sim-seeds")
    limit: int | None = pyfuncitem.config.getoption("--sim-choices")
    for seed in range(count) if one is None else (one,):
        failure = _attempt(pyfuncitem, seed, limit)
        if failure is not None:
            smallest = failure if limit is not None else _shrink(pyfuncitem, seed, failure)
            _tell(smallest.error, _story(pyfuncitem, seed, failure, smallest))
            raise smallest.error
    return True


class _Failure:
    """How a test failed, after how many choices of its seed."""

    def __init__(self, error: BaseException, choices: int) -> None:
        self.error = error
        self.choices = choices


def _attempt(item: pytest.Function, seed: int, free_choices: int | None) -> _Failure | None:
    """Run a test function with one seed; how it failed, if it did."""
    sim = Sim(seed, free_choices)
    wanted = inspect.signature(item.obj).parameters
    arguments = {name: value for name, value in item.funcargs.items() if name in wanted}
    try:
        result = item.obj(**arguments | {"sim": sim})
        if inspect.iscoroutine(result):
            sim.run(result)
        problem = _end(sim.system)
        if problem:
            pytest.fail(problem, pytrace=False)
    except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001 - raised again, smaller
        return _Failure(error, sim.world.choices)
    finally:
        sim.world.close()
    return None


def _shrink(item: pytest.Function, seed: int, failure: _Failure) -> _Failure:
    """The same kind of failure with as few free choices as can be found in a few seconds."""
    until = time.monotonic() + SHRINK_S
    low, best = -1, failure
    while best.choices - low > 1 and time.monotonic() < until:
        middle = 0 if low < 0 else (low + best.choices) // 2
        again = _attempt(item, seed, middle)
        if again is not None and type(again.error) is type(failure.error):
            best = again
        else:
            low = middle
    return best


def _tell(error: BaseException, story: str) -> None:
    """Have pytest show the story with the failure; of its own it shows no notes."""
    if isinstance(error, pytest.fail.Exception):
        error.msg = f"{error.msg}\n{story}"
    else:
        error.add_note(story)


def _story(item: pytest.Function, seed: int, failure: _Failure, smallest: _Failure) -> str:
    shrunk = f" (it made {failure.choices})" if smallest.choices < failure.choices else ""
    return (
        f"seed {seed} fails with {smallest.choices} free choices{shrunk}; again:\n"
        f"    {_command(item)} --sim-seed {seed} --sim-choices {smallest.choices}"
    )


def _command(item: pytest.Function) -> str:
    """What runs this one test again, from where pytest was called."""
    program = "pytest" if Path(sys.argv[0]).stem in ("pytest", "py.test") else "python -m pytest"
    folder = item.config.invocation_params.dir
    place = os.path.relpath(item.path, folder)
    return f"{program} {shlex.quote('::'.join([place, *item.nodeid.split('::')[1:]]))}"
