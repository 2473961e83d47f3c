"""The `python` executor: an async callable, a blocking one in a thread, or a class with `turn`.

`call = "module:attribute"` names it; the mob file's folder is put at the head of the import path
and stays there for the life of the process, so a turn may import from it, too.
A class is made once per incarnation as `Cls(options)`, so it may keep state between turns; what
must survive a restart belongs in the ledger (`ctx.emit`, `ctx.emitted`).
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from actors.domain.definition import Profile
from actors.domain.errors import DefinitionError, did_you_mean
from actors.executors.context import ThreadTurnContext, TurnContext
from actors.kernel.logs import logger_for

logger = logger_for(__name__)

Work = Callable[[Any], Any]  # Any: a context in, JSON or a Message out

__all__ = ["PythonExecutor", "ThreadTurnContext", "TurnContext", "in_thread"]


class PythonExecutor:
    """Takes the turns of one incarnation of a member.

    Raises:
        DefinitionError: as `resolve`.
        Exception: whatever the constructor of a class raises.
    """

    def __init__(self, profile: Profile, folder: Path | None, source: str) -> None:
        self.isolation: Final = profile.isolation
        self._work = resolve(profile, folder, source)()

    async def run(self, context: TurnContext | ThreadTurnContext) -> object:
        """Take one turn; what it raises passes through."""
        if self.isolation == "thread":
            return await in_thread(lambda: self._work(context), f"turn of {context.member}")
        result: object = await self._work(context)
        return result


def resolve(profile: Profile, folder: Path | None, source: str) -> Callable[[], Work]:
    """Find what `call` names and check that it can take turns; nothing of it is run yet.

    Args:
        folder: Of the mob file, to be looked in first; None: the import path only.
        source: The mob file, for errors.

    Returns:
        What makes the work of one incarnation: for a class a new instance, else the callable.

    Raises:
        DefinitionError: no such module or attribute (it names the nearest), the import failed,
            or what was found cannot take turns in this isolation.
    """

    def wrong(problem: str, hint: str | None = None) -> DefinitionError:
        key = f"profiles.{profile.name}.call"
        return DefinitionError(source, key, f"{profile.call!r} {problem}", hint)

    module_name, _, path = profile.call.partition(":")
    found: Any = _module(module_name, folder, wrong)
    owner = module_name
    for part in path.split("."):
        if not hasattr(found, part):
            near = did_you_mean(part, (name for name in dir(found) if not name.startswith("__")))
            raise wrong(f"cannot be found: {owner} has no {part!r}{near}")
        found = getattr(found, part)
        owner = f"{owner}.{part}"
    is_class = inspect.isclass(found)
    work = getattr(found, "turn", None) if is_class else found
    if not callable(work):
        raise wrong("has no method turn(ctx)" if is_class else "is not callable")
    is_async = any(map(inspect.iscoroutinefunction, (work, getattr(work, "__call__", None))))  # noqa: B004 - its kind is asked
    if is_async and profile.isolation == "thread":
        raise wrong("is async", 'use isolation = "async", or a plain def')
    if not is_async and profile.isolation == "async":
        raise wrong("is not async", 'use isolation = "thread", or async def')
    bound = is_class and inspect.isfunction(inspect.getattr_static(found, "turn"))
    count = _parameters(work) - bound
    if count not in (1, 2):
        raise wrong(f"takes {count} arguments", "it must take (ctx) or (ctx, input)")

    def make() -> Work:
        mine = found(dict(profile.options)).turn if is_class else found
        return mine if count == 1 else lambda ctx: mine(ctx, ctx.input)

    return make


def _parameters(work: Callable[..., object]) -> int:
    try:
        return len(inspect.signature(work).parameters)
    except (TypeError, ValueError):  # a builtin without a signature
        return 1


def _module(name: str, folder: Path | None, wrong: Callable[..., DefinitionError]) -> ModuleType:
    """Import a module, from `folder` if it is there."""
    if folder is not None and str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    importlib.invalidate_caches()  # the file may be younger than the last look at its folder
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        here = [] if folder is None else [file.stem for file in folder.glob("*.py")]
        where = "" if folder is None else f" in {folder}"
        near = did_you_mean(name, here) if error.name == name else ""
        raise wrong(
            f"cannot be imported: no module {error.name!r}{where} or on the import path{near}"
        ) from error
    except (Exception, SystemExit) as error:
        text = f"cannot be imported: {type(error).__name__}: {error}"
        raise wrong(text) from error
    _check_origin(module, name, folder, wrong)
    return module


def _check_origin(
    module: ModuleType, name: str, folder: Path | None, wrong: Callable[..., DefinitionError]
) -> None:
    """Refuse a namesake: modules are known by name, and another mob's may have come first."""
    if folder is None or module.__file__ is None:
        return
    top = folder / name.partition(".")[0]
    ours = top.is_dir() or top.with_suffix(".py").is_file()
    if ours and not Path(module.__file__).resolve().is_relative_to(folder.resolve()):
        raise wrong(
            f"is not the one in {folder}: a module of that name came from {module.__file__}",
            "give one of them another name",
        )


async def in_thread(work: Callable[[], object], name: str) -> object:
    """Run `work` in a daemon thread of its own and wait for it here.

    A thread per turn and not a pool: turns may wait for each other, and a pool that is full of
    waiting turns would never serve the one they wait for. Daemon, because a turn that never ends
    must not keep the process alive.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[object] = loop.create_future()

    def settle(value: object, error: BaseException | None) -> None:
        if future.done():
            return  # the member went on without this turn
        if error is None:
            future.set_result(value)
        else:
            future.set_exception(error)

    def body() -> None:
        value: object = None
        failure: BaseException | None = None
        try:
            value = work()
        except BaseException as error:  # noqa: BLE001 - SystemExit too: it ends this turn only
            failure = error
        if isinstance(failure, StopIteration):
            failure = RuntimeError("the turn raised StopIteration")  # a future cannot carry it
        try:
            loop.call_soon_threadsafe(settle, value, failure)
        except RuntimeError:
            logger.debug("%s ended after its loop was closed", name)

    threading.Thread(target=body, name=name, daemon=True).start()
    return await future
