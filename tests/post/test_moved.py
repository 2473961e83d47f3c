"""A peer that has moved to other ports is dialled there, and where it was no more."""

from __future__ import annotations

from threading import Event
from time import monotonic
from typing import Any

import pytest
import zmq

from actors import ActorSystem
from actors.post.branch import Branch
from tests.post.nodes import PATIENCE_S, Add, Total, Worker, made
from transport import security
from transport.states import LinkState


def branches(system: ActorSystem) -> tuple[Branch, Branch]:
    """The channels of a system that has used the network."""
    office = system._network.office
    assert office is not None
    return office.branches


def until_all(system: ActorSystem, state: LinkState) -> None:
    """Wait until the links to "server" of both channels are in a state."""
    deadline, never = monotonic() + PATIENCE_S, Event()
    while any(branch.lines["server"].link.state is not state for branch in branches(system)):
        assert monotonic() < deadline, system.links()
        never.wait(0.01)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """An attempt to connect that nobody answers lasts longer than any test."""
    for limit in ("RECONNECT_S", "GONE_S"):
        monkeypatch.setattr(f"transport.link.{limit}", 10 * PATIENCE_S)
    monkeypatch.setitem(security._OPTIONS, zmq.HANDSHAKE_IVL, int(10_000 * PATIENCE_S))


@pytest.mark.usefixtures("patient")
def test_a_peer_that_comes_back_on_other_ports_is_dialled_there_at_once() -> None:
    with made("tcp://127.0.0.1") as (server, client, connect):
        connect()
        keys, allowed = server._network._keys, server._network._allowed
        assert keys is not None
        server.shutdown(1.0)
        until_all(client, LinkState.GREETING)  # it is dialled where it was

        with ActorSystem("server", keys=keys, allowed=allowed) as again:
            again.start(Worker, name="worker")
            address = again.listen("tcp://127.0.0.1:*")

            assert client.connect(address, key=keys.public, timeout=PATIENCE_S) == "server"

            worker: Any = client.ref("mob://server/worker")
            worker.tell(Add(n=3))
            assert worker.ask(Total(), timeout=PATIENCE_S) == 3
            for branch in branches(client):
                assert list(branch._by_connection) == [branch.lines["server"].connection]
                assert list(branch.endpoint._dialled) == [branch.lines["server"].connection]


def test_a_peer_that_is_connected_stays_so_when_it_gets_another_address() -> None:
    with made("tcp://127.0.0.1") as (server, client, connect):
        connect()
        control = branches(client)[0]
        line = control.lines["server"]
        before, destination = line.connection, control._destinations[line]

        other = destination.address.replace("127.0.0.1", "localhost")
        key = server._network._keys.public  # type: ignore[union-attr]  # it has keys
        assert client.connect(other, key=key, timeout=PATIENCE_S) == "server"

        assert line.connection is before
        assert control._destinations[line].address == other  # for the next time
