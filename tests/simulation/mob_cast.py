"""The members of the mob's schedules: turns that do what a seed says, and what they saw."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

from actors.domain.definition_file import definition_from
from actors.domain.errors import MobError
from actors.executors.context import TurnContext
from actors.launching import Casting

DEFINITION = definition_from(
    {
        "id": "schedule",
        "profiles": {
            "lead": {"call": "tests.simulation.mob_cast:work"},
            "worker": {
                "call": "tests.simulation.mob_cast:work",
                "limits": {"attempts": 2, "inbox": 4, "turn_timeout_s": 5.0},
            },
        },
        "members": [
            {"name": "lead", "profile": "lead"},
            {"name": "w", "profile": "worker", "count": 2},
        ],
        "wiring": {"orchestrator": "lead", "auto_wire_orchestrator": True},
        "limits": {"restarts": 4, "restart_window_s": 20.0, "resync_s": 10.0},
    }
)
NAMES = ("lead", "w-1", "w-2", "x-1", "x-2")


@dataclass
class Sent:
    """A delivery between members that was acknowledged to its sender."""

    sender: str
    target: str
    input_id: str
    before: int  # cursor of the ledger when it was sent
    after: int  # and when the receipt came
    at_ms: int


@dataclass
class Journal:
    """What the members of the running schedule saw; there is one schedule at a time."""

    sent: list[Sent] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)  # by a turn, at a boundary; of peers or not
    began: Counter[str] = field(default_factory=Counter)


class Stage:
    """The schedule that runs: turns find their journal and their mob here."""

    journal = Journal()
    casting = Casting()  # other roles, for a planted bug
    head: Callable[[], int] = staticmethod(lambda: 0)
    now_ms: Callable[[], int] = staticmethod(lambda: 0)


async def work(ctx: TurnContext) -> object:
    """A turn: its body is `DEPTH:SEED`, and the seed says what it does."""
    depth_text, _, seed = str(ctx.input.body).partition(":")
    depth = int(depth_text)
    chance = Random(f"{seed} {ctx.attempt}")
    Stage.journal.began[f"{ctx.member}/{ctx.input.input_id}"] += 1
    for step in range(chance.randrange(5)):
        body = f"{depth - 1}:{seed}.{step}"
        match chance.randrange(8 if depth > 0 else 4):
            case 0:
                await asyncio.sleep(chance.random() * 0.2)
            case 1:
                await ctx.emit("step", step)
            case 2:
                taken = await ctx.boundary(wait=chance.choice([0.0, 0.05]))
                Stage.journal.taken.update(each.input_id for each in taken)
            case 3:
                if chance.random() < 0.3:
                    raise ValueError("this turn fails")
            case 4 | 5 | 6:
                await _try_to_send(ctx, _somebody(ctx, chance), body, chance)
            case _:
                try:
                    await ctx.ask(_somebody(ctx, chance), body, timeout=1.0)
                except (MobError, TimeoutError):
                    continue
    return depth


def _somebody(ctx: TurnContext, chance: Random) -> str:
    """A peer more often than not; else anybody, there or not."""
    return chance.choice(ctx.peers if ctx.peers and chance.random() < 0.8 else NAMES)


async def _try_to_send(ctx: TurnContext, to: str, body: str, chance: Random) -> None:
    before, at_ms = Stage.head(), Stage.now_ms()
    mode: Any = chance.choice(["queue", "steer"])
    try:
        receipt = await ctx.send(to, body, mode=mode, timeout=chance.choice([0.1, 2.0]))
    except (MobError, TimeoutError):
        return
    sent = Sent(ctx.member, to, receipt.input_id, before, Stage.head(), at_ms)
    Stage.journal.sent.append(sent)


@contextmanager
def cast(casting: Casting) -> Iterator[None]:
    """Have other classes play the roles, for a planted bug."""
    Stage.casting = casting
    try:
        yield
    finally:
        Stage.casting = Casting()
