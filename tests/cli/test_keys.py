"""`mob keys`: made once, shown without the secret, refused when they are not safe."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from actors.cli.commands import command_line
from tests.cli.mob_process import mob
from transport.allowed import Role, parse_peers
from transport.keys import fingerprint, read_public_key, read_secret_key
from transport.security import load_key_pair


@pytest.fixture(autouse=True)
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("MOB_DEBUG", raising=False)
    return tmp_path / "config" / "mob" / "keys"


def printed(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert command_line(["keys", *arguments]) == code
    return capsys.readouterr().out


def test_a_new_key_is_usable_and_its_secret_is_not_printed(
    keys: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = printed(capsys, "new", "west")

    made = load_key_pair(keys, "west")
    assert made.public in shown
    assert made.fingerprint in shown
    assert str(keys / "west.secret") in shown
    assert made.secret.decode() not in shown
    assert stat.S_IMODE((keys / "west.secret").stat().st_mode) == 0o600


def test_a_key_can_be_made_elsewhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "elsewhere"

    printed(capsys, "new", "west", "--dir", str(folder))

    assert read_secret_key(folder, "west").name == "west"
    shown = json.loads(printed(capsys, "list", "--dir", str(folder), "--json"))
    assert [key["name"] for key in shown["keys"]] == ["west"]


def test_the_line_that_is_shown_lets_its_holder_in(
    keys: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    printed(capsys, "new", "west")

    shown = printed(capsys, "show", "west")

    (line,) = [line for line in shown.splitlines() if line.startswith("authorize ")]
    (peer,) = parse_peers(line.removeprefix("authorize "), source="authorized")
    assert (peer.key, peer.name) == (read_public_key(keys, "west").key, "west")
    assert peer.roles == {Role.HOST}


def test_documents_say_the_public_half_only(keys: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed(capsys, "new", "west")
    printed(capsys, "new", "east")
    (keys / "east.secret").unlink()
    west, east = (read_public_key(keys, name).key for name in ("west", "east"))

    listed = json.loads(printed(capsys, "list", "--json"))
    shown = json.loads(printed(capsys, "show", "west", "--json"))

    assert listed["directory"] == str(keys)
    assert [(key["name"], key["public"], key["secret"]) for key in listed["keys"]] == [
        ("east", east, False),
        ("west", west, True),
    ]
    assert shown["fingerprint"] == fingerprint(west)
    assert shown["public"] == west
    secret = read_secret_key(keys, "west").secret.decode()
    assert secret not in json.dumps([listed, shown])


def test_a_list_names_what_is_wrong_with_a_file(
    keys: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        printed(capsys, "new", name)
    (keys / "b.pub").chmod(0o666)
    (keys / "c d.pub").touch()

    shown = printed(capsys, "list", code=1)

    assert shown.splitlines()[0].startswith("a")
    assert "b.pub can be written by others (mode 0666)" in shown
    assert "fix: chmod go-w" in shown
    assert "cannot name a key" in shown


def test_an_empty_directory_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert "mob keys new NAME" in printed(capsys, "list")
    assert json.loads(printed(capsys, "list", "--json"))["keys"] == []


def test_a_lost_public_file_is_read_from_its_secret(
    keys: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    printed(capsys, "new", "west")
    public = read_public_key(keys, "west").key
    (keys / "west.pub").unlink()

    assert f"key          {public}" in printed(capsys, "show", "west")


@pytest.mark.parametrize(
    ("arguments", "code", "said", "hint"),
    [
        (["new", "west"], 1, "west.secret exists already", "choose another name"),
        (["new", "../west"], 2, "'../west' cannot name a key", "for example 'west'"),
        (["new"], 2, "Missing argument 'NAME'", "mob keys new --help"),
        (["show", "wast"], 2, "no key 'wast'", "mob keys list"),
        (["show", "../west"], 2, "cannot name a key", "for example 'west'"),
        (["show", "open"], 1, "open.pub can be written by others", "chmod go-w"),
        (["shew", "west"], 2, "No such command 'shew'", "mob keys --help"),
    ],
)
def test_an_error_is_one_line_a_hint_and_a_code(
    keys: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    said: str,
    hint: str,
) -> None:
    for name in ("west", "open"):
        printed(capsys, "new", name)
    (keys / "open.pub").chmod(0o666)
    before = (keys / "west.secret").read_bytes()

    assert command_line(["keys", *arguments]) == code

    written = capsys.readouterr()
    line, hint_line = written.err.splitlines()
    assert written.out == ""
    assert said in line
    assert hint in hint_line
    assert (keys / "west.secret").read_bytes() == before


def test_the_nearest_key_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    printed(capsys, "new", "west")

    assert command_line(["keys", "show", "wast"]) == 2
    assert "did you mean 'west'?" in capsys.readouterr().err


def test_a_bare_group_shows_its_help_as_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line(["keys"]) == 2

    written = capsys.readouterr()
    assert written.out == ""
    assert "Commands:" in written.err
    assert "Exit codes:" in written.err


def test_the_command_works_as_a_program(tmp_path: Path) -> None:
    config = str(tmp_path / "other")

    made = mob("keys", "new", "west", cwd=tmp_path, XDG_CONFIG_HOME=config)
    again = mob("keys", "new", "west", cwd=tmp_path, XDG_CONFIG_HOME=config)

    assert (made.returncode, made.stderr) == (0, "")
    assert (again.returncode, again.stdout) == (1, "")
    assert len(again.stderr.splitlines()) == 2
