"""Operation lifecycle: the table, and the registry against a model.

Invariants and scenarios by number: spec/member_runtime.md §2.7 and §2.8.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.domain import operations
from actors.domain.errors import MobError
from actors.domain.operations import (
    TRANSITIONS,
    AlreadyPeerReady,
    AlreadyRegistered,
    Command,
    InvalidTransition,
    MaxConcurrentExceeded,
    NotFound,
    OperationBook,
    OperationKind,
    OperationRecord,
    OperationResult,
    OperationStatus,
    PeerHandle,
    PeerNotExpected,
    Registration,
    step,
)

H1 = PeerHandle(name="alpha", trusted_peer="peer-1")
H2 = PeerHandle(name="beta", trusted_peer="peer-2")
RESULT = OperationResult(id="r", content="done", duration_ms=5, tokens_used=7)


def member(id: str, *, name: str = "n", child: str | None = "S") -> Registration:
    return Registration(
        id=id,
        kind=OperationKind.MOB_MEMBER_CHILD,
        owner_session_id="O",
        display_name=name,
        source_label="mob_member",
        child_session_id=child,
        expect_peer_channel=True,
    )


def tool(id: str) -> Registration:
    return member(id).model_copy(update={"kind": OperationKind.BACKGROUND_TOOL_OP})


def started(registration: Registration) -> OperationBook:
    book = OperationBook()
    book.register(registration, now_ms=100)
    book.provisioning_succeeded(registration.id, now_ms=110)
    return book


def record(book: OperationBook, id: str) -> OperationRecord:
    found = book.snapshot(id)
    assert found is not None
    return found


# The table


def test_the_table_answers_every_command_in_every_status() -> None:
    assert set(TRANSITIONS) == {(s, c) for s in OperationStatus for c in Command}


def test_no_transition_leaves_a_terminal_status() -> None:
    moved = {
        (status, command)
        for (status, command), target in TRANSITIONS.items()
        if status.terminal and isinstance(target, OperationStatus) and target is not status
    }

    assert moved == set()


def test_statuses_are_absent_live_or_terminal() -> None:
    live = {status for status in OperationStatus if status.live}
    terminal = {status for status in OperationStatus if status.terminal}

    assert live == {"provisioning", "running", "retiring"}
    assert terminal == set(OperationStatus) - live - {OperationStatus.ABSENT}


# Independent of the module: one line per command, columns as in the specification.
# absent, provisioning, running, retiring, terminal; "=" same status, "E" refused, "-" not found.
EXPECTED = {
    "register": ("provisioning", "A", "A", "A", "A"),
    "provisioning_succeeded": ("-", "running", "E", "E", "E"),
    "provisioning_failed": ("-", "failed", "E", "E", "E"),
    "abort_provisioning": ("-", "aborted", "E", "E", "E"),
    "peer_ready": ("-", "E", "=", "=", "E"),
    "report_progress": ("-", "E", "=", "=", "E"),
    "complete": ("-", "E", "completed", "completed", "E"),
    "fail": ("-", "failed", "failed", "failed", "E"),
    "cancel": ("-", "cancelled", "cancelled", "cancelled", "E"),
    "request_retire": ("-", "E", "retiring", "E", "E"),
    "mark_retired": ("-", "E", "retired", "retired", "E"),
    "terminate_owner": ("=", "terminated", "terminated", "terminated", "="),
}
ACTIONS = {
    "provisioning_failed": "fail_operation",
    "complete": "complete_operation",
    "fail": "fail_operation",
    "cancel": "cancel_operation",
}
COLUMN = {"absent": 0, "provisioning": 1, "running": 2, "retiring": 3}


def expected(status: str, command: str) -> str:
    """The model's answer: a status, or E, A, -."""
    target = EXPECTED[command][COLUMN.get(status, 4)]
    return status if target == "=" else target


@pytest.mark.parametrize("command", list(Command))
@pytest.mark.parametrize("status", list(OperationStatus))
def test_step_agrees_with_the_specification(status: OperationStatus, command: Command) -> None:
    answer = expected(status.value, command.value)

    if answer == "-":
        with pytest.raises(NotFound) as not_found:
            step(status, command, operation_id="op")
        assert not_found.value.id == "op"
    elif answer == "A":
        with pytest.raises(AlreadyRegistered):
            step(status, command, operation_id="op")
    elif answer == "E":
        with pytest.raises(InvalidTransition) as invalid:
            step(status, command, operation_id="op")
        assert invalid.value.status is status
        assert invalid.value.action == ACTIONS.get(command.value, command.value)
    else:
        assert step(status, command) is OperationStatus(answer)


# The registry against a model (I2.1 to I2.5, I2.12, I2.13)


class Model:
    """A dict of dicts that knows only `EXPECTED`."""

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self.rows: dict[str, dict[str, object]] = {}

    def live(self) -> int:
        return sum(row["status"] in COLUMN for row in self.rows.values())

    def command(self, id: str, command: str, kind: str) -> str | None:
        """Apply a command; the name of the expected error class, or None."""
        if command == "terminate_owner":
            for row in self.rows.values():
                row["status"] = expected(str(row["status"]), command)
            return None
        row = self.rows.get(id, {"status": "absent", "kind": kind, "peer": False, "count": 0})
        if command == "peer_ready" and id in self.rows:
            if row["kind"] != "mob_member_child":
                return "PeerNotExpected"
            if row["peer"]:
                return "AlreadyPeerReady"
        answer = expected(str(row["status"]), command)
        if answer in "-AE":
            return {"-": "NotFound", "A": "AlreadyRegistered", "E": "InvalidTransition"}[answer]
        if command == "register":
            if self.limit is not None and self.live() >= self.limit:
                return "MaxConcurrentExceeded"
            self.rows[id] = row
        row["status"] = answer
        row["peer"] = row["peer"] or command == "peer_ready"
        row["count"] = int(str(row["count"])) + (command == "report_progress")
        return None


def perform(book: OperationBook, id: str, command: str, kind: str, now: int) -> None:
    registration = member(id) if kind == "mob_member_child" else tool(id)
    acts: dict[str, Callable[[], object]] = {
        "register": lambda: book.register(registration, now_ms=now),
        "provisioning_succeeded": lambda: book.provisioning_succeeded(id, now_ms=now),
        "provisioning_failed": lambda: book.provisioning_failed(id, "no", now_ms=now),
        "abort_provisioning": lambda: book.abort_provisioning(id, now_ms=now),
        "peer_ready": lambda: book.peer_ready(id, H1 if now % 2 else H2),
        "report_progress": lambda: book.report_progress(id),
        "complete": lambda: book.complete(id, RESULT, now_ms=now),
        "fail": lambda: book.fail(id, "no", now_ms=now),
        "cancel": lambda: book.cancel(id, now_ms=now),
        "request_retire": lambda: book.request_retire(id),
        "mark_retired": lambda: book.mark_retired(id, now_ms=now),
        "terminate_owner": lambda: book.terminate_owner("bye", now_ms=now),
    }
    acts[command]()


ids = st.sampled_from(["x", "y", "z"])
# Ways through life are likelier than a uniform choice makes them.
words = st.sampled_from(
    [*EXPECTED, "register", "register", *["provisioning_succeeded", "peer_ready"] * 2]
).flatmap(lambda w: st.just(w) if w != "terminate_owner" else st.sampled_from([w, "register"]))
kinds = st.sampled_from(["mob_member_child", "mob_member_child", "background_tool_op"])
scripts = st.lists(st.tuples(ids, words, kinds, st.integers(0, 1000)), max_size=40)


@given(scripts, st.sampled_from([None, 1, 2]))
def test_i2_13_the_registry_agrees_with_a_dict_on_every_status_and_error(
    script: list[tuple[str, str, str, int]], limit: int | None
) -> None:
    book, model = OperationBook(max_concurrent=limit), Model(limit)
    first_handles: dict[str, PeerHandle] = {}
    for id, command, kind, now in script:
        before = tuple(book.list())

        error: str | None = None
        try:
            perform(book, id, command, kind, now)
        except MobError as raised:
            error = type(raised).__name__

        assert error == model.command(id, command, kind)
        if error is not None:
            assert tuple(book.list()) == before  # I2.12
        assert book.live == model.live()
        assert len(book) == len(model.rows)
        assert limit is None or book.live <= limit  # I2.7, its live half
        for key, row in model.rows.items():
            found = record(book, key)
            assert found.status == row["status"]  # I2.1
            assert found.progress_count == row["count"]  # I2.5
            assert found.peer_ready == row["peer"] == (found.peer_handle is not None)  # I2.4
            if found.peer_handle is not None:
                assert first_handles.setdefault(key, found.peer_handle) == found.peer_handle
            ended = found.status.terminal
            assert (found.completed_at_ms is not None) == ended  # I2.2
            assert (found.elapsed_ms is not None) == ended
            assert (found.terminal_outcome is not None) == ended
            if found.terminal_outcome is not None:
                assert found.terminal_outcome.outcome_type == found.status.value
            if found.started_at_ms is not None and found.completed_at_ms is not None:
                assert found.started_at_ms <= found.completed_at_ms  # I2.3
            if found.elapsed_ms is not None:
                assert found.elapsed_ms >= 0
            if found.status is OperationStatus.PROVISIONING:
                assert found.started_at_ms is None


# Scenarios, as far as they concern plain commands


def test_sc_2_1_a_member_is_provisioned_progresses_and_is_ready() -> None:
    book = started(member("op", name="mob-a/orchestrator/member-alpha"))

    book.report_progress("op")
    book.peer_ready("op", H1)

    found = record(book, "op")
    assert (found.status, found.peer_ready, found.progress_count) == ("running", True, 1)
    assert (found.created_at_ms, found.started_at_ms) == (100, 110)


def test_sc_2_2_a_retired_operation_keeps_its_peer() -> None:
    book = started(member("op"))
    book.peer_ready("op", H1)

    book.request_retire("op")
    found = book.mark_retired("op", now_ms=150)

    assert found.status == "retired"
    assert found.terminal_outcome == operations.Retired()
    assert found.peer_ready
    assert (found.completed_at_ms, found.elapsed_ms) == (150, 50)


def test_sc_2_5_provisioning_is_aborted_with_its_reason() -> None:
    book = OperationBook()
    book.register(member("op"), now_ms=0)

    found = book.abort_provisioning("op", "mob is stopping", now_ms=1)

    assert found.status == "aborted"
    assert found.terminal_outcome == operations.Aborted(reason="mob is stopping")
    assert found.started_at_ms is None


def test_sc_2_6_a_running_operation_is_not_aborted() -> None:
    book = started(member("op"))

    with pytest.raises(InvalidTransition) as raised:
        book.abort_provisioning("op", now_ms=120)

    assert raised.value.args == ("op", "running", "abort_provisioning")
    assert record(book, "op").status == "running"


def test_sc_2_10_a_provisioning_operation_is_not_retired() -> None:
    book = OperationBook()
    book.register(member("op"), now_ms=0)

    with pytest.raises(InvalidTransition) as raised:
        book.request_retire("op")

    text = "invalid lifecycle transition for op: Provisioning -> request_retire"
    assert str(raised.value) == text
    assert record(book, "op").status == "provisioning"


def test_sc_2_12_only_a_running_member_may_be_peer_ready() -> None:
    book = started(tool("tool"))
    book.register(member("op"), now_ms=0)

    with pytest.raises(PeerNotExpected):
        book.peer_ready("tool", H1)
    with pytest.raises(InvalidTransition) as raised:
        book.peer_ready("op", H1)

    assert (raised.value.status, raised.value.action) == ("provisioning", "peer_ready")


def test_sc_2_14_the_first_peer_handle_stays_after_completion() -> None:
    book = started(member("op"))
    book.peer_ready("op", H1)
    book.complete("op", RESULT, now_ms=130)

    with pytest.raises(AlreadyPeerReady):
        book.peer_ready("op", H2)

    assert record(book, "op").peer_handle == H1


def test_sc_2_15_the_limit_counts_live_operations_only() -> None:
    book = OperationBook(max_concurrent=1)
    book.register(member("a"), now_ms=0)
    book.provisioning_succeeded("a", now_ms=0)

    with pytest.raises(MaxConcurrentExceeded) as raised:
        book.register(member("b"), now_ms=0)
    assert (raised.value.limit, raised.value.active) == (1, 1)

    book.complete("a", RESULT, now_ms=1)

    assert book.register(member("b"), now_ms=2).status == "provisioning"


def test_sc_2_15_the_duplicate_check_comes_before_the_limit() -> None:
    book = OperationBook(max_concurrent=1)
    book.register(member("a"), now_ms=0)

    with pytest.raises(AlreadyRegistered):
        book.register(member("a"), now_ms=0)


def test_sc_2_19_a_cancelled_operation_keeps_the_reason() -> None:
    book = started(member("op"))

    found = book.cancel("op", "x", now_ms=120)

    assert found.terminal_outcome == operations.Cancelled(reason="x")


def test_sc_2_20_the_end_of_the_owner_ends_every_live_operation() -> None:
    book = OperationBook()
    for id in "prtc":
        book.register(member(id), now_ms=0)
    for id in "rtc":
        book.provisioning_succeeded(id, now_ms=1)
    book.request_retire("t")
    book.complete("c", RESULT, now_ms=2)
    completed = record(book, "c")

    ended = book.terminate_owner("bye", now_ms=3)

    assert ended == ("p", "r", "t")
    assert {record(book, id).terminal_outcome for id in "prt"} == {
        operations.Terminated(reason="bye")
    }
    assert record(book, "c") == completed
    before = tuple(book.list())
    assert book.terminate_owner("again", now_ms=4) == ()
    assert tuple(book.list()) == before


def test_operations_are_listed_by_display_name_then_age_then_id() -> None:
    book = OperationBook()
    for id, name, now in [("d", "b", 1), ("c", "a", 2), ("b", "a", 1), ("a", "a", 2)]:
        book.register(member(id, name=name), now_ms=now)

    assert [found.id for found in book.list()] == ["b", "a", "c", "d"]


def test_what_was_registered_can_be_read_back() -> None:
    book = started(member("op"))

    assert book.registration("op") == member("op")
    assert book.registration("other") is None
    assert book.snapshot("other") is None


def test_a_clock_that_was_set_back_never_gives_an_end_before_the_start() -> None:
    book = started(member("op"))

    found = book.complete("op", RESULT, now_ms=50)

    assert (found.started_at_ms, found.completed_at_ms, found.elapsed_ms) == (110, 110, 10)


def test_the_progress_count_saturates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "PROGRESS_CEILING", 2)
    book = started(member("op"))

    for _ in range(3):
        book.report_progress("op")

    assert record(book, "op").progress_count == 2


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (NotFound("op"), "no operation 'op'"),
        (AlreadyRegistered("op"), "operation 'op' is already registered"),
        (PeerNotExpected("op"), "operation 'op' is not a mob member and expects no peer"),
        (AlreadyPeerReady("op"), "operation 'op' already has its peer"),
        (MaxConcurrentExceeded(2, 3), "3 operations are live and the limit is 2"),
    ],
)
def test_errors_say_one_sentence_and_can_be_rebuilt_from_their_arguments(
    error: MobError, text: str
) -> None:
    assert str(error) == text
    assert str(type(error)(*error.args)) == text


@given(scripts)
def test_records_travel_as_json(script: list[tuple[str, str, str, int]]) -> None:
    book = OperationBook()
    for id, command, kind, now in script:
        try:
            perform(book, id, command, kind, now)
        except MobError:
            continue

    for found in book.list():
        assert OperationRecord.model_validate_json(found.model_dump_json()) == found
