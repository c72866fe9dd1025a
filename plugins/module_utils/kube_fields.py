"""Decide from one live object, without asking the server, whether an apply would change anything.

Server-side apply keeps in ``metadata.managedFields`` what a field manager applied last, as a
tree of ``f:<field>``, ``k:{<keys of a list item>}`` and ``v:<value of a set>``, where ``{}`` owns
a whole value. An apply changes nothing when that tree is exactly the desired object's, and the
live values under it are the desired ones.

Invariant: ``is_converged`` may say False of a converged object (the server knows defaults and
spellings that this file does not, and a dry run settles it), but never True of a drifted one.
"""

from __future__ import annotations

import json
from typing import Any

JsonObject = dict[str, Any]

# What the server leaves out of managedFields, because every object has it.
_UNMANAGED = ("name", "namespace")
_FOLLOWS = ("resourceVersion", "generation", "managedFields")
_NOISE = ("managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink")


def applied_entry(live: JsonObject, manager: str) -> JsonObject | None:
    """Return what ``manager`` applied to the object, None where it never applied it."""
    for entry in live["metadata"].get("managedFields") or []:
        if (
            entry.get("manager") == manager
            and entry.get("operation") == "Apply"
            and not entry.get("subresource")
        ):
            return dict(entry)
    return None


def is_converged(desired: JsonObject, live: JsonObject, manager: str) -> bool:
    """Return whether ``manager`` owns exactly the desired fields, with the desired values."""
    entry = applied_entry(live, manager)
    if entry is None or entry.get("apiVersion") != desired["apiVersion"]:
        return False
    return _equal(entry.get("fieldsV1") or {}, managed(desired), live)


def managed(desired: JsonObject) -> JsonObject:
    """Return the part of an object for which the server keeps who owns it."""
    wanted = {key: value for key, value in desired.items() if key not in ("apiVersion", "kind")}
    metadata = {k: v for k, v in wanted.pop("metadata").items() if k not in _UNMANAGED}
    if metadata:
        wanted["metadata"] = metadata
    return wanted


def without_noise(obj: JsonObject) -> JsonObject:
    """Return the object as its authors see it: no status, nothing the server adds for itself."""
    kept = {key: value for key, value in obj.items() if key != "status"}
    kept["metadata"] = {k: v for k, v in obj["metadata"].items() if k not in _NOISE}
    return kept


def differs(before: JsonObject, after: JsonObject) -> bool:
    """Return whether an apply that turned ``before`` into ``after`` stored something new.

    A change of ownership counts: it is stored too. Time stamps and versions follow from changes.
    """
    return _comparable(before) != _comparable(after)


def _comparable(obj: JsonObject) -> JsonObject:
    metadata = {k: v for k, v in obj["metadata"].items() if k not in _FOLLOWS}
    entries = [
        {key: value for key, value in entry.items() if key != "time"}
        for entry in obj["metadata"].get("managedFields") or []
    ]
    metadata["managedFields"] = sorted(entries, key=lambda entry: json.dumps(entry, sort_keys=True))
    return {**obj, "metadata": metadata}


def _equal(owned: JsonObject, desired: Any, live: Any) -> bool:
    """Return whether owned tree, desired value and live value agree, all the way down."""
    owned = {key: value for key, value in owned.items() if key != "."}
    if not owned:
        return _same(desired, live)
    if isinstance(desired, dict) and isinstance(live, dict):
        return {f"f:{key}" for key in desired} == owned.keys() and all(
            key in live and _equal(owned[f"f:{key}"], value, live[key])
            for key, value in desired.items()
        )
    if isinstance(desired, list) and isinstance(live, list):
        return _equal_list(owned, desired, live)
    return False


def _equal_list(owned: JsonObject, desired: list[Any], live: list[Any]) -> bool:
    """Compare lists whose items are owned one by one; their order counts, as in env variables."""
    if len(owned) != len(desired):
        return False
    position = -1
    for wanted in desired:
        found = [step for step, below in owned.items() if _selects(step, wanted, below)]
        places = [place for place, item in enumerate(live) if found and _selects(found[0], item)]
        if len(found) != 1 or len(places) != 1 or places[0] <= position:
            return False
        position = places[0]
        if not _equal(owned[found[0]], wanted, live[position]):
            return False
    return True


def _selects(step: str, item: Any, owned: JsonObject | None = None) -> bool:
    """Return whether a path step means this list item. Items named by their index match nothing.

    A key that is not among the fields ``owned`` below the step was not applied but defaulted, as
    a port's protocol is, so it may be missing in a desired item.
    """
    if step.startswith("v:"):
        return _same(json.loads(step[2:]), item)
    if not step.startswith("k:") or not isinstance(item, dict):
        return False
    return all(
        _same(value, item[key]) if key in item else owned is not None and f"f:{key}" not in owned
        for key, value in json.loads(step[2:]).items()
    )


def _same(left: Any, right: Any) -> bool:
    """Return whether two JSON values are the same; unlike in Python, true is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return bool(left == right)
