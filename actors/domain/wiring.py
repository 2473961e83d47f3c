"""Who may talk to whom: edges, the edges a definition asks for, for the firewall.

Wiring is the firewall (docs/design.md §6): without an edge between two members nothing is delivered
from one to the other, in either direction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from itertools import combinations, product
from typing import TYPE_CHECKING

from pydantic import model_validator

from actors.domain.errors import WiringError
from transport.message import Message

if TYPE_CHECKING:
    from actors.domain.definition import MobDefinition

Pair = tuple[str, str]
"""The two endpoints of an edge in ascending order."""


def ordered_pair(x: str, y: str) -> Pair:
    """Return both endpoints trimmed and in ascending order.

    Raises:
        WiringError: An endpoint is empty, or both are the same (spec/unified_runtime.md §2.4).
    """
    a, b = x.strip(), y.strip()
    if not a or not b:
        raise WiringError("edge endpoint must not be empty")
    if a == b:
        raise WiringError("self-edges are not allowed")
    return (a, b) if a < b else (b, a)


class Edge(Message, tag="mob.edge"):
    """A pair of peers that may talk; always `a < b`, trimmed, never a self-edge (INV-2.7).

    The constructor and every decoder bring the endpoints into this form, so that two edges are
    equal exactly when they join the same peers. Sorts by (a, b).
    """

    a: str
    b: str

    @model_validator(mode="before")
    @classmethod
    def _canonical(cls, data: object) -> object:
        # Also on the way in from a ledger or a wire: spec/unified_runtime.md §2.4, last paragraph.
        if (
            isinstance(data, dict)
            and isinstance(data.get("a"), str)
            and isinstance(data.get("b"), str)
        ):
            try:
                a, b = ordered_pair(data["a"], data["b"])
            except WiringError as error:
                raise ValueError(error.text) from error
            return {**data, "a": a, "b": b}
        return data

    @classmethod
    def of(cls, x: str, y: str) -> Edge:
        """Return the edge between two names given in any order.

        Raises:
            WiringError: As `ordered_pair`. (The constructor raises pydantic's ValidationError.)
        """
        a, b = ordered_pair(x, y)
        return cls(a=a, b=b)

    @property
    def pair(self) -> Pair:
        """Both endpoints, ascending."""
        return (self.a, self.b)

    def other(self, name: str) -> str:
        """Return the endpoint that `name` is not; `name` must be one of them."""
        return self.b if name == self.a else self.a

    def __str__(self) -> str:
        return f"{self.a} -- {self.b}"

    def __lt__(self, other: Edge) -> bool:
        return self.pair < other.pair


def desired_pairs(definition: MobDefinition, members: Mapping[str, str]) -> Set[Pair]:
    """Return what `desired_edges` returns, as plain pairs: several times cheaper to build.

    Time and size are linear in the number of edges asked for (`role_wiring` of a role with itself
    asks for n·(n-1)/2 of them).
    """
    names_of: dict[str, list[str]] = {}
    for name, role in members.items():
        names_of.setdefault(role, []).append(name)
    wiring = definition.wiring
    pairs = {(edge.a, edge.b) for edge in definition.edges}
    if wiring.auto_wire_orchestrator and wiring.orchestrator is not None:
        leads = names_of.get(wiring.orchestrator, [])
        for role, names in names_of.items():
            if role != wiring.orchestrator:
                pairs.update(_ascending(product(leads, names)))
    for first, second in wiring.role_wiring:
        if first == second:
            pairs.update(_ascending(combinations(names_of.get(first, []), 2)))
        else:
            pairs.update(_ascending(product(names_of.get(first, []), names_of.get(second, []))))
    return pairs


def _ascending(pairs: Iterable[Pair]) -> Iterable[Pair]:
    return ((x, y) if x < y else (y, x) for x, y in pairs)


def desired_edges(definition: MobDefinition, members: Mapping[str, str]) -> frozenset[Edge]:
    """Return the edges the definition asks for among these members.

    Three sources, united: `auto_wire_orchestrator` joins every member of another role to all
    members of the orchestrator role; each `role_wiring` pair joins all members of the one role to
    all of the other (every two different members when it names one role twice); the explicit
    `edges`, also when an endpoint is not among `members` (spec/unified_runtime.md §2.3 then skips
    and reports them).

    Level-based and so independent of the order of spawning. This replaces scenario 5-26
    (spec/member_runtime.md §5.6, Q14), where an orchestrator that was spawned after a worker stayed
    unwired to it until some later event: here the worker gets its edge.

    Args:
        definition: A checked definition.
        members: Role (profile name) by member name: all members that shall be there, spawned by
            hand or declared.
    """
    return frozenset(Edge(a=a, b=b) for a, b in desired_pairs(definition, members))
