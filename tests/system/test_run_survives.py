"""`mob run` on the review panel: killed, interrupted, disturbed, and still one and the same report.

MOB_KILLS  how often the run is killed (default 4; the full form is 20)
MOB_FILES  how many files the larger tree of the memory test has (default 2,000; full: 20,000)
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from actors.domain.events import Entry, InputAccepted, InputDone
from actors.stores import SqliteLedger, verify_store
from tests.cli.mob_process import (
    MOB,
    PANEL,
    ROOT,
    end,
    entries,
    environment,
    mob,
    review,
    started,
    until,
    write_code,
    write_gate,
)

KILLS = int(os.environ.get("MOB_KILLS", "4"))
FILES = int(os.environ.get("MOB_FILES", "2000"))
FEW_FILES = 400
SEED = int(os.environ.get("MOB_SEED", "23"))
STATE = Path(".mob") / "review-panel"


def report_of(folder: Path) -> bytes:
    return (folder / STATE / "report.md").read_bytes()


def test_a_run_that_is_killed_again_and_again_ends_in_one_report(tmp_path: Path) -> None:
    code = write_code(tmp_path / "code", 400)
    undisturbed = tmp_path / "undisturbed"
    undisturbed.mkdir()
    expected = review(code, cwd=undisturbed)
    step = max(expected["events"] // KILLS, 2)
    disturbed = tmp_path / "disturbed"
    disturbed.mkdir()
    chance = Random(SEED)
    kills = finished = 0

    while kills < KILLS:
        before = entries(disturbed / STATE)
        moment = before + chance.randrange(step)  # the first ones are while the mob starts
        with started("run", PANEL, "--input", code, "--json", cwd=disturbed) as process:
            if until(process, lambda at=moment: entries(disturbed / STATE) >= at):  # type: ignore[misc]
                end(process)
            else:
                process.communicate()
        assert process.returncode in (-signal.SIGKILL, 0)
        kills += process.returncode != 0
        finished += process.returncode == 0
        check = mob("doctor", "--store", STATE, "--json", cwd=disturbed)
        if (disturbed / STATE / "ledger.sqlite").exists():
            assert check.returncode == 0, check.stdout
    document = review(code, cwd=disturbed)

    assert document["findings"] == expected["findings"]
    assert document["audit"]["balanced"]
    assert report_of(disturbed) == report_of(undisturbed)
    with closing(SqliteLedger(disturbed / STATE, "review-panel")) as ledger:
        assert ledger.verify().ok
        found: list[Entry] = []
        while page := ledger.read(len(found), limit=10_000):
            found += page
    assert [entry.cursor for entry in found] == list(range(1, document["events"] + 1))
    accepted = [e.event.input_id for e in found if isinstance(e.event, InputAccepted)]
    done = Counter(e.event.input_id for e in found if isinstance(e.event, InputDone))
    # One input until its run has finished, however often it was killed; each is done once.
    assert len(accepted) <= finished + 1
    assert [done[input_id] for input_id in accepted] == [1] * len(accepted)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_chaos_changes_nothing_in_the_report(tmp_path: Path, seed: int) -> None:
    code = write_code(tmp_path / "code", 90)
    quiet = review(code, "--state-dir", tmp_path / "quiet", cwd=tmp_path)
    wild = review(code, "--state-dir", tmp_path / "wild", "--chaos", seed, cwd=tmp_path)

    assert wild["findings"] == quiet["findings"]
    assert Path(wild["report"]).read_bytes() == Path(quiet["report"]).read_bytes()
    assert wild["restarts"] > 0
    assert quiet["restarts"] == 0
    assert wild["audit"]["balanced"]
    assert quiet["audit"]["balanced"]
    restarted = {member["name"] for member in wild["members"] if member["restarts"]}
    assert restarted == {member["name"] for member in wild["members"]} - {"lead"}


def test_a_disturbed_run_prints_no_traceback(tmp_path: Path) -> None:
    code = write_code(tmp_path / "code", 60)

    done = mob("run", PANEL, "--input", code, "--chaos", 5, cwd=tmp_path)

    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert all(line.startswith("review-panel: ") for line in done.stderr.splitlines())


def test_an_interrupted_run_drains_and_the_next_one_resumes(tmp_path: Path) -> None:
    code = write_code(tmp_path / "code", 400)
    undisturbed = review(code, "--state-dir", tmp_path / "undisturbed", cwd=tmp_path)

    with started("run", PANEL, "--input", code, "--json", cwd=tmp_path) as process:
        assert until(process, lambda: entries(tmp_path / STATE) > 100)
        out, err = end(process, signal.SIGINT)

    assert process.returncode == 130
    assert out == ""
    assert "interrupted" in err
    assert err.splitlines()[-1] == "hint: run again to resume"
    assert verify_store(tmp_path / STATE).ok

    done = mob("run", PANEL, "--input", code, "--json", cwd=tmp_path)

    assert done.returncode == 0
    assert f"resuming the run that was interrupted: {code}" in done.stderr
    document = json.loads(done.stdout)
    assert document["findings"] == undisturbed["findings"]
    assert report_of(tmp_path) == Path(undisturbed["report"]).read_bytes()


def test_another_input_waits_for_the_interrupted_one(tmp_path: Path) -> None:
    first = write_code(tmp_path / "first", 400)
    second = write_code(tmp_path / "second", 3)
    with started("run", PANEL, "--input", first, cwd=tmp_path) as process:
        assert until(process, lambda: entries(tmp_path / STATE) > 100)
        end(process)

    done = mob("run", PANEL, "--input", second, "--json", cwd=tmp_path)

    assert f"finishing first what was interrupted: {first}" in done.stderr
    assert json.loads(done.stdout)["input"] == str(second)
    assert json.loads(done.stdout)["files"] == 4


def test_a_second_run_on_the_same_state_names_the_process(tmp_path: Path) -> None:
    gate = write_gate(tmp_path)
    with started("run", gate, "--input", tmp_path, "--json", cwd=tmp_path) as first:
        assert until(first, (tmp_path / "begun").exists)
        second = mob("run", gate, "--input", tmp_path, cwd=tmp_path)
        looked = mob("doctor", "--store", tmp_path / ".mob" / "gate", cwd=tmp_path)
        (tmp_path / "go").touch()
        out, _ = first.communicate()

    assert second.returncode == 1
    assert second.stdout == ""
    assert f"in use by process {first.pid}" in second.stderr
    assert len(second.stderr.splitlines()) == 2
    assert looked.returncode == 0
    assert first.returncode == 0
    # What a member prints goes to standard error, so that this is one document.
    assert json.loads(out)["answer"] == 42


def test_sigterm_interrupts_like_ctrl_c(tmp_path: Path) -> None:
    gate = write_gate(tmp_path)
    with started("run", gate, "--input", tmp_path, cwd=tmp_path) as process:
        assert until(process, (tmp_path / "begun").exists)
        _, err = end(process, signal.SIGTERM)

    assert process.returncode == 130
    assert "run again to resume" in err


def test_an_interrupted_run_without_a_ledger_promises_nothing(tmp_path: Path) -> None:
    gate = write_gate(tmp_path)
    options = ("--input", tmp_path, "--durability", "memory")
    with started("run", gate, *options, cwd=tmp_path) as process:
        assert until(process, (tmp_path / "begun").exists)
        _, err = end(process, signal.SIGINT)

    assert process.returncode == 130
    assert "begins anew" in err


def test_a_second_signal_ends_a_run_that_does_not_drain(tmp_path: Path) -> None:
    gate = write_gate(tmp_path, call="deaf")
    with started("run", gate, "--input", tmp_path, cwd=tmp_path) as process:
        assert until(process, (tmp_path / "begun").exists)
        assert process.stderr is not None
        process.send_signal(signal.SIGINT)
        lines = iter(process.stderr.readline, "")
        assert any("interrupted: ending in good order" in line for line in lines)
        began = time.monotonic()
        end(process, signal.SIGINT)
        took = time.monotonic() - began

    assert process.returncode == 130
    assert took < 2.0
    assert verify_store(tmp_path / ".mob" / "gate").ok


def test_what_cannot_be_reviewed_is_a_finding_and_hangs_nothing(tmp_path: Path) -> None:
    code = tmp_path / "code"
    (code / "folder.py").mkdir(parents=True)
    (code / "folder.py" / "inside.py").write_text("x = 1\n", encoding="utf-8")
    (code / "broken.py").write_text("def :\n", encoding="utf-8")
    (code / "latin.py").write_bytes(b"name = '\xe9'\n")
    (code / "dangling.py").symlink_to("nowhere.py")
    os.mkfifo(code / "pipe.py")

    document = review(code, cwd=tmp_path)

    rules = {(each["file"], each["rule"]) for each in document["findings"]}
    expected = {"broken": "syntax", "latin": "encoding", "dangling": "unreadable"}
    expected["pipe"] = "unreadable"
    for file, rule in expected.items():
        assert (f"{file}.py", rule) in rules
    assert document["files"] == 5
    assert document["restarts"] == 0


PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def peak_kib(code: Path, state: Path) -> int:
    """Peak memory of a run in KiB (macOS counts bytes)."""
    command = [*MOB, "run", str(PANEL), "--input", str(code), "--state-dir", str(state), "--json"]
    printed = subprocess.run(
        [sys.executable, "-c", PEAK, *command],
        cwd=ROOT,
        env=environment(),
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return int(printed) // (1024 if sys.platform == "darwin" else 1)


def test_memory_is_flat_however_many_files(tmp_path: Path) -> None:
    few = peak_kib(write_code(tmp_path / "few", FEW_FILES), tmp_path / "a")
    many = peak_kib(write_code(tmp_path / "many", FILES), tmp_path / "b")

    # A file costs its name in a few tables, about 1 KiB. Its findings, some 5 KiB, cost nothing.
    assert many - few < 8 * 1024 + 1.5 * (FILES - FEW_FILES)
