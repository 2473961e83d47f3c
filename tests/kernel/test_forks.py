"""A forked child has none of the threads: every call says so, and nothing of the parent is touched.

Each test forks a process of its own, which ends with `os._exit`; its words come over a pipe.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import textwrap
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from actors import ActorSystem, ChildSpec, ThreadActor
from actors.kernel.errors import ForkedProcess
from tests.kernel.cast import PATIENCE_S, Add, Counter, Total

ROOT = Path(__file__).resolve().parents[2]


def in_a_fork(work: Callable[[], object]) -> str:
    """What `work` answers, or the name of what it raises, in a forked child."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12: forking with threads
        pid = os.fork()
    if pid == 0:
        text = "nothing"
        with contextlib.suppress(BaseException):
            try:
                text = str(work())
            except BaseException as error:  # noqa: BLE001 - its name is what is asked for
                text = type(error).__name__
            os.write(writing, text.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    os.waitpid(pid, 0)
    return text


class Threaded(ThreadActor):
    def on_receive(self, message: object) -> object:
        return message


def test_every_call_on_a_ref_says_that_the_process_was_forked(system: ActorSystem) -> None:
    counter = system.start(Counter, 0)
    pending = counter.ask(Total(), block=False)
    pending.get(timeout=PATIENCE_S)
    calls: dict[str, Callable[[], object]] = {
        "tell": lambda: counter.tell(Add()),
        "tell that waits": lambda: counter.tell(Add(), timeout=1),
        "ask": lambda: counter.ask(Total(), timeout=1),
        "a future": lambda: counter.ask(Total(), block=False).get(timeout=1),
        "stop": lambda: counter.stop(timeout=1),
    }

    found = {name: in_a_fork(call) for name, call in calls.items()}

    assert found == dict.fromkeys(calls, "ForkedProcess")
    assert counter.ask(Total(), timeout=PATIENCE_S) == 0  # the parent goes on, untouched


def test_every_call_on_a_system_says_that_the_process_was_forked(system: ActorSystem) -> None:
    system.start(Counter, 0, name="counter", wait=True)
    calls: dict[str, Callable[[], object]] = {
        "start": lambda: system.start(Counter, 0),
        "start a thread": lambda: system.start(Threaded),
        "spawn": lambda: system.spawn(ChildSpec(Counter)),
        "ref": lambda: system.ref("counter"),
        "audit": system.audit,
        "stacks": system.stacks,
        "shutdown": system.shutdown,
    }

    found = {name: in_a_fork(call) for name, call in calls.items()}

    assert found == dict.fromkeys(calls, "ForkedProcess")


def test_an_answer_that_was_pending_at_the_fork_says_so(system: ActorSystem) -> None:
    from tests.kernel.cast import Hold, Sleeper

    sleeper = system.start(Sleeper)
    pending = sleeper.ask(Hold(), block=False)

    assert in_a_fork(lambda: pending.get(timeout=1)) == "ForkedProcess"
    sleeper.tell(Add())  # opens the gate
    pending.get(timeout=PATIENCE_S)


@pytest.mark.parametrize("owned", [True, False])
def test_a_thread_actor_says_so_too(system: ActorSystem, owned: bool) -> None:
    ref = system.start(Threaded) if owned else Threaded.start()
    calls: dict[str, Callable[[], object]] = {
        "tell": lambda: ref.tell("x"),
        "ask": lambda: ref.ask("x", timeout=1),
        "stop": lambda: ref.stop(timeout=1),
    }

    found = {name: in_a_fork(call) for name, call in calls.items()}

    assert found == dict.fromkeys(calls, "ForkedProcess")
    ref.stop(timeout=PATIENCE_S)


def test_a_system_made_in_the_child_works(system: ActorSystem) -> None:
    def work() -> object:
        with ActorSystem("child") as child:
            counter = child.start(Counter, 0)
            counter.tell(Add(n=3))
            return counter.ask(Total(), timeout=PATIENCE_S)

    assert in_a_fork(work) == "3"


def test_the_default_system_of_the_child_is_a_new_one() -> None:
    Counter.start(0).stop()

    assert in_a_fork(lambda: Counter.start(5).ask(Total(), timeout=PATIENCE_S)) == "5"


def test_the_error_names_the_system_and_the_way_out(system: ActorSystem) -> None:
    text = str(ForkedProcess("shop"))

    assert text.startswith("system 'shop' runs in the process that this one was forked from")
    assert "'spawn'" in text


def test_a_forked_child_that_exits_normally_does_not_end_its_parents_actors() -> None:
    program = """
        import json, os
        from actors import ActorSystem
        from tests.kernel.cast import Add, Counter, Total

        with ActorSystem("parent") as system:
            counter = system.start(Counter, 0)
            pid = os.fork()
            if pid == 0:
                raise SystemExit(0)  # runs the handlers of atexit
            os.waitpid(pid, 0)
            counter.tell(Add(n=2))
            print(json.dumps(counter.ask(Total(), timeout=5)))
    """

    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(program)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert json.loads(done.stdout.splitlines()[-1]) == 2
