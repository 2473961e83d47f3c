"""The actors of the kernel's schedules that have hooks, and trees of actors with any options."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any, Final

from tests.simulation.kernel_cast import PAUSES_S, Player, Sorter
from tests.simulation.kernel_stage import SLOTS, Doing, Part
from tests.simulation.kernel_words import Boom


class Hooked(Sorter):
    """With hooks that are done when they return."""

    def on_start(self) -> Any:  # Any: `async` below
        self.spawn_children(self.part.children)
        if self.trouble.random() < 0.06 and not self.tired:
            self.journal.over(self.one, failed=True)
            raise Boom("on_start")
        self.journal.up(self.one)

    def on_stop(self) -> Any:
        self.journal.stops_now(self.one)
        doing = Doing(self.one, None)
        if self.trouble.random() < 0.3:
            self.stage.tell(self.trouble, 1, doing)
        if self.trouble.random() < 0.06:
            self.spawn_children((self.stage.part(self.trouble),))
        if self.trouble.random() < 0.1:
            raise Boom("on_stop")


class HookedLater(Sorter):
    """With hooks that take time."""

    async def on_start(self) -> None:  # type: ignore[override]  # Pykka: a def
        children = self.part.children
        doing = Doing(self.one, None)
        try:
            self.spawn_children(children[:1])
            await asyncio.sleep(PAUSES_S[int(self.trouble.random() * 8)])
            if self.trouble.random() < 0.3:
                doing.aside = True
                await self.ask(self.trouble, doing, 0)
            self.spawn_children(children[1:])
            if self.trouble.random() < 0.06 and not self.tired:
                raise Boom("on_start")
        except BaseException as error:
            self.journal.over(self.one, failed=isinstance(error, Boom))
            raise
        finally:
            self.journal.forget(doing.edges)
        self.journal.up(self.one)

    async def on_stop(self) -> None:  # type: ignore[override]  # Pykka: a def
        self.journal.stops_now(self.one)
        if self.trouble.random() < 0.1:
            raise Boom("on_stop")
        pause_s = 3.0 if self.trouble.random() < 0.05 else PAUSES_S[int(self.trouble.random() * 8)]
        await asyncio.sleep(pause_s)


TROUPE: Final[tuple[type[Player], ...]] = (Player, Sorter, Sorter, Hooked, Hooked, HookedLater)


def random_part(
    chance: Random, slot: int, children: tuple[Part, ...] = (), *, named: bool = False
) -> Part:
    """One actor with any options; a name is that of its slot."""

    def pick(*values: Any) -> Any:  # Any: whatever the options are
        return values[int(chance.random() * len(values))]

    options = {
        "name": f"n{slot}" if named and chance.random() < 0.5 else None,
        "restart": pick("permanent", "transient", "transient", "temporary"),
        "strategy": pick("one_for_one", "one_for_one", "rest_for_one", "one_for_all"),
        "exhausted": pick("escalate", "stop"),
        "intensity": pick(0, 1, 2, 5, 5),
        "period_s": pick(0.5, 8.0),
        "backoff_s": pick(0.0, 1 / 64, 1 / 16, 0.25),
        "backoff_cap_s": 0.5,
        "jitter": pick(0.0, 0.2),
        "shutdown_s": pick(0.0, 1 / 16, 0.5),
        "mailbox": pick(1, 2, 4, 1024, 1024),
    }
    return Part(slot, pick(*TROUPE), options, int(chance.random() * 2**32), children)


def random_tree(chance: Random, first: int) -> Part:
    """An actor with up to three children, of which the last may be a grandchild."""
    count = int(chance.random() * 4)
    below = [random_part(chance, first + 1 + n, named=True) for n in range(count)]
    if count == 3 and chance.random() < 0.4:
        last = below.pop()
        below[-1] = random_part(chance, first + 2, (last,), named=True)
    if count > 1 and chance.random() < 0.5:  # a family that starts again together
        for part in below:
            part.options["strategy"] = "one_for_all" if chance.random() < 0.6 else "rest_for_one"
    return random_part(chance, first, tuple(below), named=True)


def any_part(chance: Random) -> Part:
    """An actor that a handler starts; it takes somebody's place."""
    return random_part(chance, int(chance.random() * SLOTS))
