"""A mob from a dictionary: a lead, two workers, and the wiring as a firewall.

Run it and see:

    $ python examples/small_team.py
    ['worker-1 counted 11', 'worker-2 counted 11']
    refused: 'worker-1' is not wired to 'worker-2'; nothing was delivered
    lead      (lead)    worker-1, worker-2
    worker-1  (worker)  lead
    worker-2  (worker)  lead
"""

from __future__ import annotations

import tempfile

from actors import Mob
from actors.domain.errors import NotWired
from actors.executors.python import TurnContext


async def lead(ctx: TurnContext) -> list[object]:
    """Ask every worker."""
    body = ctx.input.body
    return [(await ctx.ask(peer, body)).value for peer in ctx.peers]


async def worker(ctx: TurnContext) -> str:
    """Answer the lead; gossip with the neighbour is not possible."""
    if ctx.input.body == "gossip":
        try:
            await ctx.send("worker-2", "have you heard?")
        except NotWired as error:
            return f"refused: {error}"
    return f"{ctx.member} counted {len(str(ctx.input.body))}"


TEAM = {
    "id": "team",
    "profiles": {"lead": {"call": f"{__name__}:lead"}, "worker": {"call": f"{__name__}:worker"}},
    "members": [
        {"name": "lead", "profile": "lead"},
        {"name": "worker", "profile": "worker", "count": 2},
    ],
    "wiring": {"role_wiring": [["lead", "worker"]]},
}

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, Mob.launch(TEAM, state_dir=folder) as mob:
        print(mob.ask("lead", "hello there").value)
        print(mob.ask("worker-1", "gossip").value)
        print(mob.graph())
