"""A node opens its doors: what it finds out about itself first, and whose place it may take."""

from __future__ import annotations

import logging
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from actors import ActorSystem
from actors.kernel.errors import KernelError
from tests.post.nodes import PATIENCE_S, Add, Total, Worker
from transport.allowed import Allowed
from transport.ipc_paths import IpcPath, PathInUse, runtime_directory
from transport.private_files import FileRefused
from transport.refusals import Refusal
from transport.security import Authenticator, new_key_pair
from transport.self_test import SelfTestFailed

ROOT = Path(__file__).resolve().parents[2]
LISTENER = """
import sys
from actors import ActorSystem

system = ActorSystem("twin")
print(system.listen("ipc"), flush=True)
sys.stdin.read()
"""


def refusals(system: ActorSystem) -> tuple[Refusal, ...]:
    """Who was turned away at the doors of a system."""
    office = system._network.office
    assert office is not None
    return office.refusals.last()


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:*", "tcp://[::1]:*"])
def test_the_knock_of_the_self_test_is_neither_logged_nor_written_down(
    address: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "transport")
    server_keys, client_keys = new_key_pair("server"), new_key_pair("client")
    allowed = Allowed()
    allowed.allow(client_keys.public, "client", ["host"])

    for _ in range(5):
        with (
            ActorSystem("server", keys=server_keys, allowed=allowed) as server,
            ActorSystem("client", keys=client_keys) as client,
        ):
            bound = server.listen(address)
            client.connect(bound, key=server_keys.public, timeout=PATIENCE_S)

            assert refusals(server) == ()

    assert caplog.messages == []


# -- whose place on the machine it is -----------------------------------------------------------


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory for sockets of this test alone."""
    made = tmp_path / "r"
    made.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(made))
    return made


@contextmanager
def another_process() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process whose node "twin" listens, and its address; it is killed in the end."""
    with subprocess.Popen(
        [sys.executable, "-c", LISTENER],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def test_the_second_node_of_a_name_is_told_whose_path_it_is(runtime: Path) -> None:
    with another_process() as (process, address), ActorSystem("twin") as second:
        with pytest.raises(KernelError) as caught:
            second.listen("ipc")

        assert address.startswith(f"ipc://{runtime}")
        assert str(caught.value) == (
            f"another system listens as node 'twin' already: {address.removeprefix('ipc://')} "
            f"is in use by process {process.pid} (end that process first, or give one of the two "
            "another name: ActorSystem('…'))"
        )
        with ActorSystem("asker") as asker:  # the first one has kept its path
            assert asker.connect(address, timeout=PATIENCE_S) == "twin"


def test_the_path_of_a_node_that_was_killed_is_taken_over(runtime: Path) -> None:
    with another_process() as (process, address), ActorSystem("twin") as second:
        process.kill()
        process.wait(PATIENCE_S)
        assert Path(address.removeprefix("ipc://")).is_socket()  # left behind

        assert second.listen("ipc") == address
        second.start(Worker, name="worker")
        with ActorSystem("asker") as asker:
            assert asker.connect(address, timeout=PATIENCE_S) == "twin"
            worker: Any = asker.ref("mob://twin/worker")
            worker.tell(Add(n=2))
            assert worker.ask(Total(), timeout=PATIENCE_S) == 2


def test_a_socket_in_a_place_where_others_can_write_is_not_dialled(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with ActorSystem("asker") as asker, pytest.raises(FileRefused, match=re.escape(str(tmp_path))):
        asker.connect(f"ipc://{tmp_path}/control", timeout=PATIENCE_S)


@pytest.mark.usefixtures("runtime")
def test_two_systems_of_one_process_have_one_path_between_them() -> None:
    with ActorSystem("twin") as second:
        with ActorSystem("twin") as first:
            first.listen("ipc")
            with pytest.raises(KernelError, match="shut that one down, or give one of the two"):
                second.listen("ipc")

        second.listen("ipc")  # a node that was refused may try again


@pytest.mark.usefixtures("runtime")
def test_a_node_that_gets_one_of_its_two_paths_keeps_neither() -> None:
    data = IpcPath("twin", "data")
    with ActorSystem("twin") as second:
        with pytest.raises(KernelError, match=f"{re.escape(str(data.path))} is in use"):
            second.listen("ipc")

        IpcPath("twin", "control").release()
        data.release()
        second.listen("ipc")
        with pytest.raises(PathInUse):
            IpcPath("twin", "data")
    assert not (runtime_directory("twin") / "data").exists()


# -- a listen that failed leaves no door open ---------------------------------------------------


def refused_soon(address: str) -> bool:
    """Whether nobody listens at a tcp address any more; libzmq closes a socket a little later."""
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            socket.create_connection((host, int(port)), PATIENCE_S).close()
        except ConnectionRefusedError:
            return True
    return False


def test_a_node_that_failed_its_self_test_does_not_listen(monkeypatch: pytest.MonkeyPatch) -> None:
    bounds: list[str] = []

    def fails(_: Authenticator, bound: str, _key: str) -> None:
        bounds.append(bound)
        raise SelfTestFailed("a random key must be refused", "do not run this node")

    with ActorSystem("server", keys=new_key_pair("server"), allowed=Allowed()) as server:
        with monkeypatch.context() as patched:
            patched.setattr("actors.post.office.self_test", fails)
            with pytest.raises(SelfTestFailed):
                server.listen("tcp://127.0.0.1:*")

        assert refused_soon(bounds[0])
        assert server.listen("tcp://127.0.0.1:*").startswith("tcp://127.0.0.1:")


def test_who_was_connected_stays_so_when_a_node_fails_to_listen() -> None:
    keys, taken = new_key_pair("west"), new_key_pair("east")
    allowed = Allowed()
    allowed.allow(keys.public, "west", ["host"])
    with (
        ActorSystem("east", keys=taken, allowed=allowed) as east,
        ActorSystem("west", keys=keys) as west,
    ):
        east.start(Worker, name="worker")
        address = east.listen("tcp://127.0.0.1:*")
        west.connect(address, key=taken.public, timeout=PATIENCE_S)
        worker: Any = west.ref("mob://east/worker")
        worker.tell(Add(n=1))

        with pytest.raises(KernelError, match="the port is in use"):
            west.listen(address)

        worker.tell(Add(n=1), timeout=PATIENCE_S)
        assert worker.ask(Total(), timeout=PATIENCE_S) == 2
