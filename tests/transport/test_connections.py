"""TCP connections by descriptor: the right one is cut, and only when it is still the same."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from transport import connections as module
from transport.connections import Connections, cut, received_bytes

DEADLINE_S = 10.0
LINUX = module._TCP_INFO is not None


class Pair:
    """Both ends of a TCP connection: what a server holds, and its peer."""

    def __init__(self, stack: ExitStack, host: str = "127.0.0.1") -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.create_server((host, 0), family=family) as listener:
            self.peer = stack.enter_context(
                socket.create_connection(listener.getsockname()[:2], timeout=DEADLINE_S)
            )
            self.held = stack.enter_context(listener.accept()[0])
        self.fd = self.held.fileno()
        self.address, self.port = self.held.getpeername()[:2]

    @property
    def ended(self) -> bool:
        """Whether the peer has been cut off; waits for nothing else."""
        readable, _, _ = select.select([self.peer], [], [], 0)
        return bool(readable) and self.peer.recv(1) == b""

    def send(self, size: int) -> None:
        """Send bytes and read them at the other end, as libzmq does."""
        self.peer.sendall(bytes(size))
        self.held.settimeout(DEADLINE_S)
        while size:
            size -= len(self.held.recv(size))


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def pair(stack: ExitStack) -> Pair:
    return Pair(stack)


def test_a_connection_is_cut_at_both_ends_and_its_descriptor_stays_open(pair: Pair) -> None:
    assert cut(pair.fd, "127.0.0.1")

    assert pair.ended
    assert pair.held.recv(1) == b""
    os.fstat(pair.fd)


def test_an_address_that_came_through_ipv6_is_the_same_one(pair: Pair) -> None:
    assert cut(pair.fd, "::ffff:127.0.0.1", pair.port)
    assert pair.ended


def test_another_peer_is_left_alone(pair: Pair) -> None:
    assert not cut(pair.fd, "192.0.2.1")
    assert not cut(pair.fd, "127.0.0.1", pair.port + 1)
    assert not cut(pair.fd, "nonsense")

    assert not pair.ended


def test_a_descriptor_that_became_something_else_is_left_alone(tmp_path: Path) -> None:
    left, right = socket.socketpair()
    with left, right, open(tmp_path / "file", "wb") as file:
        assert not cut(left.fileno(), "127.0.0.1")
        assert not cut(file.fileno(), "127.0.0.1")
        closed = os.dup(file.fileno())
        os.close(closed)
        assert not cut(closed, "127.0.0.1")
        right.send(b"x")
        assert left.recv(1) == b"x"


def test_a_peer_that_has_gone_cannot_be_cut(pair: Pair) -> None:
    pair.held.shutdown(socket.SHUT_RDWR)
    pair.peer.close()

    assert not cut(pair.fd, "127.0.0.1")


@pytest.mark.skipif(not LINUX, reason="only Linux tells")
def test_bytes_count_when_they_are_taken_from_the_kernel(pair: Pair) -> None:
    pair.send(1000)
    pair.peer.sendall(bytes(500))
    select.select([pair.held], [], [], DEADLINE_S)

    assert received_bytes(pair.fd) == 1000


def test_bytes_of_what_is_no_connection_are_unknown(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert received_bytes(-1) is None
    monkeypatch.setattr(module, "_TCP_INFO_BYTES", 1024)
    assert received_bytes(pair.fd) is None
    monkeypatch.setattr(module, "_TCP_INFO", None)
    assert received_bytes(pair.fd) is None


def test_connections_come_and_go(stack: ExitStack, pair: Pair) -> None:
    connections = Connections()

    assert connections.opened(pair.fd) is None
    assert connections.opened(-1) is None

    (known,) = connections
    assert (known.fd, known.address, known.port) == (pair.fd, "127.0.0.1", pair.port)
    connections.closed(pair.fd)
    connections.closed(pair.fd)
    assert len(connections) == 0


def test_every_connection_of_a_key_is_cut_and_no_other(stack: ExitStack) -> None:
    connections = Connections()
    first, second, other = (Pair(stack) for _ in range(3))
    for pair, user in ((first, "west"), (second, "west"), (other, "east")):
        connections.opened(pair.fd)
        connections.delivered(pair.fd, user)
    connections.delivered(-1, "west")

    assert connections.cut_user("west") == 2

    assert (first.ended, second.ended, other.ended) == (True, True, False)
    assert connections.cut_user("nobody") == 0


def test_the_oldest_of_too_many_strangers_is_cut(stack: ExitStack) -> None:
    connections = Connections(strangers=2)
    known, old, *young = pairs = [Pair(stack) for _ in range(4)]
    connections.opened(known.fd)
    connections.delivered(known.fd, "west")

    evicted = [connections.opened(pair.fd) for pair in pairs[1:]]

    assert [each and each.port for each in evicted] == [None, None, old.port]
    assert [pair.ended for pair in (known, old, *young)] == [False, True, False, False]


@pytest.mark.skipif(not LINUX, reason="only Linux tells")
def test_a_message_without_end_is_cut_at_the_second_look(stack: ExitStack) -> None:
    connections = Connections(unfinished_limit_bytes=1000)
    endless, honest, slow = (Pair(stack) for _ in range(3))
    for pair in (endless, honest, slow):
        connections.opened(pair.fd)

    seen = []
    for turn in range(3):
        if turn < 2:
            endless.send(1001)
        honest.send(1001)
        connections.delivered(honest.fd, "west")
        slow.send(300)
        seen.append([each.port for each in connections.cut_unfinished()])

    assert seen == [[], [endless.port], []]
    assert [pair.ended for pair in (endless, honest, slow)] == [True, False, False]


@pytest.mark.skipif(not LINUX, reason="only Linux tells")
def test_a_whole_message_between_two_looks_clears_the_suspicion(pair: Pair) -> None:
    connections = Connections(unfinished_limit_bytes=1000)
    connections.opened(pair.fd)

    for _ in range(4):
        pair.send(1001)
        assert connections.cut_unfinished() == ()
        connections.delivered(pair.fd, "west")
        assert connections.cut_unfinished() == ()

    assert not pair.ended


@pytest.mark.skipif(not LINUX, reason="only Linux tells")
def test_a_connection_that_has_gone_is_not_looked_at(stack: ExitStack) -> None:
    connections = Connections(unfinished_limit_bytes=10)
    gone, half = Pair(stack), Pair(stack)
    for pair in (gone, half):
        connections.opened(pair.fd)
    gone.held.close()
    half.send(20)
    connections.cut_unfinished()
    half.held.shutdown(socket.SHUT_RDWR)
    half.peer.close()

    assert connections.cut_unfinished() == ()


def test_ipv6_peers_are_named_too(stack: ExitStack) -> None:
    try:
        pair = Pair(stack, "::1")
    except OSError:
        pytest.skip("this machine has no IPv6")

    assert not cut(pair.fd, "::2")
    assert cut(pair.fd, "0:0:0:0:0:0:0:1", pair.port)
    assert pair.ended
