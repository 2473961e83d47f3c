"""A system ends in its time, also with the network open and a loop that somebody holds."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from actors import Actor, ActorSystem, handles
from actors.kernel.errors import KernelError, UnknownAddress
from tests.post.nodes import PATIENCE_S, Add, Hold, Peek, Worker, nodes

TIMEOUT_S = 0.3
CUT_OFF_S = 0.2
PROMISE_S = TIMEOUT_S + 2 * CUT_OFF_S
SLACK_S = 1.0  # of a machine that has other things to do; without the promise it was 20 s


class Hog(Actor):
    """Does what nobody should: it blocks its loop."""

    def __init__(self, entered: threading.Event, opened: threading.Event) -> None:
        super().__init__()
        self.entered = entered
        self.opened = opened

    @handles
    def hog(self, message: Add) -> None:
        self.entered.set()
        self.opened.wait(60)


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.CRITICAL):
        yield


@pytest.fixture
def held() -> Iterator[tuple[threading.Event, threading.Event]]:
    """Whether the hog is at work, and what lets it go."""
    entered, opened = threading.Event(), threading.Event()
    yield entered, opened
    opened.set()


def seconds_to_end(system: ActorSystem) -> float:
    began = time.monotonic()
    system.shutdown(TIMEOUT_S, cut_off_s=CUT_OFF_S)
    return time.monotonic() - began


@pytest.mark.parametrize("network", [False, True])
def test_a_system_whose_loop_is_held_ends_in_its_time(
    held: tuple[threading.Event, threading.Event], network: bool
) -> None:
    entered, opened = held
    system = ActorSystem("server")
    if network:
        system.listen("ipc")
    system.start(Hog, entered, opened).tell(Add())
    assert entered.wait(PATIENCE_S)

    assert seconds_to_end(system) < PROMISE_S + SLACK_S


@pytest.mark.parametrize("kind", ["ipc", "tcp://127.0.0.1"])
def test_a_connected_system_whose_loop_is_held_ends_in_its_time_and_frees_its_name(
    held: tuple[threading.Event, threading.Event], kind: str
) -> None:
    entered, opened = held
    with nodes(kind) as (server, client):
        server.start(Worker, name="worker", wait=True)
        ref: Any = client.ref("mob://server/worker")
        asked = ref.ask(Hold(), block=False)
        assert ref.ask(Peek(), timeout=PATIENCE_S) == "peeked"
        server.start(Hog, entered, opened).tell(Add())
        assert entered.wait(PATIENCE_S)

        assert seconds_to_end(server) < PROMISE_S + SLACK_S

        with pytest.raises(KernelError):  # it is told, whatever it is
            asked.get(timeout=PATIENCE_S)
        if kind == "ipc":
            with ActorSystem("server") as again:
                assert again.listen("ipc").startswith("ipc://")


def test_what_is_said_while_a_system_ends_is_refused_at_once() -> None:
    with nodes("ipc") as (server, client):
        server.start(Worker, name="worker", wait=True)
        ref: Any = client.ref("mob://server/worker")
        ref.ask(Peek(), timeout=PATIENCE_S)
        client.shutdown(1.0)

        with pytest.raises(UnknownAddress, match="this system is shutting down"):
            ref.tell(Add())
        with pytest.raises(UnknownAddress, match="this system is shutting down"):
            ref.ask(Peek(), timeout=None)
