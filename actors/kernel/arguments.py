"""Arguments of the wrong type are refused by name, before anything is done."""

from __future__ import annotations

import math

from actors.kernel.errors import WrongArgument


def check_text(argument: str, value: object, example: str) -> None:
    """Refuse what is no str.

    Raises:
        WrongArgument: It says what was given, and `example`.
    """
    if not isinstance(value, str):
        raise WrongArgument(argument, f"is {_what(value)} and no str", hint=f"give {example}")


def check_seconds(argument: str, value: object) -> None:
    """Refuse what is no number of seconds; None waits for ever.

    Raises:
        WrongArgument: It says what was given.
    """
    if value is None or (isinstance(value, int | float) and not math.isnan(value)):
        return
    raise WrongArgument(
        argument, f"is {_what(value)} and no number of seconds", hint="give 10.0, or None for ever"
    )


def check_node(name: object, keys: object, allowed: object) -> None:
    """Refuse what no system can be made of.

    Raises:
        WrongArgument: It names the argument.
    """
    check_text("name", name, "a name, as 'west'")
    if keys is not None:
        from transport.keys import KeyPair

        if not isinstance(keys, KeyPair):
            # Not what it is: it may be the secret.
            problem = f"is a {type(keys).__name__} and no KeyPair"
            raise WrongArgument("keys", problem, hint="give load_key_pair(directory, name)")
    if allowed is not None:
        from transport.allowed import Allowed

        if not isinstance(allowed, Allowed):
            problem = f"is a {type(allowed).__name__} and no Allowed"
            raise WrongArgument("allowed", problem, hint="give Allowed.load(path), or Allowed()")


def _what(value: object) -> str:
    if value is None:
        return "None"
    if isinstance(value, int | float):
        return f"the {type(value).__name__} {value:.6g}"
    return f"a {type(value).__name__}"
