"""The modules of the example are importable by name, as they are when a mob file is run."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "review_panel"

if str(EXAMPLE) not in sys.path:
    sys.path.insert(0, str(EXAMPLE))


@pytest.fixture(scope="session")
def mob_file() -> dict[str, Any]:  # what tomllib returns
    """The mob file of the example."""
    return tomllib.loads((EXAMPLE / "mob.toml").read_text(encoding="utf-8"))


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A small tree of Python files with something to find in every other one."""
    root = tmp_path / "code"
    for number in range(60):
        file = root / f"part{number % 4}" / f"module{number:02}.py"
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
    (root / "latin.py").write_bytes(b"name = '\xe9'\n")
    return root
