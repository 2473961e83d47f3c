"""A process with a mob is killed at random moments; no receipt is lost and nothing ends twice."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random

from actors import Mob
from actors.domain.events import (
    InputAccepted,
    InputDone,
    MemberRestarted,
    MemberSpawned,
    TurnStarted,
)
from actors.domain.roster import Roster
from actors.executors.context import ThreadTurnContext, TurnContext
from actors.stores import verify_store

ROUNDS = 12
HERE = "tests.system.test_mob_survives_kill"
DEFINITION = {
    "id": "survivor",
    "profiles": {
        "lead": {"call": f"{HERE}:relay"},
        "worker": {"call": f"{HERE}:work", "isolation": "thread"},
    },
    "members": [
        {"name": "lead", "profile": "lead"},
        {"name": "w", "profile": "worker", "count": 2},
    ],
    "wiring": {"orchestrator": "lead", "auto_wire_orchestrator": True},
    "limits": {"drain_timeout_s": 60.0},
}
# Each line is an acknowledgement: it is written when `send` has returned.
CHILD = f"""
import sys
from itertools import count
from actors import Mob
from {HERE} import DEFINITION
mob = Mob.launch(DEFINITION, state_dir=sys.argv[1], durability="normal")
for n in count():
    key = f"{{sys.argv[2]}}-{{n}}"
    receipt = mob.send("lead", key, key=key)
    print(receipt.canonical_input_id, key, flush=True)
    if n % 7 == 6:
        mob.spawn(f"x-{{key}}", profile="worker")
"""


async def relay(ctx: TurnContext) -> object:
    """Asks both workers; what it emitted before it was killed it does not do again."""
    done = {item["peer"] for item in ctx.emitted("asked")}
    for peer in ("w-1", "w-2"):
        if peer not in done:
            answer = await ctx.ask(peer, str(ctx.input.body))
            await ctx.emit("asked", {"peer": peer, "answer": answer.value})
    return sorted(item["peer"] for item in ctx.emitted("asked")) or "at once"


def work(ctx: ThreadTurnContext) -> object:
    return f"{ctx.member} did {ctx.input.body}"


def test_no_receipt_is_lost_and_nothing_ends_twice(tmp_path: Path) -> None:
    chance = Random(23)
    acknowledged: dict[str, str] = {}

    for number in range(ROUNDS):
        with subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path), str(number)],
            stdout=subprocess.PIPE,
            text=True,
        ) as child:
            assert child.stdout is not None
            # Random twice: after so many receipts, and in the midst of whatever comes then.
            lines = [child.stdout.readline() for _ in range(chance.randrange(1, 60))]
            child.kill()
            lines += child.stdout.readlines()
        assert child.returncode == -9
        for line in lines:
            if line.endswith("\n"):  # the last one may be torn
                input_id, key = line.split()
                acknowledged[input_id] = key

        check = verify_store(tmp_path)
        assert check.ok, check.problem

    entries = []
    with Mob.launch(DEFINITION, state_dir=tmp_path, durability="normal") as mob:
        for input_id, key in acknowledged.items():
            again = mob.send("lead", key, key=key)
            assert (again.outcome, again.canonical_input_id) == ("duplicate", input_id)
        for input_id in acknowledged:
            mob.result("lead", input_id)
        entries = list(mob.events())
        assert Roster.fold(entry.event for entry in entries).members.keys() == {
            view.name for view in mob.members()
        }

    assert len(acknowledged) > ROUNDS
    assert [entry.cursor for entry in entries] == list(range(1, len(entries) + 1))
    events = [entry.event for entry in entries]
    accepted = [event.input_id for event in events if isinstance(event, InputAccepted)]
    assert acknowledged.keys() <= set(accepted)
    ends = Counter(event.input_id for event in events if isinstance(event, InputDone))
    assert all(ends[input_id] == 1 for input_id in acknowledged)
    fences = [event.fence for event in events if isinstance(event, MemberSpawned | MemberRestarted)]
    assert fences == sorted(set(fences))
    attempts: Counter[tuple[str, str]] = Counter()
    for event in events:
        if isinstance(event, TurnStarted):
            attempts[event.identity, event.input_id] += 1
            assert event.attempt == attempts[event.identity, event.input_id]
    emitted = Counter(
        (entry.event.input_id, entry.event.data)
        for entry in entries
        if entry.event.tag == "emitted"
    )
    assert max(emitted.values()) == 1
