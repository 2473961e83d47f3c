"""How long a new process takes until the library, or the command, is there."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

_IMPORT = (
    "import time; start = time.perf_counter(); import {module}; print(time.perf_counter() - start)"
)


def import_ms(module: str, count: int) -> float:
    """Return milliseconds for `import module` in a new interpreter, the best of `count`."""
    command = [sys.executable, "-c", _IMPORT.format(module=module)]
    _run(command)
    return min(float(_run(command)) for _ in range(count)) * 1e3


def help_ms(count: int) -> float:
    """Return milliseconds from starting `mob --help` to its end, the best of `count`."""
    command = [str(Path(sys.executable).with_name("mob")), "--help"]
    _run(command)
    times = []
    for _ in range(count):
        start = time.perf_counter()
        _run(command)
        times.append(time.perf_counter() - start)
    return min(times) * 1e3


def _run(command: Sequence[str]) -> str:
    """Run a new process and return its output; what it compiles is kept, as an installation has it.

    So the first run of a command, which may compile, is not a measure.
    """
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=kept).stdout


def close() -> None:
    """Leave nothing to end."""


MEASURES: dict[str, Callable[[int], float]] = {
    "import_actors": lambda count: import_ms("actors", count),
    "import_pykka": lambda count: import_ms("pykka", count),
    "import_xoscar": lambda count: import_ms("xoscar", count),
    "import_autogen": lambda count: import_ms("autogen_core", count),
    "mob_help": help_ms,
}
