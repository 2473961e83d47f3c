"""Asking the reviewers: who gets which batch, and what happens when an answer does not come."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from actors.domain.errors import Draining, MobError, StaleIncarnation, TurnFailed
from panel_collect import Collection
from panel_files import batches, share
from panel_findings import MODULE, Mark, ReviewBatch, finding_of

if TYPE_CHECKING:
    from actors.executors.python import TurnContext

_STRIKES: Final = 3  # unanswered questions in a row after which a member is not asked any more


class Rounds:
    """Serves every reviewer its share, batch after batch, and sees to it that each file ends.

    A batch whose files did not all arrive is asked for again, file by file, so that one bad
    file cannot take its neighbours along; then another member of the profile gets the rest; what
    nobody reviewed becomes a finding `unreviewed`.
    """

    def __init__(
        self,
        ctx: TurnContext,
        collection: Collection,
        *,
        root: str,
        batch: int,
        again: int,
        timeout: float,
        pause: float,
    ) -> None:
        self._ctx = ctx
        self._collection = collection
        self._root = root
        self._batch = batch
        self._again = again
        self._timeout = timeout
        self._pause = pause
        self._strikes: dict[str, int] = {}

    def serve(self, panel: Mapping[str, Sequence[str]]) -> Iterator[Coroutine[None, None, None]]:
        """One coroutine per reviewer of the panel (profile to its members).

        A file goes to the member its name falls on, whatever was reviewed in an earlier attempt.
        """
        for profile, members in panel.items():
            if not members:
                yield self._serve(profile, (), self._collection.files)
                continue
            shares = share(self._collection.files, members)
            for place, member in enumerate(members):
                order = (*members[place:], *members[:place])
                yield self._serve(profile, order, shares[member])

    async def _serve(self, profile: str, order: Sequence[str], files: Sequence[str]) -> None:
        for batch in batches(self._collection.missing(profile, files), self._batch):
            await self._review(profile, order, batch)

    async def _review(self, profile: str, order: Sequence[str], batch: Sequence[str]) -> None:
        for member in order:
            for attempt in range(1 + self._again):
                missing = self._collection.missing(profile, batch)
                if not missing:
                    return
                questions = [missing] if attempt == 0 else [(file,) for file in missing]
                for files in questions:
                    if self._strikes.get(member, 0) < _STRIKES:
                        await self._ask(member, profile, files)
        for file in self._collection.missing(profile, batch):
            mark = Mark(1, MODULE, "unreviewed", f"no {profile} reviewer could review it")
            finding = finding_of(mark, file=file, reviewer=self._ctx.member)
            await self._collection.give_up(profile, file, finding)

    async def _ask(self, member: str, profile: str, files: tuple[str, ...]) -> None:
        run = self._ctx.input.input_id
        question = ReviewBatch(run=run, root=self._root, files=files)
        try:
            await self._ctx.ask(member, question, timeout=self._timeout)
        except (Draining, StaleIncarnation):
            raise  # this turn is over; its input begins again, now or with the next start
        except TurnFailed:
            self._strikes[member] = 0  # it is alive, the files were too much for it
        except (MobError, TimeoutError):
            self._strikes[member] = self._strikes.get(member, 0) + 1
            await asyncio.sleep(self._pause)
        else:
            self._strikes[member] = 0
        await self._collection.caught_up(profile, files)
