"""The recipient behind a ref of an actor that has ended, where only its address came."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pykka

from actors.kernel.errors import ActorDead

if TYPE_CHECKING:
    from actors.kernel.bonds import Bonds
    from actors.kernel.ports import Answerable
    from actors.kernel.realm import Realm
    from actors.kernel.waits import Holder


class Gone:
    """Takes nothing, and says so; see `kernel.ports.Recipient`."""

    kind: type[Any] = pykka.Actor
    sealed = True
    keeper: Holder | None = None

    def __init__(self, realm: Realm, address: str) -> None:
        self.realm = realm
        self.address = address
        self.dispatcher = realm.scheduler.dispatcher("member")
        self.bump = realm.counts.sent.bump

    def check_process(self) -> None:
        """Raise ForkedProcess if this process is not the one of the system."""
        self.realm.check_process()

    def serves_aside(self, _message: object) -> bool:
        """It serves nobody."""
        return False

    def refused(self) -> None:
        """Count a message that was not taken; its sender was told."""
        self.realm.counts.rejected.bump()

    def put(
        self,
        message: object,
        _reply: Answerable | None = None,
        _deadline: float | None = None,
    ) -> None:
        """Raise ActorDead."""
        raise ActorDead(self.address, type(message).__qualname__)

    def when_room(self, _message: object, wake: Callable[[], object]) -> None:
        """It never has room: try again, and hear why not."""
        wake()

    def forget_room(self, wake: Callable[[], object]) -> None:
        """Nothing is remembered."""

    def tell_started(self, starter: Answerable) -> None:
        """Answer that it has ended."""
        starter.resolve(None, ActorDead(self.address, "the wait for its start"))

    def end(self, reply: Answerable, *, drain: bool) -> None:
        """Answer that it had ended before."""
        reply.resolve(False, None)

    def watched_by(self, watcher: Bonds) -> None:
        """Say at once that it is gone."""
        watcher.put_down(self.address, "no_such_actor", None)
