"""Dead letters: a closed list of reasons, complete counts, a bounded ring."""

from __future__ import annotations

import logging
from typing import Any, get_args

import pytest

from actors import ActorSystem, ChildSpec
from actors.kernel.errors import ActorDead, MailboxFull, NotRedeliverable, Unhandled, UnknownAddress
from actors.kernel.letters import REASONS, RING, DeadLetter, DeadLetters, DeadReason
from tests.kernel.cast import Add, Counter, Note, Total


def letter(reason: Any = "dead", message: object = None) -> DeadLetter:
    return DeadLetter("mob://x/y", reason, message or Add(), 5)


@pytest.mark.parametrize("reason", get_args(DeadReason))
def test_every_reason_is_counted(reason: DeadReason) -> None:
    letters = DeadLetters()
    letters.add(letter(reason))
    letters.add(letter(reason))

    assert letters.counts() == {reason: 2}
    assert letters.total == len(letters) == 2


def test_other_reasons_are_refused() -> None:
    with pytest.raises(ValueError, match="'bored' is not a reason"):
        DeadLetters().add(letter("bored"))


def test_the_ring_is_bounded_and_the_counts_are_complete() -> None:
    letters = DeadLetters()
    for _ in range(RING + 5):
        letters.add(letter())

    assert len(letters) == RING
    assert letters.total == RING + 5


def test_the_ring_is_bounded_in_bytes() -> None:
    letters = DeadLetters()
    for _ in range(40):
        letters.add(letter(message=Note(text="x" * 1_000_000)))

    assert len(letters) == 16
    assert letters.total == 40


def test_a_letter_never_prints_its_message() -> None:
    secret = letter(message=Note(text="secret"))

    assert repr(secret) == "<DeadLetter Note to mob://x/y: dead>"
    assert secret.message_type == "Note"


def test_expected_letters_are_counted_but_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    letters = DeadLetters()
    for _ in range(1_000):
        letters.add(letter("shutdown"), expected=True)
    assert (letters.total, caplog.records) == (1_000, [])

    letters.add(letter("shutdown"))

    assert "dead letter (shutdown, number 1001): Add" in caplog.text


def test_the_first_letter_of_each_reason_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    letters = DeadLetters()
    with caplog.at_level(logging.WARNING, "actors"):
        for _ in range(1_500):
            letters.add(letter())

    assert [record.args[1] for record in caplog.records if record.args] == [1, 1000]  # type: ignore[index]


def test_a_refused_message_is_kept_for_looking_but_did_not_end_as_a_letter(
    system: ActorSystem,
) -> None:
    system.realm.refused("mob://test/x", "not_wired", Add())

    assert [letter.reason for letter in system.dead_letters] == ["not_wired"]
    assert system.dead_letters.total == 0
    assert system.audit().balanced


def test_unhandled_messages_become_letters(system: ActorSystem) -> None:
    ref = system.start(Counter, name="c")
    with pytest.raises(Unhandled):
        ref.ask(Note(text="x"))

    (dead,) = system.dead_letters
    assert (dead.address, dead.reason, dead.message) == (ref.address, "unhandled", Note(text="x"))


def test_a_message_to_a_dead_actor_is_rejected_and_no_letter(system: ActorSystem) -> None:
    ref = system.start(Counter)
    ref.stop()
    with pytest.raises(ActorDead):
        ref.tell(Add())

    assert system.dead_letters.total == 0
    assert system.audit().rejected == 1


# -- redelivery ---------------------------------------------------------------------------------


def test_a_letter_that_nobody_handled_is_delivered_again(sim: ActorSystem) -> None:
    counter = sim.start(Counter, 0, name="counter")
    counter.tell(Add(n=2))
    counter.stop()
    (letter,) = sim.dead_letters

    again = sim.start(Counter, 0, name="counter")
    sim.redeliver(letter)

    assert again.ask(Total()) == 2
    assert list(sim.dead_letters) == []
    audit = sim.audit()
    assert (audit.sent, audit.dead_lettered) == (3, 1)
    assert audit.balanced


def test_a_letter_is_delivered_again_only_once(sim: ActorSystem) -> None:
    counter = sim.start(Counter, 0, name="counter")
    counter.tell(Add(n=2))
    counter.stop()
    (letter,) = sim.dead_letters
    again = sim.start(Counter, 0, name="counter")
    sim.redeliver(letter)

    with pytest.raises(NotRedeliverable, match="not among the dead letters any more"):
        sim.redeliver(letter)
    assert again.ask(Total()) == 2


def test_a_letter_to_nobody_stays(sim: ActorSystem) -> None:
    counter = sim.start(Counter, 0, name="counter")
    counter.tell(Add(n=2))
    counter.stop()
    (letter,) = sim.dead_letters

    with pytest.raises(UnknownAddress):
        sim.redeliver(letter)
    assert list(sim.dead_letters) == [letter]


def test_a_letter_that_finds_no_room_stays(sim: ActorSystem) -> None:
    counter = sim.start(Counter, 0, name="counter")
    counter.tell(Add(n=2))
    counter.stop()
    (letter,) = sim.dead_letters
    again = sim.spawn(ChildSpec(Counter, name="counter", mailbox=1))
    again.tell(Add(n=1))

    with pytest.raises(MailboxFull):
        sim.redeliver(letter)
    assert list(sim.dead_letters) == [letter]
    assert sim.audit().balanced


def test_what_may_have_been_handled_or_was_refused_by_a_rule_is_not_delivered_again(
    sim: ActorSystem,
) -> None:
    safe = set()
    for reason in REASONS:
        letter = DeadLetter("mob://sim/counter", reason, Add(), 0)
        if letter.obstacle is None:
            safe.add(reason)
        else:
            with pytest.raises(NotRedeliverable, match=f"the reason '{reason}' stands against"):
                sim.redeliver(letter)

    assert safe == {"no_such_actor", "dead", "sealed", "full", "unhandled", "shutdown"}


def test_an_ask_whose_sender_was_told_is_not_delivered_again(sim: ActorSystem) -> None:
    counter = sim.start(Counter, 0, name="counter")
    with pytest.raises(Unhandled):
        counter.ask(Note(text="x"))
    (letter,) = sim.dead_letters

    with pytest.raises(NotRedeliverable, match="its sender was told"):
        sim.redeliver(letter)
