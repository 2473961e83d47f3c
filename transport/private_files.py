"""Files that nobody else may read or change: made whole, opened without following links.

Every check is made on an open descriptor, never on a path that could change meanwhile. A file is
reached through its directory's descriptor, and nobody else may write in that directory: then no one
can exchange what lies in it. *Private* is what only this user can reach (0700, 0600); what is not
private others may read, and it may belong to root, who can do everything anyway.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import takewhile
from pathlib import Path
from secrets import token_hex
from typing import Final

from transport.errors import TransportError

__all__ = ["FileRefused", "open_directory", "read_file", "write_new_file"]

PRIVATE_DIRECTORY: Final = 0o700
PRIVATE_FILE: Final = 0o600
PUBLIC_FILE: Final = 0o644

_ABSENT_HINT: Final = "check the path"
_OPEN_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: opening a pipe that lies in the place of a file must not wait for its writer.
_OPEN_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class FileRefused(TransportError):
    """A file or directory is not used as it is; nothing was changed.

    Attributes:
        path: Which one.
        problem: What is wrong with it, as the end of a sentence; never what is written in it.
        hint: The command or the change that helps.
    """

    def __init__(self, path: str, problem: str, hint: str) -> None:
        super().__init__(path, problem, hint)
        self.path = path
        self.problem = problem
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.path} {self.problem}"


@contextmanager
def open_directory(path: Path, *, create: bool = False, private: bool = True) -> Iterator[int]:
    """Give a descriptor of a directory for the time of a `with`.

    Args:
        path: The directory. Its last part may not be a symbolic link; parts above it may.
        create: Make it, and what is missing above it, each with mode 0700.
        private: Only its owner may look into it. Otherwise nobody else may write in it.

    Raises:
        FileRefused: It is absent, no directory, a link, another user's, or open to others.
    """
    if create:
        _make_directories(path)
    try:
        descriptor = os.open(path, _OPEN_DIRECTORY)
    except OSError as error:
        raise _refused_directory(path, error) from error
    try:
        _check_directory(path, os.fstat(descriptor), private=private)
        yield descriptor
    finally:
        os.close(descriptor)


def read_file(directory: int, path: Path, *, private: bool, limit_bytes: int) -> bytes:
    """Read a whole file of an open directory.

    Args:
        directory: From `open_directory`.
        path: The file with its directory, for errors; its last part is what is opened.
        private: Nobody but the owner may read it (a secret), nor may it have a second name.
            Otherwise others may read it, but not write.
        limit_bytes: A longer file is refused.

    Raises:
        FileRefused: It is absent, no plain file, a link, another user's, open to others, too long.
    """
    try:
        descriptor = os.open(path.name, _OPEN_FILE, dir_fd=directory)
    except OSError as error:
        raise _refused_file(path, error) from error
    try:
        _check_file(path, os.fstat(descriptor), private=private)
        with open(descriptor, "rb", closefd=False) as file:
            content = file.read(limit_bytes + 1)
    finally:
        os.close(descriptor)
    if len(content) > limit_bytes:
        problem = f"is longer than {limit_bytes} bytes"
        raise FileRefused(str(path), problem, "this is not a file of this kind; name another")
    return content


def write_new_file(directory: int, path: Path, content: bytes, *, mode: int) -> None:
    """Make a file that is there whole or not at all, after a power failure too.

    Written under a random name and then linked to its own, which fails if that name is taken:
    renaming would replace what is there.

    Raises:
        FileRefused: The name is taken, whatever has it; or the disk refused.
    """
    scratch = f".{path.name}.{token_hex(8)}"
    try:
        descriptor = os.open(scratch, _CREATE, mode, dir_fd=directory)
        try:
            try:
                os.fchmod(descriptor, mode)  # the umask took its part of the mode above
                with open(descriptor, "wb", closefd=False) as file:
                    file.write(content)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.link(scratch, path.name, src_dir_fd=directory, dst_dir_fd=directory)
        finally:
            with suppress(OSError):
                os.unlink(scratch, dir_fd=directory)
        os.fsync(directory)
    except FileExistsError as error:
        hint = "choose another name; existing files are never overwritten"
        raise FileRefused(str(path), "exists already", hint) from error
    except OSError as error:
        problem = f"cannot be written: {error.strerror}"
        hint = "the disk must have free space and a file system with hard links"
        raise FileRefused(str(path), problem, hint) from error


def _make_directories(path: Path) -> None:
    missing = takewhile(lambda each: not os.path.lexists(each), (path, *path.parents))
    for each in reversed(tuple(missing)):
        try:
            # Someone else may be making it too; what it is then is checked after it is opened.
            with suppress(FileExistsError):
                os.mkdir(each, PRIVATE_DIRECTORY)
        except OSError as error:
            raise FileRefused(
                str(each), f"cannot be made: {error.strerror}", "check the path and its permissions"
            ) from error


def _check_directory(path: Path, found: os.stat_result, *, private: bool) -> None:
    _check_owner(path, found, private=private)
    mode = stat.S_IMODE(found.st_mode)
    if mode & stat.S_ISVTX:  # everybody's, as /tmp is: closing it would be the wrong advice
        hint = "name a directory of your own, for example one in it"
        raise FileRefused(str(path), f"is shared by all users (mode {mode:04o})", hint)
    if private and mode & 0o077:
        problem = f"is open to other users (mode {mode:04o})"
        raise FileRefused(str(path), problem, f"chmod 700 {path}, or name another")
    if mode & 0o022:
        problem = f"can be written by others (mode {mode:04o})"
        raise FileRefused(str(path), problem, f"chmod go-w {path}, or name another")


def _check_file(path: Path, found: os.stat_result, *, private: bool) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise FileRefused(str(path), "is not a plain file", "name another")
    _check_owner(path, found, private=private)
    mode = stat.S_IMODE(found.st_mode)
    if private and mode & 0o177:
        problem = f"has mode {mode:04o}, so that others may have read it"
        hint = f"chmod 600 {path}; if others can log in here, make a new key instead"
        raise FileRefused(str(path), problem, hint)
    if mode & 0o022:
        hint = f"chmod go-w {path}, and check what is written in it"
        raise FileRefused(str(path), f"can be written by others (mode {mode:04o})", hint)
    if private and found.st_nlink != 1:
        problem = f"has {found.st_nlink} names (hard links)"
        hint = f"remove the others: find {path.parent} -samefile {path}"
        raise FileRefused(str(path), problem, hint)


def _check_owner(path: Path, found: os.stat_result, *, private: bool) -> None:
    user = os.geteuid()
    if found.st_uid != user and (private or found.st_uid != 0):
        problem = f"belongs to user {found.st_uid}, not to user {user} who runs this"
        raise FileRefused(str(path), problem, f"run this as its owner, or: chown {user} {path}")


def _refused_directory(path: Path, error: OSError) -> FileRefused:
    if os.path.islink(path):
        return FileRefused(str(path), "is a symbolic link", "name the directory it leads to")
    if isinstance(error, FileNotFoundError):
        return FileRefused(str(path), "does not exist", _ABSENT_HINT)
    return FileRefused(str(path), f"cannot be opened: {error.strerror}", _ABSENT_HINT)


def _refused_file(path: Path, error: OSError) -> FileRefused:
    if os.path.islink(path):
        return FileRefused(str(path), "is a symbolic link", "put the file itself in its place")
    if isinstance(error, FileNotFoundError):
        return FileRefused(str(path), "does not exist", _ABSENT_HINT)
    return FileRefused(str(path), f"cannot be opened: {error.strerror}", _ABSENT_HINT)
