"""The python executor: finding what `call` names, its kinds, and what a turn may do in both
isolations."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from actors import Mob
from actors.domain.definition import Profile
from actors.domain.errors import DefinitionError, NotWired, StaleIncarnation, TurnFailed
from actors.domain.inbox import TurnInput
from actors.executors.context import ThreadTurnContext, TurnContext, as_json
from actors.executors.python import PythonExecutor, in_thread, resolve
from transport.message import FrozenMap, Message

HERE = __name__


class Greeting(Message, tag="test.greeting"):
    """A typed body."""

    text: str


async def echo(ctx: TurnContext) -> object:
    return ctx.input.body


def echo_in_thread(ctx: ThreadTurnContext) -> object:
    return ctx.input.body


async def with_input(ctx: TurnContext, given: TurnInput) -> object:
    return [ctx.member, given.body]


async def without_arguments() -> None:
    """Cannot be a turn."""


NOT_CALLABLE = 3


class Stateful:
    """Made once per incarnation."""

    def __init__(self, options: dict[str, object]) -> None:
        self.step = options["step"]
        self.count = 0

    async def turn(self, ctx: TurnContext) -> object:
        self.count += int(str(self.step))
        return self.count


class Callable_:
    """An object that is called."""

    async def __call__(self, ctx: TurnContext) -> str:
        return "called"


an_object = Callable_()


class NoTurn:
    """Has no turn."""


class BlockingTurn:
    """Its turn is a plain def."""

    def __init__(self, options: dict[str, object]) -> None:
        self.options = options

    def turn(self, ctx: ThreadTurnContext, given: TurnInput) -> object:
        return [threading.current_thread().name, given.body]


def profile(call: str, isolation: Any = "async", **options: Any) -> Profile:
    return Profile(name="p", call=call, isolation=isolation, options=FrozenMap(options))


def problem(call: str, isolation: Any = "async", folder: Path | None = None) -> DefinitionError:
    with pytest.raises(DefinitionError) as raised:
        resolve(profile(call, isolation), folder, "mob.toml")
    return raised.value


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder of modules; what was imported from it is forgotten."""
    before, path = set(sys.modules), list(sys.path)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
    sys.path[:] = path


# Finding it


def test_an_error_names_the_file_the_key_and_the_call() -> None:
    error = problem(f"{HERE}:nothing")

    assert (error.source, error.key) == ("mob.toml", "profiles.p.call")
    assert f"'{HERE}:nothing'" in str(error)


def test_a_missing_attribute_is_answered_with_the_nearest() -> None:
    assert "has no 'ecko'; did you mean 'echo'?" in str(problem(f"{HERE}:ecko"))


def test_a_missing_attribute_of_a_class_names_the_class() -> None:
    assert f"{HERE}.Stateful has no 'trun'; did you mean 'turn'?" in str(
        problem(f"{HERE}:Stateful.trun")
    )


def test_a_missing_module_is_answered_with_the_nearest_file(folder: Path) -> None:
    (folder / "reviewers.py").write_text("async def review(ctx): ...\n")

    error = problem("reviewer:review", folder=folder)

    assert "no module 'reviewer'" in str(error)
    assert "did you mean 'reviewers'?" in str(error)
    assert str(folder) in str(error)


def test_a_module_that_imports_something_missing_names_that(folder: Path) -> None:
    (folder / "needy.py").write_text("import no_such_library_anywhere\n")

    assert "no module 'no_such_library_anywhere'" in str(problem("needy:f", folder=folder))


@pytest.mark.parametrize(
    ("text", "shown"),
    [("1 / 0", "ZeroDivisionError: division by zero"), ("def", "SyntaxError"), ("exit(3)", "3")],
)
def test_a_module_that_fails_to_import_says_how(folder: Path, text: str, shown: str) -> None:
    (folder / "bad_module.py").write_text(text)

    assert shown in str(problem("bad_module:f", folder=folder))


def test_a_file_written_a_moment_ago_is_found(folder: Path) -> None:
    problem("fresh_module:turn", folder=folder)
    (folder / "fresh_module.py").write_text("async def turn(ctx): return 1\n")

    assert callable(resolve(profile("fresh_module:turn"), folder, "mob.toml"))


def test_a_namesake_from_another_folder_is_refused(folder: Path) -> None:
    for name in ("one", "two"):
        (folder / name).mkdir()
        (folder / name / "same_name.py").write_text(f"async def turn(ctx): return {name!r}\n")
    resolve(profile("same_name:turn"), folder / "one", "mob.toml")

    error = problem("same_name:turn", folder=folder / "two")

    assert str(folder / "one" / "same_name.py") in str(error)
    assert error.hint == "give one of them another name"


# What it is


@pytest.mark.parametrize(
    ("call", "isolation", "text", "hint"),
    [
        ("echo", "thread", "is async", 'use isolation = "async", or a plain def'),
        ("echo_in_thread", "async", "is not async", 'use isolation = "thread", or async def'),
        ("Stateful", "thread", "is async", 'use isolation = "async", or a plain def'),
        ("BlockingTurn", "async", "is not async", 'use isolation = "thread", or async def'),
        ("NOT_CALLABLE", "async", "is not callable", None),
        ("NoTurn", "async", "has no method turn(ctx)", None),
        ("without_arguments", "async", "takes 0 arguments", "it must take (ctx) or (ctx, input)"),
    ],
)
def test_what_cannot_take_turns_is_refused_before_anything_runs(
    call: str, isolation: str, text: str, hint: str | None
) -> None:
    error = problem(f"{HERE}:{call}", isolation)

    assert str(error).endswith(text)
    assert error.hint == hint


def definition(**profiles: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": "executors",
        "profiles": profiles,
        "members": [{"name": name, "profile": name} for name in profiles],
        "store": {"durability": "memory"},
    }


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Callable[..., Mob]]:
    """Launch mobs of one member per profile; all are shut down in the end."""
    mobs: list[Mob] = []

    def launched(*edges: tuple[str, str], **profiles: dict[str, Any]) -> Mob:
        given = definition(**profiles) | {"edges": [{"a": a, "b": b} for a, b in edges]}
        mobs.append(Mob.launch(given, state_dir=tmp_path))
        return mobs[-1]

    yield launched
    for mob in mobs:
        mob.shutdown(timeout=1)


@pytest.mark.parametrize(
    ("call", "isolation", "expected"),
    [
        ("echo", "async", "hello"),
        ("echo_in_thread", "thread", "hello"),
        ("with_input", "async", ["m", "hello"]),
        ("an_object", "async", "called"),
        ("BlockingTurn", "thread", ["turn of m", "hello"]),
    ],
)
def test_each_kind_of_call_takes_turns(
    launch: Callable[..., Mob], call: str, isolation: str, expected: object
) -> None:
    mob = launch(m={"call": f"{HERE}:{call}", "isolation": isolation})

    assert mob.ask("m", "hello").value == expected


def test_an_instance_keeps_its_state_between_turns_and_gets_the_options(
    launch: Callable[..., Mob],
) -> None:
    mob = launch(m={"call": f"{HERE}:Stateful", "options": {"step": 2}})

    assert [mob.ask("m", "x").value for _ in range(3)] == [2, 4, 6]


# What a turn may do


async def everything(ctx: TurnContext) -> object:
    refused = None
    try:
        await ctx.send("stranger", "hello")
    except NotWired as error:
        refused = str(error)
    receipt = await ctx.send("peer", Greeting(text="first"))
    answer = await ctx.ask("peer", Greeting(text="second"), timeout=5)
    await ctx.emit("step", {"n": 1})
    await ctx.emit("step", Greeting(text="typed"))
    await ctx.progress("half way")
    await ctx.attach("rows", "rows.jsonl")
    steered = await ctx.boundary()
    return [
        refused,
        receipt.outcome,
        answer.value,
        list(ctx.emitted()),
        len(steered),
        ctx.peers,
        ctx.profile_of("peer"),
        ctx.profile_of("stranger"),
        ctx.mob,
        ctx.profile,
        ctx.attempt,
        ctx.options["level"],
    ]


def everything_in_thread(ctx: ThreadTurnContext) -> object:
    refused = None
    try:
        ctx.send("stranger", "hello")
    except NotWired as error:
        refused = str(error)
    receipt = ctx.send("peer", Greeting(text="first"))
    answer = ctx.ask("peer", Greeting(text="second"), timeout=5)
    ctx.emit("step", {"n": 1})
    ctx.emit("step", Greeting(text="typed"))
    ctx.progress("half way")
    ctx.attach("rows", "rows.jsonl")
    steered = ctx.boundary()
    return [
        refused,
        receipt.outcome,
        answer.value,
        list(ctx.emitted()),
        len(steered),
        ctx.peers,
        ctx.profile_of("peer"),
        ctx.profile_of("stranger"),
        ctx.mob,
        ctx.profile,
        ctx.attempt,
        ctx.options["level"],
    ]


async def greet(ctx: TurnContext) -> object:
    assert isinstance(ctx.input.body, Greeting)
    return f"{ctx.input.sender}: {ctx.input.body.text}"


@pytest.mark.parametrize(
    ("call", "isolation"), [("everything", "async"), ("everything_in_thread", "thread")]
)
def test_both_contexts_offer_the_same(
    launch: Callable[..., Mob], call: str, isolation: str
) -> None:
    mob = launch(
        ("m", "peer"),
        m={"call": f"{HERE}:{call}", "isolation": isolation, "options": {"level": 7}},
        peer={"call": f"{HERE}:greet"},
        stranger={"call": f"{HERE}:echo"},
    )

    result = mob.ask("m", "go")

    assert result.value == [
        "'m' is not wired to 'stranger'; nothing was delivered",
        "accepted",
        "m: second",
        [],  # of earlier attempts
        0,
        ["peer"],
        "peer",
        None,
        "executors",
        "m",
        1,
        7,
    ]
    assert dict(result.attachments) == {"rows": "rows.jsonl"}
    emitted = [entry.event for entry in mob.events(tag="emitted")]
    assert [(e.kind, e.data) for e in emitted] == [  # type: ignore[union-attr]  # by its tag
        ("step", '{"n":1}'),
        ("step", '{"text":"typed"}'),
    ]
    assert mob.progress_texts() == {"m": "half way"}


async def returns_what_json_cannot_hold(ctx: TurnContext) -> object:
    return {1, 2}


def test_a_value_that_json_cannot_hold_fails_the_turn(launch: Callable[..., Mob]) -> None:
    call = f"{HERE}:returns_what_json_cannot_hold"
    mob = launch(m={"call": call, "limits": {"attempts": 1}})

    with pytest.raises(TurnFailed) as raised:
        mob.ask("m", "go")

    assert raised.value.error_type == "TypeError"
    assert "set" in raised.value.error_text


def test_a_message_becomes_its_json() -> None:
    assert as_json(Greeting(text="é")) == '{"text":"é"}'


KEPT: list[TurnContext] = []


async def keeps_its_context(ctx: TurnContext) -> None:
    KEPT.append(ctx)


async def uses_a_kept_context(ctx: TurnContext) -> str:
    try:
        await KEPT[-1].emit("late", 1)
    except StaleIncarnation as error:
        return str(error)
    return "emitted"


def test_a_context_that_is_used_after_its_turn_can_do_nothing(
    launch: Callable[..., Mob],
) -> None:
    mob = launch(
        m={"call": f"{HERE}:keeps_its_context"}, other={"call": f"{HERE}:uses_a_kept_context"}
    )
    mob.ask("m", "go")

    answer = mob.ask("other", "go").value

    assert answer == "this turn of 'm' is over; the call was not carried out"
    assert not list(mob.events(tag="emitted"))


# Threads


def test_in_thread_passes_value_and_error() -> None:
    def fails() -> object:
        raise SystemExit(3)

    async def both() -> object:
        value = await in_thread(lambda: 5, "five")
        with pytest.raises(SystemExit):
            await in_thread(fails, "fails")
        return value

    assert asyncio.run(both()) == 5


def test_a_stop_iteration_in_a_thread_arrives_as_an_error() -> None:
    async def take() -> object:
        return await in_thread(lambda: next(iter(())), "empty")

    with pytest.raises(RuntimeError, match="StopIteration"):
        asyncio.run(take())


def test_a_thread_that_ends_after_its_loop_harms_nobody() -> None:
    release, over = threading.Event(), threading.Event()

    def late() -> None:
        release.wait(10)
        over.set()

    async def leave_behind() -> None:
        task = asyncio.ensure_future(in_thread(late, "late"))
        await asyncio.sleep(0)
        task.cancel()

    asyncio.run(leave_behind())
    release.set()

    assert over.wait(10)


def test_a_class_is_made_by_its_member_and_not_when_it_is_looked_up() -> None:
    without_step = profile(f"{HERE}:Stateful")

    assert callable(resolve(without_step, None, "mob.toml"))
    with pytest.raises(KeyError):
        PythonExecutor(without_step, None, "mob.toml")


class SlowPort:
    """A port whose `boundary` never ends, on a loop of its own."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.ended = threading.Event()

    def peers(self) -> dict[str, str]:
        return {}

    def check(self) -> None:
        """Not over."""

    async def run(self, call: Any) -> Any:
        return await call

    async def boundary(self, wait: float) -> tuple[TurnInput, ...]:
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.set()
        return ()


def test_a_call_that_is_not_waited_for_any_more_is_cancelled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("actors.executors.context.MARGIN_S", 0.05)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    port: Any = SlowPort(loop)
    context = ThreadTurnContext(
        port,
        mob="m",
        member="a",
        profile="p",
        given=TurnInput("i", None, "x", None, "queue", "d"),
        options={},
        state_dir=Path("unused"),
    )
    try:
        with pytest.raises(TimeoutError):
            context.boundary()
        assert port.ended.wait(5)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()
