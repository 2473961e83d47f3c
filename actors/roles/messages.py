"""What the actors of a mob say to each other. One class, one meaning; replies in brackets.

Names: commands are imperative, facts past tense, questions begin with Get.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from actors.domain.bodies import Body
from actors.domain.edges import EdgeReport
from actors.domain.events import LedgerEvent
from actors.domain.identity import Incarnation
from actors.domain.operations import OperationRecord
from actors.domain.reports import (
    MemberView,
    MobStatus,
    Receipt,
    ReconcileReport,
    ShutdownReport,
    TurnResult,
)
from actors.domain.roster import RosterSnapshot
from actors.domain.wiring import Edge
from transport.message import FrozenMap, Message, Request

Event = Annotated[LedgerEvent, Field(discriminator="tag")]
Mode = Literal["queue", "steer"]

# -- to the forwarder -----------------------------------------------------------------------


class Append(Request[int], tag="mob.append"):
    """Put events in the ledger; answered with the last cursor when they are durable."""

    events: tuple[Event, ...]


class Emit(Message, tag="mob.emit"):
    """Put an event in the ledger some time soon, in order."""

    event: Event


class AwaitHead(Request[int], tag="mob.await_head"):
    """Answered with the head of the ledger once it is above `after`, or after `wait_s` seconds."""

    after: int
    wait_s: float


class GetUnwritten(Request[int], tag="mob.get_unwritten"):
    """How many events are queued and not yet durable."""


class Flush(Request[int], tag="mob.flush"):
    """Answered with the head when everything that came before is durable."""


# -- to the operations registry -------------------------------------------------------------


class OpenOperation(Message, tag="mob.open_operation"):
    """A member was spawned: register its operation and put it to running."""

    identity: str
    owner: str


class Progress(Message, tag="mob.progress"):
    """A member says how far it is; counted, the text is kept until the next one."""

    identity: str
    text: str


class CloseOperation(Message, tag="mob.close_operation"):
    """A member is gone: retired, or failed with `error`."""

    identity: str
    error: str | None = None


class GetOperations(Request[tuple[OperationRecord, ...]], tag="mob.get_operations"):
    """All operations, by display name."""


class GetProgress(Request[FrozenMap[str, str]], tag="mob.get_progress"):
    """The last progress text of every living member that gave one."""


# -- to the router --------------------------------------------------------------------------


class Route(Request[Receipt], tag="mob.route"):
    """Deliver an input to `target` if the edge allows it; `sender` None is the operator."""

    sender: str | None
    target: str
    input_id: str
    body: Body
    key: str | None = None
    mode: Mode = "queue"


class AwaitTurn(Request[TurnResult], tag="mob.await_turn"):
    """The result of an input of `target`, when there is one; at most `wait_s` seconds."""

    sender: str | None
    target: str
    input_id: str
    wait_s: float


class Connect(Request[None], tag="mob.connect"):
    """These pairs may talk from now on."""

    edges: tuple[Edge, ...]


class Disconnect(Request[None], tag="mob.disconnect"):
    """These pairs may not talk any more."""

    edges: tuple[Edge, ...]


class Detach(Request[None], tag="mob.detach"):
    """A member left, and its edges with it; `held` says why it is only down."""

    identity: str
    held: str | None = None


class SetDraining(Request[None], tag="mob.set_draining"):
    """From now on the operator's inputs are refused; members finish what they began."""


class Open(Message, tag="mob.open"):
    """All members are there and wired: turns may begin."""


class GetPeers(Request[FrozenMap[str, str]], tag="mob.get_peers"):
    """The members this one may talk to, with their profiles; answered once the mob is open."""

    identity: str


class Traffic(Message, tag="mob.traffic"):
    """What the router has passed on since the launch, and what it refused."""

    routed: int
    not_wired: int


class GetTraffic(Request[Traffic], tag="mob.get_traffic"):
    """Counters of the router."""


# -- to a member ----------------------------------------------------------------------------


class Deliver(Request[Receipt], tag="mob.deliver"):
    """An input that passed the router. An operator's input is durable before the receipt."""

    sender: str | None
    input_id: str
    body: Body
    key: str | None = None
    mode: Mode = "queue"


class ResultOf(Request[TurnResult], tag="mob.result_of"):
    """Answered when the input is finished or given up."""

    input_id: str


class Activity(Message, tag="mob.activity"):
    """What a member does right now. `paused`: it was interrupted and starts no more turns."""

    identity: str
    queued: int
    running: str | None
    turns: int
    paused: bool


class Observe(Request[Activity], tag="mob.observe"):
    """What the member does right now."""


class Interrupt(Request[bool], tag="mob.interrupt"):
    """End the running turn at its next boundary; its input stays open. Whether one ran."""

    reason: str


class Die(Message, tag="mob.die"):
    """Fail now, as if a handler had raised: for tests and `mob run --chaos`."""

    reason: str


# -- to the edge reconciler -----------------------------------------------------------------


class EdgeOutcome(Message, tag="mob.edge_outcome"):
    """What was done, and the events that are in the ledger now."""

    report: EdgeReport
    events: tuple[Event, ...] = ()


class MemberJoined(Message, tag="mob.member_joined"):
    """A member is on the roster; its role decides which edges it gets."""

    identity: str
    profile: str


class MemberLeft(Message, tag="mob.member_left"):
    """A member left the roster; its edges are gone with it."""

    identity: str


class ReconcileEdges(Request[EdgeOutcome], tag="mob.reconcile_edges"):
    """Bring the edges to what the definition asks for, touching only managed ones."""


class ChangeEdges(Request[EdgeOutcome], tag="mob.change_edges"):
    """The operator's own edges: wire and unwire exactly these."""

    wire: tuple[Edge, ...] = ()
    unwire: tuple[Edge, ...] = ()


# -- to the supervisor ----------------------------------------------------------------------


class Spawn(Request[MemberView], tag="mob.spawn"):
    """Add a member by hand."""

    identity: str
    profile: str
    labels: FrozenMap[str, str] = FrozenMap()


class Retire(Request[bool], tag="mob.retire"):
    """Remove a member; whether it was there (spec/member_runtime.md 5-7: unknown is fine)."""

    identity: str
    reason: str = "retired"


class Wire(Request[bool], tag="mob.wire"):
    """Let two members talk; whether the edge is new."""

    a: str
    b: str


class Unwire(Request[bool], tag="mob.unwire"):
    """Forbid two members to talk; whether there was an edge."""

    a: str
    b: str


class Reconcile(Request[ReconcileReport], tag="mob.reconcile"):
    """Bring the roster to the definition now."""


class Nudge(Message, tag="mob.nudge"):
    """Reconcile soon; many become one."""


class Join(Request[Incarnation], tag="mob.join"):
    """A member that starts again asks for its new incarnation; durable before the answer."""

    identity: str
    reason: str


class GetMembers(Request[tuple[MemberView, ...]], tag="mob.get_members"):
    """Every member, sorted by name."""


class GetRoster(Request[RosterSnapshot], tag="mob.get_roster"):
    """Members and edges as of the last committed event."""


class GetStatus(Request[MobStatus], tag="mob.get_status"):
    """The mob as a whole."""


class Drain(Request[ShutdownReport], tag="mob.drain"):
    """Refuse new work, wait until the mob is quiet or `timeout_s` is over, stop the members.

    `interrupt` ends running turns at their next boundary; their inputs stay open.
    """

    timeout_s: float
    interrupt: bool = False
