"""Turn the API server's objects into the facts of a status.

Pure: objects in, plain data out. A pod belongs to the operator (by its Deployment's selector), to a
custom resource (by controller owner), or to neither: then it is the system's.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from ansible.module_utils.kube_client import JsonObject, JsonObjects
from ansible.module_utils.kube_evidence import controller_uid
from ansible.module_utils.kube_wait import conditions

Facts = dict[str, Any]

_ROLE = "node-role.kubernetes.io/"
_PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure")


def node(obj: JsonObject) -> Facts:
    """Return what a node says of itself; ``trouble`` is "" where there is none."""
    known = conditions(obj)
    ready = known.get("Ready", {})
    trouble = [name for name in _PRESSURES if known.get(name, {}).get("status") == "True"]
    if ready.get("status") != "True":
        trouble.insert(0, str(ready.get("message") or ready.get("reason") or "says nothing"))
    labels = obj["metadata"].get("labels") or {}
    roles = [name.removeprefix(_ROLE) for name in labels if name.startswith(_ROLE)]
    return {
        "name": obj["metadata"]["name"],
        "roles": sorted(roles) or ["worker"],
        "version": obj["status"]["nodeInfo"]["kubeletVersion"],
        "ready": ready.get("status") == "True",
        "trouble": "; ".join(trouble),
    }


def pod(obj: JsonObject) -> Facts:
    """Return where a pod runs and how it is; ``state`` is a word as kubectl shows it."""
    status = obj.get("status") or {}
    rows = status.get("containerStatuses") or []
    return {
        "namespace": obj["metadata"]["namespace"],
        "name": obj["metadata"]["name"],
        "node": obj["spec"].get("nodeName", ""),
        "state": _state(obj),
        "ready": is_true(obj, "Ready") and "deletionTimestamp" not in obj["metadata"],
        "restarts": sum(row.get("restartCount", 0) for row in rows),
        "started": status.get("startTime", ""),
    }


def _state(obj: JsonObject) -> str:
    """Return why a container does not run, or else the phase."""
    status = obj.get("status") or {}
    if "deletionTimestamp" in obj["metadata"]:
        return "Terminating"
    for row in status.get("containerStatuses") or []:
        for why in ("waiting", "terminated"):
            if reason := ((row.get("state") or {}).get(why) or {}).get("reason"):
                return str(reason)
    if conditions(obj).get("PodScheduled", {}).get("status") == "False":
        return "Unschedulable"
    return str(status.get("reason") or status.get("phase") or "Unknown")


def selected(obj: JsonObject, deployment: JsonObject) -> bool:
    """Return whether a pod is one of the Deployment's."""
    wanted = deployment["spec"]["selector"].get("matchLabels") or {}
    labels = obj["metadata"].get("labels") or {}
    return bool(
        obj["metadata"]["namespace"] == deployment["metadata"]["namespace"]
        and wanted.items() <= labels.items()
    )


def operator(
    deployment: JsonObject, lease: JsonObject | None, pods: JsonObjects, now: datetime
) -> Facts:
    """Return the operator's Deployment, who leads, and its replicas."""
    leader = holder(lease, now)
    status = deployment.get("status") or {}
    return {
        "namespace": deployment["metadata"]["namespace"],
        "name": deployment["metadata"]["name"],
        "image": deployment["spec"]["template"]["spec"]["containers"][0]["image"],
        "desired": deployment["spec"].get("replicas", 1),
        "available": status.get("availableReplicas", 0),
        "updated": status.get("updatedReplicas", 0),
        "leader": leader,
        "replicas": [
            {**pod(obj), "leads": obj["metadata"]["name"] == leader}
            for obj in _by_name(pods)
            if selected(obj, deployment)
        ],
    }


def holder(lease: JsonObject | None, now: datetime) -> str:
    """Return the name of the pod that holds the lease; "" where nobody does, or not any more."""
    spec = (lease or {}).get("spec") or {}
    if not spec.get("holderIdentity") or not spec.get("renewTime"):
        return ""
    renewed = datetime.fromisoformat(spec["renewTime"])
    if renewed + timedelta(seconds=spec.get("leaseDurationSeconds", 0)) < now:
        return ""
    return str(spec["holderIdentity"].partition("_")[0])


def resource(obj: JsonObject, pods: JsonObjects) -> Facts:
    """Return what a custom resource wants, what it has, and what it says of itself."""
    status = obj.get("status") or {}
    own = [pod(item) for item in _by_name(pods) if controller_uid(item) == obj["metadata"]["uid"]]
    return {
        "namespace": obj["metadata"]["namespace"],
        "name": obj["metadata"]["name"],
        "created": obj["metadata"].get("creationTimestamp", ""),
        "desired": (obj.get("spec") or {}).get("replicas", 0),
        "ready": sum(item["ready"] for item in own),
        "observed": status.get("observedGeneration") == obj["metadata"].get("generation"),
        "conditions": [
            {key: str(item.get(key, "")) for key in ("type", "status", "reason", "message")}
            for item in status.get("conditions") or []
        ],
        "pods": own,
    }


def others(pods: JsonObjects, resources: JsonObjects, deployment: JsonObject | None) -> list[Facts]:
    """Return the pods that belong neither to the operator nor to a custom resource."""
    owners = {obj["metadata"]["uid"] for obj in resources}
    return [
        pod(obj)
        for obj in _by_name(pods)
        if controller_uid(obj) not in owners
        and not (deployment is not None and selected(obj, deployment))
    ]


def is_true(obj: JsonObject, condition: str) -> bool:
    """Return whether the object says so of itself."""
    return bool(conditions(obj).get(condition, {}).get("status") == "True")


def _by_name(objects: JsonObjects) -> JsonObjects:
    return sorted(objects, key=lambda obj: (obj["metadata"]["namespace"], obj["metadata"]["name"]))
