"""A peer that does not read, and one whose member loop hangs: they are seen, and cost little."""

from __future__ import annotations

from pathlib import Path

from tests.system.remote.node_process import (
    CONTROL,
    PATIENCE_S,
    nodes,
    pair_of_nodes,
    until,
    upto,
)

MIB = 1024 * 1024
# 1,024 messages wait: 1 MiB of text, twice, and what objects cost.
GROWTH_BYTES = 48 * MIB
SEEN_S = 10.0  # 3 s of silence, or 5 beats that say the same; a link ends after 8 s


def test_a_peer_that_never_reads_blocks_its_senders_and_nobody_else(tmp_path: Path) -> None:
    with nodes(tmp_path) as made:
        sender, receiver, _ = pair_of_nodes(made)
        _, address = made.listening("quick", "sender")
        made.join(sender, address, "quick")
        before = sender("memory")

        receiver.pause()
        sender("load", target="mob://receiver/ledger", name="slow", padding=1_000)
        sender("load", target="mob://quick/ledger", name="quick", padding=1_000)
        refused = until(lambda: sender("progress", name="slow")["refused"], "it is refused")
        seen = len(made.lines("quick"))
        until(lambda: len(made.lines("quick")) > seen + 2_000, "the other one is served")
        growth = sender("memory") - before
        done = sender("end_load", name="quick", timeout=PATIENCE_S / 2)

        assert list(refused) == ["WouldBlock"]
        assert growth < GROWTH_BYTES
        assert made.numbers("quick", "quick") == upto(done["taken"])
        taken = sender("progress", name="slow")["taken"]
        assert taken - taken // 10 <= 1_024  # told to one actor and not in its mailbox yet


def test_a_hung_member_loop_is_seen_and_comes_back(tmp_path: Path) -> None:
    with nodes(tmp_path) as made:
        sender, receiver, _ = pair_of_nodes(made)
        receiver("hanger")
        go_on = tmp_path / "go-on"

        sender("hang", target="mob://receiver/hanger", path=str(go_on))
        until(lambda: sender.link("receiver")["state"] == "suspect", "its data is late", SEEN_S)
        until(lambda: sender.link("receiver", CONTROL)["state"] == "held", "it is seen", SEEN_S)
        go_on.touch()
        sender.until_connected("receiver")

        assert sender("ask", target="mob://receiver/ledger", number=1, timeout=10) == 1
        assert sender.settled("receiver")["ambiguous"] == 0
