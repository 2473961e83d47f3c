"""What TCP can do to a connection: nothing is lost, doubled or out of order."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random

import pytest

from tests.system.remote.node_process import PATIENCE_S, Node, Nodes, nodes, until, upto
from tests.system.remote.tcp_relay import Relay

CUTS = int(os.environ.get("MOB_REMOTE_CUTS", "20"))
SEED = int(os.environ.get("MOB_REMOTE_SEED", "31"))
DELAY_S = 0.05


@contextmanager
def relayed(made: Nodes) -> Iterator[tuple[Node, Node, Relay]]:
    """A sender and a receiver with a relay between them."""
    receiver, address = made.listening("receiver", "sender")
    with Relay(receiver("endpoints")) as relay:
        yield made.joined("sender", relay.address(address), "receiver"), receiver, relay


def check_all_arrived(made: Nodes, sender: Node, receiver: Node) -> None:
    """End the load: each number was handled once, in order, and each ask was answered."""
    done = sender("end_load", name="load", timeout=PATIENCE_S / 2)
    sent, received = sender.settled("receiver"), receiver.settled("sender")
    assert made.numbers("receiver", "load") == upto(done["taken"])
    assert list(done["fates"]) == ["answered"]
    assert (sent["ambiguous"], received["ambiguous"]) == (0, 0)
    assert sent["sent"] == received["received"] == done["taken"]


def arrive(made: Nodes, count: int) -> None:
    """Wait until so many more have arrived."""
    seen = len(made.lines("receiver"))
    until(lambda: len(made.lines("receiver")) > seen + count, f"{count} more messages arrive")


def test_cuts_under_load_lose_and_double_nothing(tmp_path: Path) -> None:
    chance = Random(SEED)
    with nodes(tmp_path) as made, relayed(made) as (sender, receiver, relay):
        sender("load", target="mob://receiver/ledger", name="load")
        for number in range(CUTS):
            arrive(made, chance.randrange(20, 400))
            until(partial(relay.cut, reset=number % 2 == 0), "there is one to cut")

        check_all_arrived(made, sender, receiver)
        assert relay.passed > CUTS


@pytest.mark.parametrize("ways", [("there",), ("back",), ("there", "back")], ids="+".join)
def test_a_stalled_connection_goes_on_where_it_was(tmp_path: Path, ways: tuple[str, ...]) -> None:
    with nodes(tmp_path) as made, relayed(made) as (sender, receiver, relay):
        sender("load", target="mob://receiver/ledger", name="load")
        arrive(made, 100)

        relay.stall(*ways)
        sent = sender("progress", name="load")["taken"]
        until(lambda: sender.link("receiver")["in_flight"] > 500, "it fills")
        relay.stall()
        until(lambda: len(made.lines("receiver")) > sent, "it goes on")

        check_all_arrived(made, sender, receiver)
        assert relay.passed == 2


def test_a_long_way_keeps_the_order(tmp_path: Path) -> None:
    with nodes(tmp_path) as made, relayed(made) as (sender, receiver, relay):
        relay.delay_s = DELAY_S
        sender("load", target="mob://receiver/ledger", name="load")
        arrive(made, 1_000)
        relay.cut(reset=True)
        arrive(made, 1_000)

        check_all_arrived(made, sender, receiver)
