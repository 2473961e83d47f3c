"""A run of damaged frames through the decoders, and what it found.

A decoder may return a value or raise RemoteProtocolError; anything else is a crash.
"""

from __future__ import annotations

import random
import resource
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from tests.fuzz.mutation import Sample, damage, samples
from tests.vectors.recording import REQUESTS
from transport.codec import (
    decode_error,
    decode_message,
    decode_reply,
    pack_envelope,
    pack_parcel,
    unpack_envelope,
    unpack_parcel,
)
from transport.envelope import Envelope, Kind
from transport.errors import RemoteProtocolError
from transport.parcels import Batch

__all__ = ["GROWTH_MIB", "SLOWEST_MS", "Report", "run"]

SLOWEST_MS: Final = 100.0
GROWTH_MIB: Final = 32.0
# Longer than the first garbage collections, the growth of packers' buffers, and every class.
_WARM_UP: Final = 2_000
_CRASHES_KEPT: Final = 20


@dataclass
class Report:
    """What a run found.

    Attributes:
        seed: Of the run; the same seed gives the same frames.
        outcomes: How often which error, or "decoded".
        crashes: The first errors that may not be, with the bytes in hexadecimal.
        slowest_ms: Processor time of the slowest frame, in milliseconds.
        slowest: Its bytes.
        growth_mib: By how much the process's largest size grew after the first 2,000 frames.
    """

    seed: int
    outcomes: Counter[str] = field(default_factory=Counter)
    crashes: list[str] = field(default_factory=list)
    slowest_ms: float = 0.0
    slowest: bytes = b""
    growth_mib: float = 0.0

    @property
    def frames(self) -> int:
        return sum(self.outcomes.values())

    @property
    def violations(self) -> list[str]:
        """What breaks the promise of the codec, as sentences."""
        found = list(self.crashes)
        if self.slowest_ms > SLOWEST_MS:
            found.append(
                f"a frame took {self.slowest_ms:.0f} ms, {SLOWEST_MS:.0f} are allowed: "
                f"{self.slowest[:200].hex()} ({len(self.slowest)} bytes)"
            )
        if self.growth_mib > GROWTH_MIB:
            found.append(f"memory grew by {self.growth_mib:.0f} MiB, {GROWTH_MIB:.0f} are allowed")
        return found


def run(count: int, seed: int) -> Report:
    """Send that many damaged frames through the decoders."""
    chance = random.Random(seed)
    valid = samples()
    report = Report(seed)
    base_mib = 0.0
    for number in range(count):
        if number == min(_WARM_UP, count // 2):
            base_mib = _peak_mib()
        sample = chance.choice(valid)
        damaged = sample._replace(data=damage(sample.data, chance.choice(valid).data, chance))
        frame = _framed(damaged)
        started = time.thread_time()
        outcome = _outcome(damaged, frame, report)
        took_ms = (time.thread_time() - started) * 1000
        report.outcomes[outcome] += 1
        if took_ms > report.slowest_ms:
            report.slowest_ms, report.slowest = took_ms, damaged.data
    report.growth_mib = _peak_mib() - base_mib
    return report


def _framed(sample: Sample) -> bytes:
    """The frame in which the damaged bytes would come; too large ones come bare."""
    data = sample.data
    if len(data) > 1_000_000 or sample.level == "parcel":
        return data
    if sample.level == "envelope":
        return pack_parcel(Batch(1, 0, (data,)))
    if sample.level == "message":
        envelope = Envelope(
            Kind.TELL, 0, "actor", tag=sample.name, version=sample.version, payload=data
        )
    else:
        kind = Kind.ERROR if sample.level == "error" else Kind.REPLY
        envelope = Envelope(kind, 7, "", payload=data)
    return pack_parcel(Batch(1, 0, (pack_envelope(envelope),)))


def _outcome(sample: Sample, frame: bytes, report: Report) -> str:
    try:
        _receive(sample, frame)
    except RemoteProtocolError as error:
        str(error)
        return type(error).__name__
    except Exception as error:  # noqa: BLE001  # a crash is what is looked for
        if len(report.crashes) < _CRASHES_KEPT:
            name = f"{sample.level} {sample.name}".strip()
            report.crashes.append(f"{error!r:.200} from {name}: {sample.data.hex()[:2000]}")
        return "crash"
    return "decoded"


def _receive(sample: Sample, frame: bytes) -> None:
    """What an endpoint does with a frame, up to the message."""
    parcel = unpack_parcel(frame)
    if not isinstance(parcel, Batch):
        return
    for row in parcel.rows:
        envelope = unpack_envelope(row)
        if envelope.tag:
            decode_message(envelope.tag, envelope.version, envelope.payload)
        elif envelope.kind is Kind.ERROR:
            decode_error(envelope.payload)
        elif envelope.kind is Kind.REPLY:
            request = REQUESTS.get(sample.name, REQUESTS["vector.fetch"])
            decode_reply(request, envelope.payload)


def _peak_mib() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)
