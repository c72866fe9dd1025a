"""Count the keys of etcd by kind. Pure: keys in, rows out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ansible.module_utils.etcd_names import RENAMED

_RESOURCES: dict[str, str] = {folder: name.partition(".")[0] for name, folder in RENAMED.items()}


def by_kind(keys: Iterable[str]) -> list[tuple[str, int]]:
    """Return each resource with its number of keys, most first; groups as `group/resource`."""
    counts = Counter(_resource(key) for key in keys)
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _resource(key: str) -> str:
    """Return the resource of `/<prefix>/[<group>/]<resource>/…`; a group's name has a dot."""
    first, second = [*key.split("/")[2:4], "", ""][:2]
    path = f"{first}/{second}" if "." in first or f"{first}/{second}" in _RESOURCES else first
    return _RESOURCES.get(path, path)
