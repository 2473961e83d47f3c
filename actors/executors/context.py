"""What a turn may do: talk to peers, write to the ledger, look up at boundaries.

`TurnContext` is for `isolation = "async"`, its methods are awaited on the member loop.
`ThreadTurnContext` has the same names for `isolation = "thread"`, where they block the thread of
the turn and nothing else.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from actors.domain.errors import StaleIncarnation, TurnCancelled
from actors.domain.inbox import Mode, TurnInput
from actors.domain.reports import Receipt, TurnResult
from transport.message import Message

R = TypeVar("R")
SEND_S: Final = 30.0
ASK_S: Final = 60.0
MARGIN_S: Final = 10.0


class TurnPort(Protocol):
    """What the member offers to its running turn; every coroutine runs on the member loop.

    Once the turn is given up (its member failed, was retired, or the turn took too long) every
    call raises `StaleIncarnation` or `TurnCancelled`: a turn that cannot be killed is fenced.
    """

    loop: asyncio.AbstractEventLoop

    def peers(self) -> Mapping[str, str]:
        """Peer name to profile, by the edges as of the start of the turn."""

    def check(self) -> None:
        """Raise if the turn is given up."""

    async def run(self, call: Coroutine[Any, Any, R]) -> R:
        """Make a call of a turn in a thread; raises at once when the turn is over."""

    async def send(self, to: str, body: str | Message, mode: Mode, timeout: float) -> Receipt:
        """Deliver to a peer; waits up to `timeout` seconds for room."""

    async def ask(self, to: str, body: str | Message, timeout: float) -> TurnResult:
        """Deliver to a peer and wait for the result of its turn."""

    async def emit(self, kind: str, data: str) -> None:
        """Queue an event for the ledger."""

    def emitted(self, kind: str | None) -> Iterator[str]:
        """Data of the events that earlier attempts of this input put in the ledger; blocks."""

    def progress(self, text: str) -> None:
        """Say how far the turn is; any thread."""

    def attach(self, name: str, path: Path) -> None:
        """Remember a file of the result."""

    async def boundary(self, wait: float) -> tuple[TurnInput, ...]:
        """Steered inputs since the last call; raises TurnCancelled when interrupted."""


class _Turn:
    """What both contexts know without asking."""

    def __init__(
        self,
        port: TurnPort,
        *,
        mob: str,
        member: str,
        profile: str,
        given: TurnInput,
        options: Mapping[str, object],
        state_dir: Path,
    ) -> None:
        self._port = port
        self._peers = dict(port.peers())
        self.mob: Final = mob
        self.member: Final = member
        self.profile: Final = profile
        self.input: Final = given
        self.attempt: Final = given.attempt
        self.options: Final = options
        self.state_dir: Final = state_dir

    @property
    def peers(self) -> tuple[str, ...]:
        """The members this one may talk to, sorted."""
        return tuple(sorted(self._peers))

    def profile_of(self, name: str) -> str | None:
        """The profile of a peer; None if it is not one."""
        return self._peers.get(name)

    def emitted(self, kind: str | None = None) -> Iterator[Any]:  # Any: JSON, as it was given
        """What earlier attempts of this input emitted, oldest first.

        Reads the ledger while it is iterated, which blocks: in an async turn use
        `await asyncio.to_thread(lambda: list(ctx.emitted()))` for long histories.
        """
        return (json.loads(data) for data in self._port.emitted(kind))

    def __repr__(self) -> str:
        return f"<turn of {self.member} on {self.input.input_id}, attempt {self.attempt}>"


class TurnContext(_Turn):
    """The turn of an async callable."""

    async def send(
        self, to: str, body: str | Message, *, mode: Mode = "queue", timeout: float = SEND_S
    ) -> Receipt:
        """Send to a wired peer and return when it has accepted.

        `mode="steer"` offers it to the peer's running turn, at its next `boundary`.

        Raises:
            NotWired: there is no edge.
            MemberNotFound, MemberHeld: nobody is there to accept.
            InboxFull: no room within `timeout` seconds.
        """
        return await self._port.send(to, body, mode, timeout)

    async def ask(self, to: str, body: str | Message, *, timeout: float = ASK_S) -> TurnResult:
        """Send to a wired peer and wait for the result of its turn.

        Raises:
            TurnFailed: the peer gave the input up.
            TimeoutError: no result within `timeout` seconds; the peer goes on.
            NotWired, MemberNotFound, MemberHeld, InboxFull: as for `send`.
        """
        return await self._port.ask(to, body, timeout)

    async def emit(self, kind: str, data: object) -> None:
        """Put an event in the ledger; durable before the end of this turn is.

        Args:
            data: A Message or anything JSON can hold.
        """
        await self._port.emit(kind, as_json(data))

    async def progress(self, text: str) -> None:
        """Say how far the turn is; shown live, not logged."""
        self._port.check()
        self._port.progress(text)

    async def attach(self, name: str, path: str | Path) -> None:
        """Add a JSON-lines file to the result of this turn."""
        self._port.check()
        self._port.attach(name, Path(path))

    async def boundary(self, wait: float = 0.0) -> tuple[TurnInput, ...]:
        """A place where this turn may be steered or stopped.

        Args:
            wait: Seconds to wait for a steered input when there is none.

        Returns:
            What was steered in since the last boundary, oldest first.

        Raises:
            TurnCancelled: the turn was interrupted; its input stays open.
            StaleIncarnation: the member lives on without this turn.
        """
        return await self._port.boundary(wait)


class ThreadTurnContext(_Turn):
    """The turn of a blocking callable: the names of `TurnContext`, waiting in this thread."""

    def send(
        self, to: str, body: str | Message, *, mode: Mode = "queue", timeout: float = SEND_S
    ) -> Receipt:
        """As `TurnContext.send`."""
        return self._wait(self._port.send(to, body, mode, timeout), timeout)

    def ask(self, to: str, body: str | Message, *, timeout: float = ASK_S) -> TurnResult:
        """As `TurnContext.ask`."""
        return self._wait(self._port.ask(to, body, timeout), timeout)

    def emit(self, kind: str, data: object) -> None:
        """As `TurnContext.emit`."""
        self._wait(self._port.emit(kind, as_json(data)), SEND_S)

    def progress(self, text: str) -> None:
        """As `TurnContext.progress`."""
        self._port.check()
        self._port.progress(text)

    def attach(self, name: str, path: str | Path) -> None:
        """As `TurnContext.attach`."""
        self._port.check()
        self._port.attach(name, Path(path))

    def boundary(self, wait: float = 0.0) -> tuple[TurnInput, ...]:
        """As `TurnContext.boundary`."""
        return self._wait(self._port.boundary(wait), wait)

    def _wait(self, call: Coroutine[Any, Any, R], timeout: float) -> R:
        port = self._port
        run = port.run(call)
        try:
            port.check()
            answer = asyncio.run_coroutine_threadsafe(run, port.loop)
        except (StaleIncarnation, TurnCancelled, RuntimeError):  # the last: its loop is closed
            run.close()
            call.close()
            raise
        # the port keeps its own deadlines; the margin only ends a wait on a loop that is gone
        try:
            return answer.result(timeout + MARGIN_S)
        except TimeoutError:
            if not port.loop.is_closed():
                answer.cancel()  # else it would go on although nobody waits; over if done
            raise


def as_json(data: object) -> str:
    """JSON text of a Message or of plain data.

    Raises:
        TypeError: JSON cannot hold it; the message names the type.
        ValueError: it holds NaN, an infinity, or text that is not UTF-8 (a lone surrogate).
    """
    if isinstance(data, Message):
        return data.model_dump_json()
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    text.encode()
    return text
