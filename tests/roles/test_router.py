"""The router: no edge, no delivery; answers passed on; who is held, gone, or refused."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from actors.domain.bodies import pack
from actors.domain.errors import (
    Draining,
    InboxFull,
    MemberHeld,
    MemberNotFound,
    NotWired,
    TurnFailed,
)
from actors.executors.context import TurnContext
from actors.roles.messages import AwaitTurn, GetPeers, GetTraffic, Route, SetDraining
from tests.roles.stage import kill, stage

HERE = __name__


async def echo(ctx: TurnContext) -> object:
    return ctx.input.body


async def slow(ctx: TurnContext) -> object:
    await asyncio.sleep(5)
    return "at last"


async def fails(ctx: TurnContext) -> object:
    raise ValueError("no")


def mob(**more: Any) -> dict[str, Any]:
    return {
        "profiles": {
            "echo": {"call": f"{HERE}:echo"},
            "slow": {"call": f"{HERE}:slow", "limits": {"inbox": 2}},
            "fails": {"call": f"{HERE}:fails", "limits": {"attempts": 1}},
        },
        "members": [
            {"name": "a", "profile": "echo"},
            {"name": "b", "profile": "echo"},
            {"name": "s", "profile": "slow"},
            {"name": "f", "profile": "fails"},
        ],
        "edges": [{"a": "a", "b": "b"}, {"a": "a", "b": "s"}],
        "limits": {"restarts": 1},
        **more,
    }


def route(target: str, *, sender: str | None, input_id: str = "i-1", text: str = "x") -> Route:
    return Route(sender=sender, target=target, input_id=input_id, body=pack(text))


def test_an_edge_lets_messages_through_both_ways() -> None:
    with stage(**mob()) as (running, _):
        router = running._parts.router

        assert router.ask(route("b", sender="a", input_id="1")).outcome == "accepted"
        assert router.ask(route("a", sender="b", input_id="2")).outcome == "accepted"


def test_without_an_edge_nothing_is_delivered_and_a_letter_says_so() -> None:
    with stage(**mob()) as (running, _):
        with pytest.raises(NotWired) as raised:
            running._parts.router.ask(route("s", sender="b"))

        assert (raised.value.sender, raised.value.target) == ("b", "s")
        (letter,) = running.dead_letters()
        assert (letter.target, letter.sender, letter.reason) == ("s", "b", "not_wired")
        assert running.member("s").queued == 0
        assert running._parts.router.ask(GetTraffic()).not_wired == 1


def test_a_member_is_not_wired_to_itself() -> None:
    with stage(**mob()) as (running, _), pytest.raises(NotWired):
        running._parts.router.ask(route("a", sender="a"))


def test_the_operator_needs_no_edge() -> None:
    with stage(**mob()) as (running, _):
        assert running.ask("b", "hello").value == "hello"


def test_a_stranger_is_answered_with_the_nearest_name() -> None:
    with stage(**mob()) as (running, _):
        running.spawn("analyst", profile="echo")

        with pytest.raises(MemberNotFound, match="did you mean 'analyst'"):
            running.send("analist", "x")
        with pytest.raises(MemberNotFound) as raised:
            running._parts.router.ask(route("nobody", sender="a"))
        assert set(raised.value.known) == {"b", "s"}  # a member learns of its peers only


def test_a_cut_edge_lets_nothing_through_and_not_even_a_result() -> None:
    with stage(**mob()) as (running, _):
        router = running._parts.router
        receipt = router.ask(route("s", sender="a"))
        running.unwire("a", "s")

        with pytest.raises(NotWired):
            router.ask(route("s", sender="a", input_id="i-2"))
        question = AwaitTurn(sender="a", target="s", input_id=receipt.input_id, wait_s=1)
        with pytest.raises(NotWired):
            router.ask(question)


def test_the_result_of_a_turn_is_passed_on_when_it_comes() -> None:
    with stage(**mob()) as (running, world):
        before = world.clock.monotonic()

        assert running.ask("s", "x").value == "at last"
        assert world.clock.monotonic() - before > 5


def test_a_failed_turn_is_passed_on_as_its_error() -> None:
    with stage(**mob()) as (running, _):
        with pytest.raises(TurnFailed) as raised:
            running.ask("f", "x")

        assert (raised.value.error_type, raised.value.error_text) == ("ValueError", "no")


def test_a_full_inbox_is_passed_on_as_its_error() -> None:
    with stage(**mob()) as (running, world):
        running.send("s", "1")
        running.send("s", "2")

        with pytest.raises(InboxFull) as raised:
            running.send("s", "3")

        assert (raised.value.identity, raised.value.limit) == ("s", 2)
        world.run_for(11)  # and with room again
        assert running.send("s", "3").outcome == "accepted"


def test_one_slow_member_delays_no_other() -> None:
    with stage(**mob()) as (running, world):
        running.send("s", "x")
        before = world.clock.monotonic()

        assert running.ask("b", "hello").value == "hello"
        assert world.clock.monotonic() - before < 1


def test_a_member_that_used_up_its_restarts_is_held_for_senders_and_waiters() -> None:
    with stage(**mob()) as (running, world):
        router = running._parts.router
        receipt = running.send("s", "x")
        question = AwaitTurn(sender=None, target="s", input_id=receipt.input_id, wait_s=60)
        waiting = router.ask(question, block=False)
        kill(running, "s")
        world.run_for(2)
        kill(running, "s")

        with pytest.raises(MemberHeld, match="killed"):
            waiting.get(timeout=10)
        with pytest.raises(MemberHeld, match="killed"):
            running.send("s", "y")
        assert running.status().held == ("s",)


def test_what_waits_in_the_mailbox_of_a_member_that_ends_is_answered_with_a_mob_error() -> None:
    with stage(**mob()) as (running, world):
        router = running._parts.router
        kill(running, "s")
        world.run_for(0.05)  # down, waiting to be started again
        queued = router.ask(route("s", sender="a"), block=False)
        world.run_for(0.01)
        assert running.retire("s")

        with pytest.raises((MemberNotFound, MemberHeld)):
            queued.get(timeout=10)


def test_peers_come_with_their_profiles() -> None:
    with stage(**mob()) as (running, _):
        router = running._parts.router

        assert router.ask(GetPeers(identity="a")) == {"b": "echo", "s": "slow"}
        running.retire("s")
        assert router.ask(GetPeers(identity="a")) == {"b": "echo"}
        assert router.ask(GetPeers(identity="f")) == {}


def test_a_draining_mob_refuses_the_operator_and_lets_members_finish() -> None:
    with stage(**mob()) as (running, _):
        router = running._parts.router
        router.ask(SetDraining())

        with pytest.raises(Draining):
            running.send("a", "x")
        assert router.ask(route("b", sender="a")).outcome == "accepted"
