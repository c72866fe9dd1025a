"""Values are decoded by what they are, and nothing of a Secret is ever told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible.module_utils import etcd_cbor, etcd_report, etcd_value
from ansible.module_utils.etcd_reader import Entry

# Vectors of RFC 8949, appendix A
CBOR: list[tuple[str, Any]] = [
    ("00", 0),
    ("1818", 24),
    ("1903e8", 1000),
    ("1b000000e8d4a51000", 1000000000000),
    ("3863", -100),
    ("f4", False),
    ("f5", True),
    ("f6", None),
    ("f93c00", 1.0),
    ("fb3ff199999999999a", 1.1),
    ("6449455446", "IETF"),
    ("62c3bc", "\u00fc"),
    ("4401020304", "AQIDBA=="),
    ("83010203", [1, 2, 3]),
    ("8301820203820405", [1, [2, 3], [4, 5]]),
    ("a26161016162820203", {"a": 1, "b": [2, 3]}),
    ("a1416101", {"a": 1}),  # Kubernetes writes keys as byte strings
    ("9f01ff", [1]),
    ("bf61610161629f0203ffff", {"a": 1, "b": [2, 3]}),
    ("7f657374726561646d696e67ff", "streaming"),
    ("c074323031332d30332d32315432303a30343a30305a", "2013-03-21T20:04:00Z"),
]


@pytest.mark.parametrize(("data", "value"), CBOR, ids=[data for data, _ in CBOR])
def test_cbor(data: str, value: Any) -> None:
    assert etcd_cbor.decode(bytes.fromhex(data)) == value


@pytest.mark.parametrize("data", ["", "18", "6449", "83", "9f01", "ff", "1c", "0000", "e0", "1f"])
def test_broken_cbor_is_a_value_error(data: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        etcd_cbor.decode(bytes.fromhex(data))


def envelope(api_version: str, kind: str, body: bytes = b"\x0a\x01x") -> bytes:
    """Return a built-in object as the API server stores it."""

    def field(number: int, data: bytes) -> bytes:
        length, size = b"", len(data)
        while size > 0x7F:
            length += bytes([size & 0x7F | 0x80])
            size >>= 7
        return bytes([number << 3 | 2]) + length + bytes([size]) + data

    type_meta = field(1, api_version.encode()) + field(2, kind.encode())
    rest = field(3, b"") + field(4, b"")
    return b"k8s\x00" + field(1, type_meta) + field(2, body) + rest


def test_json_is_shown() -> None:
    obj = {"apiVersion": "k8s.imooc.com/v1alpha1", "kind": "ImoocPod", "spec": {"replicas": 3}}
    decoded = etcd_value.decode("/registry/k8s.imooc.com/imoocpods/default/x", as_json(obj))
    assert (decoded.encoding, decoded.kind, decoded.value) == ("json", "ImoocPod", obj)


def test_cbor_is_shown() -> None:
    raw = etcd_cbor.MAGIC + bytes.fromhex("a1416101")
    assert etcd_value.decode("/registry/a/b", raw).value == {"a": 1}


def test_of_protobuf_the_type_is_told() -> None:
    raw = envelope("apps/v1", "Deployment", b"x" * 300)
    decoded = etcd_value.decode("/registry/deployments/a/b", raw)
    assert (decoded.encoding, decoded.api_version, decoded.kind) == (
        "protobuf",
        "apps/v1",
        "Deployment",
    )
    assert decoded.value is None


def test_of_an_encrypted_value_provider_and_key_are_told() -> None:
    decoded = etcd_value.decode("/registry/secrets/a/b", b"k8s:enc:secretbox:v1:key2:\x00\xffdata")
    assert decoded.note == "by secretbox (v1), key key2"
    assert decoded.value is None


@pytest.mark.parametrize(
    "raw",
    [b"", b"\x00\x01", b"{broken", b"k8s\x00\x0a\xff", b"k8s\x00\x08\x01", b"\xd9\xd9\xf7\x83"],
    ids=["empty", "binary", "json", "protobuf too short", "protobuf wire type", "cbor"],
)
def test_what_cannot_be_decoded_is_said_to_be_unknown(raw: bytes) -> None:
    decoded = etcd_value.decode("/registry/a/b", raw)
    assert decoded.encoding == "unknown"
    assert decoded.note


SECRET = {"apiVersion": "v1", "kind": "Secret", "data": {"password": "c2VzYW1l"}}


@pytest.mark.parametrize(
    ("key", "raw"),
    [
        ("/registry/secrets/a/b", json.dumps(SECRET).encode()),
        ("/elsewhere/a/b", json.dumps(SECRET).encode()),
        ("/registry/secrets/a/b", json.dumps({"data": {"password": "c2VzYW1l"}}).encode()),
        ("/registry/secrets/a/b", envelope("v1", "Secret", b"c2VzYW1l")),
        ("/registry/secrets/a/b", b"k8s:enc:aescbc:v1:k:c2VzYW1l"),
        ("/registry/secrets/a/b", b"{c2VzYW1l"),
    ],
    ids=["json", "by its kind", "by its key", "protobuf", "encrypted", "broken"],
)
def test_nothing_of_a_secret_is_told(key: str, raw: bytes) -> None:
    entry = Entry(key, 1, 1, 1, 0, raw)
    assert "c2VzYW1l" not in json.dumps(etcd_report.describe(entry))


def test_the_table_is_aligned() -> None:
    entry = Entry("/registry/x", 5, 60, 2, 0, as_json({"kind": "X"}))
    assert etcd_report.table([etcd_report.describe(entry)]) == [
        "KEY          KIND  ENCODING  SIZE  CREATED  MODIFIED  VERSION  LEASE",
        "/registry/x  X     json      13    5        60        2        -",
    ]


def test_documents_are_yaml_without_managed_fields() -> None:
    value = {"kind": "X", "metadata": {"name": "x", "managedFields": [{}]}, "spec": {"n": 1}}
    entries = [etcd_report.describe(Entry("/registry/x", 5, 60, 2, 0, as_json(value)))]
    entries.append(etcd_report.describe(Entry("/registry/secrets/a/b", 1, 1, 1, 0, as_json({}))))
    assert etcd_report.documents(entries) == (
        "# /registry/x\nkind: X\nmetadata:\n  name: x\nspec:\n  n: 1\n"
        "---\n# /registry/secrets/a/b\n# a Secret is not shown\n"
    )


def as_json(obj: Any) -> bytes:
    """Return the object as the API server stores custom resources."""
    return json.dumps(obj).encode()
