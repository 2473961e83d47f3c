"""A node of its own for the tests: one `ActorSystem`, told what to do by lines of JSON.

    python -m tests.system.remote.node_program NAME KEY-DIRECTORY

Each line on standard input is `[command, {argument: value}]`, each answer one line: `["ok", value]`
or `["error", class, text]`. `node_process.Node` is the other end. The node ends with its input.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from actors import Actor, ActorSystem, Message, Request, handles, interleave
from actors.kernel.errors import MailboxFull, UnknownAddress
from transport.allowed import Allowed
from transport.security import load_key_pair

BURST = 100  # messages of a load between two breaths
BREATH_S = 0.01
ROOM_S = 0.2
HANG_S = 60.0  # at most


class Numbered(Message, tag="test.remote.numbered"):
    """The message with a number, of one load of a sender."""

    load: str
    number: int
    padding: str = ""


class Counted(Request[int], tag="test.remote.counted"):
    """The same, answered with its number."""

    load: str
    number: int


class Hang(Message, tag="test.remote.hang"):
    """Hold the whole loop until there is a file."""

    path: str


class Wait(Request[str], tag="test.remote.wait"):
    """Answered when there is a `Release`, with the text of this question."""

    text: str


class Release(Message, tag="test.remote.release"):
    pass


class Ledger(Actor):
    """Writes a line for each message it handles, which outlives a kill of its process."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    @handles
    def numbered(self, message: Numbered) -> None:
        self._write(message.load, message.number)

    @handles
    def counted(self, message: Counted) -> int:
        self._write(message.load, message.number)
        return message.number

    def _write(self, load: str, number: int) -> None:
        os.write(self.file, f"{load} {number}\n".encode())


class Hanger(Actor):
    """Does what nobody should: it blocks its loop."""

    @handles
    def hang(self, message: Hang) -> None:
        until = time.monotonic() + HANG_S
        while not Path(message.path).exists() and time.monotonic() < until:
            time.sleep(0.01)


class Gate(Actor):
    """Holds answers back."""

    def __init__(self) -> None:
        super().__init__()
        self.opened = self.promise()

    @handles
    @interleave
    async def wait(self, message: Wait) -> str:
        await self.opened
        return message.text

    @handles
    @interleave
    def release(self, message: Release) -> None:
        self.opened.set(True)


class Load(threading.Thread):
    """Tells an actor numbers from 1, every tenth is asked; a number is used up once it was taken.

    Attributes:
        taken: The last number that was taken.
        refused: How often one was refused, by class of the error; then it is tried again.
    """

    def __init__(self, system: ActorSystem, target: str, name: str, padding: int) -> None:
        super().__init__(name=f"load of {target}", daemon=True)
        self.ref: Any = system.ref(target)
        self.label = name
        self.padding = "x" * padding
        self.taken = 0
        self.asked: dict[int, Any] = {}
        self.refused: Counter[str] = Counter()
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.is_set():
            for _ in range(BURST):
                if not self._sent(self.taken + 1):
                    break
                self.taken += 1
            self.ended.wait(BREATH_S)

    def _sent(self, number: int) -> bool:
        try:
            if number % 10:
                message = Numbered(load=self.label, number=number, padding=self.padding)
                self.ref.tell(message, timeout=ROOM_S)
                return True
            reply = self.ref.ask(Counted(load=self.label, number=number), block=False)
            if reply.done:
                self._value(reply, 0.0, MailboxFull, UnknownAddress)
        except (MailboxFull, UnknownAddress) as error:
            self.refused[type(error).__name__] += 1
            return False
        self.asked[number] = reply
        return True

    @staticmethod
    def _value(reply: Any, timeout: float, *raised: type[Exception]) -> str:
        try:
            reply.get(timeout=timeout)
        except raised:
            raise
        except Exception as error:  # noqa: BLE001 - any is a fate
            return type(error).__name__
        return "answered"

    def fates(self, timeout: float) -> dict[str, list[int]]:
        """Numbers of the asks by what became of them, all in time together."""
        until = time.monotonic() + timeout
        fates: dict[str, list[int]] = {}
        for number, reply in self.asked.items():
            fate = self._value(reply, max(until - time.monotonic(), 0.0))
            fates.setdefault(fate, []).append(number)
        return fates


class Program:
    """The commands; each public method is one, and returns what JSON can say."""

    def __init__(self, name: str, directory: Path) -> None:
        self._allowed = Allowed()
        keys = load_key_pair(directory, name)
        self._system = ActorSystem(name, keys=keys, allowed=self._allowed)
        self._loads: dict[str, Load] = {}
        self._replies: dict[str, Any] = {}

    def listen(self, address: str) -> str:
        return self._system.listen(address)

    def endpoints(self) -> list[str]:
        return list(self._system._network._opened()._endpoints.values())

    def connect(self, address: str, key: str | None, timeout: float) -> str:
        return self._system.connect(address, key=key, timeout=timeout)

    def allow(self, key: str, name: str) -> None:
        self._allowed.allow(key, name, ["host"])

    def revoke(self, key: str) -> None:
        self._allowed.revoke(key)

    def ledger(self, path: str) -> None:
        self._system.start(Ledger, path, name="ledger", wait=True)

    def hanger(self) -> None:
        self._system.start(Hanger, name="hanger", wait=True)

    def gate(self) -> None:
        self._system.start(Gate, name="gate", wait=True)

    def hang(self, target: str, path: str) -> None:
        self._ref(target).tell(Hang(path=path))

    def release(self, target: str) -> None:
        self._ref(target).tell(Release())

    def ask(self, target: str, number: int, timeout: float) -> int:
        return int(self._ref(target).ask(Counted(load="ask", number=number), timeout=timeout))

    def wait(self, target: str, text: str) -> None:
        self._replies[text] = self._ref(target).ask(Wait(text=text), block=False, timeout=None)

    def waited(self, text: str, timeout: float) -> str:
        return str(self._replies[text].get(timeout=timeout))

    def load(self, target: str, name: str, padding: int = 0) -> None:
        load = self._loads[name] = Load(self._system, target, name, padding)
        load.start()

    def progress(self, name: str) -> dict[str, Any]:
        load = self._loads[name]
        return {"taken": load.taken, "refused": dict(load.refused)}

    def end_load(self, name: str, timeout: float) -> dict[str, Any]:
        """End it: how many were taken, what became of the asks, which tells were lost."""
        load = self._loads[name]
        load.ended.set()
        load.join()
        fates = load.fates(timeout)
        return {"taken": load.taken, "fates": fates, "lost": self.lost(name)}

    def lost(self, name: str) -> list[int]:
        """Numbers of the tells that the network lost; the ring of letters holds the last 1,000."""
        return [
            letter.message.number
            for letter in self._system.dead_letters
            if isinstance(letter.message, Numbered)
            and letter.message.load == name
            and letter.reason == "transport_lost"
        ]

    def dead(self) -> dict[str, int]:
        return {str(reason): count for reason, count in self._system.dead_letters.counts().items()}

    def links(self) -> list[dict[str, Any]]:
        return [asdict(report) for report in self._system.links()]

    def is_held(self, node: str) -> bool:
        """Whether there is a connection to a node, on any channel."""
        branches = self._system._network._opened().branches
        lines = [branch.lines.get(node) for branch in branches]
        return any(line is not None and line.connection is not None for line in lines)

    def audit(self) -> dict[str, Any]:
        """Where every message of this node ended, and whether that adds up."""
        found = self._system.audit()
        return {**found.model_dump(), "balanced": found.balanced}

    def refusals(self) -> list[list[str]]:
        """Reason and key of those that were turned away, oldest first."""
        refusals = self._system._network._opened().refusals
        return [[each.reason.value, each.key] for each in refusals.last()]

    def memory(self) -> int:
        """Bytes of this process that lie in memory."""
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def shutdown(self, timeout: float) -> bool:
        return self._system.shutdown(timeout)

    def _ref(self, target: str) -> Any:
        return self._system.ref(target)


def main() -> None:
    name, directory = sys.argv[1:]
    program = Program(name, Path(directory))
    for line in sys.stdin:
        command, arguments = json.loads(line)
        run: Callable[..., Any] = getattr(program, command)
        try:
            answer = ["ok", run(**arguments)]
        except Exception as error:  # noqa: BLE001 - the other side raises it
            answer = ["error", type(error).__name__, str(error)]
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
