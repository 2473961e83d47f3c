"""Real runs of the command `mob` for the tests: in processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

from actors.domain.errors import StoreError
from actors.stores import verify_store

ROOT = Path(__file__).resolve().parents[2]
PANEL = ROOT / "examples" / "review_panel" / "mob.toml"
MOB = (sys.executable, "-m", "actors.cli")
TIMEOUT_S = 300.0
GATE = """
    from pathlib import Path

    async def lead(ctx):
        Path(ctx.input.body, "begun").touch()
        while not Path(ctx.input.body, "go").exists():
            await ctx.boundary(wait=0.02)
        print("said by a member")
        return {"answer": 42}

    def deaf(ctx):
        Path(ctx.input.body, "begun").touch()
        while not Path(ctx.input.body, "go").exists():
            pass
"""


def environment(**more: str) -> dict[str, str]:
    """The environment of a run: this code, no colours, a fixed width."""
    plain = {"PYTHONPATH": str(ROOT), "COLUMNS": "100", "NO_COLOR": "1", "PYTHONWARNINGS": "error"}
    inherited = {k: v for k, v in os.environ.items() if k not in ("MOB_DEBUG", "FORCE_COLOR")}
    return inherited | plain | more


def mob(*arguments: object, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*MOB, *map(str, arguments)],
        cwd=cwd,
        env=environment(**more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def started(*arguments: object, cwd: Path, **more: str) -> subprocess.Popen[str]:
    """Start a command; to be used as a context manager."""
    return subprocess.Popen(
        [*MOB, *map(str, arguments)],
        cwd=cwd,
        env=environment(**more),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def review(code: Path, *options: object, cwd: Path) -> dict[str, Any]:
    """Review a tree; the document of a run that ended well."""
    done = mob("run", PANEL, "--input", code, "--json", *options, cwd=cwd)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert isinstance(document, dict)
    return document


def until(process: subprocess.Popen[str], true: Callable[[], bool]) -> bool:
    """Wait until something is true; False if the process has ended before."""
    while not true():
        try:
            process.wait(0.002)
        except subprocess.TimeoutExpired:
            continue
        return true()
    return True


def end(process: subprocess.Popen[str], number: int = signal.SIGKILL) -> tuple[str, str]:
    """Send a signal and wait for the end; what it wrote since."""
    process.send_signal(number)
    return process.communicate(timeout=TIMEOUT_S)


def entries(store: Path) -> int:
    """How many sound entries the ledger has; 0 while there is none."""
    try:
        return verify_store(store).entries
    except StoreError:
        return 0


def write_code(root: Path, files: int) -> Path:
    """A tree of Python files with something to find in each; one that does not parse."""
    for number in range(files):
        file = root / f"part{number % 5}" / f"module{number:05}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        branches = "\n".join(f"    if x == {n}:\n        return {n}" for n in range(number % 15))
        lines = [
            '"""A module."""' if number % 2 else "# TODO: say what this is for",
            f"def choose{number}(x, kept=[]):",
            branches or "    pass",
            "    try:\n        return eval(x)\n    except:\n        pass",
        ]
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    (root / "broken.py").write_text("def :\n", encoding="utf-8")
    return root


def write_gate(folder: Path, *, call: str = "lead") -> Path:
    """A mob of one member whose turn goes on until there is a file `go` in its input."""
    isolation = "thread" if call == "deaf" else "async"
    file = folder / "gate.toml"
    file.write_text(
        textwrap.dedent(f"""
            id = "gate"
            [profiles.lead]
            call = "gate_{folder.name}:{call}"
            isolation = "{isolation}"
            [[members]]
            name = "lead"
            profile = "lead"
            [limits]
            drain_timeout_s = 20.0
        """),
        encoding="utf-8",
    )
    (folder / f"gate_{folder.name}.py").write_text(textwrap.dedent(GATE), encoding="utf-8")
    return file
