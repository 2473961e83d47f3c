"""The command line itself: help, version, usage errors, exit codes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from actors import __version__
from actors.cli.commands import command_line
from tests.cli.mob_process import ROOT, environment, mob

TEAM = """
id = "team"
[profiles.lead]
call = "json:loads"
"""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MOB_DEBUG", raising=False)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run"], "Missing argument 'FILE'"),
        (["ruin"], "No such command 'ruin'"),
        (["run", "mob.toml", "--inptu", "x"], "--inptu"),
        (["run", "mob.toml", "--chaos", "often"], "Invalid value for '--chaos'"),
        (["run", "mob.toml", "--durability", "some"], "'--durability'"),
        (["run", "nope.toml"], "nope.toml: there is no such file"),
        (["run", "."], "is a directory"),
        (["run", "mob.toml", "--input", "nowhere"], "there is no file or directory"),
        (["run", "mob.toml"], "mob 'team' has no members"),
        (["run", "wrong.toml"], "profiles.lead.isolatoin"),
        (["doctor", "--store", "nowhere"], "there is no file or directory nowhere"),
    ],
)
def test_a_usage_error_is_one_line_and_a_hint(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "mob.toml").write_text(TEAM, encoding="utf-8")
    wrong = TEAM + 'isolatoin = "async"\n'
    (tmp_path / "wrong.toml").write_text(wrong, encoding="utf-8")

    code = command_line(arguments)

    printed = capsys.readouterr()
    assert code == 2
    assert printed.out == ""
    line, hint = printed.err.splitlines()
    assert line.startswith("mob: ")
    assert said in line
    assert hint.startswith("hint: ")
    assert not (tmp_path / ".mob").exists()


def test_debug_adds_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line(["--debug", "run", "nope.toml"]) == 2
    assert "Traceback" in capsys.readouterr().err
    assert command_line(["run", "nope.toml", "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_debug_may_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MOB_DEBUG", "1")

    assert command_line(["run", "nope.toml"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_version_is_that_of_the_package(tmp_path: Path) -> None:
    done = mob("--version", cwd=tmp_path)

    assert done.stdout == f"mob-actors {__version__}\n"
    assert done.returncode == 0


def test_help_names_every_command_and_its_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line(["--help"]) == 0
    assert {"run", "doctor"} <= set(capsys.readouterr().out.split())
    assert command_line(["run", "--help"]) == 0
    shown = capsys.readouterr().out
    for code in ("0    done", "1    failed", "2    usage", "130  interrupted"):
        assert code in shown


def test_a_bare_mob_shows_its_help_as_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line([]) == 2

    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Commands:" in printed.err


def test_help_loads_neither_the_mob_nor_rich(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from actors.cli import commands\n"
        "commands.command_line(['--help'])\n"
        "print(*sys.modules, file=sys.stderr)\n"
    )

    loaded = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment(),
        check=True,
        capture_output=True,
        text=True,
    ).stderr.split()

    assert "typer" in loaded
    assert not {"actors.mob", "actors.launching", "actors.cli.job", "apsw", "rich"} & set(loaded)


def test_the_console_script_is_this_command() -> None:
    assert "mob = actors.cli:main" in (ROOT / "setup.cfg").read_text(encoding="utf-8")
