"""The decision of the ZAP handler: one way in, and no bytes that break it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transport import z85
from transport.allowed import Peer, Role
from transport.refusals import Reason
from transport.zap import Verdict, judge, put_off

RAW = bytes(range(32))
KEY = z85.encode(RAW)
PEERS = {KEY: Peer(KEY, "west", frozenset({Role.HOST}))}


def request(
    domain: bytes = b"mob.host",
    mechanism: bytes = b"CURVE",
    credentials: tuple[bytes, ...] = (RAW,),
    address: bytes = b"192.0.2.1",
    version: bytes = b"1.0",
) -> list[bytes]:
    return [version, b"7", domain, address, b"", mechanism, *credentials]


def test_an_allowed_key_is_let_in_under_its_own_name() -> None:
    verdict = judge(request(), peers=PEERS)

    assert verdict == Verdict(
        (b"1.0", b"7", b"200", b"OK", KEY.encode(), b""), None, "CURVE", KEY, "192.0.2.1"
    )


@pytest.mark.parametrize(
    ("frames", "reason", "key"),
    [
        (request(credentials=(bytes(32),)), Reason.KEY, z85.encode(bytes(32))),
        (request(domain=b"mob.other"), Reason.DOMAIN, KEY),
        (request(domain=b""), Reason.DOMAIN, KEY),
        (request(domain=b"*"), Reason.DOMAIN, KEY),
        (request(domain=b"\xff"), Reason.DOMAIN, KEY),
        (request(domain=b"mob.operator"), Reason.ROLE, KEY),
        (request(mechanism=b"NULL", credentials=()), Reason.MECHANISM, "-"),
        (request(mechanism=b"PLAIN", credentials=(b"user", b"word")), Reason.MECHANISM, "-"),
        (request(mechanism=b"curve"), Reason.MECHANISM, "-"),
        (request(credentials=()), Reason.MALFORMED, "-"),
        (request(credentials=(RAW[:31],)), Reason.MALFORMED, "-"),
        (request(credentials=(RAW, RAW)), Reason.MALFORMED, "-"),
    ],
)
def test_everything_else_is_refused_and_told_nothing(
    frames: list[bytes], reason: Reason, key: str
) -> None:
    verdict = judge(frames, peers=PEERS)

    assert verdict.answer == (b"1.0", b"7", b"400", b"refused", b"", b"")
    assert (verdict.reason, verdict.key, verdict.address) == (reason, key, "192.0.2.1")


@pytest.mark.parametrize("frames", [[], [b"1.0"], request()[:5], request(version=b"2.0")])
def test_what_is_no_request_has_no_answer(frames: list[bytes]) -> None:
    assert judge(frames, peers=PEERS) == Verdict(None, Reason.MALFORMED)


def test_a_password_is_written_nowhere() -> None:
    verdict = judge(request(mechanism=b"PLAIN", credentials=(b"ann", b"hunter2")), peers=PEERS)

    assert "hunter2" not in repr(verdict)


def test_texts_of_a_request_are_made_printable_and_short() -> None:
    verdict = judge(request(mechanism=b"A\n\x1b[31m\xff" + b"B" * 500, address=b""), peers=PEERS)

    assert verdict.mechanism.startswith("A??[31m")
    assert verdict.mechanism.isprintable()
    assert len(verdict.mechanism) == 64
    assert verdict.address == "-"


def test_a_probe_shakes_hands_without_becoming_anybody() -> None:
    verdict = judge(request(), peers={}, probes={KEY})

    assert verdict.answer is not None
    assert verdict.answer[2:5] == (b"200", b"OK", b"")


def test_a_probe_needs_a_domain_too() -> None:
    assert judge(request(domain=b""), peers={}, probes={KEY}).reason is Reason.DOMAIN


@given(st.lists(st.binary(max_size=40), max_size=9))
def test_no_frames_break_it_or_come_in(frames: list[bytes]) -> None:
    verdict = judge(frames, peers={})

    assert verdict.reason is not None


@given(
    st.sampled_from([b"1.0", b"", b"1.1"]),
    st.sampled_from([b"mob.host", b"mob.operator", b"", b"*"]),
    st.sampled_from([b"CURVE", b"NULL", b"PLAIN", b"GSSAPI"]),
    st.lists(st.sampled_from([RAW, bytes(32), b""]), max_size=3),
)
def test_only_the_one_combination_comes_in(
    version: bytes, domain: bytes, mechanism: bytes, credentials: list[bytes]
) -> None:
    verdict = judge(request(domain, mechanism, tuple(credentials), version=version), peers=PEERS)

    right = (version, domain, mechanism, credentials) == (b"1.0", b"mob.host", b"CURVE", [RAW])
    assert (verdict.reason is None) == right
    assert (verdict.answer is not None and verdict.answer[2] == b"200") == right


def test_who_is_put_off_gets_a_300_for_the_same_request() -> None:
    refused = judge(request(credentials=(bytes(32),)), peers=PEERS)

    assert put_off(refused.answer) == (b"1.0", b"7", b"300", b"refused", b"", b"")
    assert put_off(None) is None
