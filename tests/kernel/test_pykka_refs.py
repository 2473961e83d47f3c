"""Pykka's contract: refs, names, the registry, errors and what is logged."""

from __future__ import annotations

import copy
import logging
import pickle
import queue
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import pykka
import pykka.debug
import pytest
from pykka._envelope import Envelope
from pykka.messages import _ActorStop

from actors.kernel.errors import ActorDead, AskTimeout
from actors.system import default_system
from tests.kernel.cast import PATIENCE_S
from tests.kernel.pykka_kinds import (
    Gate,
    Kind,
    deviation,
    ended,
    gone,
    held,
    sample,
    sentence,
    stopped_after,
)


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    with stopped_after():
        yield


# -- identity ---------------------------------------------------------------------------------


@sentence("urn")
def test_the_urn_is_a_uuid_of_its_own(kind: Kind) -> None:
    made = sample(kind)
    refs = [made.start() for _ in range(3)]

    assert {uuid.UUID(ref.actor_urn).version for ref in refs} == {4}
    assert len({ref.actor_urn for ref in refs}) == 3
    assert refs[0].ask(lambda actor: actor.actor_urn) == refs[0].actor_urn


@deviation("urn")
def test_the_urn_is_the_address_which_is_used_again(kind: Kind) -> None:
    made = sample(kind)
    first = default_system().start(made, name="same")
    first.stop()
    second = default_system().start(made, name="same")

    assert first.actor_urn == second.actor_urn == "mob://local/same"
    assert second.ask(lambda actor: actor.actor_urn) == "mob://local/same"
    assert first != second


@sentence("ref-text")
def test_a_ref_shows_class_and_urn(kind: Kind) -> None:
    ref = sample(kind).start()

    assert str(ref) == f"Sample ({ref.actor_urn})"
    assert repr(ref) == f"<ActorRef for Sample ({ref.actor_urn})>"


@deviation("ref-text")
def test_a_ref_shows_its_address(kind: Kind) -> None:
    ref = sample(kind).start()

    assert str(ref) == f"Sample ({ref.address})"
    assert repr(ref) in (f"<ActorRef for Sample ({ref.address})>", f"<ActorRef {ref.address}>")


@sentence()
def test_an_actor_shows_class_and_urn(kind: Kind) -> None:
    ref = sample(kind).start()

    assert ref.ask(str) == f"Sample ({ref.actor_urn})"


@sentence()
def test_an_actors_own_ref_is_the_one_that_start_gave(kind: Kind) -> None:
    ref = sample(kind).start()
    own = ref.ask(lambda actor: actor.actor_ref)

    assert own == ref
    assert hash(own) == hash(ref)
    assert ref != sample(kind).start()


@sentence("ref-identity")
def test_an_actor_has_one_ref(kind: Kind) -> None:
    ref = sample(kind).start()

    assert ref.ask(lambda actor: actor.actor_ref) is ref


@deviation("ref-identity")
def test_refs_of_one_actor_are_equal_but_not_the_same(kind: Kind) -> None:
    ref = sample(kind).start()
    own = ref.ask(lambda actor: actor.actor_ref)

    assert own is not ref
    assert own == ref


@sentence()
def test_a_ref_is_copied_but_neither_pickled_nor_copied_deeply(kind: Kind) -> None:
    ref = sample(kind).start()

    assert copy.copy(ref).ask("x", timeout=PATIENCE_S) == "x"
    with pytest.raises((TypeError, pickle.PicklingError)):
        pickle.dumps(ref)
    with pytest.raises(TypeError):
        copy.deepcopy(ref)


# -- what a ref shows of its actor ------------------------------------------------------------


@sentence("inbox-object")
def test_the_inbox_is_a_queue_of_envelopes(kind: Kind) -> None:
    ref = sample(kind).start()
    answer: pykka.Future[Any] = pykka.ThreadingFuture()
    ref.actor_inbox.put(Envelope("x", reply_to=answer))

    assert answer.get(timeout=PATIENCE_S) == "x"
    assert isinstance(ref.actor_inbox, queue.Queue)
    assert ref.ask(lambda actor: actor.actor_inbox) is ref.actor_inbox


@deviation("inbox-object")
def test_the_inbox_is_ours(kind: Kind) -> None:
    inbox = sample(kind).start().actor_inbox

    assert not isinstance(inbox, queue.Queue)
    assert not {"empty", "qsize", "full"} & set(dir(inbox))


@sentence("stopped-event")
def test_actor_stopped_is_an_event(kind: Kind) -> None:
    ref = sample(kind).start()
    inside = ref.ask(lambda actor: actor.actor_stopped)
    ref.stop(block=False)

    assert ref.actor_stopped.wait(PATIENCE_S)
    assert inside is ref.actor_stopped


@deviation("stopped-event")
def test_actor_stopped_is_only_looked_at(kind: Kind) -> None:
    ref = sample(kind).start()

    assert ref.ask(lambda actor: actor.actor_stopped.is_set()) is False
    assert ref.ask(lambda actor: actor.actor_inbox) is ref.actor_inbox
    assert not {"wait", "set"} & set(dir(ref.actor_stopped))
    ref.stop()
    assert ref.actor_stopped.is_set()


@sentence("private-stops")
def test_the_stop_message_and_the_stop_flag_end_the_actor(kind: Kind) -> None:
    made = sample(kind)
    told, flagged = made.start(), made.start()
    told.tell(_ActorStop())
    flagged.ask(lambda actor: actor.actor_stopped.set())

    assert told.done.wait(PATIENCE_S)
    assert flagged.done.wait(PATIENCE_S)
    gone(flagged)  # the flag alone does not take it out of the registry


@deviation("private-stops")
def test_the_stop_message_and_the_stop_flag_are_nothing_special(kind: Kind) -> None:
    ref = sample(kind).start()

    assert ref.ask(_ActorStop()) == _ActorStop()
    if isinstance(ref.actor_stopped, threading.Event):
        ref.ask(lambda actor: actor.actor_stopped.set())
        assert not ref.is_alive()
    assert ref.ask("x", timeout=PATIENCE_S) == "x"


# -- the registry -----------------------------------------------------------------------------


@sentence("registry")
def test_actors_are_in_the_registry_from_before_on_start_until_they_end(kind: Kind) -> None:
    def on_start(self: Any) -> None:
        self.events.append(pykka.ActorRegistry.get_by_urn(self.actor_urn))

    made, events = sample(kind, on_start=on_start), list[Any]()
    ref = made.start(events)
    ref.ask("x")

    assert events == [ref, "x"]
    assert pykka.ActorRegistry.get_by_class(made) == [ref]
    ref.stop()
    assert pykka.ActorRegistry.get_by_urn(ref.actor_urn) is None


@sentence("registry")
def test_the_registry_finds_by_class_base_name_and_urn(kind: Kind) -> None:
    base = sample(kind)
    derived: Kind = type("Derived", (base,), {})
    a, b = base.start(), derived.start()

    registry = pykka.ActorRegistry
    assert registry.get_all() == [a, b]
    assert registry.get_by_class(base) == [a, b]
    assert registry.get_by_class(derived) == [b]
    assert registry.get_by_class_name("Derived") == [b]
    assert registry.get_by_urn(a.actor_urn) is a
    assert registry.get_by_urn("urn:nobody") is None


@sentence("registry")
def test_the_registry_forgets_and_takes_back(kind: Kind) -> None:
    ref = sample(kind).start()

    for _ in range(2):  # twice is no error
        pykka.ActorRegistry.unregister(ref)
    assert pykka.ActorRegistry.get_all() == []
    pykka.ActorRegistry.register(ref)
    assert pykka.ActorRegistry.get_all() == [ref]


@sentence("registry")
def test_the_registry_broadcasts_to_all_to_a_class_and_to_a_name(kind: Kind) -> None:
    base = sample(kind)
    derived: Kind = type("Derived", (base,), {})
    heard, heard_too = list[Any](), list[Any]()
    base.start(heard)
    derived.start(heard_too)

    pykka.ActorRegistry.broadcast("all")
    pykka.ActorRegistry.broadcast("class", target_class=derived)
    pykka.ActorRegistry.broadcast("name", target_class="Sample")
    pykka.ActorRegistry.stop_all()

    assert heard == ["all", "name"]
    assert heard_too == ["all", "class"]


@sentence("registry")
@pytest.mark.parametrize("block", [True, False])
def test_the_registry_stops_all_last_started_first(kind: Kind, block: bool) -> None:
    order: list[int] = []
    for n in range(3):
        sample(kind, on_stop=lambda _, n=n: order.append(n)).start()

    ends: Any = pykka.ActorRegistry.stop_all(block=block, timeout=PATIENCE_S)

    assert (ends if block else pykka.get_all(ends, timeout=PATIENCE_S)) == [True, True, True]
    assert sorted(order) == [0, 1, 2]
    if block:
        assert order == [2, 1, 0]
    assert pykka.ActorRegistry.get_all() == []


@deviation("registry")
def test_actors_of_a_loop_are_not_in_the_registry(kind: Kind) -> None:
    ref = sample(kind).start()

    assert pykka.ActorRegistry.get_all() == []
    assert pykka.ActorRegistry.stop_all() == []
    assert ref.is_alive()
    assert default_system().ref(ref.actor_urn) == ref


# -- errors and the log -----------------------------------------------------------------------


def _errors(kind: Kind) -> tuple[Exception, Exception, Exception]:
    """What a tell and an ask of a dead actor raise, and a timeout."""
    ref = sample(kind).start()
    gate = held(ref)
    with pytest.raises(pykka.Timeout) as late:
        ref.ask("x", timeout=0.001)
    gate.open()
    ref.stop()
    with pytest.raises(pykka.ActorDeadError) as told:
        ref.tell("x")
    with pytest.raises(pykka.ActorDeadError) as asked:
        ref.ask("x")
    texts = (str(told.value), str(asked.value))
    assert texts[0] == texts[1]
    assert str(ref.actor_urn) in texts[0] or ref.address in texts[0]
    return told.value, asked.value, late.value


@sentence("error-texts")
def test_errors_say_not_found_and_how_many_seconds(kind: Kind) -> None:
    told, _, late = _errors(kind)

    assert str(told).startswith("Sample (urn:uuid:")
    assert str(told).endswith(" not found")
    assert str(late) == "0.001 seconds"


@deviation("error-texts")
def test_errors_say_who_and_what_was_not_handled(kind: Kind) -> None:
    told, asked, late = _errors(kind)

    assert isinstance(told, ActorDead)
    assert isinstance(asked, ActorDead)
    assert str(told) == f"{told.address} has stopped; str was not handled"
    assert isinstance(late, AskTimeout)
    assert str(late) == f"{told.address} did not answer within 0.001 s"


def _logged(kind: Kind, caplog: pytest.LogCaptureFixture) -> set[tuple[str, str, str]]:
    """Logger, level and exception of what is logged of an ask and a tell that fail."""
    made = sample(kind)
    with caplog.at_level(logging.INFO):
        asked, told = made.start(), made.start()
        with pytest.raises(Exception):  # noqa: B017 - a KeyError or ActorFailed, shown elsewhere
            asked.ask(KeyError())
        told.tell(IndexError())
        ended(told)
    return {
        (each.name.partition(".")[0], each.levelname, each.exc_info[0].__name__)
        for each in caplog.records
        if each.exc_info and each.exc_info[0] is not None
    }


@sentence("logs")
def test_failures_are_errors_and_returned_exceptions_infos_of_the_logger_pykka(
    kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    assert _logged(kind, caplog) == {
        ("pykka", "INFO", "KeyError"),
        ("pykka", "ERROR", "IndexError"),
    }


@deviation("logs")
def test_failures_are_errors_of_our_loggers(kind: Kind, caplog: pytest.LogCaptureFixture) -> None:
    found = _logged(kind, caplog)

    # on a loop an ask that fails is a failure like any other
    assert found - {("actors", "ERROR", "KeyError")} == {("actors", "ERROR", "IndexError")}


def _says_that_it_stopped(kind: Kind, caplog: pytest.LogCaptureFixture) -> bool:
    with caplog.at_level(logging.DEBUG):
        ended(sample(kind).start())
    return any(text.startswith("Stopped Sample") for text in caplog.messages)


@sentence("logs")
def test_an_end_is_logged_to_debug(kind: Kind, caplog: pytest.LogCaptureFixture) -> None:
    assert _says_that_it_stopped(kind, caplog)


@deviation("logs")
def test_an_end_is_not_logged(kind: Kind, caplog: pytest.LogCaptureFixture) -> None:
    assert not _says_that_it_stopped(kind, caplog)


@sentence()
def test_the_thread_that_holds_an_actor_is_in_the_tracebacks(
    kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    def holds_the_actor(actor: Any) -> None:
        gate(actor)

    gate = Gate()
    ref = sample(kind).start()
    ref.tell(holds_the_actor)
    assert gate.entered.wait(PATIENCE_S)

    pykka.debug.log_thread_tracebacks()
    gate.open()

    (text,) = (each for each in caplog.messages if "in holds_the_actor" in each)
    name = ref.ask(lambda _: threading.current_thread().name, timeout=PATIENCE_S)
    assert text.startswith(f"Current state of {name} (ident: ")


@sentence()
def test_exceptions_and_refs_are_pykkas(kind: Kind) -> None:
    ref = sample(kind).start()

    assert isinstance(ref, pykka.ActorRef)
    assert issubclass(ref.actor_class, pykka.Actor)
    assert ref.actor_class.__name__ == "Sample"
