"""Who has no right to speak is refused, and disturbs nobody who has (design §5, Security)."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.system.remote.node_process import (
    CONTROL,
    DATA,
    Node,
    NodeError,
    nodes,
    until,
)
from transport.refusals import Reason
from transport.security import new_key_pair

SHORT_S = 1.0  # what a connect is given that cannot succeed
SILENT = 200
GARBAGE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    bytes(range(256)) * 64,
    b"\xff" + bytes(8) + b"\x7f\x03\x01CURVE" + bytes(200),  # a good greeting's beginning
    b"\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f" + b"\x00" * 54,
)


def test_an_unknown_key_is_refused_and_named_in_the_record(tmp_path: Path) -> None:
    with nodes(tmp_path) as made:
        server, address = made.listening("server", "friend")
        stranger = made.start("stranger")

        with pytest.raises(NodeError, match=r"did not answer within 1\.0 s") as caught:
            stranger(
                "connect",
                address=address,
                key=server.key,
                timeout=SHORT_S,
                within_s=SHORT_S + 5,
            )

        assert caught.value.kind == "AskTimeout"
        refusals = [tuple(each) for each in server("refusals")]
        assert (Reason.KEY.value, stranger.key) in refusals
        assert {key for _, key in refusals} <= {stranger.key, "-"}
        assert len(refusals) == len(set(refusals))  # it dialled again and again
        assert server("links") == []
        works(made.joined("friend", address, "server"), 1)


def test_a_server_with_another_key_is_not_spoken_to(tmp_path: Path) -> None:
    with nodes(tmp_path) as made:
        server, address = made.listening("server", "friend")
        friend = made.start("friend")

        with pytest.raises(NodeError, match=r"did not answer within 1\.0 s") as caught:
            friend(
                "connect",
                address=address,
                key=new_key_pair("other").public,
                timeout=SHORT_S,
                within_s=SHORT_S + 5,
            )

        assert caught.value.kind == "AskTimeout"
        assert server("links") == []
        made.join(friend, address, "server")
        works(friend, 1)


def cut_off(server: Node, node: str) -> bool:
    """Whether no channel of a node is ready, as the server sees it."""
    return all(server.link(node, channel)["state"] != "ready" for channel in (CONTROL, DATA))


def works(friend: Node, number: int) -> None:
    """A friend is served."""
    assert friend("ask", target="mob://server/ledger", number=number, timeout=10) == number


def test_a_revoked_key_is_cut_at_once_and_the_others_are_not(tmp_path: Path) -> None:
    with nodes(tmp_path) as made:
        server, address = made.listening("server", "friend", "traitor")
        friend = made.joined("friend", address, "server")
        traitor = made.joined("traitor", address, "server")
        friend("load", target="mob://server/ledger", name="friend")
        traitor("load", target="mob://server/ledger", name="traitor")
        until(lambda: made.numbers("server", "traitor"), "the traitor speaks")

        server("revoke", key=traitor.key)
        until(lambda: cut_off(server, "traitor"), "it is cut", within_s=2.0)
        works(friend, 1)  # it is handled after whatever lay in the mailbox
        said = len(made.numbers("server", "traitor"))
        seen = len(made.numbers("server", "friend"))
        until(lambda: len(made.numbers("server", "friend")) > seen + 500, "the friend speaks")
        done = friend("end_load", name="friend", timeout=10)

        assert len(made.numbers("server", "traitor")) == said
        assert not traitor.is_connected("server")
        assert list(done["fates"]) == ["answered"]
        assert friend.settled("server")["ambiguous"] == 0


@contextmanager
def connections(address: str, count: int) -> Iterator[list[socket.socket]]:
    """TCP connections that say nothing."""
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    with ExitStack() as stack:
        yield [
            stack.enter_context(socket.create_connection((host, int(port)), 10))
            for _ in range(count)
        ]


def test_silent_connections_do_not_keep_friends_out(tmp_path: Path) -> None:
    with nodes(tmp_path) as made:
        _, address = made.listening("server", "friend", "late")
        friend = made.joined("friend", address, "server")
        with connections(address, SILENT):
            works(friend, 1)
            works(made.joined("late", address, "server"), 2)
            assert friend.is_connected("server")
        assert friend.link("server")["ambiguous"] == 0


def test_what_is_no_zmtp_does_not_disturb_friends(tmp_path: Path) -> None:
    with nodes(tmp_path) as made:
        server, address = made.listening("server", "friend", "late")
        friend = made.joined("friend", address, "server")
        with connections(address, len(GARBAGE)) as strangers:
            for stranger, garbage in zip(strangers, GARBAGE, strict=True):
                stranger.sendall(garbage)
            works(friend, 1)
            works(made.joined("late", address, "server"), 2)
        assert friend.is_connected("server")
        assert friend.link("server")["ambiguous"] == 0
        assert len(server("links")) == 4
        reasons = until(lambda: {reason for reason, _ in server("refusals")}, "they are recorded")
        assert reasons <= {Reason.MUTE.value, Reason.HANDSHAKE.value}
