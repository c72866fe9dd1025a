"""Decode Kubernetes' built-in kinds from protobuf to the JSON that the API server shows of them.

etcd_types.py holds the tables: below the name of each message a line per field,
``<number> <name> <type>``. The name is ``-`` where the message inside is part of the one around it.
A type is ``*`` for a pointer, ``[]`` for a list or ``{}`` for a map by text; then what it is of;
then ``?`` where the field is left out when it is empty.

Invariant: what is not well formed raises ValueError. Time and memory grow with the input only.
"""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache, lru_cache
from typing import Any

from ansible.module_utils import etcd_cbor, etcd_json, etcd_types

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # how a field is written
SET, SET_UNLESS_EMPTY, APPEND, MAP, INLINE = range(5)  # what becomes of it

Read = Callable[["_Reader", int, int], Any]

_FIELD = re.compile(r"(\d+) (\S+) (\*|\[\]|\{\}|)([^?]+)(\??)")
_EPOCH = datetime(1970, 1, 1)
_FIXED = {FIXED64: 8, FIXED32: 4}


def decode(api_version: str, kind: str, raw: bytes) -> tuple[dict[str, Any], int] | None:
    """Return an object, and how many of its fields the tables do not know (of a newer Kubernetes).

    Parts of it may be shared with other objects: change none. None where the tables do not know the
    kind. Errors: ValueError.
    """
    name = f"{_packages().get(api_version)}.{kind}"
    if name not in _tables():
        return None
    reader = _Reader(raw)
    fields = reader.whole(_message(name))
    return {"apiVersion": api_version, "kind": kind, **fields}, reader.unknown


def envelope(raw: bytes) -> tuple[str, str, bytes]:
    """Return apiVersion, kind and the object inside, of a runtime.Unknown. Errors: ValueError.

    https://github.com/kubernetes/apimachinery/blob/master/pkg/runtime/generated.proto
    """
    outside = _Reader(raw).whole(_message("Unknown"))
    return outside["typeMeta"]["apiVersion"], outside["typeMeta"]["kind"], outside["raw"]


class _Message:
    """How to read a message: its fields by tag (number and wire type), and what it is when empty.

    A field is its name, what reads it, and what becomes of what was read.
    """

    __slots__ = ("empty", "fields")

    def __init__(self) -> None:
        self.fields: dict[int, tuple[str, Read, int]] = {}
        self.empty: dict[str, Any] = {}


class _Reader:
    """Reads one value; counts the fields that no table knows."""

    __slots__ = ("data", "unknown")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.unknown = 0

    def whole(self, message: _Message) -> dict[str, Any]:
        """Return the message that the data is. Errors: ValueError."""
        try:
            return self.message(0, len(self.data), message)
        except (IndexError, OverflowError, RecursionError) as error:
            raise ValueError("it ends too early, or a number in it is out of range") from error

    def message(self, at: int, end: int, message: _Message) -> dict[str, Any]:
        """Return the message between two positions."""
        data, fields = self.data, message.fields
        value = message.empty.copy()
        while at < end:
            tag = data[at]
            at += 1
            if tag > 127:
                tag, at = _varint(data, at - 1)
            wire = tag & 7
            if wire == BYTES:
                size = data[at]
                at += 1
                if size > 127:
                    size, at = _varint(data, at - 1)
                stop = at + size
            elif wire == VARINT:
                stop = at + 1 if data[at] < 128 else _varint(data, at)[1]
            elif wire in _FIXED:
                stop = at + _FIXED[wire]
            else:
                raise ValueError(f"a field is written in a way ({wire}) that is not known")
            if stop > end:
                raise ValueError("a field is longer than what it is part of")
            if (field := fields.get(tag)) is None:
                self.unknown += 1
            else:
                name, read, action = field
                got = read(self, at, stop)
                if action == SET or (action == SET_UNLESS_EMPTY and got):
                    value[name] = got
                elif action == APPEND:
                    if value.get(name) is None:
                        value[name] = [got]
                    else:
                        value[name].append(got)
                elif action == MAP:
                    if value.get(name) is None:
                        value[name] = {}
                    value[name][got["key"]] = got["value"]
                elif action == INLINE:
                    value.update(got)
            at = stop
        return value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return an unsigned number of up to 64 bits, and the position after it."""
    value = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 128:
            return value & 0xFFFFFFFFFFFFFFFF, at
    raise ValueError("a number is longer than 64 bits")


def _string(reader: _Reader, at: int, stop: int) -> str:
    return reader.data[at:stop].decode()


def _plain_bytes(reader: _Reader, at: int, stop: int) -> bytes:
    return reader.data[at:stop]


def _bytes(reader: _Reader, at: int, stop: int) -> str:
    return base64.b64encode(reader.data[at:stop]).decode()


def _bool(reader: _Reader, at: int, stop: int) -> bool:
    return reader.data[at:stop] != b"\x00"


def _int(reader: _Reader, at: int, stop: int) -> int:
    value = _varint(reader.data, at)[0]
    return value - (1 << 64) if value >> 63 else value


def _double(reader: _Reader, at: int, stop: int) -> float:
    value: float = struct.unpack_from("<d", reader.data, at)[0]
    if value - value != 0:
        raise ValueError(f"{value} is not a number of JSON")
    return value


# What is read as it is: how it is written, by what it is read, what it is when empty.
_SCALARS: dict[str, tuple[int, Read, Any]] = {
    "string": (BYTES, _string, ""),
    "bytes": (BYTES, _bytes, None),
    "plain": (BYTES, _plain_bytes, b""),
    "bool": (VARINT, _bool, False),
    "int": (VARINT, _int, 0),
    "double": (FIXED64, _double, 0.0),
}


@lru_cache(maxsize=4096)
def _date(seconds: int, micros: int | None) -> str:
    moment = _EPOCH + timedelta(seconds=seconds, microseconds=micros or 0)
    return moment.isoformat(timespec="seconds" if micros is None else "microseconds") + "Z"


def _time(fields: dict[str, Any]) -> str | None:
    """Return RFC 3339; the zero time is written as nothing at all. No zone is ever stored."""
    return _date(fields.get("seconds", 0), None) if fields else None


def _micro_time(fields: dict[str, Any]) -> str | None:
    return _date(fields.get("seconds", 0), fields.get("nanos", 0) // 1000) if fields else None


def _duration(fields: dict[str, Any]) -> str:
    """Return nanoseconds as Go tells them: 1h0m0.5s, 1.5ms, 0s."""
    nanos: int = fields["nanos"]
    sign, nanos = ("-", -nanos) if nanos < 0 else ("", nanos)
    for unit, size in (("ns", 1), ("µs", 1_000), ("ms", 1_000_000)):
        if 0 < nanos < size * 1000:
            return f"{sign}{_decimal(nanos, size)}{unit}"
    minutes, nanos = divmod(nanos, 60_000_000_000)
    hours, minutes = divmod(minutes, 60)
    told = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{sign}{told}{_decimal(nanos, 1_000_000_000)}s"


def _decimal(number: int, unit: int) -> str:
    whole, rest = divmod(number, unit)
    digits = f"{rest:0{len(str(unit)) - 1}d}".rstrip("0") if rest else ""
    return f"{whole}.{digits}" if digits else str(whole)


def _raw(fields: dict[str, Any]) -> Any:
    """Return JSON that was stored as it is: managed fields, or an object of any kind."""
    raw: bytes = fields["raw"]
    if raw.startswith(etcd_cbor.MAGIC):
        return etcd_cbor.decode(raw)
    return etcd_json.decode(raw) if raw else None


def _int_or_string(fields: dict[str, Any]) -> int | str:
    value: int | str = fields["strVal"] if fields["type"] else fields["intVal"]
    return value


# Messages whose JSON is not that of their fields: their fields, and what makes JSON of them.
_SPECIAL: dict[str, tuple[str, Callable[[dict[str, Any]], Any]]] = {
    "Time": ("1 seconds *int?\n2 nanos *int?", _time),
    "MicroTime": ("1 seconds *int?\n2 nanos *int?", _micro_time),
    "Duration": ("1 nanos int", _duration),
    "Quantity": ("1 string string", lambda fields: fields["string"] or "0"),
    "IntOrString": ("1 type int\n2 intVal int\n3 strVal string", _int_or_string),
    "Raw": ("1 raw plain", _raw),
    "strings": ("1 items []string", lambda fields: fields["items"]),
}
_ENVELOPE = {
    "Unknown": "1 typeMeta TypeMeta\n2 raw plain",
    "TypeMeta": "1 apiVersion string\n2 kind string",
}


@cache
def _packages() -> dict[str, str]:
    """Return the package of each apiVersion."""
    return dict(line.split(" ") for line in etcd_types.PACKAGES.splitlines())


@cache
def _tables() -> dict[str, str]:
    """Return the lines of each message's fields."""
    parts = (part.partition("\n") for part in etcd_types.MESSAGES.strip().split("\n\n"))
    tables = {name: lines for name, _, lines in parts}
    return {**tables, **_ENVELOPE, **{name: lines for name, (lines, _) in _SPECIAL.items()}}


_MESSAGES: dict[str, _Message] = {}


def _message(name: str) -> _Message:
    """Return how to read a message, from its table; made when it is first needed."""
    if name not in _MESSAGES:
        _MESSAGES[name] = _Message()  # found by what it is made of, which may contain it again
        _compile(_MESSAGES[name], _tables()[name])
    return _MESSAGES[name]


def _compile(message: _Message, table: str) -> None:
    for line in table.splitlines():
        found = _FIELD.fullmatch(line)
        if found is None:
            raise AssertionError(f"etcd_types.py has a line of its own: {line}")
        number, name, many, of, omitted = found.groups()
        wire, read, empty = _type(of)
        action = {"[]": APPEND, "{}": MAP, "*": SET}.get(many, SET_UNLESS_EMPTY if omitted else SET)
        if many == "{}":
            wire, read = BYTES, _entry(of)
        if name == "-":
            action = INLINE
            message.empty.update(empty)
        elif not omitted:
            message.empty[name] = None if many else empty
        message.fields[int(number) << 3 | wire] = (name, read, action)


def _type(name: str) -> tuple[int, Read, Any]:
    """Return how a type is written, what reads it, and what it is when empty."""
    if name in _SCALARS:
        return _SCALARS[name]
    message = _message(name)
    if name not in _SPECIAL:
        return BYTES, lambda reader, at, stop: reader.message(at, stop, message), message.empty
    convert = _SPECIAL[name][1]
    return (
        BYTES,
        lambda reader, at, stop: convert(reader.message(at, stop, message)),
        convert(message.empty),
    )


def _entry(of: str) -> Read:
    """Return what reads an entry of a map."""
    entry = _Message()
    _compile(entry, f"1 key string\n2 value {of}")
    return lambda reader, at, stop: reader.message(at, stop, entry)
