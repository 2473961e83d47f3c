"""Who may connect: an allow-list of public keys, each with a name and roles.

The list is read by the ZAP handler at each handshake and by the guard at each message, from several
threads; it is a mapping that is never changed, only exchanged for another one. As a text file::

    # NAME  PUBLIC KEY                                ROLES
    west    Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID  host
    ann     rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7  operator:read operator:write

One name may have two keys, so that a key can be changed without a gap; one key has one name. A line
that begins with `#` is a comment (a key may contain one). As a directory: every `NAME.pub` file in
it holds such lines.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Final

from transport.errors import AddressError, TransportError
from transport.keys import PUBLIC_SUFFIX, check_name, public_key_problem
from transport.private_files import open_directory, read_file

__all__ = ["AllowListError", "Allowed", "Peer", "Role", "parse_peers", "read_peers"]

FILE_LIMIT_BYTES: Final = 1 << 20

_log = logging.getLogger(__name__)


class Role(StrEnum):
    """What a key may be used for; nothing is implied by anything else."""

    HOST = "host"
    OPERATOR_READ = "operator:read"
    OPERATOR_WRITE = "operator:write"
    OPERATOR_ADMIN = "operator:admin"


@dataclass(frozen=True, slots=True)
class Peer:
    """Whom a key stands for.

    Attributes:
        key: Public key, Z85; this is the identity.
        name: What people call it.
        roles: What it may do; never empty in an `Allowed`.
    """

    key: str
    name: str
    roles: frozenset[Role]


class AllowListError(TransportError):
    """An entry of an allow-list is wrong; the list that is in use stays as it was.

    Attributes:
        source: The file, or "" for an entry that comes from no file.
        line: Number of the line, from 1; 0 where there is none.
        problem: What is wrong, as the end of a sentence. It never says the key: it may be a secret
            one, put there by mistake.
        hint: What to write instead.
    """

    def __init__(self, source: str, line: int, problem: str, hint: str) -> None:
        super().__init__(source, line, problem, hint)
        self.source = source
        self.line = line
        self.problem = problem
        self.hint = hint

    def __str__(self) -> str:
        if not self.source:
            return f"an allowed key {self.problem}"
        return f"{self.source}, line {self.line}: {self.problem}"


class Allowed:
    """The allow-list in use.

    Reading needs no lock: `peers` is a snapshot. Writers take turns. A listener is called by the
    thread that revokes, after the snapshot without the key is in place and outside every lock; what
    it raises is logged and stops neither the revocation nor the other listeners.

    Args:
        peers: The first entries.

    Raises:
        AllowListError: An entry is wrong, or a key stands there twice.
    """

    def __init__(self, peers: Iterable[Peer] = ()) -> None:
        self._peers: Mapping[str, Peer] = _table(peers)
        self._writing = threading.Lock()
        self._listeners: tuple[Callable[[Peer], object], ...] = ()

    @classmethod
    def load(cls, path: Path) -> Allowed:
        """Make a list from a file or a directory; see `read_peers`."""
        return cls(read_peers(path))

    @property
    def peers(self) -> Mapping[str, Peer]:
        """The live set by key: a read-only mapping that never changes."""
        return self._peers

    def get(self, key: str) -> Peer | None:
        """Return whom a key stands for now, or None."""
        return self._peers.get(key)

    def allow(self, key: str, name: str, roles: Iterable[Role | str]) -> Peer:
        """Let a key in from now on; for a key that is in, its roles are replaced.

        Raises:
            AllowListError: The entry is wrong, or the key has another name: revoke it first.
        """
        peer = Peer(key, name, frozenset(map(_role, roles)))
        _check(peer)
        with self._writing:
            held = self._peers.get(key)
            if held is not None and held.name != name:
                problem = f"belongs to '{held.name}' already"
                raise AllowListError("", 0, problem, "revoke it before it gets another name")
            self._peers = MappingProxyType({**self._peers, key: peer})
        return peer

    def revoke(self, key: str) -> Peer | None:
        """Shut a key out from now on and tell the listeners.

        Returns:
            Whom it stood for, or None when it was not in the list (then nobody is told).
        """
        with self._writing:
            peer = self._peers.get(key)
            if peer is None:
                return None
            self._peers = MappingProxyType({k: p for k, p in self._peers.items() if k != key})
        self._tell((peer,))
        return peer

    def replace(self, peers: Iterable[Peer]) -> tuple[Peer, ...]:
        """Exchange the whole list at once.

        Returns:
            Those who are revoked by it: their key is gone, or has another name now.

        Raises:
            AllowListError: An entry is wrong; the old list stays.
        """
        table = _table(peers)
        with self._writing:
            before, self._peers = self._peers, table
        revoked = tuple(
            peer for key, peer in before.items() if key not in table or table[key].name != peer.name
        )
        self._tell(revoked)
        return revoked

    def on_revoked(self, listener: Callable[[Peer], object]) -> Callable[[], None]:
        """Call a listener with each peer that is revoked; returns what ends that."""
        with self._writing:
            self._listeners = (*self._listeners, listener)

        def forget() -> None:
            with self._writing:
                self._listeners = tuple(each for each in self._listeners if each is not listener)

        return forget

    def _tell(self, revoked: Iterable[Peer]) -> None:
        for peer in revoked:
            for listener in self._listeners:
                try:
                    listener(peer)
                except Exception:  # noqa: BLE001 - whoever comes next must hear of it too
                    _log.exception("a listener failed on the revocation of %s", peer.name)


def read_peers(path: Path, default_roles: Iterable[Role] = ()) -> tuple[Peer, ...]:
    """Read an allow-list.

    Args:
        path: A text file in the form of this module, or a directory of such files, `*.pub`. Others
            than their owner (this user or root) must not be able to write there.
        default_roles: Given to entries without roles, such as the public files that
            `mob keys new` makes; by default such an entry is an error.

    Raises:
        AllowListError: A line is wrong; file, line and the nearest role are named.
        FileRefused: A file or directory is absent, a link, or open to others.
    """
    roles = frozenset(default_roles)
    whole_directory = path.is_dir()
    folder = path if whole_directory else path.parent
    peers: list[Peer] = []
    with open_directory(folder, private=False) as opened:
        names = os.listdir(opened) if whole_directory else [path.name]
        for file in (folder / name for name in sorted(names)):
            if whole_directory and file.suffix != PUBLIC_SUFFIX:
                continue
            content = read_file(opened, file, private=False, limit_bytes=FILE_LIMIT_BYTES)
            text = content.decode("utf-8", "replace")
            peers += parse_peers(text, source=str(file), default_roles=roles)
    _table(peers)
    return tuple(peers)


def parse_peers(
    text: str, *, source: str, default_roles: frozenset[Role] = frozenset()
) -> tuple[Peer, ...]:
    """Read the text of an allow-list, entries in the order of its lines.

    Raises:
        AllowListError: A line is wrong or repeats a key.
    """
    peers: dict[str, Peer] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) < 2:
            hint = "write: NAME PUBLIC-KEY ROLE..."
            raise AllowListError(source, number, "has a name and no key", hint)
        name, key, *given = words
        try:
            peer = Peer(key, name, frozenset(map(_role, given)) or default_roles)
            _check(peer)
        except AllowListError as error:
            raise AllowListError(source, number, error.problem, error.hint) from None
        if key in peers:
            problem = f"repeats the key of '{peers[key].name}'"
            raise AllowListError(source, number, problem, "remove one of the two lines")
        peers[key] = peer
    return tuple(peers.values())


def _role(word: Role | str) -> Role:
    try:
        return Role(word)
    except ValueError:
        close = get_close_matches(word.casefold(), [role.value for role in Role], n=1)
        nearest = f"did you mean '{close[0]}'? " if close else ""
        # Only a word that looks like a role is repeated: another one may be a key.
        said = f"'{word}' is" if close else "has a word that is"
        roles = ", ".join(role.value for role in Role)
        raise AllowListError("", 0, f"{said} no role", f"{nearest}roles: {roles}") from None


def _check(peer: Peer) -> None:
    problem = public_key_problem(peer.key)
    if problem is not None:
        hint = "copy the public key as `mob keys show NAME` prints it"
        raise AllowListError("", 0, f"has a key that {problem}", hint)
    try:
        check_name(peer.name)
    except AddressError:  # which repeats the text: it may be a key in the wrong column
        problem = "has a name that no node can have"
        hint = "1-63 ASCII letters, digits, '.', '_', '-', the first a letter or digit"
        raise AllowListError("", 0, problem, hint) from None
    if not peer.roles:
        hint = f"add one or more of: {', '.join(role.value for role in Role)}"
        raise AllowListError("", 0, f"gives '{peer.name}' no role", hint)


def _table(peers: Iterable[Peer]) -> Mapping[str, Peer]:
    table: dict[str, Peer] = {}
    for peer in peers:
        _check(peer)
        if peer.key in table:
            problem = f"stands there twice, for '{table[peer.key].name}' and '{peer.name}'"
            raise AllowListError("", 0, problem, "remove one of the two entries")
        table[peer.key] = peer
    return MappingProxyType(table)
