"""Say what a value in etcd is: how it is encoded, of which kind, and what it holds.

Invariant: what a Secret holds never leaves this file, however it is encoded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ansible.module_utils import etcd_cbor, etcd_json, etcd_protobuf, etcd_types

PROTOBUF = b"k8s\x00"
ENCRYPTED = b"k8s:enc:"
SECRETS = re.compile(r"/[^/]+/secrets/")  # below whatever --etcd-prefix the API server has

_PROVIDER = re.compile(rb"k8s:enc:([a-z]{1,20}):(v\d{1,2}):([^:\x00-\x1f]{1,253}):")
_SHOWN_OF_METADATA = (
    *("name", "namespace", "uid", "generateName", "generation"),
    *("creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"),
    *("labels", "ownerReferences", "finalizers"),
)


@dataclass(frozen=True, slots=True)
class Decoded:
    """``encoding`` in a word, the object's type where it is known, and the object itself.

    ``value`` is None where there is none that can be told, and parts of it may be shared: change
    nothing in it. ``note`` says what is missing, and why.
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
    try:
        decoded = _decode(raw)
    except ValueError as error:
        # The words of an error may hold a byte of the value.
        why = "what it holds is not told" if SECRETS.match(key) else str(error)
        return Decoded("unknown", note=f"begins like {_encoding(raw)}, but: {why}")
    if decoded.kind == "Secret" or SECRETS.match(key):
        return _without_values(decoded)
    return decoded


def _decode(raw: bytes) -> Decoded:
    encoding = _encoding(raw)
    if encoding == "protobuf":
        return _protobuf(raw)
    if encoding == "unknown":
        return Decoded(encoding, note="neither JSON, CBOR, nor Kubernetes' protobuf")
    value = etcd_json.decode(raw) if encoding == "json" else etcd_cbor.decode(raw)
    if not isinstance(value, dict):
        return Decoded(encoding, value=value, note="it holds null" if value is None else "")
    api_version, kind = value.get("apiVersion", ""), value.get("kind", "")
    return Decoded(encoding, str(api_version), str(kind), value)


def _encoding(raw: bytes) -> str:
    """Return what a value begins like."""
    if raw.startswith(PROTOBUF):
        return "protobuf"
    if raw.startswith(etcd_cbor.MAGIC):
        return "cbor"
    return "json" if raw.lstrip()[:1] in (b"{", b"[") else "unknown"


def _encrypted(raw: bytes) -> Decoded:
    """Read the prefix ``k8s:enc:<provider>:<version>:<key name>:`` of a value encrypted at rest."""
    if (told := _PROVIDER.match(raw)) is None:
        return Decoded("encrypted", note="encrypted, by what is not told")
    provider, version, name = (part.decode(errors="replace") for part in told.groups())
    if version != "v1":
        provider += f" {version}"
    return Decoded("encrypted", note=f"encrypted by {provider}, key {name}")


def _protobuf(raw: bytes) -> Decoded:
    api_version, kind, inside = etcd_protobuf.envelope(raw[len(PROTOBUF) :])
    if not kind:
        raise ValueError("it names no kind")
    found = etcd_protobuf.decode(api_version, kind, inside)
    kubernetes = f"Kubernetes {etcd_types.VERSION.replace('v0', '1')}"
    if found is None:
        note = f"{kubernetes} stores no such kind in protobuf; {len(inside)} bytes"
        return Decoded("protobuf", api_version, kind, note=note)
    value, unknown = found
    note = f"{unknown} fields are newer than {kubernetes}, and left out" if unknown else ""
    return Decoded("protobuf", api_version, kind, value, note)


def _without_values(decoded: Decoded) -> Decoded:
    """Return of a Secret what its keys are, and how many bytes each has.

    Annotations are told like data: kubectl apply keeps all data in one of them.
    """
    found = decoded.value if isinstance(decoded.value, dict) else {}
    metadata = _object(found.get("metadata"))
    shown: dict[str, Any] = {"apiVersion": decoded.api_version, "kind": decoded.kind}
    shown["metadata"] = {name: metadata[name] for name in _SHOWN_OF_METADATA if name in metadata}
    if annotations := _object(metadata.get("annotations")):
        shown["metadata"]["annotations"] = {key: _size(text) for key, text in annotations.items()}
    if "data" in found:
        shown["data"] = {
            key: _size(text, base64=True) for key, text in _object(found["data"]).items()
        }
    for name, kind in (("type", str), ("immutable", bool)):
        if isinstance(found.get(name), kind):
            shown[name] = found[name]
    note = "of a Secret only keys and sizes are shown"
    return Decoded(decoded.encoding, decoded.api_version, decoded.kind, shown, note)


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _size(text: Any, *, base64: bool = False) -> str:
    """Return how long a text is, or what it stands for in Base64."""
    if not isinstance(text, str):
        return "not a text"
    size = len(text) // 4 * 3 - text[-2:].count("=") if base64 else len(text.encode())
    return f"{size} bytes"
