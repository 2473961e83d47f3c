"""`mob doctor`: is this installation sound, and is that ledger?"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Final, Literal

from actors.cli.failures import UsageProblem, explain, one_line
from actors.domain.errors import MobError
from actors.launching import STATE_DIR
from actors.stores.storefile import LEDGER_FILE
from transport.errors import AddressError

Status = Literal["ok", "warn", "fail"]

PYTHON: Final = (3, 11)
SQLITE: Final = (3, 51, 3)  # the first one without the WAL-reset corruption bug
LIBRARIES: Final = {  # distribution to the oldest version that will do, as in setup.cfg
    "pykka": "4.5",
    "pydantic": "2.12",
    "msgpack": "1.1",
    "pyzmq": "27",
    "apsw": "3.53",
    "typer": "0.15",
    "rich": "13",
}
LIBZMQ: Final = (4, 3, 5)  # the first one with all fixes for what a stranger can send
DESCRIPTORS: Final = 1024  # a mob of one process needs few, a node one or two per peer


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the doctor: what was looked at, what was found, and what to do about it.

    `entries` and `first_bad` are said about stores only (see `actors.stores.LedgerCheck`).
    """

    name: str
    status: Status
    text: str
    fix: str | None = None
    entries: int | None = None
    first_bad: int | None = None


def examine(store: Path | None) -> list[Check]:
    """All checks; with `store` this one is verified, else those of the current directory.

    Raises:
        UsageProblem: there is nothing at `store`.
    """
    if store is not None and not store.exists():
        raise UsageProblem(
            f"there is no file or directory {one_line(store)}",
            "name a state directory that a mob has used, or its ledger file",
        )
    checks = [_python(), *map(_library, LIBRARIES), _sqlite(), _curve(), _keys(), _descriptors()]
    stores = [store] if store is not None else sorted(_stores_here())
    return checks + [_store(each) for each in stores]


def _python() -> Check:
    found = ".".join(map(str, sys.version_info[:3]))
    wanted = ".".join(map(str, PYTHON))
    if sys.version_info < PYTHON:
        return Check("python", "fail", f"Python {found}", f"install Python {wanted} or newer")
    return Check("python", "ok", f"Python {found}")


def _library(name: str) -> Check:
    oldest = LIBRARIES[name]
    fix = f"pip install '{name}>={oldest}'"
    try:
        found = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Check(name, "fail", f"{name} is not installed", fix)
    if numbers(found) < numbers(oldest):
        return Check(name, "fail", f"{name} {found} is older than {oldest}", fix)
    return Check(name, "ok", f"{name} {found}")


def _sqlite() -> Check:
    wanted = ".".join(map(str, SQLITE))
    fix = f"pip install --only-binary apsw 'apsw>={LIBRARIES['apsw']}'"
    try:
        from actors.stores.opening import sqlite_version

        found = sqlite_version()
    except ImportError as error:
        return Check("sqlite", "fail", f"SQLite cannot be loaded: {one_line(error)}", fix)
    if numbers(found) < SQLITE:
        text = f"SQLite {found} may corrupt a store (fixed in {wanted})"
        return Check("sqlite", "fail", text, fix)
    return Check("sqlite", "ok", f"SQLite {found}")


def _curve() -> Check:
    wanted = ".".join(map(str, LIBZMQ))
    fix = "pip install --upgrade --only-binary pyzmq pyzmq"
    try:
        from transport.security import curve_version

        found = curve_version()
    except ImportError as error:
        return Check("curve", "fail", f"ZeroMQ cannot be loaded: {one_line(error)}", fix)
    if found is None:
        return Check("curve", "fail", "ZeroMQ was built without CURVE: no tcp is possible", fix)
    if numbers(found) < LIBZMQ:
        return Check("curve", "fail", f"ZeroMQ {found} is older than {wanted}", fix)
    return Check("curve", "ok", f"ZeroMQ {found} with CURVE")


def _keys() -> Check:
    from transport.keys import default_directory, key_names
    from transport.private_files import FileRefused

    folder = default_directory()
    try:
        names = key_names(folder)
        for name in names:
            _check_key(folder, name)
    except FileRefused as error:
        return Check("keys", "fail", one_line(error), one_line(error.hint))
    except AddressError as error:
        text = f"a file in {one_line(folder)} is named {one_line(error)}"
        return Check("keys", "fail", text, "rename it, or move it elsewhere")
    count = "1 key" if len(names) == 1 else f"{len(names)} keys"
    return Check("keys", "ok", f"{count} in {one_line(folder)}, for this user only")


def _check_key(folder: Path, name: str) -> None:
    from transport.keys import PUBLIC_SUFFIX, SECRET_SUFFIX, read_public_key
    from transport.security import load_key_pair

    if os.path.lexists(folder / f"{name}{SECRET_SUFFIX}"):
        load_key_pair(folder, name).wipe()
    if os.path.lexists(folder / f"{name}{PUBLIC_SUFFIX}"):
        read_public_key(folder, name)


def _descriptors() -> Check:
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return Check("descriptors", "ok", "no limit on open files")
    text = f"{soft} open files allowed"
    if soft < DESCRIPTORS:
        return Check("descriptors", "warn", text, f"raise it: ulimit -n {4 * DESCRIPTORS}")
    return Check("descriptors", "ok", text)


def _stores_here() -> Iterator[Path]:
    for ledger in Path(STATE_DIR).glob(f"*/{LEDGER_FILE}"):
        yield ledger.parent


def _store(path: Path) -> Check:
    from actors.stores import verify_store

    name = f"store {one_line(path)}"
    try:
        found = verify_store(path)
    except MobError as error:
        failure = explain(error)
        return Check(name, "fail", failure.sentence, failure.hint)
    entries = "1 entry" if found.entries == 1 else f"{found.entries} entries"
    if not found.ok:
        text = f"{name}: {one_line(found.problem or 'damaged')}; {entries} before it are sound"
        fix = "restore a copy, or start with a new state directory"
        return Check(name, "fail", text, fix, found.entries, found.first_bad)
    text = f"{name}: {entries}, no cursor missing, every hash in its chain"
    return Check(name, "ok", text, None, found.entries)


def numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version, for comparing: `27.1.0rc1` gives `(27, 1, 0)`."""
    found = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(map(int, found[0].split("."))) if found else ()


def print_checks(checks: list[Check]) -> None:
    """One line per check, and below it what to do about it."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    styles = {"ok": "green", "warn": "yellow", "fail": "bold red"}
    for check in checks:
        line = Text.assemble((f"{check.status:<5}", styles[check.status]), " ", check.text)
        console.print(line, soft_wrap=True)
        if check.fix is not None:
            console.print(Text(f"      fix: {check.fix}"), soft_wrap=True)


def print_document(checks: list[Check]) -> None:
    """The checks as one JSON document."""
    document = {
        "ok": all(check.status != "fail" for check in checks),
        "checks": [asdict(check) for check in checks],
    }
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
