"""Private files: made whole, never over another, read only when nobody else could touch them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from transport.private_files import FileRefused, open_directory, read_file, write_new_file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "private"
    folder.mkdir(mode=0o700)
    return folder


def written(path: Path, content: bytes = b"x", mode: int = 0o600) -> Path:
    with open_directory(path.parent) as opened:
        write_new_file(opened, path, content, mode=mode)
    return path


def read(path: Path, *, private: bool = True, limit_bytes: int = 100) -> bytes:
    with open_directory(path.parent, private=private) as opened:
        return read_file(opened, path, private=private, limit_bytes=limit_bytes)


def modes(*paths: Path) -> list[int]:
    return [stat.S_IMODE(path.stat().st_mode) for path in paths]


def test_what_was_written_is_read(folder: Path) -> None:
    path = written(folder / "a", b"content")

    assert read(path) == b"content"
    assert modes(path) == [0o600]
    assert os.listdir(folder) == ["a"]


@pytest.mark.parametrize("umask", [0o000, 0o077, 0o777])
def test_the_umask_changes_no_mode(folder: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        paths = written(folder / "a"), written(folder / "b", mode=0o644)
    finally:
        os.umask(before)

    assert modes(*paths) == [0o600, 0o644]


def test_missing_directories_are_made_private(tmp_path: Path) -> None:
    with open_directory(tmp_path / "a" / "b", create=True):
        pass

    assert modes(tmp_path / "a", tmp_path / "a" / "b") == [0o700, 0o700]


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with (
        pytest.raises(FileRefused, match=r"file/a cannot be made"),
        open_directory(tmp_path / "file" / "a", create=True),
    ):
        pass


def test_an_existing_file_is_never_overwritten(folder: Path) -> None:
    path = written(folder / "a", b"first")

    with pytest.raises(FileRefused, match="exists already"):
        written(path, b"second")

    assert path.read_bytes() == b"first"
    assert os.listdir(folder) == ["a"]


def test_a_link_in_the_place_of_a_new_file_is_not_followed(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (folder / "a").symlink_to(elsewhere)

    with pytest.raises(FileRefused, match="exists already"):
        written(folder / "a")

    assert not elsewhere.exists()


def test_a_disk_that_refuses_leaves_nothing_behind(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(FileRefused, match="cannot be written: No space left on device"):
        written(folder / "a")

    assert os.listdir(folder) == []


@pytest.mark.parametrize(
    ("mode", "problem", "hint"),
    [
        (0o640, "others may have read it", "chmod 600"),
        (0o604, "others may have read it", "chmod 600"),
        (0o700, "others may have read it", "chmod 600"),
    ],
)
def test_a_secret_with_another_mode_is_refused(
    folder: Path, mode: int, problem: str, hint: str
) -> None:
    path = written(folder / "a")
    path.chmod(mode)

    with pytest.raises(FileRefused, match=problem) as caught:
        read(path)

    assert caught.value.hint.startswith(hint)
    assert f"{mode:04o}" in str(caught.value)


def test_a_read_only_secret_is_fine(folder: Path) -> None:
    path = written(folder / "a", b"x")
    path.chmod(0o400)

    assert read(path) == b"x"


def test_a_public_file_may_be_read_but_not_written_by_others(folder: Path) -> None:
    path = written(folder / "a", mode=0o644)
    assert read(path, private=False) == b"x"

    path.chmod(0o664)

    with pytest.raises(FileRefused, match="can be written by others") as caught:
        read(path, private=False)
    assert caught.value.hint.startswith("chmod go-w")


def test_a_second_name_of_a_secret_is_refused(folder: Path) -> None:
    path = written(folder / "a")
    os.link(path, folder / "b")

    with pytest.raises(FileRefused, match="has 2 names") as caught:
        read(path)
    assert "-samefile" in caught.value.hint


def test_a_symbolic_link_is_refused_whatever_it_leads_to(folder: Path) -> None:
    written(folder / "a")
    (folder / "b").symlink_to("a")

    with pytest.raises(FileRefused, match="is a symbolic link"):
        read(folder / "b")


def test_a_directory_behind_a_link_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)

    with (
        pytest.raises(FileRefused, match="is a symbolic link"),
        open_directory(tmp_path / "link"),
    ):
        pass


def test_a_pipe_is_refused_and_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "a", 0o600)

    with pytest.raises(FileRefused, match="is not a plain file"):
        read(folder / "a")


def test_a_long_file_is_not_read_to_its_end(folder: Path) -> None:
    path = written(folder / "a", b"x" * 101)

    with pytest.raises(FileRefused, match="longer than 100 bytes"):
        read(path)


def test_absent_files_and_directories_are_named(folder: Path) -> None:
    with pytest.raises(FileRefused, match="a does not exist"):
        read(folder / "a")
    with pytest.raises(FileRefused, match="sub does not exist"):
        read(folder / "sub" / "a")


def test_what_cannot_be_opened_says_why(folder: Path) -> None:
    path = written(folder / "a")

    with pytest.raises(FileRefused, match="cannot be opened: Not a directory"):
        read(path / "below")
    with pytest.raises(FileRefused, match="cannot be opened: File name too long"):
        read(folder / ("a" * 300))


@pytest.mark.parametrize(("mode", "private"), [(0o710, True), (0o701, True), (0o770, False)])
def test_a_directory_open_to_others_is_refused(folder: Path, mode: int, private: bool) -> None:
    path = written(folder / "a")
    folder.chmod(mode)

    with pytest.raises(FileRefused, match=f"mode {mode:04o}") as caught:
        read(path, private=private)
    assert caught.value.hint.startswith("chmod")


@pytest.mark.parametrize("private", [True, False])
def test_a_directory_that_everybody_shares_is_not_to_be_closed(folder: Path, private: bool) -> None:
    path = written(folder / "a")
    folder.chmod(0o1777)

    with pytest.raises(FileRefused, match="is shared by all users") as caught:
        read(path, private=private)
    assert "chmod" not in caught.value.hint


def test_a_directory_that_others_may_only_read_will_do_for_public_files(folder: Path) -> None:
    path = written(folder / "a", mode=0o644)
    folder.chmod(0o755)

    assert read(path, private=False) == b"x"


def test_what_belongs_to_another_user_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(folder / "a")
    other = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: other)

    with pytest.raises(FileRefused, match=f"not to user {other}") as caught:
        read(path)
    assert "chown" in caught.value.hint


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_public_files_of_root_are_trusted_and_those_of_others_are_not(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(folder / "a", mode=0o644)
    monkeypatch.setattr(os, "geteuid", lambda: 1234)
    assert read(path, private=False) == b"x"

    os.chown(path, 4321, 4321)

    with pytest.raises(FileRefused, match="belongs to user 4321"):
        read(path, private=False)
