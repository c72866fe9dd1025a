"""What etcd holds, decoded, is what the API shows: every object of every kind."""

from __future__ import annotations

import json
import os
import random
import re
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import etcd_report, etcd_types, etcd_value
from ansible.module_utils.etcd_answer import Entry

from tests.storage.cluster import Cluster, differences

STACK = Path(__file__).parents[2] / "roles/images/files/stack"
INPUTS = int(os.environ.get("IMOOC_FUZZ", "20000"))  # how many damaged values are decoded

# What is stored otherwise than it is shown, by design of the API server; nothing else may differ.
# By kind: where, and why.
DIFFERENT = {
    "": r"\.metadata\.resourceVersion",  # not stored: it is the revision of the key's last change
    "Job": r"\.metadata\.labels",  # set on reading, where they were not set
    "PersistentVolumeClaim": r"\.status\.phase",  # a default, set on reading
    "StatefulSet": r"\.spec\.volumeClaimTemplates\[0\]\.(apiVersion|kind)",  # told, not stored
    "Secret": r"\.(data|metadata)\b.*",  # test_etcd_value.py says what is told of it
    # The API server stores definitions in a version that it no longer serves.
    "CustomResourceDefinition": r"\.(apiVersion|spec)\b.*",
}

# Objects without a uid, which the API does not show: ranges of addresses and ports, and where this
# API server is for its peers.
UNSHOWN = re.compile(r"/registry/(ranges|peerserverleases)/.*")


@pytest.fixture(scope="session")
def upstream() -> Path:
    """The values that Kubernetes tests its own types with, each in protobuf and in JSON."""
    command = ["go", "mod", "download", "-json", "k8s.io/api"]
    told = subprocess.run(command, cwd=STACK, check=True, capture_output=True).stdout
    module = json.loads(told)
    assert module["Version"] == etcd_types.VERSION
    return Path(module["Dir"]) / "testdata"


def test_every_stored_object_is_decoded_to_what_the_api_shows(cluster: Cluster) -> None:
    kinds = _compare(cluster)
    assert len(kinds) >= 59, sorted(kinds)


def test_custom_resources_stored_as_cbor_are_decoded(cbor_cluster: Cluster) -> None:
    (entry,) = cbor_cluster.entries("/registry/example.com/odds/")
    assert etcd_value.decode(entry.key, entry.raw).encoding == "cbor"
    _compare(cbor_cluster)


def _compare(cluster: Cluster) -> set[str]:
    """Compare all that is stored with all that is shown; return the kinds there are."""
    shown, seen = _by_uid(cluster), set()
    findings: list[str] = []
    for entry in cluster.entries("/registry/"):
        decoded = etcd_value.decode(entry.key, entry.raw)
        uid = (decoded.value or {}).get("metadata", {}).get("uid")
        if uid is None:
            if not UNSHOWN.fullmatch(entry.key):
                findings.append(f"{entry.key}: {decoded}")
            continue
        seen.add(uid)
        versions = shown[uid]
        live = versions.get(decoded.api_version) or next(iter(versions.values()))
        findings += [f"{entry.key}{found}" for found in _findings(decoded, live)]
        assert int(live["metadata"]["resourceVersion"]) == entry.mod_revision
    assert not findings, "\n".join(findings)
    assert shown.keys() == seen
    return {value["kind"] for versions in shown.values() for value in versions.values()}


def _findings(decoded: etcd_value.Decoded, live: dict[str, Any]) -> Iterator[str]:
    allowed = re.compile(f"({DIFFERENT['']}|{DIFFERENT.get(decoded.kind, '(?!)')}): .*")
    for found in differences(decoded.value, live):
        if not allowed.fullmatch(found):
            yield found


def _by_uid(cluster: Cluster) -> dict[str, dict[str, Any]]:
    """Return all that the API shows, by uid and then by version."""
    shown: dict[str, dict[str, Any]] = {}
    for obj in cluster.objects():
        if uid := obj["metadata"].get("uid"):  # component statuses are not stored
            shown.setdefault(uid, {})[obj["apiVersion"]] = obj
    return shown


def test_every_field_of_every_kind_is_decoded(upstream: Path) -> None:
    findings: list[str] = []
    decoded = 0
    for path in sorted((upstream / "HEAD").glob("*.pb")):
        stored = etcd_value.decode("/registry/x/y", path.read_bytes())
        if stored.value is None or stored.kind == "Secret":
            continue  # a request or an answer, which nobody stores; or told otherwise
        decoded += 1
        shown = json.loads(path.with_suffix(".json").read_text())
        findings += [*differences(stored.value, shown, path.name), *filter(None, [stored.note])]
    assert not findings, "\n".join(findings)
    assert decoded >= 160


def test_damaged_values_are_told_and_no_more(upstream: Path) -> None:
    """Neither a crash nor a hang, and memory that does not grow; IMOOC_FUZZ=1000000 for longer."""
    values = [path.read_bytes() for path in sorted((upstream / "HEAD").glob("*.pb"))]
    chance = random.Random(INPUTS)  # noqa: S311 - the same inputs each time, not a secret
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(INPUTS):
        raw = bytearray(chance.choice(values))
        for _ in range(chance.choice((1, 2, 8))):
            start = chance.randrange(4, len(raw) + 1)
            length = chance.choice((1, 1, 2, 16, 100))
            raw[start : start + length] = chance.randbytes(chance.choice((0, 1, 1, 5, 10)))
        entry = etcd_report.describe(Entry("/registry/x/y", 1, 1, 1, 0, bytes(raw)))
        json.dumps(entry, allow_nan=False)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 100 * 1024, f"{grown} KiB"
