"""A mob inside a running event loop: questions at the same time, and somebody who looks on.

Run it and see:

    $ python examples/inside_asyncio.py
    reader-1 read 5 letters
    reader-2 read 6 letters
    reader-3 read 4 letters
    who looked on saw 3 inputs done, and the end: drained
"""

from __future__ import annotations

import asyncio
import tempfile

from actors import AsyncMob
from actors.executors.python import TurnContext


async def reader(ctx: TurnContext) -> str:
    """Count letters; the turns run on the mob's own loop, not on that of `main`."""
    return f"{ctx.member} read {len(str(ctx.input.body))} letters"


TEAM = {
    "id": "readers",
    "profiles": {"reader": {"call": f"{__name__}:reader"}},
    "members": [{"name": "reader", "profile": "reader", "count": 3}],
}


async def look_on(mob: AsyncMob) -> list[str]:
    """Follow the ledger until the mob ends, without holding up who asks."""
    return [entry.event.tag async for entry in mob.events(follow=True)]


async def main() -> None:
    """Ask three members at once: no thread waits, and a task that gives up may be cancelled."""
    with tempfile.TemporaryDirectory() as folder:
        async with AsyncMob.launch(TEAM, state_dir=folder) as mob:
            seen = asyncio.create_task(look_on(mob))
            texts = {"reader-1": "hello", "reader-2": "lovely", "reader-3": "mobs"}
            for result in await asyncio.gather(*(mob.ask(*each) for each in texts.items())):
                print(result.value)
        tags = await seen
        end = "drained" if (await mob.shutdown()).drained else "not drained"
        print(f"who looked on saw {tags.count('input_done')} inputs done, and the end: {end}")


if __name__ == "__main__":
    asyncio.run(main())
