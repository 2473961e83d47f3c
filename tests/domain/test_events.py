"""Ledger events: their encoding is what stays on disk."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from actors.domain.errors import UnknownEvent
from actors.domain.events import (
    EVENT_TYPES,
    Emitted,
    Entry,
    InputAccepted,
    InputDone,
    InputFailed,
    LedgerEvent,
    MemberHeld,
    MemberRestarted,
    MemberRetired,
    MemberSpawned,
    MembersUnwired,
    MembersWired,
    MobCreated,
    MobStopped,
    TurnStarted,
    decode_event,
    encode_event,
)
from actors.domain.wiring import Edge
from transport.message import FrozenMap, find_message

EDGE = Edge.of("w-1", "lead")

STORED: list[tuple[LedgerEvent, str]] = [
    (
        MobCreated(mob="m", definition_digest="d"),
        '{"tag":"mob_created","mob":"m","definition_digest":"d"}',
    ),
    (MobStopped(drained=True), '{"tag":"mob_stopped","drained":true}'),
    (
        MemberSpawned(
            identity="w-1", profile="w", generation=0, fence=2, labels=FrozenMap({"z": "é"})
        ),
        '{"tag":"member_spawned","identity":"w-1","profile":"w","generation":0,"fence":2,'
        '"labels":{"z":"é"},"declared":true}',
    ),
    (
        MemberRestarted(identity="w-1", generation=1, fence=3, reason="failed"),
        '{"tag":"member_restarted","identity":"w-1","generation":1,"fence":3,"reason":"failed"}',
    ),
    (
        MemberHeld(identity="w-1", reason="budget"),
        '{"tag":"member_held","identity":"w-1","reason":"budget"}',
    ),
    (
        MemberRetired(identity="w-1", reason="asked"),
        '{"tag":"member_retired","identity":"w-1","reason":"asked"}',
    ),
    (
        MembersWired(edges=(EDGE,), managed=True),
        '{"tag":"members_wired","edges":[{"a":"lead","b":"w-1"}],"managed":true}',
    ),
    (
        MembersUnwired(edges=(EDGE,)),
        '{"tag":"members_unwired","edges":[{"a":"lead","b":"w-1"}]}',
    ),
    (
        InputAccepted(identity="w-1", input_id="i", digest="d", body="b"),
        '{"tag":"input_accepted","identity":"w-1","input_id":"i","key":null,"digest":"d","body":"b",'
        '"body_tag":null}',
    ),
    (
        TurnStarted(identity="w-1", input_id="i", attempt=1, fence=2),
        '{"tag":"turn_started","identity":"w-1","input_id":"i","attempt":1,"fence":2}',
    ),
    (
        Emitted(identity="w-1", input_id="i", kind="finding", data="{}"),
        '{"tag":"emitted","identity":"w-1","input_id":"i","kind":"finding","data":"{}"}',
    ),
    (
        InputDone(identity="w-1", input_id="i", output="null"),
        '{"tag":"input_done","identity":"w-1","input_id":"i","output":"null"}',
    ),
    (
        InputFailed(
            identity="w-1", input_id="i", error_type="E", error_text="t", quarantined=False
        ),
        '{"tag":"input_failed","identity":"w-1","input_id":"i","error_type":"E","error_text":"t",'
        '"quarantined":false}',
    ),
]
STORED_CASES = pytest.mark.parametrize(
    ("event", "text"), STORED, ids=[event.tag for event, _ in STORED]
)


@STORED_CASES
def test_stored_form_of_an_event_stays_as_it_is(event: LedgerEvent, text: str) -> None:
    assert encode_event(event) == text.encode()
    assert decode_event(event.wire_tag, text.encode()) == event


@STORED_CASES
def test_entry_with_any_event_survives_json(event: LedgerEvent, text: str) -> None:
    entry = Entry(cursor=1, at_ms=1_700_000_000_000, event=event)

    again = Entry.model_validate_json(entry.model_dump_json())

    assert again == entry
    assert type(again.event) is type(event)
    assert hash(again) == hash(entry)
    assert f'"event":{text}' in entry.model_dump_json()


def test_tag_names_the_class_in_the_table_on_the_wire_and_in_the_event() -> None:
    assert list(EVENT_TYPES.values()) == list(get_args(LedgerEvent))
    for tag, event_type in EVENT_TYPES.items():
        assert event_type.wire_tag == tag
        assert event_type.model_fields["tag"].default == tag
        assert find_message(tag) is event_type


def test_every_event_has_a_stored_form_in_this_file() -> None:
    assert {event.tag for event, _ in STORED} == set(EVENT_TYPES)


def test_unknown_tag_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(UnknownEvent) as caught:
        decode_event("member_spawn", b"{}")

    assert str(caught.value) == (
        "unknown ledger event 'member_spawn'; did you mean 'member_spawned'?"
    )
    assert caught.value.known == tuple(EVENT_TYPES)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        b'{"tag":"mob_created","drained":true}',
        b'{"drained":1}',
        b'{"drained":true,"more":1}',
    ],
)
def test_bytes_that_are_not_the_event_are_a_value_error(raw: bytes) -> None:
    with pytest.raises(ValueError, match="MobStopped"):
        decode_event("mob_stopped", raw)


@given(st.dictionaries(st.text(), st.text()), st.text(), st.booleans())
def test_decoding_undoes_encoding(labels: dict[str, str], identity: str, declared: bool) -> None:
    event = MemberSpawned(
        identity=identity,
        profile="w",
        generation=0,
        fence=1,
        labels=FrozenMap(labels),
        declared=declared,
    )

    assert decode_event("member_spawned", encode_event(event)) == event


@pytest.mark.parametrize(
    "wrong",
    [
        {"cursor": 0, "at_ms": 1, "event": MobStopped(drained=True)},
        {"cursor": 1, "at_ms": 1, "event": EDGE},
    ],
)
def test_entry_refuses_a_cursor_before_one_and_other_messages(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Entry.model_validate(wrong)


def test_an_entry_prints_in_one_line_that_fits() -> None:
    spawned = MemberSpawned(identity="lead", profile="p", generation=0, fence=1)
    wired = MembersWired(edges=(Edge.of("a", "b"),), managed=True)
    long = Emitted(identity="a\nb", input_id="i" * 80, kind="k", data="x" * 10_000)

    assert str(Entry(cursor=7, at_ms=0, event=spawned)).split()[:4] == [
        "7",
        "member_spawned",
        "lead",
        "profile=p",
    ]
    assert repr(Entry(cursor=7, at_ms=0, event=wired)) == (
        "<7 members_wired    edges=(1) managed=yes>"
    )
    line = str(Entry(cursor=7, at_ms=0, event=long))
    assert len(line) <= 100
    assert "\n" not in line
