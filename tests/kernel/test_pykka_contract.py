"""Pykka's contract, the same sentences over Pykka's actor, ours on a thread, and ours on a loop.

What the design changes for loop actors is told apart where it stands: an ask's exception is a
failure there (`ActorFailed`), `stop` overtakes unless told to drain, and there are no proxies.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from typing import Any

import pykka
import pytest

from actors import Actor, ThreadActor
from actors.kernel.errors import ActorFailed
from actors.kernel.ref import ActorRef
from actors.system import default_system
from tests.kernel.cast import PATIENCE_S

KINDS = {"pykka": pykka.ThreadingActor, "thread": ThreadActor, "loop": Actor}


class Contract:
    """The body of every actor under test: written for Pykka, nothing of ours in it."""

    numbers = (1, 2, 3)

    def __init__(self, events: list[Any] | None = None, greeting: str = "hi") -> None:
        super().__init__()
        self.events = events if events is not None else []
        self.greeting = greeting
        self.entered, self.opened = threading.Event(), threading.Event()

    def on_start(self) -> None:
        self.events.append("start")

    def on_stop(self) -> None:
        self.events.append("stop")

    def on_failure(self, kind: Any, value: Any, trace: Any) -> None:
        self.events.append(("failure", kind))

    def on_receive(self, message: Any) -> Any:
        if isinstance(message, BaseException):
            raise message
        if message == "leave":
            self.stop()  # type: ignore[attr-defined]  # of the actor it is mixed into
        if message == "hold":
            self.entered.set()
            self.opened.wait(PATIENCE_S)
        self.events.append(message)
        return self.greeting

    def add(self, a: int, b: int = 1) -> int:
        return a + b

    def fail(self) -> None:
        raise ValueError("proxied")


@pytest.fixture(params=list(KINDS))
def kind(request: pytest.FixtureRequest) -> Iterator[type[Any]]:
    yield type("Sample", (Contract, KINDS[request.param]), {})
    pykka.ActorRegistry.stop_all()
    default_system().shutdown()


@pytest.fixture(params=["pykka", "thread"])
def thread_kind(request: pytest.FixtureRequest) -> Iterator[type[Any]]:
    yield type("Sample", (Contract, KINDS[request.param]), {"use_daemon_thread": True})
    pykka.ActorRegistry.stop_all()


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.CRITICAL):
        yield


def ended(ref: pykka.ActorRef[Any]) -> None:
    """Wait for an actor that is ending by itself, behind what is queued."""
    stop: Any = ref.stop
    stop(timeout=PATIENCE_S, **({"drain": True} if isinstance(ref, ActorRef) else {}))


def test_start_passes_arguments_and_gives_a_ref(kind: type[Any]) -> None:
    ref = kind.start([], greeting="hello")

    assert isinstance(ref, pykka.ActorRef)
    assert ref.is_alive()
    assert ref.actor_class is kind
    assert ref.ask("x") == "hello"


def test_on_start_runs_before_and_on_stop_after_the_messages(kind: type[Any]) -> None:
    events: list[Any] = []
    ref = kind.start(events)
    ref.ask("a")
    ref.stop()

    assert events == ["start", "a", "stop"]


def test_messages_are_handled_in_order(kind: type[Any]) -> None:
    events: list[Any] = []
    ref = kind.start(events)
    for n in range(100):
        ref.tell(n)
    ref.ask("last")

    assert events == ["start", *range(100), "last"]


def test_ask_without_blocking_gives_a_future(kind: type[Any]) -> None:
    future = kind.start().ask("x", block=False)

    assert isinstance(future, pykka.Future)
    assert future.get(timeout=PATIENCE_S) == "hi"


def test_ask_times_out(kind: type[Any]) -> None:
    ref = kind.start()
    actor = ref.actor_inbox.actor if hasattr(ref.actor_inbox, "actor") else ref._actor_weakref()
    held = ref.ask("hold", block=False)
    assert actor.entered.wait(PATIENCE_S)

    with pytest.raises(pykka.Timeout):
        ref.ask("x", timeout=0.001)

    actor.opened.set()
    held.get(timeout=PATIENCE_S)


def test_stop_ends_the_actor_and_says_whether_it_lived(kind: type[Any]) -> None:
    ref = kind.start()

    assert ref.stop() is True
    assert ref.stop() is False
    assert not ref.is_alive()
    assert ref.actor_stopped.is_set()


def test_stop_without_blocking_gives_a_future(kind: type[Any]) -> None:
    assert kind.start().stop(block=False).get(timeout=PATIENCE_S) is True


def test_an_actor_can_stop_itself(kind: type[Any]) -> None:
    events: list[Any] = []
    ref = kind.start(events)
    ref.ask("leave")
    ended(ref)

    assert events == ["start", "leave", "stop"]


def test_a_dead_actor_raises_actor_dead_error(kind: type[Any]) -> None:
    ref = kind.start()
    ref.stop()

    with pytest.raises(pykka.ActorDeadError):
        ref.tell("x")
    with pytest.raises(pykka.ActorDeadError):
        ref.ask("x")
    with pytest.raises(pykka.ActorDeadError):
        _ = ref.ask("x", block=False).get()


def test_an_exception_of_a_tell_ends_the_actor_after_on_failure(kind: type[Any]) -> None:
    events: list[Any] = []
    ref = kind.start(events)
    ref.tell(KeyError())
    ended(ref)

    assert not ref.is_alive()
    assert events == ["start", ("failure", KeyError)]


def test_an_exception_of_an_ask_reaches_the_asker(kind: type[Any]) -> None:
    ref = kind.start()

    with pytest.raises((KeyError, ActorFailed)) as caught:
        ref.ask(KeyError("x"))

    # the one difference: on a loop it is a failure of the actor, as from a tell (design §4)
    assert isinstance(caught.value, ActorFailed) is issubclass(kind, Actor)
    assert ref.is_alive() is not issubclass(kind, Actor)


def test_an_exception_of_on_start_ends_the_actor(kind: type[Any]) -> None:
    def on_start(self: Any) -> None:
        raise OSError

    broken: Any = type("Broken", (kind,), {"on_start": on_start})
    ref = broken.start()
    ended(ref)

    assert not ref.is_alive()


def test_an_exception_of_init_reaches_the_caller(kind: type[Any]) -> None:
    with pytest.raises(TypeError):
        kind.start(unknown=1)


def test_stop_waits_behind_what_was_queued(thread_kind: type[Any]) -> None:
    events: list[Any] = []
    ref = thread_kind.start(events)
    for n in range(50):
        ref.tell(n)
    ref.stop()

    assert events == ["start", *range(50), "stop"]


def test_actors_are_in_pykkas_registry_while_they_live(thread_kind: type[Any]) -> None:
    ref: pykka.ActorRef[Any] = thread_kind.start()

    assert pykka.ActorRegistry.get_by_class(thread_kind) == [ref]
    assert pykka.ActorRegistry.get_by_urn(ref.actor_urn) is ref
    assert ref.stop()
    assert pykka.ActorRegistry.get_by_class(thread_kind) == []


def test_the_registry_stops_and_broadcasts(thread_kind: type[Any]) -> None:
    events: list[Any] = []
    for _ in range(3):
        thread_kind.start(events)
    pykka.ActorRegistry.broadcast("all", target_class=thread_kind)

    assert pykka.ActorRegistry.stop_all() == [True, True, True]
    assert events.count("all") == 3


def test_a_proxy_calls_methods_and_reads_and_writes_attributes(thread_kind: type[Any]) -> None:
    proxy = thread_kind.start().proxy()

    assert proxy.add(2, b=3).get() == 5
    assert proxy.numbers.get() == (1, 2, 3)
    proxy.greeting = "moin"
    assert proxy.greeting.get() == "moin"
    proxy.add.defer(1)
    with pytest.raises(ValueError, match="proxied"):
        proxy.fail().get()
    assert proxy.actor_ref.is_alive()
    proxy.stop().get()


def test_an_actor_may_ask_another_one_and_wait(thread_kind: type[Any]) -> None:
    other = thread_kind.start(greeting="from afar")

    def on_receive(self: Any, message: Any) -> Any:
        return other.ask(message)

    asking: Any = type("Asking", (thread_kind,), {"on_receive": on_receive})

    assert asking.start().ask("x") == "from afar"


def test_non_daemon_threads_are_the_default_as_in_pykka() -> None:
    assert ThreadActor.use_daemon_thread is pykka.ThreadingActor.use_daemon_thread is False
