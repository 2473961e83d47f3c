"""How long a message is worth handling: the same for actors of this node and of another one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.kernel.errors import Expired
from actors.post.outward import LEFT_MS, _milliseconds
from tests.post.nodes import PATIENCE_S, Add, Total, Worker, nodes
from transport.codec import pack_envelope
from transport.envelope import Envelope, Kind


@pytest.fixture(scope="module")
def refs() -> Iterator[dict[str, Any]]:
    with nodes("tcp://127.0.0.1") as (server, client):
        local: Any = server.start(Worker, name="worker", wait=True)
        yield {"local": local, "remote": client.ref("mob://server/worker")}


@pytest.mark.parametrize("where", ["local", "remote"])
@pytest.mark.parametrize("expires", [float("inf"), 1e300, 1e308, 1e17, 2.0**62, 60, 10**40])
def test_a_message_with_all_the_time_in_the_world_is_handled(
    refs: dict[str, Any], where: str, expires: float
) -> None:
    ref = refs[where]
    before = ref.ask(Total(), timeout=PATIENCE_S)

    ref.tell(Add(n=1), expires=expires)

    assert ref.ask(Total(), timeout=PATIENCE_S, expires=expires) == before + 1


@pytest.mark.parametrize("where", ["local", "remote"])
@pytest.mark.parametrize("expires", [0, -1, -1e300, float("-inf")])
def test_a_message_without_time_is_not_handled(
    refs: dict[str, Any], where: str, expires: float
) -> None:
    ref = refs[where]
    before = ref.ask(Total(), timeout=PATIENCE_S)

    ref.tell(Add(n=1), expires=expires)
    with pytest.raises(Expired):
        ref.ask(Total(), timeout=PATIENCE_S, expires=expires)

    assert ref.ask(Total(), timeout=PATIENCE_S) == before


@pytest.mark.parametrize("where", ["local", "remote"])
def test_what_is_no_number_is_no_time(refs: dict[str, Any], where: str) -> None:
    ref = refs[where]
    before = ref.ask(Total(), timeout=PATIENCE_S)

    for call in (ref.tell, ref.ask, ref.request, ref.send):
        with pytest.raises(ValueError, match="expires is nan and no number of seconds"):
            call(Add(n=1), expires=float("nan"))
    with pytest.raises(ValueError, match="expires is nan"):
        ref.tell(Add(n=1), timeout=1.0, expires=float("nan"))

    assert ref.ask(Total(), timeout=PATIENCE_S) == before


@given(st.floats(allow_nan=False))
def test_whatever_is_left_fits_an_envelope(seconds: float) -> None:
    left = _milliseconds(seconds)

    assert 0 <= left <= LEFT_MS
    assert left == 0 or seconds > 0
    assert pack_envelope(Envelope(Kind.TELL, 0, "a", left_ms=left, tag="t", version=1))
