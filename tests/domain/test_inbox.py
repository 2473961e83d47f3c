"""The inbox: order, idempotency, bounds, the steer lane, retries and quarantine."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from actors.domain.errors import InboxFull, KeyConflict
from actors.domain.inbox import Inbox, InputPhaseError, Mode, Phase, TurnInput


def given_input(
    input_id: str,
    *,
    key: str | None = None,
    mode: Mode = "queue",
    digest: str = "",
    attempt: int = 0,
) -> TurnInput:
    return TurnInput(
        input_id, None, f"do {input_id}", key=key, mode=mode, digest=digest, attempt=attempt
    )


def filled(*ids: str, limit: int = 10, attempts: int = 3) -> Inbox:
    inbox = Inbox(limit, attempts, identity="lead")
    for input_id in ids:
        inbox.accept(given_input(input_id))
    return inbox


def ids(inputs: tuple[TurnInput, ...]) -> list[str]:
    return [each.input_id for each in inputs]


def ready(inbox: Inbox, mode: Mode | None = None) -> str | None:
    found = inbox.next_ready(mode)
    return found.input_id if found else None


# Acceptance


def test_inputs_are_ready_in_the_order_of_acceptance() -> None:
    inbox = filled("a", "b")

    assert ready(inbox) == "a"
    assert ids(inbox.pending) == ["a", "b"]
    assert inbox.queued == 2


def test_an_accepted_input_gets_a_receipt_naming_itself() -> None:
    receipt = Inbox().accept(given_input("a", key="k"))

    assert (receipt.input_id, receipt.canonical_input_id, receipt.outcome) == ("a", "a", "accepted")


def test_the_same_key_and_content_is_a_duplicate_of_the_first_input() -> None:
    inbox = Inbox()
    inbox.accept(given_input("a", key="k", digest="d"))

    receipt = inbox.accept(given_input("b", key="k", digest="d"))

    assert (receipt.input_id, receipt.canonical_input_id, receipt.outcome) == (
        "b",
        "a",
        "duplicate",
    )
    assert ids(inbox.pending) == ["a"]


def test_the_same_key_with_another_content_is_a_conflict() -> None:
    inbox = Inbox()
    inbox.accept(given_input("a", key="k", digest="d"))

    with pytest.raises(KeyConflict) as raised:
        inbox.accept(given_input("b", key="k", digest="e"))

    assert raised.value.key == "k"
    assert ids(inbox.pending) == ["a"]


def test_a_key_is_remembered_after_its_input_is_finished() -> None:
    inbox = Inbox()
    inbox.accept(given_input("a", key="k"))
    inbox.start("a")
    inbox.done("a")

    assert inbox.accept(given_input("b", key="k")).canonical_input_id == "a"


def test_the_same_input_delivered_twice_is_queued_once() -> None:
    inbox = filled("a")

    receipt = inbox.accept(given_input("a"))

    assert (receipt.canonical_input_id, receipt.outcome) == ("a", "duplicate")
    assert ids(inbox.pending) == ["a"]


@pytest.mark.parametrize("other", [given_input("a", digest="e"), given_input("a", key="k")])
def test_one_id_for_two_inputs_is_a_conflict(other: TurnInput) -> None:
    inbox = filled("a")

    with pytest.raises(KeyConflict):
        inbox.accept(other)

    assert ids(inbox.pending) == ["a"]


def test_a_full_inbox_refuses_and_says_when_to_come_again() -> None:
    inbox = filled("a", "b", limit=2)

    with pytest.raises(InboxFull) as raised:
        inbox.accept(given_input("c"))

    assert (raised.value.identity, raised.value.limit) == ("lead", 2)
    assert raised.value.retry_after > 0
    assert ids(inbox.pending) == ["a", "b"]


def test_a_refused_key_may_be_sent_again() -> None:
    inbox = filled("a", limit=1)
    with pytest.raises(InboxFull):
        inbox.accept(given_input("b", key="k"))
    inbox.start("a")
    inbox.done("a")

    assert inbox.accept(given_input("b", key="k")).outcome == "accepted"


def test_a_duplicate_needs_no_room() -> None:
    inbox = Inbox(limit=1)
    inbox.accept(given_input("a", key="k"))

    assert inbox.accept(given_input("b", key="k")).outcome == "duplicate"


def test_a_running_input_takes_room_and_a_quarantined_one_does_not() -> None:
    inbox = filled("a", limit=1, attempts=1)
    inbox.start("a")
    with pytest.raises(InboxFull):
        inbox.accept(given_input("b"))

    inbox.fail("a")

    assert inbox.accept(given_input("b")).outcome == "accepted"


# Turns


def test_attempts_are_counted_from_one() -> None:
    inbox = filled("a")

    assert inbox.start("a") == 1
    inbox.fail("a")
    assert inbox.start("a") == 2
    running = inbox.running
    assert running is not None
    assert running.attempt == 2


def test_nothing_is_ready_while_a_turn_runs_or_when_nothing_waits() -> None:
    inbox = filled("a", "b")
    inbox.start("a")

    assert ready(inbox) is None
    inbox.done("a")
    inbox.cancelled("b")
    assert ready(inbox) is None


def test_a_second_turn_does_not_start_beside_the_first() -> None:
    inbox = filled("a", "b")
    inbox.start("a")

    with pytest.raises(InputPhaseError) as raised:
        inbox.start("b")

    assert str(raised.value) == "cannot start b beside input a: it is running"
    assert inbox.phase("b") is Phase.QUEUED


def test_a_finished_input_leaves_the_inbox() -> None:
    inbox = filled("a")
    inbox.start("a")

    assert inbox.done("a") == ("a",)
    assert (inbox.running, inbox.phase("a"), len(inbox)) == (None, None, 0)


def test_a_failed_input_is_tried_again_before_everything_later() -> None:
    inbox = filled("a", "b")
    inbox.start("a")

    assert inbox.fail("a") == "retry"

    assert ids(inbox.pending) == ["a", "b"]
    assert inbox.failures("a") == 1


def test_an_input_that_failed_as_often_as_it_may_is_quarantined() -> None:
    inbox = filled("a", "b", attempts=2)

    inbox.start("a")
    first = inbox.fail("a")
    inbox.start("a")
    second = inbox.fail("a")

    assert (first, second) == ("retry", "quarantined")
    assert ids(inbox.quarantined) == ["a"]
    assert inbox.phase("a") is Phase.QUARANTINED
    assert ready(inbox) == "b"


def test_an_interrupted_input_goes_back_to_the_head_without_blame() -> None:
    inbox = filled("a", "b", attempts=1)
    for attempt in range(1, 21):
        assert inbox.start("a") == attempt
        assert inbox.interrupted() == ("a",)

    assert ids(inbox.pending) == ["a", "b"]
    assert inbox.failures("a") == 0


def test_an_interruption_between_turns_changes_nothing() -> None:
    inbox = filled("a")

    assert inbox.interrupted() == ()
    assert ids(inbox.pending) == ["a"]


def test_a_queued_input_can_be_cancelled() -> None:
    inbox = filled("a", "b", "c")

    assert inbox.cancelled("b") == ("b",)
    assert ids(inbox.pending) == ["a", "c"]
    assert inbox.phase("b") is None


def test_a_cancelled_turn_ends_with_what_it_had_taken() -> None:
    inbox = filled("a")
    inbox.start("a")
    inbox.accept(given_input("s", mode="steer"))
    inbox.take_steered()

    assert inbox.cancelled("a") == ("a", "s")
    assert (inbox.running, len(inbox)) == (None, 0)


def test_a_withdrawn_input_and_its_key_were_never_here() -> None:
    inbox = filled("a")
    inbox.accept(given_input("b", key="k", digest="d"))

    inbox.withdraw("b")
    inbox.withdraw("a")

    assert len(inbox) == 0
    assert ready(inbox) is None
    assert inbox.accept(given_input("c", key="k", digest="e")).outcome == "accepted"


def test_a_withdrawn_steered_input_is_not_handed_over() -> None:
    inbox = filled("a")
    inbox.start("a")
    inbox.accept(given_input("s", mode="steer"))

    inbox.withdraw("s")

    assert inbox.take_steered() == ()


def test_steered_inputs_behind_one_that_is_held_back_wait_with_it() -> None:
    inbox = filled("a")
    inbox.start("a")
    for name in ("s", "t", "u"):
        inbox.accept(given_input(name, mode="steer"))

    assert ids(inbox.take_steered(until={"t"})) == ["s"]
    assert ids(inbox.take_steered(until={"t"})) == []
    assert ids(inbox.take_steered()) == ["t", "u"]


@pytest.mark.parametrize("action", ["start", "done", "fail", "cancelled", "withdraw"])
def test_an_unknown_input_is_refused(action: str) -> None:
    with pytest.raises(InputPhaseError) as raised:
        getattr(Inbox(), action)("nobody")

    assert (raised.value.input_id, raised.value.phase) == ("nobody", None)
    assert str(raised.value).endswith("input nobody: it is not in the inbox")


@pytest.mark.parametrize("action", ["done", "fail"])
def test_only_a_running_input_ends_a_turn(action: str) -> None:
    inbox = filled("a")

    with pytest.raises(InputPhaseError) as raised:
        getattr(inbox, action)("a")

    assert raised.value.phase is Phase.QUEUED
    assert ids(inbox.pending) == ["a"]


def test_an_input_that_a_turn_has_taken_is_not_cancelled_alone() -> None:
    inbox = filled("a")
    inbox.start("a")
    inbox.accept(given_input("s", mode="steer"))
    inbox.take_steered()

    with pytest.raises(InputPhaseError) as raised:
        inbox.cancelled("s")

    assert raised.value.phase is Phase.TAKEN
    assert ids(inbox.taken) == ["s"]


# The steer lane


def test_a_steered_input_is_offered_to_the_running_turn_once() -> None:
    inbox = filled("a", "q")
    inbox.start("a")
    inbox.accept(given_input("s", mode="steer"))

    assert ids(inbox.take_steered()) == ["s"]
    assert inbox.take_steered() == ()
    assert inbox.done("a") == ("a", "s")
    assert ids(inbox.pending) == ["q"]


def test_a_steered_input_is_queued_like_any_other_when_no_turn_runs() -> None:
    inbox = filled("a")
    inbox.accept(given_input("s", mode="steer"))

    assert inbox.take_steered() == ()
    assert ids(inbox.pending) == ["a", "s"]
    assert (ready(inbox, "steer"), ready(inbox, "queue")) == (None, "a")


def test_sc_3_17_a_steered_input_the_turn_did_not_take_goes_first_in_the_next() -> None:
    inbox = filled("a", "q")
    inbox.start("a")
    inbox.accept(given_input("s", mode="steer"))
    inbox.done("a")

    assert ids(inbox.pending) == ["s", "q"]
    assert (ready(inbox), ready(inbox, "steer"), ready(inbox, "queue")) == ("s", "s", "q")


@pytest.mark.parametrize("attempts", [1, 2])
def test_what_a_failed_turn_had_taken_comes_back_in_order_without_blame(attempts: int) -> None:
    inbox = filled("a", attempts=attempts)
    inbox.start("a")
    for input_id in "st":
        inbox.accept(given_input(input_id, mode="steer"))
    inbox.take_steered()
    inbox.accept(given_input("u", mode="steer"))

    inbox.fail("a")

    assert ids(inbox.pending)[:3] == ["s", "t", "u"]
    assert inbox.failures("s") == 0
    assert inbox.phase("s") is Phase.QUEUED


def test_what_an_interrupted_turn_had_taken_comes_back() -> None:
    inbox = filled("a")
    inbox.start("a")
    inbox.accept(given_input("s", mode="steer"))
    inbox.take_steered()

    assert inbox.interrupted() == ("a", "s")
    assert ids(inbox.pending) == ["s", "a"]


# Bringing an inbox back


def test_restored_inputs_keep_order_attempts_and_keys_and_ignore_the_limit() -> None:
    inbox = Inbox(limit=1, attempts=3)

    inbox.restore(given_input("a", key="k", digest="d", attempt=2), failures=1)
    inbox.restore(given_input("b"))

    assert ids(inbox.pending) == ["a", "b"]
    assert inbox.failures("a") == 1
    assert inbox.start("a") == 3
    assert inbox.accept(given_input("c", key="k", digest="d")).canonical_input_id == "a"


def test_an_input_restored_with_all_its_failures_is_quarantined() -> None:
    inbox = Inbox(attempts=2)

    assert inbox.restore(given_input("a", attempt=2), failures=2) is Phase.QUARANTINED
    assert ids(inbox.quarantined) == ["a"]
    assert inbox.pending == ()


def test_an_input_is_not_restored_twice() -> None:
    inbox = filled("a")

    with pytest.raises(KeyConflict):
        inbox.restore(given_input("a"))

    assert ids(inbox.pending) == ["a"]


def test_a_remembered_key_makes_a_later_input_a_duplicate() -> None:
    inbox = Inbox()
    inbox.remember(given_input("a", key="k", digest="d"))
    inbox.remember(given_input("without a key"))

    assert inbox.accept(given_input("b", key="k", digest="d")).canonical_input_id == "a"
    with pytest.raises(KeyConflict):
        inbox.restore(given_input("c", key="k", digest="d"))
    assert len(inbox) == 0


# Against a model


class InboxAgainstAModel(RuleBasedStateMachine):
    """Any commands in any order: every accepted input is in exactly one place, in order."""

    LIMIT, ATTEMPTS = 4, 2

    def __init__(self) -> None:
        super().__init__()
        self.inbox = Inbox(self.LIMIT, self.ATTEMPTS)
        self.steer: list[str] = []
        self.queue: list[str] = []
        self.running: str | None = None
        self.home: dict[str, list[str]] = {}
        self.taken: list[str] = []
        self.quarantined: list[str] = []
        self.finished: list[str] = []
        self.failures: dict[str, int] = {}
        self.accepted = 0

    @rule(mode=st.sampled_from(["queue", "steer"]))
    def accept(self, mode: Mode) -> None:
        name = f"i{self.accepted}"
        given_one = given_input(name, mode=mode, key=name)
        if len(self.steer) + len(self.queue) + len(self.taken) + bool(self.running) >= self.LIMIT:
            with pytest.raises(InboxFull):
                self.inbox.accept(given_one)
            return
        assert self.inbox.accept(given_one).outcome == "accepted"
        self.accepted += 1
        self.home[name] = self.steer if mode == "steer" and self.running else self.queue
        self.home[name].append(name)

    @precondition(lambda self: self.accepted)
    @rule(data=st.data())
    def send_again(self, data: st.DataObject) -> None:
        name = f"i{data.draw(st.integers(0, self.accepted - 1))}"
        receipt = self.inbox.accept(given_input("again", key=name))
        assert receipt.canonical_input_id == name

    @rule()
    def start(self) -> None:
        found = self.inbox.next_ready()
        if self.running or not (self.steer or self.queue):
            assert found is None
            return
        assert found is not None
        assert found.input_id == (self.steer or self.queue)[0]
        assert self.inbox.start(found.input_id) == found.attempt + 1
        (self.steer or self.queue).pop(0)
        self.running = found.input_id

    @rule()
    def take(self) -> None:
        taken = ids(self.inbox.take_steered())
        assert taken == (self.steer if self.running else [])
        if self.running:
            self.taken += taken
            self.steer.clear()

    def give_back(self) -> None:
        self.steer[:0] = self.taken
        self.taken.clear()

    @precondition(lambda self: self.running)
    @rule(how=st.sampled_from(["done", "cancelled"]))
    def finish(self, how: str) -> None:
        ended = list(getattr(self.inbox, how)(self.running))
        assert ended == [self.running, *self.taken]
        self.finished += ended
        self.taken.clear()
        self.running = None

    @precondition(lambda self: self.running)
    @rule()
    def fail(self) -> None:
        name = str(self.running)
        self.failures[name] = self.failures.get(name, 0) + 1
        self.give_back()
        outcome = self.inbox.fail(name)
        self.running = None
        if self.failures[name] == self.ATTEMPTS:
            assert outcome == "quarantined"
            self.quarantined.append(name)
        else:
            assert outcome == "retry"
            self.home[name].insert(0, name)

    @rule()
    def interrupt(self) -> None:
        back = list(self.inbox.interrupted())
        assert back == ([self.running, *self.taken] if self.running else [])
        self.give_back()
        if self.running:
            self.home[self.running].insert(0, self.running)
            self.running = None

    @precondition(lambda self: self.steer or self.queue)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(self.steer + self.queue))
        assert self.inbox.cancelled(name) == (name,)
        self.home[name].remove(name)
        self.finished.append(name)

    @invariant()
    def agrees(self) -> None:
        running = self.inbox.running
        assert ids(self.inbox.pending) == self.steer + self.queue
        assert self.inbox.queued == len(self.steer) + len(self.queue)
        assert (running.input_id if running else None) == self.running
        assert ids(self.inbox.taken) == self.taken
        assert ids(self.inbox.quarantined) == self.quarantined
        everywhere = [*self.steer, *self.queue, *self.taken, *self.quarantined, *self.finished]
        everywhere += [self.running] if self.running else []
        assert sorted(everywhere) == sorted(f"i{number}" for number in range(self.accepted))
        assert len(self.inbox) <= self.LIMIT


InboxAgainstAModel.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestInboxAgainstAModel = InboxAgainstAModel.TestCase


@given(st.lists(st.tuples(st.sampled_from("kl"), st.sampled_from("de"))))
def test_for_any_key_at_most_one_input_is_ever_queued(script: list[tuple[str, str]]) -> None:
    inbox = Inbox()
    first: dict[str, str] = {}
    for number, (key, digest) in enumerate(script):
        given_one = given_input(f"i{number}", key=key, digest=digest)
        if first.setdefault(key, digest) != digest:
            with pytest.raises(KeyConflict):
                inbox.accept(given_one)
        else:
            inbox.accept(given_one)

    assert len(inbox) == len(first)


def test_what_a_turn_took_is_finished_at_its_next_boundary_and_makes_room() -> None:
    inbox = Inbox(limit=2)
    inbox.accept(TurnInput("long", None, "work"))
    inbox.start("long")

    for number in range(5):
        steered = TurnInput(f"note-{number}", "peer", "text", mode="steer")
        assert inbox.accept(steered).outcome == "accepted"
        assert [given.input_id for given in inbox.take_steered()] == [steered.input_id]
        assert inbox.settle_taken() == (steered.input_id,)

    assert inbox.settle_taken() == ()
    assert inbox.done("long") == ("long",)
