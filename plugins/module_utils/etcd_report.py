"""Tell people and programs what etcd holds.

Invariant: a value is told only where etcd_value lets it out.
"""

from __future__ import annotations

from typing import Any

import yaml
from ansible.module_utils import etcd_value
from ansible.module_utils.etcd_reader import Entry

COLUMNS = ("key", "kind", "encoding", "size", "create_revision", "mod_revision", "version", "lease")
WIDE = 2**31 - 1  # columns of YAML: long texts are not folded
TITLES = ("KEY", "KIND", "ENCODING", "SIZE", "CREATED", "MODIFIED", "VERSION", "LEASE")


def describe(entry: Entry) -> dict[str, Any]:
    """Return an entry as data; the value only where it is decoded and may be shown."""
    decoded = etcd_value.decode(entry.key, entry.raw) if entry.raw else etcd_value.Decoded("none")
    described = {
        "key": entry.key,
        "create_revision": entry.create_revision,
        "mod_revision": entry.mod_revision,
        "version": entry.version,
        "lease": entry.lease,
        "size": len(entry.raw),
        "encoding": decoded.encoding,
        "api_version": decoded.api_version,
        "kind": decoded.kind,
    }
    if decoded.value is not None:
        described["value"] = decoded.value
    if decoded.note:
        described["note"] = decoded.note
    return described


def table(entries: list[dict[str, Any]]) -> list[str]:
    """Return the lines of a table of the entries, columns aligned, titles first."""
    rows = [TITLES, *(tuple(str(entry[name] or "-") for name in COLUMNS) for entry in entries)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def documents(entries: list[dict[str, Any]]) -> str:
    """Return the values as YAML, each after comments with its key and note.

    They are as `kubectl get -o yaml` shows them: names in order, without managedFields.
    """
    return "---\n".join(map(document, entries))


def document(entry: dict[str, Any]) -> str:
    """Return one value as YAML."""
    told = [entry["key"], *filter(None, [entry.get("note")])]
    if "value" not in entry:
        told = [entry["key"], entry.get("note", "no value")]
    comments = "".join(f"# {line}\n" for line in told)
    if "value" not in entry:
        return comments
    return comments + yaml.dump(_readable(entry["value"]), Dumper=_Dumper, width=WIDE)


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]  # the C one is ten times faster
    """Writes the same part of two objects twice, not as a reference that only YAML knows."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _readable(value: Any) -> Any:
    """Return an object without what only the API server reads of it."""
    metadata = value.get("metadata") if isinstance(value, dict) else None
    if not isinstance(metadata, dict) or "managedFields" not in metadata:
        return value
    kept = {name: field for name, field in metadata.items() if name != "managedFields"}
    return {**value, "metadata": kept}
