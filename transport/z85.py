"""Z85, the text form of CURVE keys (ZeroMQ RFC 32): 4 bytes are 5 printable characters.

The alphabet has neither quotes nor backslash nor blanks, so a key is one word in a line of text. It
has `#`, so no comment can follow a key.
"""

from __future__ import annotations

import struct
from typing import Final

__all__ = ["decode", "encode"]

_ALPHABET: Final = (
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
)
_DIGITS: Final = {character: value for value, character in enumerate(_ALPHABET)}
_BASE: Final = 85


def encode(data: bytes) -> str:
    """Write bytes as text.

    Raises:
        ValueError: The length is not a multiple of 4.
    """
    if len(data) % 4:
        raise ValueError("Z85 encodes multiples of 4 bytes")
    characters: list[str] = []
    for (word,) in struct.iter_unpack(">I", data):
        group = []
        rest = word
        for _ in range(5):
            rest, digit = divmod(rest, _BASE)
            group.append(_ALPHABET[digit])
        characters.extend(reversed(group))
    return "".join(characters)


def decode(text: str) -> bytes:
    """Read text back; the inverse of `encode`, which has one text for each value.

    Raises:
        ValueError: This is no Z85 text. The error does not say the text: it may be a secret.
    """
    if len(text) % 5:
        raise ValueError("Z85 text has a multiple of 5 characters")
    words = []
    for start in range(0, len(text), 5):
        word = 0
        for character in text[start : start + 5]:
            digit = _DIGITS.get(character)
            if digit is None:
                # `from None` would not be enough: what is being handled keeps the character.
                raise ValueError("a character is not in the alphabet of Z85")
            word = word * _BASE + digit
        if word >= 1 << 32:
            raise ValueError("a group of 5 characters stands for more than 4 bytes")
        words.append(word)
    return struct.pack(f">{len(words)}I", *words)
