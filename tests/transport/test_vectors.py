"""Recorded bytes are read for ever.

`tests/vectors/*.json` hold bytes of every kind with what they mean; docs/wire.md says how to read
them in another language. `python -m tests.vectors NAME` records those of today under a new name,
and refuses to overwrite what is there.
"""

from __future__ import annotations

import typing as t

import pytest

import transport.errors
from tests.vectors.__main__ import main
from tests.vectors.recording import HERE, REQUESTS, meaning_of, record_of, recorded, value_of

RECORDED = recorded()
ACCEPTED = {name: r for name, r in RECORDED.items() if r["of"] != "refused"}
REFUSED = {name: r for name, r in RECORDED.items() if r["of"] == "refused"}


@pytest.mark.parametrize("name", ACCEPTED)
def test_recorded_bytes_mean_what_they_meant(name: str) -> None:
    record = ACCEPTED[name]

    assert meaning_of(value_of(record)) == record["meaning"]


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_is_written_today_is_what_was_recorded(name: str) -> None:
    record = ACCEPTED[name]
    request = REQUESTS[record["to"]] if record["of"] == "reply" else None

    assert record_of(value_of(record), request) == record


@pytest.mark.parametrize("name", REFUSED)
def test_recorded_bytes_that_were_refused_still_are(name: str) -> None:
    record = REFUSED[name]
    expected: type[Exception] = getattr(transport.errors, record["error"])

    with pytest.raises(expected) as caught:
        value_of(record)
    assert type(caught.value) is expected


def test_every_kind_of_bytes_is_recorded() -> None:
    assert {r["of"] for r in ACCEPTED.values()} == {
        *("message", "reply", "error", "envelope", "parcel")
    }
    types = {r["type"] for r in ACCEPTED.values() if r["of"] == "parcel"}
    assert types == {"Hello", "Batch", "Ack", "Beat", "Bye"}
    assert REFUSED


def test_a_recording_is_never_overwritten(capsys: t.Any) -> None:
    before = {path: path.read_bytes() for path in HERE.glob("*.json")}

    status = main("protocol_1")

    assert status == 1
    assert "is recorded already" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in HERE.glob("*.json")} == before
