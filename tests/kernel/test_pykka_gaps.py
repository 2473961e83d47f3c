"""The six gaps of Pykka (reference F11), each beside what ours does."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pykka
import pytest

from actors import Actor, ActorSystem, ThreadActor, handles
from actors.kernel.errors import (
    ActorDead,
    ActorFailed,
    MailboxFull,
    NameTaken,
    StartFailed,
    Unhandled,
    WouldDeadlock,
)
from actors.kernel.thread_inbox import BOUND
from tests.kernel.cast import PATIENCE_S, Add, Call, Counter, Puppet, SteppedPuppet, Total


class Body:
    def __init__(self) -> None:
        super().__init__()
        self.entered, self.opened = threading.Event(), threading.Event()
        self.seen: list[Any] = []
        self._secret = "secret"

    def on_receive(self, message: Any) -> Any:
        if message == "hold":
            self.entered.set()
            self.opened.wait(PATIENCE_S)
        if isinstance(message, BaseException):
            raise message
        self.seen.append(message)
        return list(self.seen)


class Theirs(Body, pykka.ThreadingActor):
    use_daemon_thread = True


class Ours(Body, ThreadActor):
    pass


class Held:
    """A thread actor whose handler runs until `open()`."""

    def __init__(self, ref: Any) -> None:
        self.ref = ref
        self.actor = ref._actor_weakref()
        self.answer = ref.ask("hold", block=False)
        assert self.actor.entered.wait(PATIENCE_S)

    def open(self) -> None:
        self.actor.opened.set()


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.CRITICAL):
        yield
    pykka.ActorRegistry.stop_all()


# 1. unbounded inbox


def test_pykkas_inbox_has_no_bound() -> None:
    held = Held(Theirs.start())
    for n in range(5 * BOUND):
        held.ref.tell(n)
    held.open()


def test_our_inbox_is_bounded_and_tell_waits_for_room(system: ActorSystem) -> None:
    held = Held(system.start(Ours))
    for n in range(BOUND):
        held.ref.tell(n)
    with pytest.raises(MailboxFull):
        held.ref.tell("x", timeout=0.001)
    opener = threading.Thread(target=held.open)
    opener.start()
    held.ref.tell("waited", timeout=PATIENCE_S)
    opener.join()

    assert "waited" in held.ref.ask("y")
    assert system.audit().balanced


def test_a_loop_never_waits_for_room_in_a_thread_actor(system: ActorSystem) -> None:
    held = Held(system.start(Ours))
    for n in range(BOUND):
        held.ref.tell(n)

    def tell(_: Actor) -> str:
        try:
            held.ref.tell("x")
        except MailboxFull:
            return "full"
        return "sent"

    assert system.start(Puppet).ask(Call(tell), timeout=PATIENCE_S) == "full"
    held.open()


def test_a_thread_actor_does_not_wait_for_room_in_itself(system: ActorSystem) -> None:
    class Eager(ThreadActor):
        mailbox = 2

        def on_receive(self, message: Any) -> Any:
            told = 0
            try:
                while True:
                    self.actor_ref.tell("again")
                    told += 1
            except MailboxFull:
                return told

    assert system.start(Eager).ask("go", timeout=PATIENCE_S) == 2


# 2. a failed tell drops the rest of the inbox in silence; 3. the same exception of an ask does not


def test_pykka_loses_what_a_failed_tell_leaves_behind() -> None:
    held = Held(Theirs.start())
    held.ref.tell(ValueError())
    held.ref.tell("lost")
    answer = held.ref.ask("asked", block=False)
    held.open()

    with pytest.raises(pykka.ActorDeadError):
        answer.get(timeout=PATIENCE_S)
    assert held.actor.seen == ["hold"]  # and nothing says where "lost" went


def test_what_a_failed_tell_leaves_behind_becomes_dead_letters(system: ActorSystem) -> None:
    held = Held(system.start(Ours))
    held.ref.tell(ValueError())
    held.ref.tell("kept")
    answer = held.ref.ask("asked", block=False)
    held.open()

    with pytest.raises(ActorDead):
        answer.get(timeout=PATIENCE_S)
    held.ref.stop()
    assert [(letter.message, letter.reason) for letter in system.dead_letters] == [("kept", "dead")]
    assert system.audit().balanced


def test_a_loop_actor_fails_the_same_way_from_ask_and_tell(system: ActorSystem) -> None:
    asked, told = system.start(Puppet), system.start(Puppet)

    def fail(_: Actor) -> None:
        raise ValueError

    with pytest.raises(ActorFailed):
        asked.ask(Call(fail))
    told.tell(Call(fail))
    told.stop(drain=True)

    assert not asked.is_alive()
    assert system.audit().failed == 2


# 4. SystemExit in one actor stops all actors


def test_pykka_stops_every_actor_for_the_exit_of_one() -> None:
    other = Theirs.start()
    leaver = Theirs.start()
    leaver.tell(SystemExit())
    assert other.actor_stopped.wait(PATIENCE_S)


@pytest.mark.parametrize("ask", [True, False])
@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_any_base_exception_ends_our_thread_actor_only(
    system: ActorSystem, ask: bool, kind: type[BaseException]
) -> None:
    other, leaver = system.start(Ours), system.start(Ours)
    if ask:
        with pytest.raises(ActorFailed, match=kind.__name__):
            leaver.ask(kind())
    else:
        leaver.tell(kind())
    leaver.stop()

    assert not leaver.is_alive()
    assert other.ask("x") == ["x"]


# 5. stop queues behind the backlog


def test_pykkas_stop_waits_behind_the_backlog() -> None:
    held = Held(Theirs.start())
    held.ref.tell("backlog")
    end = held.ref.stop(block=False)
    held.open()
    end.get(timeout=PATIENCE_S)

    assert held.actor.seen == ["hold", "backlog"]


def test_our_stop_overtakes_the_backlog_when_told_to(system: ActorSystem) -> None:
    held = Held(system.start(Ours))
    held.ref.tell("backlog")
    end = held.ref.stop(block=False, drain=False)
    late = held.ref.stop(block=False)
    held.open()

    assert end.get(timeout=PATIENCE_S) is True
    assert late.get(timeout=PATIENCE_S) is True
    assert held.actor.seen == ["hold"]
    assert system.dead_letters.counts() == {"shutdown": 1}


# 6. proxies reach any attribute by path


def test_pykkas_proxy_messages_reach_private_attributes() -> None:
    path = pykka.messages.ProxyGetAttr(attr_path=("_secret",))

    assert Theirs.start().ask(path) == "secret"


@pytest.mark.parametrize(
    "message",
    [
        pykka.messages.ProxyGetAttr(attr_path=("_secret",)),
        pykka.messages.ProxySetAttr(attr_path=("_secret",), value="x"),
        pykka.messages.ProxyCall(attr_path=("__init__",), args=(), kwargs={}),
        pykka.messages.ProxyGetAttr(attr_path=("seen", "__class__")),
    ],
)
def test_our_proxy_messages_do_not(system: ActorSystem, message: object) -> None:
    ref = system.start(Ours)

    with pytest.raises(AttributeError, match="cannot reach the private"):
        ref.ask(message)
    ref.tell(message)

    assert ref.ask("x") == ["x"]
    assert system.dead_letters.counts() == {"unauthorised": 2}
    assert system.audit().balanced


def test_a_loop_actor_takes_no_proxy_message_at_all(system: ActorSystem) -> None:
    ref = system.start(Counter)

    with pytest.raises(Unhandled):
        ref.ask(pykka.messages.ProxyGetAttr(attr_path=("total",)))


# ours on a thread, beyond Pykka


class Typed(ThreadActor):
    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    @handles
    def add(self, message: Add) -> None:
        self.total += message.n

    @handles
    def read(self, message: Total) -> int:
        return self.total


def test_thread_actors_have_handlers_too(system: ActorSystem) -> None:
    ref = system.start(Typed)
    ref.tell(Add(n=3))

    assert ref.ask(Total()) == 3
    with pytest.raises(Unhandled):
        ref.ask("x")


@pytest.mark.parametrize("stepped", [False, True])
def test_loop_actors_request_from_thread_actors(system: ActorSystem, stepped: bool) -> None:
    ref = system.start(Typed)

    async def ask(_: Actor) -> int:
        ref.tell(Add(n=3))
        return await ref.request(Total())

    async def end(_: Actor) -> bool:
        await ref.stopped()
        return ref.is_alive()

    puppet = system.start(SteppedPuppet if stepped else Puppet)
    assert puppet.ask(Call(ask)) == 3
    assert puppet.ask(Call(end)) is False


def test_requests_of_thread_actors_work_on_foreign_loops(system: ActorSystem) -> None:
    ref = system.start(Typed)

    async def main() -> int:
        total = await ref.request(Total())
        await ref.stopped()
        return total

    assert asyncio.run(main()) == 0


def test_a_blocking_ask_of_a_thread_actor_on_a_loop_sends_nothing(system: ActorSystem) -> None:
    ref = system.start(Typed)

    def block(_: Actor) -> int:
        before = system.audit().sent
        with pytest.raises(WouldDeadlock):
            ref.ask(Total())
        with pytest.raises(WouldDeadlock):
            ref.stop()
        return system.audit().sent - before

    assert system.start(Puppet).ask(Call(block)) == 0


def test_a_failed_on_start_of_a_thread_actor_is_reported(system: ActorSystem) -> None:
    class Broken(ThreadActor):
        def on_start(self) -> None:
            raise OSError("no")

    with pytest.raises(StartFailed, match="OSError: no"):
        system.start(Broken, wait=True)
    assert system.start(Typed, wait=True).is_alive()


def test_a_thread_actor_that_forgets_super_is_refused(system: ActorSystem) -> None:
    class Forgetful(ThreadActor):
        def __init__(self) -> None:
            pass

    with pytest.raises(StartFailed):
        system.start(Forgetful)


def test_hooks_of_a_thread_actor_that_raise_end_it_only(system: ActorSystem) -> None:
    class Sour(Typed):
        def on_stop(self) -> None:
            raise SystemExit

        def on_failure(self, *info: object) -> None:
            raise SystemExit

        def on_receive(self, message: Any) -> Any:
            raise ValueError

    stopped, failed, other = (system.start(Sour) for _ in range(3))
    stopped.stop()
    failed.tell("x")
    failed.stop()

    assert other.ask(Total()) == 0
    assert not failed.is_alive()


def test_names_of_thread_actors_are_taken_and_freed(system: ActorSystem) -> None:
    ref = system.start(Typed, name="t")
    with pytest.raises(NameTaken):
        system.start(Counter, name="t")
    assert system.ref("t") is ref
    ref.stop()

    assert system.start(Counter, name="t").address == "mob://test/t"
    assert ref.address == "mob://test/t"


def test_a_thread_actor_stops_itself_behind_its_queue(system: ActorSystem) -> None:
    class Leaver(Typed):
        def on_receive(self, message: Any) -> Any:
            self.stop()

    ref = system.start(Leaver)
    ref.tell("leave")
    ref.tell(Add())
    ref.stop()

    assert not ref.is_alive()
    assert system.audit().balanced
