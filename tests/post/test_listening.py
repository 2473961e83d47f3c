"""A node opens its doors: what it finds out about itself first, and whose place it may take."""

from __future__ import annotations

import logging

import pytest

from actors import ActorSystem
from tests.post.nodes import PATIENCE_S
from transport.allowed import Allowed
from transport.refusals import Refusal
from transport.security import new_key_pair


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
