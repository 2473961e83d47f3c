"""How far a mob is while it works: a live table on a terminal, now and then a line elsewhere.

The mob is looked at from a thread of its own, so a display that is slow, or a pipe that nobody
reads, delays nothing but itself.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from actors.cli.failures import one_line
from actors.domain.errors import MobError
from actors.kernel.errors import KernelError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from actors.domain.reports import MemberView
    from actors.mob import Mob

REFRESH_S: Final = 0.2
LINE_EVERY_S: Final = 2.0
MOST_NAMES: Final = 4
WIDEST: Final = 24  # of the columns with names
ROOM_BELOW: Final = 5  # lines of a terminal that the table of members leaves to the rest


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen at one moment; `elapsed_s` since the mob was first looked at."""

    members: Sequence[MemberView]
    texts: Mapping[str, str]
    elapsed_s: float


class Screen(Protocol):
    """Where looks and sentences are shown."""

    def show(self, look: Look) -> None:
        """Show how far the mob is."""

    def say(self, text: str) -> None:
        """Show one line that stays."""

    def close(self) -> None:
        """Show nothing any more. Calling it again does nothing."""


class Display:
    """Looks at a mob about five times a second and shows it on a screen, until `close`."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def watch(self, mob: Mob) -> None:
        """Begin to look at this mob."""
        self._thread = threading.Thread(
            target=self._look_on, args=(mob,), name="mob display", daemon=True
        )
        self._thread.start()

    def say(self, text: str) -> None:
        """Show a line at once."""
        with suppress(OSError):  # nobody reads it any more
            self._screen.say(text)

    def close(self) -> None:
        """Stop looking and clear the screen. Calling it again does nothing."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(1.0)
        with suppress(OSError):
            self._screen.close()

    def _look_on(self, mob: Mob) -> None:
        began = time.monotonic()
        while not self._ended.is_set():
            try:
                members = mob.members()
                texts = mob.progress_texts()
            except (MobError, KernelError, TimeoutError):
                return  # it is ending
            try:
                self._screen.show(Look(members, texts, time.monotonic() - began))
            except OSError:
                return  # nobody watches any more
            self._ended.wait(REFRESH_S)


def make_display(mob: str, lead: str, *, to_stderr: bool) -> Display:
    """A live table where standard output is a terminal and free; else lines on standard error."""
    if not to_stderr and sys.stdout.isatty():
        from rich.console import Console

        console = Console(highlight=False)
        if not console.is_dumb_terminal:
            return Display(LiveScreen(mob, console))
    return Display(LineScreen(mob, lead))


class LineScreen:
    """Plain lines on standard error: at most one every two seconds, and only when it is new."""

    def __init__(self, mob: str, lead: str) -> None:
        self._mob = mob
        self._lead = lead
        self._shown = ""
        self._shown_at = float("-inf")

    def show(self, look: Look) -> None:
        """Print a line if there is something new and the last one is old enough."""
        line = headline(look, self._lead) if self._shown else f"{len(look.members)} members started"
        if line == self._shown or look.elapsed_s - self._shown_at < LINE_EVERY_S:
            return
        self._shown, self._shown_at = line, look.elapsed_s
        self.say(f"{look.elapsed_s:5.1f} s  {line}")

    def say(self, text: str) -> None:
        """Print a line."""
        sys.stderr.write(f"{self._mob}: {text}\n")
        sys.stderr.flush()

    def close(self) -> None:
        """Nothing to clear."""


class LiveScreen:
    """A table that is drawn again in its place and vanishes when it is closed."""

    def __init__(self, mob: str, console: Console) -> None:
        from rich.live import Live

        self._mob = mob
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._lock = threading.Lock()  # guards `_open`; held while the screen is drawn
        self._open = True

    def show(self, look: Look) -> None:
        """Draw the table."""
        with self._lock:
            if not self._open:
                return
            if not self._live.is_started:
                self._live.start()
            self._live.update(self._table(look), refresh=True)

    def say(self, text: str) -> None:
        """Print a line above the table."""
        with self._lock:
            self._console.print(text, markup=False, style="yellow", soft_wrap=True)

    def close(self) -> None:
        """Take the table away."""
        with self._lock:
            self._open = False
            if self._live.is_started:
                self._live.stop()

    def _table(self, look: Look) -> RenderableType:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        room = max(self._console.height - ROOM_BELOW, 3)
        members = look.members if len(look.members) <= room else look.members[: room - 1]
        names = max((len(view.name) for view in members), default=0)
        profiles = max((len(view.profile) for view in members), default=0)
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        # The last column takes what the others leave; they keep their width.
        table.add_column("member", no_wrap=True, min_width=min(max(names, 6), WIDEST))
        table.add_column("profile", no_wrap=True, min_width=min(max(profiles, 7), WIDEST))
        table.add_column("state", no_wrap=True, min_width=7)
        table.add_column("turns", no_wrap=True, min_width=5, justify="right")
        table.add_column("restarts", no_wrap=True, min_width=8, justify="right")
        table.add_column("progress", no_wrap=True, overflow="ellipsis", ratio=1)
        for view in members:
            state = state_of(view)
            table.add_row(
                Text(one_line(view.name)),
                Text(one_line(view.profile), style="cyan"),
                Text(state, style=_STYLES[state]),
                str(view.turns),
                Text(str(view.restarts), style="yellow" if view.restarts else ""),
                Text(one_line(look.texts.get(view.name, "")), style="dim"),
            )
        title = Text.assemble((self._mob, "bold"), f"  {look.elapsed_s:.0f} s")
        parts: list[RenderableType] = [title, Text(), table]
        if len(members) < len(look.members):
            parts.append(Text(f"and {len(look.members) - len(members)} more", style="dim"))
        return Group(*parts)


_STYLES: Final = {"working": "green", "idle": "dim", "held": "bold red"}


def state_of(view: MemberView) -> str:
    """One word: `held`, `working` or `idle`."""
    if view.state == "held":
        return "held"
    return "working" if view.running is not None or view.queued else "idle"


def headline(look: Look, lead: str) -> str:
    """The mob in one line: how far the lead says it is, how many work, who failed."""
    text = look.texts.get(lead)
    parts = [] if text is None else [one_line(text)]
    working = sum(state_of(view) == "working" for view in look.members)
    parts.append(f"{working} of {len(look.members)} members at work")
    restarts = sum(view.restarts for view in look.members)
    if restarts:
        parts.append(f"{restarts} restarts" if restarts > 1 else "1 restart")
    held = [one_line(view.name) for view in look.members if view.state == "held"]
    if held:
        more = ", ..." if len(held) > MOST_NAMES else ""
        parts.append(f"held: {', '.join(held[:MOST_NAMES])}{more}")
    return "; ".join(parts)
