"""ipc paths: short, private, and never taken from a live owner."""

from __future__ import annotations

import fcntl
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from transport import ipc_paths
from transport.ipc_paths import IpcPath, endpoint_to_dial, runtime_directory
from transport.private_files import FileRefused
from transport.reach import PATH_BYTES

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    runtime = tmp_path / "r"
    runtime.mkdir(mode=0o700)
    return {"XDG_RUNTIME_DIR": str(runtime)}


def listening(path: Path) -> socket.socket:
    """A socket file as libzmq makes one, and leaves behind."""
    made = socket.socket(socket.AF_UNIX)
    made.bind(str(path))
    return made


def test_a_claimed_path_lies_in_private_directories(environ: dict[str, str]) -> None:
    claim = IpcPath("/state/team", "control", environ)

    assert claim.endpoint == f"ipc://{claim.path}"
    assert claim.path.name == "control"
    assert claim.path.parent == runtime_directory("/state/team", environ)
    for folder in (claim.path.parent, claim.path.parent.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    claim.release()


def test_owners_have_directories_of_their_own(environ: dict[str, str]) -> None:
    a, b = runtime_directory("a", environ), runtime_directory("b", environ)

    assert a != b
    assert a == runtime_directory("a", environ)
    assert a.parent == Path(environ["XDG_RUNTIME_DIR"]) / "mob"


@pytest.mark.parametrize("given", [None, "", "relative/path", "/" + "x" * 200])
def test_without_a_usable_runtime_directory_tmp_is_used(given: str | None) -> None:
    environ = {} if given is None else {"XDG_RUNTIME_DIR": given}

    directory = runtime_directory("a", environ)

    assert directory.parent == Path(f"/tmp/mob-{os.geteuid()}")
    assert len(os.fsencode(directory)) + 1 + ipc_paths.LONGEST_NAME <= PATH_BYTES


def test_a_live_owners_path_is_not_taken(environ: dict[str, str]) -> None:
    claim = IpcPath("a", "control", environ)
    with listening(claim.path):
        with pytest.raises(FileRefused, match=f"in use by process {os.getpid()}") as caught:
            IpcPath("a", "control", environ)

        assert caught.value.path == str(claim.path)
        assert claim.path.is_socket()
    claim.release()


def test_an_owner_without_a_number_is_still_an_owner(environ: dict[str, str]) -> None:
    claim = IpcPath("a", "control", environ)
    os.ftruncate(claim._fd, 0)

    with pytest.raises(FileRefused, match="in use by another process"):
        IpcPath("a", "control", environ)
    claim.release()


def test_names_of_one_owner_do_not_meet(environ: dict[str, str]) -> None:
    control, data = IpcPath("a", "control", environ), IpcPath("a", "data", environ)

    assert control.path.parent == data.path.parent
    control.release()
    data.release()


def test_what_a_dead_owner_left_is_removed(environ: dict[str, str]) -> None:
    code = (
        "import os, socket, sys\n"
        "from transport.ipc_paths import IpcPath\n"
        "claim = IpcPath('a', 'control')\n"
        "socket.socket(socket.AF_UNIX).bind(str(claim.path))\n"
        "print(claim.path, flush=True)\n"
        "os._exit(9)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    path = Path(done.stdout.strip())
    assert path.is_socket(), done.stderr

    claim = IpcPath("a", "control", environ)

    assert claim.path == path
    assert not path.exists()
    claim.release()


def test_a_released_path_is_gone_and_free(environ: dict[str, str]) -> None:
    claim = IpcPath("a", "control", environ)
    with listening(claim.path):
        claim.release()
        claim.release()

    assert not claim.path.exists()
    IpcPath("a", "control", environ).release()


def test_what_is_no_socket_is_not_removed(environ: dict[str, str]) -> None:
    directory = runtime_directory("a", environ)
    directory.mkdir(parents=True, mode=0o700)
    directory.parent.chmod(0o700)
    (directory / "control").write_text("mine", encoding="utf-8")

    for _ in range(2):  # the lock was let go of
        with pytest.raises(FileRefused, match="is in the way and is no socket"):
            IpcPath("a", "control", environ)

    assert (directory / "control").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("level", [0, 1])
def test_a_directory_that_others_can_enter_is_refused(environ: dict[str, str], level: int) -> None:
    directory = runtime_directory("a", environ)
    directory.mkdir(parents=True)
    for each in (directory, directory.parent):
        each.chmod(0o700)
    (directory, directory.parent)[level].chmod(0o755)

    with pytest.raises(FileRefused, match="is open to other users"):
        IpcPath("a", "control", environ)


def test_a_directory_that_is_a_link_is_refused(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    Path(environ["XDG_RUNTIME_DIR"], "mob").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(FileRefused, match="is a symbolic link"):
        IpcPath("a", "control", environ)


def test_a_link_in_the_place_of_the_lock_is_not_followed(
    environ: dict[str, str], tmp_path: Path
) -> None:
    IpcPath("a", "control", environ).release()
    lock = runtime_directory("a", environ) / "control.lock"
    lock.unlink()
    lock.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(FileRefused, match=r"control\.lock cannot be opened"):
        IpcPath("a", "control", environ)

    assert not (tmp_path / "elsewhere").exists()


def test_a_file_system_without_locks_is_named(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)

    with pytest.raises(FileRefused, match="cannot be locked: No locks available") as caught:
        IpcPath("a", "control", environ)
    assert "XDG_RUNTIME_DIR" in caught.value.hint


@pytest.mark.parametrize("name", ["", "x" * 17, "a/b", "..", ".hidden"])
def test_a_name_that_is_no_name_is_refused(name: str, environ: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="name of a socket"):
        IpcPath("a", name, environ)


def test_a_forked_child_does_not_keep_the_path(environ: dict[str, str]) -> None:
    # The child lives until its standard input ends, which is after this test has asked.
    code = (
        "import os, sys\n"
        "from transport.ipc_paths import IpcPath\n"
        "claim = IpcPath('a', 'control')\n"
        "if os.fork() == 0:\n"
        "    print(claim._fd, flush=True)\n"
        "    os.read(0, 1)\n"
        "os._exit(9)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env=os.environ | environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        parent.wait()
        assert parent.stdout.readline() == "-1\n"

        IpcPath("a", "control", environ).release()

        parent.stdin.close()


def test_a_forked_childs_copy_is_closed_and_nothing_unlocked(environ: dict[str, str]) -> None:
    claim = IpcPath("a", "control", environ)
    parents = os.dup(claim._fd)

    ipc_paths._forget_in_child()

    assert claim._fd == -1
    with pytest.raises(FileRefused, match="in use by process"):
        IpcPath("a", "control", environ)
    os.close(parents)


def test_a_socket_of_this_user_in_a_private_place_may_be_dialled(environ: dict[str, str]) -> None:
    claim = IpcPath("a", "control", environ)
    path = runtime_directory("a", environ) / "control"

    with listening(path):
        assert endpoint_to_dial(path) == claim.endpoint
    claim.release()

    with pytest.raises(FileRefused, match="is no socket of this user"):
        endpoint_to_dial(path)


def test_what_may_be_another_users_is_not_dialled(environ: dict[str, str], tmp_path: Path) -> None:
    claim = IpcPath("a", "control", environ)
    path = claim.path
    path.symlink_to(tmp_path / "theirs")
    with listening(tmp_path / "theirs"):
        with pytest.raises(FileRefused, match="is no socket of this user"):
            endpoint_to_dial(path)

        path.parent.chmod(0o755)

        with pytest.raises(FileRefused, match="is open to other users"):
            endpoint_to_dial(path)
    claim.release()
