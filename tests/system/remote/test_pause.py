"""A process is stopped for a while: a short pause loses nothing, a long one ends the session."""

from __future__ import annotations

import time
from pathlib import Path
from threading import Thread
from typing import Any

from tests.system.remote.node_process import (
    PATIENCE_S,
    Node,
    Nodes,
    check_one_loss,
    nodes,
    until,
    upto,
)

SHORT, MIDDLE, LONG = "short", "middle", "long"
PAUSES_S = {SHORT: 0.5, MIDDLE: 2.0}  # below the 3 s after which a peer is suspect
LONG_S = 10.0  # above the 8 s of silence after which it is gone
GONE_S = 15.0  # when that must have been seen, on a busy machine


def pause(node: Node, seconds: float) -> Thread:
    """Stop a node for so long, in a thread of its own."""

    def run() -> None:
        node.pause()
        time.sleep(seconds)  # the length of the pause is what is tested
        node.go_on()

    thread = Thread(target=run)
    thread.start()
    return thread


def finish(made: Nodes, sender: Node, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """End the load of a receiver; what became of it, and its link."""
    seen = len(made.lines(name))
    until(lambda: len(made.lines(name)) > seen + 100, f"{name} gets messages")
    done = sender("end_load", name=name, timeout=PATIENCE_S / 2)
    return done, sender.settled(name)


def audited(node: Node) -> dict[str, Any]:
    """The node's audit once nothing moves; it adds up."""

    def quiet() -> dict[str, Any] | None:
        found: dict[str, Any] = node("audit")
        return found if found["in_flight"] == 0 else None

    found: dict[str, Any] = until(quiet, f"{node.name} is quiet")
    assert found["balanced"], found
    return found


def test_short_pauses_keep_the_session_and_a_long_one_ends_it(tmp_path: Path) -> None:
    with nodes(tmp_path) as made:
        receivers = {name: made.listening(name, "sender") for name in (*PAUSES_S, LONG)}
        sender = made.start("sender")
        for name, (_, address) in receivers.items():
            made.join(sender, address, name)
            sender("load", target=f"mob://{name}/ledger", name=name)
        until(lambda: all(len(made.lines(name)) > 100 for name in receivers), "they load")

        pauses = [pause(receivers[name][0], seconds) for name, seconds in PAUSES_S.items()]
        long = receivers[LONG][0]
        long.pause()
        until_s = time.monotonic() + LONG_S
        for thread in pauses:
            thread.join()
        short = {name: finish(made, sender, name) for name in PAUSES_S}
        until(lambda: sender.link(LONG)["state"] == "gone", "the long pause is seen", GONE_S)
        time.sleep(max(until_s - time.monotonic(), 0.0))  # the rest of what is tested
        long.go_on()
        sender.until_connected(LONG)
        done, link = finish(made, sender, LONG)

        for name, (kept, kept_link) in short.items():
            assert kept_link["ambiguous"] == 0, name
            assert made.numbers(name, name) == upto(kept["taken"])
            assert list(kept["fates"]) == ["answered"]
        check_one_loss(made.numbers(LONG, LONG), done, link)
        for name, (receiver, _) in receivers.items():
            assert audited(receiver)["handled"] == len(made.lines(name))
        # Each envelope that nobody knows of is told to its sender: a letter, or to who asked. (Who
        # asked may be told, too, when only the answer was lost.)
        lost, told = (
            sender("dead").get("transport_lost", 0),
            len(done["fates"].get("Ambiguous", ())),
        )
        assert lost <= link["ambiguous"] <= lost + told
        # The pair works again: nothing more is lost.
        assert sender("ask", target=f"mob://{LONG}/ledger", number=1, timeout=PATIENCE_S / 2) == 1
        assert sender.settled(LONG)["ambiguous"] == link["ambiguous"]


def test_a_sender_that_was_stopped_shortly_loses_nothing(tmp_path: Path) -> None:
    with nodes(tmp_path) as made:
        receiver, address = made.listening("receiver", "sender")
        sender = made.joined("sender", address, "receiver")
        sender("load", target="mob://receiver/ledger", name="load")
        until(lambda: len(made.lines("receiver")) > 100, "it loads")

        pause(sender, PAUSES_S[MIDDLE]).join()
        seen = len(made.lines("receiver"))
        until(lambda: len(made.lines("receiver")) > seen + 100, "it goes on")
        done = sender("end_load", name="load", timeout=PATIENCE_S / 2)

        assert sender.settled("receiver")["ambiguous"] == 0
        assert receiver.settled("sender")["ambiguous"] == 0
        assert made.numbers("receiver", "load") == upto(done["taken"])
