"""Who may speak under which name, over CURVE and over ipc; what a revocation ends."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors import ActorSystem
from actors.kernel.errors import KernelError, UnknownAddress
from actors.kernel.future import ThreadReply
from actors.post import branch as branch_module
from actors.post.branch import Branch
from actors.post.names import Names
from actors.post.parking import Violation
from tests.post.nodes import PATIENCE_S, Add, Hold, Open, Peek, Total, Worker
from tests.system.remote.node_process import until
from transport import link as link_module
from transport.allowed import Allowed
from transport.endpoint import Endpoint
from transport.events import ByeCode
from transport.keys import KeyPair
from transport.security import new_key_pair

TCP = "tcp://127.0.0.1:*"


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.CRITICAL):
        yield


class Hub:
    """A node over tcp, and who may speak with it."""

    def __init__(self) -> None:
        self.keys = new_key_pair("hub")
        self.allowed = Allowed()
        self.system = ActorSystem("hub", keys=self.keys, allowed=self.allowed)
        self.system.start(Worker, name="worker", wait=True)
        self.address = self.system.listen(TCP)

    def key(self, name: str) -> KeyPair:
        """A new key that is listed under a name."""
        keys = new_key_pair(name)
        self.allowed.allow(keys.public, name, ["host"])
        return keys

    def join(self, system: ActorSystem) -> str:
        return system.connect(self.address, key=self.keys.public, timeout=PATIENCE_S)

    def connected(self, node: str) -> bool:
        """Whether any channel has a connection."""
        office = self.system._network._opened()
        lines = [branch.lines.get(node) for branch in office.branches]
        return any(line is not None and line.connection is not None for line in lines)

    def states(self, node: str) -> set[str]:
        return {link.state for link in self.system.links() if link.node == node}


@pytest.fixture
def hub() -> Iterator[Hub]:
    made = Hub()
    yield made
    made.system.shutdown(1.0)


# -- keys ---------------------------------------------------------------------------------------


def test_a_listed_key_speaks_under_its_own_name_only(hub: Hub) -> None:
    mallory, west_keys = hub.key("mallory"), hub.key("west")
    with ActorSystem("west", keys=mallory) as false_west:
        with pytest.raises(KernelError, match="the key of 'mallory' speaks as 'west'"):
            hub.join(false_west)
        assert hub.states("west") == set()
        with pytest.raises(UnknownAddress):
            hub.system.ref("mob://west/worker")

        with ActorSystem("west", keys=west_keys) as west:
            west.start(Worker, name="worker")
            assert hub.join(west) == "hub"
            back: Any = hub.system.ref("mob://west/worker")
            assert back.ask(Peek(), timeout=PATIENCE_S) == "peeked"


def test_a_name_of_the_list_stays_free_while_its_node_is_away(hub: Hub) -> None:
    """Who comes first does not get it."""
    west_keys, mallory = hub.key("west"), hub.key("mallory")
    with ActorSystem("west", keys=mallory) as false_west:
        for _ in range(2):
            with pytest.raises(KernelError, match="turned this node away"):
                hub.join(false_west)
    with ActorSystem("west", keys=west_keys) as west:
        assert hub.join(west) == "hub"


@pytest.mark.parametrize("said_goodbye", [True, False])
def test_a_new_key_under_the_same_name_takes_the_place_of_the_old_one(
    hub: Hub, said_goodbye: bool
) -> None:
    old, new = hub.key("east"), hub.key("east")
    with ActorSystem("east", keys=old) as first, ActorSystem("east", keys=new) as second:
        second.start(Worker, name="worker")
        hub.join(first)
        if said_goodbye:
            first.shutdown(1.0)
        else:
            vanish(first)
        until(lambda: not hub.connected("east"), "the old one is gone")

        assert hub.join(second) == "hub"
        hub.allowed.revoke(old.public)  # it is of no use any more
        ref: Any = second.ref("mob://hub/worker")
        ref.tell(Add(n=3))
        assert ref.ask(Total(), timeout=PATIENCE_S) == 3
        back: Any = hub.system.ref("mob://east/worker")
        assert back.ask(Peek(), timeout=PATIENCE_S) == "peeked"
        assert hub.states("east") == {"ready"}


def test_a_new_key_does_not_put_out_a_node_that_is_connected_with_the_old_one(hub: Hub) -> None:
    old, new = hub.key("east"), hub.key("east")
    with ActorSystem("east", keys=old) as first, ActorSystem("east", keys=new) as second:
        hub.join(first)
        ref: Any = first.ref("mob://hub/worker")
        with pytest.raises(KernelError, match="another key belongs to this link"):
            hub.join(second)

        assert ref.ask(Peek(), timeout=PATIENCE_S) == "peeked"
        assert [(link.state, link.ambiguous) for link in first.links()] == 2 * [("ready", 0)]


def vanish(system: ActorSystem) -> None:
    """Close the sockets of a node without a word, and have it dial no more."""
    office = system._network._opened()
    for branch in office.branches:
        branch._closing = True
        office._on(branch, branch.endpoint.close)


def test_a_dialled_key_that_is_not_listed_cannot_take_a_name_of_the_list(hub: Hub) -> None:
    west_keys, other = hub.key("west"), new_key_pair("other")
    friends = Allowed()
    friends.allow(hub.keys.public, "hub", ["host"])
    with ActorSystem("west", keys=other, allowed=friends) as false_west:
        address = false_west.listen(TCP)
        with pytest.raises(KernelError):
            hub.system.connect(address, key=other.public, timeout=1.0)

        assert hub.states("west") <= {"gone"}
        with ActorSystem("west", keys=west_keys) as west:
            assert hub.join(west) == "hub"
            assert hub.states("west") == {"ready"}


KEYS = [new_key_pair("any").public for _ in range(4)]
NAMES = ["ann", "bob"]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["allow", "revoke", "greet", "greet", "greet"]),
            st.sampled_from(KEYS),
            st.sampled_from(NAMES),
        ),
        max_size=20,
    )
)
def test_a_name_never_changes_hands_against_the_list(steps: list[tuple[str, str, str]]) -> None:
    allowed = Allowed()
    names = Names(allowed)
    held: dict[str, str] = {}  # key by name
    for what, key, name in steps:
        if what == "allow":
            allowed.revoke(key)
            allowed.allow(key, name, ["host"])
        elif what == "revoke":
            allowed.revoke(key)
        else:
            listed = allowed.peers.get(key)
            owned = {peer.name for peer in allowed.peers.values()}
            try:
                names.check(name, cast("Any", SimpleNamespace(key=key)))
            except Violation as error:
                assert error.code is ByeCode.NAME
                # The own name of a listed key is always free for it; nobody else has a right.
                before = held.get(name)
                owner = None if before is None else allowed.peers.get(before)
                others = owner is not None and owner.name != name
                assert listed is None or listed.name != name or others
            else:
                assert listed.name == name if listed is not None else name not in owned
                assert listed is not None or held.get(name, key) == key
                held[name] = key


# -- revocation ---------------------------------------------------------------------------------


def destinations(system: ActorSystem) -> list[str]:
    """Whom a system dials, on both channels."""
    office = system._network._opened()
    for branch in office.branches:
        office._on(branch, lambda: None)  # what was begun there is done
    return [each.address for branch in office.branches for each in branch.destinations()]


def pass_the_pauses(branch: Branch) -> None:
    """Wait until the timers that were set on its loop so far have run, up to the longest pause."""
    passed: ThreadReply[None] = ThreadReply(None, "a timer")
    longest = 2 * branch_module.LAST_REDIAL_S
    branch.dispatcher.call(
        lambda: cast("None", branch.loop.call_later(longest, passed.resolve, None, None))
    )
    passed.get(timeout=PATIENCE_S)


def test_a_key_that_is_revoked_between_two_dials_is_not_dialled_again(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(branch_module, "FIRST_REDIAL_S", 0.5)
    monkeypatch.setattr(branch_module, "LAST_REDIAL_S", 0.5)
    monkeypatch.setattr(link_module, "RECONNECT_S", 0.3)
    east_keys = hub.key("east")
    friends = Allowed()
    friends.allow(hub.keys.public, "hub", ["host"])
    dialled: list[str] = []
    dial = Endpoint.dial
    with ActorSystem("east", keys=east_keys, allowed=friends) as east:
        east.start(Worker, name="worker", wait=True)
        address = east.listen(TCP)
        hub.system.connect(address, key=east_keys.public, timeout=PATIENCE_S)
        assert len(destinations(hub.system)) == 2

    office = hub.system._network._opened()
    until(
        lambda: not any(branch._by_connection for branch in office.branches),
        "the pause between two dials",
    )
    hub.allowed.revoke(east_keys.public)
    assert destinations(hub.system) == []

    def counted(self: Endpoint, address: str, *rest: Any, **more: Any) -> Any:
        dialled.append(address)
        return dial(self, address, *rest, **more)

    monkeypatch.setattr(Endpoint, "dial", counted)
    with ActorSystem("east", keys=east_keys, allowed=friends) as east:
        east.start(Worker, name="worker", wait=True)
        east.listen(address)
        for branch in office.branches:
            pass_the_pauses(branch)

        assert dialled == []
        assert hub.states("east") <= {"gone"}
        assert [link for link in east.links() if link.state == "ready"] == []
        back: Any = hub.system.ref("mob://east/worker")
        with pytest.raises(UnknownAddress):
            back.ask(Peek(), timeout=PATIENCE_S)
        # Nor is it heard.
        with pytest.raises(KernelError):
            east.connect(hub.address, key=hub.keys.public, timeout=0.5)
        assert hub.states("east") <= {"gone"}


def test_a_dialled_key_that_is_revoked_while_it_is_connected_is_left(hub: Hub) -> None:
    east_keys = hub.key("east")
    friends = Allowed()
    friends.allow(hub.keys.public, "hub", ["host"])
    with ActorSystem("east", keys=east_keys, allowed=friends) as east:
        east.start(Worker, name="worker", wait=True)
        address = east.listen(TCP)
        hub.system.connect(address, key=east_keys.public, timeout=PATIENCE_S)
        back: Any = hub.system.ref("mob://east/worker")
        held = back.ask(Hold(), block=False)
        assert back.ask(Peek(), timeout=PATIENCE_S) == "peeked"

        hub.allowed.revoke(east_keys.public)

        assert destinations(hub.system) == []
        with pytest.raises(KernelError):
            held.get(timeout=PATIENCE_S)
        with pytest.raises(UnknownAddress):
            back.tell(Open())
        east.ref("worker").tell(Open())


# -- processes of this machine ------------------------------------------------------------------


def test_a_second_system_of_a_connected_name_is_refused_and_the_first_is_not_disturbed() -> None:
    with ActorSystem("server") as server, ActorSystem("twin") as first:
        server.start(Worker, name="worker", wait=True)
        first.start(Worker, name="worker", wait=True)
        address = server.listen("ipc")
        first.connect(address, timeout=PATIENCE_S)
        ref: Any = first.ref("mob://server/worker")
        held = ref.ask(Hold(), block=False)
        back: Any = server.ref("mob://twin/worker")

        with ActorSystem("twin") as second:
            for _ in range(3):
                text = re.escape("a process of the name 'twin' is connected")
                with pytest.raises(KernelError, match=text):
                    second.connect(address, timeout=PATIENCE_S)
                ref.tell(Add())

        assert back.ask(Peek(), timeout=PATIENCE_S) == "peeked"
        ref.tell(Open())
        assert held.get(timeout=PATIENCE_S) == "opened"
        assert ref.ask(Total(), timeout=PATIENCE_S) == 3
        assert [(link.state, link.ambiguous) for link in first.links()] == 2 * [("ready", 0)]
        assert {link.node for link in server.links()} == {"twin"}


def test_the_name_of_a_local_process_is_free_when_it_has_ended() -> None:
    with ActorSystem("server") as server:
        server.start(Worker, name="worker", wait=True)
        address = server.listen("ipc")
        for number in range(1, 4):
            with ActorSystem("twin") as each:
                assert each.connect(address, timeout=PATIENCE_S) == "server"
                ref: Any = each.ref("mob://server/worker")
                ref.tell(Add())
                assert ref.ask(Total(), timeout=PATIENCE_S) == number
