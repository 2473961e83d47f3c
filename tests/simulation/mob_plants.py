"""Bugs planted in the roles of a mob (see `plants`)."""

from __future__ import annotations

from typing import Any, Final

from actors.domain.events import MemberRestarted
from actors.domain.inbox import Phase
from actors.domain.planning import restarted
from actors.kernel.handlers import handles
from actors.launching import Casting
from actors.roles.member import Member
from actors.roles.messages import Disconnect
from actors.roles.register import Register
from actors.roles.router import Router
from tests.simulation.mob_cast import cast
from tests.simulation.plants import Plant, Plants, replacing


class OpenDoorRouter(Router):
    """Delivers without an edge."""

    def _reach(self, sender: str | None, target: str, message: Any) -> Any:
        return super()._reach(None, target, message)


class DeafRouter(Router):
    """Does not hear that an edge was cut."""

    @handles
    def disconnect(self, message: Disconnect) -> None:
        """Do nothing."""


class ForgetfulMember(Member):
    """Forgets the input that its last incarnation was working on."""

    async def on_start(self) -> None:  # type: ignore[override]  # Pykka: a def
        inbox = self._memory.inbox
        if inbox.running is not None:
            inbox.cancelled(inbox.running.input_id)
        await super().on_start()


class HastyMember(Member):
    """Drops the end of a turn that is being written down when it fails."""

    def on_failure(self, *failure: object) -> None:
        super().on_failure(*failure)
        for task in tuple(self._memory.writing):
            task.cancel()


class DeafMember(Member):
    """Works on what is not in the ledger yet, and loses who waits for that."""

    def _accepted(self, mode: Any) -> None:
        for input_id in tuple(self._memory.unwritten):
            if self._memory.inbox.phase(input_id) is Phase.QUEUED:
                self._memory.unwritten[input_id].clear()
        super()._accepted(mode)


def _reused_fence(_: Any) -> Any:
    """A member that starts again gets the fence it had."""

    def again(self: Register, identity: str, reason: str) -> MemberRestarted:
        fence = self.roster.member(identity).fence
        return restarted(self.roster, identity, reason, fence=fence)

    return again


MOB: Final[Plants] = {
    "open-door": Plant(("no edge, no delivery",), lambda: cast(Casting(router=OpenDoorRouter))),
    "deaf-router": Plant(
        ("the router opens what is on the roster",), lambda: cast(Casting(router=DeafRouter))
    ),
    "forgetful-member": Plant(
        ("what was accepted has ended or is a dead letter",),
        lambda: cast(Casting(member=ForgetfulMember)),
    ),
    "hasty-member": Plant(("no input ends twice",), lambda: cast(Casting(member=HastyMember))),
    "deaf-member": Plant(
        ("an answer or a declared error",), lambda: cast(Casting(member=DeafMember))
    ),
    "reused-fence": Plant(("fences rise",), replacing(Register, "restarted", _reused_fence)),
}
