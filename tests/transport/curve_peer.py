"""A CURVE client on a raw TCP socket that does what libzmq never would (ZeroMQ RFC 26, ZMTP 3.1).

Slow and not constant-time: for tests only. The arithmetic is that of RFC 7748 (X25519), RFC 8439
(Poly1305) and the Salsa20 family, checked against libsodium by the handshake itself.
"""

from __future__ import annotations

import os
import socket
import struct
from typing import Self

from transport import z85

_P = 2**255 - 19
_GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x01"
_MASK = 0xFFFFFFFF


def greeting(mechanism: bytes = b"CURVE") -> bytes:
    """The 64 bytes with which a ZMTP 3 client begins."""
    return (_GREETING + mechanism.ljust(20, b"\0") + b"\0").ljust(64, b"\0")


def properties(**pairs: bytes) -> bytes:
    """Metadata of a handshake; `_` in a name stands for `-`."""
    packed = b""
    for name, value in pairs.items():
        text = name.replace("_", "-").encode()
        packed += bytes([len(text)]) + text + struct.pack(">I", len(value)) + value
    return packed


def greet(raw: socket.socket, mechanism: bytes = b"CURVE") -> None:
    """Exchange greetings. libzmq hangs up on a client that does not wait for its greeting."""
    raw.sendall(greeting(mechanism))
    receive(raw, 64)


def receive(raw: socket.socket, count: int) -> bytes:
    """Exactly this many bytes.

    Raises:
        ConnectionError: The server has closed the connection.
    """
    data = b""
    while len(data) < count:
        more = raw.recv(count - len(data))
        if not more:
            raise ConnectionError("the server has closed the connection")
        data += more
    return data


class CurvePeer:
    """Connects, shakes hands and then sends frames with any flags.

    Args:
        metadata: What is claimed about this peer in the handshake.

    Raises:
        ConnectionError: The server refuses, with or without saying so.
    """

    def __init__(
        self, port: int, server_key: str, public: str, secret: bytes, metadata: bytes | None = None
    ) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._sent = 0
        try:
            self._shake_hands(server_key, public, secret, metadata)
        except BaseException:
            self.socket.close()
            raise

    def _shake_hands(
        self, server_key: str, public: str, secret: bytes, metadata: bytes | None
    ) -> None:
        server = z85.decode(server_key)
        own = z85.decode(public)
        secret_key = z85.decode(secret.decode())
        short_secret = os.urandom(32)
        short = x25519(short_secret, (9).to_bytes(32, "little"))

        greet(self.socket)
        hello_box = seal(bytes(64), self._nonce(b"CurveZMQHELLO---"), shared(short_secret, server))
        self._command(b"\x05HELLO\x01\x00" + bytes(72) + short + self._counter() + hello_box)
        welcome = self._read_command(b"\x07WELCOME")
        opened = unseal(welcome[24:], b"WELCOME-" + welcome[8:24], shared(short_secret, server))
        server_short, cookie = opened[:32], opened[32:]
        self._key = shared(short_secret, server_short)

        vouch_nonce = os.urandom(16)
        vouch = seal(short + server, b"VOUCH---" + vouch_nonce, shared(secret_key, server_short))
        if metadata is None:
            metadata = properties(Socket_Type=b"DEALER", Identity=b"")
        self._sent += 1
        box = seal(
            own + vouch_nonce + vouch + metadata, self._nonce(b"CurveZMQINITIATE"), self._key
        )
        self._command(b"\x08INITIATE" + cookie + self._counter() + box)
        self._read_command(b"\x05READY")

    def send(self, payload: bytes, *, more: bool = False) -> None:
        """Send one frame."""
        self.socket.sendall(self.packed(payload, more=more))

    def packed(self, payload: bytes, *, more: bool = False) -> bytes:
        """One frame as it goes over the wire; every call takes the next nonce."""
        self._sent += 1
        box = seal(bytes([more]) + payload, self._nonce(b"CurveZMQMESSAGEC"), self._key)
        body = b"\x07MESSAGE" + self._counter() + box
        return b"\x02" + struct.pack(">Q", len(body)) + body

    def close(self) -> None:
        """End the connection."""
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _counter(self) -> bytes:
        return struct.pack(">Q", self._sent)

    def _nonce(self, prefix: bytes) -> bytes:
        return prefix + self._counter()

    def _command(self, body: bytes) -> None:
        if len(body) < 256:
            self.socket.sendall(bytes([4, len(body)]) + body)
        else:
            self.socket.sendall(b"\x06" + struct.pack(">Q", len(body)) + body)

    def _read_command(self, wanted: bytes) -> bytes:
        flags = receive(self.socket, 1)[0]
        length = receive(self.socket, 8 if flags & 2 else 1)
        body = receive(self.socket, int.from_bytes(length, "big"))
        if not body.startswith(wanted):
            raise ConnectionError("the server has refused the handshake")
        return body


def x25519(scalar: bytes, point: bytes) -> bytes:
    """RFC 7748, section 5."""
    k = bytearray(scalar)
    k[0] &= 248
    k[31] = k[31] & 127 | 64
    n = int.from_bytes(k, "little")
    x1 = int.from_bytes(point, "little") & (1 << 255) - 1
    x2, z2, x3, z3 = 1, 0, x1, 1
    for bit in reversed(range(255)):
        swap = n >> bit & 1
        if swap:
            x2, x3, z2, z3 = x3, x2, z3, z2
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        aa, bb, da, cb = a * a % _P, b * b % _P, d * a % _P, c * b % _P
        e = aa - bb
        x3, z3 = (da + cb) ** 2 % _P, x1 * (da - cb) ** 2 % _P
        x2, z2 = aa * bb % _P, e * (aa + 121665 * e) % _P
        if swap:
            x2, x3, z2, z3 = x3, x2, z3, z2
    return (x2 * pow(z2, _P - 2, _P) % _P).to_bytes(32, "little")


def shared(secret: bytes, public: bytes) -> bytes:
    """The key of a crypto_box."""
    return _hsalsa20(x25519(secret, public), bytes(16))


def seal(plain: bytes, nonce: bytes, key: bytes) -> bytes:
    """XSalsa20-Poly1305: authenticator, then ciphertext."""
    stream = _stream(key, nonce, 32 + len(plain))
    cipher = _xor(plain, stream[32:])
    return _poly1305(cipher, stream[:32]) + cipher


def unseal(box: bytes, nonce: bytes, key: bytes) -> bytes:
    """The inverse of `seal`."""
    stream = _stream(key, nonce, 16 + len(box))
    assert _poly1305(box[16:], stream[:32]) == box[:16]
    return _xor(box[16:], stream[32:])


def _xor(data: bytes, stream: bytes) -> bytes:
    size = len(data)
    return (int.from_bytes(data, "big") ^ int.from_bytes(stream[:size], "big")).to_bytes(
        size, "big"
    )


def _stream(key: bytes, nonce: bytes, size: int) -> bytes:
    subkey = _hsalsa20(key, nonce[:16])
    blocks = (
        _salsa20(subkey, nonce[16:] + struct.pack("<Q", index)) for index in range(-(-size // 64))
    )
    return b"".join(blocks)[:size]


def _rounds(key: bytes, data: bytes) -> tuple[list[int], list[int]]:
    c = struct.unpack("<4I", b"expand 32-byte k")
    k = struct.unpack("<8I", key)
    n = struct.unpack("<4I", data)
    start = [c[0], *k[:4], c[1], *n, c[2], *k[4:], c[3]]
    x = list(start)
    quarters = (
        *((0, 4, 8, 12), (5, 9, 13, 1), (10, 14, 2, 6), (15, 3, 7, 11)),
        *((0, 1, 2, 3), (5, 6, 7, 4), (10, 11, 8, 9), (15, 12, 13, 14)),
    )
    for _ in range(10):
        for i, j, k_, m in quarters:
            for to, one, two, by in ((j, i, m, 7), (k_, j, i, 9), (m, k_, j, 13), (i, m, k_, 18)):
                t = x[one] + x[two] & _MASK
                x[to] ^= (t << by | t >> 32 - by) & _MASK
    return start, x


def _salsa20(key: bytes, data: bytes) -> bytes:
    start, x = _rounds(key, data)
    return struct.pack("<16I", *(a + b & _MASK for a, b in zip(start, x, strict=True)))


def _hsalsa20(key: bytes, data: bytes) -> bytes:
    _, x = _rounds(key, data)
    return struct.pack("<8I", *(x[i] for i in (0, 5, 10, 15, 6, 7, 8, 9)))


def _poly1305(message: bytes, key: bytes) -> bytes:
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    s = int.from_bytes(key[16:], "little")
    total = 0
    for start in range(0, len(message), 16):
        block = int.from_bytes(message[start : start + 16] + b"\1", "little")
        total = (total + block) * r % ((1 << 130) - 5)
    return ((total + s) & (1 << 128) - 1).to_bytes(16, "little")
