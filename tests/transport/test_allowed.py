"""The allow-list: snapshots, revocations that are heard, files whose errors name the line."""

from __future__ import annotations

import struct
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transport import z85
from transport.allowed import Allowed, AllowListError, Peer, Role, parse_peers, read_peers
from transport.private_files import FileRefused

KEYS = [z85.encode(bytes([n]) * 32) for n in range(1, 8)]
HOST = frozenset({Role.HOST})


def peer(number: int, name: str | None = None, roles: frozenset[Role] = HOST) -> Peer:
    return Peer(KEYS[number], name or f"node-{number}", roles)


def test_an_allowed_key_is_found_until_it_is_revoked() -> None:
    allowed = Allowed()

    west = allowed.allow(KEYS[0], "west", ["host", Role.OPERATOR_READ])

    assert west == Peer(KEYS[0], "west", frozenset({Role.HOST, Role.OPERATOR_READ}))
    assert allowed.get(KEYS[0]) is west
    assert allowed.revoke(KEYS[0]) is west
    assert allowed.get(KEYS[0]) is None
    assert allowed.revoke(KEYS[0]) is None


def test_a_snapshot_never_changes() -> None:
    allowed = Allowed([peer(0)])
    before = allowed.peers

    allowed.allow(KEYS[1], "b", ["host"])
    allowed.revoke(KEYS[0])

    assert dict(before) == {KEYS[0]: peer(0)}
    assert set(allowed.peers) == {KEYS[1]}
    with pytest.raises(TypeError):
        before[KEYS[2]] = peer(2)  # type: ignore[index]  # that it is read-only is the point


def test_roles_are_replaced_and_names_are_not() -> None:
    allowed = Allowed([peer(0, "west")])

    allowed.allow(KEYS[0], "west", ["operator:admin"])

    assert allowed.peers[KEYS[0]].roles == {Role.OPERATOR_ADMIN}
    with pytest.raises(AllowListError, match="belongs to 'west' already"):
        allowed.allow(KEYS[0], "east", ["host"])
    assert allowed.peers[KEYS[0]].name == "west"


def test_one_name_may_have_two_keys() -> None:
    allowed = Allowed([peer(0, "west"), peer(1, "west")])

    allowed.revoke(KEYS[0])

    assert {each.name for each in allowed.peers.values()} == {"west"}


def test_every_listener_hears_of_a_revocation_after_it_holds() -> None:
    allowed = Allowed([peer(0), peer(1)])
    heard: list[tuple[Peer, bool]] = []

    def listen(gone: Peer) -> None:
        heard.append((gone, gone.key in allowed.peers))

    allowed.on_revoked(lambda gone: 1 / 0)
    forget = allowed.on_revoked(listen)

    allowed.revoke(KEYS[0])
    forget()
    allowed.revoke(KEYS[1])

    assert heard == [(peer(0), False)]


def test_a_failing_listener_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    allowed = Allowed([peer(0, "west")])
    allowed.on_revoked(lambda gone: 1 / 0)

    allowed.revoke(KEYS[0])

    (record,) = caplog.records
    assert "revocation of west" in record.getMessage()


def test_replacing_revokes_who_is_gone_and_who_became_another() -> None:
    allowed = Allowed([peer(0, "a"), peer(1, "b"), peer(2, "c")])
    heard: list[str] = []
    allowed.on_revoked(lambda gone: heard.append(gone.name))

    new_roles = frozenset({Role.OPERATOR_READ})
    revoked = allowed.replace([peer(0, "a", new_roles), peer(1, "x"), peer(3, "d")])

    assert [each.name for each in revoked] == heard == ["b", "c"]
    assert set(allowed.peers) == {KEYS[0], KEYS[1], KEYS[3]}
    assert allowed.peers[KEYS[0]].roles == new_roles


def test_a_wrong_list_replaces_nothing() -> None:
    allowed = Allowed([peer(0)])

    with pytest.raises(AllowListError, match="stands there twice, for 'a' and 'b'"):
        allowed.replace([peer(1, "a"), peer(1, "b")])

    assert set(allowed.peers) == {KEYS[0]}


def test_a_listener_may_change_the_list() -> None:
    allowed = Allowed([peer(0), peer(1)])
    allowed.on_revoked(lambda gone: allowed.revoke(KEYS[1]))

    allowed.revoke(KEYS[0])

    assert not allowed.peers


@pytest.mark.parametrize(
    ("key", "name", "roles", "problem"),
    [
        ("short", "a", ["host"], "has a key that has 5 characters"),
        ("~" * 40, "a", ["host"], "has a key that is no Z85 text"),
        ("Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID", "a", ["host"], "printed in a manual"),
        (KEYS[0], "a b", ["host"], "has a name that no node can have"),
        (KEYS[0], "", ["host"], "has a name that no node can have"),
        (KEYS[0], "a", [], "gives 'a' no role"),
        (KEYS[0], "a", ["hots"], "'hots' is no role"),
    ],
)
def test_a_wrong_entry_is_refused(key: str, name: str, roles: list[str], problem: str) -> None:
    allowed = Allowed()

    with pytest.raises(AllowListError, match=problem) as caught:
        allowed.allow(key, name, roles)

    assert str(caught.value).startswith("an allowed key ")
    assert caught.value.hint
    assert not allowed.peers


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "authorized"
    text = f"# who\n\n west {KEYS[0]} host\n\tann\t{KEYS[1]}  operator:read operator:write\n"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o644)

    allowed = Allowed.load(path)

    assert dict(allowed.peers) == {
        KEYS[0]: Peer(KEYS[0], "west", HOST),
        KEYS[1]: Peer(KEYS[1], "ann", frozenset({Role.OPERATOR_READ, Role.OPERATOR_WRITE})),
    }


def test_a_key_may_contain_what_begins_a_comment() -> None:
    key = z85.encode(struct.pack(">8I", *[84] * 8))

    assert "#" in key
    assert parse_peers(f"west {key} host", source="x") == (Peer(key, "west", HOST),)


@pytest.mark.parametrize(
    ("line", "problem", "hint"),
    [
        ("west", "has a name and no key", "NAME PUBLIC-KEY ROLE"),
        (f"west {KEYS[1]}", "gives 'west' no role", "host, operator:read"),
        (f"west {KEYS[1]} Host", "'Host' is no role", "did you mean 'host'?"),
        (f"west {KEYS[1]} operator:reed", "'operator:reed' is no role", "'operator:read'?"),
        (f"west {KEYS[1]} root", "has a word that is no role", "roles: host"),
        (f"west {KEYS[0]} host", "repeats the key of 'first'", "remove one"),
        ("west key host", "has a key that has 3 characters", "mob keys show"),
    ],
)
def test_a_wrong_line_is_named_with_what_to_do(line: str, problem: str, hint: str) -> None:
    with pytest.raises(AllowListError) as caught:
        parse_peers(f"# one\nfirst {KEYS[0]} host\n{line}\n", source="authorized")

    assert str(caught.value).startswith("authorized, line 3: ")
    assert problem in str(caught.value)
    assert hint in caught.value.hint


def test_a_key_in_the_wrong_place_is_not_repeated() -> None:
    # It may be a secret one: people paste the wrong line.
    for line in (f"{KEYS[1]} west host", f"west {KEYS[1]} {KEYS[2]}", f"west {KEYS[1]}x host"):
        with pytest.raises(AllowListError) as caught:
            parse_peers(line, source="authorized")
        said = f"{caught.value} {caught.value.hint}"
        assert not [key for key in KEYS if key[:8] in said]


def test_a_directory_of_public_files_is_read_with_the_roles_that_are_given(tmp_path: Path) -> None:
    (tmp_path / "west.pub").write_text(f"west {KEYS[0]}\n", encoding="utf-8")
    (tmp_path / "ann.pub").write_text(f"ann {KEYS[1]} operator:read\n", encoding="utf-8")
    (tmp_path / "west.secret").write_text("not read", encoding="utf-8")

    peers = read_peers(tmp_path, [Role.HOST])

    assert peers == (
        Peer(KEYS[1], "ann", frozenset({Role.OPERATOR_READ})),
        Peer(KEYS[0], "west", HOST),
    )


def test_a_public_file_alone_gives_nobody_a_role(tmp_path: Path) -> None:
    (tmp_path / "west.pub").write_text(f"west {KEYS[0]}\n", encoding="utf-8")

    with pytest.raises(AllowListError, match=r"west\.pub, line 1: gives 'west' no role"):
        read_peers(tmp_path)


def test_two_files_with_one_key_are_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.pub").write_text(f"{name} {KEYS[0]} host", encoding="utf-8")

    with pytest.raises(AllowListError, match="twice, for 'a' and 'b'"):
        read_peers(tmp_path)


def test_a_list_that_others_could_write_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "authorized"
    path.write_text(f"west {KEYS[0]} host\n", encoding="utf-8")
    path.chmod(0o666)
    with pytest.raises(FileRefused, match="can be written by others"):
        read_peers(path)

    path.chmod(0o644)
    tmp_path.chmod(0o777)

    with pytest.raises(FileRefused, match="can be written by others"):
        read_peers(path)


def test_an_absent_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileRefused, match="authorized does not exist"):
        read_peers(tmp_path / "authorized")


@given(st.text(max_size=200))
def test_any_text_is_a_list_or_an_error_with_a_line(text: str) -> None:
    try:
        peers = parse_peers(text, source="x")
    except AllowListError as error:
        assert error.line >= 1
    else:
        assert all(each.roles for each in peers)


def test_writers_of_many_threads_lose_nothing() -> None:
    keys = [z85.encode(n.to_bytes(4, "big") * 8) for n in range(1, 201)]
    allowed = Allowed()

    def add(part: list[str]) -> None:
        for key in part:
            allowed.allow(key, "n", ["host"])

    threads = [threading.Thread(target=add, args=(keys[n::4],)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert set(allowed.peers) == set(keys)
