"""What etcd holds is told entry by entry, in each form."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from ansible.module_utils import etcd_report
from ansible.module_utils.etcd_answer import Entry


def described(key: str, value: Any, **numbers: int) -> dict[str, Any]:
    """Return an entry with a value in JSON."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    told: dict[str, Any] = etcd_report.describe(
        Entry(key, numbers.get("created", 5), 60, 2, numbers.get("lease", 0), raw)
    )
    return told


def test_the_table_is_aligned() -> None:
    assert list(etcd_report.table([described("/registry/x", {"kind": "X"})])) == [
        "KEY          KIND  ENCODING  SIZE  CREATED  MODIFIED  VERSION  LEASE",
        "/registry/x  X     json      13    5        60        2        -",
    ]


def test_documents_are_yaml_as_kubectl_shows_it() -> None:
    part = {"n": 1}
    metadata = {"name": "x", "managedFields": [{}]}
    value = {"spec": part, "kind": "X", "metadata": metadata, "status": part}
    entries = [described("/registry/x", value, lease=9)]
    entries[0]["value"]["status"] = entries[0]["value"]["spec"]
    entries.append(described("/registry/secrets/a/b", b"k8s:enc:"))
    size = entries[0]["size"]
    assert "\n".join(etcd_report.documents(entries)) == (
        f"# /registry/x\n# json, {size} bytes, created 5, modified 60, version 2, lease 9\n"
        "kind: X\nmetadata:\n  name: x\nspec:\n  n: 1\nstatus:\n  n: 1\n"
        "---\n# /registry/secrets/a/b\n# encrypted, 8 bytes, created 5, modified 60, version 2\n"
        "# encrypted, by what is not told"
    )


def test_json_is_a_list() -> None:
    entries = [described("/a", {"kind": "X"}), described("/b", {"kind": "Y"})]
    assert json.loads("\n".join(etcd_report.as_json(entries))) == entries
    assert json.loads("\n".join(etcd_report.as_json([]))) == []


def test_keys_are_counted_by_kind_and_namespace() -> None:
    x = {"kind": "X", "metadata": {"namespace": "a"}}
    entries = [
        described("/1", x),
        described("/2", {**x, "more": "x" * 40}),
        described("/r/y/3", b""),
    ]
    small, large = entries[0]["size"], entries[1]["size"]
    assert [line.split() for line in etcd_report.counts(entries)] == [
        ["KIND", "NAMESPACE", "KEYS", "BYTES", "LARGEST"],
        ["/r/y", "-", "1", "0", "0"],
        ["X", "a", "2", str(small + large), str(large)],
    ]


@pytest.mark.parametrize("form", [etcd_report.table, etcd_report.documents, etcd_report.as_json])
def test_lines_are_told_while_entries_come(
    form: Callable[[Iterable[dict[str, Any]]], Iterator[str]],
) -> None:
    come = 0

    def coming() -> Iterator[dict[str, Any]]:
        nonlocal come
        while True:
            come += 1
            yield described("/a", {"kind": "X"})

    lines = form(coming())
    for _ in range(5):
        next(lines)
    assert come <= etcd_report.ALIGNED
