"""The forwarder: one writer, group commit, durable before answered, back-pressure, followers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from actors import ActorSystem
from actors.domain.errors import StoreError
from actors.domain.events import Emitted, InputDone, MemberHeld, TurnStarted
from actors.kernel.ref import ActorRef
from actors.kernel.simulation import SimulatedWorld, simulated
from actors.roles import forwarder as module
from actors.roles.forwarder import Forwarder
from actors.roles.messages import Append, AwaitHead, Emit, Flush, GetUnwritten
from tests.roles.stage import RefusingLedger


def held(name: str) -> MemberHeld:
    return MemberHeld(identity=name, reason="r")


def said(input_id: str, data: str = "1") -> Emitted:
    return Emitted(identity="m", input_id=input_id, kind="k", data=data)


def done(input_id: str) -> InputDone:
    return InputDone(identity="m", input_id=input_id, output="null")


@contextmanager
def forwarder(
    ledger: RefusingLedger, seed: int = 3
) -> Iterator[tuple[ActorRef[Forwarder], SimulatedWorld]]:
    with simulated(seed) as world, ActorSystem("forwarder", scheduler=world) as system:
        yield system.start(Forwarder, ledger, name="forwarder"), world


def test_an_append_is_answered_with_its_cursor_and_only_when_it_is_in_the_ledger() -> None:
    ledger = RefusingLedger()
    with forwarder(ledger) as (ref, _):
        assert ref.ask(Append(events=(held("a"), held("b")))) == 2
        assert ledger.head() == 2
        assert ref.ask(Append(events=(held("c"),))) == 3


def test_what_comes_during_a_commit_shares_the_next_one_in_order() -> None:
    ledger = RefusingLedger()
    with forwarder(ledger) as (ref, _):
        answers = [ref.ask(Append(events=(held(f"m-{n}"),)), block=False) for n in range(50)]
        cursors = [answer.get(timeout=5) for answer in answers]

    assert ledger.commits[0] < 50
    assert len(ledger.commits) <= 3
    assert cursors == sorted(cursors)


def test_what_is_appended_in_one_message_is_committed_in_one_transaction() -> None:
    ledger = RefusingLedger()
    with forwarder(ledger) as (ref, _):
        first = ref.ask(Append(events=(held("first"),)), block=False)
        big = tuple(held(f"m-{n}") for n in range(module.BATCH - 1))
        answers = [ref.ask(Append(events=big), block=False) for _ in range(3)]
        for answer in (first, *answers):
            answer.get(timeout=5)

    assert set(ledger.commits) <= {1, len(big), len(big) + 1}
    assert sum(ledger.commits) == 3 * len(big) + 1


def test_an_append_is_durable_after_what_was_emitted_before_it() -> None:
    ledger = RefusingLedger()
    with forwarder(ledger) as (ref, _):
        for n in range(5):
            ref.tell(Emit(event=said("i", str(n))))
        ref.ask(Append(events=(done("i"),)))

        events = [entry.event for entry in ledger.read()]

    assert [event.data for event in events if isinstance(event, Emitted)] == list("01234")
    assert isinstance(events[-1], InputDone)


def test_a_refusal_of_the_store_reaches_the_asker_and_later_appends_go_on() -> None:
    ledger = RefusingLedger()
    with forwarder(ledger) as (ref, _):
        ledger.full = True
        with pytest.raises(StoreError, match="the disk is full"):
            ref.ask(Append(events=(held("a"),)))
        ledger.full = False

        assert ref.ask(Append(events=(held("b"),))) == 1
        assert ref.ask(GetUnwritten()) == 0


def test_one_bad_append_does_not_take_its_neighbours_with_it() -> None:
    ledger = RefusingLedger()
    ledger.refuses = TurnStarted
    bad = TurnStarted(identity="m", input_id="i", attempt=1, fence=1)
    with forwarder(ledger) as (ref, _):
        first = ref.ask(Append(events=(held("a"),)), block=False)
        good = [ref.ask(Append(events=(held(f"b-{n}"),)), block=False) for n in range(2)]
        refused = ref.ask(Append(events=(held("c"), bad)), block=False)

        assert [first.get(timeout=5)] + [each.get(timeout=5) for each in good] == [1, 2, 3]
        with pytest.raises(StoreError):
            refused.get(timeout=5)
        assert ledger.head() == 3


def test_a_turn_is_not_done_without_what_it_has_said() -> None:
    ledger = RefusingLedger()
    ledger.refuses = Emitted
    with forwarder(ledger) as (ref, _):
        ref.tell(Emit(event=said("i")))
        ref.tell(Emit(event=said("j")))
        ref.ask(Flush())
        with pytest.raises(StoreError):
            ref.ask(Append(events=(done("i"),)))
        ledger.refuses = ()

        assert ref.ask(Append(events=(done("i"),))) == 1  # its next attempt, which says it again
        with pytest.raises(StoreError):
            ref.ask(Append(events=(done("j"),)))


def test_a_flush_waits_for_all_that_came_before() -> None:
    ledger = RefusingLedger()
    with forwarder(ledger) as (ref, _):
        for n in range(10):
            ref.tell(Emit(event=said("i", str(n))))

        assert ref.ask(Flush()) == 10
        assert ref.ask(Flush()) == 10  # with nothing to wait for


def test_a_crowd_of_events_makes_the_senders_wait_and_nothing_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "CROWDED", 8)
    monkeypatch.setattr(module, "BATCH", 4)
    ledger = RefusingLedger()
    with forwarder(ledger) as (ref, world):
        for n in range(40):
            ref.tell(Emit(event=said("i", str(n))))
        most = 0

        def look() -> bool:
            nonlocal most
            actor: Any = ref.actor_inbox.actor
            most = max(most, actor._unwritten)
            return ledger.head() == 40

        assert world.run_until(look, timeout=10)
        assert most == 9  # one more than may wait without waiting
        world.run_for(1.0)  # what the ledger has the forwarder learns a little later
        assert ref.ask(GetUnwritten()) == 0
    texts = [entry.event.data for entry in ledger.read() if isinstance(entry.event, Emitted)]
    assert texts == [str(n) for n in range(40)]


def test_a_follower_is_answered_by_the_next_commit() -> None:
    ledger = RefusingLedger()
    with forwarder(ledger) as (ref, world):
        follower = ref.ask(AwaitHead(after=0, wait_s=60), block=False)
        later = ref.ask(AwaitHead(after=1, wait_s=60), block=False)
        world.run_for(1)
        assert not follower.done
        ref.ask(Append(events=(held("a"),)))

        assert follower.get(timeout=0.1) == 1
        assert not later.done
        assert ref.ask(AwaitHead(after=0, wait_s=60)) == 1  # at once


def test_a_follower_waits_no_longer_than_it_said() -> None:
    with forwarder(RefusingLedger()) as (ref, world):
        assert ref.ask(AwaitHead(after=0, wait_s=2.0)) == 0
        assert 2.0 <= world.clock.monotonic() < 2.1


def test_what_is_queued_when_the_forwarder_stops_is_written_and_followers_are_answered() -> None:
    ledger = RefusingLedger()
    with forwarder(ledger) as (ref, _):
        follower = ref.ask(AwaitHead(after=9, wait_s=60), block=False)
        for n in range(5):
            ref.tell(Emit(event=said("i", str(n))))
        ref.stop(drain=True)

        assert ledger.head() == 5
        assert follower.get(timeout=1) == 5


def test_appends_wait_for_room_like_everything_else_and_keep_their_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "CROWDED", 8)
    monkeypatch.setattr(module, "BATCH", 4)
    ledger = RefusingLedger()
    with forwarder(ledger) as (ref, world):
        answers = []
        for n in range(20):
            ref.tell(Emit(event=said("i", f"{n}")))
            answers.append(ref.ask(Append(events=(held(f"m-{n}"),)), block=False))
        most = 0

        def look() -> bool:
            nonlocal most
            actor: Any = ref.actor_inbox.actor
            most = max(most, actor._unwritten)
            return ledger.head() == 40

        assert world.run_until(look, timeout=10)
        assert most == 9
        assert [answer.get(timeout=1) for answer in answers] == sorted(
            answer.get(timeout=1) for answer in answers
        )
    events = [entry.event for entry in ledger.read()]
    assert [type(event) for event in events] == [Emitted, MemberHeld] * 20
