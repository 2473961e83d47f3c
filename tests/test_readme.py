"""The README is true: what it marks runs as it is written and prints what it shows.

Marks are HTML comments directly above a fenced block:

- ``<!-- run -->`` above ``console``: each line that begins with ``$ `` is run in a copy of the
  repository; the lines after it are its output. Above ``python``: the block is run as a script in
  an empty folder; a ``text`` block right after it is its output.
- ``<!-- file: NAME -->``: the block is written into that folder as NAME.

In an output ``...`` stands for any text, and a line of ``...`` alone for any lines.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
TIMEOUT_S = 300

_BLOCK = re.compile(
    r"^<!-- (?P<mark>run|file: (?P<name>\S+)) -->\n"
    r"```(?P<language>\w+)\n(?P<body>.*?)^```\n"
    r"(?:\n```text\n(?P<output>.*?)^```\n)?",
    re.MULTILINE | re.DOTALL,
)
_COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_NOT_COPIED = (".git", ".venv*", ".mob", ".*_cache", "__pycache__", "*.egg-info", ".hypothesis")


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a console block and the output shown for it."""

    line: str
    output: str


def blocks(language: str) -> list[re.Match[str]]:
    """Return the blocks marked to run, in their order."""
    found = [m for m in _BLOCK.finditer(README) if m["mark"] == "run"]
    return [m for m in found if m["language"] == language]


def commands() -> list[Command]:
    """Return the commands of all console blocks marked to run."""
    bodies = [m["body"] for m in blocks("console")]
    parts = [part for body in bodies for part in re.split(r"^\$ ", body, flags=re.MULTILINE)]
    return [Command(*part.split("\n", 1)) for part in parts if part.strip()]


def agrees(shown: str, printed: str) -> bool:
    """Say whether what was printed is what the README shows."""
    lines = [
        r"(?:.*\n)*?" if line.strip() == "..." else re.escape(line).replace(r"\.\.\.", ".*") + r"\n"
        for line in shown.rstrip().splitlines()
    ]
    plain = "".join(f"{line.rstrip()}\n" for line in _COLOUR.sub("", printed).rstrip().splitlines())
    return re.fullmatch("".join(lines), plain) is not None


def environment(code: Path) -> dict[str, str]:
    """Return an environment in which this interpreter's programs run the packages in `code`."""
    programs = str(Path(sys.executable).parent)
    return os.environ | {
        "MOB_VENV": sys.prefix,
        "PATH": programs + os.pathsep + os.environ["PATH"],
        "PYTHONPATH": str(code),
        "NO_COLOR": "1",
        "COLUMNS": "100",
    }


def run(command: list[str], *, cwd: Path, code: Path) -> str:
    """Run a command to its good end and return everything it printed."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environment(code),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_readme_marks_commands_and_programs_to_run() -> None:
    assert commands()
    assert blocks("python")


def test_commands_of_the_readme_print_what_it_shows(tmp_path: Path) -> None:
    if not Path(sys.executable).with_name("mob").exists():
        pytest.skip("the command `mob` is not installed beside this interpreter: pip install -e .")
    copy = tmp_path / "mob-actors"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*_NOT_COPIED))

    for command in commands():
        printed = run(["bash", "-c", command.line], cwd=copy, code=copy)

        assert agrees(command.output, printed), f"$ {command.line}\n{printed}"


def test_programs_of_the_readme_print_what_it_shows(tmp_path: Path) -> None:
    for block in _BLOCK.finditer(README):
        if block["name"]:
            (tmp_path / block["name"]).write_text(block["body"], encoding="utf-8")

    for number, block in enumerate(blocks("python")):
        program = tmp_path / f"program_{number}.py"
        program.write_text(block["body"], encoding="utf-8")

        printed = run([sys.executable, program.name], cwd=tmp_path, code=ROOT)

        assert agrees(block["output"] or "", printed), f"{block['body']}\n{printed}"


def test_scripts_named_in_the_readme_can_be_run() -> None:
    for name in set(re.findall(r"\bscripts/\w+", README)):
        assert os.access(ROOT / name, os.X_OK), name


def test_links_of_the_readme_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


@pytest.mark.parametrize(
    ("shown", "printed", "expected"),
    [
        ("a\n", "a\n", True),
        ("a\n", "b\n", False),
        ("a ... c\n", "a b c\n", True),
        ("a\n...\nc\n", "a\nb\nb\nc\n", True),
        ("a\n...\nc\n", "a\nc\n", True),
        ("...\n", "", True),
        ("a\n", "a\nb\n", False),
        ("a\n", "\x1b[1ma\x1b[0m  \n", True),
    ],
)
def test_dots_stand_for_any_text(shown: str, printed: str, expected: bool) -> None:
    assert agrees(shown, printed) is expected
