"""Built-in kinds come out of protobuf as the API shows them; nothing else comes out of it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils import etcd_protobuf, etcd_report, etcd_types, etcd_value
from ansible.module_utils.etcd_answer import Entry
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.plugins import etcd_samples as samples

GO_MODULE = Path(__file__).parents[3] / "roles/images/files/stack/go.mod"


def test_the_tables_are_of_the_kubernetes_that_the_images_have() -> None:
    pinned = re.search(r"^\tk8s.io/api (\S+)$", GO_MODULE.read_text(), flags=re.MULTILINE)
    assert pinned is not None
    assert pinned[1] == etcd_types.VERSION, "run: make etcd-types"


@given(samples.stored())
def test_every_field_of_every_kind_is_shown_as_it_was_stored(
    sample: tuple[bytes, dict[str, Any]],
) -> None:
    raw, shown = sample
    assert etcd_value._decode(raw).value == shown


def decoded(api_version: str, kind: str, body: bytes) -> dict[str, Any]:
    """Return an object of a known kind."""
    found = etcd_protobuf.decode(api_version, kind, body)
    assert found is not None
    value: dict[str, Any] = found[0]
    return value


def test_what_is_never_left_out_is_shown_when_nothing_was_written() -> None:
    assert decoded("apps/v1", "Deployment", b"") == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {},
        "spec": {
            "selector": None,
            "strategy": {},
            "template": {"metadata": {}, "spec": {"containers": None}},
        },
        "status": {},
    }


def test_two_objects_share_nothing_that_decoding_changes() -> None:
    first = decoded("v1", "ConfigMap", samples.field(2, samples.field(1, b"a")))
    second = decoded("v1", "ConfigMap", samples.field(2, samples.field(1, b"b")))
    assert (first["data"], second["data"]) == ({"a": ""}, {"b": ""})
    assert "data" not in decoded("v1", "ConfigMap", b"")


@pytest.mark.parametrize(
    ("nanos", "told"),
    [
        *((0, "0s"), (1, "1ns"), (1_500, "1.5µs"), (2_000_000, "2ms"), (1_000_000_000, "1s")),
        *((90_000_000_000, "1m30s"), (3_600_500_000_000, "1h0m0.5s"), (-5_000_000, "-5ms")),
    ],
)
def test_durations_are_told_as_go_tells_them(nanos: int, told: str) -> None:
    assert etcd_protobuf._duration({"nanos": nanos}) == told


def test_fields_of_a_newer_kubernetes_are_counted() -> None:
    raw = samples.envelope("v1", "ConfigMap", samples.field(99, b"new") + b"\x90\x07\x01")
    found = etcd_value.decode("/registry/configmaps/a/b", raw)
    assert found.note == "2 fields are newer than Kubernetes 1.37.2, and left out"
    assert found.value == {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}}


def test_of_a_kind_without_a_table_type_and_size_are_told() -> None:
    raw = samples.envelope("example.com/v1", "Odd", b"x" * 300)
    found = etcd_value.decode("/registry/odd/a/b", raw)
    assert (found.encoding, found.api_version, found.kind) == ("protobuf", "example.com/v1", "Odd")
    assert found.value is None
    assert found.note == "Kubernetes 1.37.2 stores no such kind in protobuf; 300 bytes"


@st.composite
def damaged(draw: samples.Draw) -> bytes:
    """Return a value of which some bytes were changed, lost or doubled."""
    raw = draw(samples.stored())[0]
    start, stop = sorted(draw(st.tuples(*[st.integers(4, len(raw))] * 2)))
    middle = draw(st.binary(max_size=8) | st.just(raw[start:stop] * 2))
    return bytes(raw[:start] + middle + raw[stop:])


PREFIXES = st.sampled_from([b"", b"k8s\x00", b"k8s:enc:", b"\xd9\xd9\xf7", b"{", b"[", b'{"a":'])


@given(damaged() | st.builds(bytes.__add__, PREFIXES, st.binary(max_size=100)))
def test_whatever_is_stored_can_be_told(raw: bytes) -> None:
    entry = etcd_report.describe(Entry("/registry/x/y", 1, 1, 1, 0, raw))
    json.dumps(entry, allow_nan=False).encode()
    assert "value" in entry or "note" in entry or not raw
    yaml.load("\n".join(etcd_report.documents([entry])).encode(), Loader=yaml.CSafeLoader)
