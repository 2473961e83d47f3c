"""The real mob in the seeded world: random schedules, the same trace again, planted bugs found.

`MOB_SCHEDULES` says how many schedules are run (500 by default). A failing seed is named with
the command that runs it again.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.domain.inbox import Phase
from actors.kernel.handlers import handles
from actors.launching import Casting
from actors.roles.member import Member
from actors.roles.messages import Disconnect
from actors.roles.router import Router
from tests.simulation.schedules import Broken, run

ROOT = Path(__file__).resolve().parents[2]
SCHEDULES = int(os.environ.get("MOB_SCHEDULES", "500"))
WITHIN = 500  # seeds in which a planted bug must show


@pytest.fixture(autouse=True)
def _quiet_logs() -> Iterator[None]:
    """Members are killed thousands of times here; each is an error in the log."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def test_every_rule_holds_after_every_schedule() -> None:
    broken = []
    for seed in range(SCHEDULES):
        try:
            run(seed)
        except Broken as error:
            broken.append(str(error))

    assert not broken, "\n\n".join(broken)


@pytest.mark.parametrize("seed", range(0, 200, 10))
def test_the_same_seed_gives_the_same_trace(seed: int) -> None:
    assert run(seed) == run(seed)


def test_other_seeds_give_other_traces() -> None:
    assert len({run(seed).trace for seed in range(20)}) == 20


def test_the_trace_does_not_depend_on_the_process() -> None:
    """Sets of texts are ordered by a hash that differs from process to process."""

    def traces(hash_seed: str) -> str:
        return subprocess.run(
            [sys.executable, "-m", "tests.simulation.schedules", "0", "20"],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    first = traces("1")

    assert len(first.splitlines()) == 20
    assert traces("2") == first
    assert traces("3") == first


# Planted bugs


class OpenDoorRouter(Router):
    """Delivers without an edge."""

    def _reach(self, sender: str | None, target: str, message: Any) -> Any:
        return super()._reach(None, target, message)


class DeafRouter(Router):
    """Does not hear that an edge was cut."""

    @handles
    def disconnect(self, message: Disconnect) -> None:
        """Do nothing."""


class ForgetfulMember(Member):
    """Forgets the input that its last incarnation was working on."""

    async def on_start(self) -> None:  # type: ignore[override]  # Pykka: a def
        inbox = self._memory.inbox
        if inbox.running is not None:
            inbox.cancelled(inbox.running.input_id)
        await super().on_start()


class HastyMember(Member):
    """Drops the end of a turn that is being written down when it fails."""

    def on_failure(self, *failure: object) -> None:
        super().on_failure(*failure)
        for task in tuple(self._memory.writing):
            task.cancel()


class DeafMember(Member):
    """Works on what is not in the ledger yet, and loses who waits for that."""

    def _accepted(self, mode: Any) -> None:
        for input_id in tuple(self._memory.unwritten):
            if self._memory.inbox.phase(input_id) is Phase.QUEUED:
                self._memory.unwritten[input_id].clear()
        super()._accepted(mode)


@pytest.mark.parametrize(
    ("casting", "rule"),
    [
        (Casting(router=OpenDoorRouter), "no edge, no delivery"),
        (Casting(router=DeafRouter), "the router opens what is on the roster"),
        (Casting(member=ForgetfulMember), "what was accepted has ended or is a dead letter"),
        (Casting(member=HastyMember), "no input ends twice"),
        (Casting(member=DeafMember), "an answer or a declared error"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_planted_bug_is_found(casting: Casting, rule: str) -> None:
    found = set()
    for seed in range(WITHIN):
        try:
            run(seed, casting)
        except Broken as error:
            found.add(error.rule)
            if rule in found:
                break

    assert rule in found
