"""`mob run` as its users meet it: documents, pipes, other people's mobs."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path

import pytest

from tests.cli.mob_process import MOB, PANEL, ROOT, environment, mob, review, write_code

KEYS = [
    "mob",
    "input",
    "files",
    "members",
    "findings",
    "messages",
    "restarts",
    "report",
    "ledger",
    "events",
    "duration_s",
    "audit",
]
TEAM = """
id = "team"
[profiles.boss]
call = "TEAM:boss"
[profiles.worker]
call = "TEAM:worker"
limits = { attempts = 1 }
[[members]]
name = "w"
profile = "worker"
[[members]]
name = "b"
profile = "boss"
[wiring]
role_wiring = [["boss", "worker"]]
"""
TEAM_CODE = """
async def boss(ctx, input):
    return (await ctx.ask("w", input.body)).value

async def worker(ctx, input):
    print("noise on standard output")
    if input.body.endswith("bad"):
        raise ValueError("this is bad")
    if input.body.endswith("gone"):
        return {"error": "it is gone"}
    return f"{ctx.member} saw {input.body}"
"""


@pytest.fixture
def team(tmp_path: Path) -> Path:
    """A mob without a review: `w` is the first member; with an orchestrator it is `b`."""
    name = f"team_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(TEAM_CODE, encoding="utf-8")
    file = tmp_path / "team.toml"
    file.write_text(TEAM.replace("TEAM", name), encoding="utf-8")
    return file


def test_a_review_prints_one_document_with_the_agreed_keys(tmp_path: Path) -> None:
    code = write_code(tmp_path / "code", 20)

    document = review(code, cwd=tmp_path)

    assert list(document)[: len(KEYS)] == KEYS
    assert document["mob"] == "review-panel"
    assert document["input"] == str(code)
    assert document["files"] == 21
    assert set(document["members"][0]) == {"name", "profile", "turns", "restarts"}
    assert set(document["findings"][0]) == {
        "file",
        "line",
        "name",
        "rule",
        "value",
        "severity",
        "reviewer",
    }
    assert all((code / each["file"]).exists() for each in document["findings"])
    assert document["report"] == str(tmp_path / ".mob" / "review-panel" / "report.md")
    assert document["ledger"] == str(tmp_path / ".mob" / "review-panel" / "ledger.sqlite")
    assert document["audit"]["balanced"] is True
    assert document["audit"]["in_flight"] == 0


def test_events_are_the_entries_that_the_doctor_counts(tmp_path: Path) -> None:
    code = write_code(tmp_path / "code", 5)
    for _ in range(2):
        document = review(code, cwd=tmp_path)

        done = mob("doctor", "--store", document["ledger"], "--json", cwd=tmp_path)

        assert json.loads(done.stdout)["checks"][-1]["entries"] == document["events"]


def test_two_runs_write_the_same_bytes(tmp_path: Path) -> None:
    code = write_code(tmp_path / "code", 20)
    first = review(code, cwd=tmp_path)
    report = Path(first["report"]).read_bytes()

    second = review(code, cwd=tmp_path)

    assert second["findings"] == first["findings"]
    assert Path(second["report"]).read_bytes() == report


def test_an_empty_input_says_so_and_is_done(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()

    done = mob("run", PANEL, "--input", empty, cwd=tmp_path)

    assert done.returncode == 0
    assert f"there are no Python files in {empty}" in done.stdout
    assert review(empty, cwd=tmp_path)["findings"] == []


def test_the_input_is_the_current_directory_by_default(tmp_path: Path) -> None:
    write_code(tmp_path, 2)

    done = mob("run", PANEL, "--json", "--state-dir", tmp_path / "state", cwd=tmp_path)

    assert json.loads(done.stdout)["input"] == str(tmp_path)
    assert json.loads(done.stdout)["files"] == 3


def test_a_ledger_in_memory_is_null(tmp_path: Path) -> None:
    document = review(write_code(tmp_path / "code", 2), "--durability", "memory", cwd=tmp_path)

    assert document["ledger"] is None
    assert not (tmp_path / ".mob" / "review-panel" / "ledger.sqlite").exists()
    assert document["events"] > 0


def test_the_summary_in_a_pipe_is_plain_text(tmp_path: Path) -> None:
    code = write_code(tmp_path / "code", 20)

    done = mob("run", PANEL, "--input", code, cwd=tmp_path)

    assert done.returncode == 0
    assert "\x1b" not in done.stdout + done.stderr
    assert "21 files, " in done.stdout
    assert "report    " in done.stdout
    assert "review-panel:   0.0 s  7 members started" in done.stderr


def test_a_reader_that_leaves_ends_it_quietly(tmp_path: Path) -> None:
    code = write_code(tmp_path / "code", 200)
    for options in (["--json"], []):
        with subprocess.Popen(
            [*MOB, "run", str(PANEL), "--input", str(code), *options],
            cwd=tmp_path,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.close()
            err = process.stderr.read()

        assert process.returncode == 0
        assert "Traceback" not in err
        assert "Broken" not in err


def test_a_full_disk_for_the_output_is_an_error(tmp_path: Path) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    code = write_code(tmp_path / "code", 2)
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run(
            [*MOB, "run", str(PANEL), "--input", str(code), "--json"],
            cwd=tmp_path,
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_terminal_gets_a_live_table_and_its_cursor_back(tmp_path: Path) -> None:
    code = write_code(tmp_path / "code", 60)
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*MOB, "run", str(PANEL), "--input", str(code)],
        cwd=tmp_path,
        env=environment(TERM="xterm", COLUMNS="80", LINES="24"),
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the other side has ended
                break
            if not part:
                break
            shown += part
    os.close(ours)

    text = shown.decode()
    assert process.returncode == 0
    assert "progress" in text
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")
    assert "61 files, " in text
    # The table is gone before the summary comes.
    assert "working" not in text[text.rindex("\x1b[?25h") :]


def test_another_mob_gets_the_path_at_its_first_member(team: Path, tmp_path: Path) -> None:
    done = mob("run", team, "--input", tmp_path, "--json", cwd=tmp_path)

    document = json.loads(done.stdout)
    assert document["output"] == f"w saw {tmp_path}"
    assert document["findings"] == []
    assert document["report"] is None
    assert document["files"] is None
    assert "noise on standard output" in done.stderr


def test_the_orchestrator_gets_the_path_where_there_is_one(team: Path, tmp_path: Path) -> None:
    text = team.read_text(encoding="utf-8") + 'orchestrator = "boss"\n'
    team.write_text(text, encoding="utf-8")

    done = mob("run", team, "--input", tmp_path, cwd=tmp_path)

    assert done.returncode == 0
    assert f"w saw {tmp_path}" in done.stdout
    assert [line.split()[2] for line in done.stdout.splitlines() if line[:2] == "b "] == ["1"]


def test_a_job_that_fails_is_one_line_and_exit_code_1(team: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    bad.touch()

    plain = mob("run", team, "--input", bad, cwd=tmp_path)
    as_json = mob("run", team, "--input", bad, "--json", cwd=tmp_path)

    assert plain.returncode == as_json.returncode == 1
    assert "ValueError: this is bad" in plain.stderr
    assert "Traceback" not in plain.stderr
    assert json.loads(as_json.stdout)["error"]["type"] == "TurnFailed"


def test_a_lead_that_says_it_cannot_do_the_job_is_a_failure(team: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.touch()

    done = mob("run", team, "--input", gone, "--json", cwd=tmp_path)

    assert done.returncode == 1
    assert "mob: it is gone" in done.stderr.splitlines()
    assert json.loads(done.stdout)["error"]["text"] == "it is gone"


def test_a_path_that_is_not_text_is_a_usage_error(team: Path, tmp_path: Path) -> None:
    try:
        Path(os.fsdecode(bytes(tmp_path) + b"/caf\xe9")).touch()
    except OSError:
        pytest.skip("this file system has only names that are text")

    done = mob("run", team, "--input", os.fsdecode(b"caf\xe9"), cwd=tmp_path)

    assert done.returncode == 2
    assert "is not UTF-8 text" in done.stderr
    assert not (tmp_path / ".mob").exists()


def test_debug_shows_the_warnings_of_a_disturbed_run(tmp_path: Path) -> None:
    code = write_code(tmp_path / "code", 30)

    done = mob("run", PANEL, "--input", code, "--chaos", 5, "--debug", cwd=tmp_path)

    assert done.returncode == 0
    assert "actors." in done.stderr


def test_members_that_cannot_be_made_are_named_with_the_reason(tmp_path: Path) -> None:
    example = tmp_path / "panel"
    example.mkdir()
    for file in PANEL.parent.glob("*.py"):
        (example / file.name).write_bytes(file.read_bytes())
    text = PANEL.read_text(encoding="utf-8").replace('["complexity"]\n', '["complexitee"]\n')
    text += "\n[limits]\nrestarts = 1\n"
    (example / "mob.toml").write_text(text, encoding="utf-8")

    done = mob("run", example / "mob.toml", "--input", example / "mob.toml", cwd=tmp_path)

    held = [line for line in done.stderr.splitlines() if " is held: " in line]
    assert [line.split()[1] for line in held] == ["complexity-1", "complexity-2"]
    assert all("complexitee" in line for line in held)
    assert "Traceback" not in done.stderr


def test_the_command_runs_as_a_module_from_anywhere(tmp_path: Path) -> None:
    assert mob("doctor", cwd=tmp_path).returncode == 0
    assert (ROOT / "actors" / "cli" / "__main__.py").exists()
