"""Record the bytes of today: `python -m tests.vectors NAME` writes tests/vectors/NAME.json.

What is recorded stays: a file that exists is never written again. After a change of the wire, give
the new protocol a file of its own; the old one shows that its bytes are still read.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID

from tests.vectors.recording import HERE, Record, record_of
from tests.vectors.vocabulary import (
    Add,
    Cat,
    Colour,
    Containers,
    Count,
    Dog,
    Done,
    Empty,
    Fetch,
    Item,
    Level,
    Scalars,
    Stock,
    Unions,
)
from transport import FrozenMap
from transport.envelope import Envelope, Kind, Lane
from transport.error_info import ErrorCode, ErrorInfo
from transport.parcels import Ack, Batch, Beat, Bye, Hello

ID = UUID("00112233-4455-6677-8899-aabbccddeeff")
BOLT = Item(sku="bolt", quantity=12)
ADD = Add(n=5, who="me")
ASK = Envelope(
    kind=Kind.ASK,
    id=7,
    target="panel/lead",
    sender="collector",
    fence=3,
    lane=Lane.CONTROL,
    left_ms=2500,
    chain=("mob://west/collector",),
    trace=b"\x01\x02",
    tag="vector.add",
    version=1,
    payload=bytes.fromhex("9205a26d65"),
)


def accepted() -> dict[str, Record]:
    """Values of every kind."""
    return {
        "a message is the array of its fields": record_of(ADD),
        "a message without fields": record_of(Empty()),
        "every scalar": record_of(
            Scalars(
                nothing=None,
                flag=True,
                number=-70_000,
                real=0.5,
                text="grüße",
                blob=b"\x00\xff",
                ident=ID,
                moment=datetime(2026, 1, 2, 3, 4, 5, 6, UTC),
                day=date(2026, 1, 2),
                clock=time(3, 4, 5),
                span=timedelta(days=-1, seconds=5, microseconds=6),
                price=Decimal("-12.50"),
                colour=Colour.GREEN,
                level=Level.HIGH,
                word=3,
            )
        ),
        "the smallest integer without a pair": record_of(Add(n=-(2**63), who="")),
        "the largest integer without a pair": record_of(Add(n=2**64 - 1, who="")),
        "the smallest positive integer with a pair": record_of(Add(n=2**64, who="")),
        "the largest negative integer with a pair": record_of(Add(n=-(2**63) - 1, who="")),
        "every container": record_of(
            Containers(
                numbers=(1, 2**70),
                pair=("a", date(2026, 1, 2)),
                names=frozenset({"one"}),
                stock=FrozenMap({"bolt": 12, "nut": 0}),
                by_id=FrozenMap({ID: BOLT}),
                item=BOLT,
                items=(BOLT, Item(sku="nut", quantity=0)),
            )
        ),
        "unions with lists": record_of(
            Unions(
                maybe=None,
                scalar="text",
                moment=datetime(2026, 1, 2, 3, 4, 5),  # without a zone
                either=(1, 2),
                other=frozenset({"one"}),
                pet=Cat(lives=7),
                pets=(Dog(), None),
            )
        ),
        "unions with a map and a message": record_of(
            Unions(
                maybe=5,
                scalar=2**64,
                moment=8,
                either=FrozenMap({"bolt": 12}),
                other=BOLT,
                pet=Dog(),
                pets=(),
            )
        ),
        "unions of bare values": record_of(
            Unions(maybe=5, scalar=1.0, moment=8, either=None, other=BOLT, pet=Dog(), pets=())
        ),
        "a reply that is a number": record_of(5, Count),
        "a reply that is a map": record_of(FrozenMap({"bolt": 12}), Stock),
        "a reply that is a message": record_of(BOLT, Fetch),
        "a reply of None": record_of(None, Done),
        "a declared error": record_of(
            ErrorInfo(
                ErrorCode.DECLARED,
                "the room is taken",
                FrozenMap({"room": "7"}),
                "hotel:RoomTaken",
                (7, "tonight", 0.5, None, True),
            )
        ),
        "an error without more": record_of(ErrorInfo(ErrorCode.UNKNOWN_ACTOR, "no actor here")),
        "a tell": record_of(
            Envelope(Kind.TELL, 0, "counter", tag="vector.add", version=1, payload=ASK.payload)
        ),
        "an ask with everything": record_of(ASK),
        "a reply": record_of(Envelope(Kind.REPLY, 7, "", payload=b"\x05")),
        "a hello": record_of(
            Hello(
                protocols=(1, 1),
                build="0.1.0",
                node="west",
                boot=bytes(range(16)),
                session=bytes(range(16, 32)),
                channel="control",
                received=0,
                window=(1024, 4_194_304),
                frame_limit=1_048_576,
                endpoints=(("control", "tcp://10.0.0.1:7001"), ("data", "tcp://10.0.0.1:7002")),
            )
        ),
        "a batch of two": record_of(Batch(7, 3, (b"one row", b"another"))),
        "an acknowledgement": record_of(Ack(5)),
        "a heartbeat": record_of(Beat(9, 5, 77_000)),
        "a farewell": record_of(Bye("stopped", "good night")),
    }


def refused() -> dict[str, Record]:
    """Bytes that nobody may send."""

    def record(of: str, error: str, why: str, data: bytes, **more: object) -> Record:
        return {"of": "refused", "as": of, "error": error, "why": why, "bytes": data.hex(), **more}

    add = {"tag": "vector.add", "version": 1}
    fields = "9205a26d65"
    return {
        "a map": record("message", "Undecodable", "maps are not used", b"\x80", **add),
        "a timestamp": record(
            "message",
            "Undecodable",
            "extensions are not used",
            bytes.fromhex("92d6ff00000005a26d65"),
            **add,
        ),
        "a surrogate": record(
            "message", "Undecodable", "text is UTF-8", bytes.fromhex("9205a3eda080"), **add
        ),
        "more after the end": record(
            "message", "Undecodable", "one value, no more", bytes.fromhex(fields + "c0"), **add
        ),
        "a field too many": record(
            "message", "InvalidMessage", "as many as declared", bytes.fromhex("9305a26d65c0"), **add
        ),
        "a number as text": record(
            "message",
            "InvalidMessage",
            "nothing is converted",
            bytes.fromhex("92a135a26d65"),
            **add,
        ),
        "a later version": record(
            "message",
            "VersionMismatch",
            "versions are equal",
            bytes.fromhex(fields),
            tag="vector.add",
            version=2,
        ),
        "an unknown tag": record(
            "message",
            "UnknownMessage",
            "only loaded classes",
            bytes.fromhex(fields),
            tag="os:system",
            version=1,
        ),
        "33 arrays in each other": record(
            "message", "OverLimit", "32 may be", b"\x91" * 600, **add
        ),
        "a tell with an id": record(
            "envelope",
            "Undecodable",
            "nothing answers a tell",
            bytes.fromhex("9c0107a161a00000ff90c400a001c400"),
        ),
        "an envelope in a frame's place": record(
            "parcel", "Undecodable", "a batch goes around it", bytes.fromhex("9c0100")
        ),
        "a batch without rows": record(
            "parcel", "Undecodable", "then an Ack is meant", bytes.fromhex("9402010090")
        ),
    }


def main(name: str) -> int:
    """Write a new file; refuse to touch one that is there."""
    path = HERE / f"{name}.json"
    records = {**accepted(), **refused()}
    text = json.dumps(records, indent=2, ensure_ascii=False) + "\n"
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        sys.stderr.write(f"{path.name} is recorded already and is read for ever; choose a name\n")
        return 1
    sys.stdout.write(f"{path.name}: {len(records)} records\n")
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tests.vectors NAME")
    sys.exit(main(sys.argv[1]))
