"""Our planner: what a reconcile costs that has nothing, or next to nothing, to do."""

from __future__ import annotations

from collections.abc import Callable

from actors.domain.definition import MemberSpec, MobDefinition, Profile
from actors.domain.events import MemberRetired, MemberSpawned, MembersWired, MobCreated
from actors.domain.planning import Plan, plan
from actors.domain.roster import Roster
from actors.domain.wiring import Edge
from bench import stopwatch
from transport.message import FrozenMap

EDGES_EACH = 5
"""Edges per member: 10,000 members have 50,000."""

REPEATS = 5


def mob(members: int) -> tuple[MobDefinition, Roster]:
    """Return a definition, each member wired to the next five, and the roster it asks for."""
    names = [f"worker-{n:06d}" for n in range(members)]
    edges = tuple(
        Edge.of(name, names[(n + step) % members])
        for n, name in enumerate(names)
        for step in range(1, EDGES_EACH + 1)
    )
    definition = MobDefinition(
        id="bench",
        profiles=FrozenMap({"worker": Profile(name="worker", call="bench:work")}),
        members=tuple(MemberSpec(name=name, profile="worker") for name in names),
        edges=edges,
    )
    roster = Roster()
    roster.apply(MobCreated(mob="bench", definition_digest=definition.digest()))
    for fence, name in enumerate(names, start=1):
        roster.apply(
            MemberSpawned(
                identity=name,
                profile="worker",
                generation=0,
                fence=fence,
                labels=FrozenMap(),
                declared=True,
            )
        )
    roster.apply(MembersWired(edges=edges, managed=True))
    return definition, roster


def plan_ms(definition: MobDefinition, roster: Roster) -> tuple[float, Plan]:
    """Return the milliseconds of one `plan`, the best of five, and what it says."""
    made = plan(definition, roster, 0.0)
    times = [stopwatch.seconds(lambda: plan(definition, roster, 0.0)) for _ in range(REPEATS)]
    return min(times) * 1e3, made


def settled(members: int) -> float:
    """Return the milliseconds of a plan when the roster is as desired."""
    took, made = plan_ms(*mob(members))
    assert made.empty
    return took


def one_changed(members: int) -> float:
    """Return the milliseconds of a plan when one member left: it is spawned and wired again."""
    definition, roster = mob(members)
    roster.apply(MemberRetired(identity=definition.members[0].name, reason="bench"))
    took, made = plan_ms(definition, roster)
    assert len(made.spawn) == 1
    assert len(made.wire) == 2 * EDGES_EACH
    return took


def close() -> None:
    """Leave nothing to end."""


MEASURES: dict[str, Callable[[int], float]] = {"settled": settled, "one_changed": one_changed}
