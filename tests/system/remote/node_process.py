"""Nodes in processes of their own, for the tests; see `node_program`."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event
from typing import Any, Self

from transport.keys import KeyPair, write_key_pair
from transport.security import new_key_pair

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_S = 20.0  # for whatever has to come at all; nothing is asserted about times below
DATA, CONTROL = "data", "control"


class NodeError(Exception):
    """A command of a node failed: the class and the text of its error."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind = kind
        self.text = text


def environment() -> dict[str, str]:
    """The environment of a node: this code."""
    inherited = {name: value for name, value in os.environ.items() if name != "MOB_DEBUG"}
    return inherited | {"PYTHONPATH": str(ROOT)}


def until(true: Callable[[], Any], what: str, within_s: float = PATIENCE_S) -> Any:
    """Look until something is true, and return it; AssertionError when it does not come in time."""
    deadline = time.monotonic() + within_s
    never = Event()
    while not (found := true()):
        assert time.monotonic() < deadline, f"not within {within_s:g} s: {what}"
        never.wait(0.01)
    return found


class Node:
    """One node in a process; use it as a context manager, which ends the process.

    Args:
        keys: Its key pair; its name is the node's.
        folder: Where the keys of all nodes of the test are, and its standard error goes.
        before: What to run the process with, such as `ip netns exec NAME`.
    """

    def __init__(self, keys: KeyPair, folder: Path, before: Sequence[str] = ()) -> None:
        self.name = keys.name
        self.key = keys.public
        folder.mkdir(exist_ok=True)
        self._errors = (folder / f"{self.name}.log").open("ab")
        program = (sys.executable, "-m", "tests.system.remote.node_program")
        self.process = subprocess.Popen(
            [*before, *program, self.name, str(folder / "keys")],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            bufsize=0,
        )
        self._unread = b""

    def __call__(self, command: str, *, within_s: float = PATIENCE_S, **arguments: Any) -> Any:
        """Have a command done, and return what it returned.

        Raises:
            NodeError: It failed.
        """
        self.begin(command, **arguments)
        return self.end(within_s=within_s)

    def begin(self, command: str, **arguments: Any) -> None:
        """Have a command done; `end` returns what it returned."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([command, arguments]).encode() + b"\n")

    def end(self, *, within_s: float = PATIENCE_S) -> Any:
        """What the command returned that was begun. Raises as a call does."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + within_s
        while b"\n" not in self._unread:
            left = deadline - time.monotonic()
            ready, _, _ = select.select([self.process.stdout], [], [], max(left, 0))
            assert ready, f"{self.name} has not answered within {within_s:g} s"
            piece = os.read(self.process.stdout.fileno(), 65_536)
            assert piece, f"{self.name} has ended; its errors: {self._errors.name}"
            self._unread += piece
        line, _, self._unread = self._unread.partition(b"\n")
        outcome, *rest = json.loads(line)
        if outcome == "error":
            raise NodeError(*rest)
        return rest[0]

    def link(self, node: str, channel: str = DATA) -> dict[str, Any]:
        """The report of the link to a node; {"state": "none"} while there is none."""
        found = [
            each for each in self("links") if (each["node"], each["channel"]) == (node, channel)
        ]
        return found[0] if found else {"state": "none"}

    def is_connected(self, node: str) -> bool:
        """Whether both channels are ready."""
        return all(self.link(node, channel)["state"] == "ready" for channel in (CONTROL, DATA))

    def until_connected(self, node: str, within_s: float = PATIENCE_S) -> None:
        """Wait until both channels are ready."""
        try:
            until(lambda: self.is_connected(node), f"{self.name} and {node} connect", within_s)
        except AssertionError as error:
            error.add_note(f"{self('links')}; errors: {self._errors.name}")
            raise

    def settled(self, node: str) -> dict[str, Any]:
        """The link once nothing is on its way; the law of the numbers holds."""

        def report() -> dict[str, Any] | None:
            link = self.link(node)
            return link if link["in_flight"] == 0 and link["asked"] == 0 else None

        link: dict[str, Any] = until(report, f"{self.name} and {node} settle")
        assert link["sent"] == link["acknowledged"] + link["ambiguous"], link
        return link

    def pause(self) -> None:
        """Stop the process where it is, until `go_on`."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """End the pause."""
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End the process without a word to anybody, and wait for its end."""
        self.process.kill()
        self.process.wait(PATIENCE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        for pipe in (self.process.stdin, self.process.stdout, self._errors):
            assert pipe is not None
            pipe.close()


class Nodes:
    """The nodes of one test: each name has one key pair, however often its process starts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keys: dict[str, KeyPair] = {}
        self._stack = ExitStack()

    def pair(self, name: str) -> KeyPair:
        """The key pair of a name."""
        if name not in self.keys:
            self.keys[name] = new_key_pair(name)
            write_key_pair(self.folder / "keys", self.keys[name])
        return self.keys[name]

    def start(self, name: str, before: Sequence[str] = ()) -> Node:
        """Start a node; it ends with the test."""
        return self._stack.enter_context(Node(self.pair(name), self.folder, before))

    def listening(
        self,
        name: str,
        *others: str,
        at: str = "tcp://127.0.0.1:*",
        node: Node | None = None,
    ) -> tuple[Node, str]:
        """Start a node, or take one that has started, that lets others in; with its address.

        Its ledger is `lines(name)`.
        """
        node = node or self.start(name)
        for other in others:
            node("allow", key=self.pair(other).public, name=other)
        node("ledger", path=str(self.ledger(name)))
        return node, str(node("listen", address=at))

    def joined(self, name: str, address: str, other: str) -> Node:
        """Start a node that is connected to another one."""
        node = self.start(name)
        self.join(node, address, other)
        return node

    def join(self, node: Node, address: str, other: str) -> None:
        """Connect a node to another one."""
        key = self.pair(other).public
        assert node("connect", address=address, key=key, timeout=PATIENCE_S / 2) == other

    def ledger(self, name: str) -> Path:
        """Where a node writes what it handles, over all its processes."""
        return self.folder / f"{name}.ledger"

    def lines(self, name: str) -> list[tuple[str, int]]:
        """What a node has handled: load and number, in that order; its last line may be torn."""
        path = self.ledger(name)
        text = path.read_text() if path.exists() else ""
        whole = text[: text.rfind("\n") + 1]
        return [(load, int(number)) for load, number in map(str.split, whole.splitlines())]

    def numbers(self, name: str, load: str) -> list[int]:
        """The numbers of one load that a node has handled, in that order."""
        return [number for each, number in self.lines(name) if each == load]


@contextmanager
def nodes(folder: Path) -> Iterator[Nodes]:
    """What starts nodes; all of them are ended."""
    made = Nodes(folder)
    with made._stack:
        yield made


def pair_of_nodes(made: Nodes) -> tuple[Node, Node, str]:
    """A sender that is connected to a receiver, and the receiver's address."""
    receiver, address = made.listening("receiver", "sender")
    return made.joined("sender", address, "receiver"), receiver, address


def upto(last: int) -> list[int]:
    """The numbers from 1 to the last one."""
    return list(range(1, last + 1))


def check_one_loss(handled: list[int], done: dict[str, Any], link: dict[str, Any]) -> None:
    """See that a session died between two living nodes, and that the sender knows what it cost.

    Args:
        handled: Numbers of the load that the receiver has handled.
        done: How the load ended (`end_load`).
        link: The sender's link, settled.
    """
    assert handled == sorted(set(handled))
    missing = set(upto(done["taken"])) - set(handled)
    # Ambiguous is what is missing, and what arrived and could not be acknowledged any more.
    assert len(missing) <= link["ambiguous"]
    assert link["sent"] == done["taken"]
    assert set(done["lost"]) <= set(upto(done["taken"]))
    fates = {fate: set(numbers) for fate, numbers in done["fates"].items()}
    assert set(fates) <= {"answered", "Ambiguous"}
    assert sum(map(len, fates.values())) == done["taken"] // 10
    assert {number for number in missing if not number % 10} <= fates.get("Ambiguous", set())
