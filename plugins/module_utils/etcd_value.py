"""Say what a value in etcd is: how it is encoded, of which kind, and what it holds.

Invariant: what a Secret holds never leaves this file, however it is encoded.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from ansible.module_utils import etcd_cbor

PROTOBUF = b"k8s\x00"
ENCRYPTED = b"k8s:enc:"
SECRETS = re.compile(r"/[^/]+/secrets/")  # below whatever --etcd-prefix the API server has


@dataclass(frozen=True, slots=True)
class Decoded:
    """``encoding`` in a word or two, the object's type where it is known, and the object itself.

    ``value`` is None where only the envelope can be read, or where nothing may be shown; ``note``
    then says why.
    """

    encoding: str
    api_version: str = ""
    kind: str = ""
    value: Any = None
    note: str = ""


def decode(key: str, raw: bytes) -> Decoded:
    """Return what can be said, and shown, of the value under ``key``."""
    if raw.startswith(ENCRYPTED):
        return _encrypted(raw)
    if raw.startswith(PROTOBUF):
        return _protobuf(raw)
    if raw.startswith(etcd_cbor.MAGIC):
        return _object(key, "cbor", raw)
    if raw.lstrip()[:1] in (b"{", b"["):
        return _object(key, "json", raw)
    return Decoded("unknown", note="neither JSON, CBOR, nor Kubernetes' protobuf")


def _object(key: str, encoding: str, raw: bytes) -> Decoded:
    try:
        value = json.loads(raw) if encoding == "json" else etcd_cbor.decode(raw)
    except ValueError as error:
        return Decoded("unknown", note=f"begins like {encoding}, but: {error}")
    if not isinstance(value, dict):
        return Decoded(encoding, value=value)
    api_version, kind = str(value.get("apiVersion", "")), str(value.get("kind", ""))
    if (api_version, kind) == ("v1", "Secret") or SECRETS.match(key):
        return Decoded(encoding, api_version, kind, note="a Secret is not shown")
    return Decoded(encoding, api_version, kind, value)


def _encrypted(raw: bytes) -> Decoded:
    """Read the prefix ``k8s:enc:<provider>:<version>:<key name>:`` of a value encrypted at rest."""
    provider, version, name, *_ = [*raw[len(ENCRYPTED) :].split(b":", 3), b"", b"", b""]
    told = [part.decode(errors="replace") for part in (provider, version, name)]
    return Decoded("encrypted", note="by {} ({}), key {}".format(*told))


def _protobuf(raw: bytes) -> Decoded:
    """Read the envelope of a built-in kind: runtime.Unknown, whose field 1 is its type.

    The object inside needs Kubernetes' own schema to be read, so only its type is told.
    https://github.com/kubernetes/apimachinery/blob/master/pkg/runtime/generated.proto
    """
    try:
        envelope = _fields(raw[len(PROTOBUF) :])
        type_meta = _fields(envelope.get(1, b""))
        api_version, kind = type_meta.get(1, b"").decode(), type_meta.get(2, b"").decode()
    except (IndexError, ValueError) as error:
        return Decoded("unknown", note=f"begins like protobuf, but: {error}")
    shown = "a Secret is not shown" if kind == "Secret" else "its API shows it, by kubectl get"
    return Decoded("protobuf", api_version, kind, note=shown)


def _fields(data: bytes) -> dict[int, bytes]:
    """Return the length-delimited fields of a protobuf message by number; the last of each wins."""
    fields: dict[int, bytes] = {}
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        number, wire = tag >> 3, tag & 7
        if wire != 2:
            raise ValueError(f"wire type {wire} is not expected in the envelope")
        length, position = _varint(data, position)
        if position + length > len(data):
            raise ValueError(f"field {number} is longer than the message")
        fields[number] = data[position : position + length]
        position += length
    return fields


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """Return a variable-length integer and the position after it."""
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
