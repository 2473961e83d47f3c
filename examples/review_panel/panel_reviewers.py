"""The members that read code. One class serves every reviewing profile of the mob file."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from panel_complexity import RULES as COMPLEXITY_RULES
from panel_complexity import find_complexity
from panel_docs import RULES as DOCS_RULES
from panel_docs import find_docs
from panel_findings import MODULE, FileReviewed, Mark, ReviewBatch, capped, finding_of
from panel_options import OptionError, Options, whole, words
from panel_reading import Source, read
from panel_risk import RULES as RISK_RULES
from panel_risk import find_risks

if TYPE_CHECKING:
    from actors.executors.python import ThreadTurnContext

Rules: TypeAlias = Callable[[Source, Options], Iterator[Mark]]

# A family of rules, and the options without which one of them has no measure.
_FAMILIES: Final[tuple[tuple[tuple[str, ...], Rules], ...]] = (
    (COMPLEXITY_RULES, find_complexity),
    (RISK_RULES, find_risks),
    (DOCS_RULES, find_docs),
)
_NEEDS: Final = {
    "complexity": ("max_complexity", whole),
    "long-function": ("max_function_lines", whole),
    "many-arguments": ("max_arguments", whole),
    "todo-comment": ("markers", words),
    "long-line": ("max_line", whole),
}


class Reviewer:
    """Reviews batches of files, one turn per batch, in a thread of its own."""

    def __init__(self, options: Options) -> None:
        known = [rule for names, _ in _FAMILIES for rule in names]
        wanted = words(options, "rules")
        for rule in wanted:
            if rule not in known:
                near = difflib.get_close_matches(rule, known, 1) or known
                raise OptionError("rules", f"rules there are, such as {near[0]!r}", rule)
            if rule in _NEEDS:
                key, check = _NEEDS[rule]
                check(options, key)
        self._options = options
        self._wanted = frozenset(wanted)
        self._families: Sequence[Rules] = [
            find for names, find in _FAMILIES if self._wanted.intersection(names)
        ]
        self._max_bytes = whole(options, "max_file_kib") * 1024

    def turn(self, ctx: ThreadTurnContext) -> dict[str, object]:
        """Review every file of the batch and send each result as soon as it is there.

        Sent early, a result outlives this reviewer: whoever takes over repeats only the rest.
        """
        batch = ctx.input.body
        if not isinstance(batch, ReviewBatch):
            return {"error": f"{ctx.member} reviews a ReviewBatch and got {type(batch).__name__}"}
        lead = ctx.input.sender or "lead"
        for file in batch.files:
            ctx.boundary()  # a cancellation stops the work here, between two files
            ctx.progress(file)
            review = self.review(batch, file, profile=ctx.profile, reviewer=ctx.member)
            ctx.send(lead, review, mode="steer")
        return {"reviewed": len(batch.files)}

    def review(self, batch: ReviewBatch, file: str, *, profile: str, reviewer: str) -> FileReviewed:
        """All findings about one file. Never raises for anything the file holds."""
        reading = read(Path(batch.root), file, max_bytes=self._max_bytes)
        if reading.source is None:
            marks = [reading.problem] if reading.problem else []
        else:
            marks = self._marks(reading.source)
        findings = (finding_of(mark, file=file, reviewer=reviewer) for mark in marks)
        return FileReviewed(
            run=batch.run,
            profile=profile,
            file=file,
            size=reading.stamp.size,
            mtime_ns=reading.stamp.mtime_ns,
            findings=capped(findings),
        )

    def _marks(self, source: Source) -> list[Mark]:
        try:
            return [
                mark
                for find in self._families
                for mark in find(source, self._options)
                if mark.rule in self._wanted
            ]
        except Exception as error:  # noqa: BLE001 -- one bad file must not cost the review
            return [Mark(1, MODULE, "review-failed", f"{type(error).__name__}: {error}")]
