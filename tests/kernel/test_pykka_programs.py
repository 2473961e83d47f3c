"""Programs written for Pykka run on `ThreadActor` unchanged: only the base class is another."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(__file__).with_name("pykka_programs")
TIMEOUT_S = 60  # a program that hangs is broken

PYKKA = "import pykka, runpy, sys"
OURS = f"{PYKKA}; from actors import ThreadActor; pykka.ThreadingActor = ThreadActor"


def run(program: str, base: str) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, with the base class that `base` sets."""
    code = f"{base}; runpy.run_path(sys.argv[1], run_name='__main__')"
    return _python(code, str(PROGRAMS / f"{program}.py"))


def _python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )


@pytest.mark.parametrize(
    ("program", "last"),
    [
        ("plain", "nobody there"),
        ("producer_consumer", "left 0"),
        ("proxies", "stopped None"),
        ("worker_pool", "left []"),
        ("failures", "[True, True]"),
    ],
)
def test_a_program_written_for_pykka_prints_the_same_on_ours(program: str, last: str) -> None:
    theirs, ours = run(program, PYKKA), run(program, OURS)

    assert ours.stdout == theirs.stdout
    assert theirs.stdout.splitlines()[-1] == last


def test_the_program_of_the_page_on_pykka_prints_what_it_shows() -> None:
    page = (ROOT / "docs" / "pykka.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (shown,) = re.findall(r"```text\n(.*?)```", page, re.DOTALL)

    ours = _python(code)
    theirs = _python("import pykka, actors; actors.ThreadActor = pykka.ThreadingActor\n" + code)

    assert ours.stdout == theirs.stdout == shown


def test_every_program_is_run() -> None:
    text = Path(__file__).read_text(encoding="utf-8")

    programs = {path.stem for path in PROGRAMS.glob("*.py")}

    assert all(f'"{program}"' in text for program in programs)
    assert len(programs) == 6


def test_the_deadlock_of_every_guide_is_an_error_on_ours() -> None:
    theirs, ours = run("deadlock", PYKKA), run("deadlock", OURS)

    assert theirs.stdout.splitlines() == ["a, b, c", "they wait for each other"]
    assert theirs.stderr.count(", in stamp\n") >= 2  # the tracebacks show where
    assert ours.stdout.splitlines() == ["a, b, c", "AskCycle", "c", "[True, True, True]"]
