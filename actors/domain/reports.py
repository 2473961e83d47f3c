"""What a mob answers with: frozen reports with the field names of the specification.

They hash, compare, travel as JSON and print as tables (`actors.domain.tables`).

Source: spec/unified_runtime.md §2.1, §5.2; spec/member_runtime.md §3.5; design §7.
"""

from __future__ import annotations

import json
from typing import ClassVar, Literal

from actors.domain.edges import EdgeReport
from actors.domain.tables import Report
from transport.message import FrozenMap


class Receipt(Report):
    """An input was accepted, durably if the mob is.

    `canonical_input_id` is the input that will be (or was) worked on: `input_id` itself, or, for a
    `duplicate`, the first input that came with the same idempotency key.
    """

    input_id: str
    canonical_input_id: str
    outcome: Literal["accepted", "duplicate"]


class TurnResult(Report):
    """A finished turn.

    Attributes:
        input_id: The input it answered.
        member: Who took the turn.
        output: What the turn returned as JSON text; None if it returned nothing.
        attempts: How often the turn was started, 1 or more.
        duration_s: Seconds from the start of the last attempt to its end.
        attachments: Name to path of the files that belong to the result.
    """

    input_id: str
    member: str
    output: str | None = None
    attempts: int = 1
    duration_s: float = 0.0
    attachments: FrozenMap[str, str] = FrozenMap({})

    @property
    def value(self) -> object:
        """The output as Python value: None, bool, int, float, str, list or dict.

        Raises:
            ValueError: `output` is not JSON, which no turn of ours produces.
        """
        return None if self.output is None else json.loads(self.output)


class MemberView(Report):
    """One member as of now.

    Attributes:
        name: Its identity.
        profile: The profile (role) it was built from.
        state: `active` or `held`.
        generation: 0 for the first incarnation.
        fence: The stale-write guard of this incarnation.
        queued: Inputs waiting for a turn.
        running: Id of the input being worked on, None between turns.
        turns: Turns finished since the mob was launched.
        restarts: How often a failure gave it a new incarnation.
        wired_to: Its peers, sorted.
        labels: As declared.
    """

    # A line of 100 columns has room for these; the numbers of an incarnation are for one member.
    row_columns: ClassVar[tuple[str, ...]] = (
        "name",
        "profile",
        "state",
        "queued",
        "running",
        "turns",
        "restarts",
        "wired_to",
        "labels",
    )

    name: str
    profile: str
    state: str
    generation: int = 0
    fence: int = 0
    queued: int = 0
    running: str | None = None
    turns: int = 0
    restarts: int = 0
    wired_to: tuple[str, ...] = ()
    labels: FrozenMap[str, str] = FrozenMap({})


class MobStatus(Report):
    """The mob as a whole as of now.

    Attributes:
        mob: Its id.
        phase: Lifecycle phase, as the roster has it.
        members: How many there are, held ones included.
        edges: How many pairs may talk.
        queued: Inputs waiting for a turn, all members together.
        running: Members taking a turn.
        held: Members that spent their restart budget, sorted.
        restarts: Restarts of all members together.
        cursor: The last entry of the ledger, 0 for an empty one.
        uptime_s: Seconds since the launch.
        draining: Whether a shutdown has begun.
        ledger: Where the ledger is; None for one in memory.
    """

    mob: str
    phase: str
    members: int = 0
    edges: int = 0
    queued: int = 0
    running: int = 0
    held: tuple[str, ...] = ()
    restarts: int = 0
    cursor: int = 0
    uptime_s: float = 0.0
    draining: bool = False
    ledger: str | None = None


class SpawnedMember(Report):
    """A member that a reconcile started; `member_ref` is its runtime id, `identity:generation`."""

    agent_identity: str
    member_ref: str


class ErrorDetail(Report):
    """An error as data: a stable `code` to branch on and a `message` to read."""

    code: str
    message: str


class MemberFailure(Report):
    """A member that could not be started or retired; the others were."""

    agent_identity: str
    stage: Literal["spawn", "retire"]
    error: ErrorDetail


class ReconcileReport(Report):
    """What one full reconcile did, members first, then edges.

    Attributes:
        desired: Identities in the order of the definition.
        retained: Those that were there already.
        spawned: Those that were started.
        retired: Members no longer desired, sorted.
        failures: Members that could not be started or retired.
        edges: The edge half; its failures do not make the reconcile a failure.
    """

    desired: tuple[str, ...] = ()
    retained: tuple[str, ...] = ()
    spawned: tuple[SpawnedMember, ...] = ()
    retired: tuple[str, ...] = ()
    failures: tuple[MemberFailure, ...] = ()
    edges: EdgeReport = EdgeReport()

    @property
    def ok(self) -> bool:
        """Whether every member is as desired (spec §2.1 step 7: edge failures do not count)."""
        return not self.failures

    @property
    def changed(self) -> bool:
        """Whether anything was started, retired, wired, unwired or forgotten."""
        edges = self.edges
        return bool(
            self.spawned
            or self.retired
            or edges.wired_edges
            or edges.unwired_edges
            or edges.pruned_stale_managed_edges
        )


class ShutdownReport(Report):
    """How the mob ended.

    Attributes:
        drained: Whether the mob became quiet and then every member stopped.
        timed_out: Whether the deadline ended the wait; never true together with `drained`.
        drain_duration_ms: How long it took until quiet, or until it was given up.
        waiting_for: What was still going on when the wait ended and who did not stop, in words;
            empty if drained.
        stopped: Members that were stopped, in the order of stopping.
    """

    drained: bool
    timed_out: bool
    drain_duration_ms: int
    waiting_for: tuple[str, ...] = ()
    stopped: tuple[str, ...] = ()


class AuditReport(Report):
    """Conservation: where every message that was sent has ended (design §4).

    The counts are exact when the mob is quiet.
    """

    sent: int = 0
    handled: int = 0
    rejected: int = 0
    coalesced: int = 0
    dead_lettered: int = 0
    ambiguous: int = 0
    in_flight: int = 0

    @property
    def missing(self) -> int:
        """Messages unaccounted for: 0 when the books balance, negative if one ended twice."""
        return self.sent - (
            self.handled
            + self.rejected
            + self.coalesced
            + self.dead_lettered
            + self.ambiguous
            + self.in_flight
        )

    @property
    def balanced(self) -> bool:
        """Whether every message is accounted for exactly once."""
        return self.missing == 0


class DeadLetterView(Report):
    """A message or an input that nobody will handle.

    Attributes:
        target: For whom it was.
        sender: From whom, if known.
        reason: One word of the closed list of design §4.
        message: Its type or id; never its whole content.
        detail: What happened, in words.
    """

    target: str
    sender: str | None = None
    reason: str
    message: str
    detail: str = ""
