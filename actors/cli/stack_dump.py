"""What every actor of a running mob is doing: `mob doctor --stacks`.

A process that is run by `mob` writes it to `stacks.txt` in its state directory when it gets
SIGUSR1. The signal ends a program that does not expect it, so one that does says so in
`stacks.pid`, and nobody else is ever sent it.

The handler only puts a word into a queue whose `put` is reentrant; a thread of its own looks and
writes. So neither a lock that the interrupted code holds nor a loop that hangs is in the way.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Final, Self

from actors.cli.failures import UsageProblem, one_line
from actors.launching import STATE_DIR
from actors.stores.lock import holder_of
from actors.stores.storefile import LEDGER_FILE

if TYPE_CHECKING:
    from collections.abc import Callable

SIGNAL: Final = signal.SIGUSR1
TEXT_FILE: Final = "stacks.txt"
PID_FILE: Final = "stacks.pid"
ANSWER_S: Final = 5.0
LOOK_S: Final = 0.02


class StackDump:
    """While it is entered, SIGUSR1 makes this process write its stacks; main thread only."""

    def __init__(self, look: Callable[[], object], state_dir: Path) -> None:
        self._look = look  # what it gives is printed
        self._folder = state_dir
        self._orders: SimpleQueue[bool] = SimpleQueue()  # True: write; False: end
        self._before: Callable[[int, FrameType | None], object] | int | None = None
        self._writer = threading.Thread(target=self._run, name="stack dump", daemon=True)

    def __enter__(self) -> Self:
        self._before = signal.signal(SIGNAL, lambda *_: self._orders.put(True))
        self._writer.start()
        with suppress(OSError):  # durability "memory" has no state directory
            (self._folder / PID_FILE).write_text(f"{os.getpid()}\n", encoding="ascii")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with suppress(OSError):
            (self._folder / PID_FILE).unlink(missing_ok=True)
        # Not what was there before: a signal that is on its way must not end the process.
        signal.signal(SIGNAL, signal.SIG_IGN)
        self._orders.put(False)
        self._writer.join(ANSWER_S)
        signal.signal(SIGNAL, signal.SIG_DFL if self._before is None else self._before)

    def _run(self) -> None:
        while self._orders.get():
            text = str(self._look())
            path = self._folder / TEXT_FILE
            with suppress(OSError):  # a full disk: who asked is told that nothing came
                fresh = path.with_suffix(".new")
                fresh.write_text(text, encoding="utf-8", errors="backslashreplace")
                fresh.replace(path)


def ask_for_stacks(state_dir: Path | None) -> str:
    """The stacks of the process that runs a mob, written by it now.

    Args:
        state_dir: Of the mob; by default the only one in `.mob` here that somebody holds.

    Raises:
        UsageProblem: nobody runs a mob there, or that process does not write its stacks.
        TimeoutError: it did not answer within 5 s.
    """
    folder = _running_here() if state_dir is None else state_dir
    pid = holder_of(folder)
    if pid is None:
        raise UsageProblem(
            f"no process runs a mob in {one_line(folder)}",
            "name the state directory of one that runs: mob doctor --stacks --store DIR",
        )
    if _writer_in(folder) != pid:
        raise UsageProblem(
            f"process {pid} runs a mob in {one_line(folder)}, but not by `mob run`",
            "print(system.stacks()) in it, or look from outside: py-spy dump --pid " + str(pid),
        )
    path = folder / TEXT_FILE
    before = _stamp(path)
    os.kill(pid, SIGNAL)
    until = time.monotonic() + ANSWER_S
    while _stamp(path) == before:
        if time.monotonic() > until:
            raise TimeoutError(
                f"process {pid} did not answer within {ANSWER_S:g} s: its main thread is held; "
                f"look from outside: py-spy dump --pid {pid}"
            )
        time.sleep(LOOK_S)
    return path.read_text(encoding="utf-8")


def _running_here() -> Path:
    folders = sorted(path.parent for path in Path(STATE_DIR).glob(f"*/{LEDGER_FILE}"))
    running = [folder for folder in folders if holder_of(folder) is not None]
    if len(running) == 1:
        return running[0]
    found = ", ".join(map(one_line, running)) or "none"
    raise UsageProblem(
        f"mobs that run in {STATE_DIR} here: {found}",
        "name the state directory: mob doctor --stacks --store DIR",
    )


def _writer_in(folder: Path) -> int | None:
    with suppress(OSError, ValueError):
        return int((folder / PID_FILE).read_text(encoding="ascii"))
    return None


def _stamp(path: Path) -> tuple[int, int] | None:
    with suppress(OSError):
        found = path.stat()
        return (found.st_ino, found.st_mtime_ns)
    return None
