"""Pykka's contract: hooks, failures and ends."""

from __future__ import annotations

import gc
import queue
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pykka
import pytest

from actors.kernel.errors import ActorFailed
from actors.kernel.ref import ActorRef
from tests.kernel.cast import PATIENCE_S
from tests.kernel.pykka_kinds import (
    Body,
    Gate,
    Hooked,
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


# -- stopping ---------------------------------------------------------------------------------


@sentence()
def test_stop_ends_the_actor_and_says_whether_it_lived(kind: Kind) -> None:
    ref = sample(kind).start()

    assert ref.stop() is True
    assert ref.stop() is False
    assert ref.stop(block=False).get(timeout=PATIENCE_S) is False
    assert not ref.is_alive()
    assert ref.actor_stopped.is_set()


@sentence()
def test_stop_without_blocking_gives_a_future(kind: Kind) -> None:
    end = sample(kind).start().stop(block=False)

    assert isinstance(end, pykka.Future)
    assert end.get(timeout=PATIENCE_S) is True


@sentence()
def test_a_stop_that_times_out_goes_on(kind: Kind) -> None:
    events: list[Any] = []
    ref = sample(kind, Hooked).start(events)
    gate = held(ref)

    with pytest.raises(pykka.Timeout):
        ref.stop(timeout=0.001)
    second = ref.stop(block=False)
    gate.open()

    assert second.get(timeout=PATIENCE_S) is True
    ended(ref)
    assert events == ["start", "stop"]


@sentence()
def test_a_dead_actor_raises_actor_dead_error(kind: Kind) -> None:
    ref = sample(kind).start()
    ref.stop()

    with pytest.raises(pykka.ActorDeadError):
        ref.tell("x")
    with pytest.raises(pykka.ActorDeadError):
        ref.ask("x")
    answer = ref.ask("x", block=False)
    with pytest.raises(pykka.ActorDeadError):
        answer.get(timeout=PATIENCE_S)


@sentence()
def test_an_ask_left_behind_is_answered_actor_dead(kind: Kind) -> None:
    ref = sample(kind).start()
    gate = held(ref)
    end = ref.stop(block=False)
    answer = ref.ask("late", block=False)
    gate.open()

    with pytest.raises(pykka.ActorDeadError):
        answer.get(timeout=PATIENCE_S)
    assert end.get(timeout=PATIENCE_S) is True


@sentence()
@pytest.mark.parametrize("failing", [True, False])
def test_a_stop_left_behind_is_answered_true(kind: Kind, failing: bool) -> None:
    ref = sample(kind).start()
    gate = held(ref)
    if failing:
        ref.tell(ValueError())
    ends = [ref.stop(block=False), ref.stop(block=False)]
    gate.open()

    assert list(pykka.get_all(ends, timeout=PATIENCE_S)) == [True, True]


def _leave_behind(kind: Kind, failing: bool, caplog: pytest.LogCaptureFixture) -> list[str]:
    """What is logged of a message that is queued behind the end of its actor."""
    events: list[Any] = []
    ref = sample(kind).start(events)
    gate = held(ref)
    if failing:
        ref.tell(ValueError())
    end = None if failing else ref.stop(block=False)
    ref.tell("late")
    gate.open()
    assert end is None or end.get(timeout=PATIENCE_S)
    ended(ref)
    sample(kind).start().ask("x", timeout=PATIENCE_S)  # on a loop: the end is over now
    assert events == []
    return [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]


FAILING = pytest.mark.parametrize("failing", [False, True])


@sentence("left-behind")
@FAILING
def test_a_tell_left_behind_is_gone_without_a_word(
    kind: Kind, failing: bool, caplog: pytest.LogCaptureFixture
) -> None:
    assert _leave_behind(kind, failing, caplog) == []


@deviation("left-behind")
@FAILING
def test_a_tell_left_behind_is_a_dead_letter(
    kind: Kind, failing: bool, caplog: pytest.LogCaptureFixture
) -> None:
    (text,) = _leave_behind(kind, failing, caplog)

    assert text.startswith(f"dead letter ({'dead' if failing else 'shutdown'}")
    assert "str to " in text


@sentence("stop-order")
def test_stop_waits_behind_what_was_queued(kind: Kind) -> None:
    events: list[Any] = []
    ref = sample(kind, Hooked).start(events)
    gate = held(ref)
    for n in range(50):
        ref.tell(n)
    end = ref.stop(block=False)
    gate.open()
    end.get(timeout=PATIENCE_S)

    assert events == ["start", *range(50), "stop"]


@sentence("stop-order")
def test_an_actor_that_stops_itself_ends_behind_what_was_queued(kind: Kind) -> None:
    events: list[Any] = []
    ref = sample(kind, Hooked).start(events)

    assert ref.ask(lambda actor: (actor.actor_ref.tell("queued"), actor.stop())) == (None, None)
    ended(ref)

    assert events == ["start", "queued", "stop"]


@deviation("stop-order")
def test_stop_overtakes_what_was_queued(kind: Kind) -> None:
    def told(ref: Any) -> None:
        ref.stop(block=False)

    def itself(ref: Any) -> None:
        ref.tell(lambda actor: actor.stop())

    for stop in (told, itself):
        events: list[Any] = []
        ref = sample(kind, Hooked).start(events)
        gate = held(ref)
        stop(ref)
        ref.tell("queued")
        gate.open()
        ended(ref)

        assert events == ["start", "stop"]


@deviation("stop-order")
def test_stop_with_drain_waits_behind_what_was_queued(kind: Kind) -> None:
    events: list[Any] = []
    ref = sample(kind, Hooked).start(events)
    gate = held(ref)
    ref.tell("queued")
    end = ref.stop(block=False, drain=True)
    gate.open()
    end.get(timeout=PATIENCE_S)

    assert events == ["start", "queued", "stop"]


@sentence()
def test_an_actor_stops_itself_twice_and_answers_first(kind: Kind) -> None:
    ref = sample(kind).start()

    assert ref.ask(lambda actor: (actor.stop(), actor.stop(), "bye")[-1]) == "bye"
    ended(ref)
    assert not ref.is_alive()


def _in_its_on_stop(kind: Kind) -> tuple[Any, Gate]:
    """An actor that stops, and what keeps it in its `on_stop`."""
    gate = Gate()
    ref = sample(kind, on_stop=lambda self: gate(self)).start()
    ref.stop(block=False)
    assert gate.entered.wait(PATIENCE_S)
    return ref, gate


@sentence("stop-at-the-end")
def test_stop_of_an_actor_in_its_on_stop_is_false_at_once(kind: Kind) -> None:
    ref, gate = _in_its_on_stop(kind)

    assert ref.stop(timeout=0) is False

    gate.open()


@deviation("stop-at-the-end")
def test_stop_of_an_actor_in_its_on_stop_waits_for_its_end(kind: Kind) -> None:
    ref, gate = _in_its_on_stop(kind)

    with pytest.raises(pykka.Timeout):
        ref.stop(timeout=0.001)
    end = ref.stop(block=False)
    gate.open()

    assert end.get(timeout=PATIENCE_S) is True


# -- hooks ------------------------------------------------------------------------------------


@sentence()
def test_on_start_runs_before_and_on_stop_after_the_messages(kind: Kind) -> None:
    events: list[Any] = []
    ref = sample(kind, Hooked).start(events)
    ref.ask("message")
    ref.stop()

    assert events == ["start", "message", "stop"]


@sentence()
def test_an_actor_that_is_stopped_right_after_its_start_runs_both_hooks(kind: Kind) -> None:
    events: list[Any] = []
    sample(kind, Hooked).start(events).stop(timeout=PATIENCE_S)

    assert events == ["start", "stop"]


@sentence()
def test_an_exception_of_on_start_ends_the_actor_without_another_hook(kind: Kind) -> None:
    def on_start(self: Any) -> None:
        self.events.append("start")
        raise OSError

    events: list[Any] = []
    ref = sample(kind, Hooked, on_start=on_start).start(events)

    with pytest.raises(pykka.ActorDeadError):
        ref.ask("x", timeout=PATIENCE_S)
    assert not ref.is_alive()
    assert events == ["start"]


@sentence()
def test_an_actor_stops_itself_in_on_start(kind: Kind) -> None:
    def on_start(self: Any) -> None:
        self.events.append("start")
        self.stop()

    events: list[Any] = []
    ended(sample(kind, Hooked, on_start=on_start).start(events))

    assert events == ["start", "stop"]


def _stops_in_init(kind: Kind) -> list[Any]:
    def init(self: Any, events: list[Any]) -> None:
        super(type(self), self).__init__(events)
        self.stop()

    events: list[Any] = []
    ended(sample(kind, Hooked, __init__=init).start(events))
    return events


@sentence("stop-in-init")
def test_an_actor_that_stops_itself_in_init_starts_first(kind: Kind) -> None:
    assert _stops_in_init(kind) == ["start", "stop"]


@deviation("stop-in-init")
def test_an_actor_that_stops_itself_in_init_never_starts(kind: Kind) -> None:
    assert _stops_in_init(kind) == []


@sentence()
def test_in_on_stop_the_actor_is_dead_and_unregistered(kind: Kind) -> None:
    def on_stop(self: Any) -> None:
        registered = pykka.ActorRegistry.get_by_urn(self.actor_urn)
        self.events.append((self.actor_ref.is_alive(), registered))

    events: list[Any] = []
    sample(kind, on_stop=on_stop).start(events).stop()

    assert events == [(False, None)]


def _last_word(kind: Kind, hook: str, call: Callable[[Any], object]) -> object:
    """What comes of a call in the hook that ends an actor; "dead" for ActorDeadError."""
    words: queue.Queue[object] = queue.Queue()

    def last(self: Any, *_: Any) -> None:
        try:
            words.put(call(self))
        except pykka.ActorDeadError:
            words.put("dead")

    made: Kind = type("Sample", (Body, kind), {hook: last})
    ref = made.start()
    ref.tell(_stop if hook == "on_stop" else ValueError())
    word = words.get(timeout=PATIENCE_S)
    ended(ref)
    return word


def _stop(actor: Any) -> None:
    actor.stop()


def _write(actor: Any) -> None:
    actor.actor_ref.tell("x")


ENDS = pytest.mark.parametrize("hook", ["on_stop", "on_failure"])


@sentence("stop-of-the-ended")
@ENDS
def test_an_actor_that_has_ended_cannot_stop_itself(kind: Kind, hook: str) -> None:
    assert _last_word(kind, hook, _stop) == "dead"


@deviation("stop-of-the-ended")
@ENDS
def test_an_actor_that_has_ended_may_stop_itself(kind: Kind, hook: str) -> None:
    assert _last_word(kind, hook, _stop) is None


@sentence()
def test_an_actor_in_its_on_stop_takes_no_mail(kind: Kind) -> None:
    assert _last_word(kind, "on_stop", _write) == "dead"


@sentence()
def test_an_exception_of_on_stop_calls_no_other_hook(kind: Kind) -> None:
    def on_stop(self: Any) -> None:
        self.events.append("stop")
        raise OSError

    events: list[Any] = []
    ref = sample(kind, Hooked, on_stop=on_stop).start(events)

    assert ref.stop(timeout=PATIENCE_S) is True
    assert events == ["start", "stop"]


@sentence()
def test_an_exception_of_a_tell_ends_the_actor_after_on_failure(kind: Kind) -> None:
    def on_failure(self: Any, *info: Any) -> None:
        self.events.append(info)

    error, events = KeyError("x"), list[Any]()
    ref = sample(kind, Hooked, on_failure=on_failure).start(events)
    ref.tell(error)
    ended(ref)

    assert not ref.is_alive()
    assert events == ["start", (KeyError, error, error.__traceback__)]


@sentence()
def test_an_exception_of_on_failure_ends_the_actor_too(kind: Kind) -> None:
    def on_failure(self: Any, *_: Any) -> None:
        raise OSError

    ref = sample(kind, Hooked, on_failure=on_failure).start()
    gate = held(ref)
    ref.tell(ValueError())
    answer = ref.ask("late", block=False)
    gate.open()

    with pytest.raises(pykka.ActorDeadError):
        answer.get(timeout=PATIENCE_S)
    assert not ref.is_alive()


def _standing(actor: Any) -> bool:
    """Whether an actor seems to live."""
    return bool(actor.actor_ref.is_alive())


@sentence("failure-hook")
def test_in_on_failure_the_actor_is_dead_and_takes_no_mail(kind: Kind) -> None:
    assert _last_word(kind, "on_failure", _standing) is False
    assert _last_word(kind, "on_failure", _write) == "dead"


@deviation("failure-hook")
def test_in_on_failure_the_actor_is_alive_and_takes_mail(kind: Kind) -> None:
    assert _last_word(kind, "on_failure", _standing) is True
    assert _last_word(kind, "on_failure", _write) is None


# -- what is no Exception ----------------------------------------------------------------------

EXITS = pytest.mark.parametrize("exit", [SystemExit, KeyboardInterrupt, GeneratorExit])


@sentence("base-exception")
@EXITS
def test_a_base_exception_stops_all_actors_and_answers_nobody(
    kind: Kind, exit: type[BaseException]
) -> None:
    events: list[Any] = []
    made = sample(kind, Hooked)
    other, ref = made.start(), made.start(events)
    answer = ref.ask(exit(), block=False)

    assert other.actor_stopped.wait(PATIENCE_S)
    assert ref.actor_stopped.is_set()
    assert events == ["start", "stop"]
    with pytest.raises(pykka.Timeout):
        answer.get(timeout=0)


@deviation("base-exception")
@EXITS
def test_a_base_exception_ends_its_actor_only(kind: Kind, exit: type[BaseException]) -> None:
    events: list[Any] = []
    made = sample(kind, Hooked)
    other, ref = made.start(), made.start(events)

    with pytest.raises(ActorFailed, match=exit.__name__):
        ref.ask(exit(), timeout=PATIENCE_S)
    ended(ref)

    assert events == ["start", ("failure", exit)]
    assert other.ask("x", timeout=PATIENCE_S) == "x"


HOOKS = pytest.mark.parametrize("hook", ["on_start", "on_stop", "on_failure"])


def _exits_in(kind: Kind, hook: str) -> tuple[Any, Any]:
    """An actor that exits in a hook, and somebody who waits for it."""
    before = Gate()

    def exits(self: Any, *_: Any) -> None:
        if hook == "on_start":
            before(self)
        raise SystemExit

    made: Kind = type("Sample", (Body, kind), {hook: exits})
    ref = made.start()
    if hook != "on_start":
        ref.tell(before)
    assert before.entered.wait(PATIENCE_S)
    if hook == "on_failure":
        ref.tell(ValueError())
    waiting = ref.stop(block=False) if hook == "on_stop" else ref.ask("x", block=False)
    before.open()
    return ref, waiting


# the hook of Pykka's actor ends its thread with the exception
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@sentence("base-exception-in-hook")
@HOOKS
def test_a_base_exception_in_a_hook_leaves_those_who_wait_waiting(kind: Kind, hook: str) -> None:
    ref, waiting = _exits_in(kind, hook)
    assert ref.done.wait(PATIENCE_S)

    with pytest.raises(pykka.Timeout):
        waiting.get(timeout=0)
    assert ref.is_alive() is (hook == "on_start")
    gone(ref)


@deviation("base-exception-in-hook")
@HOOKS
def test_a_base_exception_in_a_hook_ends_the_actor(kind: Kind, hook: str) -> None:
    ref, waiting = _exits_in(kind, hook)

    if hook == "on_stop":
        assert waiting.get(timeout=PATIENCE_S) is True
    else:
        with pytest.raises(pykka.ActorDeadError):
            waiting.get(timeout=PATIENCE_S)
    ended(ref)
    assert not ref.is_alive()


# -- what is left -----------------------------------------------------------------------------


def _kept(kind: Kind) -> tuple[Any, weakref.ref[Any]]:
    """The ref of an actor that has ended, and a weak reference to the actor."""
    ref = sample(kind).start()
    actor = ref.ask(weakref.ref, timeout=PATIENCE_S)
    thread = ref.ask(lambda _: threading.current_thread(), timeout=PATIENCE_S)
    ended(ref)
    if not isinstance(ref, ActorRef):
        thread.join(PATIENCE_S)  # its frames keep the actor, too
    gc.collect()
    return ref, actor


@sentence()
def test_an_actor_that_has_ended_is_collected_whoever_has_a_ref(kind: Kind) -> None:
    ref, actor = _kept(kind)

    assert actor() is None
    assert not ref.is_alive()
