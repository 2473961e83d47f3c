"""What the tests of the network share: a ZeroMQ context that must end by itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import zmq

from transport.allowed import Allowed
from transport.security import Authenticator

DEADLINE_S = 20.0


@pytest.fixture
def context() -> Iterator[zmq.Context[zmq.Socket[bytes]]]:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    yield context
    # `term` waits for every socket that is still open: a test that leaves one behind fails here.
    ending = threading.Thread(target=context.term, daemon=True)
    ending.start()
    ending.join(DEADLINE_S)
    assert not ending.is_alive(), "a socket was left open"


@pytest.fixture
def allowed() -> Allowed:
    return Allowed()


@pytest.fixture
def authenticator(
    context: zmq.Context[zmq.Socket[bytes]], allowed: Allowed
) -> Iterator[Authenticator]:
    with Authenticator(context, allowed) as authenticator:
        yield authenticator
