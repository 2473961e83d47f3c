"""A mob in miniature for the tests of the example: real reviewers in threads, a real lead.

It stands in for the executor's turn contexts until the example is tested on a real mob.
"""

from __future__ import annotations

import asyncio
import json
import queue
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, cast

from actors.domain.errors import TurnFailed
from actors.domain.inbox import TurnInput
from panel_findings import FileReviewed, ReviewBatch
from panel_lead import Lead
from panel_reviewers import Reviewer


class Killed(BaseException):
    """The member died in the middle of its turn."""


class CrashedLead(BaseException):
    """The lead died in the middle of its turn."""


Trouble = Callable[[str, ReviewBatch, int], Exception | None]


class Panel:
    """A lead and its reviewers, made from the mob file's data.

    deaths: member to the counts of sends after which it dies (its turn then begins again).
    trouble: asked before each turn of a reviewer (member, batch, how many asks it had); an
        exception it gives fails the ask.
    lost: sends that never arrive, as (member, number of the send).
    stubborn: members an ask of whom forgets that it was cancelled, once.
    lead_dies_after: emitted events after which the lead dies, once.
    """

    def __init__(self, mob: dict[str, Any], state_dir: Path, **lead_options: object) -> None:
        self.state_dir = state_dir
        self.deaths: dict[str, list[int]] = {}
        self.trouble: Trouble = lambda member, batch, asked: None
        self.lost: set[tuple[str, int]] = set()
        self.stubborn: set[str] = set()
        self.lead_dies_after: int | None = None
        self.ledger: list[tuple[str, str, str]] = []
        self.shown: list[str] = []
        self.attached: dict[str, Path] = {}
        self.asks: list[tuple[str, tuple[str, ...]]] = []
        self.sends: Counter[str] = Counter()
        self.turns: Counter[str] = Counter()
        profiles = mob["profiles"]
        self.roles = {
            f"{member['name']}-{n}": member["profile"]
            for member in mob["members"]
            for n in range(1, member.get("count", 0) + 1)
        }
        self.reviewers = {
            name: Reviewer(profiles[role]["options"]) for name, role in self.roles.items()
        }
        options = {**profiles["lead"]["options"], "retry_pause_s": 0.0, **lead_options}
        self.lead = Lead(options)

    def run(self, path: Path | str) -> dict[str, Any]:
        """One lead input, from its first attempt to its result."""
        given = TurnInput(input_id="run-1", sender=None, body=str(path))
        for attempt in count(1):
            try:
                return asyncio.run(self._attempt(given, attempt))
            except CrashedLead:
                self.lead_dies_after = None
        raise AssertionError("unreachable")

    def late(self, review: FileReviewed) -> dict[str, Any]:
        """A review that starts a turn of its own, as it does when none runs."""
        return asyncio.run(self._attempt(TurnInput("late", "risk-1", review, mode="steer"), 1))

    def findings(self) -> list[dict[str, Any]]:
        """The attached findings."""
        lines = self.attached["findings"].read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]

    async def _attempt(self, given: TurnInput, attempt: int) -> dict[str, Any]:
        ctx = LeadContext(self, given, attempt)
        self.crews = {name: Crew(self, name, ctx) for name in self.reviewers}
        try:
            return await self.lead.turn(cast(Any, ctx))
        finally:
            for crew in self.crews.values():
                crew.questions.put(None)


class LeadContext:
    """The lead's side of the turn API, for the event loop."""

    member = "lead"
    profile = "lead"

    def __init__(self, panel: Panel, given: TurnInput, attempt: int) -> None:
        self.input = given
        self.attempt = attempt
        self.state_dir = panel.state_dir
        self.peers = tuple(sorted(panel.roles))
        self.profile_of = panel.roles.get
        self._panel = panel
        self._loop = asyncio.get_running_loop()
        self._steered: list[TurnInput] = []
        self._arrived = asyncio.Event()

    async def ask(self, to: str, body: ReviewBatch, *, timeout: float) -> object:
        answer: asyncio.Future[object] = self._loop.create_future()
        self._panel.asks.append((to, body.files))
        self._panel.crews[to].questions.put((body, answer))
        try:
            return await asyncio.wait_for(answer, timeout)
        except asyncio.CancelledError:
            if to in self._panel.stubborn:
                self._panel.stubborn.discard(to)
                return None
            raise

    async def emit(self, kind: str, data: object) -> None:
        panel = self._panel
        panel.ledger.append((self.input.input_id, kind, json.dumps(data)))
        if panel.lead_dies_after is not None and len(panel.ledger) >= panel.lead_dies_after:
            raise CrashedLead

    def emitted(self, kind: str) -> Iterator[object]:
        run = self.input.input_id
        return (json.loads(d) for i, k, d in tuple(self._panel.ledger) if (i, k) == (run, kind))

    async def progress(self, text: str) -> None:
        self._panel.shown.append(text)

    async def attach(self, name: str, path: Path) -> None:
        self._panel.attached[name] = path

    async def boundary(self, wait: float = 0) -> tuple[TurnInput, ...]:
        if not self._steered and wait:
            self._arrived.clear()
            try:
                await asyncio.wait_for(self._arrived.wait(), wait)
            except TimeoutError:
                return ()
        taken, self._steered = tuple(self._steered), []
        return taken

    def deliver(self, given: TurnInput) -> None:
        self._steered.append(given)
        self._arrived.set()

    def settle(self, answer: asyncio.Future[object], outcome: object) -> None:
        if answer.done():
            return
        if isinstance(outcome, Exception):
            answer.set_exception(outcome)
        else:
            answer.set_result(outcome)

    def call(self, what: Callable[..., None], *args: object) -> None:
        """From a reviewer's thread."""
        try:
            self._loop.call_soon_threadsafe(what, *args)
        except RuntimeError:
            return  # the attempt this belongs to is over and so is its loop


class Crew:
    """One reviewer in its thread, with its side of the turn API (it is its own context)."""

    def __init__(self, panel: Panel, name: str, lead: LeadContext) -> None:
        self.member = name
        self.profile = panel.roles[name]
        self.questions: queue.SimpleQueue[tuple[ReviewBatch, asyncio.Future[object]] | None]
        self.questions = queue.SimpleQueue()
        self._panel = panel
        self._lead = lead
        threading.Thread(target=self._serve, name=name, daemon=True).start()

    def send(self, to: str, body: FileReviewed, *, mode: str = "queue") -> None:
        assert (to, mode) == ("lead", "steer")
        panel = self._panel
        panel.sends[self.member] += 1
        sent = panel.sends[self.member]
        if (self.member, sent) not in panel.lost:
            given = TurnInput(f"{self.member}-{sent}", self.member, body, mode="steer")
            self._lead.call(self._lead.deliver, given)
        if sent in panel.deaths.get(self.member, ()):
            raise Killed

    def boundary(self, wait: float = 0) -> tuple[TurnInput, ...]:
        return ()

    def progress(self, text: str) -> None:
        self._panel.shown.append(f"{self.member} {text}")

    def _serve(self) -> None:
        asked = 0
        while (question := self.questions.get()) is not None:
            batch, answer = question
            asked += 1
            outcome: object = self._panel.trouble(self.member, batch, asked)
            if outcome is None:
                outcome = self._turn(batch)
            self._lead.call(self._lead.settle, answer, outcome)

    def _turn(self, batch: ReviewBatch) -> object:
        self.input = TurnInput("batch", "lead", batch)
        for attempt in count(1):
            self.attempt = attempt
            self._panel.turns[self.member] += 1
            try:
                return self._panel.reviewers[self.member].turn(cast(Any, self))
            except Killed:
                continue
            except Exception as error:  # noqa: BLE001 -- any failure of a turn
                return TurnFailed(self.member, "batch", type(error).__name__, str(error), attempt)
        raise AssertionError("unreachable")
