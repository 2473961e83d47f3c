"""The end of a mob: wait until it is quiet, stop the members, write it down.

Quiet is judged by `actors.domain.drain` from looks at the actors. A look asks them, so it also
shows that they still answer.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from actors.domain.drain import DrainSnapshot, Quiescence, Verdict
from actors.domain.errors import Draining, MobError
from actors.domain.events import MobStopped
from actors.domain.reports import ShutdownReport
from actors.kernel.errors import KernelError
from actors.roles.messages import Drain, Flush, GetTraffic, GetUnwritten, Interrupt, SetDraining
from actors.roles.patience import patiently
from transport.message import FrozenMap

if TYPE_CHECKING:
    from actors.roles.crew import Crew
    from actors.roles.register import Register
    from actors.roles.turn import Desk

logger = logging.getLogger(__name__)

LOOK_S: Final = 0.02  # between two looks, doubled up to LOOK_CAP_S
LOOK_CAP_S: Final = 0.1
STOP_S: Final = 0.7  # for the members to end, after the drain
LOOK_ANSWER_S: Final = 0.5  # for the answers to one look; the deadline shortens it


async def end(desk: Desk, crew: Crew, register: Register, message: Drain) -> ShutdownReport:
    """Drain the mob and stop its members, within `timeout_s` and a little more than `STOP_S`."""
    clock = desk.scheduler.clock
    began = clock.monotonic()
    desk.router.tell(SetDraining())
    if message.interrupt:
        await crew.ask_all(Interrupt(reason="shutdown"))
    quiet = await until_quiet(desk, crew, timeout_s=message.timeout_s)
    drained = quiet.verdict is Verdict.QUIET
    duration_ms = int((clock.monotonic() - began) * 1000)
    stopped, left = await crew.stop_all(STOP_S)
    for memory in crew.memories:
        memory.give_up(Draining("the answer"))
    try:
        await register.commit([MobStopped(drained=drained)])
        await patiently(desk.forwarder, Flush())
    except (MobError, KernelError) as error:  # a full disk must not keep the mob from ending
        logger.error("the end is not in the ledger: %s", error)
    return ShutdownReport(
        drained=drained,
        timed_out=not drained,
        drain_duration_ms=duration_ms,
        waiting_for=(*quiet.remaining, *(f"{name}: did not stop" for name in left)),
        stopped=stopped,
    )


async def until_quiet(desk: Desk, crew: Crew, *, timeout_s: float) -> Quiescence:
    """Look until the mob is quiet twice in a row, or `timeout_s` seconds are over."""
    clock = desk.scheduler.clock
    until = clock.monotonic() + timeout_s
    quiet = Quiescence(until)
    pause = LOOK_S
    while True:
        left = max(until - clock.monotonic(), LOOK_S)
        seen = await _look(desk, crew, min(left, LOOK_ANSWER_S))
        if quiet.observe(seen, clock.monotonic()) is not Verdict.WAITING:
            return quiet
        await asyncio.sleep(pause)
        pause = min(pause * 2, LOOK_CAP_S)


async def _look(desk: Desk, crew: Crew, answer_s: float) -> DrainSnapshot:
    """One look at everything that may still move; who does not answer in time counts as busy."""
    asked = desk.router.request(GetTraffic(), timeout=answer_s)  # at the same time as the crew
    activities = await crew.activities(timeout=answer_s)
    silent = crew.alive.keys() - activities.keys()
    busy = {name for name, each in activities.items() if each.running is not None}
    unwritten = await desk.forwarder.request(GetUnwritten())
    try:
        routed = (await asked).routed
    except KernelError:  # a member holds the loop that they share
        routed = -1
    return DrainSnapshot(
        turns=frozenset(busy | silent),
        queued=FrozenMap(
            {n: each.queued for n, each in activities.items() if each.queued and not each.paused}
        ),
        unwritten=unwritten,
        handled=routed + sum(each.turns for each in activities.values()),
        cursor=desk.ledger.head(),
    )
