"""Signals while blocking work runs in the foreground."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from actors.cli.foreground import Foreground, Interrupted


def test_work_gives_its_value_or_its_error() -> None:
    def fail() -> None:
        raise ValueError("no")

    with Foreground(lambda: None) as foreground:
        assert foreground.run(lambda: 7, leave=True) == 7
        with pytest.raises(ValueError, match="no"):
            foreground.run(fail, leave=False)
        assert foreground.run(lambda: None, leave=True) is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_ends_a_wait_that_may_be_left(number: int) -> None:
    told: list[str] = []
    gate = threading.Event()

    def work() -> None:
        os.kill(os.getpid(), number)
        gate.wait(60)

    with Foreground(lambda: told.append("first")) as foreground:
        with pytest.raises(Interrupted):
            foreground.run(work, leave=True)
        with pytest.raises(Interrupted):
            foreground.run(lambda: 1, leave=True)
        gate.set()  # the work that was left ends during the next one, which takes no notice
        assert foreground.run(lambda: 2, leave=False) == 2

    assert told == ["first"]


def test_work_that_may_not_be_left_goes_on_after_the_first_signal() -> None:
    told: list[str] = []
    seen = threading.Event()

    def tell() -> None:
        told.append("first")
        seen.set()

    def work() -> bool:
        os.kill(os.getpid(), signal.SIGINT)
        return seen.wait(60)

    with Foreground(tell) as foreground:
        assert foreground.run(work, leave=False)
        assert foreground.signals == 1

    assert told == ["first"]


def test_handlers_are_put_back() -> None:
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]

    with Foreground(lambda: None):
        assert signal.getsignal(signal.SIGINT) != before[0]

    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == before
