"""Connecting and listening with what cannot work: the error says what, and what would."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import zmq

from actors import ActorSystem
from actors.kernel.errors import AskTimeout, KernelError, UnknownAddress, WrongArgument
from actors.post.reasons import why_unanswered
from tests.post.nodes import PATIENCE_S, Total, Worker, made
from transport.allowed import Allowed
from transport.endpoint_text import EndpointError
from transport.keys import KeyPair
from transport.security import SecurityError, new_key_pair
from transport.socket_roles import Attempt, Handshake

SOON_S = 0.5
OURS = new_key_pair("ours")
THEIRS = new_key_pair("theirs")


@pytest.fixture
def system() -> Iterator[ActorSystem]:
    allowed = Allowed()
    allowed.allow(THEIRS.public, "theirs", ["host"])
    with ActorSystem("ours", keys=OURS, allowed=allowed) as made:
        yield made


@contextmanager
def taken_port() -> Iterator[int]:
    """A port at which somebody listens and never says a word."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


# -- arguments ----------------------------------------------------------------------------------


def test_a_port_beyond_the_last_one_is_no_other_port(system: ActorSystem) -> None:
    with pytest.raises(EndpointError, match=r"port of 'tcp://127.0.0.1:99999' is no number from 0"):
        system.listen("tcp://127.0.0.1:99999")
    with pytest.raises(EndpointError, match=r"port of 'tcp://127.0.0.1:99999' is no number from 1"):
        system.connect("tcp://127.0.0.1:99999", key=THEIRS.public)

    assert system.listen("tcp://127.0.0.1:*")


@pytest.mark.parametrize("address", [None, 7000, b"ipc", True])
def test_what_is_no_text_is_no_address(system: ActorSystem, address: Any) -> None:
    for call in (system.listen, system.connect, system.ref):
        with pytest.raises(WrongArgument, match=r"^address is ") as caught:
            call(address)

        assert caught.value.argument == "address"
        assert isinstance(caught.value, KernelError)
        assert isinstance(caught.value, TypeError)
        assert isinstance(caught.value, ValueError)


def test_keys_and_times_are_checked_by_name(system: ActorSystem) -> None:
    address = "tcp://127.0.0.1:1"
    with pytest.raises(WrongArgument, match=r"key is a bytes and no str"):
        system.connect(address, key=THEIRS.public.encode())  # type: ignore[arg-type]
    with pytest.raises(SecurityError, match=r"`key` of the server at .* has 5 characters"):
        system.connect(address, key="short")
    for seconds in ("x", float("nan"), b"1"):
        with pytest.raises(WrongArgument, match=r"^timeout is .* and no number of seconds"):
            system.connect(address, key=THEIRS.public, timeout=seconds)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "options", "argument"),
    [
        (None, {}, "name"),
        (5, {}, "name"),
        ("ours", {"keys": "abc"}, "keys"),
        ("ours", {"keys": OURS.public}, "keys"),
        ("ours", {"allowed": {}}, "allowed"),
        ("ours", {"allowed": [OURS.public]}, "allowed"),
    ],
)
def test_no_system_is_made_of_what_cannot_be_used(
    name: Any, options: dict[str, Any], argument: str
) -> None:
    with pytest.raises(WrongArgument) as caught:
        ActorSystem(name, **options)

    assert caught.value.argument == argument
    assert OURS.public not in str(caught.value)  # it may have been the secret


# -- listening ----------------------------------------------------------------------------------


def test_a_port_in_use_is_said_of_the_address_that_was_given(system: ActorSystem) -> None:
    with taken_port() as port:
        address = f"tcp://127.0.0.1:{port}"
        with pytest.raises(KernelError) as caught:
            system.listen(address)

    assert str(caught.value).startswith(f"cannot listen on '{address}': the port is in use (take")
    assert system.listen("tcp://127.0.0.1:*")  # nothing was left half open


def test_an_address_of_another_machine_cannot_be_listened_on(system: ActorSystem) -> None:
    with pytest.raises(KernelError, match=r"'tcp://10.99.99.99:7000': the host is not of this mac"):
        system.listen("tcp://10.99.99.99:7000")


# -- connecting ---------------------------------------------------------------------------------


def test_nobody_connects_to_itself(system: ActorSystem) -> None:
    port = system.listen("tcp://127.0.0.1:*").rpartition(":")[2]
    for host in ("127.0.0.1", "localhost"):
        with pytest.raises(KernelError, match=r"is this node itself \('ours'\)"):
            system.connect(f"tcp://{host}:{port}", key=OURS.public)


def test_where_nobody_listens_the_timeout_says_so(system: ActorSystem) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # and does not listen
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(AskTimeout, match=r"within 0.5 s: nobody listens there") as caught:
            system.connect(address, key=THEIRS.public, timeout=SOON_S)

    assert caught.value.timeout == SOON_S
    assert caught.value.hint


def test_a_host_without_an_address_is_said_so(system: ActorSystem) -> None:
    nobody = "x" * 64 + ".invalid"  # too long a label, so that nobody is asked for it
    with pytest.raises(AskTimeout, match=r"the name of the host is not known here"):
        system.connect(f"tcp://{nobody}:7", key=THEIRS.public, timeout=SOON_S)


def test_who_is_connected_and_says_nothing_is_said_so(system: ActorSystem, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    context: Any = zmq.Context()
    mute = context.socket(zmq.ROUTER)
    try:
        mute.bind(f"ipc://{tmp_path}/control")
        with pytest.raises(AskTimeout, match=r"it is connected, and says no hello"):
            system.connect(f"ipc://{tmp_path}/control", timeout=SOON_S)
    finally:
        mute.close(0)
        context.term()


def test_what_listens_and_is_no_node_is_said_so(system: ActorSystem) -> None:
    with taken_port() as port, pytest.raises(AskTimeout, match=r"begins no handshake"):
        system.connect(f"tcp://127.0.0.1:{port}", key=THEIRS.public, timeout=SOON_S)


def test_a_wrong_server_key_and_a_key_that_is_not_allowed_are_told_apart() -> None:
    with made("tcp://127.0.0.1") as (server, client, _):
        address = server.listen("tcp://127.0.0.1:*")
        with pytest.raises(AskTimeout, match=r"another key than the given one.*compare `key`"):
            client.connect(address, key=THEIRS.public, timeout=SOON_S)

        assert server._network._keys is not None
        public = server._network._keys.public
        with (
            ActorSystem("stranger", keys=THEIRS) as stranger,
            pytest.raises(AskTimeout, match=r"the node refuses the key of this one.*allow-list"),
        ):
            stranger.connect(address, key=public, timeout=SOON_S)

        assert client.connect(address, key=public, timeout=PATIENCE_S) == "server"


@pytest.mark.parametrize("data", [None, *Attempt, *Handshake])
@pytest.mark.parametrize("control", [None, *Attempt, *Handshake])
def test_every_end_of_an_attempt_has_words(
    control: Attempt | Handshake | None, data: Attempt | Handshake | None
) -> None:
    why, hint = why_unanswered(control, data, half=False)
    half, _ = why_unanswered(control, data, half=True)

    assert why
    assert hint
    assert half.startswith("its control channel is ready")


# -- a node that comes back under another name --------------------------------------------------


@contextmanager
def node(name: str, address: str, keys: KeyPair, friend: KeyPair) -> Iterator[str]:
    """A node with a worker; its address."""
    allowed = Allowed()
    allowed.allow(friend.public, "hub", ["host"])
    with ActorSystem(name, keys=keys, allowed=allowed) as system:
        bound = system.listen(address)
        system.start(Worker, name="worker", wait=True)
        yield bound


def test_a_node_that_comes_back_under_another_name_is_another_node() -> None:
    with ActorSystem("hub", keys=OURS) as hub:
        with node("srv", "tcp://127.0.0.1:*", THEIRS, OURS) as address:
            assert hub.connect(address, key=THEIRS.public, timeout=PATIENCE_S) == "srv"
            old: Any = hub.ref("mob://srv/worker")
            assert old.ask(Total(), timeout=PATIENCE_S) == 0

        with node("other", address, THEIRS, OURS):
            assert hub.connect(address, key=THEIRS.public, timeout=PATIENCE_S) == "other"
            new: Any = hub.ref("mob://other/worker")
            assert new.ask(Total(), timeout=PATIENCE_S) == 0
            with pytest.raises(UnknownAddress, match=r"^mob://srv/worker: the node is gone"):
                old.ask(Total(), timeout=PATIENCE_S)
            assert hub.connect(address, key=THEIRS.public, timeout=PATIENCE_S) == "other"

        with node("srv", address, THEIRS, OURS):
            assert hub.connect(address, key=THEIRS.public, timeout=PATIENCE_S) == "srv"
            assert old.ask(Total(), timeout=PATIENCE_S) == 0


def test_who_uses_the_old_name_is_told_that_another_one_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with ActorSystem("hub", keys=OURS) as hub:
        with node("srv", "tcp://127.0.0.1:*", THEIRS, OURS) as address:
            hub.connect(address, key=THEIRS.public, timeout=PATIENCE_S)
            old: Any = hub.ref("mob://srv/worker")
        office = hub._network.office
        assert office is not None
        met = threading.Event()
        tell = office.met_another

        def note(*args: str) -> None:
            tell(*args)
            met.set()

        monkeypatch.setattr(office, "met_another", note)
        with node("other", address, THEIRS, OURS):
            assert met.wait(PATIENCE_S)
            with pytest.raises(
                UnknownAddress,
                match=rf"^mob://srv/worker: at {address} is a node of another name now: .*other",
            ):
                old.ask(Total(), timeout=PATIENCE_S)

        with node("srv", address, THEIRS, OURS):  # it is found again without a word
            assert hub.connect(address, key=THEIRS.public, timeout=PATIENCE_S) == "srv"
            assert old.ask(Total(), timeout=PATIENCE_S) == 0


def test_an_error_of_the_way_names_the_whole_address() -> None:
    with made("tcp://127.0.0.1") as (server, client, connect):
        connect()
        worker: Any = client.ref("mob://server/worker")
        server.shutdown(1.0)
        client._network.close(1.0)
        with pytest.raises(UnknownAddress, match=r"^mob://server/worker: this system is shutting"):
            worker.tell(Total())
