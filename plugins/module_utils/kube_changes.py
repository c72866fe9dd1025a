"""Name the fields in which a live object differs from the wanted one, and who set them.

Pure. Server-side apply keeps in ``metadata.managedFields`` for each manager a tree of the fields
it owns and a time. Invariant: only what an apply of ours would change is ever named, so defaults
and the fields of other controllers never are.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ansible.module_utils.changes import Field
from ansible.module_utils.kube_fields import JsonObject, applied_entry, managed, without_noise

Step = str | int | tuple[str, str]
"""A key of a mapping, the place in a list, or key and value that tell a list's item from others."""

HIDDEN = "(not shown)"


def between(live: JsonObject, planned: JsonObject) -> tuple[Field, ...]:
    """Return the fields in which ``planned``, the answer of a dry run, differs from ``live``."""
    entries = live["metadata"].get("managedFields") or []
    secret = live["kind"] == "Secret"
    found = []
    for path, old, new in _walk((), without_noise(live), without_noise(planned)):
        manager, time = _author(entries, path, live) if old is not None else ("", "")
        if secret and path[0] in ("data", "stringData"):
            old, new = (None if value is None else HIDDEN for value in (old, new))
        found.append(Field(_spelled(path), old, new, manager, time))
    return tuple(found)


def taken(desired: JsonObject, live: JsonObject, manager: str) -> tuple[Field, ...]:
    """Return the wanted fields that hold the wanted value, but by another manager's word only."""
    ours = applied_entry(live, manager)
    entries = live["metadata"].get("managedFields") or []
    found = []
    for path, value in _leaves((), managed(desired)):
        if ours is None or not _owns(ours, path, live):
            who, when = _author(entries, path, live)
            shown = HIDDEN if live["kind"] == "Secret" else value
            found.append(Field(_spelled(path), shown, shown, who, when))
    return tuple(found)


def _walk(
    path: tuple[Step, ...], old: Any, new: Any
) -> Iterator[tuple[tuple[Step, ...], Any, Any]]:
    """Yield the deepest paths at which two values differ, with both values."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from _walk((*path, key), old.get(key), new.get(key))
    elif isinstance(old, list) and isinstance(new, list) and (key := _item_key(old, new)):
        before = {item[key]: item for item in old}
        after = {item[key]: item for item in new}
        for name in [*before, *(name for name in after if name not in before)]:
            yield from _walk((*path, (key, name)), before.get(name), after.get(name))
        if old != new and sorted(before) == sorted(after) and list(before) != list(after):
            yield path, list(before), list(after)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for place, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _walk((*path, place), one, other)
    elif old != new:
        yield path, old, new


def _leaves(path: tuple[Step, ...], value: Any) -> Iterator[tuple[tuple[Step, ...], Any]]:
    """Yield every path at which a value without further parts stands."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _leaves((*path, key), item)
    elif isinstance(value, list) and value and (key := _item_key(value, value)):
        for item in value:
            yield from _leaves((*path, (key, item[key])), item)
    else:
        yield path, value


def _item_key(old: list[Any], new: list[Any]) -> str:
    """Return the key by which the items of both lists are told apart; "" where there is none."""
    for key in ("name", "type"):
        if all(
            items
            and all(isinstance(item, dict) and isinstance(item.get(key), str) for item in items)
            and len({item[key] for item in items}) == len(items)
            for items in (old, new)
        ):
            return key
    return ""


def _author(entries: list[JsonObject], path: tuple[Step, ...], live: JsonObject) -> tuple[str, str]:
    """Return manager and time of the newest entry that owns the field; empty where none does."""
    owners = [entry for entry in entries if _owns(entry, path, live)]
    if not owners:
        return "", ""
    newest = max(owners, key=lambda entry: str(entry.get("time", "")))
    return str(newest.get("manager", "")), str(newest.get("time", ""))


def _owns(entry: JsonObject, path: tuple[Step, ...], live: JsonObject) -> bool:
    """Return whether the entry's tree reaches the field, or a whole value that contains it."""
    node, value = entry.get("fieldsV1") or {}, live
    for step in path:
        if set(node) <= {"."} and node is not entry.get("fieldsV1"):
            return True
        child, value = _descend(node, value, step)
        if child is None:
            return False
        node = child
    return True


def _descend(node: JsonObject, value: Any, step: Step) -> tuple[JsonObject | None, Any]:
    """Return what a step leads to, in a tree of ownership and in the object side by side."""
    if isinstance(step, str):
        inner = value.get(step) if isinstance(value, dict) else None
        return node.get(f"f:{step}"), inner
    items = value if isinstance(value, list) else []
    if isinstance(step, int):
        item = items[step] if step < len(items) else None
    else:
        item = next((i for i in items if isinstance(i, dict) and i.get(step[0]) == step[1]), None)
    for name, below in node.items():
        if name.startswith("v:") and json.loads(name[2:]) == item:
            return below, item
        if name.startswith("k:") and isinstance(item, dict):
            keys = json.loads(name[2:])
            if all(item.get(key) == wanted for key, wanted in keys.items()):
                return below, item
    return None, item


def _spelled(path: tuple[Step, ...]) -> str:
    """Return a path for people: spec.containers[name=main].args[0]."""
    text = ""
    for step in path:
        match step:
            case str():
                plain = step.replace("-", "").replace("_", "").isalnum()
                text += f".{step}" if plain else f"[{step}]"
            case int():
                text += f"[{step}]"
            case (key, value):
                text += f"[{value}]" if key == "name" else f"[{key}={value}]"
    return text.removeprefix(".")
