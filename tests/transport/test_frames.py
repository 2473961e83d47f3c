"""The fast way of a frame: only what was let in under the live set of now, by the same peer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest
import zmq

from tests.transport.network import DEADLINE_S, Context
from transport import z85
from transport.allowed import Allowed, Peer, Role
from transport.doors import Accepted, Connection, Door
from transport.endpoint import Endpoint
from transport.frames import is_of
from transport.guard import Guard, LocalGuard
from transport.keys import KeyPair
from transport.refusals import Reason
from transport.security import Authenticator, Client, Server, dial, new_key_pair

KEY, OTHER = (z85.encode(bytes(range(start, start + 32))) for start in (0, 32))
HOST = frozenset({Role.HOST})
FD = 7


class Frame:
    """What libzmq says about a frame."""

    def __init__(self, user: str | None = KEY, fd: int = FD) -> None:
        self._said: dict[object, object] = {zmq.SRCFD: fd}
        if user is not None:
            self._said["User-Id"] = user

    def get(self, option: object, /) -> Any:
        try:
            return self._said[option]
        except KeyError:
            raise zmq.ZMQError(zmq.EINVAL) from None


def let_in(allowed: Allowed) -> Accepted:
    """A connection of `KEY` that the guard has admitted."""
    guard = Guard(allowed)
    door = Door(None, lambda *_: None, guard)  # type: ignore[arg-type]  # no socket is used
    connection = Accepted(door, b"routing", FD, KEY, Peer(KEY, "west", HOST))
    connection.live_set, connection.proof = guard.live_set, KEY
    connection.tracked = SimpleNamespace(delivered=False)  # type: ignore[assignment]
    return connection


@pytest.fixture
def allowed() -> Allowed:
    return Allowed([Peer(KEY, "west", HOST)])


def test_a_frame_of_who_was_let_in_is_of_its_connection(allowed: Allowed) -> None:
    connection = let_in(allowed)

    assert is_of(connection, Frame())  # type: ignore[arg-type]
    assert connection.tracked is not None
    assert connection.tracked.delivered is True


@pytest.mark.parametrize(
    "frame",
    [Frame(user=OTHER), Frame(user=""), Frame(user=None), Frame(fd=FD + 1), Frame(fd=-1)],
)
def test_a_frame_of_another_key_or_connection_is_not(allowed: Allowed, frame: Frame) -> None:
    connection = let_in(allowed)

    assert not is_of(connection, frame)  # type: ignore[arg-type]
    assert connection.tracked is not None
    assert connection.tracked.delivered is False


@pytest.mark.parametrize(
    "change",
    [
        lambda allowed: allowed.revoke(KEY),
        lambda allowed: allowed.allow(KEY, "west", ["operator:read"]),
        lambda allowed: allowed.allow(OTHER, "east", HOST),
        lambda allowed: allowed.replace([Peer(KEY, "west", HOST)]),
    ],
)
def test_any_change_of_the_list_has_the_guard_asked_again(
    allowed: Allowed, change: Callable[[Allowed], object]
) -> None:
    connection = let_in(allowed)
    guard = connection.door.guard
    assert isinstance(guard, Guard)
    before = guard.live_set

    change(allowed)

    assert guard.live_set is not before
    assert not is_of(connection, Frame())  # type: ignore[arg-type]


def test_without_a_change_the_live_set_stays_the_same_object(allowed: Allowed) -> None:
    guard, local = Guard(allowed), LocalGuard(Peer(KEY, "me", HOST))

    assert guard.live_set is guard.live_set
    assert local.live_set is local.live_set


def test_nothing_is_of_a_connection_that_is_closed_or_not_tracked_yet(allowed: Allowed) -> None:
    closed, untracked = let_in(allowed), let_in(allowed)
    closed.open = False
    untracked.tracked = None

    assert not is_of(closed, Frame())  # type: ignore[arg-type]
    assert not is_of(untracked, Frame())  # type: ignore[arg-type]


# -- over real sockets --------------------------------------------------------------------------


class Listener:
    """An endpoint that listens over tcp, and what it has let through."""

    def __init__(self, authenticator: Authenticator) -> None:
        self.keys = new_key_pair("server")
        self.allowed = authenticator.allowed
        self.refusals = authenticator.refusals
        self.context = authenticator.context
        self.heard: list[tuple[str, str, bytes]] = []  # key, name, frame
        loop = asyncio.get_running_loop()
        self.endpoint = Endpoint(loop, self.context, self, self.refusals)
        server = Server(self.keys, authenticator)
        self.address = self.endpoint.listen("tcp://127.0.0.1:*", server, Guard(self.allowed))
        self.ended = 0

    def received(self, connection: Connection, frame: bytes) -> bool:
        self.heard.append((connection.key, connection.peer.name, frame))
        return True

    def closed(self, _: Connection) -> None:
        self.ended += 1

    def known(self, name: str) -> KeyPair:
        pair = new_key_pair(name)
        self.allowed.allow(pair.public, name, HOST)
        return pair

    def frames(self) -> list[bytes]:
        return [frame for _, _, frame in self.heard]


@asynccontextmanager
async def listener(authenticator: Authenticator) -> AsyncIterator[Listener]:
    made = Listener(authenticator)
    try:
        yield made
    finally:
        made.endpoint.close()


@asynccontextmanager
async def client(
    listener: Listener, keys: KeyPair, routing: bytes = b""
) -> AsyncIterator[Callable[[bytes], None]]:
    """What sends a frame as a peer with these keys, under a routing id of its choice."""
    socket = listener.context.socket(zmq.DEALER)
    try:
        if routing:
            socket.setsockopt(zmq.ROUTING_ID, routing)
        dial(socket, Client(keys, listener.keys.public), listener.address)
        yield lambda frame: socket.send(frame)
    finally:
        socket.close(linger=0)


async def until(true: Callable[[], bool]) -> None:
    deadline = asyncio.get_running_loop().time() + DEADLINE_S
    while not true():
        assert asyncio.get_running_loop().time() < deadline, "it never came"
        await asyncio.to_thread(Event().wait, 0.005)


def run(authenticator: Authenticator, work: Callable[[Listener], Any]) -> None:
    async def main() -> None:
        async with listener(authenticator) as made:
            await work(made)

    asyncio.run(main())


def test_no_frame_of_a_revoked_key_is_let_through(authenticator: Authenticator) -> None:
    async def work(made: Listener) -> None:
        west, east = made.known("west"), made.known("east")
        async with client(made, west) as send, client(made, east) as other:
            for number in range(5):  # the later ones in the fast way
                send(b"%d" % number)
            await until(lambda: len(made.heard) == 5)
            send(b"on its way")
            made.allowed.revoke(west.public)  # nobody cuts the connection: only the guard is asked
            send(b"after")
            other(b"of another")
            await until(lambda: b"of another" in made.frames() and made.ended == 1)

            assert made.frames() == [b"0", b"1", b"2", b"3", b"4", b"of another"]
            assert made.refusals.counts()[Reason.REVOKED] >= 1

    run(authenticator, work)


def test_a_key_that_gets_another_name_is_heard_under_that_one(
    authenticator: Authenticator,
) -> None:
    async def work(made: Listener) -> None:
        west = made.known("west")
        async with client(made, west) as send:
            send(b"1")
            await until(lambda: len(made.heard) == 1)
            made.allowed.replace([Peer(west.public, "ann", HOST)])
            send(b"2")
            await until(lambda: len(made.heard) == 2)

            assert [name for _, name, _ in made.heard] == ["west", "ann"]

    run(authenticator, work)


def test_a_routing_id_that_another_peer_had_brings_nobody_its_name(
    authenticator: Authenticator,
) -> None:
    async def work(made: Listener) -> None:
        west, east = made.known("west"), made.known("east")
        async with client(made, west, b"mine") as send:
            for _ in range(3):
                send(b"of west")
            await until(lambda: len(made.heard) == 3)
        await until(lambda: made.ended == 1)  # a ROUTER takes no id twice
        async with client(made, east, b"mine") as send:
            for _ in range(3):
                send(b"of east")
            await until(lambda: len(made.heard) == 6)

        expected = 3 * [(west.public, "west", b"of west")]
        assert made.heard == expected + 3 * [(east.public, "east", b"of east")]

    run(authenticator, work)


def test_a_routing_id_that_a_connected_peer_has_is_not_taken_from_it(
    authenticator: Authenticator,
) -> None:
    async def work(made: Listener) -> None:
        west, east = made.known("west"), made.known("east")
        async with client(made, west, b"mine") as send, client(made, east, b"mine") as thief:
            send(b"1")
            await until(lambda: len(made.heard) >= 1)
            first = made.heard[0][0]
            for number in range(20):
                with suppress(zmq.Again):
                    thief(b"of the thief")
                send(b"%d" % number)
            await until(lambda: len(made.heard) >= 21)

            # Whoever was there first is heard, and nobody under the key of another one.
            for key, name, frame in made.heard:
                assert (name == "east") == (frame == b"of the thief") == (key == east.public)
            assert {key for key, _, _ in made.heard} == {first}

    run(authenticator, work)


def test_frames_of_peers_that_come_and_go_are_all_under_their_own_keys(
    authenticator: Authenticator, context: Context
) -> None:
    """Descriptors and routing ids are used again and again."""
    assert authenticator.context is context

    async def work(made: Listener) -> None:
        peers = [made.known(f"peer-{number}") for number in range(4)]
        for turn in range(12):
            keys = peers[turn % 4]
            before = len(made.heard)
            async with client(made, keys, b"same" if turn % 3 else b"") as send:
                for _ in range(4):
                    send(keys.name.encode())
                await until(lambda before=before: len(made.heard) == before + 4)  # type: ignore[misc]
            await until(lambda turn=turn: made.ended == turn + 1)  # type: ignore[misc]

        for key, name, frame in made.heard:
            assert name.encode() == frame
            assert made.allowed.peers[key].name == name

    run(authenticator, work)
