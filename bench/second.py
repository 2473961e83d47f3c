"""The second process of a measure between two: `python -m bench.second MODULE ARGUMENT…`.

It runs `serve(ready, over, *arguments)` of that module, which calls `ready` with what the first
process must know (JSON, one line on standard output) and returns once `over` is set: when the first
process closes the pipe, whichever way that ends.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

END_S: Final = 10.0

Ready = Callable[[Any], None]  # Any: whatever the two halves of a module agree on
Over = threading.Event


@contextmanager
def second(module: str, *arguments: str) -> Iterator[Any]:
    """A process that serves; gives what it said of itself.

    Raises:
        RuntimeError: It ended without a word.
    """
    command = [sys.executable, "-m", "bench.second", module, *arguments]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ.copy()
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        said = process.stdout.readline()
        if not said:
            raise RuntimeError(f"the second process of {module} ended without a word")
        yield json.loads(said)
    finally:
        process.stdin.close()
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def main(module: str, *arguments: str) -> None:
    """Serve until the first process is gone."""
    over = threading.Event()

    def watch() -> None:
        sys.stdin.read()
        over.set()

    threading.Thread(target=watch, daemon=True).start()
    serve = importlib.import_module(f"bench.{module}").serve
    serve(lambda what: print(json.dumps(what), flush=True), over, *arguments)


if __name__ == "__main__":
    main(*sys.argv[1:])
