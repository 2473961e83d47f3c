"""Whose failed handshake is written down, and whose is not."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
import zmq

from tests.transport.network import DEADLINE_S, outcome
from transport.connections import Connections
from transport.refusals import Reason, Refusals
from transport.security import (
    Authenticator,
    Client,
    Handshake,
    Server,
    Watch,
    listen,
    new_key_pair,
    probe,
)

# A greeting that asks for another mechanism than CURVE.
GARBAGE = b"\xff" + bytes(8) + b"\x7f\x03\x01CURVE" + bytes(200)


class Listener:
    """A listening socket whose watch writes nothing down yet."""

    def __init__(self, authenticator: Authenticator) -> None:
        self.socket = authenticator.context.socket(zmq.ROUTER)
        self.connections = Connections()
        self.watch = Watch(self.socket, self.connections)
        self.refusals = Refusals()
        role = Server(new_key_pair("s"), authenticator)
        self.port = int(listen(self.socket, role, "tcp://127.0.0.1:*").rpartition(":")[2])

    def until(self, true: Callable[[], bool]) -> bool:
        """Watch until something is true, or False after a while."""
        deadline = time.monotonic() + DEADLINE_S
        while not true() and time.monotonic() < deadline:
            self.watch.read(timeout_ms=10)
        return true()

    def knock(self) -> socket.socket:
        """A connection that the listener has seen, and that has not greeted yet."""
        before = len(self.connections)
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE_S)
        assert self.until(lambda: len(self.connections) > before)
        return raw

    def fails(self, raw: socket.socket) -> None:
        """A connection says something else than a greeting, and the listener ends it."""
        before = len(self.connections)
        with raw:
            raw.sendall(GARBAGE)
        assert self.until(lambda: len(self.connections) < before)


@pytest.fixture
def listener(authenticator: Authenticator) -> Iterator[Listener]:
    made = Listener(authenticator)
    yield made
    made.watch.close()
    made.socket.close()


def test_a_connection_from_before_the_announcement_fails_unheard(listener: Listener) -> None:
    raw = listener.knock()
    listener.watch.report_to(listener.refusals)

    listener.fails(raw)

    assert listener.refusals.last() == ()


def test_a_connection_that_has_failed_before_it_is_looked_at_fails_unheard(
    listener: Listener,
) -> None:
    with socket.create_connection(("127.0.0.1", listener.port), timeout=DEADLINE_S) as raw:
        raw.sendall(GARBAGE)
        with suppress(ConnectionError):
            while raw.recv(4096):
                pass  # until the listener has done with it
    listener.watch.report_to(listener.refusals)

    assert listener.until(lambda: len(listener.connections) == 0)
    assert listener.refusals.last() == ()


def test_a_failure_after_the_announcement_is_written_down_with_its_address(
    listener: Listener,
) -> None:
    listener.fails(listener.knock())
    listener.watch.report_to(listener.refusals)

    listener.fails(listener.knock())

    (refusal,) = listener.refusals.last()
    assert (refusal.reason, refusal.address) == (Reason.HANDSHAKE, "127.0.0.1")


def test_of_two_that_overlap_the_one_from_before_is_unheard(listener: Listener) -> None:
    before = listener.knock()
    listener.watch.report_to(listener.refusals)
    after = listener.knock()

    listener.fails(before)
    assert listener.refusals.last() == ()
    listener.fails(after)

    assert len(listener.refusals.last()) == 1


def test_who_goes_before_the_handshake_is_over_is_written_down(listener: Listener) -> None:
    listener.watch.report_to(listener.refusals)

    listener.knock().close()

    assert listener.until(lambda: len(listener.refusals.last()) == 1)


def test_a_probe_whose_handshake_breaks_makes_no_second_connection(
    listener: Listener, authenticator: Authenticator
) -> None:
    wrong = Client(new_key_pair("probe"), new_key_pair("other").public)
    with probe(authenticator.context, wrong, f"tcp://127.0.0.1:{listener.port}") as watch:
        assert outcome(watch) is Handshake.BROKEN
        listener.watch.report_to(listener.refusals)

        # Longer than libzmq's pause before it would connect again.
        assert watch.read(timeout_ms=300) == ()

    assert listener.until(lambda: len(listener.connections) == 0)
    assert listener.refusals.last() == ()


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", id="http"),
        pytest.param(bytes(range(256)) * 64, id="noise"),
        pytest.param(b"\x01\x00" + b"hello", id="old zmtp"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_who_ends_without_a_message_is_written_down_once(listener: Listener, said: bytes) -> None:
    listener.watch.look = lambda: True
    listener.watch.report_to(listener.refusals)
    raw = listener.knock()
    with raw:
        raw.sendall(said)

    assert listener.until(lambda: not len(listener.connections))
    (refusal,) = listener.refusals.last()
    assert refusal.reason in {Reason.MUTE, Reason.HANDSHAKE}
    assert (refusal.count, refusal.address) == (1, "127.0.0.1")
