"""Every example runs as it stands and prints what its docstring shows."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# A busy machine holds a loop up, and the watchdog says so: a line, and a stack below it.
SLOW = re.compile(r"^mob://\S+ held its loop for .*\n(?: .*\n)*\n?", re.MULTILINE)
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def shown(example: Path) -> str:
    """Return the output in the docstring: the indented lines below the command."""
    text = ast.get_docstring(ast.parse(example.read_text(encoding="utf-8"))) or ""
    command, _, output = text.partition(f"$ python examples/{example.name}\n")
    assert output, f"{example.name} does not show its command: {command!r}"
    return textwrap.dedent(output).strip()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_prints_what_it_shows(example: Path, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1"}

    done = subprocess.run(
        [sys.executable, str(example)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert SLOW.sub("", done.stderr) == ""
    assert "\n".join(line.rstrip() for line in done.stdout.strip().splitlines()) == shown(example)
    assert list(tmp_path.iterdir()) == []


def test_an_example_fits_on_a_screen() -> None:
    lengths = {path.name: len(path.read_text().splitlines()) for path in EXAMPLES}

    assert {name: length for name, length in lengths.items() if length > 60} == {}
