"""Reading one file: its text and tree, or the one finding that says why there is none."""

from __future__ import annotations

import ast
import io
import os
import re
import stat
import threading
import tokenize
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from panel_findings import MODULE, Mark

# The parser warns about odd literals in the reviewed code. The warnings carry this name, so that
# one filter silences them and nobody else's; under `-W error` they would be syntax errors.
_PARSED_NAME: Final = "<review panel>"
_WARNINGS = threading.Lock()


class Stamp(NamedTuple):
    """Size in bytes and modification time of a file; -1 and -1 when it cannot be looked at."""

    size: int
    mtime_ns: int


NO_STAMP: Final = Stamp(-1, -1)


@dataclass(frozen=True, slots=True)
class Source:
    """A parsed file. Lines of `text` end in a single newline character, whatever the file has."""

    path: str
    text: str
    tree: ast.Module


class Reading(NamedTuple):
    """Either `source` or `problem` is None."""

    stamp: Stamp
    source: Source | None
    problem: Mark | None


def stamp_of(path: Path) -> Stamp:
    """The file's stamp now."""
    try:
        seen = path.stat()
    except OSError:
        return NO_STAMP
    return Stamp(seen.st_size, seen.st_mtime_ns)


def read(root: Path, file: str, *, max_bytes: int) -> Reading:
    """Read and parse `root/file`. Never raises: what goes wrong is the reading's `problem`."""
    path = root / file
    stamp = stamp_of(path)
    if stamp.size > max_bytes:
        return Reading(stamp, None, Mark(1, MODULE, "too-large", stamp.size))
    try:
        raw = _bytes_of(path, max_bytes)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        return Reading(stamp, None, Mark(1, MODULE, "unreadable", reason))
    outcome = parse(raw, file)
    if isinstance(outcome, Mark):
        return Reading(stamp, None, outcome)
    return Reading(stamp, outcome, None)


def parse(raw: bytes, file: str) -> Source | Mark:
    """The source in these bytes, decoded as Python does: UTF-8, or what a PEP 263 cookie names."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(raw).readline)
        text = raw.decode(encoding)
    except (SyntaxError, LookupError, ValueError) as error:
        return Mark(1, MODULE, "encoding", _encoding_problem(error))
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    try:
        _silence_parser()
        tree = ast.parse(text, filename=_PARSED_NAME)
    except SyntaxError as error:
        return Mark(error.lineno or 1, MODULE, "syntax", error.msg)
    except ValueError as error:  # a null character, or a lone surrogate
        return Mark(1, MODULE, "syntax", str(error))
    except (RecursionError, MemoryError):
        return Mark(1, MODULE, "too-deep", "nested too deeply for the parser")
    return Source(file, text, tree)


def _bytes_of(path: Path, max_bytes: int) -> bytes:
    # Opening a pipe would wait for a writer that never comes.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "Not a regular file")
        return stream.read(max_bytes + 1)


def _encoding_problem(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"not {error.encoding}: byte 0x{error.object[error.start]:02x} at {error.start}"
    return error.msg if isinstance(error, SyntaxError) else str(error)


def _silence_parser() -> None:
    # Not `catch_warnings`: it swaps state of the whole process and reviewers are threads.
    pattern = re.escape(_PARSED_NAME)
    with _WARNINGS:
        for action, _, _, module, _ in warnings.filters:
            if action == "ignore" and getattr(module, "pattern", module) == pattern:
                return
        warnings.filterwarnings("ignore", module=pattern)
