"""Tell people and programs what etcd holds, entry by entry.

Invariant: a value is told only where etcd_value lets it out; no more than one entry is held.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import yaml
from ansible.module_utils import etcd_value
from ansible.module_utils.etcd_answer import Entry

Described = dict[str, Any]

COLUMNS = ("key", "kind", "encoding", "size", "create_revision", "mod_revision", "version", "lease")
TITLES = ("KEY", "KIND", "ENCODING", "SIZE", "CREATED", "MODIFIED", "VERSION", "LEASE")
WIDE = 2**31 - 1  # columns of YAML: long texts are not folded
ALIGNED = 500  # rows of a table whose widths are those of the widest of them


def describe(entry: Entry) -> Described:
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


def table(entries: Iterable[Described]) -> Iterator[str]:
    """Yield the lines of a table, titles first; columns are aligned, and may widen once a page."""
    return _aligned(TITLES, (tuple(str(row[name] or "-") for name in COLUMNS) for row in entries))


def documents(entries: Iterable[Described]) -> Iterator[str]:
    """Yield the values as YAML, each after comments on its key.

    They are as `kubectl get -o yaml` shows them: names in order, without managedFields.
    """
    for index, entry in enumerate(entries):
        yield from ["---"] if index else []
        lease = f", lease {entry['lease']}" if entry["lease"] else ""
        yield f"# {entry['key']}"
        yield (
            f"# {entry['encoding']}, {entry['size']} bytes, created {entry['create_revision']}, "
            f"modified {entry['mod_revision']}, version {entry['version']}{lease}"
        )
        if "note" in entry:
            yield f"# {entry['note']}"
        if "value" in entry:
            shown = yaml.dump(_readable(entry["value"]), Dumper=_Dumper, width=WIDE)
            yield shown.rstrip("\n")


def as_json(entries: Iterable[Described]) -> Iterator[str]:
    """Yield a list in JSON, one entry a line."""
    yield "["
    last = ""
    for entry in entries:
        yield from [f"{last},"] if last else []
        last = json.dumps(entry)
    yield from [last] if last else []
    yield "]"


def counts(entries: Iterable[Described]) -> Iterator[str]:
    """Yield the lines of a table of how many keys there are of each kind, per namespace."""
    found: dict[tuple[str, str], tuple[int, int, int]] = {}
    for entry in entries:
        size = entry["size"]
        keys, total, largest = found.get(_kind_and_namespace(entry), (0, 0, 0))
        found[_kind_and_namespace(entry)] = (keys + 1, total + size, max(largest, size))
    rows = [(*what, *map(str, numbers)) for what, numbers in sorted(found.items())]
    yield from _aligned(("KIND", "NAMESPACE", "KEYS", "BYTES", "LARGEST"), rows)


FORMATS: dict[str, Callable[[Iterable[Described]], Iterator[str]]] = {
    "keys": table,
    "values": documents,
    "json": as_json,
    "counts": counts,
}


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]  # no types
    """Writes the same part of two objects twice, not as a reference that only YAML knows."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _aligned(titles: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    widths = [len(title) for title in titles]
    page: list[tuple[str, ...]] = [titles]
    for row in rows:
        if len(page) == ALIGNED:
            yield from _page(page, widths)
            page = []
        page.append(row)
    yield from _page(page, widths)


def _page(rows: list[tuple[str, ...]], widths: list[int]) -> Iterator[str]:
    for row in rows:
        widths[:] = map(max, widths, map(len, row))
    for row in rows:
        yield "  ".join(map(str.ljust, row, widths)).rstrip()


def _kind_and_namespace(entry: Described) -> tuple[str, str]:
    """Return what an entry is counted as; by its key where it has no value that tells."""
    value = entry.get("value")
    metadata = value.get("metadata") if isinstance(value, dict) else None
    namespace = metadata.get("namespace") if isinstance(metadata, dict) else None
    kind = entry["kind"] or "/".join(entry["key"].split("/")[:3])
    return kind, namespace if isinstance(namespace, str) else "-"


def _readable(value: Any) -> Any:
    """Return an object without what only the API server reads of it."""
    metadata = value.get("metadata") if isinstance(value, dict) else None
    if not isinstance(metadata, dict) or "managedFields" not in metadata:
        return value
    kept = {name: field for name, field in metadata.items() if name != "managedFields"}
    return {**value, "metadata": kept}
