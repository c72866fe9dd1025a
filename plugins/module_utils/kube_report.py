"""Check what people hand in to be applied, and tell them what was done with it.

Invariant: no value of a Secret is ever in a report.
"""

from __future__ import annotations

from typing import Any

import yaml
from ansible.module_utils.changes import Change, as_data
from ansible.module_utils.kube_apply import Outcome
from ansible.module_utils.kube_fields import without_noise
from ansible.module_utils.kube_waiter import label


def shape_problem(obj: Any) -> str:
    """Return what an object lacks to be applied, "" where it is fine."""
    if not isinstance(obj, dict):
        return "not a mapping"
    for field in ("apiVersion", "kind"):
        if not isinstance(obj.get(field), str) or not obj[field]:
            return f"no {field}"
    metadata = obj.get("metadata")
    if not isinstance(metadata, dict) or not metadata.get("name"):
        return "no metadata.name"
    return ""


def changes(outcomes: list[Outcome]) -> list[Change]:
    """Return what was, or would be, changed."""
    return [
        Change(label(item.obj), item.action, item.reason, item.fields)
        for item in outcomes
        if item.action not in ("none", "foreign")
    ]


def summary(outcomes: list[Outcome]) -> dict[str, Any]:
    """Return the module's result: what changed, per object, and as a diff for people."""
    changed = [item for item in outcomes if item.action not in ("none", "foreign")]
    return {
        "changed": bool(changed),
        "changes": as_data(changes(outcomes)),
        "results": [
            {
                "object": label(item.obj),
                "action": item.action,
                "overruled": list(item.overruled),
                "status": (item.live or {}).get("status") or {},
            }
            for item in outcomes
        ],
        "diff": [_diff(item) for item in changed],
    }


def _diff(outcome: Outcome) -> dict[str, str]:
    after = None if outcome.action == "delete" else outcome.live or outcome.obj
    name = label(outcome.obj)
    return {
        "before_header": name,
        "after_header": name,
        "before": _shown(outcome.before),
        "after": _shown(after),
    }


def _shown(obj: dict[str, Any] | None) -> str:
    """Return an object as YAML for people; the values of a Secret are never shown."""
    if obj is None:
        return ""
    shown = without_noise(obj)
    if obj["kind"] == "Secret":
        for field in ("data", "stringData"):
            if field in shown:
                shown[field] = dict.fromkeys(shown[field], "(not shown)")
    text: str = yaml.safe_dump(shown, sort_keys=False)
    return text
