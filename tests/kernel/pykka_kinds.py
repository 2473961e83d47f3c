"""The cast of Pykka's contract: its actor, and ours on a thread, in a system and on a loop.

A test is written for Pykka and run over every kind: `@sentence()`. Where one of ours does
something else, a row in `pykka_deviations.py` says for which kinds, the sentence leaves them out
(`@sentence("row")`) and another test shows what they do (`@deviation("row")`).
"""

from __future__ import annotations

import contextlib
import inspect
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

import pykka
import pytest

from actors import Actor, ThreadActor
from actors.kernel.ref import ActorRef
from actors.system import default_system
from tests.kernel.cast import PATIENCE_S
from tests.kernel.pykka_deviations import DEVIATIONS

F = TypeVar("F", bound=Callable[..., None])

Kind = Any  # the class of an actor: Pykka's and ours have no base with all that tests use


class _Seen:
    """Says when its thread is done: with Pykka, `stop` may return while the last hook runs."""

    actor_ref: Any  # of the actor it is mixed into

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.actor_ref.done = threading.Event()

    def _actor_loop(self) -> None:
        done = self.actor_ref.done
        try:
            super()._actor_loop()  # type: ignore[misc]  # of the actor it is mixed into
        finally:
            done.set()


class Theirs(_Seen, pykka.ThreadingActor):
    use_daemon_thread = True  # one that hangs, as some do here, must not hold the process


class Thread(_Seen, ThreadActor):
    use_daemon_thread = True


class Owned(_Seen, ThreadActor):
    @classmethod
    def start(cls, *args: Any, **kwargs: Any) -> Any:  # Any: the overloads of ActorSystem.start
        return default_system().start(cls, *args, **kwargs)


KINDS: Final[dict[str, Kind]] = {
    "pykka": Theirs,
    "thread": Thread,
    "owned": Owned,
    "loop": Actor,
}


def sentence(*unless: str) -> Callable[[F], F]:
    """Run the test over Pykka's actor and over ours, without the kinds of the rows named."""
    apart = {kind for row in unless for kind in DEVIATIONS[row].of}
    return _over([kind for kind in KINDS if kind not in apart], unless=unless)


def deviation(row: str) -> Callable[[F], F]:
    """Run the test over the kinds of the row: it shows what they do instead."""
    return _over(DEVIATIONS[row].of, shows=row)


def _over(
    kinds: list[str] | tuple[str, ...], *, unless: tuple[str, ...] = (), shows: str = ""
) -> Callable[[F], F]:
    def mark(test: F) -> F:
        over = pytest.mark.parametrize("kind", [KINDS[kind] for kind in kinds], ids=kinds)
        marked: F = over(test)
        vars(marked).update(kinds=tuple(kinds), unless=unless, shows=shows)
        return marked

    return mark


class Body:
    """An actor written for Pykka, nothing of ours in it.

    It does what a message says, if that is a function of the actor or an exception; anything else
    it notes and gives back.
    """

    numbers = (1, 2, 3)
    _secret = "secret"

    def __init__(self, events: list[Any] | None = None, *, greeting: str = "hi") -> None:
        super().__init__()
        self.events: list[Any] = [] if events is None else events
        self.greeting = greeting

    def on_receive(self, message: Any) -> Any:
        if isinstance(message, BaseException):
            raise message
        if callable(message):
            return message(self)
        self.events.append(message)
        return message

    def add(self, a: int, b: int = 1) -> int:
        return a + b

    def fail(self) -> None:
        raise ValueError("proxied")


class Hooked(Body):
    """Notes its hooks among its messages."""

    def on_start(self) -> None:
        self.events.append("start")

    def on_stop(self) -> None:
        self.events.append("stop")

    def on_failure(self, *info: Any) -> None:
        self.events.append(("failure", info[0]))


def sample(kind: Kind, body: type[Any] = Body, **members: Any) -> Kind:
    """A class `Sample` of the kind, with the members given."""
    return type("Sample", (body, kind), members)


class Gate:
    """A message that holds the actor that handles it until the gate is opened."""

    def __init__(self) -> None:
        self.entered, self.opened = threading.Event(), threading.Event()

    def __call__(self, _actor: object) -> None:
        self.entered.set()
        assert self.opened.wait(PATIENCE_S)

    def open(self) -> None:
        self.opened.set()


def held(ref: Any) -> Gate:
    """Have the actor handle a message until the gate is opened."""
    gate = Gate()
    ref.tell(gate)
    assert gate.entered.wait(PATIENCE_S)
    return gate


def ended(ref: Any) -> None:
    """Wait for the end of an actor that ends by itself, behind what is queued."""
    if isinstance(ref, ActorRef):
        ref.stop(timeout=PATIENCE_S, drain=True)
    else:
        ref.stop(timeout=PATIENCE_S)
        assert ref.done.wait(PATIENCE_S)


def gone(ref: Any) -> None:
    """Forget an actor of Pykka's whose thread died without saying so: nobody can stop it."""
    pykka.ActorRegistry.unregister(ref)


def in_a_thread(work: Callable[[], object]) -> threading.Thread:
    """Do it beside; the caller joins."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


@contextlib.contextmanager
def stopped_after() -> Iterator[None]:
    """Stop every actor that a test has left."""
    yield
    pykka.ActorRegistry.stop_all(timeout=PATIENCE_S)
    default_system().shutdown()


def default_of(function: Any, parameter: str) -> object:
    """What a call that leaves the parameter out gets; Any: any callable."""
    return inspect.signature(function).parameters[parameter].default
