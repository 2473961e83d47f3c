"""Which files there are to review, and who reviews which."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from typing import Final
from zlib import crc32

from panel_findings import MODULE, Mark

_BAD_NAME: Final = "the file name is not UTF-8"


class NothingThereError(Exception):
    """The input path names neither a file nor a directory."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return f"there is no file or directory {self.path!r}: give the path of Python code"


@dataclass(frozen=True, slots=True)
class SourceTree:
    """The files under `root`, relative to it, posix, sorted.

    `unnamed` are files whose name no message can carry, in printable form; `closed` are
    directories that cannot be listed, each with the reason.
    """

    root: Path
    files: tuple[str, ...]
    unnamed: tuple[str, ...]
    closed: tuple[tuple[str, str], ...]

    @property
    def count(self) -> int:
        """How many Python files were found."""
        return len(self.files) + len(self.unnamed)

    def marks(self) -> Iterator[tuple[str, Mark]]:
        """What there is to say before anything is read: (file or directory, mark)."""
        for file in self.unnamed:
            yield file, Mark(1, MODULE, "unreadable", _BAD_NAME)
        for folder, reason in self.closed:
            yield folder, Mark(1, MODULE, "unreadable", reason)


def find_files(path: str, skip: Sequence[str]) -> SourceTree:
    """The `*.py` files under a directory, or the one file the path names.

    Hidden directories and those matching a pattern of `skip` are left out, unless the latter
    are packages (hold an `__init__.py`). Links to directories are not followed, so no loop and
    no file twice. Raises NothingThereError.
    """
    start = Path(path).absolute()
    closed: list[OSError] = []
    if start.is_dir():
        found = sorted(_walk(start, skip, closed))
        root = start
    elif os.path.lexists(start):
        found = [start.name]
        root = start.parent
    else:
        raise NothingThereError(path)
    files: list[str] = []
    unnamed: list[str] = []
    for file in found:
        printable = _printable(file)
        (files if printable == file else unnamed).append(printable)
    reasons = sorted(
        (_printable(_relative(error.filename, root)), error.strerror or type(error).__name__)
        for error in closed
    )
    return SourceTree(root, tuple(files), tuple(unnamed), tuple(reasons))


def _printable(name: str) -> str:
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _relative(path: str, root: Path) -> str:
    return os.path.relpath(path, root).replace(os.sep, "/")


def _walk(start: Path, skip: Sequence[str], closed: list[OSError]) -> Iterator[str]:
    for folder, folders, names in os.walk(start, onerror=closed.append):
        inside = _relative(folder, start)
        prefix = "" if inside == os.curdir else inside + "/"
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".")
            and (
                not any(fnmatchcase(name, pattern) for pattern in skip)
                or os.path.isfile(os.path.join(folder, name, "__init__.py"))
            )
        ]
        for name in names:
            if name.endswith(".py"):
                yield prefix + name


def share(files: Sequence[str], members: Sequence[str]) -> dict[str, list[str]]:
    """Member to its files. It depends on nothing but names, so it is the same after any restart."""
    shares: dict[str, list[str]] = {member: [] for member in members}
    for file in files:
        shares[members[crc32(file.encode()) % len(members)]].append(file)
    return shares


def batches(files: Sequence[str], size: int) -> Iterator[tuple[str, ...]]:
    """The files in order, at most `size` at a time."""
    rest = iter(files)
    while batch := tuple(islice(rest, max(size, 1))):
        yield batch
