"""Log records carry the address of the actor they are about (design §11)."""

from __future__ import annotations

import asyncio
import logging
import threading

import pytest

from actors import Actor, ActorSystem, ThreadActor, handles
from actors.kernel.current import current_address
from actors.kernel.logs import ActorAddress
from tests.kernel.cast import PATIENCE_S, Boom, Call, Counter, Note, Puppet, SteppedPuppet


def test_a_failure_is_logged_with_the_address(
    sim: ActorSystem, caplog: pytest.LogCaptureFixture
) -> None:
    counter = sim.start(Counter, 0, name="counter")
    with caplog.at_level(logging.ERROR):
        counter.tell(Boom())
        counter.stop(drain=True)

    assert [record.actor for record in caplog.records] == ["mob://sim/counter"]  # type: ignore[attr-defined]  # ours


def test_a_dead_letter_is_logged_with_the_address_it_went_to(
    sim: ActorSystem, caplog: pytest.LogCaptureFixture
) -> None:
    counter = sim.start(Counter, 0, name="counter")
    counter.tell(Note(text="x"))
    with caplog.at_level(logging.WARNING):
        counter.stop(drain=True)

    assert [record.actor for record in caplog.records] == ["mob://sim/counter"]  # type: ignore[attr-defined]  # ours


def test_records_of_users_code_get_the_address_by_the_filter(system: ActorSystem) -> None:
    found: dict[str, str] = {}

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found[record.getMessage()] = getattr(record, "actor", "no attribute")

    log = logging.getLogger("test.users.code")
    handler = Keep()
    handler.addFilter(ActorAddress())
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False

    async def in_task(_: Actor) -> None:
        await asyncio.sleep(0)
        log.info("task")
        await asyncio.to_thread(log.info, "thread of a handler")

    class Plain(Actor):
        @handles
        def note(self, message: Note) -> None:
            log.info("def")

    class Threaded(ThreadActor):
        def on_receive(self, message: object) -> None:
            log.info("thread actor")

    system.start(Puppet, name="puppet").ask(Call(in_task), timeout=PATIENCE_S)
    stepped = system.start(SteppedPuppet, name="stepped")
    stepped.ask(Call(lambda _: log.info("stepped")), timeout=PATIENCE_S)
    system.start(Plain, name="plain").ask(Note(text="x"), timeout=PATIENCE_S)
    system.start(Threaded, name="threaded").ask("x", timeout=PATIENCE_S)
    log.info("outside")
    outside = threading.Thread(target=log.info, args=("another thread",))
    outside.start()
    outside.join()

    assert found == {
        "task": "mob://test/puppet",
        "thread of a handler": "mob://test/puppet",
        "stepped": "mob://test/stepped",
        "def": "mob://test/plain",
        "thread actor": "mob://test/threaded",
        "outside": "",
        "another thread": "",
    }


def test_a_record_that_names_its_actor_keeps_it() -> None:
    record = logging.makeLogRecord({"actor": "mob://a/b"})

    assert ActorAddress().filter(record)
    assert record.actor == "mob://a/b"  # type: ignore[attr-defined]  # ours


def test_what_a_handler_began_and_left_behind_belongs_to_nobody_else(sim: ActorSystem) -> None:
    """The drain that serves the next actor must not think that it is the first one."""
    seen: list[str] = []

    async def tell_other(_: Actor) -> None:
        other.tell(Call(lambda _: seen.append(current_address())))
        await asyncio.sleep(0)

    other = sim.start(SteppedPuppet, name="other")
    sim.start(Puppet, name="first").ask(Call(tell_other))
    other.ask(Call(lambda _: None))

    assert seen == ["mob://sim/other"]
