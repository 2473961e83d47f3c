"""A node is killed under load and starts again: every envelope has one fate, none is handled twice.

What can be said when the receiver is killed, with N numbers taken by the sender: its first process
handled 1 … h; 1 … a were acknowledged, that is, lay in the mailbox; a+1 … K are ambiguous, and the
sender was told each; the second process handled K+1 … N. So h ≤ K, nobody's number is missing
without the sender's knowing, but those that were in the mailbox when its process died (h+1 … a).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tests.system.remote.node_process import PATIENCE_S, Nodes, nodes, pair_of_nodes, until, upto

ROUNDS = int(os.environ.get("MOB_REMOTE_KILLS", "1"))
ENOUGH = 1_500  # messages before the kill: more than a window


def more(made: Nodes, load: str) -> None:
    """Wait until enough of a load was handled, on top of what was."""
    before = len(made.numbers("receiver", load))
    until(lambda: len(made.numbers("receiver", load)) > before + ENOUGH, "messages arrive")


def test_a_killed_receiver_leaves_each_envelope_one_fate(tmp_path: Path) -> None:
    with nodes(tmp_path) as made:
        sender, receiver, address = pair_of_nodes(made)
        ambiguous = 0
        for number in range(ROUNDS):
            load = f"load-{number}"
            sender("load", target="mob://receiver/ledger", name=load)
            more(made, load)
            # Its next process is there before it ends: were it away for the 8 s after which a node
            # is gone, as it may be on a busy machine, another window would be lost.
            again = made.start("receiver")
            assert again("links") == []

            receiver.kill()
            first = made.numbers("receiver", load)
            receiver, address = made.listening("receiver", "sender", at=address, node=again)
            more(made, load)
            done = sender("end_load", name=load, timeout=PATIENCE_S / 2)
            link = sender.settled("receiver")
            second = made.numbers("receiver", load)[len(first) :]

            check_fates(done, first, second, link["ambiguous"] - ambiguous)
            assert receiver.link("sender")["duplicates"] == 0
            ambiguous = link["ambiguous"]


def check_fates(done: dict[str, Any], first: list[int], second: list[int], ambiguous: int) -> None:
    fates, taken = done["fates"], done["taken"]
    assert first == upto(len(first))
    last_lost = second[0] - 1
    assert second == list(range(last_lost + 1, taken + 1))
    assert len(first) <= last_lost
    unknown = set(range(last_lost - ambiguous + 1, last_lost + 1))
    assert ambiguous <= 1_024  # the window
    told = set(done["lost"])
    assert told == {number for number in unknown if number % 10}
    # An ask whose envelope was acknowledged is ambiguous, too, when its answer did not come.
    asked = set(fates.get("Ambiguous", []))
    assert {number for number in unknown if not number % 10} <= asked
    assert max(asked, default=0) <= last_lost  # what still waited is sent to the next process
    assert set(fates) <= {"answered", "Ambiguous"}
    assert sum(map(len, fates.values())) == taken // 10


def test_a_killed_sender_leaves_a_beginning_and_no_gap(tmp_path: Path) -> None:
    with nodes(tmp_path) as made:
        receiver, address = made.listening("receiver", "sender")
        loads = [f"load-{number}" for number in range(ROUNDS + 1)]
        for load in loads:
            sender = made.joined("sender", address, "receiver")
            sender("load", target="mob://receiver/ledger", name=load)
            more(made, load)
            sender.kill()
        sender = made.joined("sender", address, "receiver")
        sender("load", target="mob://receiver/ledger", name="last")
        more(made, "last")
        done = sender("end_load", name="last", timeout=PATIENCE_S / 2)
        sent, received = sender.settled("receiver"), receiver.settled("sender")

        assert made.numbers("receiver", "last") == upto(done["taken"])
        assert list(done["fates"]) == ["answered"]
        assert sent["ambiguous"] == 0
        for load in loads:
            numbers = made.numbers("receiver", load)
            assert numbers == upto(len(numbers))
        assert received["received"] == len(made.lines("receiver"))
        assert received["duplicates"] == 0
        assert receiver("dead") == {}
