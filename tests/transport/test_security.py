"""Who gets in, over real sockets: with a key of the list, and in no other way."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import zmq

from tests.transport.curve_peer import CurvePeer, greet, greeting, properties
from tests.transport.network import DEADLINE_S, Context, Dialled, Network, outcome
from transport import security
from transport.allowed import Allowed, Role
from transport.connections import Connections, cut
from transport.failures import FAILURES, SHUT_S
from transport.guard import Guard
from transport.ipc_paths import IpcPath, endpoint_to_dial
from transport.keys import write_key_pair
from transport.private_files import FileRefused
from transport.reach import SecurityError
from transport.refusals import Reason
from transport.security import (
    FRAME_LIMIT_BYTES,
    Authenticator,
    Client,
    Handshake,
    Local,
    Server,
    Watch,
    curve_version,
    dial,
    harden,
    listen,
    load_key_pair,
    new_key_pair,
    probe,
)
from transport.self_test import self_test
from transport.zap import DOMAINS

DEADLINE_MS = int(DEADLINE_S * 1000)


@pytest.fixture
def network(authenticator: Authenticator) -> Iterator[Network]:
    with Network(authenticator) as network:
        yield network


def closed_by_server(raw: socket.socket) -> bool:
    """Whether the server ends a raw connection, in order or not; False after the deadline."""
    raw.settimeout(DEADLINE_S)
    try:
        while raw.recv(4096):
            pass
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    return True


def served(network: Network) -> bool:
    """Whether a client with a known key is heard."""
    client = network.client(network.known("late"))
    client.send(b"still there?")
    return network.receive().bytes == b"still there?"


# Keys


def test_a_known_key_is_heard_under_its_own_name(network: Network) -> None:
    keys = network.known("west")
    client = network.client(keys)

    client.send(b"hello")

    frame = network.receive()
    assert client.outcome() is Handshake.SUCCEEDED
    assert frame.bytes == b"hello"
    assert frame.get("User-Id") == keys.public
    assert network.speaker(frame) == network.allowed.get(keys.public)
    assert network.authenticator.refusals.last() == ()


def test_an_unknown_key_is_refused_and_written_down(network: Network) -> None:
    stranger = new_key_pair("stranger")

    client = network.client(stranger)

    assert client.outcome() is Handshake.REFUSED
    (refusal,) = network.authenticator.refusals.last()
    assert (refusal.reason, refusal.key) == (Reason.KEY, stranger.public)
    assert (refusal.mechanism, refusal.address) == ("CURVE", "127.0.0.1")
    assert network.received_nothing()


def test_who_fails_too_often_is_put_off_and_a_known_key_of_that_address_is_not(
    context: Context, allowed: Allowed
) -> None:
    now = [100.0]
    with (
        Authenticator(context, allowed, clock=lambda: now[0]) as authenticator,
        Network(authenticator) as network,
    ):
        counts = authenticator.refusals.counts
        for _ in range(FAILURES):
            assert network.client(new_key_pair("thief")).outcome() is Handshake.REFUSED

        for _ in range(3):
            assert network.client(new_key_pair("thief")).outcome() is Handshake.BROKEN

        assert counts()[Reason.KEY] == FAILURES
        flood = authenticator.refusals.last()[-1]
        assert (flood.reason, flood.key, flood.address) == (Reason.FLOOD, "-", "127.0.0.1")
        assert network.client(network.known("friend")).outcome() is Handshake.SUCCEEDED
        self_test(authenticator, network.endpoint, network.keys.public)
        now[0] += SHUT_S
        assert network.client(new_key_pair("thief")).outcome() is Handshake.REFUSED
        assert counts()[Reason.KEY] == FAILURES + 1


def test_a_key_is_refused_at_the_door_of_another_role(network: Network) -> None:
    client = network.client(network.known("ann", [Role.OPERATOR_ADMIN]))

    assert client.outcome() is Handshake.REFUSED
    assert network.authenticator.refusals.last()[0].reason is Reason.ROLE


def test_a_server_with_another_key_is_not_believed(network: Network) -> None:
    client = network.client(network.known("west"), server_key=new_key_pair("other").public)

    assert client.outcome() in (Handshake.BROKEN, Handshake.MISMATCHED)
    assert network.until(lambda: Reason.HANDSHAKE in network.authenticator.refusals.counts())
    assert network.received_nothing()


def test_a_key_that_is_allowed_later_gets_in_with_a_new_socket(network: Network) -> None:
    keys = new_key_pair("west")
    assert network.client(keys).outcome() is Handshake.REFUSED

    network.allowed.allow(keys.public, "west", ["host"])

    assert network.client(keys).outcome() is Handshake.SUCCEEDED


def test_what_a_peer_claims_about_itself_changes_nothing(network: Network) -> None:
    keys, victim = network.known("west"), network.known("victim")
    claims = properties(
        Socket_Type=b"DEALER",
        Identity=b"",
        User_Id=victim.public.encode(),
        Peer_Address=b"192.0.2.7",
        __fd=b"0",
    )

    with CurvePeer(network.port, network.keys.public, keys.public, keys.secret, claims) as peer:
        peer.send(b"I am the victim")
        frame = network.receive()

    assert frame.get("User-Id") == keys.public
    assert frame.get("Peer-Address") == "127.0.0.1"
    assert frame.get(zmq.SRCFD) != 0


def test_a_peer_with_a_key_it_cannot_prove_is_refused(network: Network) -> None:
    keys, other = network.known("west"), new_key_pair("other")

    with pytest.raises(ConnectionError):
        CurvePeer(network.port, network.keys.public, keys.public, other.secret)

    assert served(network)


# Other protocols


def test_a_client_without_curve_is_refused(network: Network) -> None:
    with probe(network.context, None, network.endpoint) as watch:
        assert outcome(watch) is Handshake.MISMATCHED

    assert network.until(lambda: Reason.HANDSHAKE in network.authenticator.refusals.counts())


def test_a_client_with_a_password_is_refused(network: Network) -> None:
    client = network.context.socket(zmq.DEALER)
    watch = Watch(client)
    harden(client, Local())
    client.plain_username, client.plain_password = b"ann", b"hunter2"

    client.connect(network.endpoint)

    assert outcome(watch) is Handshake.MISMATCHED
    assert "hunter2" not in repr(network.authenticator.refusals.last())
    watch.close()
    client.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(60),  # a TLS hello
        b"\x01\x00",  # ZMTP 1.0, anonymous
        b"\x05\x00west" + b"\x06\x00hello",  # ZMTP 1.0 with an identity and a message
        b"\xff" + bytes(7) + b"\x01\x7f\x01\x05\x00\x00",  # ZMTP 2.0, DEALER
        b"\xff" + bytes(7) + b"\x01\x7f\x00\x05",
        greeting(b"NULL"),
        greeting(b"PLAIN"),
        greeting(b"GSSAPI"),
        bytes(200),
        bytes(range(256)) * 4,
    ],
)
def test_what_does_not_greet_with_curve_is_cut_off(network: Network, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", network.port), timeout=DEADLINE_S) as raw:
        raw.sendall(sent)

        assert closed_by_server(raw)

    assert network.received_nothing()
    assert served(network)


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\x05hello",  # a message before the handshake
        b"\x04\x06\x05READY",  # a command of NULL
        b"\x04\x08\x05HELLO\x01a",  # of PLAIN
        b"\x04\xc8\x05HELLO" + bytes(194),  # of CURVE, empty
        b"\x06\x00\x00\x00\x00\x40\x00\x00\x00" + b"x" * 1000,  # of 1 GiB
        b"\x06" + b"\xff" * 8,
    ],
)
def test_what_greets_with_curve_and_then_says_something_else_is_cut_off(
    network: Network, sent: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", network.port), timeout=DEADLINE_S) as raw:
        greet(raw)
        raw.sendall(sent)

        assert closed_by_server(raw)

    assert network.received_nothing()
    assert served(network)


# Failing closed


def short_handshakes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody answers is given up soon; the real 3 s would only make the test longer."""
    monkeypatch.setitem(security._OPTIONS, zmq.HANDSHAKE_IVL, 200)


def test_a_stopped_handler_admits_nobody(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = network.known("west")
    network.authenticator.close()
    short_handshakes(monkeypatch)

    client = network.client(keys)

    assert client.outcome() is Handshake.BROKEN
    assert not network.authenticator.alive
    assert network.received_nothing()


def test_what_cannot_be_judged_is_refused_and_the_handler_lives(
    context: Context,
    allowed: Allowed,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken(dict[str, frozenset[Role]]):
        def get(self, *_: object) -> frozenset[Role]:
            raise RuntimeError("a defect")

    short_handshakes(monkeypatch)
    with (
        Authenticator(context, allowed, domains=Broken(DOMAINS)) as authenticator,
        Network(authenticator) as network,
    ):
        client = network.client(network.known("west"))

        assert client.outcome() is Handshake.BROKEN
        assert authenticator.alive
        assert network.received_nothing()
    assert {record.levelno for record in caplog.records} >= {logging.ERROR}


def test_malformed_requests_do_not_end_the_handler(network: Network) -> None:
    asking = network.context.socket(zmq.DEALER)
    asking.linger = 0
    asking.connect(security.ZAP_ENDPOINT)
    junk = [[b""], [b"", b""], [b"x"], [b"", b"1.0"], [b"", b"2.0", *[b"x"] * 6], [b"x"] * 50]

    for _ in range(50):
        for frames in junk:
            asking.send_multipart(frames)
    asking.send_multipart([b"", b"1.0", b"7", b"mob.host", b"", b"", b"NULL"])

    assert asking.poll(DEADLINE_MS)
    assert asking.recv_multipart()[2:4] == [b"7", b"400"]
    assert network.authenticator.refusals.counts()[Reason.MALFORMED] == 300
    asking.close()
    assert served(network)


def test_an_answer_that_nobody_waits_for_is_dropped(network: Network) -> None:
    asking = network.context.socket(zmq.DEALER)
    asking.linger = 0
    asking.rcvhwm = asking.sndhwm = 1
    asking.connect(security.ZAP_ENDPOINT)

    for _ in range(3000):
        asking.send_multipart([b"", b"1.0", b"7", b"", b"", b"", b"NULL"])

    assert network.authenticator.alive
    asking.close()
    assert served(network)


def test_a_context_has_one_handler(authenticator: Authenticator) -> None:
    with pytest.raises(SecurityError, match="cannot have a ZAP handler") as caught:
        Authenticator(authenticator.context, Allowed())

    assert "one Authenticator for each context" in caught.value.hint


def test_the_place_of_a_closed_handler_can_be_taken_at_once(
    context: Context, allowed: Allowed
) -> None:
    for _ in range(50):
        handler = Authenticator(context, allowed)
        assert handler.alive
        handler.close()
        handler.close()

        assert not handler.alive


def test_the_end_of_the_context_ends_the_handler(allowed: Allowed) -> None:
    context: Context = zmq.Context()
    authenticator = Authenticator(context, allowed)

    context.term()

    authenticator._thread.join(DEADLINE_S)
    assert not authenticator.alive
    authenticator.close()


# Limits


def test_a_frame_of_the_full_size_passes_and_one_byte_more_is_cut_off(network: Network) -> None:
    large, larger = (network.client(network.known(name)) for name in ("large", "larger"))

    large.send(bytes(FRAME_LIMIT_BYTES))
    assert len(network.receive()) == FRAME_LIMIT_BYTES
    assert larger.outcome() is Handshake.SUCCEEDED
    larger.send(bytes(FRAME_LIMIT_BYTES + 1))

    # It was cut off and is connected again: the second handshake.
    assert larger.outcome() is Handshake.SUCCEEDED
    assert network.received_nothing()


@pytest.mark.skipif(not hasattr(socket, "TCP_INFO"), reason="only Linux tells")
def test_a_message_without_end_is_cut_off(authenticator: Authenticator) -> None:
    with Network(authenticator, Connections(unfinished_limit_bytes=20_000)) as network:
        honest, keys = network.client(network.known("honest")), network.known("endless")
        honest.send(b"hello")
        network.speaker(network.receive())
        with CurvePeer(network.port, network.keys.public, keys.public, keys.secret) as peer:
            parts = b"".join(peer.packed(bytes(1000), more=True) for _ in range(25))
            found: list[str] = []

            def cut_off() -> bool:
                with suppress(ConnectionError):
                    peer.socket.sendall(parts[:0] if found else parts)
                found.extend(each.address for each in network.connections.cut_unfinished())
                return bool(found)

            assert network.until(cut_off)
            assert closed_by_server(peer.socket)
        assert network.received_nothing()

        honest.send(b"again")

        assert network.receive().bytes == b"again"
        assert len(found) == 1


def test_silent_connections_keep_nobody_out(network: Network) -> None:
    silent = [
        socket.create_connection(("127.0.0.1", network.port), timeout=DEADLINE_S)
        for _ in range(200)
    ]

    assert served(network)

    # The oldest strangers are cut at once, the others when their time for the handshake is over.
    assert network.until(lambda: network.authenticator.refusals.counts().get(Reason.CROWD, 0) >= 72)
    assert all(closed_by_server(each) for each in silent)
    for each in silent:
        each.close()
    assert served(network)


# Revocation


def test_a_revoked_key_is_cut_off_and_its_neighbour_is_not(network: Network) -> None:
    keys = network.known("revoked")
    revoked, neighbour = network.client(keys), network.client(network.known("neighbour"))
    for client, name in ((revoked, "revoked"), (neighbour, "neighbour")):
        client.send(b"hello")
        speaker = network.speaker(network.receive())
        assert speaker is not None
        assert speaker.name == name
        assert client.outcome() is Handshake.SUCCEEDED
    network.allowed.on_revoked(lambda peer: network.connections.cut_user(peer.key))

    network.allowed.revoke(keys.public)

    # Its connection ends, it comes again, and is refused at the door.
    assert revoked.outcome() is Handshake.REFUSED
    neighbour.send(b"still there")
    frame = network.receive()
    assert frame.bytes == b"still there"
    assert neighbour.watch.read() == ()


def test_a_message_of_a_revoked_key_is_not_admitted_and_leads_to_its_connection(
    network: Network,
) -> None:
    keys = network.known("revoked")
    client = network.client(keys)
    client.send(b"hello")
    network.receive()
    assert client.outcome() is Handshake.SUCCEEDED

    network.allowed.revoke(keys.public)
    client.send(b"libzmq still delivers this")
    frame = network.receive()

    assert network.guard.admits(frame) is None
    fd, address = frame.get(zmq.SRCFD), frame.get("Peer-Address")
    assert isinstance(fd, int)
    assert isinstance(address, str)
    assert cut(fd, address)
    assert client.outcome() is Handshake.REFUSED


# Sockets


def options(made: zmq.Socket[bytes], *names: int) -> list[object]:
    return [made.getsockopt(name) for name in names]


def test_a_server_has_every_limit_and_no_way_around_the_handler(network: Network) -> None:
    made = network.socket

    assert options(made, zmq.CURVE_SERVER, zmq.ZAP_ENFORCE_DOMAIN) == [1, 1]
    assert made.getsockopt(zmq.ZAP_DOMAIN) == b"mob.host"
    assert made.getsockopt(zmq.MECHANISM) == zmq.CURVE
    assert options(made, zmq.LINGER, zmq.SNDHWM, zmq.RCVHWM) == [0, 64, 64]
    assert options(made, zmq.HANDSHAKE_IVL, zmq.BACKLOG, zmq.IPV6) == [3000, 128, 0]
    assert options(made, zmq.HEARTBEAT_IVL) == [0]
    assert made.getsockopt(zmq.MAXMSGSIZE) == FRAME_LIMIT_BYTES + 33
    assert made.getsockopt(zmq.TCP_KEEPALIVE) == 1


def test_a_full_or_unknown_peer_of_a_server_is_an_error(network: Network) -> None:
    with pytest.raises(zmq.ZMQError) as caught:
        network.socket.send_multipart([b"nobody", b"x"], zmq.DONTWAIT)

    assert caught.value.errno == zmq.EHOSTUNREACH


def test_nothing_queues_before_a_client_is_connected(context: Context) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        endpoint = f"tcp://127.0.0.1:{unused.getsockname()[1]}"
    client = Dialled(context, Client(new_key_pair("a"), new_key_pair("b").public), endpoint)

    with pytest.raises(zmq.Again):
        client.socket.send(b"x", zmq.DONTWAIT)

    assert client.socket.getsockopt(zmq.MECHANISM) == zmq.CURVE
    assert options(client.socket, zmq.RECONNECT_IVL, zmq.RECONNECT_IVL_MAX) == [100, 5000]
    client.close()


def refused(attempt: object, match: str) -> None:
    assert callable(attempt)
    with pytest.raises(SecurityError, match=match) as caught:
        attempt()
    assert caught.value.hint


def test_roles_and_endpoints_must_fit(authenticator: Authenticator, allowed: Allowed) -> None:
    made = authenticator.context.socket(zmq.ROUTER)
    server = Server(new_key_pair("s"), authenticator)
    client = Client(new_key_pair("c"), server.keys.public)
    tcp, ipc = "tcp://127.0.0.1:*", "ipc:///run/x"

    refused(lambda: listen(made, Local(), tcp), "is no local endpoint")
    refused(lambda: dial(made, Local(), tcp), "is no local endpoint")
    refused(lambda: listen(made, server, ipc), "is no tcp endpoint")
    refused(lambda: dial(made, client, ipc), "is no tcp endpoint")
    refused(lambda: listen(made, Server(server.keys, authenticator, "x"), tcp), "no domain 'x'")
    refused(lambda: dial(made, Client(client.keys, "short"), "tcp://a:1"), "has 5 characters")
    refused(lambda: listen(made, server, "tcp://*:*"), "by the whole world")
    public = Server(server.keys, authenticator, public=True)
    refused(lambda: listen(made, public, "tcp://*:*"), "nobody is allowed")
    made.close()


def test_a_public_server_needs_a_list_and_gets_every_address(
    authenticator: Authenticator, allowed: Allowed
) -> None:
    made = authenticator.context.socket(zmq.ROUTER)
    allowed.allow(new_key_pair("west").public, "west", ["host"])

    endpoint = listen(made, Server(new_key_pair("s"), authenticator, public=True), "tcp://*:*")

    assert endpoint.startswith("tcp://")
    assert made.getsockopt(zmq.IPV6) == 1
    made.close()


def test_a_server_without_a_handler_of_its_own_context_is_refused(
    context: Context, allowed: Allowed
) -> None:
    other: Context = zmq.Context()
    authenticator = Authenticator(other, allowed)
    made = context.socket(zmq.ROUTER)
    server = Server(new_key_pair("s"), authenticator)
    refused(lambda: listen(made, server, "tcp://127.0.0.1:*"), "nobody would answer")
    made.close()

    made = other.socket(zmq.ROUTER)
    authenticator.close()
    refused(lambda: listen(made, server, "tcp://127.0.0.1:*"), "nobody would answer")
    made.close()
    other.term()


def test_local_sockets_have_the_limits_and_no_keys(context: Context, tmp_path: Path) -> None:
    made, client = context.socket(zmq.ROUTER), context.socket(zmq.DEALER)

    endpoint = listen(made, Local(), f"ipc://{tmp_path}/s")
    dial(client, Local(), endpoint)
    client.poll(DEADLINE_MS, zmq.POLLOUT)
    client.send(b"hello", zmq.DONTWAIT)

    assert made.poll(DEADLINE_MS)
    frame = made.recv_multipart(copy=False)[1]
    assert frame.bytes == b"hello"
    assert Guard(Allowed()).admits(frame) is None
    assert made.getsockopt(zmq.MECHANISM) == zmq.NULL
    assert options(made, zmq.LINGER, zmq.RCVHWM, zmq.TCP_KEEPALIVE) == [0, 64, -1]
    for each in (made, client):
        each.close()


def test_a_claimed_path_is_kept_from_everybody_else(context: Context, tmp_path: Path) -> None:
    environ = {"XDG_RUNTIME_DIR": str(tmp_path)}
    claim = IpcPath("a", "control", environ)
    made, client = context.socket(zmq.ROUTER), context.socket(zmq.DEALER)
    listen(made, Local(), claim.endpoint)

    # libzmq itself would take the path over without a word.
    with pytest.raises(FileRefused, match="is in use"):
        IpcPath("a", "control", environ)
    dial(client, Local(), endpoint_to_dial(claim.path))
    client.poll(DEADLINE_MS, zmq.POLLOUT)
    client.send(b"hello", zmq.DONTWAIT)

    assert made.poll(DEADLINE_MS)
    for each in (made, client):
        each.close()
    claim.release()
    assert not claim.path.exists()


# Watching


def test_a_watch_without_listeners_takes_everything_in(
    authenticator: Authenticator, allowed: Allowed
) -> None:
    made = authenticator.context.socket(zmq.ROUTER)
    connections = Connections(strangers=1)
    watch = Watch(made, connections)
    keys = new_key_pair("s")
    endpoint = listen(made, Server(keys, authenticator), "tcp://127.0.0.1:*")

    with probe(authenticator.context, None, endpoint) as bare:
        assert outcome(bare) is Handshake.MISMATCHED
    assert outcome(watch) in (Handshake.MISMATCHED, Handshake.BROKEN)
    address = ("127.0.0.1", int(endpoint.rpartition(":")[2]))
    with socket.create_connection(address) as first, socket.create_connection(address):
        while len(connections) < 2:
            watch.read(timeout_ms=100)

        assert closed_by_server(first)
    watch.close()
    watch.close()
    made.close()


def test_a_watch_may_be_closed_after_its_socket(context: Context) -> None:
    made = context.socket(zmq.DEALER)
    watch = Watch(made)
    assert watch.fd >= 0

    made.close()
    watch.close()

    assert watch._events.closed


# Keys of files


def test_a_loaded_pair_opens_the_door(network: Network, tmp_path: Path) -> None:
    made = network.known("west")
    write_key_pair(tmp_path / "keys", made)

    client = network.client(load_key_pair(tmp_path / "keys", "west"))

    assert client.outcome() is Handshake.SUCCEEDED


def test_halves_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    folder, made, other = tmp_path / "keys", new_key_pair("west"), new_key_pair("west")
    path, _ = write_key_pair(folder, made)
    line = f"mob-secret-key west {other.public} {made.secret.decode()}\n"
    path.write_text(line, encoding="utf-8")

    with pytest.raises(FileRefused, match="do not belong together") as caught:
        load_key_pair(folder, "west")

    assert made.secret.decode() not in str(caught.value)


def test_a_library_without_curve_makes_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    assert curve_version() == zmq.zmq_version()

    monkeypatch.setattr(zmq, "has", lambda capability: False)

    assert curve_version() is None
    with pytest.raises(SecurityError, match="without CURVE"):
        new_key_pair("west")


def test_neither_thread_nor_descriptor_is_left_behind(allowed: Allowed) -> None:
    before = set(threading.enumerate()), len(os.listdir("/dev/fd"))

    context: Context = zmq.Context()
    for _ in range(5):
        with Authenticator(context, allowed) as authenticator, Network(authenticator) as network:
            assert served(network)
    context.term()

    assert (set(threading.enumerate()), len(os.listdir("/dev/fd"))) == before
