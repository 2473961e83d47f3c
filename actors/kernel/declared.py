"""Errors that handlers declare, and the names by which they cross to other nodes.

Both sides look a name up among the errors that their own handlers declare: nothing is imported, and
no attribute fetched, because a peer says so. So both must come to the same name.
"""

from __future__ import annotations

import sys
from pathlib import PurePath
from weakref import WeakKeyDictionary

from transport.message import SCRIPTS

_by_name: dict[str, type[BaseException]] = {}  # filled by class statements only
_names: WeakKeyDictionary[type[BaseException], str] = WeakKeyDictionary()


def declare(error: type[BaseException]) -> None:
    """Note that a handler declares an error. A class made again under its name replaces it."""
    name = _names[error] = wire_name(error)
    if name:
        _by_name[name] = error


def declared_name(error: type[BaseException]) -> str | None:
    """The name by which an error that some handler declares crosses to other nodes.

    None when no handler declares it; "" when it has no name that another process could know.
    """
    return _names.get(error)


def declared_base(error: type[BaseException]) -> str | None:
    """The name of the nearest base that some handler declares, if it has a name for others."""
    return next((name for base in error.__mro__[1:] if (name := _names.get(base))), None)


def declared_error(name: str) -> type[BaseException] | None:
    """The error of this name, if a handler in this process declares it."""
    return _by_name.get(name)


def wire_name(error: type[BaseException]) -> str:
    """Its own `wire_tag`, or `module:qualname`; "" for a class of a notebook or prompt without one.

    A script counts as the module that it would be imported as. To be called where the class is
    used first, for a script is known by its globals.
    """
    tag = vars(error).get("wire_tag")  # its own: a subclass is another error
    if isinstance(tag, str) and tag:
        return tag
    module = error.__module__
    if module in SCRIPTS:
        module = _module_of(module)
    return f"{module}:{error.__qualname__}" if module else ""


def _module_of(script: str) -> str:
    """What the script would be imported as, `shop` for shop.py; "" when it is no file."""
    module = sys.modules.get(script)
    spec = getattr(module, "__spec__", None)  # of `python -m`
    file = getattr(module, "__file__", None)
    name = spec.name if spec is not None else PurePath(file).stem if file else ""
    return "" if name in SCRIPTS else str(name)
