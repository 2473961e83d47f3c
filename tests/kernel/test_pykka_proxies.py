"""Pykka's contract: proxies, what they reach, and the messages they send."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, cast

import pykka
import pytest
from pykka.messages import ProxyCall, ProxyGetAttr, ProxySetAttr
from pykka.typing import ActorMemberMixin, proxy_field, proxy_method

from actors.kernel.errors import LocalOnly
from actors.system import default_system
from tests.kernel.cast import PATIENCE_S
from tests.kernel.pykka_kinds import (
    Body,
    Hooked,
    Kind,
    deviation,
    ended,
    sample,
    sentence,
    stopped_after,
)


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    with stopped_after():
        yield


class Plain:
    inner = "plain"


@pykka.traversable
class Marked:
    inner = "marked"

    def shout(self, times: int = 1) -> str:
        return "ho" * times


class MarkedByHand:
    pykka_traversable = True
    inner = "by hand"

    def __init__(self) -> None:
        self.deeper = Marked()


class Rich(Body):
    """An actor with everything that a proxy reaches."""

    plain = Plain()
    marked = Marked()
    marked_by_call = pykka.traversable(Plain())

    def __init__(self) -> None:
        super().__init__()
        self.by_hand = MarkedByHand()
        self.level = 1

    @property
    def doubled(self) -> int:
        return 2 * self.level

    @doubled.setter
    def doubled(self, value: int) -> None:
        self.level = value // 2

    @property
    def read_only(self) -> int:
        return self.level

    @property
    def broken(self) -> int:
        raise LookupError("nothing there")

    @property
    def fresh(self) -> Marked:
        return Marked()

    def learn(self, name: str) -> None:
        setattr(self, name, lambda: f"learnt {name}")

    def later(self) -> Any:
        return self.actor_ref.proxy().add(2, b=3)  # type: ignore[attr-defined]  # of the base


# -- attributes and methods -------------------------------------------------------------------


@sentence("no-proxy")
def test_a_proxy_reads_attributes_as_futures(kind: Kind) -> None:
    proxy = sample(kind, Rich).start().proxy()

    assert isinstance(proxy, pykka.ActorProxy)
    assert isinstance(proxy.level, pykka.Future)
    assert proxy.level.get() == 1
    assert proxy.numbers.get() == (1, 2, 3)
    assert proxy.doubled.get() == 2
    assert proxy.actor_urn.get() == proxy.actor_ref.actor_urn


@sentence("no-proxy")
def test_a_proxy_sets_attributes_and_raises_what_that_raises(kind: Kind) -> None:
    proxy = sample(kind, Rich).start().proxy()
    proxy.level = 5
    proxy.another = "new"

    assert proxy.level.get() == 5
    assert proxy.another.get() == "new"
    proxy.doubled = 8
    assert proxy.level.get() == 4
    with pytest.raises(AttributeError):
        proxy.read_only = 9
    assert proxy.actor_ref.is_alive()


@sentence("no-proxy")
def test_a_proxy_calls_methods(kind: Kind) -> None:
    proxy = sample(kind).start().proxy()

    assert isinstance(proxy.add, pykka.CallableProxy)
    assert proxy.add(2, b=3).get() == 5
    assert proxy.add is proxy.add
    answer = proxy.fail()
    with pytest.raises(ValueError, match="proxied"):
        answer.get()
    with pytest.raises(TypeError):
        proxy.add().get()
    assert proxy.actor_ref.is_alive()


@sentence("no-proxy")
def test_a_deferred_call_is_a_tell(kind: Kind) -> None:
    events: list[Any] = []
    proxy = sample(kind, Hooked).start(events).proxy()

    assert proxy.on_receive.defer("told") is None
    assert proxy.events.get()[-1] == "told"
    assert proxy.fail.defer() is None
    ended(proxy.actor_ref)
    assert events == ["start", "told", ("failure", ValueError)]


@sentence("no-proxy")
def test_calls_and_messages_share_one_queue(kind: Kind) -> None:
    ref = sample(kind).start()
    proxy = ref.proxy()
    ref.tell("a")
    proxy.on_receive("b")
    proxy.on_receive.defer("c")

    assert ref.ask(lambda actor: actor.events) == ["a", "b", "c"]


@sentence("no-proxy")
def test_what_is_missing_or_private_is_an_attribute_error_of_the_proxy(kind: Kind) -> None:
    proxy = sample(kind).start().proxy()

    for name in ("missing", "_secret", "__private"):
        with pytest.raises(AttributeError, match=f"<ActorProxy for Sample.*no attribute '{name}'"):
            getattr(proxy, name)


@sentence("no-proxy")
def test_a_property_is_read_by_the_actor_and_not_before(kind: Kind) -> None:
    proxy = sample(kind, Rich).start().proxy()
    answer = proxy.broken

    with pytest.raises(LookupError, match="nothing there"):
        answer.get()
    assert proxy.fresh.get().inner == "marked"  # a future: what a property gives is not traversed


@sentence("no-proxy")
def test_a_proxy_sees_what_was_added_later(kind: Kind) -> None:
    proxy = sample(kind, Rich).start().proxy()
    proxy.learn("tricks").get()

    assert proxy.tricks().get() == "learnt tricks"


@sentence("no-proxy")
def test_an_actor_works_for_itself_through_a_proxy(kind: Kind) -> None:
    inner = sample(kind, Rich).start().proxy().later().get(timeout=PATIENCE_S)

    assert inner.get(timeout=PATIENCE_S) == 5


@sentence("no-proxy")
def test_a_public_proxy_to_itself_is_hidden_with_a_warning(
    kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    def on_start(self: Any) -> None:
        self.me = self.actor_ref.proxy()

    ref = sample(kind, on_start=on_start).start()
    ref.ask("started")
    proxy = ref.proxy()

    with pytest.raises(AttributeError, match="no attribute 'me'"):
        _ = proxy.me
    assert "'me' is a proxy to itself" in caplog.text


# -- traversable ------------------------------------------------------------------------------


@sentence("no-proxy")
def test_what_is_marked_traversable_is_reached_through(kind: Kind) -> None:
    proxy = sample(kind, Rich).start().proxy()

    assert proxy.marked.inner.get() == "marked"
    assert proxy.marked_by_call.inner.get() == "plain"
    assert proxy.by_hand.inner.get() == "by hand"
    assert proxy.by_hand.deeper.shout(2).get() == "hoho"
    proxy.by_hand.inner = "changed"
    assert proxy.by_hand.inner.get() == "changed"
    with pytest.raises(AttributeError):
        _ = proxy.plain.inner


# -- the proxy itself -------------------------------------------------------------------------


@sentence("no-proxy")
def test_proxies_of_one_path_are_equal_and_show_it(kind: Kind) -> None:
    ref = sample(kind, Rich).start()
    proxy = ref.proxy()

    assert proxy == ref.proxy()
    assert hash(proxy) == hash(ref.proxy())
    assert proxy not in (proxy.marked, sample(kind).start().proxy(), None)
    assert repr(proxy) == f"<ActorProxy for {ref}, attr_path=()>"
    assert "attr_path=('marked',)" in repr(proxy.marked)
    assert {"level", "add", "marked", "__class__"} <= set(dir(proxy))


@sentence("no-proxy")
def test_a_proxy_of_a_dead_actor_is_not_made_and_one_made_before_says_so(kind: Kind) -> None:
    ref = sample(kind).start()
    proxy = ref.proxy()

    assert proxy.stop().get() is None
    ended(ref)
    with pytest.raises(pykka.ActorDeadError):
        ref.proxy()
    answer = proxy.add(1)
    with pytest.raises(pykka.ActorDeadError):
        answer.get()
    with pytest.raises(pykka.ActorDeadError):
        proxy.greeting = "x"
    assert not proxy.actor_ref.is_alive()


class RichProxy(ActorMemberMixin, pykka.ActorProxy[Any]):
    level = proxy_field(1)
    add = proxy_method(Body.add)


@sentence("no-proxy")
def test_a_typed_proxy_works(kind: Kind) -> None:
    proxy = cast(RichProxy, pykka.ActorProxy(actor_ref=sample(kind, Rich).start()))

    assert proxy.level.get() == 1
    assert proxy.add(1, b=1).get() == 2
    assert proxy.stop().get() is None


@sentence("no-proxy")
def test_a_call_is_awaited(kind: Kind) -> None:
    proxy = sample(kind).start().proxy()

    async def main() -> Any:
        return await proxy.add(1)

    assert asyncio.run(main()) == 2


@deviation("no-proxy")
def test_a_loop_actor_has_no_proxy(kind: Kind) -> None:
    ref = sample(kind).start()

    with pytest.raises(LocalOnly, match="make it a ThreadActor"):
        ref.proxy()
    for message in MESSAGES:
        assert ref.ask(message) is message


# -- messages ---------------------------------------------------------------------------------

MESSAGES = (
    ProxyGetAttr(attr_path=("greeting",)),
    ProxyCall(attr_path=("add",), args=(1,), kwargs={"b": 1}),
    ProxySetAttr(attr_path=("greeting",), value="set"),
)


@sentence("no-proxy")
def test_the_messages_of_proxies_work_without_one(kind: Kind) -> None:
    ref = sample(kind).start()

    assert [ref.ask(message) for message in MESSAGES] == ["hi", 2, None]
    assert ref.ask(MESSAGES[0]) == "set"
    ref.tell(ProxySetAttr(attr_path=("greeting",), value="told"))
    assert ref.ask(ProxyGetAttr(attr_path=("greeting",))) == "told"
    with pytest.raises(AttributeError):
        ref.ask(ProxyGetAttr(attr_path=("missing",)))
    ref.tell(ProxyCall(attr_path=("missing",), args=(), kwargs={}))
    ended(ref)
    assert not ref.is_alive()


PRIVATE = pytest.mark.parametrize(
    "message",
    [
        ProxyGetAttr(attr_path=("_secret",)),
        ProxySetAttr(attr_path=("_secret",), value="x"),
        ProxyGetAttr(attr_path=("events", "__class__")),
        ProxyCall(attr_path=("__str__",), args=(), kwargs={}),
    ],
)


@sentence("private-attributes", "no-proxy")
@PRIVATE
def test_a_message_reaches_private_attributes(kind: Kind, message: object) -> None:
    ref = sample(kind).start()
    ref.tell(message)

    ref.ask(message, timeout=PATIENCE_S)


@deviation("private-attributes")
@PRIVATE
def test_a_message_does_not_reach_private_attributes(
    kind: Kind, message: object, caplog: pytest.LogCaptureFixture
) -> None:
    ref = sample(kind).start()
    ref.tell(message)

    with pytest.raises(AttributeError, match="cannot reach the private"):
        ref.ask(message, timeout=PATIENCE_S)
    assert "dead letter (unauthorised" in caplog.text
    assert ref.ask("x", timeout=PATIENCE_S) == "x"
    assert default_system().audit().balanced
