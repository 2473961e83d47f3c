"""What the lead has received: every file once per profile, in the ledger first, then on disk."""

from __future__ import annotations

import asyncio
from collections.abc import Collection as Names
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from panel_files import SourceTree
from panel_findings import FileReviewed, Finding
from panel_reading import Stamp, stamp_of
from panel_spool import Spool

if TYPE_CHECKING:
    from actors.executors.python import TurnContext

_ROWS: Final = 2000  # findings held in memory before they go to disk
_PROGRESS_S: Final = 0.2


class Collection:
    """Owns what is still missing. It belongs to one turn and to the event loop of that turn."""

    def __init__(
        self, ctx: TurnContext, tree: SourceTree, profiles: Sequence[str], spool: Spool
    ) -> None:
        self._ctx = ctx
        self._root = tree.root
        self._files = tree.files
        self._spool = spool
        self._rows: list[Finding] = []
        self._missing: dict[str, set[str]] = {profile: set(tree.files) for profile in profiles}
        self._left = dict.fromkeys(tree.files, len(self._missing))
        self._whole = 0  # files every profile has reviewed
        self._passes = 0
        self._passed = asyncio.Event()
        self._shown_at = float("-inf")

    @property
    def files(self) -> tuple[str, ...]:
        """Every file of the run, sorted."""
        return self._files

    def missing(self, profile: str, files: Iterable[str]) -> tuple[str, ...]:
        """Those of the files that `profile` has not reviewed yet."""
        missing = self._missing[profile]
        return tuple(file for file in files if file in missing)

    async def collect(self, *, wait: float) -> None:
        """One pass: take what reviewers have sent, waiting up to `wait` seconds for something.

        Raises what `ctx.boundary` raises when the turn is cancelled.
        """
        for steered in await self._ctx.boundary(wait=wait):
            review = steered.body
            if isinstance(review, FileReviewed) and review.run == self._ctx.input.input_id:
                await self._receive(review)
        self._passes += 1
        self._passed.set()
        self._passed = asyncio.Event()

    async def caught_up(self, profile: str, files: Names[str]) -> None:
        """Wait until everything sent before this call has been taken, or the files are in.

        The second pass from now began after now, so it saw all that was there.
        """
        until = self._passes + 2
        while self._passes < until and self.missing(profile, files):
            await self._passed.wait()

    async def restore(self, reviews: Sequence[FileReviewed]) -> None:
        """Take over reviews an earlier attempt put in the ledger, where the file is the same."""
        stamps = await asyncio.to_thread(_stamps, self._root, reviews)
        for review, stamp in zip(reviews, stamps, strict=True):
            if stamp == (review.size, review.mtime_ns) and self._take(review):
                await self._keep(review.findings)
        await self._show()

    async def give_up(self, profile: str, file: str, finding: Finding) -> None:
        """Close a file nobody of the profile could review; the finding says so in the report."""
        if file in self._missing[profile]:
            self._missing[profile].discard(file)
            await self.note(finding)

    async def note(self, finding: Finding) -> None:
        """Keep a finding of the lead's own."""
        await self._keep((finding,))

    async def flush(self) -> None:
        """Bring what is held in memory to disk."""
        rows, self._rows = self._rows, []
        await asyncio.to_thread(self._spool.add, rows)

    async def _receive(self, review: FileReviewed) -> None:
        if review.file not in self._missing.get(review.profile, ()):
            return  # sent a second time by a reviewer that began again, or given up
        await self._ctx.emit("file_reviewed", review.model_dump(mode="json"))
        if self._take(review):
            await self._keep(review.findings)
        await self._show()

    def _take(self, review: FileReviewed) -> bool:
        missing = self._missing.get(review.profile, set())
        if review.file not in missing:
            return False
        missing.discard(review.file)
        self._left[review.file] -= 1
        self._whole += not self._left[review.file]
        return True

    async def _keep(self, findings: Iterable[Finding]) -> None:
        self._rows.extend(findings)
        if len(self._rows) >= _ROWS:
            await self.flush()

    async def _show(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._shown_at >= _PROGRESS_S or self._whole == len(self._left):
            self._shown_at = now
            await self._ctx.progress(f"{self._whole}/{len(self._left)} files")


def _stamps(root: Path, reviews: Sequence[FileReviewed]) -> list[Stamp]:
    return [stamp_of(root / review.file) for review in reviews]
