"""`AsyncMob`: a running mob, driven from an event loop that is not its own: a service, a notebook.

    async with AsyncMob.launch("mob.toml") as mob:
        await mob.send("lead", "have a look at this")
        print((await mob.ask("lead", "what did you find?")).value)

It has the verbs of `Mob`, to be awaited; `events` is for `async for`. None of them blocks the loop
that runs it, and none costs a thread but `launch`, `shutdown` and the reading of the ledger. Any
asyncio loop may use it, also several, at once or one after the other.

Who awaits may be cancelled at any time, and the mob goes on: what was sent stays sent. Two verbs
are different, so that nothing is left half started or half ended. A cancelled `launch` ends what it
has started; a cancelled `shutdown` waits for the members no longer, as Ctrl-C in `Mob.shutdown`.
Both raise CancelledError when that is done.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from actors import launching
from actors.answers import OnLoop, in_thread, to_the_end
from actors.verbs import Verbs

if TYPE_CHECKING:
    from types import TracebackType

    from actors.domain.definition import Durability, MobDefinition
    from actors.domain.events import Entry
    from actors.history import Reader
    from actors.kernel.ports import Scheduler


class AsyncMob(Verbs):
    """A running mob, for code on an event loop. Make one with `AsyncMob.launch`."""

    @classmethod
    def launch(
        cls,
        definition: str | Path | Mapping[str, object] | MobDefinition,
        *,
        state_dir: str | Path | None = None,
        hosts: None = None,
        durability: Durability | None = None,
        scheduler: Scheduler | None = None,
        after_send: launching.AfterSend | None = None,
    ) -> Launch:
        """Start a mob in this process; returns when every declared member is started and wired.

        What a former run left open in the ledger goes on at once.

        Args:
            definition: A mob file, its content as a mapping, or a MobDefinition.
            state_dir: Where the ledger is; `.mob/<id>` in the current directory by default.
            hosts: Machines to place members on; not available yet, so only None.
            durability: What an accepted input survives; by default what the definition says
                (`full`: power loss, `normal`: the end of the process, `memory`: neither).
            scheduler: A `SimulatedWorld` for tests, of `Mob` only: its time moves while a call
                blocks. Two loop threads by default.
            after_send: For chaos tests: called with a member and its number of sends in this
                turn; answers whether the member shall fail now.

        Raises:
            DefinitionError: the definition is wrong; it names file, key and the nearest name.
            StoreInUse: the state directory is in use; it names the process.
            StoreError: the ledger cannot be used.
            StartFailed: the mob could not start; what was started is stopped.
        """

        def start() -> AsyncMob:
            if scheduler is not None:
                raise TypeError("scheduler: simulated time moves while a call blocks: use Mob")
            parts = launching.launch(
                definition,
                state_dir=state_dir,
                hosts=hosts,
                durability=durability,
                scheduler=scheduler,
                after_send=after_send,
            )
            mob = cls(parts, OnLoop(parts.system.realm.scheduler))
            launching.end_at_exit(mob._ending.end)
            return mob

        return Launch(_started(start))

    def events(
        self, after: int | None = None, *, follow: bool = False, **filters: str
    ) -> AsyncIterator[Entry]:
        """Entries of the ledger, in order.

        Args:
            after: Begin behind this cursor; None for the beginning, or with `follow` the end.
            follow: Go on with what comes, until the mob is shut down.
            filters: Fields that must be equal: `tag="member_spawned"`, `identity="lead"`, …

        Raises:
            TypeError: no event has a field of that name; it names the nearest.
            Draining: the mob has ended, and what is asked for is older than its last entries.
        """
        return self._each(self._history.reader(after, follow=follow, filters=filters))

    async def _each(self, reader: Reader) -> AsyncIterator[Entry]:
        while (page := await reader.page(self._waiting)) is not None:
            for entry in page:
                yield entry

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.shutdown()

    def __repr__(self) -> str:
        return self._described("AsyncMob")


class Launch(Coroutine[Any, Any, AsyncMob]):
    """A mob to be: await it, or use it in `async with`, which also ends the mob; once."""

    def __init__(self, launch: Coroutine[Any, Any, AsyncMob]) -> None:
        self._launch = launch
        self._mob: AsyncMob | None = None

    def __await__(self) -> Generator[Any, Any, AsyncMob]:
        return self._launch.__await__()

    async def __aenter__(self) -> AsyncMob:
        self._mob = await self._launch
        return self._mob

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._mob is not None  # it was entered
        await self._mob.shutdown()

    # A coroutine, so that create_task and a TaskGroup take it.

    def send(self, value: Any) -> Any:
        """See `Coroutine.send`."""
        return self._launch.send(value)

    def throw(self, *error: Any) -> Any:
        """See `Coroutine.throw`."""
        return self._launch.throw(*error)

    def close(self) -> None:
        """See `Coroutine.close`."""
        self._launch.close()


async def _started(start: Callable[[], AsyncMob]) -> AsyncMob:
    """Start a mob in a thread; who is cancelled meanwhile has it ended as soon as it is there."""
    starting = in_thread(start, "mob-launch")
    return await to_the_end(
        starting, lambda: in_thread(lambda: starting.get()._ending.end(0.0), "mob-shutdown")
    )
