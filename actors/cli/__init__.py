"""The command `mob`: run a mob, check an installation.

Only this layer knows typer and rich. What a command needs is imported when it runs, so that
`mob --help` answers at once.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line of this process; ends it with the exit code."""
    if sys.stdout is None:  # started with a closed standard output: work, and say it to nobody
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - open to the end
    try:
        from actors.cli.commands import command_line

        code = command_line()
    except KeyboardInterrupt:  # before the command has begun
        code = 130
    raise SystemExit(code)
