"""A node that is gone, or starts again: all are told at once, also of what surely never left."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from actors import ActorSystem, Down
from actors.kernel.errors import Ambiguous, UnknownAddress
from actors.post import branch as branch_module
from tests.post.hand_peer import hand_peer
from tests.post.nodes import (
    PATIENCE_S,
    Add,
    Ask,
    Hold,
    Note,
    Notes,
    Peek,
    Total,
    Watcher,
    Worker,
    made,
    nodes,
)
from tests.system.remote.node_process import until
from transport import link as link_module

GONE = "the node is gone, and this side has no address to dial"


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.CRITICAL):
        yield


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence is taken for the end after a second."""
    monkeypatch.setattr(link_module, "GONE_S", 1.0)
    monkeypatch.setattr(link_module, "SUSPECT_S", 0.8)
    monkeypatch.setattr(link_module, "BEAT_S", 0.2)
    monkeypatch.setattr(link_module, "RECONNECT_S", 0.5)


def is_gone(system: ActorSystem, node: str) -> bool:
    return {link.state for link in system.links() if link.node == node} == {"gone"}


def watched(system: ActorSystem, ref: Any) -> tuple[list[Down], threading.Event]:
    news: list[Down] = []
    came = threading.Event()
    Watcher.refs = {"it": ref}
    watcher = system.start(Watcher, news, came)
    watcher.ask(Ask(way=("it",)), timeout=PATIENCE_S)
    return news, came


def check_nobody(system: ActorSystem, ref: Any) -> None:
    """See that whatever is done with a ref of a node that is gone fails at once."""
    uses: tuple[Callable[[], object], ...] = (
        lambda: ref.tell(Add()),
        lambda: ref.tell(Add(), timeout=PATIENCE_S),
        lambda: ref.tell(Note(text="x" * 100_000)),
        lambda: ref.ask(Total(), timeout=None),
        ref.stop,
    )
    for use in uses:
        with pytest.raises(UnknownAddress, match=GONE):
            use()
    news, came = watched(system, ref)
    assert came.wait(PATIENCE_S)
    assert [(each.address, each.reason) for each in news] == [(ref.address, "unreachable")]
    assert [link.asked for link in system.links()] == [0] * len(system.links())


# -- who dialled this side ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ipc", "tcp://127.0.0.1"])
def test_a_node_that_dialled_this_one_and_left_is_unknown_until_it_is_back(kind: str) -> None:
    with made(kind) as (server, client, connect):
        address = _address_of(server, connect)
        client.start(Worker, name="worker")
        back: Any = server.ref("mob://client/worker")
        assert back.ask(Total(), timeout=PATIENCE_S) == 0
        news, came = watched(server, back)
        back.ask(Peek(), timeout=PATIENCE_S)
        keys, server_keys = client._network._keys, server._network._keys
        assert server_keys is not None
        client.shutdown(1.0)

        assert came.wait(PATIENCE_S)
        assert len(news) == 1
        assert news[0].reason in ("shutdown", "unreachable")
        until(lambda: is_gone(server, "client"), "the client is gone")
        check_nobody(server, back)
        assert len(news) == 1

        with ActorSystem("client", keys=keys) as again:
            again.start(Worker, name="worker", wait=True)
            again.connect(address, key=server_keys.public, timeout=PATIENCE_S)
            back.tell(Add(n=4))
            assert back.ask(Total(), timeout=PATIENCE_S) == 4
            news, came = watched(server, back)
            assert back.stop(timeout=PATIENCE_S) is True
            assert came.wait(PATIENCE_S)
            assert [each.reason for each in news] == ["shutdown"]


def _address_of(server: ActorSystem, connect: Callable[[], str]) -> str:
    connect()
    address = server._network._opened().endpoint
    assert address is not None
    return address


@pytest.mark.usefixtures("quick")
def test_a_node_that_vanishes_without_a_word_is_unknown_once_it_is_given_up() -> None:
    with ActorSystem("server") as server:
        address = server.listen("ipc")
        with hand_peer(address) as peer:
            ref: Any = server.ref("mob://peer/worker")
            asked = ref.ask(Total(), block=False, timeout=None)
            peer.take(1)
            peer.close()
            line = server._network._opened().data.lines["peer"]
            until(lambda: line.connection is None, "it is seen")
            waiting = ref.ask(Peek(), block=False, timeout=None)
            stop = ref.stop(block=False)
            news, came = watched(server, ref)

            with pytest.raises(Ambiguous):
                asked.get(timeout=PATIENCE_S)
            # What had not left when it vanished surely did not arrive.
            for each in (waiting, stop):
                with pytest.raises(UnknownAddress):
                    each.get(timeout=PATIENCE_S)
            assert came.wait(PATIENCE_S)
            assert [each.reason for each in news] == ["unreachable"]
            check_nobody(server, ref)
        with hand_peer(address) as peer:
            ref.tell(Add())
            assert [each.target for each in peer.take(1)] == ["worker"]


def test_many_nodes_that_come_and_go_leave_no_questions_behind() -> None:
    with ActorSystem("server") as server:
        address = server.listen("ipc")
        for _ in range(10):
            with ActorSystem("client") as client:
                client.start(Worker, name="worker", wait=True)
                client.connect(address, timeout=PATIENCE_S)
                back: Any = server.ref("mob://client/worker")
                held = back.ask(Hold(), block=False)
                assert back.ask(Peek(), timeout=PATIENCE_S) == "peeked"
                client.shutdown(0.1, cut_off_s=0.05)
            with pytest.raises(Exception, match="mob://client/worker"):
                held.get(timeout=PATIENCE_S)
            until(lambda: is_gone(server, "client"), "the client is gone")

        for link in server.links():
            assert (link.asked, link.in_flight) == (0, 0)
            assert link.sent == link.acknowledged + link.ambiguous


# -- whom this side dials -----------------------------------------------------------------------


@pytest.mark.usefixtures("quick")
def test_what_never_left_is_not_ambiguous() -> None:
    with nodes("tcp://127.0.0.1") as (server, client):
        server.start(Worker, name="worker")
        ref: Any = client.ref("mob://server/worker")
        ref.ask(Total(), timeout=PATIENCE_S)
        before = sum(link.ambiguous for link in client.links())
        server.shutdown(1.0)
        until(lambda: is_gone(client, "server"), "the server is gone")

        asked = ref.ask(Total(), block=False, timeout=None)
        stop = ref.stop(block=False)
        for each in (asked, stop):
            with pytest.raises(UnknownAddress, match="it was not sent"):
                each.get(timeout=PATIENCE_S)
        assert sum(link.ambiguous for link in client.links()) == before
        for link in client.links():
            assert (link.asked, link.in_flight) == (0, 0)


@pytest.mark.parametrize("goodbye", [True, False])
def test_asks_while_a_node_starts_again_leave_in_the_next_session(
    monkeypatch: pytest.MonkeyPatch, goodbye: bool
) -> None:
    """Without a goodbye the session is given up when the new process greets."""
    monkeypatch.setattr(branch_module, "FIRST_REDIAL_S", 0.3)
    with made("tcp://127.0.0.1") as (server, client, connect):
        server.start(Worker, name="worker")
        address = _address_of(server, connect)
        ref: Any = client.ref("mob://server/worker")
        ref.ask(Total(), timeout=PATIENCE_S)
        held = ref.ask(Hold(), block=False)
        assert ref.ask(Peek(), timeout=PATIENCE_S) == "peeked"
        office = server._network._opened()
        keys, allowed = server._network._keys, server._network._allowed
        if not goodbye:
            for branch in office.branches:
                office._on(branch, branch.endpoint.close)
        server.shutdown(0.1, cut_off_s=0.05)
        lines = [branch.lines["server"] for branch in client._network._opened().branches]
        until(lambda: not any(line.connection for line in lines), "the connections are gone")
        asked = [ref.ask(Peek(), block=False, timeout=None) for _ in range(50)]
        for number in range(50):
            ref.tell(Note(text=str(number)))

        with ActorSystem("server", keys=keys, allowed=allowed) as again:
            again.start(Worker, name="worker", wait=True)
            again.listen(address)

            assert [each.get(timeout=PATIENCE_S) for each in asked] == 50 * ["peeked"]
            assert ref.ask(Notes(), timeout=PATIENCE_S) == tuple(map(str, range(50)))
            with pytest.raises(Exception, match="mob://server/worker"):
                held.get(timeout=PATIENCE_S)
            for link in client.links():
                assert link.sent == link.acknowledged + link.ambiguous + link.in_flight
                assert link.asked == 0
            assert len(client.dead_letters) == 0


# -- two that dial each other -------------------------------------------------------------------


@pytest.mark.parametrize("turn", range(10))
def test_two_nodes_that_connect_to_each_other_at_once_both_succeed(turn: int) -> None:
    with ActorSystem("ann") as ann, ActorSystem("bob") as bob:
        addresses = {"bob": bob.listen("ipc"), "ann": ann.listen("ipc")}
        for system in (ann, bob):
            system.start(Worker, name="worker", wait=True)
        found: list[object] = []
        both = threading.Barrier(2)

        def join(system: ActorSystem, other: str) -> None:
            both.wait(PATIENCE_S)
            try:
                found.append(system.connect(addresses[other], timeout=PATIENCE_S))
            except Exception as error:  # noqa: BLE001 - shown below
                found.append(error)

        threads = [
            threading.Thread(target=join, args=pair) for pair in ((ann, "bob"), (bob, "ann"))
        ]
        for thread in threads if turn % 2 else reversed(threads):
            thread.start()
        for thread in threads:
            thread.join()

        assert set(found) == {"ann", "bob"}
        for system, other in ((ann, "bob"), (bob, "ann")):
            ref: Any = system.ref(f"mob://{other}/worker")
            ref.tell(Add(n=turn))
            assert ref.ask(Total(), timeout=PATIENCE_S) == turn
            assert {link.node for link in system.links()} == {other}
