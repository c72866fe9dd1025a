"""Values as an API server stores them, made from the tables but not by the code under test."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from ansible.module_utils import etcd_types
from hypothesis import strategies as st

Draw = Callable[[st.SearchStrategy[Any]], Any]

_TEXTS = st.text(max_size=8)
_NUMBERS = st.integers(-(2**63), 2**63 - 1)
_TABLES = {
    name: [line.split(" ") for line in lines.splitlines()]
    for name, _, lines in (
        part.partition("\n") for part in etcd_types.MESSAGES.strip().split("\n\n")
    )
}
KINDS = sorted(
    (api_version, kind.rpartition(".")[2])
    for api_version, package in (line.split(" ") for line in etcd_types.PACKAGES.splitlines())
    for kind, lines in _TABLES.items()
    if kind.startswith(f"{package}.") and lines and lines[0][2] == "meta/v1.ObjectMeta"
)


def varint(number: int) -> bytes:
    """Return a number as protobuf writes it; negative ones take ten bytes."""
    number &= 2**64 - 1
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def field(number: int, data: bytes) -> bytes:
    """Return a field with a length: a text, bytes or a message."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def envelope(api_version: str, kind: str, body: bytes) -> bytes:
    """Return a built-in object as the API server stores it."""
    type_meta = field(1, api_version.encode()) + field(2, kind.encode())
    return b"k8s\x00" + field(1, type_meta) + field(2, body) + field(3, b"") + field(4, b"")


@st.composite
def stored(draw: Draw) -> tuple[bytes, dict[str, Any]]:
    """Return an object of any kind as etcd holds it, and as the API shows it."""
    api_version, kind = draw(st.sampled_from(KINDS))
    packages = dict(line.split(" ") for line in etcd_types.PACKAGES.splitlines())
    body, shown = _message(draw, f"{packages[api_version]}.{kind}", 0)
    return envelope(api_version, kind, body), {"apiVersion": api_version, "kind": kind, **shown}


def _message(draw: Draw, name: str, depth: int) -> tuple[bytes, dict[str, Any]]:
    body, shown = b"", {}
    for number, json_name, type_name in _TABLES[name]:
        omitted = type_name.endswith("?")
        written, value, empty = _field(draw, int(number), type_name.removesuffix("?"), depth)
        body += written
        if json_name == "-":
            shown.update(value)
        elif not (omitted and empty):
            shown[json_name] = value
    return body, shown


def _field(draw: Draw, number: int, type_name: str, depth: int) -> tuple[bytes, Any, bool]:
    """Return what is written, what is shown, and whether that counts as empty."""
    few = 0 if depth > 3 else draw(st.integers(0, 2))
    if type_name.startswith("*"):
        if not few:
            return b"", None, True
        return (*_one(draw, number, type_name[1:], depth), False)
    if type_name.startswith("[]"):
        parts = [_one(draw, number, type_name[2:], depth) for _ in range(few)]
        written, values = b"".join(part for part, _ in parts), [value for _, value in parts]
        return written, values or None, not parts
    if type_name.startswith("{}"):
        keys = draw(st.lists(_TEXTS, min_size=few, max_size=few, unique=True))
        entries = {key: _one(draw, 2, type_name[2:], depth) for key in keys}
        written = b"".join(
            field(number, field(1, key.encode()) + value) for key, (value, _) in entries.items()
        )
        return written, {key: value for key, (_, value) in entries.items()} or None, not entries
    written, value = _one(draw, number, type_name, depth)
    return written, value, not value


def _one(draw: Draw, number: int, type_name: str, depth: int) -> tuple[bytes, Any]:
    """Return one value as it is written, and as it is shown."""
    match type_name:
        case "string":
            text = draw(_TEXTS)
            return field(number, text.encode()), text
        case "bytes":
            data = draw(st.binary(min_size=1, max_size=8))
            return field(number, data), base64.b64encode(data).decode()
        case "bool":
            flag = draw(st.booleans())
            return varint(number << 3) + varint(flag), flag
        case "int":
            integer = draw(_NUMBERS)
            return varint(number << 3) + varint(integer), integer
        case "double":
            real = draw(st.floats(allow_nan=False, allow_infinity=False))
            return varint(number << 3 | 1) + struct.pack("<d", real), real
        case "Time":
            moment = draw(st.datetimes()).replace(microsecond=0)
            seconds = varint(1 << 3) + varint(_since_epoch(moment))
            return field(number, seconds), moment.isoformat() + "Z"
        case "MicroTime":
            moment = draw(st.datetimes())
            micros = varint(2 << 3) + varint(moment.microsecond * 1000)
            seconds = varint(1 << 3) + varint(_since_epoch(moment))
            return field(number, seconds + micros), moment.isoformat(timespec="microseconds") + "Z"
        case "Duration":
            hours = draw(st.integers(1, 100))
            nanos = varint(1 << 3) + varint(hours * 3600 * 10**9)
            return field(number, nanos), f"{hours}h0m0s"
        case "Quantity":
            amount = draw(st.sampled_from(["0", "100m", "1Gi", "3e6"]))
            return field(number, field(1, amount.encode())), amount
        case "IntOrString":
            if draw(st.booleans()):
                text = draw(_TEXTS)
                return field(number, b"\x08\x01\x10\x00" + field(3, text.encode())), text
            integer = draw(st.integers(0, 2**31 - 1))
            return field(number, b"\x08\x00\x10" + varint(integer) + field(3, b"")), integer
        case "Raw":
            inside = draw(st.dictionaries(_TEXTS, st.none() | st.booleans() | _TEXTS, max_size=2))
            return field(number, field(1, json.dumps(inside).encode())), inside
        case "strings":
            texts = draw(st.lists(_TEXTS, min_size=1, max_size=2))
            return field(number, b"".join(field(1, text.encode()) for text in texts)), texts
    body, shown = _message(draw, type_name, depth + 1)
    return field(number, body), shown


def _since_epoch(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1)) // timedelta(seconds=1)
