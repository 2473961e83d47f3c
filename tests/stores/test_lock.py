"""One process per state directory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from actors.domain.errors import StoreError, StoreInUse
from actors.stores.lock import LOCK_FILE, DirectoryLock

HOLDER = """
import sys
from pathlib import Path
from actors.stores.lock import DirectoryLock
lock = DirectoryLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""

# Takes the lock, leaves a child behind (forked or started) that waits for the end of its input,
# and says how to reach it.
PARENT = """
import os, subprocess, sys
from pathlib import Path
from actors.stores.lock import DirectoryLock
lock = DirectoryLock(Path(sys.argv[1]))
if sys.argv[2] == "fork":
    ready, forked = os.pipe()
    if os.fork() == 0:
        os.write(forked, b"!")
        sys.stdin.read()
        os._exit(0)
    os.read(ready, 1)
else:
    subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], close_fds=False)
print("held", flush=True)
os._exit(0)
"""


def start(program: str, *arguments: str) -> subprocess.Popen[str]:
    child = subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    return child


def test_a_second_holder_is_refused_with_the_pid_of_the_first(tmp_path: Path) -> None:
    with start(HOLDER, str(tmp_path)) as child:
        with pytest.raises(StoreInUse) as caught:
            DirectoryLock(tmp_path)
        child.kill()

    assert caught.value.pid == child.pid
    assert str(child.pid) in str(caught.value)


def test_the_lock_vanishes_with_a_killed_holder(tmp_path: Path) -> None:
    with start(HOLDER, str(tmp_path)) as child:
        child.kill()

    lock = DirectoryLock(tmp_path)

    assert (tmp_path / LOCK_FILE).read_text() == f"{os.getpid()}\n"
    lock.release()


def test_the_same_process_is_refused_too_and_may_come_back(tmp_path: Path) -> None:
    lock = DirectoryLock(tmp_path)
    with pytest.raises(StoreInUse) as caught:
        DirectoryLock(tmp_path)
    lock.release()
    lock.release()

    DirectoryLock(tmp_path).release()

    assert caught.value.pid == os.getpid()


@pytest.mark.parametrize("how", ["fork", "start"])
def test_a_child_that_outlives_the_holder_does_not_keep_the_lock(tmp_path: Path, how: str) -> None:
    with start(PARENT, str(tmp_path), how) as child:
        assert child.wait() == 0  # the grandchild still waits for its input to end

        DirectoryLock(tmp_path).release()


def test_a_holder_that_has_not_written_its_pid_is_another_process(tmp_path: Path) -> None:
    lock = DirectoryLock(tmp_path)
    (tmp_path / LOCK_FILE).write_text("")

    with pytest.raises(StoreInUse, match="another process") as caught:
        DirectoryLock(tmp_path)

    assert caught.value.pid is None
    lock.release()


def test_the_lock_file_is_private_and_names_no_child(tmp_path: Path) -> None:
    lock = DirectoryLock(tmp_path)

    assert (tmp_path / LOCK_FILE).stat().st_mode & 0o777 == 0o600
    lock.release()
    assert (tmp_path / LOCK_FILE).read_text() == ""


def test_a_directory_that_is_not_there_is_a_store_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot open the lock file") as caught:
        DirectoryLock(tmp_path / "nowhere")

    assert caught.value.hint


def test_a_file_system_without_locks_is_a_store_error(tmp_path: Path) -> None:
    # A FIFO takes the lock but not the pid, which stands for a file system that refuses either.
    os.mkfifo(tmp_path / LOCK_FILE)

    with pytest.raises(StoreError, match="cannot lock the file"):
        DirectoryLock(tmp_path)
