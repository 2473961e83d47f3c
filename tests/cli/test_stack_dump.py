"""`mob doctor --stacks`: what every actor of a running mob is doing."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.cli.mob_process import mob, started, until, write_gate


def test_a_running_mob_says_what_its_actors_do_and_goes_on(tmp_path: Path) -> None:
    file = write_gate(tmp_path)
    with started("run", file, "--input", tmp_path, cwd=tmp_path) as run:
        assert until(run, (tmp_path / "begun").exists)

        shown = mob("doctor", "--stacks", cwd=tmp_path)
        by_name = mob("doctor", "--stacks", "--store", tmp_path / ".mob" / "gate", cwd=tmp_path)
        (tmp_path / "go").touch()
        run.communicate(timeout=60)

    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith("system gate: ")
    assert "loop system" in shown.stdout
    assert "in boundary" in shown.stdout  # where the turn of the lead waits
    assert by_name.stdout.startswith("system gate: ")
    assert run.returncode == 0
    assert not (tmp_path / ".mob" / "gate" / "stacks.pid").exists()


def test_where_nobody_runs_a_mob_it_says_so(tmp_path: Path) -> None:
    done = mob("doctor", "--stacks", cwd=tmp_path)

    assert done.returncode == 2
    assert "mobs that run in .mob here: none" in done.stderr


def test_a_state_directory_that_nobody_holds_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()

    done = mob("doctor", "--stacks", "--store", "state", cwd=tmp_path)

    assert done.returncode == 2
    assert "no process runs a mob in state" in done.stderr


def test_a_process_that_does_not_expect_the_signal_is_never_sent_it(tmp_path: Path) -> None:
    """SIGUSR1 would end it: this one holds the directory, as a notebook with a mob would."""
    from actors.stores.lock import DirectoryLock

    heard: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: heard.append(number))
    lock = DirectoryLock(tmp_path)
    try:
        done = mob("doctor", "--stacks", "--store", tmp_path, cwd=tmp_path)
    finally:
        lock.release()
        signal.signal(signal.SIGUSR1, before)

    assert done.returncode == 2
    assert f"process {os.getpid()} runs a mob in" in done.stderr
    assert "but not by `mob run`" in done.stderr
    assert heard == []


def test_a_mob_whose_member_spins_is_seen_spinning(tmp_path: Path) -> None:
    file = write_gate(tmp_path, call="deaf")
    with started("run", file, "--input", tmp_path, cwd=tmp_path) as run:
        assert until(run, (tmp_path / "begun").exists)

        shown = mob("doctor", "--stacks", cwd=tmp_path)
        (tmp_path / "go").touch()
        run.communicate(timeout=60)

    assert shown.returncode == 0, shown.stderr
    assert "thread turn of lead" in shown.stdout
    assert "in deaf" in shown.stdout
