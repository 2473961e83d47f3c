"""What ties an actor to others: children that stop before it, watchers that learn its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from actors.kernel.errors import ActorDead, ForkedProcess, KernelError, MailboxFull, MessageTooBig
from actors.kernel.mailbox import Mailbox
from actors.kernel.messages import Down, DownReason
from actors.kernel.timers import Timers

if TYPE_CHECKING:
    from actors.kernel.dispatch import Dispatcher
    from actors.kernel.lifecycle import LifeCycle
    from actors.kernel.realm import Realm
    from actors.kernel.supervision import ChildSpec


class Bonds(Mailbox):
    """A mailbox with a name, a parent, children, watchers and timers."""

    __slots__ = (
        "_timers",
        "bump",
        "children",
        "count",
        "ended",
        "parent",
        "path",
        "realm",
        "spec",
        "watchers",
    )

    def __init__(
        self,
        realm: Realm,
        path: str,
        spec: ChildSpec[Any],
        dispatcher: Dispatcher,
        parent: LifeCycle | None,
        *,
        sorts: bool,
    ) -> None:
        super().__init__(realm.address(path), dispatcher, spec.mailbox, sorts=sorts)
        self.realm = realm
        self.count = realm.loop_counts[dispatcher]
        self.bump = realm.counts.sent.bump  # counts a message to this actor
        self.path = path
        self.spec = spec
        self.parent = parent
        self.children: dict[str, LifeCycle] | None = None  # in start order
        self.watchers: list[Bonds] | None = None
        self.ended: tuple[DownReason, str | None] | None = None
        self._timers: Timers | None = None

    @property
    def kind(self) -> type[Any]:
        """The class of the actor."""
        return self.spec.actor

    def refused(self) -> None:
        """Count a message that was not put after all; its sender was told."""
        self.realm.counts.rejected.bump()

    # -- children ---------------------------------------------------------------------------

    def adopt(self, child: LifeCycle) -> None:
        """Own a child from now on; it is stopped before its parent."""
        if self.children is None:
            self.children = {}
        self.children.pop(child.path, None)  # a namesake that ended: the new one goes last
        self.children[child.path] = child

    def disown(self, child: LifeCycle) -> None:
        """Forget a child that ended; a namesake that was started since stays."""
        if self.children is not None and self.children.get(child.path) is child:
            del self.children[child.path]

    def stop_children(self, then: Callable[[], object]) -> None:
        """Stop the children, last started first, one after the other; then go on."""
        if not self.children:
            then()
            return
        child = self.children[next(reversed(self.children))]

        def ended() -> None:
            self.disown(child)
            self.stop_children(then)

        child.post(
            lambda: child.request_stop("shutdown", drain=False, done=lambda: self.post(ended))
        )

    # -- watching ---------------------------------------------------------------------------

    def watched_by(self, watcher: Bonds) -> None:
        """Promise `watcher` exactly one `Down`; any thread."""
        if self.ended is not None:
            watcher.put_down(self.address, "no_such_actor", self.ended[1])
        else:
            self.post(lambda: self._add_watcher(watcher))

    def _add_watcher(self, watcher: Bonds) -> None:
        if self.ended is not None:  # meanwhile
            self.watched_by(watcher)
        elif self.watchers is None:
            self.watchers = [watcher]
        else:
            self.watchers.append(watcher)

    def tell_watchers(self) -> None:
        """Say to the watchers that it is over; called once."""
        assert self.ended is not None  # its caller has just set it
        watchers, self.watchers = self.watchers, None
        for watcher in watchers or ():
            watcher.put_down(self.address, *self.ended)

    def put_down(self, address: str, reason: DownReason, error: str | None) -> None:
        """Queue the `Down` of a watched actor; any thread."""
        self.bump()
        self.put_unbounded(Down(address=address, reason=reason, error=error))

    # -- timers -----------------------------------------------------------------------------

    @property
    def timers(self) -> Timers:
        """The timers of this incarnation.

        Raises:
            KernelError: called elsewhere than on the actor's loop.
        """
        if not self.dispatcher.here():
            raise KernelError(
                f"a timer of {self.address} was asked for outside its loop",
                hint="set timers in on_start or in a handler",
            )
        if self._timers is None:
            self._timers = Timers(self.dispatcher)
        return self._timers

    def cancel_timers(self) -> None:
        """Nothing that waits for its time fires."""
        if self._timers is not None:
            self._timers.cancel_all()

    def gone(self, what: str) -> KernelError:
        """Why a sealed box does not take `what`."""
        if self.realm.forked:
            return ForkedProcess(self.realm.name)
        return ActorDead(self.address, what)

    def check_process(self) -> None:
        """Raise ForkedProcess if this process is not the one in which the actor runs."""
        self.realm.check_process()

    def deliver(self, message: object) -> None:
        """Put a message that nobody waits for; no room makes it a dead letter."""
        self.bump()
        if self.sealed:
            self.realm.dead(self.address, "dead", message)
            return
        try:
            self.put(message)
        except (MailboxFull, MessageTooBig):
            self.realm.dead(self.address, "full", message)
