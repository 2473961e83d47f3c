"""The self-test: passes on a shut door, and stops the start at any other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import zmq

from tests.transport.network import Context, Network
from transport.allowed import Allowed
from transport.refusals import Reason
from transport.security import Authenticator, Handshake, Server, listen, new_key_pair
from transport.self_test import SelfTestFailed, self_test


@pytest.fixture
def network(authenticator: Authenticator) -> Iterator[Network]:
    with Network(authenticator) as network:
        yield network


def test_a_shut_door_passes_and_its_random_key_is_not_written_down(network: Network) -> None:
    for _ in range(3):
        self_test(network.authenticator, network.endpoint, network.keys.public)

    assert network.until(lambda: len(network.connections) == 0)
    # The watch does record the probe without CURVE: it cannot know whose it was.
    assert Reason.KEY not in network.authenticator.refusals.counts()
    assert network.received_nothing()
    assert network.client(network.known("west")).outcome() is Handshake.SUCCEEDED


def test_a_listener_on_every_address_is_tested_by_loopback(
    authenticator: Authenticator, allowed: Allowed
) -> None:
    made, keys = authenticator.context.socket(zmq.ROUTER), new_key_pair("s")
    allowed.allow(new_key_pair("west").public, "west", ["host"])
    endpoint = listen(made, Server(keys, authenticator, public=True), "tcp://*:*")

    self_test(authenticator, endpoint, keys.public)

    made.close()


def test_a_door_that_lets_everybody_in_is_found(authenticator: Authenticator) -> None:
    # CURVE in a context without a handler, and no domain that is enforced: libzmq admits all.
    context: Context = zmq.Context()
    made, keys = context.socket(zmq.ROUTER), new_key_pair("s")
    made.curve_server = True
    made.curve_secretkey = keys.secret
    port = made.bind_to_random_port("tcp://127.0.0.1")

    with pytest.raises(SelfTestFailed, match="a random key must be refused") as caught:
        self_test(authenticator, f"tcp://127.0.0.1:{port}", keys.public)

    assert "do not run this node" in caught.value.hint
    made.close()
    context.term()


def test_a_door_without_curve_is_found(authenticator: Authenticator) -> None:
    made = authenticator.context.socket(zmq.ROUTER)
    port = made.bind_to_random_port("tcp://127.0.0.1")

    with pytest.raises(SelfTestFailed, match="a random key must be refused"):
        self_test(authenticator, f"tcp://127.0.0.1:{port}", new_key_pair("s").public)

    made.close()


def test_a_door_that_nobody_opens_is_found(network: Network) -> None:
    network.authenticator.close()

    with pytest.raises(SelfTestFailed, match="a random key must be refused"):
        self_test(network.authenticator, network.endpoint, network.keys.public, timeout_s=0.2)


def test_another_servers_key_is_found(network: Network) -> None:
    with pytest.raises(SelfTestFailed, match="cut off"):
        self_test(
            network.authenticator,
            network.endpoint,
            new_key_pair("other").public,
            timeout_s=0.5,
        )
