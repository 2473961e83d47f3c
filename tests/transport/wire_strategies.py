"""Hypothesis strategies: envelopes, errors and parcels within their limits."""

from __future__ import annotations

from hypothesis import strategies as st

from transport import FrozenMap
from transport.envelope import ANSWERS, Envelope, Kind, Lane
from transport.error_info import ErrorCode, ErrorInfo
from transport.parcels import Ack, Batch, Beat, Bye, Hello, Parcel

LARGEST = 2**63 - 1
COUNTS = st.integers(0, 100) | st.integers(0, LARGEST)
SIZES = st.integers(1, LARGEST)
TEXTS = st.text(max_size=40)
PATHS = st.sampled_from(["counter", "panel/lead", "ä/ö"]) | st.text(min_size=1, max_size=40)


@st.composite
def envelopes(draw: st.DrawFn) -> Envelope:
    kind = draw(st.sampled_from(Kind))
    tag = draw(st.text(max_size=60))
    return Envelope(
        kind,
        0 if kind is Kind.TELL else draw(SIZES),
        "" if kind in ANSWERS else draw(PATHS),
        draw(st.just("") | PATHS),
        draw(COUNTS),
        draw(st.sampled_from(Lane)),
        draw(st.integers(-1, LARGEST - 1)),
        tuple(draw(st.lists(TEXTS, max_size=20))),
        draw(st.binary(max_size=64)),
        tag,
        draw(SIZES) if tag else 0,
        draw(st.binary(max_size=600)),
    )


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), LARGEST)
    | st.floats(allow_nan=False)
    | st.text(max_size=500)
)
ERRORS = st.builds(
    ErrorInfo,
    st.sampled_from(ErrorCode),
    st.text(max_size=500),
    st.dictionaries(st.text(max_size=64), TEXTS, max_size=16).map(FrozenMap),
    st.text(max_size=255),
    st.lists(SCALARS, max_size=8).map(tuple),
)

PROTOCOLS = st.tuples(st.integers(1, 2**16 - 1), st.integers(1, 2**16 - 1)).map(sorted).map(tuple)
HELLOS = st.builds(
    Hello,
    PROTOCOLS,
    st.text(max_size=64),
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", fullmatch=True),
    st.binary(min_size=16, max_size=16),
    st.binary(min_size=16, max_size=16),
    st.sampled_from(["control", "data"]),
    COUNTS,
    st.tuples(SIZES, SIZES),
    SIZES,
    st.lists(
        st.tuples(st.sampled_from(["control", "data"]), st.text(max_size=255)), max_size=8
    ).map(tuple),
)
BATCHES = st.builds(
    Batch,
    st.integers(1, LARGEST - 16_384),
    COUNTS,
    st.lists(st.binary(max_size=200), min_size=1, max_size=20).map(tuple),
)
PARCELS: st.SearchStrategy[Parcel] = st.one_of(
    HELLOS,
    BATCHES,
    st.builds(Ack, COUNTS),
    st.builds(Beat, COUNTS, COUNTS, COUNTS),
    st.builds(Bye, st.text(min_size=1, max_size=64), st.text(max_size=500)),
)
