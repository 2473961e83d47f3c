"""Edge reconcile: what to wire and unwire so that the graph becomes what is desired.

Two pure halves with the I/O between them, done by whoever asks:

    changes = classify(desired, current, managed, active)        decide
    batch   = wire every edge of `changes.batch`, in one call     (skip the call if it is empty)
    unwires = unwire each of `changes.unwire`, `UNWIRES_IN_FLIGHT` at a time
    report, managed = settle(changes, batch, unwires)             account

*Managed* edges are those this reconciler made (or found already made when it asked for them).
Only they are ever unwired; an edge neither managed nor desired is never touched. One reconcile runs
at a time (design §6), so the managed set given to `classify` is the one `settle` continues from.

Source: spec/unified_runtime.md §2.3 to §2.5, INV-2.1 to 2.4, 2.7 and 2.11.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass
from operator import attrgetter
from typing import Final, Literal

from actors.domain.tables import Report
from actors.domain.wiring import Edge
from transport.message import Message

UNWIRES_IN_FLIGHT: Final = 64  # spec §2.4: at most this many unwire calls at once
OMITTED_WIRE: Final = "wire_members_batch omitted edge from report"
OMITTED_UNWIRE: Final = "unwire was not answered"

EdgeOperation = Literal["wire", "wire (heal)", "unwire"]
Pair = tuple[str, str]


class EdgeFailure(Report):
    """One edge that could not be brought to its desired state in this cycle; the next retries."""

    edge: Edge
    operation: EdgeOperation
    error: str


class EdgeReport(Report):
    """What one edge reconcile did, every desired and every managed edge accounted for.

    `desired_edges` is the provider's output untouched: its order, its duplicates. The order of
    the others is that of spec §2.5: `wired_edges` in batch order, `unwired_edges` and unwire
    failures in completion order, wire failures before unwire failures, the rest sorted (with
    already-wired edges after the sorted ones in `retained_edges`).
    """

    desired_edges: tuple[Edge, ...] = ()
    wired_edges: tuple[Edge, ...] = ()
    retained_edges: tuple[Edge, ...] = ()
    preexisting_edges: tuple[Edge, ...] = ()
    unwired_edges: tuple[Edge, ...] = ()
    pruned_stale_managed_edges: tuple[Edge, ...] = ()
    skipped_missing_members: tuple[Edge, ...] = ()
    failures: tuple[EdgeFailure, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether nothing failed and nothing was skipped."""
        return not self.failures and not self.skipped_missing_members


class WireOutcome(Message):
    """The answer to the one batch call.

    An edge the batch did not name is a failure; an edge nobody asked for is ignored, so that a
    confused answer cannot make us own somebody else's edge.

    Attributes:
        wired: Edges made by this call.
        already_wired: Edges that were there when it came.
        error: Text of the failure if the call as a whole failed; the lists do not count then.
    """

    wired: tuple[Edge, ...] = ()
    already_wired: tuple[Edge, ...] = ()
    error: str | None = None


class UnwireOutcome(Message):
    """The answer to one unwire call: `error` is None when the edge is gone."""

    edge: Edge
    error: str | None = None


@dataclass(frozen=True, slots=True)
class EdgeChanges:
    """The decision of `classify`; every tuple but `desired` is sorted and free of duplicates.

    Attributes:
        desired: The provider's output, untouched.
        managed: The managed set the decision was taken on.
        skipped: Desired, but an endpoint is not active.
        retained: Desired, managed and there.
        preexisting: Desired and there, made by somebody else; not claimed.
        batch: Desired and not there: the one batch call.
        healed: Those of `batch` that are managed already; they are labelled `wire (heal)`.
        unwire: Managed, not desired, there.
        stale: Managed, not desired, and gone or without an active endpoint; forgotten, no call.
    """

    desired: tuple[Edge, ...]
    managed: frozenset[Edge]
    skipped: tuple[Edge, ...]
    retained: tuple[Edge, ...]
    preexisting: tuple[Edge, ...]
    batch: tuple[Edge, ...]
    healed: frozenset[Edge]
    unwire: tuple[Edge, ...]
    stale: tuple[Edge, ...]

    @property
    def quiet(self) -> bool:
        """Whether no call is needed; `settle` may still forget stale edges."""
        return not self.batch and not self.unwire

    def operation(self, edge: Edge) -> EdgeOperation:
        """The label under which an edge of `batch` is reported if it fails."""
        return "wire (heal)" if edge in self.healed else "wire"


def classify(
    desired: Iterable[Edge],
    current: Iterable[Edge],
    managed: Set[Edge],
    active: Set[str],
) -> EdgeChanges:
    """Sort every desired and every managed edge into exactly one class.

    Level-based: reads whole states, so a repeated call with the same arguments decides the same.

    Args:
        desired: The provider's output in any order, duplicates allowed; they change nothing but
            `EdgeChanges.desired`.
        current: Edges of the graph, those to peers outside `active` included.
        managed: Edges this reconciler owns, as of the same snapshot.
        active: Identities of the roster snapshot.

    Source:
        spec/unified_runtime.md §2.3, both tables.
    """
    desired = tuple(desired)
    # Pairs of plain strings hash and compare in C, models do not: with 50,000 edges that is
    # several times faster.
    wanted = dict(zip(map(_pair, desired), desired, strict=True))
    present = set(map(_pair, current))
    owned = dict(zip(map(_pair, managed), managed, strict=True))

    skipped = {pair for pair in wanted if pair[0] not in active or pair[1] not in active}
    placed = wanted.keys() - skipped
    there = placed & present
    missing = placed - present
    surplus = owned.keys() - wanted.keys()
    unwire = {pair for pair in surplus & present if pair[0] in active and pair[1] in active}
    return EdgeChanges(
        desired=desired,
        managed=frozenset(managed),  # no copy, and no hashing, of a frozenset
        skipped=_sorted(skipped, wanted),
        retained=_sorted(there & owned.keys(), wanted),
        preexisting=_sorted(there - owned.keys(), wanted),
        batch=_sorted(missing, wanted),
        healed=frozenset(wanted[pair] for pair in missing & owned.keys()),
        unwire=_sorted(unwire, owned),
        stale=_sorted(surplus - unwire, owned),
    )


_pair: Final[Callable[[Edge], Pair]] = attrgetter("a", "b")


def _sorted(pairs: Iterable[Pair], edges: dict[Pair, Edge]) -> tuple[Edge, ...]:
    return tuple(edges[pair] for pair in sorted(pairs))


def settle(
    changes: EdgeChanges,
    batch: WireOutcome | None = None,
    unwires: Sequence[UnwireOutcome] = (),
) -> tuple[EdgeReport, frozenset[Edge]]:
    """Turn a decision and the outcomes of its calls into the report and the new managed set.

    A failed heal stays managed, a failed new edge stays unmanaged, a failed unwire stays managed
    so that the next cycle retries; an edge found already wired is claimed.

    Args:
        changes: What was decided.
        batch: The answer to the batch call; None only if there was nothing to wire (an edge of
            the batch without an answer is a failure with the text `OMITTED_WIRE`).
        unwires: Answers in completion order; the first answer for an edge counts, answers nobody
            asked for are ignored, and an edge without one is a failure (`OMITTED_UNWIRE`).

    Returns:
        The report and `M ∪ wired ∪ already wired − pruned − unwired`.

    Source:
        spec/unified_runtime.md §2.4, §2.5 and INV-2.1 to 2.3.
    """
    wired, existing, failures = _settle_batch(changes, batch or WireOutcome())
    unwired, unwire_failures = _settle_unwires(changes, unwires)
    report = EdgeReport(
        desired_edges=changes.desired,
        wired_edges=tuple(wired),
        retained_edges=(*changes.retained, *existing),
        preexisting_edges=changes.preexisting,
        unwired_edges=tuple(unwired),
        pruned_stale_managed_edges=changes.stale,
        skipped_missing_members=changes.skipped,
        failures=(*failures, *unwire_failures),
    )
    if not (wired or existing or unwired or changes.stale):
        return report, changes.managed
    kept = changes.managed.union(wired, existing).difference(changes.stale, unwired)
    return report, kept


def _settle_batch(
    changes: EdgeChanges, outcome: WireOutcome
) -> tuple[list[Edge], list[Edge], list[EdgeFailure]]:
    """New and already wired edges in the order of the answer, failures in batch order."""
    wired: dict[Edge, None] = {}
    existing: dict[Edge, None] = {}
    open_edges = set(changes.batch)
    if outcome.error is None:
        for edges, into in ((outcome.wired, wired), (outcome.already_wired, existing)):
            into.update(dict.fromkeys(edge for edge in edges if edge in open_edges))
            open_edges.difference_update(into)
    text = OMITTED_WIRE if outcome.error is None else outcome.error
    failures = [
        EdgeFailure(edge=edge, operation=changes.operation(edge), error=text)
        for edge in changes.batch
        if edge in open_edges
    ]
    return list(wired), list(existing), failures


def _settle_unwires(
    changes: EdgeChanges, outcomes: Sequence[UnwireOutcome]
) -> tuple[list[Edge], list[EdgeFailure]]:
    """Unwired edges and failures in completion order, unanswered ones last."""
    unwired: list[Edge] = []
    failures: list[EdgeFailure] = []
    open_edges = dict.fromkeys(changes.unwire)
    for outcome in outcomes:
        if outcome.edge not in open_edges:
            continue
        del open_edges[outcome.edge]
        if outcome.error is None:
            unwired.append(outcome.edge)
        else:
            failures.append(EdgeFailure(edge=outcome.edge, operation="unwire", error=outcome.error))
    failures.extend(
        EdgeFailure(edge=edge, operation="unwire", error=OMITTED_UNWIRE) for edge in open_edges
    )
    return unwired, failures
