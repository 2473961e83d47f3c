"""How long a new process takes until the library, or the command, is there."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

_IMPORT = (
    "import time; start = time.perf_counter(); import {module}; print(time.perf_counter() - start)"
)


def import_ms(module: str, count: int) -> float:
    """Return milliseconds for `import module` in a new interpreter, the best of `count`."""
    code = _IMPORT.format(module=module)
    times = [
        float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout)
        for _ in range(count)
    ]
    return min(times) * 1e3


def help_ms(count: int) -> float:
    """Return milliseconds from starting `mob --help` to its end, the best of `count`."""
    command = Path(sys.executable).with_name("mob")
    times = []
    for _ in range(count):
        start = time.perf_counter()
        subprocess.run([command, "--help"], check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return min(times) * 1e3


def close() -> None:
    """Leave nothing to end."""


MEASURES: dict[str, Callable[[int], float]] = {
    "import_actors": lambda count: import_ms("actors", count),
    "import_pykka": lambda count: import_ms("pykka", count),
    "import_xoscar": lambda count: import_ms("xoscar", count),
    "import_autogen": lambda count: import_ms("autogen_core", count),
    "mob_help": help_ms,
}
