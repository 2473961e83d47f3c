"""The lead: splits the files, collects what the reviewers send and writes the report."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from panel_collect import Collection
from panel_files import NothingThereError, SourceTree, find_files
from panel_findings import FileReviewed, finding_of
from panel_options import Options, seconds, whole, words
from panel_report import write_findings, write_report
from panel_rounds import Rounds
from panel_spool import Spool

if TYPE_CHECKING:
    from actors.executors.python import TurnContext

_REPLAY: Final = 500  # reviews looked at between two returns to the event loop


class Lead:
    """One turn is one review: the input is the path, the result a summary.

    What a reviewer sent is in the ledger before it counts, so a turn that begins again, after a
    crash of the lead or of the machine, asks only for what is missing or has changed since.
    """

    def __init__(self, options: Options) -> None:
        self._reviewers = words(options, "reviewers")
        self._skip = words(options, "skip")
        self._batch = max(whole(options, "batch"), 1)
        self._again = whole(options, "ask_again")
        self._timeout = seconds(options, "ask_timeout_s")
        self._pause = seconds(options, "retry_pause_s")

    async def turn(self, ctx: TurnContext) -> dict[str, object]:
        """Review the path the input names. Blocking work runs in threads, off the event loop."""
        source = ctx.input.body
        if not isinstance(source, str):
            # a review that was on its way when the run it belongs to had ended
            return {"ignored": type(source).__name__}
        try:
            tree = await asyncio.to_thread(find_files, source, self._skip)
        except NothingThereError as error:
            return {"input": source, "files": 0, "error": str(error)}
        spool = Spool()
        try:
            await self._review(ctx, tree, spool)
            return await self._conclude(ctx, source, tree, spool)
        finally:
            spool.close()

    async def _review(self, ctx: TurnContext, tree: SourceTree, spool: Spool) -> None:
        panel = {
            profile: tuple(sorted(name for name in ctx.peers if ctx.profile_of(name) == profile))
            for profile in self._reviewers
        }
        collection = Collection(ctx, tree, self._reviewers, spool)
        for file, mark in tree.marks():
            await collection.note(finding_of(mark, file=file, reviewer=ctx.member))
        if not tree.files:
            await collection.flush()
            return
        await self._replay(ctx, collection)
        rounds = Rounds(
            ctx,
            collection,
            root=str(tree.root),
            batch=self._batch,
            again=self._again,
            timeout=self._timeout,
            pause=self._pause,
        )
        workers = [asyncio.create_task(serving) for serving in rounds.serve(panel)]
        try:
            while not all(worker.done() for worker in workers):
                await collection.collect(wait=0.1)
            for worker in workers:
                worker.result()
        finally:
            await _stop(workers)
        await collection.flush()

    async def _replay(self, ctx: TurnContext, collection: Collection) -> None:
        earlier = ctx.emitted("file_reviewed")

        def some() -> list[FileReviewed]:
            part = islice(earlier, _REPLAY)  # reads the ledger
            return [FileReviewed.model_validate_json(json.dumps(data)) for data in part]

        while reviews := await asyncio.to_thread(some):
            await collection.restore(reviews)

    async def _conclude(
        self, ctx: TurnContext, source: str, tree: SourceTree, spool: Spool
    ) -> dict[str, object]:
        report = Path(ctx.state_dir) / "report.md"
        findings = report.with_name("findings.jsonl")

        def write() -> dict[str, object]:
            spool.rank()
            write_findings(spool, findings)
            write_report(spool, report, source=source, files=tree.count)
            by_severity = spool.by_severity()
            return {
                "input": source,
                "files": tree.count,
                "findings_total": sum(by_severity.values()),
                "by_severity": by_severity,
                "by_rule": spool.by_rule(),
                "report": str(report),
            }

        result = await asyncio.to_thread(write)
        await ctx.attach("findings", findings)
        if not tree.count:
            result["note"] = f"there are no Python files in {source}"
        return result


async def _stop(workers: Sequence[asyncio.Task[None]]) -> None:
    # Again and again: an answer that comes with the cancellation makes `asyncio.wait_for` of
    # Python 3.11 forget the latter, and a worker would wait for reviews nobody collects.
    while unfinished := [worker for worker in workers if not worker.done()]:
        for worker in unfinished:
            worker.cancel()
        await asyncio.wait(unfinished, timeout=0.1)
    await asyncio.gather(*workers, return_exceptions=True)
