"""Errors of the kernel as data, and back: the remote's class, with the remote's text.

What crosses is a code from a closed list (`transport.error_info`). An error that a handler declares
crosses by a name that both sides know because both declare it; nothing is imported for a peer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from actors.kernel import errors as kernel
from actors.kernel.declared import declared_base, declared_error, declared_name
from transport import errors as wire
from transport.error_info import ErrorCode, ErrorInfo
from transport.frozen_map import FrozenMap


class RemoteError(kernel.KernelError):
    """An error of another node that this side has no class for; its text is the remote's.

    Attributes:
        address: The actor that was asked.
        code: What kind of error (`transport.error_info.ErrorCode`).
        type: Name of the declared error, if it was one.
    """

    def __init__(
        self, address: str, code: str, text: str, of_type: str = "", *, hint: str = ""
    ) -> None:
        super().__init__(text, hint=hint)
        self.address = address
        self.code = code
        self.type = of_type


_CODES: Final[tuple[tuple[type[BaseException], ErrorCode], ...]] = (
    (kernel.ActorFailed, ErrorCode.FAILED),
    (kernel.ActorDead, ErrorCode.DEAD),
    (kernel.WouldBlock, ErrorCode.WOULD_BLOCK),
    (kernel.MailboxFull, ErrorCode.FULL),
    (kernel.Unhandled, ErrorCode.UNHANDLED),
    (kernel.Expired, ErrorCode.EXPIRED),
    (kernel.MessageTooBig, ErrorCode.TOO_BIG),
    (kernel.AskCycle, ErrorCode.ASK_CYCLE),
    (kernel.LocalOnly, ErrorCode.LOCAL_ONLY),
    (kernel.UnknownAddress, ErrorCode.UNKNOWN_ACTOR),
    (kernel.Interrupted, ErrorCode.INTERRUPTED),
    (kernel.StartFailed, ErrorCode.FAILED),
    (wire.UnknownMessage, ErrorCode.UNKNOWN_MESSAGE),
    (wire.VersionMismatch, ErrorCode.VERSION_MISMATCH),
    (wire.RemoteProtocolError, ErrorCode.UNDECODABLE),
    (wire.TooBigForWire, ErrorCode.TOO_BIG),
)


def info_of(error: BaseException) -> ErrorInfo:
    """An error as data; one that no code fits is `failed`, with its class and text.

    Handlers count a subclass of an error that they declare as declared. It crosses as its nearest
    declared base, for that is the class that both sides know.
    """
    # The kernel's own errors have codes, whether a handler declares them or not.
    name = None if isinstance(error, kernel.KernelError) else declared_name(type(error))
    text = kernel.describe(error)
    if name is not None:
        return ErrorInfo(ErrorCode.DECLARED, text, type=name, args=error.args)
    for kind, code in _CODES:
        if isinstance(error, kind):
            return ErrorInfo(code, text, _details(error))
    name = declared_base(type(error))
    if name is not None:  # its arguments are another constructor's
        return ErrorInfo(ErrorCode.DECLARED, text, type=name)
    return ErrorInfo(ErrorCode.FAILED, text, FrozenMap({"error_type": type(error).__name__}))


def _details(error: BaseException) -> FrozenMap[str, str]:
    names = ("address", "message_type", "error_type", "error_text", "lane")
    found = {name: getattr(error, name, None) for name in names}
    details = {name: value for name, value in found.items() if isinstance(value, str)}
    if isinstance(error, kernel.AskCycle):
        details["path"] = " ".join(error.path[:8])
    return FrozenMap(details)


def error_of(info: ErrorInfo, address: str) -> BaseException:
    """The error that data from the actor at `address` stands for."""
    if info.code is ErrorCode.DECLARED:
        known = declared_error(info.type)
        if known is not None:
            return _made(known, info)
        hint = _nobody_declares(info.type)
        return RemoteError(address, info.code.value, info.text, info.type, hint=hint)
    make = _MAKERS.get(info.code)
    if make is None:
        return RemoteError(address, info.code.value, info.text)
    error = make(info, address)
    error.args = (info.text,)  # the remote's own words
    error.hint = ""
    return error


def _nobody_declares(name: str) -> str:
    """What a person can do to get a declared error as itself."""
    if not name:
        return "its class has no name that both sides know: give it one there, wire_tag = '...'"
    return f"no handler here declares {name!r}: import its module, or give both one wire_tag"


def _made(known: type[BaseException], info: ErrorInfo) -> BaseException:
    try:
        error = known(*info.args)
    except Exception:  # noqa: BLE001 - its constructor wants something that does not travel
        error = BaseException.__new__(known)
        error.args = (info.text,)
    if not info.args and kernel.describe(error) != info.text:  # none came along: what it said did
        error.args = (info.text,)
    return error


def _failed(info: ErrorInfo, address: str) -> kernel.KernelError:
    said = info.details.get
    return kernel.ActorFailed(
        said("address", address),
        said("message_type", ""),
        said("error_type", ""),
        said("error_text", ""),
    )


def _cycle(info: ErrorInfo, _address: str) -> kernel.KernelError:
    return kernel.AskCycle(tuple(info.details.get("path", "").split()))


def _full(info: ErrorInfo, address: str) -> kernel.KernelError:
    return kernel.MailboxFull(address, info.details.get("lane", "USER"), 0)


def _of_a_message(
    kind: type[kernel.Unhandled | kernel.Expired | kernel.Interrupted],
) -> Callable[[ErrorInfo, str], kernel.KernelError]:
    return lambda info, address: kind(address, info.details.get("message_type", ""))


_MAKERS: Final[Mapping[ErrorCode, Callable[[ErrorInfo, str], kernel.KernelError]]] = {
    ErrorCode.FAILED: _failed,
    ErrorCode.DEAD: lambda info, address: kernel.ActorDead(info.details.get("address", address)),
    ErrorCode.WOULD_BLOCK: lambda _, address: kernel.WouldBlock(address, 0),
    ErrorCode.FULL: _full,
    ErrorCode.UNHANDLED: _of_a_message(kernel.Unhandled),
    ErrorCode.EXPIRED: _of_a_message(kernel.Expired),
    ErrorCode.TOO_BIG: lambda _, address: kernel.MessageTooBig(address, 0, 0),
    ErrorCode.ASK_CYCLE: _cycle,
    ErrorCode.LOCAL_ONLY: lambda _, address: kernel.LocalOnly(address, "it", hint=""),
    ErrorCode.UNKNOWN_ACTOR: lambda _, address: kernel.UnknownAddress(address, "no such actor"),
    ErrorCode.INTERRUPTED: _of_a_message(kernel.Interrupted),
}
