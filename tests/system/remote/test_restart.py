"""A process that is killed, and started again: who is told what, and when it works again."""

from __future__ import annotations

import socket
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.system.remote.node_process import Node, NodeError, nodes, until

GONE = "the node is gone, and this side has no address to dial"


def free_port() -> int:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_asks_made_while_a_killed_process_starts_again_are_answered_or_never_left(
    tmp_path: Path,
) -> None:
    at = f"tcp://127.0.0.1:{free_port()}"
    with nodes(tmp_path) as made:
        server, address = made.listening("server", "client", at=at)
        client = made.joined("client", address, "server")
        server("gate")
        client("wait", target="mob://server/gate", text="before")
        client("ask", target="mob://server/ledger", number=1, timeout=10.0)
        server.kill()
        until(lambda: not client("is_held", node="server"), "its end is seen")
        asked = [str(number) for number in range(20)]
        for text in asked:
            client("wait", target="mob://server/ledger", text=text)

        server, _ = made.listening("server", "client", at=at)
        fates = {fate(client, text) for text in asked}

        # The ledger has no handler for it, and says so; on a slow machine it was given up before.
        assert fates <= {"Unhandled", "UnknownAddress"}
        assert fate(client, "before") == "Ambiguous"
        client.until_connected("server")
        assert client("ask", target="mob://server/ledger", number=2, timeout=10.0) == 2
        client.settled("server")


def fate(client: Node, text: str) -> str:
    """What became of a question that nobody answers with a value."""
    with pytest.raises(NodeError) as caught:
        client("waited", text=text, timeout=15.0)
    if caught.value.kind == "UnknownAddress":
        assert "it was not sent" in caught.value.text
    return caught.value.kind


def test_a_process_that_dialled_and_was_killed_is_unknown_until_it_is_back(tmp_path: Path) -> None:
    with nodes(tmp_path) as made:
        server, address = made.listening("server", "client")
        client = made.joined("client", address, "server")
        client("ledger", path=str(made.ledger("client")))
        asked: dict[str, Any] = {"target": "mob://client/ledger", "timeout": 20.0}
        assert server("ask", number=1, **asked) == 1
        client.kill()
        until(lambda: server.link("client")["state"] == "gone", "it is given up")

        with pytest.raises(NodeError, match=GONE) as caught:
            server("ask", number=2, within_s=5.0, **asked)
        assert caught.value.kind == "UnknownAddress"

        client = made.joined("client", address, "server")
        client("ledger", path=str(made.ledger("client")))
        assert server("ask", number=3, **asked) == 3
        assert made.numbers("client", "ask") == [1, 3]
