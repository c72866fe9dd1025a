"""Values are decoded by what they are, and nothing of a Secret is ever told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible.module_utils import etcd_cbor, etcd_report, etcd_value
from ansible.module_utils.etcd_answer import Entry

from tests.unit.plugins import etcd_samples as samples

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
    ("4401020304", "\x01\x02\x03\x04"),  # Kubernetes writes text as byte strings
    ("d64401020304", "AQIDBA=="),  # and bytes under the tag of "expected conversion to Base64"
    ("d54401fffeff", "Af_-_w"),
    ("d74401fffeff", "01fffeff"),
    ("41ff", "\ufffd"),
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


@pytest.mark.parametrize(
    "data",
    [
        *(
            "",
            "18",
            "6449",
            "83",
            "9f01",
            "ff",
            "1c",
            "0000",
            "e0",
            "1f",
            "61ff",
            "9bffffffffffffffff",
        ),
        *("7f01ff", "5f6161ff", "5f5f4161ffff", "f97e00", "f97c00", "81" * 5000 + "00"),
    ],
    ids=lambda data: data[:20],
)
def test_broken_cbor_is_a_value_error(data: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        etcd_cbor.decode(bytes.fromhex(data))


def test_json_is_shown() -> None:
    obj = {"apiVersion": "k8s.imooc.com/v1alpha1", "kind": "ImoocPod", "spec": {"replicas": 3}}
    decoded = etcd_value.decode("/registry/k8s.imooc.com/imoocpods/default/x", as_json(obj))
    assert (decoded.encoding, decoded.kind, decoded.value) == ("json", "ImoocPod", obj)


def test_cbor_is_shown() -> None:
    raw = etcd_cbor.MAGIC + bytes.fromhex("a1416101")
    assert etcd_value.decode("/registry/a/b", raw).value == {"a": 1}


def test_a_value_of_null_is_told_to_be_one() -> None:
    assert etcd_value.decode("/registry/a/b", etcd_cbor.MAGIC + b"\xf6").note == "it holds null"


def test_of_an_encrypted_value_provider_and_key_are_told() -> None:
    decoded = etcd_value.decode("/registry/secrets/a/b", b"k8s:enc:secretbox:v1:key2:\x00\xffdata")
    assert decoded.note == "encrypted by secretbox, key key2"
    assert decoded.value is None


def test_a_key_manager_tells_its_version() -> None:
    decoded = etcd_value.decode("/registry/secrets/a/b", b"k8s:enc:kms:v2:vault:\x00")
    assert decoded.note == "encrypted by kms v2, key vault"


@pytest.mark.parametrize(
    "raw", [b"k8s:enc:", b"k8s:enc:sesame", b"k8s:enc:aescbc:v1:" + b"x" * 999]
)
def test_of_an_odd_encrypted_value_no_byte_is_told(raw: bytes) -> None:
    assert etcd_value.decode("/registry/a/b", raw).note == "encrypted, by what is not told"


@pytest.mark.parametrize(
    "raw",
    [
        *(b"", b"\x00\x01", b"{broken", b'{"a": NaN}', b'{"a": 1e999}', b'{"a": "\xff"}'),
        *(b"[" * 100_000, b"[" * 300 + b"]" * 300),
        *(b"k8s\x00\x0a\xff", b"k8s\x00\x08\x01", b"k8s\x00\x0b", b"k8s\x00" + b"\xff" * 20),
        b"\xd9\xd9\xf7\x83",
        samples.envelope("v1", "Pod", b"\x0a\x7f"),
        samples.envelope("v1", "Pod", b"\x0a\x02\x0a\x03abc"),
        samples.envelope("v1", "Pod", b"\x0a\x05\x42\x03\x08\xff\x7f\x0a"),
    ],
    ids=lambda raw: repr(raw[:20]),
)
def test_what_cannot_be_decoded_is_said_to_be_unknown(raw: bytes) -> None:
    decoded = etcd_value.decode("/registry/a/b", raw)
    assert decoded.encoding == "unknown"
    assert decoded.note


def test_half_a_character_is_replaced() -> None:
    assert etcd_value.decode("/registry/a/b", b'{"a": "\\ud83d!"}').value == {"a": "\ufffd!"}


# Data of a Secret in protobuf: one key, "password", and its value.
SESAME = samples.field(1, b"password") + samples.field(2, b"sesame")
SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "x", "annotations": {"kubectl": '{"data":{"password":"c2VzYW1l"}}'}},
    "data": {"password": "c2VzYW1l"},
    "stringData": {"password": "sesame"},
    "type": "Opaque",
    "foreign": "sesame",
}


@pytest.mark.parametrize(
    ("key", "raw"),
    [
        ("/registry/secrets/a/b", json.dumps(SECRET).encode()),
        ("/elsewhere/a/b", json.dumps(SECRET).encode()),
        ("/registry/secrets/a/b", json.dumps({"data": {"password": "c2VzYW1l"}}).encode()),
        ("/registry/secrets/a/b", json.dumps({"data": "c2VzYW1l"}).encode()),
        ("/registry/secrets/a/b", json.dumps(["c2VzYW1l"]).encode()),
        ("/registry/secrets/a/b", samples.envelope("v1", "Secret", samples.field(2, SESAME))),
        ("/elsewhere/a/b", samples.envelope("v1", "Secret", samples.field(2, SESAME))),
        ("/registry/secrets/a/b", samples.envelope("v9", "Odd", samples.field(2, SESAME))),
        ("/registry/secrets/a/b", b"k8s:enc:aescbc:v1:k:c2VzYW1l"),
        ("/registry/secrets/a/b", b"{c2VzYW1l"),
        ("/registry/secrets/a/b", b'{"pin": 777e777}'),
        ("/registry/secrets/a/b", b"c2VzYW1l"),
    ],
    ids=lambda part: repr(part)[:40],
)
def test_nothing_of_a_secret_is_told(key: str, raw: bytes) -> None:
    entry = etcd_report.describe(Entry(key, 1, 1, 1, 0, raw))
    told = json.dumps(entry) + "".join(etcd_report.documents([entry]))
    assert not any(word in told for word in ("c2VzYW1l", "sesame", "777e777"))


@pytest.mark.parametrize(
    "raw",
    [
        json.dumps(SECRET).encode(),
        samples.envelope("v1", "Secret", samples.field(2, SESAME) + samples.field(3, b"Opaque")),
    ],
    ids=["json", "protobuf"],
)
def test_of_a_secret_keys_and_sizes_are_told(raw: bytes) -> None:
    decoded = etcd_value.decode("/registry/secrets/a/b", raw)
    assert decoded.value["data"] == {"password": "6 bytes"}
    assert decoded.value["type"] == "Opaque"
    assert decoded.note == "of a Secret only keys and sizes are shown"


def as_json(obj: Any) -> bytes:
    """Return the object as the API server stores custom resources."""
    return json.dumps(obj).encode()
