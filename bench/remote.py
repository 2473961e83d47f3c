"""The rows of `scripts/bench remote`: two processes, beside xoscar, Thespian and raw pyzmq.

Ours are typed, validated and, over tcp, encrypted, with a session layer that resumes. xoscar's
messages are pickled and in the clear, those of Thespian and Ray too; raw pyzmq carries bytes,
encrypted where ours are. Targets are those of design §8.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from bench.rows import Limit, Row, Side

_TELL: Final = (Limit("at_least", 15, "xoscar"),)
_ASK: Final = (Limit("at_most", 1.7, "pyzmq"), Limit("at_most", 0.85, "xoscar"))
_ASKS: Final = (Limit("at_least", 6, "xoscar"),)

KINDS: Final = {"curve": "tcp + CURVE", "ipc": "ipc"}


def _row(
    name: str,
    unit: str,
    measure: str,
    counts: tuple[int, int],
    peers: Mapping[str, tuple[str, int, int]],
    limits: Sequence[Limit] = (),
) -> list[Row]:
    """One row per kind of connection; the limits are those of tcp + CURVE.

    `peers` maps a peer to its measure, count and quick count. `{kind}` in a measure is the kind;
    a peer without it has one kind only, and stands beside both of ours.
    """
    modules = {
        "pyzmq": "pyzmq_peer",
        "xoscar": "xoscar_remote",
        "thespian": "thespian_peer",
        "ray": "ray_peer",
    }
    return [
        Row(
            f"{name}, {words}",
            unit,
            Side("ours_remote", f"{measure}_{kind}", *counts),
            {
                peer: Side(modules[peer], what.format(kind=kind), count, quick)
                for peer, (what, count, quick) in peers.items()
            },
            tuple(limits) if kind == "curve" else (),
        )
        for kind, words in KINDS.items()
    ]


ROWS: tuple[Row, ...] = (
    *_row(
        "remote tell, new message each",
        "1/s",
        "tell_fresh",
        (300_000, 60_000),
        {
            "xoscar": ("tell_fresh", 20_000, 5_000),
            "thespian": ("tell", 5_000, 1_000),
            "ray": ("tell", 20_000, 5_000),
            "pyzmq": ("tell_{kind}", 500_000, 100_000),
        },
        _TELL,
    ),
    *_row(
        "remote tell, message reused",
        "1/s",
        "tell_reused",
        (300_000, 60_000),
        {
            "xoscar": ("tell_reused", 20_000, 5_000),
            "pyzmq": ("tell_{kind}", 500_000, 100_000),
        },
        _TELL,
    ),
    *_row(
        "remote tell, 1 kB",
        "1/s",
        "tell_1k",
        (100_000, 20_000),
        {"xoscar": ("tell_1k", 20_000, 5_000), "pyzmq": ("tell_1k_{kind}", 100_000, 20_000)},
    ),
    *_row(
        "remote tell, 64 kB",
        "1/s",
        "tell_64k",
        (5_000, 1_000),
        {"xoscar": ("tell_64k", 3_000, 500), "pyzmq": ("tell_64k_{kind}", 5_000, 1_000)},
    ),
    *_row(
        "remote ask, one at a time",
        "us",
        "ask",
        (10_000, 2_000),
        {
            "pyzmq": ("ask_{kind}", 20_000, 5_000),
            "xoscar": ("ask", 10_000, 2_000),
            "thespian": ("ask", 3_000, 500),
            "ray": ("ask", 3_000, 1_000),
        },
        _ASK,
    ),
    *_row(
        "remote ask, 256 in flight",
        "1/s",
        "asks",
        (60_000, 15_000),
        {
            "pyzmq": ("asks_{kind}", 100_000, 20_000),
            "xoscar": ("asks", 20_000, 5_000),
            "ray": ("asks", 10_000, 3_000),
        },
        _ASKS,
    ),
    *_row("memory of an idle peer", "B", "idle_peer", (100, 20), {}),
    Row("encode a small message", "ns", Side("wire_parts", "encode", 200_000, 50_000)),
    Row(
        "decode a small message, without validation",
        "ns",
        Side("wire_parts", "unpack", 200_000, 50_000),
    ),
    Row(
        "decode a small message, with validation",
        "ns",
        Side("wire_parts", "decode", 200_000, 50_000),
    ),
    Row("envelope there and back", "ns", Side("wire_parts", "envelope", 100_000, 20_000)),
    Row("session, offer to handed over", "ns", Side("wire_parts", "session", 200_000, 50_000)),
)
