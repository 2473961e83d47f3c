"""How often an address may fail to be let in before its failures are put off unheard.

Whoever can reach a port can knock as fast as the wire allows. Twenty failures within a second shut
an address out for five: its failures get the short answer then, and one record for all of them.
A key that is let in is no failure, whatever its address has done: behind one address there may be
a thief and a friend, and the thief must not be able to keep the friend out.

Source: reliability.md §5.4.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Final

__all__ = ["ADDRESSES", "FAILURES", "SHUT_S", "WINDOW_S", "Failures", "household"]

FAILURES: Final = 20
WINDOW_S: Final = 1.0
SHUT_S: Final = 5.0
# Addresses that are remembered, those that failed last. With more of them somebody gets through the
# limit, and is refused all the same.
ADDRESSES: Final = 1_024


@dataclass(slots=True)
class _Address:
    failed: deque[float] = field(default_factory=lambda: deque(maxlen=FAILURES))  # when
    shut_until: float | None = None


class Failures:
    """Who has failed how often. Belongs to one thread; `now` is monotonic seconds."""

    def __init__(self) -> None:
        self._addresses: OrderedDict[str, _Address] = OrderedDict()  # that failed last, last

    def __len__(self) -> int:
        return len(self._addresses)

    def failed(self, address: str, now: float) -> bool:
        """Note that somebody from an address was not let in; whether it was shut out already."""
        name = household(address)
        known = self._addresses.setdefault(name, _Address())
        self._addresses.move_to_end(name)
        if len(self._addresses) > ADDRESSES:
            self._addresses.popitem(last=False)
        if known.shut_until is not None:
            if now < known.shut_until:
                return True
            known.shut_until = None
        known.failed.append(now)
        if len(known.failed) == FAILURES and now - known.failed[0] < WINDOW_S:
            known.failed.clear()
            known.shut_until = now + SHUT_S
        return False


def household(address: str) -> str:
    """Whose address it is: of IPv6 the first half, for everybody has all of the second one."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return str(parsed)
    mapped = parsed.ipv4_mapped
    return str(mapped) if mapped is not None else parsed.packed[:8].hex(":", 2)
