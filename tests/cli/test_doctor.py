"""`mob doctor`: the installation and the ledger."""

from __future__ import annotations

import configparser
import json
import re
import sys
from pathlib import Path

import pytest
import zmq

from actors.cli import doctor
from actors.cli.commands import command_line
from actors.cli.doctor import LIBRARIES, examine, numbers
from actors.domain.events import MemberHeld
from actors.stores import SqliteLedger
from tests.cli.mob_process import ROOT
from transport.keys import write_key_pair
from transport.security import new_key_pair


@pytest.fixture(autouse=True)
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "mob" / "keys"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    folder = tmp_path / ".mob" / "panel"
    folder.mkdir(parents=True)
    ledger = SqliteLedger(folder, "panel")
    ledger.append([MemberHeld(identity="a", reason=str(n)) for n in range(9)], at_ms=1)
    ledger.close()
    return folder


def test_a_sound_store_is_verified(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line(["doctor", "--store", str(store)]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith("ok") for line in lines)
    assert lines[-1].endswith(": 9 entries, no cursor missing, every hash in its chain")


def test_the_ledger_file_itself_may_be_named(store: Path) -> None:
    assert command_line(["doctor", "--store", str(store / "ledger.sqlite")]) == 0


def test_a_store_in_use_is_verified(store: Path) -> None:
    ledger = SqliteLedger(store, "panel")
    try:
        ledger.append([MemberHeld(identity="b", reason="more")], at_ms=2)
        check = examine(store)[-1]
    finally:
        ledger.close()

    assert (check.status, check.entries) == ("ok", 10)


def test_a_changed_byte_fails_with_its_entry(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import apsw

    connection = apsw.Connection(str(store / "ledger.sqlite"))
    connection.execute("UPDATE ledger SET at_ms = at_ms + 1 WHERE cursor = 5")
    connection.close()

    assert command_line(["doctor", "--store", str(store), "--json"]) == 1

    document = json.loads(capsys.readouterr().out)
    check = document["checks"][-1]
    assert document["ok"] is False
    assert (check["status"], check["entries"], check["first_bad"]) == ("fail", 4, 5)
    assert check["fix"]


def test_what_is_no_store_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    foreign = tmp_path / "ledger.sqlite"
    foreign.write_text("not a database " * 20, encoding="utf-8")

    assert command_line(["doctor", "--store", str(foreign)]) == 1
    assert "fail" in capsys.readouterr().out
    assert command_line(["doctor", "--store", str(tmp_path / "..")]) == 1


def test_stores_of_the_current_directory_are_found(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(store.parent.parent)
    assert examine(None)[-1].entries == 9
    monkeypatch.chdir("/")
    assert examine(None)[-1].entries is None


def test_an_old_or_missing_library_fails_with_the_command_that_helps(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(
        doctor, "LIBRARIES", {"pydantic": "99.1", "no-such-library": "1", "apsw": "3"}
    )
    monkeypatch.setattr(doctor, "SQLITE", (99, 0, 0))
    monkeypatch.setattr(doctor, "DESCRIPTORS", 10**9)
    monkeypatch.chdir(tmp_path)

    found = {check.name: check for check in examine(None)}

    assert found["pydantic"].status == found["no-such-library"].status == "fail"
    assert found["pydantic"].fix == "pip install 'pydantic>=99.1'"
    assert found["sqlite"].status == "fail"
    assert found["descriptors"].status in ("warn", "ok")


def checked(name: str) -> doctor.Check:
    return {check.name: check for check in examine(None)}[name]


def test_key_files_are_proven_one_by_one(keys: Path) -> None:
    assert checked("keys").text.startswith("0 keys")
    for name in ("west", "east"):
        write_key_pair(keys, new_key_pair(name))
    (keys / "east.secret").unlink()

    assert (checked("keys").status, checked("keys").text[:7]) == ("ok", "2 keys ")
    (keys / "east.pub").unlink()
    assert checked("keys").text.startswith("1 key ")


def test_a_key_file_that_others_could_read_fails_with_the_command_that_helps(keys: Path) -> None:
    path, _ = write_key_pair(keys, new_key_pair("west"))
    path.chmod(0o644)

    check = checked("keys")

    assert check.status == "fail"
    assert "west.secret has mode 0644" in check.text
    assert check.fix is not None
    assert check.fix.startswith(f"chmod 600 {path}")


def test_halves_that_do_not_fit_and_foreign_names_fail(keys: Path) -> None:
    made, other = new_key_pair("west"), new_key_pair("west")
    path, public_path = write_key_pair(keys, made)
    line = f"mob-secret-key west {other.public} {made.secret.decode()}\n"
    path.write_text(line, encoding="utf-8")
    assert "do not belong together" in checked("keys").text
    assert made.secret.decode() not in repr(checked("keys"))

    path.unlink()
    public_path.rename(keys / "a b.pub")

    assert "cannot name a key" in checked("keys").text


def test_a_library_without_curve_or_an_old_one_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    assert checked("curve").status == "ok"

    monkeypatch.setattr(doctor, "LIBZMQ", (99, 0))
    assert checked("curve").text.endswith("is older than 99.0")
    monkeypatch.setattr(zmq, "has", lambda capability: False)
    assert "without CURVE" in checked("curve").text
    monkeypatch.setitem(sys.modules, "transport.security", None)
    assert "cannot be loaded" in checked("curve").text


def test_libraries_are_those_of_the_package() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    lines = config["options"]["install_requires"].split("\n")
    required = dict(re.split(r"\s*>=", line) for line in lines if line)

    assert {name: required.pop(name) for name in LIBRARIES} == dict(LIBRARIES)
    assert set(required) == {"typing_extensions"}


def test_versions_compare_by_their_numbers() -> None:
    assert numbers("27.1.0rc1") == (27, 1, 0)
    assert numbers("3.9") < numbers("3.51.3")
    assert numbers("unknown") == ()
