"""Log records that say which actor they are about.

Every record of the loggers `actors.*` has an attribute `actor`: the address, or "" outside of
actors. For the loggers of your own code, add the filter to a handler of yours::

    handler.addFilter(ActorAddress())
    handler.setFormatter(logging.Formatter("%(levelname)s %(actor)s %(message)s"))

Nothing is configured on import: no level, no handler, no record factory.
"""

from __future__ import annotations

import logging

from actors.kernel.current import current_address


class ActorAddress(logging.Filter):
    """Gives every record `actor`, the address of the actor whose code logs; refuses nothing."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the address, unless the record has one already."""
        if not hasattr(record, "actor"):
            record.actor = current_address()
        return True


def logger_for(module: str) -> logging.Logger:
    """The logger of one of our modules, whose records carry the address."""
    logger = logging.getLogger(module)
    if not any(isinstance(each, ActorAddress) for each in logger.filters):
        logger.addFilter(ActorAddress())
    return logger
