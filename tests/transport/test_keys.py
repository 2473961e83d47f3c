"""Key files: what is written, what is refused, and that the secret stays where it is."""

from __future__ import annotations

import copy
import logging
import os
import pickle
import stat
import traceback
from pathlib import Path

import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st

from transport import AddressError, z85
from transport.keys import (
    KeyPair,
    PublicKey,
    check_name,
    default_directory,
    fingerprint,
    key_names,
    public_key_problem,
    read_public_key,
    read_secret_key,
    write_key_pair,
)
from transport.private_files import FileRefused

PUBLISHED = [
    "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID",
    "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs",
    "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7",
    "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6",
    "0" * 40,
]


def pair(name: str = "west") -> KeyPair:
    public, secret = zmq.curve_keypair()
    return KeyPair(name, public.decode(), secret)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "mob" / "keys"


def test_a_pair_is_read_as_it_was_written(folder: Path) -> None:
    made = pair()

    secret_path, public_path = write_key_pair(folder, made)

    read = read_secret_key(folder, "west")
    assert (read.name, read.public, read.secret) == ("west", made.public, made.secret)
    assert read_public_key(folder, "west") == PublicKey("west", made.public)
    assert key_names(folder) == ("west",)
    assert stat.S_IMODE(secret_path.stat().st_mode) == 0o600
    assert stat.S_IMODE(public_path.stat().st_mode) == 0o644
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_public_file_has_no_secret(folder: Path) -> None:
    made = pair()

    _, public_path = write_key_pair(folder, made)

    assert public_path.read_bytes() == f"west {made.public}\n".encode()


def test_a_name_is_given_once(folder: Path) -> None:
    first = pair()
    write_key_pair(folder, first)

    with pytest.raises(FileRefused, match=r"west\.secret exists already"):
        write_key_pair(folder, pair())

    assert read_secret_key(folder, "west").secret == first.secret


def test_both_files_are_made_or_none(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True)
    (folder / "west.pub").write_text("mine", encoding="utf-8")

    with pytest.raises(FileRefused, match=r"west\.pub exists already"):
        write_key_pair(folder, pair())

    assert os.listdir(folder) == ["west.pub"]
    assert (folder / "west.pub").read_text(encoding="utf-8") == "mine"


def test_secrets_appear_in_no_text(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = pair()
    secret = made.secret.decode()
    path, _ = write_key_pair(folder, made)
    path.write_text(f"mob-secret-key west {secret} {secret[:39]}\n", encoding="utf-8")
    caplog.set_level(logging.DEBUG)

    with pytest.raises(FileRefused) as caught:
        read_secret_key(folder, "west")

    texts = [repr(made), str(made), f"{made!s}", repr([made]), caplog.text]
    texts += traceback.format_exception(caught.value)
    texts += [repr(caught.value), caught.value.hint, repr(vars(caught.value))]
    assert not [text for text in texts if secret[:39] in text]
    assert repr(made) == f"<KeyPair west {made.fingerprint}>"


def test_a_pair_is_neither_copied_nor_pickled() -> None:
    made = pair()

    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="neither copied nor pickled"):
            attempt(made)


def test_a_wiped_secret_is_gone() -> None:
    made = pair()

    made.wipe()

    assert not any(made._secret)
    with pytest.raises(ValueError, match="'west' was wiped"):
        _ = made.secret


@pytest.mark.parametrize("key", PUBLISHED)
def test_published_keys_are_refused_as_either_half(key: str, folder: Path) -> None:
    other = zmq.curve_keypair()[0]

    with pytest.raises(ValueError, match="the public key is printed in a manual"):
        KeyPair("west", key, other)
    with pytest.raises(ValueError, match="the secret key is printed in a manual") as caught:
        KeyPair("west", other.decode(), key.encode())

    assert key not in str(caught.value)
    assert public_key_problem(key) is not None


@pytest.mark.parametrize(
    ("secret", "public"),
    [
        (
            "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
            "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
        ),
        (
            "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
            "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
        ),
    ],
)
def test_the_keys_of_rfc_7748_are_refused(secret: str, public: str) -> None:
    texts = [z85.encode(bytes.fromhex(half)) for half in (secret, public)]

    assert zmq.curve_public(texts[0].encode()).decode() == texts[1]
    assert [public_key_problem(text) for text in texts].count(None) == 0


@pytest.mark.parametrize("name", ["../west", "", "a/b", ".west", "w" * 64, "west\n"])
def test_a_name_that_is_no_file_name_is_refused_with_the_nearest(name: str, folder: Path) -> None:
    for attempt in (
        lambda: read_secret_key(folder, name),
        lambda: read_public_key(folder, name),
        lambda: write_key_pair(folder, pair(name)),
        lambda: check_name(name),
    ):
        with pytest.raises(AddressError) as caught:
            attempt()
        check_name(caught.value.nearest)

    assert not folder.exists()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "is not a secret key file"),
        ("mob-secret-key west", "is not a secret key file"),
        ("other-mark west {public} {secret}", "is not a secret key file"),
        ("mob-secret-key east {public} {secret}", "holds the key of another name"),
        ("mob-secret-key west {public} short", "the secret key has 5 characters"),
        ("mob-secret-key west short {secret}", "the public key has 5 characters"),
        ("mob-secret-key west {public} " + "~" * 40, "the secret key is no Z85 text"),
        ("mob-secret-key west {public} " + PUBLISHED[1], "is printed in a manual"),
        ("mob-secret-key west {public} {secret} " + "x" * 1000, "is longer than 1024 bytes"),
    ],
)
def test_a_damaged_secret_file_is_refused(content: str, problem: str, folder: Path) -> None:
    made = pair()
    path, _ = write_key_pair(folder, made)
    filled = content.replace("{public}", made.public).replace("{secret}", made.secret.decode())
    path.write_text(filled, encoding="utf-8")

    with pytest.raises(FileRefused, match=problem) as caught:
        read_secret_key(folder, "west")

    assert made.secret.decode() not in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("west", "is not a public key file"),
        ("east {public}", "holds the key of another name"),
        ("west short", "its key has 5 characters"),
        ("west " + PUBLISHED[0], "is printed in a manual"),
    ],
)
def test_a_damaged_public_file_is_refused(content: str, problem: str, folder: Path) -> None:
    made = pair()
    _, path = write_key_pair(folder, made)
    path.write_text(content.replace("{public}", made.public), encoding="utf-8")

    with pytest.raises(FileRefused, match=problem):
        read_public_key(folder, "west")


@pytest.mark.parametrize("suffix", [".secret", ".pub"])
def test_files_that_others_could_have_touched_are_refused(suffix: str, folder: Path) -> None:
    write_key_pair(folder, pair())
    (folder / f"west{suffix}").chmod(0o666)
    read = read_secret_key if suffix == ".secret" else read_public_key

    with pytest.raises(FileRefused) as caught:
        read(folder, "west")

    assert "chmod" in caught.value.hint


def test_names_come_from_either_file_and_not_from_what_is_half_written(folder: Path) -> None:
    assert key_names(folder) == ()
    folder.mkdir(mode=0o700, parents=True)
    for name in ("a.pub", "b.secret", "c.txt", ".d.secret.0123", ".e.pub"):
        (folder / name).touch()

    assert key_names(folder) == ("a", "b")


def test_the_default_directory_is_that_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/people/ann")

    assert default_directory({"XDG_CONFIG_HOME": "/conf"}) == Path("/conf/mob/keys")
    for environ in ({}, {"XDG_CONFIG_HOME": ""}, {"XDG_CONFIG_HOME": "relative"}):
        assert default_directory(environ) == Path("/people/ann/.config/mob/keys")


def test_a_fingerprint_is_what_ssh_would_show() -> None:
    # printf '\0%.0s' {1..32} | sha256sum | xxd -r -p | base64
    assert fingerprint("0" * 40) == "SHA256:Zmh6rfhivXdsj8GLjp+OIAiXFIVu4jOzkCpZHQ1fKSU"


@given(st.binary(min_size=32, max_size=32).filter(any))
def test_every_other_key_is_fine(data: bytes) -> None:
    assert public_key_problem(z85.encode(data)) is None


@pytest.mark.parametrize("text", ["", "x" * 39, "x" * 41, "~" * 40, "#" * 40])
def test_the_problem_of_a_key_does_not_repeat_it(text: str) -> None:
    problem = public_key_problem(text)

    assert problem is not None
    assert not text or text not in problem
