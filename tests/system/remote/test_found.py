"""What real processes found once; each was a bug, and none comes back."""

from __future__ import annotations

from pathlib import Path

import pytest
import zmq

from tests.system.remote.node_process import (
    CONTROL,
    PATIENCE_S,
    NodeError,
    nodes,
    pair_of_nodes,
    until,
)
from tests.system.remote.tcp_relay import Relay
from transport.security import Client, dial

MIB = 1024 * 1024


def test_an_answer_for_a_former_process_never_reaches_the_new_one(tmp_path: Path) -> None:
    with nodes(tmp_path) as made:
        server, address = made.listening("server", "client")
        server("gate")
        old = made.joined("client", address, "server")
        old("wait", target="mob://server/gate", text="old")
        until(lambda: server.link("client")["received"] == 1, "the old question is there")
        old.kill()
        new = made.joined("client", address, "server")
        new("wait", target="mob://server/gate", text="new")
        until(lambda: server.link("client")["received"] == 2, "the new question is there")

        new("release", target="mob://server/gate")

        assert new("waited", text="new", timeout=PATIENCE_S / 2) == "new"


def test_every_tell_that_was_lost_is_a_letter(tmp_path: Path) -> None:
    with nodes(tmp_path) as made:
        sender, receiver, _ = pair_of_nodes(made)
        receiver.pause()
        sender("load", target="mob://receiver/ledger", name="load")
        until(lambda: sender("progress", name="load")["refused"], "it is full")
        receiver.kill()
        until(lambda: sender.link("receiver")["state"] == "gone", "it is gone")
        ambiguous = sender.link("receiver")["ambiguous"]
        first = 1
        lost = sender("lost", name="load")

        assert lost == [n for n in range(first, first + ambiguous) if n % 10]


def test_a_question_that_was_never_sent_is_not_ambiguous(tmp_path: Path) -> None:
    with nodes(tmp_path) as made:
        sender, receiver, address = pair_of_nodes(made)
        receiver.pause()
        sender("load", target="mob://receiver/ledger", name="load")
        until(lambda: sender("progress", name="load")["refused"], "it is full")
        receiver.kill()
        until(lambda: sender.link("receiver")["state"] == "gone", "it is gone")
        made.listening("receiver", "sender", at=address)
        sender.until_connected("receiver")
        until(lambda: len(made.lines("receiver")) > 500, "it goes on")
        done = sender("end_load", name="load", timeout=PATIENCE_S / 2)

        handled = set(made.numbers("receiver", "load"))
        assert not handled & set(done["fates"]["Ambiguous"])


def test_large_messages_to_a_peer_that_does_not_read_cost_little(tmp_path: Path) -> None:
    with nodes(tmp_path) as made:
        sender, receiver, _ = pair_of_nodes(made)
        before = sender("memory")
        receiver.pause()
        sender("load", target="mob://receiver/ledger", name="load", padding=300_000)
        until(lambda: sender("progress", name="load")["refused"], "it is full")

        assert sender("memory") - before < 96 * MIB


def test_no_callback_fails_when_a_connection_ends(tmp_path: Path) -> None:
    with nodes(tmp_path) as made:
        sender, receiver, _ = pair_of_nodes(made)
        receiver.kill()
        until(lambda: sender.link("receiver")["state"] == "gone", "it is gone")

        assert "Traceback" not in (tmp_path / "sender.log").read_text()


def test_a_connect_that_was_given_up_is_not_tried_on_the_other_channel(tmp_path: Path) -> None:
    with nodes(tmp_path) as made:
        receiver, address = made.listening("receiver", "sender")
        control, data = receiver("endpoints")
        with Relay([control]) as relay:
            sender = made.start("sender")
            sender.begin("connect", address=relay.address(address), key=receiver.key, timeout=1.5)
            try:
                sender.end()
            except NodeError as error:
                assert "did not answer" in str(error)
            with Relay([data]):
                states: list[str] = []
                try:
                    until(lambda: sender.link("receiver")["state"] == "ready", "never", 7.0)
                    states.append("ready")
                except AssertionError:
                    pass
        assert states == []


def test_a_peer_that_floods_a_busy_node_and_leaves_does_not_end_its_process(
    tmp_path: Path,
) -> None:
    with nodes(tmp_path) as made:
        sender, receiver, _ = pair_of_nodes(made)
        raw = made.pair("raw")
        receiver("allow", key=raw.public, name="raw")
        receiver("hanger")
        go_on = tmp_path / "go-on"
        sender("hang", target="mob://receiver/hanger", path=str(go_on))
        _, data = receiver("endpoints")
        context = zmq.Context()
        socket = context.socket(zmq.DEALER)
        dial(socket, Client(raw, receiver.key), data)
        socket.setsockopt(zmq.SNDTIMEO, 1_000)
        try:
            for _ in range(500):
                socket.send(b"x" * 1_000)
        except zmq.Again:
            pass
        context.destroy(linger=0)

        until(lambda: sender.link("receiver", CONTROL)["state"] == "held", "it lives on")
        go_on.touch()

        assert receiver.process.poll() is None
        assert sender("ask", target="mob://receiver/ledger", number=1, timeout=10) == 1


def test_connecting_twice_finds_the_connection_there_is(tmp_path: Path) -> None:
    with nodes(tmp_path) as made:
        sender, receiver, address = pair_of_nodes(made)

        assert sender("connect", address=address, key=receiver.key, timeout=5) == "receiver"
        assert sender("ask", target="mob://receiver/ledger", number=1, timeout=10) == 1
        assert len(sender("links")) == 2


def test_two_nodes_that_connect_to_each_other_have_one_link(tmp_path: Path) -> None:
    with nodes(tmp_path) as made:
        first, first_at = made.listening("first", "second")
        second, second_at = made.listening("second", "first")
        first.begin("connect", address=second_at, key=second.key, timeout=8)
        second.begin("connect", address=first_at, key=first.key, timeout=8)

        assert (first.end(), second.end()) == ("second", "first")
        assert first("ask", target="mob://second/ledger", number=1, timeout=10) == 1
        assert second("ask", target="mob://first/ledger", number=1, timeout=10) == 1


def test_a_server_cannot_take_the_name_of_another_key(tmp_path: Path) -> None:
    with nodes(tmp_path / "good") as made, nodes(tmp_path / "evil") as others:
        _, address = made.listening("receiver", "sender")
        sender = made.joined("sender", address, "receiver")
        others.keys["sender"] = made.keys["sender"]
        evil, evil_address = others.listening("receiver", "sender")

        with pytest.raises(NodeError, match="did not answer"):
            sender("connect", address=evil_address, key=evil.key, timeout=3)

        assert sender("ask", target="mob://receiver/ledger", number=1, timeout=10) == 1
        assert made.lines("receiver") == [("ask", 1)]
