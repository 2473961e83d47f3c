"""Two nodes on two networks of their own: the link between them goes down and up again.

The networks are namespaces that the test makes, with addresses that exist nowhere else; nothing of
this machine's own network is touched.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.system.remote.node_process import (
    PATIENCE_S,
    check_one_loss,
    nodes,
    until,
    upto,
)

ADDRESSES = ("10.231.7.1", "10.231.7.2")
# 3 s of silence (suspect); 8 s, or 3 s and 3 s without a Hello (gone); and a busy machine.
SUSPECT_S, GONE_S = 8.0, 15.0


def ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, timeout=10)
    if done.returncode:
        raise OSError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")


class Wire:
    """Two namespaces and what joins them."""

    def __init__(self, names: tuple[str, str]) -> None:
        self.names = names

    def inside(self, side: int) -> list[str]:
        """What a process is run with."""
        return ["ip", "netns", "exec", self.names[side]]

    def switch(self, to: str) -> None:
        """Switch one end `up` or `down`."""
        ip("-n", self.names[1], "link", "set", "joined", to)


@contextmanager
def wire() -> Iterator[Wire]:
    """Two namespaces; skips the test where there can be none."""
    if shutil.which("ip") is None:
        pytest.skip("there is no `ip` (iproute2) here")
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    names = (f"mob-test-{os.getpid()}-a", f"mob-test-{os.getpid()}-b")
    with ExitStack() as stack:
        try:
            for name in names:
                ip("netns", "add", name)
                stack.callback(ip, "netns", "del", name)
            # Born inside: no device of the test is ever among the machine's own.
            peer = ("peer", "name", "joined", "netns", names[1])
            ip("-n", names[0], "link", "add", "joined", "type", "veth", *peer)
        except OSError as error:
            pytest.skip(f"no network namespaces: {error}")
        for name, address in zip(names, ADDRESSES, strict=True):
            ip("-n", name, "addr", "add", f"{address}/24", "dev", "joined")
            ip("-n", name, "link", "set", "joined", "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield Wire(names)


def test_a_link_that_goes_down_is_seen_and_heals(tmp_path: Path) -> None:
    with wire() as between, nodes(tmp_path) as made:
        receiver = made.start("receiver", between.inside(0))
        receiver("allow", key=made.pair("sender").public, name="sender")
        receiver("ledger", path=str(made.ledger("receiver")))
        address = receiver("listen", address=f"tcp://{ADDRESSES[0]}:*")
        sender = made.start("sender", between.inside(1))
        made.join(sender, address, "receiver")
        sender("load", target="mob://receiver/ledger", name="load")
        until(lambda: len(made.lines("receiver")) > 500, "it loads")

        between.switch("down")
        until(lambda: sender.link("receiver")["state"] in ("suspect", "gone"), "seen", SUSPECT_S)
        until(lambda: sender.link("receiver")["state"] == "gone", "the receiver is gone", GONE_S)
        until(lambda: receiver.link("sender")["state"] == "gone", "the sender is gone", GONE_S)
        before = len(made.lines("receiver"))
        between.switch("up")
        sender.until_connected("receiver")
        receiver.until_connected("sender")
        until(lambda: len(made.lines("receiver")) > before + 500, "it goes on")
        done = sender("end_load", name="load", timeout=PATIENCE_S / 2)
        link = sender.settled("receiver")

        check_one_loss(made.numbers("receiver", "load"), done, link)


def test_a_link_that_is_down_for_a_moment_loses_nothing(tmp_path: Path) -> None:
    with wire() as between, nodes(tmp_path) as made:
        receiver = made.start("receiver", between.inside(0))
        receiver("allow", key=made.pair("sender").public, name="sender")
        receiver("ledger", path=str(made.ledger("receiver")))
        address = receiver("listen", address=f"tcp://{ADDRESSES[0]}:*")
        sender = made.start("sender", between.inside(1))
        made.join(sender, address, "receiver")
        sender("load", target="mob://receiver/ledger", name="load")
        until(lambda: len(made.lines("receiver")) > 500, "it loads")

        between.switch("down")
        until(lambda: sender.link("receiver")["in_flight"] > 500, "mail waits")
        between.switch("up")
        seen = len(made.lines("receiver"))
        until(lambda: len(made.lines("receiver")) > seen + 2_000, "it goes on")
        done = sender("end_load", name="load", timeout=PATIENCE_S / 2)

        assert sender.settled("receiver")["ambiguous"] == 0
        assert made.numbers("receiver", "load") == upto(done["taken"])
        assert list(done["fates"]) == ["answered"]
