"""Starting the actors of a mob in order.

    ledger → forwarder → operations → router → edge reconciler → supervisor → members

System actors are ready before any member. Whatever fails on the way is undone, and the first
error is the one that is raised.
"""

from __future__ import annotations

import dataclasses
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from actors.domain.definition import MobDefinition
from actors.domain.definition_file import definition_from, parse_definition
from actors.domain.errors import DefinitionError
from actors.executors.python import resolve
from actors.kernel.ref import ActorRef
from actors.kernel.supervision import ChildSpec
from actors.roles.edge_reconciler import EdgeReconciler
from actors.roles.forwarder import Forwarder
from actors.roles.member import Member
from actors.roles.ops_registry import OpsRegistry
from actors.roles.recovery import Recovered, recover
from actors.roles.router import Router
from actors.roles.supervisor import Supervisor
from actors.roles.turn import Desk
from actors.stores import open_ledger
from actors.system import ActorSystem
from transport.address import Address
from transport.errors import AddressError

if TYPE_CHECKING:
    from actors.domain.definition import Durability
    from actors.domain.inbox import TurnInput
    from actors.kernel.ports import Scheduler
    from actors.stores import Ledger

STATE_DIR: Final = ".mob"  # in the current directory; one folder per mob below it
START_S: Final = 60.0  # for the members of a large mob to be started and wired
EXIT_S: Final = 5.0  # what a program that exits without `shutdown` gives its mobs (design §11)
AfterSend = Callable[[str, int], bool]


@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """A definition and where it came from."""

    definition: MobDefinition
    name: str  # the mob file, for errors
    folder: Path | None  # of the mob file; its modules are found there


@dataclasses.dataclass(frozen=True, slots=True)
class Casting:
    """Who plays which role; other classes than these are for tests that plant a bug."""

    router: type[Router] = Router
    member: type[Member] = Member


@dataclasses.dataclass(frozen=True, slots=True)
class Parts:
    """A mob that runs: its system, its ledger and the refs a `Mob` speaks to."""

    source: Source
    system: ActorSystem
    ledger: Ledger
    state_dir: Path
    forwarder: ActorRef[Forwarder]
    ops: ActorRef[OpsRegistry]
    router: ActorRef[Router]
    edges: ActorRef[EdgeReconciler]
    supervisor: ActorRef[Supervisor]
    unfinished: Mapping[str, tuple[TurnInput, ...]]  # what a former run left, per member


def launch(
    definition: str | Path | Mapping[str, object] | MobDefinition,
    *,
    state_dir: str | Path | None,
    hosts: None,
    durability: Durability | None,
    scheduler: Scheduler | None,
    after_send: AfterSend | None,
) -> Parts:
    """As `Mob.launch`; blocks until every declared member is started and wired."""
    if hosts is not None:
        raise TypeError("hosts: members are placed in this process only; leave it None")
    source = read_definition(definition)
    return start(
        source,
        state_dir=None if state_dir is None else Path(state_dir),
        durability=durability or source.definition.store.durability,
        scheduler=scheduler,
        after_send=after_send,
    )


def read_definition(given: str | Path | Mapping[str, object] | MobDefinition) -> Source:
    """A definition from a TOML file, a mapping, or itself.

    Raises:
        DefinitionError: the file cannot be read, or something in it is wrong (file, key, hint).
        TypeError: it is none of these.
    """
    if isinstance(given, MobDefinition):
        return Source(given, "<definition>", None)
    if isinstance(given, Mapping):
        return Source(definition_from(given), "<dict>", None)
    if not isinstance(given, str | Path):
        raise TypeError(
            f"a definition is a path, a dict or a MobDefinition, not {type(given).__name__}"
        )
    path = Path(given)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise DefinitionError(str(path), "", "there is no such file") from error
    except IsADirectoryError as error:
        hint = f"name the file, such as {path / 'mob.toml'}"
        raise DefinitionError(str(path), "", "is a directory", hint) from error
    except UnicodeDecodeError as error:
        raise DefinitionError(str(path), "", "is not UTF-8 text") from error
    except OSError as error:
        raise DefinitionError(str(path), "", f"cannot be read: {error.strerror}") from error
    return Source(parse_definition(text, source=str(path)), str(path), path.resolve().parent)


def start(
    source: Source,
    *,
    state_dir: Path | None,
    durability: Durability,
    scheduler: Scheduler | None = None,
    after_send: AfterSend | None = None,
    casting: Casting = Casting(),
) -> Parts:
    """Start a mob; blocks until every declared member is started and wired.

    Raises:
        DefinitionError: the id cannot be part of an address, or what a profile's `call` names
            cannot take turns. Nothing was started.
        StoreInUse: another process (or this one) runs a mob in the state directory.
        StoreError: the ledger cannot be opened or is damaged.
        StartFailed: the mob could not start; what was started is stopped.
    """
    definition = source.definition
    _check_id(source)
    for profile in definition.profiles.values():
        resolve(profile, source.folder, source.name)
    folder = (state_dir or Path(STATE_DIR) / definition.id).absolute()
    ledger = open_ledger(folder, definition.id, durability)
    system: ActorSystem | None = None
    try:
        recovered = recover(ledger)
        system = ActorSystem(definition.id, scheduler=scheduler)
        parts = _start_actors(source, system, ledger, folder, recovered, after_send, casting)
    except BaseException:
        if system is not None:
            system.shutdown(timeout=2.0)
        ledger.close()
        raise
    return parts


def _check_id(source: Source) -> None:
    """The mob's id is the node part of its actors' addresses. Raises DefinitionError."""
    try:
        Address(source.definition.id, "supervisor")
    except AddressError as error:
        hint = f"for example '{Address.parse(error.nearest).node}'"
        problem = f"'{source.definition.id}' {error.problem}"
        raise DefinitionError(source.name, "id", problem, hint) from error


def _start_actors(
    source: Source,
    system: ActorSystem,
    ledger: Ledger,
    folder: Path,
    recovered: Recovered,
    after_send: AfterSend | None,
    casting: Casting,
) -> Parts:
    definition = source.definition
    unfinished = {
        name: tuple(item.given for item in inputs.open.values())
        for name, inputs in recovered.inputs.items()
    }
    forwarder = system.spawn(_system_actor(Forwarder, ledger, name="forwarder"))
    ops = system.spawn(_system_actor(OpsRegistry, definition.id, name="operations"))
    # On the loop of the members: mail between them crosses no thread, and a member that holds
    # this loop could not be reached by anybody anyway.
    router = system.spawn(
        ChildSpec(casting.router, name="router", loop="member", restart="temporary")
    )
    edges = system.spawn(
        _system_actor(
            EdgeReconciler, definition, recovered.roster, forwarder, router, name="edges"
        ),
        wait=True,
        timeout=START_S,
    )
    desk = Desk(
        mob=definition.id,
        scheduler=system.realm.scheduler,
        ledger=ledger,
        router=router,
        forwarder=forwarder,
        ops=ops,
        folder=source.folder,
        source=source.name,
        state_dir=folder,
        after_send=after_send,
    )
    supervisor = system.spawn(
        _system_actor(
            Supervisor, definition, recovered, desk, edges, casting.member, name="supervisor"
        ),
        wait=True,
        timeout=START_S,
    )
    return Parts(
        source, system, ledger, folder, forwarder, ops, router, edges, supervisor, unfinished
    )


def _system_actor(kind: type, *args: object, name: str) -> ChildSpec[Any]:
    """On the system loop, never restarted: its state is the mob's, and a bug in it must show."""
    return ChildSpec(kind, args, name=name, loop="system", restart="temporary")


_running: list[Callable[[float], object]] = []
_watching = threading.Lock()  # held for good once the program's end is watched


def end_at_exit(shutdown: Callable[[float], object]) -> None:
    """Have a mob ended when the program exits without doing so."""
    _running.append(shutdown)
    if _watching.acquire(blocking=False):
        # Not `atexit`: when that runs, concurrent.futures has stopped the ledger's thread. This is
        # how it does so itself; who registers last runs first.
        threading._register_atexit(_end_all)  # type: ignore[attr-defined]  # see above


def forget_at_exit(shutdown: Callable[[float], object]) -> None:
    """It has ended."""
    if shutdown in _running:
        _running.remove(shutdown)


def _end_all(limit: float = EXIT_S) -> None:
    until = time.monotonic() + limit  # for all of them together
    for shutdown in tuple(_running):
        shutdown(max(until - time.monotonic(), 0.0))


# A forked child has none of the threads: its parent's mobs are not its own to end.
os.register_at_fork(after_in_child=_running.clear)
