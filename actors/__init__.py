"""mob-actors: teams of agents that stay alive, talk to each other and keep a declared shape.

Everything a user needs is here; what costs time to import is imported on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from actors.kernel.actor import Actor
from actors.kernel.handlers import handles, interleave
from actors.kernel.messages import Down
from actors.kernel.supervision import ChildSpec
from actors.kernel.threads import ThreadActor
from actors.system import ActorSystem
from transport.message import FrozenMap, Message, Request

if TYPE_CHECKING:
    from actors.async_mob import AsyncMob
    from actors.mob import Mob

__version__ = "0.1.0"

__all__ = [
    "Actor",
    "ActorSystem",
    "AsyncMob",
    "ChildSpec",
    "Down",
    "FrozenMap",
    "Message",
    "Mob",
    "Request",
    "ThreadActor",
    "__version__",
    "handles",
    "interleave",
]

_LATER = {"AsyncMob": "actors.async_mob", "Mob": "actors.mob"}


def __getattr__(name: str) -> object:
    if name in _LATER:
        return getattr(importlib.import_module(_LATER[name]), name)
    raise AttributeError(f"module 'actors' has no attribute {name!r}")
