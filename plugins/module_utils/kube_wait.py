"""Say of an object, as the API shows it, whether it is what its users wait for.

Pure: no clock, no request. A verdict is about the object's current generation; what was true of
an earlier one counts as not ready.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

JsonObject = dict[str, Any]

# Kubelet's reasons that patience alone seldom cures.
STUCK_REASONS = frozenset(
    {
        "CrashLoopBackOff",
        "CreateContainerConfigError",
        "CreateContainerError",
        "ErrImageNeverPull",
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "RunContainerError",
    }
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """``ready``, or what is still missing; ``trouble`` is what will not mend by waiting alone."""

    ready: bool
    message: str
    trouble: str = ""


READY = Verdict(True, "ready")


def judge(obj: JsonObject) -> Verdict:
    """Return the verdict of an object by the rule of its kind; kinds without a rule are ready."""
    group = obj["apiVersion"].rpartition("/")[0]
    if obj["metadata"].get("deletionTimestamp"):
        return Verdict(False, "is being deleted")
    match group, obj["kind"]:
        case "", "Namespace":
            phase = (obj.get("status") or {}).get("phase")
            return READY if phase == "Active" else Verdict(False, f"phase {phase}")
        case "apiextensions.k8s.io", "CustomResourceDefinition":
            return _definition(obj)
        case "apps", "Deployment":
            return _deployment(obj)
    return _custom_resource(obj) if _is_custom(group) else READY


def _is_custom(group: str) -> bool:
    """Return whether a group is not Kubernetes' own: those have no dot, or end in k8s.io."""
    return "." in group and not group.endswith(".k8s.io")


def conditions(obj: JsonObject) -> dict[str, JsonObject]:
    """Return the status conditions by type."""
    return {item["type"]: item for item in (obj.get("status") or {}).get("conditions") or []}


def _definition(obj: JsonObject) -> Verdict:
    known = conditions(obj)
    names = known.get("NamesAccepted", {})
    if names.get("status") == "False":
        return Verdict(False, "names not accepted", _told(names))
    if known.get("Established", {}).get("status") != "True":
        return Verdict(False, "not Established yet")
    return READY


def _deployment(obj: JsonObject) -> Verdict:
    """Rolled out: every replica is of the newest template, available, and no older one is left."""
    status = obj.get("status") or {}
    known = conditions(obj)
    wanted = obj["spec"].get("replicas", 1)
    progressing, failure = known.get("Progressing", {}), known.get("ReplicaFailure", {})
    if status.get("observedGeneration", 0) < obj["metadata"].get("generation", 0):
        return Verdict(False, "the controller has not seen this generation yet")
    updated, total, available = (
        status.get(field, 0) for field in ("updatedReplicas", "replicas", "availableReplicas")
    )
    message = f"{updated} of {wanted} replicas updated, {available} available, {total} in all"
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        return Verdict(False, message, _told(progressing))
    if failure.get("status") == "True":
        return Verdict(False, message, _told(failure))
    rolled_out = progressing.get("reason", "NewReplicaSetAvailable") == "NewReplicaSetAvailable"
    if updated == total == available == wanted and rolled_out:
        return READY
    return Verdict(False, message)


def _custom_resource(obj: JsonObject) -> Verdict:
    """Ready at its generation, as told by the status and, if it says so, by the condition."""
    status = obj.get("status") or {}
    known = conditions(obj)
    ready, degraded = known.get("Ready"), known.get("Degraded", {})
    generation = obj["metadata"].get("generation", 0)
    if ready is None:
        return Verdict(False, "no condition Ready yet")
    seen = min(status.get("observedGeneration", 0), ready.get("observedGeneration", generation))
    if seen < generation:
        return Verdict(False, f"Ready tells of generation {seen}, the newest is {generation}")
    if ready.get("status") == "True":
        return READY
    trouble = _told(degraded) if degraded.get("status") == "True" else ""
    return Verdict(False, f"not Ready: {_told(ready)}", trouble)


def stuck_pods(pods: list[JsonObject]) -> str:
    """Return what keeps containers from running, "" where nothing seems lasting."""
    found = []
    for pod in pods:
        for name, reason, message in _waiting(pod):
            if reason in STUCK_REASONS:
                found.append(f"pod {pod['metadata']['name']}, container {name}: {reason} {message}")
    return "; ".join(found)


def describe_pod(pod: JsonObject) -> str:
    """Return one line on a pod: phase, restarts, and why its containers or itself are waiting."""
    status = pod.get("status") or {}
    restarts = sum(item.get("restartCount", 0) for item in status.get("containerStatuses") or [])
    phase = "Terminating" if pod["metadata"].get("deletionTimestamp") else status.get("phase")
    parts = [f"{pod['metadata']['name']}: {phase}, {restarts} restarts"]
    parts += [f"{name} {reason} {message}".strip() for name, reason, message in _waiting(pod)]
    parts += [
        _told(item)
        for item in status.get("conditions") or []
        if item["type"] == "PodScheduled" and item["status"] == "False"
    ]
    return "; ".join(parts)


def _waiting(pod: JsonObject) -> list[tuple[str, str, str]]:
    """Return name, reason and message of the containers that do not run, init containers too."""
    status = pod.get("status") or {}
    rows = (status.get("initContainerStatuses") or []) + (status.get("containerStatuses") or [])
    states = [(row["name"], (row.get("state") or {}).get("waiting") or {}) for row in rows]
    return [(name, s["reason"], s.get("message", "")) for name, s in states if s.get("reason")]


def _told(condition: JsonObject) -> str:
    return f"{condition.get('reason', '')}: {condition.get('message', '')}".strip(": ")
