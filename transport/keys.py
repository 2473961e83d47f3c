"""CURVE key pairs and the files that hold them.

A node, a host or an operator is its key. In a directory of keys (0700) each has two files::

    NAME.secret   0600   `mob-secret-key NAME PUBLIC SECRET`, one line
    NAME.pub      0644   `NAME PUBLIC`, one line; this is what may be given away

Both are made once and never overwritten. Keys are Z85 text, 40 characters for 32 bytes. Making a
pair and proving that its halves belong together needs libzmq: see `transport.security`.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from transport import z85
from transport.address import Address
from transport.errors import AddressError
from transport.private_files import (
    PRIVATE_FILE,
    PUBLIC_FILE,
    FileRefused,
    open_directory,
    read_file,
    write_new_file,
)

__all__ = [
    "KeyPair",
    "PublicKey",
    "check_name",
    "default_directory",
    "fingerprint",
    "key_names",
    "public_key_problem",
    "read_public_key",
    "read_secret_key",
    "write_key_pair",
]

KEY_CHARACTERS: Final = 40
SECRET_SUFFIX: Final = ".secret"  # noqa: S105 - the end of a file's name
PUBLIC_SUFFIX: Final = ".pub"
SECRET_MARK: Final = "mob-secret-key"  # noqa: S105 - the first word of a file
FILE_LIMIT_BYTES: Final = 1024

# Keys whose secret half is printed in a manual, so that everybody has it: zmq_curve(7) and RFC 32
# (client, server), RFC 7748 section 6.1 (Alice, Bob), and nothing at all.
_PUBLISHED: Final = frozenset(
    {
        "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID",
        "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs",
        "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7",
        "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6",
        z85.encode(
            bytes.fromhex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
        ),
        z85.encode(
            bytes.fromhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
        ),
        z85.encode(
            bytes.fromhex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
        ),
        z85.encode(
            bytes.fromhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")
        ),
        z85.encode(bytes(32)),
    }
)


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The half that may be given away: `key` is Z85 text."""

    name: str
    key: str


class KeyPair:
    """A name, a public key, and the secret that proves it.

    The secret appears in no text of this object, cannot be pickled or copied, and is overwritten by
    `wipe` (best effort: Python and libzmq keep copies of their own while sockets are open).

    Args:
        name: Who has this pair.
        public: Z85 text.
        secret: Z85 text, as bytes; copied.

    Raises:
        ValueError: One of the halves is no key, or is a published one. The text says neither.
    """

    __slots__ = ("_secret", "name", "public")

    def __init__(self, name: str, public: str, secret: bytes) -> None:
        # A published secret is refused whatever public key stands beside it.
        for half, text in (("public", public), ("secret", secret.decode("ascii", "replace"))):
            problem = public_key_problem(text)
            if problem is not None:
                raise ValueError(f"the {half} key {problem}")
        self.name = name
        self.public = public
        self._secret = bytearray(secret)

    @property
    def secret(self) -> bytes:
        """The secret as libzmq takes it: Z85, 40 bytes.

        Raises:
            ValueError: It was wiped.
        """
        if not any(self._secret):
            raise ValueError(f"the secret key of {self.name!r} was wiped")
        return bytes(self._secret)

    @property
    def fingerprint(self) -> str:
        """As `fingerprint` says of the public key."""
        return fingerprint(self.public)

    def wipe(self) -> None:
        """Overwrite the secret; afterwards it can be given to no more sockets."""
        self._secret[:] = bytes(len(self._secret))

    def __repr__(self) -> str:
        return f"<KeyPair {self.name} {self.fingerprint}>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a key pair is neither copied nor pickled: its secret stays where it is")


def fingerprint(key: str) -> str:
    """Return `SHA256:` and the digest of a key's 32 bytes in base64, as ssh writes it.

    Raises:
        ValueError: This is no key.
    """
    digest = hashlib.sha256(z85.decode(key)).digest()
    return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


def public_key_problem(text: str) -> str | None:
    """Return what is wrong with a key as the end of a sentence, or None; it never says the text."""
    if len(text) != KEY_CHARACTERS:
        return f"has {len(text)} characters; a key has {KEY_CHARACTERS}"
    try:
        z85.decode(text)
    except ValueError:
        return "is no Z85 text; copy it again, whole"
    if text in _PUBLISHED:
        return "is printed in a manual, with its secret; make one of your own: mob keys new NAME"
    return None


def check_name(name: str) -> None:
    """Refuse what could not name a node; keys have the names of those who hold them.

    Raises:
        AddressError: It is no name; the error has the nearest one.
    """
    try:
        Address(name, "key")
    except AddressError as error:
        raise AddressError(
            name,
            "cannot name a key: 1-63 ASCII letters, digits, '.', '_', '-', first a letter or digit",
            Address.parse(error.nearest).node,
        ) from None


def default_directory(environ: Mapping[str, str] = os.environ) -> Path:
    """Return `$XDG_CONFIG_HOME/mob/keys`, or `~/.config/mob/keys` where that is not set."""
    configured = environ.get("XDG_CONFIG_HOME", "")
    # The specification of XDG: a relative path is to be ignored.
    base = Path(configured) if os.path.isabs(configured) else Path.home() / ".config"
    return base / "mob" / "keys"


def write_key_pair(directory: Path, pair: KeyPair) -> tuple[Path, Path]:
    """Write both files of a pair; the directory is made where it is missing.

    Returns:
        The paths of the secret and the public file.

    Raises:
        AddressError: The pair's name cannot name a file.
        FileRefused: One of the two exists already or cannot be written; then neither was made.
    """
    check_name(pair.name)
    secret_path, public_path = _paths(directory, pair.name)
    with open_directory(directory, create=True) as opened:
        line = b"%s %s %s %s\n" % (
            SECRET_MARK.encode(),
            pair.name.encode(),
            pair.public.encode(),
            pair.secret,
        )
        write_new_file(opened, secret_path, line, mode=PRIVATE_FILE)
        try:
            public_line = f"{pair.name} {pair.public}\n".encode()
            write_new_file(opened, public_path, public_line, mode=PUBLIC_FILE)
        except FileRefused:
            # Made by this call a moment ago, so nobody has used it yet.
            with suppress(OSError):
                os.unlink(secret_path.name, dir_fd=opened)
            raise
    return secret_path, public_path


def read_secret_key(directory: Path, name: str) -> KeyPair:
    """Read `NAME.secret`. That its halves belong together is for libzmq to say.

    Raises:
        AddressError: This is no name.
        FileRefused: File or directory is absent, a link, another user's, open to others, damaged;
            or the key is a published one.
    """
    check_name(name)
    path, _ = _paths(directory, name)
    with open_directory(directory) as opened:
        content = read_file(opened, path, private=True, limit_bytes=FILE_LIMIT_BYTES)
    words = content.split()
    hint = "restore it from a copy, or make a new key under another name"
    if len(words) != 4 or words[0] != SECRET_MARK.encode():
        raise FileRefused(str(path), "is not a secret key file", hint)
    if words[1] != name.encode():
        problem = "holds the key of another name"
        raise FileRefused(str(path), problem, "give the file its old name back")
    try:
        return KeyPair(name, words[2].decode("ascii", "replace"), words[3])
    except ValueError as error:
        raise FileRefused(str(path), f"is not usable: {error}", hint) from None


def read_public_key(directory: Path, name: str) -> PublicKey:
    """Read `NAME.pub`.

    Raises:
        AddressError: This is no name.
        FileRefused: As for `read_secret_key`, but others may read the file.
    """
    check_name(name)
    _, path = _paths(directory, name)
    with open_directory(directory) as opened:
        content = read_file(opened, path, private=False, limit_bytes=FILE_LIMIT_BYTES)
    words = content.decode("utf-8", "replace").split()
    if len(words) != 2:
        raise FileRefused(str(path), "is not a public key file", "restore it from a copy")
    if words[0] != name:
        problem = "holds the key of another name"
        raise FileRefused(str(path), problem, "give the file its old name back")
    problem_of_key = public_key_problem(words[1])
    if problem_of_key is not None:
        hint = "make a new key under another name"
        raise FileRefused(str(path), f"is not usable: its key {problem_of_key}", hint)
    return PublicKey(name, words[1])


def key_names(directory: Path) -> tuple[str, ...]:
    """Return the names that have a file in a directory, secret or public, sorted.

    A directory that does not exist has none.

    Raises:
        FileRefused: The directory is a link, another user's, open to others or no directory.
    """
    if not os.path.lexists(directory):
        return ()
    with open_directory(directory) as opened:
        files = os.listdir(opened)
    names = {
        file.removesuffix(suffix)
        for file in files
        for suffix in (SECRET_SUFFIX, PUBLIC_SUFFIX)
        if file.endswith(suffix) and not file.startswith(".")
    }
    return tuple(sorted(names))


def _paths(directory: Path, name: str) -> tuple[Path, Path]:
    return directory / f"{name}{SECRET_SUFFIX}", directory / f"{name}{PUBLIC_SUFFIX}"
