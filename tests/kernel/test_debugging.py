"""MOB_DEBUG=1 lifts deadlines for a person who looks, and names slow handlers (design §11)."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from actors import Actor, ActorSystem
from actors.kernel.errors import AskTimeout, Expired
from tests.kernel.cast import PATIENCE_S, Call, Door, Hold, Notes, Puppet

SHORT_S = 0.01


@pytest.fixture(params=["", "0", "1"])
def setting(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("MOB_DEBUG", request.param)
    return str(request.param)


@pytest.fixture
def system(setting: str) -> Iterator[ActorSystem]:
    with ActorSystem("test") as system:
        yield system


@pytest.fixture
def opened() -> threading.Event:
    return threading.Event()


def test_an_ask_waits_for_its_answer_however_long(
    system: ActorSystem, setting: str, opened: threading.Event
) -> None:
    door = system.start(Door, threading.Event(), opened)
    threading.Timer(10 * SHORT_S, opened.set).start()

    if setting == "1":
        assert door.ask(Hold(), timeout=SHORT_S) is None
    else:
        with pytest.raises(AskTimeout):
            door.ask(Hold(), timeout=SHORT_S)


def test_a_request_waits_for_its_answer_however_long(
    system: ActorSystem, setting: str, opened: threading.Event
) -> None:
    door = system.start(Door, threading.Event(), opened, loop="member")
    asker = system.start(Puppet, loop="system")
    threading.Timer(10 * SHORT_S, opened.set).start()

    async def ask(_: Actor) -> str:
        try:
            await door.request(Hold(), timeout=SHORT_S)
        except AskTimeout:
            return "too late"
        return "answered"

    found = asker.ask(Call(ask), timeout=PATIENCE_S)

    assert found == ("answered" if setting == "1" else "too late")


def test_a_message_does_not_expire(
    system: ActorSystem, setting: str, opened: threading.Event
) -> None:
    door = system.start(Door, threading.Event(), opened)
    held = door.ask(Hold(), block=False)
    late = door.ask(Notes(), block=False, expires=0.0)
    opened.set()
    held.get(timeout=PATIENCE_S)

    if setting == "1":
        assert late.get(timeout=PATIENCE_S) == ()
    else:
        with pytest.raises(Expired):
            late.get(timeout=PATIENCE_S)


def test_a_handler_is_named_earlier(
    system: ActorSystem, setting: str, opened: threading.Event
) -> None:
    budgets = [view._budget_s for view in system._watchdog._views]  # type: ignore[union-attr]

    assert budgets == pytest.approx([0.01, 0.1] if setting == "1" else [0.05, 0.5])
