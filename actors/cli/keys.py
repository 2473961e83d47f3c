"""`mob keys`: make CURVE key pairs, show their public halves; secrets stay in their files."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from actors.cli.failures import DONE, FAILED, UsageProblem, one_line
from actors.domain.errors import MobError, did_you_mean
from transport.errors import AddressError
from transport.keys import (
    PUBLIC_SUFFIX,
    SECRET_SUFFIX,
    check_name,
    default_directory,
    fingerprint,
    key_names,
    read_public_key,
    read_secret_key,
    write_key_pair,
)
from transport.private_files import FileRefused
from transport.reach import SecurityError


class KeysRefused(MobError):
    """A key file is not used as it is, or could not be made."""

    def __init__(self, text: str, hint: str) -> None:
        super().__init__(text, hint=hint)
        self.text = text
        self.args = (text, hint)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class KeyView:
    """What is shown of a key: `secret` says whether its secret file is here, nothing more."""

    name: str
    public: str | None
    fingerprint: str | None
    secret: bool
    problem: str | None = None
    fix: str | None = None


def new_key(name: str, directory: Path | None) -> int:
    """Make a pair, write its two files, say where they are.

    Raises:
        UsageProblem: The name cannot name a key.
        KeysRefused: It exists already, or cannot be written.
    """
    from transport.security import new_key_pair

    folder = _folder(directory)
    with _explained():
        check_name(name)
        pair = new_key_pair(name)
        try:
            secret_path, public_path = write_key_pair(folder, pair)
        finally:
            pair.wipe()
    _say(
        _facts(KeyView(name, pair.public, pair.fingerprint, secret=True))
        + f"secret       {one_line(secret_path)}  (keep it; it never leaves this machine)\n"
        f"public       {one_line(public_path)}  (give it to those who shall let you in)\n"
    )
    return DONE


def list_keys(directory: Path | None, *, as_json: bool) -> int:
    """One line for each key; the exit code says whether all of them can be used."""
    folder = _folder(directory)
    with _explained():
        views = [_view(folder, name) for name in key_names(folder)]
    if as_json:
        document = {"directory": str(folder), "keys": [asdict(view) for view in views]}
        _say(json.dumps(document, indent=2) + "\n")
    elif not views:
        _say(f"no keys in {one_line(folder)}; mob keys new NAME makes one\n")
    else:
        width = max(len(one_line(view.name)) for view in views)
        _say("".join(_line(view, width) for view in views))
    return FAILED if any(view.problem for view in views) else DONE


def show_key(name: str, directory: Path | None, *, as_json: bool) -> int:
    """The public half of one key.

    Raises:
        UsageProblem: There is no such key; the nearest is named.
        KeysRefused: Its file is not used as it is.
    """
    folder = _folder(directory)
    with _explained():
        check_name(name)
        known = key_names(folder)
        if name not in known:
            raise UsageProblem(
                f"there is no key '{name}' in {one_line(folder)}{did_you_mean(name, known)}",
                "'mob keys list' shows those there are, 'mob keys new NAME' makes one",
            )
        public = _public(folder, name)
    view = KeyView(name, public, fingerprint(public), _has(folder, name, SECRET_SUFFIX))
    if as_json:
        _say(json.dumps({"directory": str(folder), **asdict(view)}, indent=2) + "\n")
    else:
        _say(f"{_facts(view)}authorize    {name} {public} host\n")
    return DONE


def _view(folder: Path, name: str) -> KeyView:
    secret = _has(folder, name, SECRET_SUFFIX)
    try:
        check_name(name)
        public = _public(folder, name)
    except AddressError as error:
        return KeyView(name, None, None, secret, error.problem, "rename its files")
    except FileRefused as error:
        return KeyView(name, None, None, secret, str(error), error.hint)
    return KeyView(name, public, fingerprint(public), secret)


def _public(folder: Path, name: str) -> str:
    # A disk that was full, or a crash at that moment, may have left the secret file alone.
    if not _has(folder, name, PUBLIC_SUFFIX) and _has(folder, name, SECRET_SUFFIX):
        return read_secret_key(folder, name).public
    return read_public_key(folder, name).key


def _has(folder: Path, name: str, suffix: str) -> bool:
    return os.path.lexists(folder / f"{name}{suffix}")


def _folder(directory: Path | None) -> Path:
    return default_directory() if directory is None else directory


def _facts(view: KeyView) -> str:
    return (
        f"name         {view.name}\nkey          {view.public}\nfingerprint  {view.fingerprint}\n"
    )


def _line(view: KeyView, width: int) -> str:
    if view.problem is not None:
        return (
            f"{one_line(view.name):<{width}}  {one_line(view.problem)}\n"
            f"{'':<{width}}  fix: {one_line(view.fix)}\n"
        )
    return f"{view.name:<{width}}  {view.public}  {'secret here' if view.secret else 'public'}\n"


@contextmanager
def _explained() -> Iterator[None]:
    """Put what the transport refuses into the words, and the exit codes, of the command line."""
    try:
        yield
    except AddressError as error:
        raise UsageProblem(
            f"'{error.text}' {error.problem}", f"for example '{error.nearest}'"
        ) from error
    except (FileRefused, SecurityError) as error:
        raise KeysRefused(str(error), error.hint) from error


def _say(text: str) -> None:
    sys.stdout.write(text)
