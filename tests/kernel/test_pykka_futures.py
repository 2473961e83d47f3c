"""Pykka's contract: the futures that asks give, and those that are made by hand."""

from __future__ import annotations

import asyncio
import functools
import operator
import queue
import threading
import traceback
from collections.abc import Generator, Iterator
from typing import Any

import pykka
import pytest

from tests.kernel.cast import PATIENCE_S
from tests.kernel.pykka_kinds import (
    Kind,
    deviation,
    gone,
    held,
    in_a_thread,
    sample,
    sentence,
    stopped_after,
)

Future = pykka.Future[Any]


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    with stopped_after():
        yield


def _future(kind: Kind) -> Any:
    """A future of the class that the kind's asks give."""
    return kind._create_future()


# -- answering and getting --------------------------------------------------------------------


@sentence()
def test_a_future_gives_its_value_again_and_again(kind: Kind) -> None:
    future, value = _future(kind), object()
    future.set(value)

    assert future.get() is future.get(timeout=0) is value
    assert repr(future) == "<pykka.Future>"


@sentence()
def test_a_future_is_set_to_none_by_default(kind: Kind) -> None:
    future = _future(kind)
    future.set()

    assert future.get(timeout=0) is None


@sentence()
def test_a_future_that_timed_out_gives_its_value_later(kind: Kind) -> None:
    ref = sample(kind).start()
    gate = held(ref)
    future = ref.ask("x", block=False)
    for timeout in (0.001, 0, -1):
        with pytest.raises(pykka.Timeout):
            future.get(timeout=timeout)
    gate.open()

    assert future.get(timeout=PATIENCE_S) == "x"


@sentence()
def test_a_future_raises_its_exception_with_the_place_where_it_came_from(kind: Kind) -> None:
    def origin() -> None:
        raise NameError("x")

    future = _future(kind)
    try:
        origin()
    except NameError:
        future.set_exception()

    for _ in range(2):
        with pytest.raises(NameError) as caught:
            future.get()
        places = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
        assert places[-1] == "origin"


@sentence()
@pytest.mark.parametrize("error", [LookupError("x"), None])
def test_a_future_is_given_an_exception_or_its_class(kind: Kind, error: Exception | None) -> None:
    future = _future(kind)
    future.set_exception((LookupError, error, None))

    with pytest.raises(LookupError) as caught:
        future.get()
    assert error is None or caught.value is error


@sentence()
def test_a_second_answer_is_refused(kind: Kind) -> None:
    answered, hooked = _future(kind), _future(kind)
    answered.set(1)
    hooked.set_get_hook(lambda _: 2)

    for future in (answered, hooked):
        with pytest.raises(queue.Full):
            future.set(3)
        with pytest.raises(queue.Full):
            future.set_exception((ValueError, ValueError(), None))
    with pytest.raises(queue.Full):
        answered.set_get_hook(lambda _: 3)
    assert [answered.get(), hooked.get()] == [1, 2]


@sentence()
def test_get_all_gives_the_values_in_order_or_times_out(kind: Kind) -> None:
    ref = sample(kind).start()
    gate = held(ref)
    futures = [ref.ask(n, block=False) for n in range(3)]

    with pytest.raises(pykka.Timeout):
        pykka.get_all(futures, timeout=0)

    gate.open()
    for _ in range(2):
        assert pykka.get_all(futures, timeout=PATIENCE_S) == [0, 1, 2]


# -- deriving ---------------------------------------------------------------------------------


@sentence()
def test_a_get_hook_is_asked_once_with_the_timeout(kind: Kind) -> None:
    timeouts: list[float | None] = []

    def hook(timeout: float | None) -> str:
        timeouts.append(timeout)
        return "hooked"

    future = _future(kind)
    future.set_get_hook(hook)

    assert [future.get(timeout=3), future.get()] == ["hooked", "hooked"]
    assert timeouts == [3]


@sentence()
def test_a_get_hook_that_raises_is_asked_again(kind: Kind) -> None:
    answers = iter([LookupError("not yet"), None])

    def hook(_: float | None) -> str:
        error = next(answers)
        if error is not None:
            raise error
        return "now"

    future = _future(kind)
    future.set_get_hook(hook)

    with pytest.raises(LookupError):
        future.get()
    assert future.get() == "now"


@sentence()
def test_filter_map_join_and_reduce_derive_futures(kind: Kind) -> None:
    future, other = _future(kind), _future(kind)
    derived = [
        future.filter(lambda n: n > 1),
        future.map(len),
        future.join(other),
        future.reduce(operator.add),
        future.reduce(operator.add, 10),
        future.map(sum).map(str),
    ]
    future.set([1, 2, 3])
    other.set("x")

    values = [each.get(timeout=0) for each in derived]
    assert values == [[2, 3], 3, [[1, 2, 3], "x"], 6, 16, "6"]


@sentence()
@pytest.mark.parametrize("how", ["filter", "map", "join", "reduce"])
def test_derived_futures_time_out_with_their_source(kind: Kind, how: str) -> None:
    future = _future(kind)
    derived = future.join(_future(kind)) if how == "join" else getattr(future, how)(len)

    with pytest.raises(pykka.Timeout):
        derived.get(timeout=0)


@sentence()
def test_filter_and_reduce_of_what_is_no_iterable_are_type_errors(kind: Kind) -> None:
    future = _future(kind)
    future.set(1)

    for derived in (future.filter(bool), future.reduce(operator.add)):
        with pytest.raises(TypeError):
            derived.get()


# -- awaiting ---------------------------------------------------------------------------------


@sentence()
def test_a_future_is_awaited(kind: Kind) -> None:
    ref = sample(kind).start()

    async def main() -> tuple[Any, Any]:
        first = await ref.ask("x", block=False)
        return first, await ref.ask([1, 2], block=False).map(len)

    assert asyncio.run(main()) == ("x", 2)


@sentence("ask-failure")
def test_an_awaited_future_raises_its_exception(kind: Kind) -> None:
    ref = sample(kind).start()

    async def main() -> None:
        await ref.ask(KeyError("x"), block=False)

    with pytest.raises(KeyError):
        asyncio.run(main())


@sentence("future-await")
def test_an_awaited_future_blocks_the_event_loop(kind: Kind) -> None:
    blocking = threading.Event()

    class Seen(pykka.ThreadingFuture[str]):
        def get(self, *, timeout: float | None = None) -> Any:
            blocking.set()
            return super().get(timeout=timeout)

    future = Seen()

    async def main() -> str:
        return await future

    loop = in_a_thread(lambda: asyncio.run(main()))
    assert blocking.wait(PATIENCE_S)  # the loop's thread waits, although there is no answer
    future.set("x")
    loop.join(PATIENCE_S)

    assert issubclass(Seen, type(_future(kind)))


@deviation("future-await")
def test_an_awaited_future_suspends_its_task_only(kind: Kind) -> None:
    ref = sample(kind).start()
    gate = held(ref)

    async def main() -> Any:
        loop = asyncio.get_running_loop()
        loop.call_soon(lambda: loop.call_soon(gate.open))  # the answer needs the loop to go on
        return await ref.ask("x", block=False)

    assert asyncio.run(main()) == "x"


def _through(future: Any) -> Generator[Any, None, Any]:
    return (yield from future)


@deviation("future-await")
def test_outside_asyncio_only_a_future_that_is_answered_is_awaited(kind: Kind) -> None:
    answered, open_ = _future(kind), _future(kind)
    answered.set("x")

    with pytest.raises(StopIteration) as caught:
        next(_through(answered))
    assert caught.value.value == "x"
    with pytest.raises(RuntimeError, match="no running event loop"):
        next(_through(open_))


# -- where ours differ ------------------------------------------------------------------------


@sentence("future-class")
def test_an_ask_gives_a_threading_future(kind: Kind) -> None:
    assert isinstance(sample(kind).start().ask("x", block=False), pykka.ThreadingFuture)


@deviation("future-class")
def test_an_ask_gives_a_future_of_ours(kind: Kind) -> None:
    future = sample(kind).start().ask("x", block=False)

    assert isinstance(future, pykka.Future)
    assert not isinstance(future, pykka.ThreadingFuture)


# the answer of Pykka's actor raises queue.Full, which ends its thread
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@sentence("future-answered")
def test_an_ask_that_somebody_else_answers_breaks_its_actor(kind: Kind) -> None:
    ref = sample(kind).start()
    gate = held(ref)
    future = ref.ask("x", block=False)
    future.set("mine")
    gate.open()

    assert ref.done.wait(PATIENCE_S)
    assert future.get() == "mine"
    assert ref.is_alive()  # so it says, but nobody is answered any more
    gone(ref)


@deviation("future-answered")
def test_an_ask_that_somebody_else_answers_harms_nobody(kind: Kind) -> None:
    ref = sample(kind).start()
    gate = held(ref)
    future = ref.ask("x", block=False)
    future.set("mine")
    gate.open()

    assert ref.ask("y", timeout=PATIENCE_S) == "y"
    assert future.get() == "mine"


class Slow:
    """A get hook that two threads may be in."""

    def __init__(self) -> None:
        self.entered, self.opened = threading.Semaphore(0), threading.Event()
        self.calls = 0

    def __call__(self, _timeout: float | None) -> str:
        self.calls += 1
        self.entered.release()
        assert self.opened.wait(PATIENCE_S)
        return "computed"


@sentence("future-hook")
def test_a_get_hook_is_computed_by_one_thread_while_others_wait(kind: Kind) -> None:
    future, hook = _future(kind), Slow()
    future.set_get_hook(hook)
    getting = [in_a_thread(future.get) for _ in range(2)]
    assert hook.entered.acquire(timeout=PATIENCE_S)
    hook.opened.set()
    for thread in getting:
        thread.join(PATIENCE_S)

    assert hook.calls == 1


@deviation("future-hook")
def test_a_get_hook_may_be_computed_by_two_threads(kind: Kind) -> None:
    future, hook = _future(kind), Slow()
    future.set_get_hook(hook)
    getting = [in_a_thread(future.get) for _ in range(2)]
    for _ in getting:
        assert hook.entered.acquire(timeout=PATIENCE_S)
    hook.opened.set()
    for thread in getting:
        thread.join(PATIENCE_S)

    assert hook.calls == 2


@sentence("future-no-exception")
def test_setting_no_exception_is_an_assertion_when_it_is_got(kind: Kind) -> None:
    future = _future(kind)
    future.set_exception()

    with pytest.raises(AssertionError):
        future.get(timeout=0)


@deviation("future-no-exception")
def test_setting_no_exception_is_refused(kind: Kind) -> None:
    with pytest.raises(ValueError, match="no exception to set"):
        _future(kind).set_exception()


FAR = 10.0 * threading.TIMEOUT_MAX  # seconds


@sentence("future-far")
def test_a_timeout_beyond_all_clocks_is_an_overflow(kind: Kind) -> None:
    with pytest.raises(OverflowError):
        _future(kind).get(timeout=FAR)


@deviation("future-far")
def test_a_timeout_beyond_all_clocks_is_a_long_wait(kind: Kind) -> None:
    ref = sample(kind).start()
    gate = held(ref)
    asking = in_a_thread(functools.partial(ref.ask, "x", timeout=FAR))
    gate.open()
    asking.join(PATIENCE_S)

    assert ref.ask(lambda actor: actor.events) == ["x"]
    assert ref.ask("y", timeout=FAR) == "y"
