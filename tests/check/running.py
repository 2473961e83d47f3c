"""Stages of a check: commands that run side by side, what they print kept apart, and their sum."""

from __future__ import annotations

import codecs
import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import IO, Final

MISSING: Final = 127  # as shells call the status of a command that is not there
GRACE_S: Final = 20.0  # for a pytest that is interrupted: fixtures end what they have started

# In pytest's own order. Of the last two there may be "2 warnings" and "2 errors".
_WORDS: Final = (
    *("failed", "passed", "skipped", "deselected", "xfailed", "xpassed"),
    *("warning", "error"),
)
_PLURAL: Final = ("warning", "error")
_CLOSING: Final = re.compile(
    r"^.*\b(?:failed|passed|skipped|deselected|errors?|no tests ran)\b.* in [0-9.]+s\b.*$",
    re.MULTILINE,
)
_COUNT: Final = re.compile(rf"(\d+) ({'|'.join(_WORDS)})s?\b")


@dataclass(frozen=True, slots=True)
class Stage:
    """A command, and whether it is a pytest, whose closing line is added to the others'."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    tests: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """How a stage ended.

    Attributes:
        code: Its exit status; negative: the signal that ended it; None: it did not begin.
        began: On the monotonic clock, as `ended`.
        output: What it printed.
    """

    stage: Stage
    code: int | None
    began: float
    ended: float
    output: str = ""

    @property
    def ok(self) -> bool:
        """Whether it proved what it is there for."""
        return self.code == 0

    @property
    def closing_line(self) -> str:
        """The last line of its output that is one, without its frame; "" if there is none."""
        return next(iter(reversed(_CLOSING.findall(self.output))), "").strip("= ")

    @property
    def counts(self) -> Counter[str]:
        """The numbers of its closing line; an error more if it failed and does not say of what.

        A pytest that died or found nothing to run would otherwise add nothing to the sum.
        """
        found: Counter[str] = Counter()
        for number, word in _COUNT.findall(self.closing_line):
            found[word] += int(number)
        said = found["failed"] or found["error"]
        if not said and not (self.ok and self.closing_line):
            found["error"] = 1
        return found


def closing_line(results: Iterable[Result]) -> str:
    """What one pytest would have said in the end had it run all these tests; "" of none.

    The time is the one that passed from the first one's beginning to the last one's end.
    """
    parts = [result for result in results if result.stage.tests]
    if len(parts) <= 1:
        text = "".join(part.closing_line for part in parts)
        return f" {text} ".center(80, "=") if text else ""
    counts = sum((part.counts for part in parts), Counter[str]())
    told = [
        f"{counts[word]} {word}{'s' if word in _PLURAL and counts[word] > 1 else ''}"
        for word in _WORDS
        if counts[word]
    ]
    took_s = max(part.ended for part in parts) - min(part.began for part in parts)
    text = f"{', '.join(told)} in {took_s:.2f}s ({timedelta(seconds=int(took_s))})"
    return f" {text} ".center(80, "=")


class Runner:
    """Runs stages and keeps how they ended.

    Args:
        jobs: How many run at the same time.
        out: Where it all is shown.
    """

    def __init__(self, jobs: int, out: IO[str] = sys.stdout) -> None:
        self.results: list[Result] = []
        self._jobs = jobs
        self._out = out
        self._lock = threading.Lock()  # guards what is below, `results`, and what is shown
        self._running: list[subprocess.Popen[bytes]] = []
        self._interrupted = False

    def side_by_side(self, stages: Sequence[Stage]) -> None:
        """Run all, the first ones first; each is shown when it has ended.

        Raises:
            KeyboardInterrupt: those that ran were interrupted, too, and have ended; the others did
                not begin. All are among the results.
        """
        self._run(stages, aside=True)

    def alone(self, stage: Stage) -> None:
        """Run one where a person sees it at once and may type, as a debugger wants.

        Raises:
            KeyboardInterrupt: as above.
        """
        self._run([stage], aside=False)

    def _run(self, stages: Sequence[Stage], *, aside: bool) -> None:
        # Threads read what is printed, so that an interruption loses nothing of it.
        with ThreadPoolExecutor(self._jobs) as pool:
            ends = [pool.submit(self._run_one, stage, aside=aside) for stage in stages]
            try:
                for end in ends:
                    end.result()
            except KeyboardInterrupt:
                self._interrupt(aside=aside)
                raise

    def _run_one(self, stage: Stage, *, aside: bool) -> None:
        began = time.monotonic()
        with self._lock:
            if self._interrupted:
                self.results.append(Result(stage, None, began, began))
                return
            try:
                process = _started(stage, aside=aside)
            except OSError as error:
                self.results.append(Result(stage, MISSING, began, began))
                self._show(f"\n== {stage.name}\n{error}\n")
                return
            self._running.append(process)
            if not aside:
                self._show(f"\n== {stage.name}\n")
        output = []
        with process:
            for text in _printed_by(process):
                output.append(text)
                if not aside:
                    self._show(text)
        result = Result(stage, process.returncode, began, time.monotonic(), "".join(output))
        with self._lock:
            self._running.remove(process)
            self.results.append(result)
            if aside:
                self._show(f"\n== {stage.name}\n{result.output}")

    def _interrupt(self, *, aside: bool) -> None:
        """Let what runs end by itself, for a while."""
        with self._lock:
            self._interrupted = True
            running = tuple(self._running)
        if aside:  # else the same Ctrl-C has reached it
            for process in running:
                process.send_signal(signal.SIGINT)
        until = time.monotonic() + GRACE_S
        for process in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(until - time.monotonic(), 0.0))
            process.kill()
            if aside:
                with contextlib.suppress(ProcessLookupError):  # nothing is left, as it should be
                    os.killpg(process.pid, signal.SIGKILL)

    def _show(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


def _started(stage: Stage, *, aside: bool) -> subprocess.Popen[bytes]:
    """Start it; aside in a group of its own: a Ctrl-C comes from us, once, and to it alone."""
    return subprocess.Popen(
        stage.command,
        env=os.environ | stage.environment,
        stdin=subprocess.DEVNULL if aside else None,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        process_group=0 if aside else None,
    )


def _printed_by(process: subprocess.Popen[bytes]) -> Iterator[str]:
    """What a process prints, as it comes, until it ends."""
    assert process.stdout is not None
    decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
    while chunk := os.read(process.stdout.fileno(), 65_536):
        yield decode(chunk)
