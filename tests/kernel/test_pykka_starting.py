"""Pykka's contract: making and starting an actor, its names and its thread."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pykka
import pytest

from actors import ThreadActor
from actors.kernel.errors import KernelError, StartFailed
from tests.kernel.cast import PATIENCE_S
from tests.kernel.pykka_kinds import (
    Hooked,
    Kind,
    deviation,
    held,
    sample,
    sentence,
    stopped_after,
)
from tests.kernel.test_forks import in_a_fork

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    with stopped_after():
        yield


@sentence()
def test_start_passes_arguments_and_gives_a_ref(kind: Kind) -> None:
    made = sample(kind)
    events: list[Any] = []
    ref = made.start(events, greeting="hello")

    assert isinstance(ref, pykka.ActorRef)
    assert ref.is_alive()
    assert ref.actor_class is made
    assert ref.ask(lambda actor: actor.greeting) == "hello"
    assert ref.ask(lambda actor: actor.events is events)


def _named(self: Any, name: str = "", timeout: float = 0.0) -> None:
    super(type(self), self).__init__()
    self.got = (name, timeout)


@sentence("start-keywords")
def test_start_passes_every_keyword(kind: Kind) -> None:
    ref = sample(kind, __init__=_named).start(name="n", timeout=3.0)

    assert ref.ask(lambda actor: actor.got) == ("n", 3.0)


@deviation("start-keywords")
def test_start_takes_some_keywords_for_itself(kind: Kind) -> None:
    ref = sample(kind, __init__=_named).start(name="n", timeout=3.0)

    assert ref.ask(lambda actor: actor.got) == ("", 0.0)
    assert ref.address == "mob://local/n"


@sentence()
def test_init_runs_in_the_thread_that_starts_and_the_rest_in_another(kind: Kind) -> None:
    where: dict[str, int] = {}

    def init(self: Any) -> None:
        super(type(self), self).__init__()
        where["init"] = threading.get_ident()

    def on_start(self: Any) -> None:
        where["start"] = threading.get_ident()

    ref = sample(kind, __init__=init, on_start=on_start).start()
    where["message"] = ref.ask(lambda _: threading.get_ident())

    assert where["init"] == threading.get_ident() != where["start"] == where["message"]


@sentence()
def test_an_exception_of_init_reaches_who_starts_and_leaves_nothing(kind: Kind) -> None:
    def init(self: Any) -> None:
        super(type(self), self).__init__()
        raise OSError("no")

    made = sample(kind, __init__=init)

    with pytest.raises(OSError, match="no"):
        made.start()
    assert pykka.ActorRegistry.get_by_class(made) == []


@sentence("forgotten-super")
def test_an_init_that_forgets_super_is_an_attribute_error(kind: Kind) -> None:
    with pytest.raises(AttributeError):
        sample(kind, __init__=lambda self: None).start()


@deviation("forgotten-super")
def test_an_init_that_forgets_super_is_told_so(kind: Kind) -> None:
    with pytest.raises(StartFailed, match=r"did not call super\(\).__init__\(\)"):
        sample(kind, __init__=lambda self: None).start()


@sentence("made-by-hand")
def test_an_actor_is_made_without_being_started_from_any_arguments(kind: Kind) -> None:
    bare = kind(1, 2, option="x")
    actor = sample(kind)()

    assert not bare.actor_stopped.is_set()
    assert actor.add(1) == 2
    assert str(actor) == f"Sample ({actor.actor_urn})"


@deviation("made-by-hand")
def test_an_actor_is_made_by_start_only(kind: Kind) -> None:
    with pytest.raises(KernelError, match="made by hand"):
        sample(kind)()
    with pytest.raises(TypeError):
        kind(1)


@sentence()
def test_an_actor_starts_another_one(kind: Kind) -> None:
    made = sample(kind)
    other = made.start().ask(lambda _: made.start(greeting="from inside"), timeout=PATIENCE_S)

    assert other.ask(lambda actor: actor.greeting, timeout=PATIENCE_S) == "from inside"


@sentence()
def test_what_an_actor_tells_itself_in_init_comes_after_on_start(kind: Kind) -> None:
    def init(self: Any, events: list[Any]) -> None:
        super(type(self), self).__init__(events)
        self.actor_ref.tell("first")

    events: list[Any] = []
    sample(kind, Hooked, __init__=init).start(events).ask("second", timeout=PATIENCE_S)

    assert events == ["start", "first", "second"]


OURS = {
    "mailbox",
    "handler_table",
}
OURS_ON_A_LOOP = {
    *("address", "after", "every", "handler_table", "promise", "realm", "sorts"),
    *("spawn", "starts_silently", "stops_silently", "watch"),
}


@sentence("reserved-names", "reserved-names-loop")
def test_an_actor_may_use_any_name_that_is_not_pykkas(kind: Kind) -> None:
    names = dict.fromkeys(OURS | OURS_ON_A_LOOP, "mine")

    def init(self: Any) -> None:
        super(type(self), self).__init__()
        for name in names:
            setattr(self, name, "mine")

    ref = sample(kind, __init__=init).start()

    assert ref.ask(lambda actor: {name: getattr(actor, name) for name in names}) == names


@deviation("reserved-names")
def test_some_names_are_ours_on_a_thread(kind: Kind) -> None:
    names = {name for name in set(dir(kind())) - set(dir(pykka.ThreadingActor())) if name[0] != "_"}

    assert names == OURS


@deviation("reserved-names-loop")
def test_some_names_are_ours_on_a_loop(kind: Kind) -> None:
    names = {name for name in set(dir(kind)) - set(dir(pykka.Actor)) if name[0] != "_"}

    def init(self: Any) -> None:
        super(type(self), self).__init__()
        self.address = "mine"

    assert names == {*OURS_ON_A_LOOP, "actor_inbox", "actor_stopped", "actor_urn"}
    with pytest.raises(AttributeError):
        sample(kind, __init__=init).start()


def _patch(kind: Kind) -> tuple[list[Any], Any]:
    """Give a class and an actor other methods than they were made with."""
    made, events = sample(kind, Hooked), list[Any]()
    made.on_start = lambda _: events.append("another start")
    ref = made.start(events)
    ref.ask(lambda actor: setattr(actor, "on_receive", lambda _: "another answer"))
    return events, ref.ask("x")


@sentence("patched")
def test_methods_are_looked_up_when_they_are_called(kind: Kind) -> None:
    assert _patch(kind) == (["another start"], "another answer")


@deviation("patched")
def test_on_receive_is_looked_up_when_the_class_is_made(kind: Kind) -> None:
    made, events = sample(kind), list[Any]()
    made.on_start = lambda _: events.append("start")  # it had none when it was made
    made.start(events).ask("x")

    assert _patch(kind)[1] == "x"
    assert events == ["x"]


# -- threads ----------------------------------------------------------------------------------


def _thread(ref: Any) -> threading.Thread:
    thread: threading.Thread = ref.ask(lambda _: threading.current_thread(), timeout=PATIENCE_S)
    return thread


@sentence("own-thread")
def test_each_actor_has_a_thread_of_its_own(kind: Kind) -> None:
    made = sample(kind)
    blocked, free = made.start(), made.start()
    gate = held(blocked)

    assert free.ask("x", timeout=PATIENCE_S) == "x"
    assert _thread(free) is _thread(free)
    gate.open()
    assert _thread(blocked) is not _thread(free)


@deviation("own-thread")
def test_actors_share_the_thread_of_their_loop(kind: Kind) -> None:
    made = sample(kind)
    blocked, free = made.start(), made.start()
    gate = held(blocked)

    with pytest.raises(pykka.Timeout):
        free.ask("x", timeout=0.01)

    gate.open()
    assert _thread(blocked) is _thread(free)


@sentence("thread-name", "own-thread")
def test_the_thread_is_named_after_the_class_and_numbered(kind: Kind) -> None:
    word, _, number = _thread(sample(kind).start()).name.partition("-")

    assert word == "Sample"
    assert number.isdecimal()


@deviation("thread-name")
def test_the_thread_is_named_after_the_class_and_the_address(kind: Kind) -> None:
    ref = sample(kind).start()

    assert _thread(ref).name == f"Sample {ref.address}"


@sentence("process-exit")
def test_the_thread_keeps_the_process_unless_it_is_a_daemon(kind: Kind) -> None:
    assert kind.__bases__[-1].use_daemon_thread is False
    for daemon in (False, True):
        ref = sample(kind, use_daemon_thread=daemon).start()
        assert _thread(ref).daemon is daemon


@deviation("process-exit")
def test_the_thread_of_a_systems_actor_does_not_keep_the_process(kind: Kind) -> None:
    assert _thread(sample(kind, use_daemon_thread=False).start()).daemon


FORGETFUL = """
from actors import Actor, ActorSystem, ThreadActor

class Forgetful({base}):
    def on_stop(self):
        print("stopped")

{start}
"""


@deviation("process-exit")
def test_a_process_ends_although_a_systems_actor_lives(kind: Kind) -> None:
    threaded = issubclass(kind, ThreadActor)
    start = 'ActorSystem("demo").start(Forgetful)' if threaded else "Forgetful.start()"
    code = FORGETFUL.format(base="ThreadActor" if threaded else "Actor", start=start)

    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert run.stdout == "stopped\n"


async def _later(self: Any, message: Any) -> Any:
    await asyncio.sleep(0)
    return message


@sentence("async")
def test_an_async_on_receive_answers_with_its_coroutine(kind: Kind) -> None:
    answer = sample(kind, on_receive=_later).start().ask("x", timeout=PATIENCE_S)

    assert asyncio.iscoroutine(answer)
    answer.close()


@deviation("async")
def test_an_async_on_receive_is_awaited(kind: Kind) -> None:
    assert sample(kind, on_receive=_later).start().ask("x", timeout=PATIENCE_S) == "x"


@deviation("async")
def test_an_async_on_start_is_awaited(kind: Kind) -> None:
    async def on_start(self: Any) -> None:
        await asyncio.sleep(0)
        self.events.append("started")

    events: list[Any] = []
    sample(kind, on_start=on_start).start(events).ask("x", timeout=PATIENCE_S)

    assert events == ["started", "x"]


@sentence("fork")
def test_a_forked_child_talks_to_nobody(kind: Kind) -> None:
    ref = sample(kind).start()

    assert in_a_fork(lambda: ref.tell("x")) == "None"
    assert in_a_fork(lambda: ref.ask("x", timeout=0.01)) == "Timeout"


@deviation("fork")
def test_a_forked_child_is_told_so(kind: Kind) -> None:
    ref = sample(kind).start()

    assert in_a_fork(lambda: ref.tell("x")) == "ForkedProcess"
    assert in_a_fork(lambda: ref.ask("x", timeout=0.01)) == "ForkedProcess"
