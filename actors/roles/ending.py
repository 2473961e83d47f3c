"""The end of a mob: wait until it is quiet, stop the members, write it down.

Quiet is judged by `actors.domain.drain` from looks at the actors. A look asks them, so it also
shows that they still answer.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from actors.domain.drain import DrainSnapshot, Quiescence, Verdict
from actors.domain.errors import Draining, MobError
from actors.domain.events import MobStopped
from actors.domain.reports import ShutdownReport
from actors.kernel.errors import KernelError, describe
from actors.kernel.logs import logger_for
from actors.roles.messages import Drain, Flush, GetTraffic, GetUnwritten, Interrupt, SetDraining
from actors.roles.patience import patiently
from transport.message import FrozenMap

if TYPE_CHECKING:
    from actors.roles.crew import Crew
    from actors.roles.register import Register
    from actors.roles.turn import Desk

logger = logger_for(__name__)

LOOK_S: Final = 0.02  # between two looks, doubled up to LOOK_CAP_S
LOOK_CAP_S: Final = 0.1
STOP_S: Final = 0.7  # for the members to end after the deadline; before it they have all of it
WORD_S: Final = 0.3  # for the last event to become durable
LOOK_ANSWER_S: Final = 0.5  # for the answers to one look; the deadline shortens it


async def end(desk: Desk, crew: Crew, register: Register, message: Drain) -> ShutdownReport:
    """Drain the mob and stop its members, within `timeout_s` + `STOP_S` + `WORD_S`.

    Whatever fails on the way, the members are stopped and the report says what failed.
    """
    clock = desk.scheduler.clock
    began = clock.monotonic()
    until = began + message.timeout_s
    remaining: tuple[str, ...] = ()
    try:
        desk.router.tell(SetDraining())
        if message.interrupt:
            await crew.ask_all(Interrupt(reason="shutdown"), timeout=_left(desk, until))
        quiet = await until_quiet(desk, crew, until)
        drained, remaining = quiet.verdict is Verdict.QUIET, quiet.remaining
    except Exception as error:  # a bug here must not keep the members from being stopped
        logger.exception("the drain failed")
        drained, remaining = False, (f"the drain failed: {describe(error)}",)
    ended = clock.monotonic()
    stopped, left = await crew.stop_all(max(STOP_S, until - ended))
    if left:
        drained, ended = False, clock.monotonic()
    for memory in crew.memories:
        memory.give_up(Draining("the answer"))
    try:
        last_word = _last_word(desk, register, drained=drained)
        await asyncio.wait_for(last_word, timeout=WORD_S)
    except (MobError, KernelError, TimeoutError) as error:
        # a full disk must not keep the mob from ending
        logger.error("the end is not in the ledger: %s", describe(error) or "no answer in time")
    return ShutdownReport(
        drained=drained,
        timed_out=not drained and ended >= until,
        drain_duration_ms=int((ended - began) * 1000),
        waiting_for=(*remaining, *(f"{name}: did not stop" for name in left)),
        stopped=stopped,
    )


async def _last_word(desk: Desk, register: Register, *, drained: bool) -> None:
    await register.commit([MobStopped(drained=drained)])
    await patiently(desk.forwarder, Flush())


def _left(desk: Desk, until: float) -> float:
    """Seconds for the answers to one look: short, and hardly longer than there is time."""
    return min(max(until - desk.scheduler.clock.monotonic(), LOOK_S), LOOK_ANSWER_S)


async def until_quiet(desk: Desk, crew: Crew, until: float) -> Quiescence:
    """Look until the mob is quiet twice in a row, or the clock says `until`."""
    clock = desk.scheduler.clock
    quiet = Quiescence(until)
    pause = LOOK_S
    while True:
        seen = await _look(desk, crew, until)
        if quiet.observe(seen, clock.monotonic()) is not Verdict.WAITING:
            return quiet
        await asyncio.sleep(pause)
        pause = min(pause * 2, LOOK_CAP_S)


async def _look(desk: Desk, crew: Crew, until: float) -> DrainSnapshot:
    """One look at everything that may still move; who does not answer in time counts as busy."""
    answer_s = _left(desk, until)
    asked = desk.router.request(GetTraffic(), timeout=answer_s)  # at the same time as the crew
    activities = await crew.activities(timeout=answer_s)
    mute = crew.alive.keys() - activities.keys()
    busy = {name for name, each in activities.items() if each.running is not None}
    unwritten, silent = 0, set[str]()
    try:
        unwritten = await desk.forwarder.request(GetUnwritten(), timeout=_left(desk, until))
    except KernelError as error:  # it has ended, or is stuck
        silent.add("the ledger's writer")
        logger.debug("the forwarder did not answer: %s", describe(error))
    try:
        routed = (await asked).routed
    except KernelError:  # a member holds the loop that they share
        routed = -1
    return DrainSnapshot(
        turns=frozenset(busy | mute),
        queued=FrozenMap(
            {n: each.queued for n, each in activities.items() if each.queued and not each.paused}
        ),
        unwritten=unwritten,
        silent=frozenset(silent),
        handled=routed + sum(each.turns for each in activities.values()),
        cursor=desk.ledger.head(),
    )
