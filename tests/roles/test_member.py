"""A member: inputs, turns outside of the mailbox, failures, steering, interruption, new lives."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors import Mob
from actors.domain.errors import (
    InboxFull,
    KeyConflict,
    MemberHeld,
    MemberNotFound,
    StaleIncarnation,
    StoreError,
    TurnCancelled,
    TurnFailed,
)
from actors.domain.events import (
    Emitted,
    InputAccepted,
    InputDone,
    InputFailed,
    MemberRestarted,
    TurnStarted,
)
from actors.executors.context import ThreadTurnContext, TurnContext
from actors.roles.member import UnknownInput
from actors.roles.messages import Interrupt, ResultOf
from tests.roles.stage import RefusingLedger, actor, kill, member, of, stage

HERE = __name__
SEEN: list[Any] = []
GATES: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
DOORS: defaultdict[str, threading.Event] = defaultdict(threading.Event)


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    SEEN.clear()
    GATES.clear()
    DOORS.clear()
    yield
    for door in DOORS.values():
        door.set()  # no thread of a test outlives it


def one(call: str, **more: Any) -> dict[str, Any]:
    """A mob of one member, m."""
    profile = {"call": f"{HERE}:{call}", **more}
    return {"profiles": {"p": profile}, "members": [{"name": "m", "profile": "p"}]}


def two(call: str, **more: Any) -> dict[str, Any]:
    """A mob of m and its peer, which answers what it is told."""
    profiles = {"p": {"call": f"{HERE}:{call}", **more}, "q": {"call": f"{HERE}:echo"}}
    return {
        "profiles": profiles,
        "members": [{"name": "m", "profile": "p"}, {"name": "peer", "profile": "q"}],
        "edges": [{"a": "m", "b": "peer"}],
    }


async def echo(ctx: TurnContext) -> object:
    SEEN.append(ctx.input.body)
    return ctx.input.body


async def gated(ctx: TurnContext) -> object:
    """Waits until the gate of its body is opened."""
    SEEN.append((ctx.input.body, ctx.attempt))
    await GATES[str(ctx.input.body)].wait()
    return f"{ctx.input.body} {ctx.attempt}"


# The turn runs outside of the mailbox


def test_a_member_answers_while_its_turn_runs() -> None:
    with stage(**one("gated")) as (mob, world):
        receipt = mob.send("m", "a")
        mob.send("m", "b")
        world.run_for(1)

        view = mob.member("m")

        assert (view.running, view.queued, view.turns) == (receipt.input_id, 1, 0)
        GATES["a"].set()
        GATES["b"].set()
        assert mob.result("m", receipt.input_id).value == "a 1"


def blocks(ctx: ThreadTurnContext) -> object:
    SEEN.append(threading.current_thread().name)
    DOORS["began"].set()
    DOORS["go"].wait(20)
    try:
        ctx.emit("after", 1)
    except StaleIncarnation as error:
        SEEN.append(str(error))
        DOORS["refused"].set()
        raise
    return "done"


@pytest.fixture
def mobs(tmp_path: Path) -> Iterator[Any]:
    """Launch mobs on real loops; all are shut down in the end."""
    running: list[Mob] = []

    def launch(definition: dict[str, Any], **more: Any) -> Mob:
        given = {"id": "real", **definition}
        running.append(Mob.launch(given, state_dir=tmp_path, durability="memory", **more))
        return running[-1]

    yield launch
    for door in DOORS.values():
        door.set()
    for mob in running:
        mob.shutdown(timeout=1)


def test_a_member_answers_while_a_turn_blocks_its_thread(mobs: Any) -> None:
    mob = mobs(one("blocks", isolation="thread"))
    receipt = mob.send("m", "x")
    assert DOORS["began"].wait(10)

    assert mob.member("m").running == receipt.input_id
    DOORS["go"].set()
    assert mob.result("m", receipt.input_id).value == "done"
    assert SEEN == ["turn of m"]


def test_inputs_are_worked_on_in_the_order_of_acceptance() -> None:
    with stage(**one("echo")) as (mob, _):
        receipts = [mob.send("m", str(n)) for n in range(10)]
        mob.result("m", receipts[-1].input_id)

        assert [str(n) for n in range(10)] == SEEN


# Acceptance


def test_an_input_of_the_operator_is_in_the_ledger_before_its_receipt() -> None:
    with stage(**one("echo")) as (mob, _):
        receipt = mob.send("m", "x", key="k")

        (event,) = of(InputAccepted, mob)
        assert (event.input_id, event.key, event.body) == (receipt.input_id, "k", "x")


def test_the_same_key_again_is_the_first_receipt_and_no_second_turn() -> None:
    with stage(**one("echo")) as (mob, _):
        first = mob.ask("m", "x", key="k")
        again = mob.send("m", "x", key="k")

        assert (again.outcome, again.canonical_input_id) == ("duplicate", first.input_id)
        assert mob.ask("m", "x", key="k") == first
        assert SEEN == ["x"]


def test_the_same_key_with_another_body_is_a_conflict() -> None:
    with stage(**one("echo")) as (mob, _):
        mob.send("m", "x", key="k")

        with pytest.raises(KeyConflict):
            mob.send("m", "y", key="k")


def test_a_duplicate_is_not_acknowledged_before_the_first_is_durable() -> None:
    with stage(**one("echo")) as (mob, world):
        from actors.domain.bodies import pack
        from actors.roles.messages import Route

        router = mob._parts.router
        answers = [
            router.ask(
                Route(sender=None, target="m", input_id=str(n), body=pack("x"), key="k"),
                block=False,
            )
            for n in range(2)
        ]
        world.run_until(lambda: any(answer.done for answer in answers), timeout=5)

        assert of(InputAccepted, mob)
        assert {answer.get(timeout=1).outcome for answer in answers} == {"accepted", "duplicate"}


def test_a_refusing_ledger_refuses_the_input_and_forgets_its_key() -> None:
    with stage(**one("echo")) as (mob, _):
        forwarder = actor(mob, "forwarder")
        real = forwarder._ledger
        forwarder._ledger = full = RefusingLedger()
        full.full = True
        with pytest.raises(StoreError, match="the disk is full"):
            mob.send("m", "x", key="k")
        forwarder._ledger = real

        assert mob.ask("m", "y", key="k").value == "y"  # another body: the key was never used
        assert SEEN == ["y"]


def test_an_inbox_without_room_refuses_and_names_when_to_try_again() -> None:
    with stage(**one("gated", limits={"inbox": 2})) as (mob, _):
        mob.send("m", "a")
        mob.send("m", "b")

        with pytest.raises(InboxFull) as raised:
            mob.send("m", "c")

        assert raised.value.limit == 2
        assert raised.value.retry_after > 0


async def floods(ctx: TurnContext) -> object:
    for n in range(6):
        await ctx.send("peer", str(n), timeout=30)
    return "sent"


async def hurried(ctx: TurnContext) -> object:
    for n in range(6):
        await ctx.send("peer", str(n), timeout=0.05)
    return "sent"


async def slow(ctx: TurnContext) -> object:
    await asyncio.sleep(1)
    SEEN.append(ctx.input.body)
    return None


def with_slow_peer(call: str) -> dict[str, Any]:
    given = two(call, limits={"attempts": 1})
    given["profiles"]["q"] = {"call": f"{HERE}:slow", "limits": {"inbox": 2}}
    return given


def test_a_send_waits_for_room_in_a_full_inbox() -> None:
    with stage(**with_slow_peer("floods")) as (mob, world):
        assert mob.ask("m", "go").value == "sent"
        world.run_for(5)

        assert [str(n) for n in range(6)] == SEEN


def test_a_send_that_finds_no_room_in_time_raises() -> None:
    with stage(**with_slow_peer("hurried")) as (mob, _):
        with pytest.raises(TurnFailed) as raised:
            mob.ask("m", "go")

        assert raised.value.error_type == "InboxFull"


def test_the_result_of_an_unknown_input_is_an_error() -> None:
    text = "'m' has no open input nothing"
    with stage(**one("echo")) as (mob, _), pytest.raises(UnknownInput, match=text):
        mob.result("m", "nothing")


def test_a_result_that_is_too_old_for_memory_is_found_in_the_ledger() -> None:
    with stage(**one("echo")) as (mob, _):
        first = mob.ask("m", "first")
        memory = member(mob, "m")._memory
        memory._results.clear()

        assert mob.result("m", first.input_id).value == "first"


def test_a_result_that_does_not_come_in_time_can_be_waited_for_again() -> None:
    with stage(**one("gated")) as (mob, _):
        receipt = mob.send("m", "a")
        with pytest.raises(TimeoutError, match="did not finish"):
            mob.result("m", receipt.input_id, timeout=2)
        GATES["a"].set()

        assert mob.result("m", receipt.input_id).value == "a 1"


# Failures


async def fails_twice(ctx: TurnContext) -> object:
    SEEN.append((ctx.input.body, ctx.attempt, [data["n"] for data in ctx.emitted("try")]))
    if ctx.input.body == "bad":
        await ctx.emit("try", {"n": ctx.attempt})
        if ctx.attempt < 3:
            raise ValueError(f"attempt {ctx.attempt}")
    return ctx.attempt


def test_a_failed_turn_is_tried_again_with_what_it_had_emitted_and_nothing_overtakes_it() -> None:
    with stage(**one("fails_twice")) as (mob, _):
        bad = mob.send("m", "bad")
        mob.ask("m", "good")

        result = mob.result("m", bad.input_id)

        assert (result.value, result.attempts) == (3, 3)
        assert SEEN == [
            ("bad", 1, []),
            ("bad", 2, [1]),
            ("bad", 3, [1, 2]),
            ("good", 1, []),
        ]
        assert [event.quarantined for event in of(InputFailed, mob)] == [False, False]


async def always_fails(ctx: TurnContext) -> object:
    SEEN.append((ctx.input.body, asyncio.get_running_loop().time()))
    if ctx.input.body == "poison":
        raise ValueError("I cannot do this")
    return "fine"


def test_an_input_that_always_fails_is_given_up_after_growing_pauses() -> None:
    with stage(**one("always_fails", limits={"attempts": 4})) as (mob, _):
        poison = mob.send("m", "poison", key="p")
        assert mob.ask("m", "good").value == "fine"

        with pytest.raises(TurnFailed) as raised:
            mob.result("m", poison.input_id)

        failure = raised.value
        assert (failure.error_type, failure.error_text) == ("ValueError", "I cannot do this")
        assert failure.attempts == 4
        times = [at for body, at in SEEN if body == "poison"]
        pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
        assert [round(pause, 1) for pause in pauses] == [0.1, 0.2, 0.4]
        assert [event.quarantined for event in of(InputFailed, mob)] == [False, False, False, True]
        (letter,) = mob.dead_letters()
        assert (letter.reason, letter.target) == ("poison", "m")
        assert letter.message == poison.input_id
        assert mob.send("m", "poison", key="p").outcome == "duplicate"  # and is not tried again


def test_a_member_stays_responsive_while_it_rests_between_attempts() -> None:
    with stage(**one("always_fails")) as (mob, world):
        receipt = mob.send("m", "poison")
        world.run_until(lambda: bool(of(InputFailed, mob)), timeout=5)
        world.run_for(0.05)  # what the ledger has the member learns a little later

        view = mob.member("m")
        assert (view.running, view.queued, view.state) == (None, 1, "active")
        with pytest.raises(TurnFailed):
            mob.result("m", receipt.input_id)


async def exits(ctx: TurnContext) -> object:
    raise SystemExit(3)


def exits_in_thread(ctx: ThreadTurnContext) -> object:
    raise SystemExit(3)


@pytest.mark.parametrize(("call", "isolation"), [("exits", "async"), ("exits_in_thread", "thread")])
def test_a_turn_that_exits_has_failed_and_nothing_else(
    mobs: Any, call: str, isolation: str
) -> None:
    mob = mobs(one(call, isolation=isolation, limits={"attempts": 1}))

    with pytest.raises(TurnFailed) as raised:
        mob.ask("m", "x")

    assert (raised.value.error_type, raised.value.error_text) == ("SystemExit", "3")
    assert mob.member("m").restarts == 0


class Oddity(BaseException):
    """Neither an Exception nor an exit."""


async def raises_an_oddity(ctx: TurnContext) -> object:
    raise Oddity("odd")


def raises_an_oddity_in_thread(ctx: ThreadTurnContext) -> object:
    raise GeneratorExit


async def returns_what_is_not_utf_8(ctx: TurnContext) -> object:
    return {"file": "bad\udcff.py"}


async def returns_nan(ctx: TurnContext) -> object:
    return float("nan")


async def fails_with_what_is_not_utf_8(ctx: TurnContext) -> object:
    raise FileNotFoundError("bad\udcff.py")


async def emits_what_is_not_utf_8(ctx: TurnContext) -> object:
    await ctx.emit("note", "bad\udcff.py")
    return None


@pytest.mark.parametrize(
    ("call", "isolation", "error"),
    [
        ("raises_an_oddity", "async", "Oddity"),
        ("raises_an_oddity_in_thread", "thread", "GeneratorExit"),
        ("returns_what_is_not_utf_8", "async", "UnicodeEncodeError"),
        ("returns_nan", "async", "ValueError"),
        ("fails_with_what_is_not_utf_8", "async", "FileNotFoundError"),
        ("emits_what_is_not_utf_8", "async", "UnicodeEncodeError"),
    ],
)
def test_whatever_a_turn_raises_or_returns_its_member_goes_on(
    mobs: Any, call: str, isolation: str, error: str
) -> None:
    mob = mobs(one(call, isolation=isolation, limits={"attempts": 1}))

    for _ in range(2):
        with pytest.raises(TurnFailed) as raised:
            mob.ask("m", "x", timeout=10)

        assert raised.value.error_type == error
    assert mob.member("m").restarts == 0


async def cancels_itself(ctx: TurnContext) -> object:
    task = asyncio.ensure_future(asyncio.sleep(60))
    task.cancel()
    await task
    return "never"


def test_a_turn_that_awaits_something_cancelled_has_failed() -> None:
    definition = one("cancels_itself", limits={"attempts": 1})
    text = "cancelled by something that it awaited"
    with stage(**definition) as (mob, _), pytest.raises(TurnFailed, match=text):
        mob.ask("m", "x")


def test_a_turn_is_not_done_before_the_ledger_has_it() -> None:
    with stage(**one("echo")) as (mob, _):
        actor(mob, "forwarder")._ledger = ledger = RefusingLedger()
        ledger.refuses = InputDone
        receipt = mob.send("m", "x")

        with pytest.raises(TurnFailed) as raised:
            mob.result("m", receipt.input_id, timeout=60)

        assert raised.value.error_type == "StoreError"
        assert raised.value.attempts == 5


# Time


async def too_slow(ctx: TurnContext) -> object:
    SEEN.append(ctx.attempt)
    try:
        await asyncio.sleep(100)
    finally:
        SEEN.append("cleaned up")
    return None


def test_a_turn_that_takes_too_long_is_cancelled_and_tried_again() -> None:
    with stage(**one("too_slow", limits={"turn_timeout_s": 2, "attempts": 2})) as (mob, world):
        with pytest.raises(TurnFailed) as raised:
            mob.ask("m", "x")

        assert (raised.value.error_type, raised.value.attempts) == ("TimeoutError", 2)
        assert raised.value.error_text == "the turn took longer than 2 s"
        assert SEEN == [1, "cleaned up", 2, "cleaned up"]
        assert 4 < world.clock.monotonic() < 6


async def stubborn(ctx: TurnContext) -> object:
    """Ignores every cancellation until its gate is opened, then tries to do something."""
    while not GATES["give up"].is_set():
        try:
            await GATES["give up"].wait()
        except asyncio.CancelledError:
            SEEN.append("ignored")
    try:
        await ctx.send("peer", "from the past")
    except StaleIncarnation as error:
        SEEN.append(str(error))
    return None


def test_a_turn_that_ignores_its_cancellation_is_left_behind_and_fenced() -> None:
    definition = two("stubborn", limits={"turn_timeout_s": 2, "attempts": 1})
    with stage(**definition) as (mob, world):
        with pytest.raises(TurnFailed, match="longer than 2 s"):
            mob.ask("m", "x")
        GATES["give up"].set()
        world.run_for(1)

        assert SEEN[0] == "ignored"
        assert SEEN[-1] == "this turn of 'm' is over; the call was not carried out"
        assert mob.member("peer").turns == 0


def test_a_thread_that_takes_too_long_can_do_nothing_any_more(mobs: Any) -> None:
    limits = {"turn_timeout_s": 0.2, "attempts": 1}
    mob = mobs(one("blocks", isolation="thread", limits=limits))

    with pytest.raises(TurnFailed, match=r"longer than 0.2 s"):
        mob.ask("m", "x")
    DOORS["go"].set()

    assert DOORS["refused"].wait(10)
    assert SEEN[-1] == "this turn of 'm' is over; the call was not carried out"
    assert not of(Emitted, mob)


def waits_for_steering(ctx: ThreadTurnContext) -> object:
    DOORS["began"].set()
    try:
        ctx.boundary(wait=100)
    except StaleIncarnation:
        DOORS["released"].set()
        raise
    return None


def test_a_call_that_a_thread_waits_in_ends_with_its_turn(mobs: Any) -> None:
    limits = {"turn_timeout_s": 0.2, "attempts": 1}
    mob = mobs(one("waits_for_steering", isolation="thread", limits=limits))
    with pytest.raises(TurnFailed):
        mob.ask("m", "x")

    assert DOORS["released"].wait(10)


# Steering and interrupting


async def steerable(ctx: TurnContext) -> object:
    taken: list[object] = []
    while "stop" not in taken:
        taken += [each.body for each in await ctx.boundary(wait=100)]
    return taken


def test_steered_inputs_reach_the_running_turn_at_its_boundary_and_end_with_it() -> None:
    with stage(**one("steerable")) as (mob, world):
        turn = mob.send("m", "go")
        world.run_for(1)
        first = mob.send("m", "left", mode="steer")
        queued = mob.send("m", "later")
        mob.send("m", "stop", mode="steer")

        assert mob.result("m", turn.input_id).value == ["left", "stop"]
        assert mob.result("m", first.input_id).output is None
        assert {event.input_id for event in of(InputDone, mob)} >= {
            turn.input_id,
            first.input_id,
        }
        world.run_for(1)
        assert mob.member("m").running == queued.input_id
        mob.send("m", "stop", mode="steer")
        mob.result("m", queued.input_id)


async def lives_on_steering(ctx: TurnContext) -> object:
    count = 0
    while True:
        for given in await ctx.boundary(wait=100):
            if given.body == "stop":
                return count
            count += 1


def test_what_a_turn_has_taken_is_done_with_at_its_next_boundary_and_makes_room() -> None:
    with stage(**one("lives_on_steering", limits={"inbox": 3})) as (mob, world):
        turn = mob.send("m", "go")
        world.run_for(1)
        receipts = []
        for n in range(10):
            receipts.append(mob.send("m", f"{n}", mode="steer"))
            world.run_for(0.1)

        assert mob.result("m", receipts[0].input_id).output is None
        ended = {event.input_id for event in of(InputDone, mob)}
        assert {receipt.input_id for receipt in receipts[:9]} <= ended
        assert turn.input_id not in ended
        mob.send("m", "stop", mode="steer")
        assert mob.result("m", turn.input_id).value == 10
        ends = [event.input_id for event in of(InputDone, mob)]
        assert len(ends) == len(set(ends)) == 12


def test_a_steered_input_that_comes_while_no_turn_runs_gets_a_turn_of_its_own() -> None:
    with stage(**one("echo")) as (mob, _):
        receipt = mob.send("m", "x", mode="steer")

        assert mob.result("m", receipt.input_id).value == "x"


async def takes_and_fails(ctx: TurnContext) -> object:
    taken = await ctx.boundary(wait=10)
    if taken:
        raise ValueError("first")
    return f"{ctx.input.body} {ctx.attempt}"


def test_what_a_failed_turn_had_taken_gets_a_turn_of_its_own_and_is_not_blamed() -> None:
    with stage(**one("takes_and_fails")) as (mob, world):
        turn = mob.send("m", "go")
        world.run_for(0.05)
        steered = mob.send("m", "steer", mode="steer")

        assert mob.result("m", steered.input_id).value == "steer 1"
        assert mob.result("m", turn.input_id).value == "go 2"


async def interruptible(ctx: TurnContext) -> object:
    SEEN.append(ctx.attempt)
    try:
        await ctx.boundary(wait=100)
    except TurnCancelled:
        SEEN.append("cancelled")
        raise
    return None


def test_an_interrupted_turn_ends_at_its_boundary_and_its_input_stays_open() -> None:
    with stage(**one("interruptible")) as (mob, world):
        receipt = mob.send("m", "x")
        mob.send("m", "y")
        world.run_for(1)
        ref: Any = mob._parts.system.ref("supervisor/m")

        assert ref.ask(Interrupt(reason="test")) is True
        world.run_for(1)

        assert SEEN == [1, "cancelled"]
        activity = member(mob, "m").observe(None)
        assert (activity.running, activity.queued, activity.paused) == (None, 2, True)
        assert not of(InputFailed, mob)
        assert receipt.input_id in {
            each.input_id for each in member(mob, "m")._memory.inbox.pending
        }
        assert ref.ask(Interrupt(reason="again")) is False


# New lives


def test_the_next_incarnation_takes_the_interrupted_input_again_with_a_new_fence() -> None:
    with stage(**one("gated")) as (mob, world):
        receipt = mob.send("m", "a", key="k")
        behind = mob.send("m", "b")
        world.run_for(1)
        before = mob.member("m")
        kill(mob, "m")
        world.run_for(1)
        after = mob.member("m")

        assert (after.generation, after.restarts) == (before.generation + 1, 1)
        assert after.fence > before.fence
        GATES["a"].set()
        GATES["b"].set()
        assert mob.result("m", receipt.input_id).value == "a 2"
        assert mob.result("m", behind.input_id).value == "b 1"
        started = of(TurnStarted, mob)
        assert [(event.attempt, event.fence) for event in started[:2]] == [
            (1, before.fence),
            (2, after.fence),
        ]
        assert not of(InputFailed, mob)  # a member's death is not its input's fault


def test_one_death_is_one_restart() -> None:
    with stage(**one("echo")) as (mob, world):
        kill(mob, "m")
        world.run_for(60)

        assert [event.generation for event in of(MemberRestarted, mob)] == [1]
        assert mob.member("m").restarts == 1


async def sends_then_waits(ctx: TurnContext) -> object:
    await ctx.send("peer", f"attempt {ctx.attempt}")
    await GATES["go"].wait()
    try:
        await ctx.send("peer", f"late {ctx.attempt}")
    finally:
        SEEN.append(f"ended {ctx.attempt}")
    return ctx.attempt


def test_the_turn_of_a_dead_incarnation_sends_nothing() -> None:
    with stage(**two("sends_then_waits")) as (mob, world):
        receipt = mob.send("m", "x")
        world.run_for(1)
        kill(mob, "m")
        world.run_for(2)
        GATES["go"].set()

        assert mob.result("m", receipt.input_id).value == 2
        world.run_for(1)
        assert [body for body in SEEN if str(body).startswith(("attempt", "late"))] == [
            "attempt 1",
            "attempt 2",
            "late 2",
        ]


def test_a_thread_of_a_dead_incarnation_can_do_nothing_any_more(mobs: Any) -> None:
    mob = mobs(one("blocks", isolation="thread"))
    receipt = mob.send("m", "x")
    assert DOORS["began"].wait(10)
    kill(mob, "m")
    while mob.member("m").restarts == 0 or mob.member("m").running is None:
        list(mob.events())  # the second attempt begins
    DOORS["go"].set()

    assert mob.result("m", receipt.input_id).value == "done"
    assert DOORS["refused"].wait(10)
    assert any(str(text).startswith("stale fence for 'm'") for text in SEEN)
    assert len(of(Emitted, mob)) == 1


def test_who_waits_for_a_result_gets_it_from_the_next_incarnation() -> None:
    with stage(**one("gated")) as (mob, world):
        receipt = mob.send("m", "a")
        ref: Any = mob._parts.system.ref("supervisor/m")
        waiting = ref.ask(ResultOf(input_id=receipt.input_id), block=False)
        world.run_for(1)
        kill(mob, "m")
        GATES["a"].set()

        assert waiting.get(timeout=10).value == "a 2"


def test_inputs_of_peers_outlive_an_incarnation_too() -> None:
    given = two("floods")
    given["profiles"]["q"] = {"call": f"{HERE}:slow"}
    with stage(**given) as (mob, world):
        mob.ask("m", "go")
        world.run_for(1.5)
        kill(mob, "peer")
        world.run_for(10)

        assert [str(n) for n in range(6)] == SEEN


def test_a_death_while_the_end_of_a_turn_is_written_down_does_not_take_it_again() -> None:
    for seed in range(20):
        SEEN.clear()
        with stage(seed, **one("echo")) as (mob, world):
            receipt = mob.send("m", "x")
            world.run_until(lambda: bool(SEEN), timeout=5)
            world.run_until(member(mob, "m")._memory.writing.__len__, timeout=5)
            kill(mob, "m")

            assert mob.result("m", receipt.input_id).value == "x"
            world.run_for(5)
            assert SEEN == ["x"]
            assert len(of(InputDone, mob)) == 1


def test_a_death_while_an_input_is_written_down_loses_nothing_and_starts_nothing_early() -> None:
    from actors.domain.bodies import pack
    from actors.roles.messages import Route

    with stage(**one("echo")) as (mob, world):
        route = Route(sender=None, target="m", input_id="i", body=pack("x"), key="k")
        answer = mob._parts.router.ask(route, block=False)
        memory = member(mob, "m")._memory
        world.run_until(lambda: bool(memory.unwritten), timeout=5)
        kill(mob, "m")

        assert answer.get(timeout=10).outcome == "accepted"
        assert mob.result("m", "i").value == "x"
        assert SEEN == ["x"]


def test_a_member_that_uses_up_its_restarts_is_held_and_its_askers_learn_it() -> None:
    with stage(**one("gated"), limits={"restarts": 2}) as (mob, world):
        receipt = mob.send("m", "a")
        ref: Any = mob._parts.system.ref("supervisor/m")
        waiting = ref.ask(ResultOf(input_id=receipt.input_id), block=False)
        for _ in range(3):
            kill(mob, "m")
            world.run_for(2)

        with pytest.raises(MemberHeld, match="more than 2 restarts"):
            waiting.get(timeout=10)
        assert mob.member("m").state == "held"
        assert mob.reconcile().retained == ("m",)  # held, until a person acts
        assert mob.member("m").state == "held"
        assert mob.retire("m")
        assert mob.reconcile().spawned[0].agent_identity == "m"
        GATES["b"].set()
        assert mob.ask("m", "b").value == "b 1"


class NeverMade:
    """Fails when it is made."""

    def __init__(self, options: object) -> None:
        raise RuntimeError("no key")

    async def turn(self, ctx: TurnContext) -> object:
        return None


def test_a_member_whose_class_cannot_be_made_is_held_with_the_reason() -> None:
    with stage(**one("NeverMade"), limits={"restarts": 1}) as (mob, world):
        world.run_for(10)

        assert mob.member("m").state == "held"
        with pytest.raises(MemberHeld, match="no key"):
            mob.send("m", "x")


def test_a_member_that_is_retired_answers_who_waits_and_files_its_inputs() -> None:
    with stage(**one("gated")) as (mob, world):
        receipt = mob.send("m", "a")
        second = mob.send("m", "b")
        ref: Any = mob._parts.system.ref("supervisor/m")
        waiting = ref.ask(ResultOf(input_id=receipt.input_id), block=False)
        world.run_for(1)
        assert mob.retire("m")

        with pytest.raises(MemberNotFound):
            waiting.get(timeout=5)
        letters = mob.dead_letters()
        assert [(letter.target, letter.reason, letter.message) for letter in letters] == [
            ("m", "dead", receipt.input_id),
            ("m", "dead", second.input_id),
        ]


# Chaos


async def sends_three(ctx: TurnContext) -> object:
    SEEN.append(ctx.attempt)
    for n in range(3):
        await ctx.send("peer", f"{ctx.attempt}.{n}")
    return ctx.attempt


def test_chaos_fails_the_member_after_a_send_and_does_not_count_against_the_input(
    mobs: Any,
) -> None:
    kills = iter([True, True, True, True])
    given = two("sends_three", limits={"attempts": 2})
    given["limits"] = {"restarts": 9}
    mob = mobs(given, after_send=lambda name, n: name == "m" and n == 2 and next(kills, False))

    assert mob.ask("m", "go", timeout=30).value == 5
    assert mob.member("m").restarts == 4
    assert not of(InputFailed, mob)
