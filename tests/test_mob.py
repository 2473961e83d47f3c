"""`Mob` as its users meet it: launch, work, look, end, and come back with everything."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors import Mob
from actors.domain.definition_file import definition_from
from actors.domain.errors import (
    DefinitionError,
    Draining,
    MemberNotFound,
    MobError,
    NotWired,
    StoreError,
    StoreInUse,
    TurnFailed,
)
from actors.domain.events import InputAccepted, InputDone, MobStopped, TurnStarted
from actors.domain.wiring import Edge
from actors.executors.context import TurnContext
from actors.kernel.errors import ActorDead, StartFailed, WouldDeadlock
from actors.stores import verify_store
from transport.message import Message

HERE = __name__
GATES: defaultdict[str, threading.Event] = defaultdict(threading.Event)
FILE = f"""
id = "panel"

[profiles.lead]
call = "{HERE}:echo"

[profiles.worker]
call = "{HERE}:gated"

[[members]]
name = "lead"
profile = "lead"

[[members]]
name = "w"
profile = "worker"
count = 2

[wiring]
orchestrator = "lead"
auto_wire_orchestrator = true
"""


class Question(Message, tag="test.question"):
    """A typed body."""

    text: str


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    GATES.clear()
    yield
    for gate in GATES.values():
        gate.set()


async def echo(ctx: TurnContext) -> object:
    body = ctx.input.body
    return body.text if isinstance(body, Question) else body


async def gated(ctx: TurnContext) -> object:
    """Waits for its gate; a real one, because the test is another thread."""
    GATES[f"{ctx.input.body} began"].set()
    while not GATES[str(ctx.input.body)].is_set():  # noqa: ASYNC110 - as said
        await asyncio.sleep(0.001)
    return f"{ctx.input.body} {ctx.attempt}"


async def fails(ctx: TurnContext) -> object:
    raise ValueError("no")


async def tells_a_stranger(ctx: TurnContext) -> object:
    try:
        await ctx.send("fails", "hello")
    except NotWired:
        return "refused"
    return "sent"


def panel(**more: Any) -> dict[str, Any]:
    return {
        "id": "panel",
        "profiles": {
            "lead": {"call": f"{HERE}:echo"},
            "worker": {"call": f"{HERE}:gated"},
        },
        "members": [
            {"name": "lead", "profile": "lead"},
            {"name": "w", "profile": "worker", "count": 2},
        ],
        "wiring": {"orchestrator": "lead", "auto_wire_orchestrator": True},
        "store": {"durability": "normal"},
        **more,
    }


@pytest.fixture
def mob(tmp_path: Path) -> Iterator[Mob]:
    with Mob.launch(panel(limits={"drain_timeout_s": 1.0}), state_dir=tmp_path) as running:
        yield running


def names(mob: Mob) -> list[str]:
    return [view.name for view in mob.members()]


def threads_of(mob: str) -> list[str]:
    """The threads of a mob that do not end; an idle one of a closed pool may take a moment."""
    threads = [each for each in threading.enumerate() if each.name.startswith(f"{mob}-")]
    for thread in threads:
        thread.join(5)
    return [thread.name for thread in threads if thread.is_alive()]


# Launching


def test_a_file_a_mapping_and_a_definition_launch_the_same_mob(tmp_path: Path) -> None:
    file = tmp_path / "mob.toml"
    file.write_text(FILE)
    given = panel(store={"durability": "full"})
    digests = set()
    forms: list[Any] = [file, str(file), given, definition_from(given)]
    for n, each in enumerate(forms):
        with Mob.launch(each, state_dir=tmp_path / str(n)) as running:
            assert names(running) == ["lead", "w-1", "w-2"]
            digests.add(running.definition.digest())

    assert len(digests) == 1


def test_the_folder_of_the_mob_file_is_where_its_modules_are(tmp_path: Path) -> None:
    (tmp_path / "beside_the_file.py").write_text("async def turn(ctx): return 'found'\n")
    (tmp_path / "mob.toml").write_text(
        'id = "m"\n[profiles.p]\ncall = "beside_the_file:turn"\n'
        '[[members]]\nname = "m"\nprofile = "p"\n'
    )
    with Mob.launch(tmp_path / "mob.toml", state_dir=tmp_path / "state") as running:
        assert running.ask("m", "x").value == "found"


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("missing.toml", "there is no such file"),
        (".", "is a directory"),
        ({"id": "m", "profile": {}}, "did you mean 'profiles'"),
        ({"id": "m", "profiles": {"p": {"call": f"{HERE}:ecko"}}}, "did you mean 'echo'"),
    ],
)
def test_a_wrong_definition_is_refused_with_what_is_wrong(
    tmp_path: Path, given: Any, text: str
) -> None:
    if isinstance(given, str):
        given = tmp_path / given
    with pytest.raises(DefinitionError) as raised:
        Mob.launch(given, state_dir=tmp_path / "state")

    assert text in f"{raised.value} {raised.value.hint}"
    assert not (tmp_path / "state").exists()


def test_what_is_no_definition_is_a_type_error(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="not int"):
        Mob.launch(3, state_dir=tmp_path)  # type: ignore[arg-type]  # that is the point
    with pytest.raises(TypeError, match="leave it None"):
        Mob.launch(panel(), state_dir=tmp_path, hosts=["b"])  # type: ignore[arg-type]  # as above


def test_a_state_directory_in_use_names_the_process(mob: Mob, tmp_path: Path) -> None:
    with pytest.raises(StoreInUse) as raised:
        Mob.launch(panel(), state_dir=tmp_path)

    assert raised.value.pid == os.getpid()
    assert names(mob) == ["lead", "w-1", "w-2"]  # the first one is not disturbed


def test_a_mob_id_that_cannot_be_an_address_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    with pytest.raises(DefinitionError) as raised:
        Mob.launch({"id": "my mob"}, state_dir=tmp_path)

    assert raised.value.key == "id"
    assert set(threading.enumerate()) == before


def test_a_failed_launch_leaves_no_thread_and_no_lock_behind(tmp_path: Path) -> None:
    with Mob.launch(panel(), state_dir=tmp_path):
        pass
    ledger = tmp_path / "ledger.sqlite"
    raw = bytearray(ledger.read_bytes())
    ledger.write_bytes(b"not a database" + raw[14:])
    with pytest.raises(StoreError):
        Mob.launch(panel(), state_dir=tmp_path)
    ledger.write_bytes(raw)

    assert threads_of("panel") == []
    with Mob.launch(panel(), state_dir=tmp_path) as running:
        assert names(running) == ["lead", "w-1", "w-2"]


def test_a_launch_that_the_ledger_refuses_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from actors import launching
    from tests.roles.stage import RefusingLedger

    ledger = RefusingLedger()
    ledger.full = True
    monkeypatch.setattr(launching, "open_ledger", lambda *_: ledger)

    with pytest.raises(StartFailed, match="the disk is full"):
        Mob.launch(panel(), state_dir=tmp_path)

    assert threads_of("panel") == []
    with pytest.raises(StoreError, match="closed"):
        ledger.head()


def test_two_mobs_in_one_process_never_meet(tmp_path: Path) -> None:
    with (
        Mob.launch(panel(), state_dir=tmp_path / "a") as first,
        Mob.launch(panel(), state_dir=tmp_path / "b") as second,
    ):
        first.spawn("only-here", profile="lead")

        assert "only-here" not in names(second)
        with pytest.raises(MemberNotFound):
            second.send("only-here", "x")
        assert first.ask("lead", "1").value == "1"
        assert second.ask("lead", "2").value == "2"


def test_a_mob_lives_and_dies_inside_a_thread(tmp_path: Path) -> None:
    values: list[object] = []

    def live() -> None:
        with Mob.launch(panel(), state_dir=tmp_path) as running:
            values.append(running.ask("lead", "hello").value)

    thread = threading.Thread(target=live)
    thread.start()
    thread.join(30)

    assert values == ["hello"]


def test_a_mob_of_nobody_starts_and_ends(tmp_path: Path) -> None:
    with Mob.launch({"id": "empty"}, state_dir=tmp_path) as running:
        assert names(running) == []
        assert str(running.graph())
        assert not running.reconcile().changed
    assert running.shutdown().drained


# Work


def test_a_message_arrives_as_what_it_was(mob: Mob) -> None:
    assert mob.ask("lead", Question(text="why?")).value == "why?"


def test_something_that_is_no_body_is_a_type_error(mob: Mob) -> None:
    with pytest.raises(TypeError, match="not int"):
        mob.send("lead", 3)  # type: ignore[arg-type]  # that is the point


def test_unknown_names_suggest_the_nearest(mob: Mob) -> None:
    for wrong in (
        lambda: mob.send("laed", "x"),
        lambda: mob.ask("laed", "x"),
        lambda: mob.member("laed"),
        lambda: mob.wire("laed", "w-1"),
    ):
        with pytest.raises(MemberNotFound, match="did you mean 'lead'"):
            wrong()


def test_many_threads_may_use_one_mob(mob: Mob) -> None:
    values: list[object] = []

    def ask(n: int) -> None:
        values.extend(mob.ask("lead", f"{n} {k}").value for k in range(10))

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(map(str, values)) == sorted(f"{n} {k}" for n in range(8) for k in range(10))
    assert mob.audit().balanced


async def ends_its_own_mob(ctx: TurnContext) -> object:
    OWN[0].shutdown()
    return "never"


OWN: list[Mob] = []


def test_a_member_cannot_shut_its_mob_down(tmp_path: Path) -> None:
    given = panel()
    given["profiles"]["worker"] = {
        "call": f"{HERE}:ends_its_own_mob",
        "limits": {"attempts": 1},
    }
    with Mob.launch(given, state_dir=tmp_path) as running:
        OWN[:] = [running]
        with pytest.raises(TurnFailed) as raised:
            running.ask("w-1", "x")

        assert raised.value.error_type == WouldDeadlock.__name__
        assert running.ask("lead", "still here").value == "still here"


# Looking


def test_events_are_the_ledger_in_order_and_can_be_filtered(mob: Mob) -> None:
    mob.ask("lead", "x")
    every = list(mob.events())

    assert [entry.cursor for entry in every] == list(range(1, len(every) + 1))
    assert list(mob.events(after=len(every) - 2)) == every[-2:]
    spawned = list(mob.events(tag="member_spawned", identity="lead"))
    assert [entry.cursor for entry in spawned] == [2]
    assert list(mob.events(identity="nobody")) == []


def test_a_follower_sees_what_comes_and_ends_with_the_mob(tmp_path: Path) -> None:
    mob = Mob.launch(panel(), state_dir=tmp_path)
    begun = mob.cursor
    seen: list[Any] = []
    follower = threading.Thread(
        target=lambda entries: seen.extend(entries), args=(mob.events(follow=True),)
    )
    follower.start()
    mob.ask("lead", "x")
    mob.shutdown()
    follower.join(10)

    assert not follower.is_alive()
    assert [entry.cursor for entry in seen] == list(range(begun + 1, begun + 1 + len(seen)))
    tags = [entry.event.tag for entry in seen]
    assert tags == ["input_accepted", "turn_started", "input_done", "mob_stopped"]


def test_the_last_events_can_be_read_after_the_end(tmp_path: Path) -> None:
    with Mob.launch(panel(), state_dir=tmp_path) as mob:
        mob.ask("lead", "x")
    entries = list(mob.events())

    assert isinstance(entries[-1].event, MobStopped)
    assert mob.cursor == entries[-1].cursor == len(entries)


def test_events_that_are_too_old_after_the_end_are_refused_and_not_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from actors import history

    monkeypatch.setattr(history, "TAIL", 3)
    with Mob.launch(panel(), state_dir=tmp_path) as mob:
        mob.ask("lead", "x")

    assert len(list(mob.events(after=mob.cursor - 3))) == 3
    with pytest.raises(Draining, match="reading old events refused"):
        list(mob.events())


def test_dead_letters_show_what_was_not_wired_and_what_was_poison(tmp_path: Path) -> None:
    profiles = {
        name: {"call": f"{HERE}:{name}", "limits": {"attempts": 1}}
        for name in ("fails", "tells_a_stranger")
    }
    members = [{"name": name, "profile": name} for name in profiles]
    given = {"id": "letters", "profiles": profiles, "members": members}
    with Mob.launch(given, state_dir=tmp_path) as mob:
        assert mob.ask("tells_a_stranger", "x").value == "refused"
        receipt = mob.send("fails", "x")
        with pytest.raises(TurnFailed):
            mob.result("fails", receipt.input_id)

        not_wired, poison = mob.dead_letters()

        assert (not_wired.reason, not_wired.sender, not_wired.target) == (
            "not_wired",
            "tells_a_stranger",
            "fails",
        )
        assert (poison.reason, poison.target, poison.message) == (
            "poison",
            "fails",
            receipt.input_id,
        )


def test_the_graph_prints_as_text_mermaid_and_html(mob: Mob) -> None:
    graph = mob.graph()

    assert "lead  (lead)" in str(graph)
    assert graph.mermaid().startswith("graph")
    assert "w-2" in graph.mermaid()
    assert graph._repr_html_().startswith("<")


def test_reports_print_as_tables(mob: Mob) -> None:
    assert str(mob.members()).splitlines()[0].split()[:3] == ["name", "profile", "state"]
    assert "lead, w-1, w-2" in str(mob.reconcile())
    for report in (
        mob.member("lead"),
        mob.status(),
        mob.audit(),
        mob.operations(),
        mob.ask("lead", "x"),
        mob.send("lead", "y"),
    ):
        assert str(report).strip()
        assert "<table" in report._repr_html_()


def test_a_mob_says_what_it_is(mob: Mob, tmp_path: Path) -> None:
    assert repr(mob) == f"<Mob 'panel', running, {tmp_path}>"
    mob.shutdown()
    assert repr(mob) == f"<Mob 'panel', ended, {tmp_path}>"


def test_progress_and_traffic_can_be_asked(mob: Mob) -> None:
    mob.ask("lead", "x")

    assert mob.progress_texts() == {}
    assert mob.routed() == 1


# Ending


def test_after_the_end_every_verb_is_refused_and_looking_back_is_not(mob: Mob) -> None:
    mob.ask("lead", "x")
    mob.shutdown()

    for refused in (
        lambda: mob.send("lead", "x"),
        lambda: mob.members(),
        lambda: mob.status(),
        lambda: mob.spawn("x", profile="lead"),
        lambda: mob.operations(),
    ):
        with pytest.raises(Draining):
            refused()
    assert mob.audit().balanced
    assert len(mob.dead_letters()) == 0
    assert threads_of("panel") == []


def test_a_second_shutdown_from_another_thread_gets_the_same_report(tmp_path: Path) -> None:
    mob = Mob.launch(panel(), state_dir=tmp_path)
    mob.send("w-1", "x")
    assert GATES["x began"].wait(10)
    reports: list[object] = []
    threads = [
        threading.Thread(target=lambda: reports.append(mob.shutdown(timeout=20))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    GATES["x"].set()
    for thread in threads:
        thread.join(30)

    assert len(reports) == 3
    assert len({id(report) for report in reports}) == 1


def test_an_error_in_the_with_block_passes_and_the_mob_has_ended(tmp_path: Path) -> None:
    with pytest.raises(KeyError), Mob.launch(panel(), state_dir=tmp_path) as mob:
        raise KeyError("mine")

    assert repr(mob).startswith("<Mob 'panel', ended")


def test_a_program_that_forgets_to_shut_down_ends_in_good_order(tmp_path: Path) -> None:
    program = f"""
import sys
from actors import Mob
mob = Mob.launch({{"id": "forgot"}}, state_dir={str(tmp_path)!r})
print("up")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60
    )

    assert (done.stdout, done.stderr) == ("up\n", "")
    assert verify_store(tmp_path).ok
    with Mob.launch({"id": "forgot"}, state_dir=tmp_path) as mob:
        assert isinstance(list(mob.events())[1].event, MobStopped)


# Coming back


def unfinished_mob(state_dir: Path) -> tuple[str, str]:
    """Run a mob that is stopped while it works; the ids of the running and the waiting input."""
    mob = Mob.launch(panel(), state_dir=state_dir)
    first = mob.send("w-1", "a", key="ka").input_id
    second = mob.send("w-1", "b", key="kb").input_id
    assert GATES["a began"].wait(10)
    report = mob.shutdown(timeout=0.05)
    assert report.timed_out
    return first, second


def test_what_was_open_goes_on_after_a_relaunch_with_the_next_attempt_and_a_higher_fence(
    tmp_path: Path,
) -> None:
    first, second = unfinished_mob(tmp_path)
    GATES["a"].set()
    GATES["b"].set()
    with Mob.launch(panel(), state_dir=tmp_path) as mob:
        assert [given.input_id for given in mob.unfinished("w-1")] == [first, second]
        assert [given.body for given in mob.unfinished("w-1")] == ["a", "b"]
        assert mob.result("w-1", first).value == "a 2"
        assert mob.result("w-1", second).value == "b 1"
        started = [
            entry.event
            for entry in mob.events(input_id=first)
            if isinstance(entry.event, TurnStarted)
        ]
        assert [event.attempt for event in started] == [1, 2]
        assert started[0].fence < started[1].fence
        ends = [e for e in mob.events(input_id=first) if isinstance(e.event, InputDone)]
        assert len(ends) == 1
    with Mob.launch(panel(), state_dir=tmp_path) as mob:
        assert mob.unfinished("w-1") == ()


def test_the_same_key_after_a_relaunch_is_the_first_receipt_and_the_first_result(
    tmp_path: Path,
) -> None:
    with Mob.launch(panel(), state_dir=tmp_path) as mob:
        first = mob.ask("lead", "x", key="k")
    with Mob.launch(panel(), state_dir=tmp_path) as mob:
        again = mob.send("lead", "x", key="k")

        assert (again.outcome, again.canonical_input_id) == ("duplicate", first.input_id)
        assert mob.ask("lead", "x", key="k").value == "x"
        assert len([e for e in mob.events() if isinstance(e.event, InputAccepted)]) == 1


def test_what_was_given_up_stays_given_up_after_a_relaunch(tmp_path: Path) -> None:
    given = panel()
    given["profiles"]["worker"] = {"call": f"{HERE}:fails", "limits": {"attempts": 2}}
    with Mob.launch(given, state_dir=tmp_path) as mob, pytest.raises(TurnFailed):
        mob.ask("w-1", "x", key="k")
    given["profiles"]["worker"]["call"] = f"{HERE}:echo"
    with Mob.launch(given, state_dir=tmp_path) as mob:
        assert mob.unfinished("w-1") == ()
        with pytest.raises(TurnFailed, match="no"):
            mob.ask("w-1", "x", key="k")


def test_failures_are_counted_over_launches(tmp_path: Path) -> None:
    given = panel()
    given["profiles"]["worker"] = {"call": f"{HERE}:fails", "limits": {"attempts": 8}}
    mob = Mob.launch(given, state_dir=tmp_path)
    receipt = mob.send("w-1", "x")
    next(e for e in mob.events(after=0, follow=True) if e.event.tag == "input_failed")
    mob.shutdown(timeout=0.0)
    failed = len([e for e in mob.events() if e.event.tag == "input_failed"])
    given["profiles"]["worker"]["limits"]["attempts"] = failed + 1
    with Mob.launch(given, state_dir=tmp_path) as again, pytest.raises(TurnFailed):
        again.result("w-1", receipt.input_id)
    assert len([e for e in again.events() if e.event.tag == "input_failed"]) == failed + 1


def test_an_input_that_has_failed_as_often_as_a_new_limit_allows_is_given_up_at_launch(
    tmp_path: Path,
) -> None:
    given = panel()
    given["profiles"]["worker"] = {"call": f"{HERE}:fails", "limits": {"attempts": 8}}
    mob = Mob.launch(given, state_dir=tmp_path)
    receipt = mob.send("w-1", "x")
    next(e for e in mob.events(after=0, follow=True) if e.event.tag == "input_failed")
    mob.shutdown(timeout=0.0)
    given["profiles"]["worker"]["limits"]["attempts"] = 1
    with (
        Mob.launch(given, state_dir=tmp_path) as again,
        pytest.raises(TurnFailed, match="it was given up before"),
    ):
        again.result("w-1", receipt.input_id)


def test_a_typed_input_goes_on_after_a_relaunch(tmp_path: Path) -> None:
    mob = Mob.launch(panel(), state_dir=tmp_path)
    mob.send("w-1", "hold")
    assert GATES["hold began"].wait(10)
    receipt = mob.send("w-1", Question(text="typed"))
    mob.shutdown(timeout=0.05)
    GATES["hold"].set()
    GATES["text='typed'"].set()
    with Mob.launch(panel(), state_dir=tmp_path) as again:
        assert again.result("w-1", receipt.input_id).value == "text='typed' 1"


def test_a_retired_member_does_not_leave_its_inputs_to_a_namesake(tmp_path: Path) -> None:
    mob = Mob.launch(panel(), state_dir=tmp_path)
    mob.send("w-1", "a", key="k")
    assert GATES["a began"].wait(10)
    mob.retire("w-1")
    mob.reconcile()
    mob.shutdown()
    with Mob.launch(panel(), state_dir=tmp_path) as again:
        assert again.unfinished("w-1") == ()
        assert again.member("w-1").queued == 0
        assert again.member("w-1").running is None


def test_a_member_that_was_held_is_tried_again_at_launch(tmp_path: Path) -> None:
    given = panel(limits={"restarts": 0})
    from tests.roles.stage import kill

    with Mob.launch(given, state_dir=tmp_path) as mob:
        kill(mob, "w-1")
        next(e for e in mob.events(after=0, follow=True) if e.event.tag == "member_held")
        assert mob.member("w-1").state == "held"
    with Mob.launch(given, state_dir=tmp_path) as mob:
        assert mob.member("w-1").state == "active"


def test_the_lock_is_free_after_the_end(tmp_path: Path) -> None:
    with Mob.launch(panel(), state_dir=tmp_path):
        pass
    for file in tmp_path.glob("*lock*"):
        with file.open("r+") as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_the_status_is_plain_json(mob: Mob) -> None:
    document = json.loads(mob.status().model_dump_json())

    assert (document["mob"], document["members"]) == ("panel", 3)


@pytest.mark.parametrize("timeout", [float("inf"), float("nan"), -1.0])
def test_a_timeout_without_sense_is_refused_and_harms_nobody(mob: Mob, timeout: float) -> None:
    with pytest.raises(ValueError, match="timeout must be a finite number"):
        mob.ask("lead", "x", timeout=timeout)
    with pytest.raises(ValueError, match="timeout must be a finite number"):
        mob.shutdown(timeout)

    assert mob.ask("lead", "x").member == "lead"


@pytest.mark.by_reference
def test_text_that_is_not_utf_8_is_refused_at_the_sender_and_harms_nobody(mob: Mob) -> None:
    before = names(mob)

    with pytest.raises(ValueError, match="surrogates not allowed"):
        mob.send("lead", "\ud800")
    with pytest.raises(MobError):
        mob.spawn("b", profile="worker", labels={"x": "\ud800"})

    assert mob.ask("lead", "x").member == "lead"
    assert names(mob) == before


def test_a_filter_that_no_event_has_names_the_nearest(mob: Mob) -> None:
    with pytest.raises(TypeError, match="no event has a field 'identiy'; did you mean 'identity'"):
        mob.events(identiy="lead")


def test_entries_edges_and_operations_print_in_few_words(mob: Mob) -> None:
    entry = next(mob.events(tag="member_spawned", identity="lead"))
    wired = next(mob.events(tag="members_wired"))

    assert str(entry).split()[:3] == [str(entry.cursor), "member_spawned", "lead"]
    assert repr(entry) == f"<{str(entry).strip()}>"
    assert "edges=(2)" in str(wired)
    assert len(str(entry)) <= 100
    assert mob.edges() == (Edge.of("lead", "w-1"), Edge.of("lead", "w-2"))
    assert str(mob.edges()).splitlines()[0].split() == ["a", "b"]
    assert "<table>" in mob.edges()._repr_html_()
    assert str(mob.operations()).splitlines()[0].split()[:3] == [
        "display_name",
        "status",
        "progress_count",
    ]
    assert "panel/lead" in str(mob.operations())


def test_asking_takes_no_longer_than_was_given(tmp_path: Path) -> None:
    with Mob.launch(panel(), state_dir=tmp_path) as mob:
        began = time.monotonic()
        with pytest.raises(TimeoutError, match=r"within 1 s"):
            mob.ask("w-1", "stuck", timeout=1)

        assert time.monotonic() - began < 2  # it waits twice, and not as long each time
        GATES["stuck"].set()


def test_a_call_that_meets_the_shutdown_is_refused_and_never_says_that_an_actor_died(
    tmp_path: Path,
) -> None:
    mob = Mob.launch(panel(), state_dir=tmp_path)
    errors: list[Exception] = []

    def call() -> None:
        while not errors:
            try:
                mob.members()
                mob.send("lead", "x")
                mob.operations()
            except Exception as error:  # noqa: BLE001 - it is looked at below
                errors.append(error)

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    mob.shutdown(timeout=1)
    for thread in threads:
        thread.join(10)

    assert {type(error) for error in errors} == {Draining}


def test_an_actor_that_ended_behind_the_back_of_its_mob_is_draining_once_a_shutdown_began(
    mob: Mob,
) -> None:
    mob._parts.ops.stop()
    with pytest.raises(ActorDead):
        mob.operations()
    assert mob._verbs._ending.claim(1.0)
    with pytest.raises(Draining):
        mob.operations()
    mob._verbs._ending.finish()


def test_a_mob_whose_supervisor_is_gone_ends_all_the_same_and_says_so(tmp_path: Path) -> None:
    mob = Mob.launch(panel(), state_dir=tmp_path)
    mob._parts.supervisor.stop()

    report = mob.shutdown()

    assert not report.drained
    assert report.waiting_for[0].startswith("the supervisor: mob://panel/supervisor has stopped")
    assert threads_of("panel") == []


def test_an_end_at_exit_waits_for_one_that_is_under_way(tmp_path: Path) -> None:
    mob = Mob.launch(panel(), state_dir=tmp_path)
    mob.send("w-1", "x")
    assert GATES["x began"].wait(10)
    ending = threading.Thread(target=mob.shutdown)
    ending.start()
    at_exit = threading.Thread(target=mob._verbs._ending.end, args=(20.0,))
    at_exit.start()
    GATES["x"].set()
    at_exit.join(30)
    ending.join(30)

    assert mob.shutdown().drained
