"""Recorded bytes: how they are read back, and what a person reads beside them.

A record is a JSON object:

    of        "message", "reply", "error", "envelope", "parcel", or "refused"
    bytes     hexadecimal
    meaning   what they say: a message as its JSON, other values with bytes as {"hex": …}
    tag, version            of a message
    to                      of a reply: the tag of the request
    type                    of a parcel
    as, error, why          of refused bytes: read as what, the error, the reason for people
"""

from __future__ import annotations

import json
import typing as t
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path

from tests.vectors import vocabulary
from transport import Message, Request
from transport.codec import (
    decode_error,
    decode_message,
    decode_reply,
    encode_error,
    encode_message,
    encode_reply,
    pack_envelope,
    pack_parcel,
    unpack_envelope,
    unpack_parcel,
)
from transport.envelope import Envelope
from transport.error_info import ErrorInfo
from transport.parcels import Batch

HERE = Path(__file__).parent
Record = dict[str, t.Any]  # Any: JSON

REQUESTS: dict[str, type[Request[t.Any]]] = {
    made.wire_tag: made
    for made in vars(vocabulary).values()
    if isinstance(made, type) and issubclass(made, Request) and made is not Request
}


def meaning_of(value: object) -> object:
    """The value as JSON that a person reads."""
    match value:
        case Message():
            return json.loads(value.model_dump_json())
        case Envelope() | Batch():
            return {name: meaning_of(part) for name, part in value._asdict().items()}
        case bytes():
            return {"hex": value.hex()}
        case Enum():
            return value.name.lower()
        case tuple():
            return [meaning_of(part) for part in value]
        case Mapping():
            return {key: meaning_of(part) for key, part in value.items()}
        case _ if is_dataclass(value):
            return {field.name: meaning_of(getattr(value, field.name)) for field in fields(value)}
        case _:
            return value


def record_of(value: t.Any, request: type[Request[t.Any]] | None = None) -> Record:
    """The record of a value; of a reply when a request class is named."""
    what: Record
    if request is not None:
        data, what = encode_reply(request, value), {"of": "reply", "to": request.wire_tag}
    elif isinstance(value, Message):
        tag, version = value.wire_tag, value.wire_version
        data, what = encode_message(value), {"of": "message", "tag": tag, "version": version}
    elif isinstance(value, ErrorInfo):
        data, what = encode_error(value), {"of": "error"}
    elif isinstance(value, Envelope):
        data, what = pack_envelope(value), {"of": "envelope"}
    else:
        data, what = pack_parcel(value), {"of": "parcel", "type": type(value).__name__}
    return {**what, "meaning": meaning_of(value), "bytes": data.hex()}


def value_of(record: Record) -> object:
    """The value in the bytes of a record; raises what decoding them raises."""
    data = bytes.fromhex(record["bytes"])
    match record.get("as", record["of"]):
        case "message":
            return decode_message(record["tag"], record["version"], data)
        case "reply":
            return decode_reply(REQUESTS[record["to"]], data)
        case "error":
            return decode_error(data)
        case "envelope":
            return unpack_envelope(data)
        case _:
            return unpack_parcel(data)


def recorded() -> dict[str, Record]:
    """All records of all files, by file and name."""
    return {
        f"{path.stem}: {name}": record
        for path in sorted(HERE.glob("*.json"))
        for name, record in json.loads(path.read_text(encoding="utf-8")).items()
    }
