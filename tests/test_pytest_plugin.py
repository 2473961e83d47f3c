"""The fixtures that users get: each is tried in a pytest of its own.

The example of docs/simulation.md is run as it stands there and must print what is shown.
"""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from tests.test_readme import ROOT, agrees, environment

pytest_plugins = ["pytester"]

PAGE = (ROOT / "docs" / "simulation.md").read_text(encoding="utf-8")
FILE = re.compile(r"^<!-- file: (\S+) -->\n```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RUN = re.compile(r"^<!-- run: (\d) -->\n```console\n\$ (.*?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CAST = """
import asyncio
import pytest
from actors import Actor, Message, Request, handles

class Add(Message):
    n: int

class Total(Request[int]):
    pass

class Hang(Message):
    pass

class Counter(Actor):
    def __init__(self):
        super().__init__()
        self.total = 0

    @handles
    def add(self, message: Add) -> None:
        self.total += message.n

    @handles
    def read(self, message: Total) -> int:
        return self.total

    @handles
    async def hang(self, message: Hang) -> None:
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                pass
"""
TEAM = """
id = "team"

[profiles.worker]
executor = "python"
call = "worker:work"

[[members]]
name = "worker"
profile = "worker"
"""
WORK = """
async def work(ctx, input):
    return input.body.upper()
"""


@pytest.fixture(autouse=True)
def _installed() -> None:
    if not entry_points(group="pytest11", name="actors"):
        pytest.skip("the plugin is not installed beside this interpreter: pip install -e .")


def run(pytester: pytest.Pytester, *options: str) -> pytest.RunResult:
    pytester.makeini("[pytest]\nfilterwarnings = error\naddopts = --strict-markers")
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", *options)


# -- system and mob


def test_a_system_is_shut_down_and_its_messages_are_counted(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        CAST
        + """
seen = []

def test_counting(system):
    counter = system.start(Counter)
    counter.tell(Add(n=2))
    assert counter.ask(Total(), timeout=5) == 2
    seen.append((system, counter))

def test_it_is_over():
    system, counter = seen[0]
    assert not counter.is_alive()
    assert system.actors() == ()
"""
    )

    result = run(pytester)

    result.assert_outcomes(passed=2)


def test_an_actor_that_does_not_end_fails_the_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        CAST
        + """
from actors import ChildSpec

@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr("actors.pytest_plugin.END_S", 0.2)

def test_hanging(system):
    spec = ChildSpec(Counter, name="stuck", shutdown_s=60.0)
    counter = system.spawn(spec)
    counter.tell(Hang())
    counter.ask(Total(), block=False)
"""
    )

    result = run(pytester)

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.re_match_lines(
        [
            "not every actor ended within 0.2 s after the test:",
            "mob://test/stuck  (running|stopping), 1 queued, handles Hang",
        ]
    )


def test_a_mob_comes_from_a_file_a_dict_or_a_fixture(pytester: pytest.Pytester) -> None:
    pytester.makefile(".toml", team=TEAM)
    pytester.makepyfile(worker=WORK)
    pytester.makepyfile(
        """
import pytest

@pytest.mark.mob("team.toml")
def test_file(mob):
    assert mob.ask("worker", "hello").value == "HELLO"

WORKER = {"executor": "python", "call": "worker:work"}
DEFINITION = {
    "id": "given",
    "profiles": {"worker": WORKER},
    "members": [{"name": "w", "profile": "worker"}],
}

@pytest.mark.mob(DEFINITION)
def test_dict(mob):
    assert mob.ask("w", "hello").value == "HELLO"
    assert not list(mob.state_dir.rglob("*.sqlite"))

class TestFixture:
    @pytest.fixture
    def mob_definition(self):
        return {**DEFINITION, "id": "mine"}

    def test_own(self, mob):
        assert mob.id == "mine"

def test_none(mob):
    pass
"""
    )

    result = run(pytester)

    result.assert_outcomes(passed=3, errors=1)
    result.stdout.fnmatch_lines(["the fixture 'mob' does not know which mob: mark the test*"])


def test_a_mob_that_cannot_be_drained_fails_the_test(pytester: pytest.Pytester) -> None:
    pytester.makefile(".toml", team=TEAM)
    pytester.makepyfile(
        worker="""
import asyncio

async def work(ctx, input):
    await asyncio.Event().wait()
"""
    )
    pytester.makepyfile(
        """
import pytest

@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr("actors.pytest_plugin.END_S", 0.3)

@pytest.mark.mob("team.toml")
def test_hanging(mob):
    mob.send("worker", "hello")
"""
    )

    result = run(pytester)

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["the mob was not drained within 0.3 s*waited for*worker*"])


# -- sim


def test_the_test_function_is_run_once_per_seed(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        CAST
        + """
seeds = []

@pytest.fixture(scope="module", autouse=True)
def told():
    yield
    print("seeds", seeds)

def test_every_seed(sim, tmp_path):
    counter = sim.system.start(Counter)
    counter.tell(Add(n=sim.seed))
    sim.run_for(1.0)
    assert counter.ask(Total()) == sim.seed
    assert sim.run_until(lambda: sim.world.idle, timeout=1)
    seeds.append(sim.seed)

async def test_a_coroutine_runs_on_the_loop_of_the_actors(sim):
    counter = sim.system.start(Counter)
    await asyncio.sleep(3600)
    assert await counter.request(Total()) == 0

class TestMethods:
    def test_in_a_class(self, sim):
        async def total():
            return await sim.system.start(Counter).request(Total())

        assert sim.run(total()) == 0

def test_skipping(sim):
    pytest.skip("not today")
"""
    )

    result = run(pytester, "-s", "--sim-seeds", "5")

    result.assert_outcomes(passed=3, skipped=1)
    result.stdout.fnmatch_lines(["*seeds [[]0, 1, 2, 3, 4[]]"])


def test_a_failure_is_made_smaller_and_its_command_shows_it_again(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        CAST
        + """
class Notes(Actor):
    def __init__(self, pages):
        super().__init__()
        self.pages = pages

    @handles
    def note(self, message: Add) -> None:
        self.pages.append(message.n)

@pytest.mark.parametrize("extra", ["a b"])
def test_order(sim, extra):
    pages = []
    for n in range(4):
        sim.system.start(Notes, pages).tell(Add(n=n))
    sim.run_for(1.0)
    assert pages[:2] == [0, 1]
"""
    )

    result = run(pytester)

    result.assert_outcomes(failed=1)
    shown = re.search(
        r"seed (\d+) fails with (\d+) free choices \(it made (\d+)\)", str(result.stdout)
    )
    assert shown is not None
    assert 0 < int(shown[2]) < int(shown[3])
    command = re.search(r"(pytest .*'test_\w+\.py::test_order\[a b\]' .*)", str(result.stdout))
    assert command is not None

    again = subprocess.run(
        ["bash", "-c", command[1]],
        cwd=pytester.path,
        env=environment(ROOT),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )

    assert again.returncode == 1
    assert f"sim = <Sim seed={shown[1]} at 1 s>" in again.stdout
    assert f"--sim-seed {shown[1]} --sim-choices {shown[2]}" in again.stdout


def test_what_is_left_over_at_the_end_of_a_seed_fails_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        CAST
        + """
from actors import ChildSpec

def test_hanging(sim):
    sim.system.spawn(ChildSpec(Counter, name="stuck", shutdown_s=60.0)).tell(Hang())
    sim.run_for(1.0)
"""
    )

    result = run(pytester)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*not every actor ended within 5 s after the test*"])
    result.stdout.fnmatch_lines(["*seed 0 fails with 0 free choices*"])


def test_sim_belongs_into_the_test_function(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        CAST
        + """
@pytest.fixture
def counter(sim):
    return sim.system.start(Counter)

def test_counting(sim, counter):
    pass
"""
    )

    result = run(pytester)

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*sim.system is there in the test function only*"])


def test_a_fixture_of_the_same_name_takes_its_place(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
import pytest

@pytest.fixture
def sim():
    return 42

def test_mine(sim):
    assert sim == 42
"""
    )

    result = run(pytester)

    result.assert_outcomes(passed=1)


def test_no_seed_is_no_number_of_seeds(pytester: pytest.Pytester) -> None:
    result = run(pytester, "--sim-seeds", "0")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--sim-seeds*invalid*"])


# -- what it costs, and what the page says


def test_the_plugin_loads_nothing_that_import_actors_does_not(pytester: pytest.Pytester) -> None:
    code = "import sys, {}; print(*sorted(sys.modules))"

    def loaded(what: str) -> set[str]:
        done = subprocess.run(
            [sys.executable, "-c", code.format(what)],
            cwd=ROOT,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        return set(done.stdout.split())

    assert loaded("actors, pytest, actors.pytest_plugin") - loaded("actors, pytest") == {
        "actors.pytest_plugin"
    }


def test_the_page_about_simulation_prints_what_it_shows(tmp_path: Path) -> None:
    files, runs = FILE.findall(PAGE), RUN.findall(PAGE)
    for name, body in files:
        (tmp_path / name).write_text(body, encoding="utf-8")
    assert files
    assert len(runs) == 2

    for status, command, shown in runs:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=tmp_path,
            env=environment(ROOT) | {"COLUMNS": "80"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

        assert done.returncode == int(status), done.stdout
        assert agrees(shown, done.stdout), done.stdout
