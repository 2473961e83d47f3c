"""Values to bytes and back: messages, replies and errors; envelopes; parcels.

What msgpack makes of them is in `transport.packing`. All functions are pure and may be called from
any thread.

Two laws hold:

- `decode_message(tag, version, encode_message(m)) == m`, and so for replies, envelopes, parcels
  and errors. Apart are NaN, which equals nothing; times in the repeated hour of a zone, which
  Python finds unequal to the same instant elsewhere; and text with an unpaired surrogate, which
  has no UTF-8 and is refused before it leaves.
- Whatever bytes arrive, decoding raises `RemoteProtocolError` and nothing else, within 100 ms and
  without memory beyond a small multiple of their length. `scripts/fuzz` looks for exceptions.

Source: design.md §5; docs/wire.md.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from transport.conversions import WIDE_MARK
from transport.envelope import Envelope, Kind, Lane, envelope_problem
from transport.error_info import ErrorInfo, error_of, error_row
from transport.errors import (
    LocalProtocolError,
    NotPortable,
    OverLimit,
    TooBigForWire,
    TransportError,
    Undecodable,
    UnknownMessage,
    VersionMismatch,
)
from transport.field_types import class_text
from transport.layouts import ReplyLayout, layout_of, not_as_declared
from transport.limits import (
    FRAME_LIMIT,
    HEADER_LIMIT,
    NODE_LIMIT,
    PAYLOAD_LIMIT,
    ROWS_LIMIT,
    SURVEYED_BYTES,
    survey,
)
from transport.message import Message, Request, find_message
from transport.packing import NO_MSGPACK, pack, unpack, unpacked
from transport.parcel_rows import BATCH, batch_problem, parcel_of, parcel_problem, row_of
from transport.parcels import Batch, Parcel

__all__ = [
    "Forms",
    "decode_error",
    "decode_local",
    "decode_message",
    "decode_reply",
    "encode_error",
    "encode_local",
    "encode_message",
    "encode_reply",
    "message_forms",
    "pack_envelope",
    "pack_parcel",
    "unpack_envelope",
    "unpack_parcel",
    "value_of",
]

M = TypeVar("M", bound=Message)
R = TypeVar("R")

# Of an envelope: its fields and the addresses of the chain. Of a frame: the largest batch.
_ENVELOPE_NODES: Final = 13 + 32
_ENVELOPE_DEPTH: Final = 2
_FRAME_NODES: Final = ROWS_LIMIT + 8
_FRAME_DEPTH: Final = 4

_ENVELOPE_TYPES: Final = (int, int, str, str, int, int, int, tuple, bytes, str, int, bytes)
_REPLY: Final = Kind.REPLY
_REPLY_FIELDS: Final = ("", "", 0, 0, -1, (), b"", "", 0)
_USER: Final = Lane.USER
_LAST_ID: Final = 2**63 - 1
_new_envelope: Final = partial(tuple.__new__, Envelope)
_ERROR_NODES: Final = 64
_KINDS: Final = {kind.value: kind for kind in Kind}
_LANES: Final = {lane.value: lane for lane in Lane}


class _Form(Protocol):
    """How one kind of value becomes what msgpack packs, and comes back."""

    def encode(self, value: Any, /) -> object: ...  # Any: a message, or a reply of any type

    def decode(self, unpacked: object, /) -> Any: ...


class Forms(NamedTuple):
    """The forms of the messages of one class, or of the replies to one.

    The narrow form leaves integers alone, the wide one looks at each for those beyond 64 bits.
    These are rare, and show: msgpack raises OverflowError, a payload has `WIDE_MARK` in it.
    """

    what: str  # named in errors
    version: int
    narrow: _Form
    wide: _Form
    plain: Callable[[dict[str, Any]], object] | None = None  # see `Layout.plain`


def _payload_of(forms: Forms, value: object) -> bytes:
    try:
        try:
            payload = pack(forms.narrow.encode(value))
        except OverflowError:
            payload = pack(forms.wide.encode(value))
    except TransportError:
        raise
    except UnicodeEncodeError:
        raise NotPortable(
            forms.what,
            "holds text with an unpaired surrogate, which has no UTF-8",
            "send bytes, or replace the surrogates",
        ) from None
    except Exception as error:  # noqa: BLE001  # values of any kind raise what they like
        raise not_as_declared(forms.what, error) from None
    if len(payload) > NODE_LIMIT:  # fewer bytes are no more values
        _check_payload(forms.what, payload)
    return payload


def _check_payload(what: str, payload: bytes) -> None:
    hint = "send it in parts, or store it and send its path or key"
    if len(payload) > PAYLOAD_LIMIT:
        raise TooBigForWire(what, len(payload), PAYLOAD_LIMIT, "bytes", hint)
    try:
        survey(payload, what)
    except OverLimit as error:
        raise TooBigForWire(what, error.size, error.limit, error.unit, hint) from None


def value_of(forms: Forms, payload: bytes) -> Any:  # Any: a message, or a reply of any type
    """What is in a payload, validated; `forms` as `message_forms` gives them.

    Raises:
        OverLimit, Undecodable, InvalidMessage: As `decode_message`.
    """
    if len(payload) > SURVEYED_BYTES:
        if len(payload) > PAYLOAD_LIMIT:
            raise OverLimit(forms.what, len(payload), PAYLOAD_LIMIT, "bytes")
        survey(payload, forms.what)
    try:
        values = unpacked(payload)
    except Exception:  # noqa: BLE001  # as in `unpack`, which costs a call more
        raise Undecodable(forms.what, NO_MSGPACK) from None
    # find is faster than `in`, which raises and catches a TypeError inside.
    form = forms.narrow if payload.find(WIDE_MARK) < 0 else forms.wide
    return form.decode(values)


_messages: Final[dict[type[Message], Forms]] = {}
_local: Final[dict[type[Message], Forms]] = {}  # of those that cannot leave the process
_replies: Final[dict[type[Request[Any]], Forms]] = {}


def _message_forms(message_class: type[Message]) -> Forms:
    if not message_class.wire_portable:
        raise NotPortable(
            class_text(message_class),
            "has no tag by which another process could find it",
            f"write class {_identifier(message_class)}(..., tag='...')",
        )
    forms = _messages[message_class] = _forms_of(message_class)
    return forms


def _forms_of(message_class: type[Message]) -> Forms:
    return Forms(
        message_class.wire_tag,
        message_class.wire_version,
        layout_of(message_class, wide=False),
        layout_of(message_class, wide=True),
        layout_of(message_class, wide=False).plain,
    )


def _identifier(message_class: type[Message]) -> str:
    return message_class.__name__.partition("[")[0]


def encode_message(message: Message) -> bytes:
    """The payload of an envelope that carries the message; its tag and version go beside it.

    Raises:
        NotPortable: The class has no tag for other processes, or the message holds what its class
            does not declare (a subclass in the field of a base, an unpaired surrogate).
        TooBigForWire: More than 1,044,480 bytes or 20,000 values.
    """
    forms = _messages.get(type(message)) or _message_forms(type(message))
    plain = forms.plain
    if plain is not None:
        try:
            payload = pack(plain(message.__dict__))
        except Exception:  # noqa: BLE001  # the long way says what it is, or packs wide integers
            return _payload_of(forms, message)
        if len(payload) <= NODE_LIMIT:
            return payload
    return _payload_of(forms, message)


def decode_message(tag: str, version: int, payload: bytes) -> Message:
    """The message in a payload, validated by its class.

    Args:
        tag: Wire tag, looked up among the message classes of this process.
        version: Version of the class on the other side.
        payload: What `encode_message` gave there.

    Raises:
        UnknownMessage: No class has the tag, or none that may come from outside.
        VersionMismatch: The class has another version here.
        OverLimit: More bytes, values or depth than a message may have.
        Undecodable: The payload is not in the form of the wire.
        InvalidMessage: Its fields are not those of the class.
    """
    message: Message = value_of(message_forms(tag, version), payload)
    return message


def message_forms(tag: str, version: int) -> Forms:
    """How the messages with a tag are decoded now: for `value_of`, when many come in a row.

    Raises:
        UnknownMessage, VersionMismatch: As `decode_message`.
    """
    message_class = find_message(tag)
    if message_class is None:
        raise UnknownMessage(tag)
    forms = _messages.get(message_class)
    if forms is None:
        try:
            forms = _message_forms(message_class)
        except Exception as error:
            raise UnknownMessage(tag) from error
    if version != forms.version:
        raise VersionMismatch(tag, version, forms.version)
    return forms


def encode_local(message: Message) -> bytes:
    """As `encode_message`, for a wire that does not leave the process: no tag is needed."""
    forms = _messages.get(type(message)) or _local_forms(type(message))
    return _payload_of(forms, message)


def decode_local(message_class: type[M], payload: bytes) -> M:
    """The message that `encode_local` made a payload of; its class is known here."""
    forms = _messages.get(message_class) or _local_forms(message_class)
    message: M = value_of(forms, payload)
    return message


def _local_forms(message_class: type[Message]) -> Forms:
    forms = _local.get(message_class)
    if forms is None:
        forms = _local[message_class] = _forms_of(message_class)
    return forms


def _reply_forms(request_class: type[Request[Any]]) -> Forms:
    narrow = ReplyLayout(request_class, wide=False)
    wide = ReplyLayout(request_class, wide=True)
    forms = _replies[request_class] = Forms(narrow.what, 0, narrow, wide)
    return forms


def encode_reply(request_class: type[Request[R]], value: R) -> bytes:
    """The payload of an envelope that answers a request of the class with the value.

    Raises:
        NotPortable: The value is not of the reply type that the class declares.
        TooBigForWire: More than 1,044,480 bytes or 20,000 values.
    """
    return _payload_of(_replies.get(request_class) or _reply_forms(request_class), value)


def decode_reply(request_class: type[Request[R]], payload: bytes) -> R:
    """The value that answers a request of the class, validated as its reply type.

    Raises:
        OverLimit, Undecodable, InvalidMessage: As `decode_message` does.
        NotPortable: The class is a template without a reply type.
    """
    value: R = value_of(_replies.get(request_class) or _reply_forms(request_class), payload)
    return value


def encode_error(error: ErrorInfo) -> bytes:
    """The payload of an ERROR envelope."""
    return pack(error_row(error))


def decode_error(payload: bytes) -> ErrorInfo:
    """The error in the payload of an ERROR envelope.

    Raises:
        OverLimit, Undecodable: It is not what `encode_error` makes; codes are a closed list.
    """
    what = "an error"
    if len(payload) > PAYLOAD_LIMIT:
        raise OverLimit(what, len(payload), PAYLOAD_LIMIT, "bytes")
    return error_of(unpack(payload, what, nodes=_ERROR_NODES, depth=2))


def pack_envelope(envelope: Envelope) -> bytes:
    """The row of an envelope, as batches carry it.

    Raises:
        LocalProtocolError: A field is out of its range.
        TooBigForWire: The payload has more than 1,044,480 bytes, or all else more than 4,032.
    """
    problem = envelope_problem(envelope)
    if problem is not None:
        raise LocalProtocolError(repr(envelope), problem)
    size = len(envelope.payload)
    if size > PAYLOAD_LIMIT:
        raise TooBigForWire(repr(envelope), size, PAYLOAD_LIMIT, "bytes")
    try:
        row = pack(envelope)
    except UnicodeEncodeError:
        raise LocalProtocolError(
            repr(envelope), "has text with an unpaired surrogate in its header"
        ) from None
    if len(row) - size > HEADER_LIMIT:
        raise TooBigForWire(
            f"the header of {envelope!r}",
            len(row) - size,
            HEADER_LIMIT,
            "bytes",
            "shorten names of actors, or the chain of asks",
        )
    return row


def unpack_envelope(row: bytes) -> Envelope:
    """The envelope in a row; the payload stays as it is.

    Raises:
        OverLimit: More bytes or values than an envelope may have.
        Undecodable: The row is not in the form of an envelope, or a field is out of its range.
    """
    what = "an envelope"
    if len(row) > FRAME_LIMIT:
        raise OverLimit(what, len(row), FRAME_LIMIT, "bytes")
    values: Any = unpack(row, what, nodes=_ENVELOPE_NODES, depth=_ENVELOPE_DEPTH)
    if type(values) is not tuple or (*map(type, values),) != _ENVELOPE_TYPES:
        raise Undecodable(what, "has not the twelve elements of one")
    number, id_, target, sender, fence, lane, left, waiting, trace, tag, version, payload = values
    if number == _REPLY and values[2:11] == _REPLY_FIELDS and 0 < id_ <= _LAST_ID:
        # Most of what comes back; all that is left to judge is its size.
        if len(payload) > PAYLOAD_LIMIT:
            raise OverLimit(what, len(row), PAYLOAD_LIMIT, "bytes")
        reply: Envelope = _new_envelope((_REPLY, *values[1:5], _USER, *values[6:]))
        return reply
    kind = _KINDS.get(number)
    if kind is None or lane not in _LANES or (waiting and {*map(type, waiting)} != {str}):
        raise Undecodable(what, "has an unknown kind or lane, or a chain of other things than text")
    header = len(row) - len(payload)
    if header > HEADER_LIMIT or len(payload) > PAYLOAD_LIMIT:
        raise OverLimit(what, header, HEADER_LIMIT, "bytes beside its payload")
    envelope: Envelope = _new_envelope(
        (
            kind,
            id_,
            target,
            sender,
            fence,
            _LANES[lane],
            left,
            waiting,
            trace,
            tag,
            version,
            payload,
        )
    )
    problem = envelope_problem(envelope)
    if problem is not None:
        raise Undecodable(what, problem)
    return envelope


def pack_parcel(parcel: Parcel) -> bytes:
    """The frame of a parcel: one ZeroMQ message.

    Raises:
        LocalProtocolError: A part of the parcel is out of its range.
        TooBigForWire: The frame has more than 1,048,576 bytes.
    """
    problem = batch_problem(parcel) if type(parcel) is Batch else parcel_problem(parcel)
    if problem is not None:
        raise LocalProtocolError(f"a {type(parcel).__name__}", problem)
    try:
        frame = pack((BATCH, *parcel) if type(parcel) is Batch else row_of(parcel))
    except UnicodeEncodeError:
        what = f"a {type(parcel).__name__}"
        raise LocalProtocolError(what, "has text with an unpaired surrogate") from None
    if len(frame) > FRAME_LIMIT:
        what = f"a {type(parcel).__name__}"
        raise TooBigForWire(what, len(frame), FRAME_LIMIT, "bytes", "split the batch")
    return frame


def unpack_parcel(frame: bytes) -> Parcel:
    """The parcel in a frame; its envelopes stay rows.

    Raises:
        OverLimit: The frame has more than 1,048,576 bytes or 16,384 envelopes; seen before it is
            decoded.
        Undecodable: The frame is not in the form of a parcel, or a part is out of its range.
    """
    what = "a frame"
    if len(frame) > SURVEYED_BYTES:
        if len(frame) > FRAME_LIMIT:
            raise OverLimit(what, len(frame), FRAME_LIMIT, "bytes")
        survey(frame, what, nodes=_FRAME_NODES, depth=_FRAME_DEPTH)
    try:
        row = unpacked(frame)
    except Exception:  # noqa: BLE001  # as in `unpack`, which costs a call more
        raise Undecodable(what, NO_MSGPACK) from None
    return parcel_of(row)
