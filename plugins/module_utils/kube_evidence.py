"""Gather what a person would look at when an object does not become ready.

Invariant: gathering never fails and never hides the fault it explains: what cannot be read is
named as such in the text.
"""

from __future__ import annotations

from ansible.module_utils import kube_wait
from ansible.module_utils.kube_client import JsonObject, JsonObjects, KubeClient, KubeError

LOG_LINES = 15
LOGGED_PODS = 2
SHOWN_PODS = 10
SHOWN_EVENTS = 8
REVISION = "deployment.kubernetes.io/revision"


def pods_of(client: KubeClient, obj: JsonObject) -> JsonObjects:
    """Return the pods that the object controls; of a Deployment those of its newest template."""
    namespace = obj["metadata"].get("namespace")
    if not namespace:
        return []
    owner = obj["metadata"].get("uid")
    if obj["kind"] == "Deployment":
        owner = _newest_replica_set(client, obj)
    pods = client.list(client.collection("v1", "Pod", namespace))
    return [pod for pod in pods if controller_uid(pod) == owner]


def controller_uid(obj: JsonObject) -> str | None:
    """Return the uid of the object's controller owner, None where nothing controls it."""
    for reference in obj["metadata"].get("ownerReferences") or []:
        if reference.get("controller"):
            return str(reference["uid"])
    return None


def gather(client: KubeClient, obj: JsonObject) -> str:
    """Return the state of the object's pods, its newest events and the last lines of their logs."""
    try:
        pods = pods_of(client, obj)
        sections = {
            "pods": [kube_wait.describe_pod(pod) for pod in pods[:SHOWN_PODS]],
            "events": _events(client, [obj, *pods]),
            "log": [line for pod in _loudest(pods) or pods[:1] for line in _log(client, pod)],
        }
    except KubeError as error:
        return f"(no evidence could be gathered: {error})"
    return "\n".join(
        f"{title}:\n  " + "\n  ".join(lines or ["none"]) for title, lines in sections.items()
    )


def _newest_replica_set(client: KubeClient, deployment: JsonObject) -> str | None:
    """Return the uid of the Deployment's newest ReplicaSet, None before there is one."""
    metadata = deployment["metadata"]
    candidates = client.list(client.collection("apps/v1", "ReplicaSet", metadata["namespace"]))
    revisions = {
        int((item["metadata"].get("annotations") or {}).get(REVISION, 0)): item["metadata"]["uid"]
        for item in candidates
        if controller_uid(item) == metadata["uid"]
    }
    return revisions[max(revisions)] if revisions else None


def _events(client: KubeClient, objects: JsonObjects) -> list[str]:
    """Return the newest events about any of the objects, oldest first, one line each."""
    namespace = objects[0]["metadata"].get("namespace")
    if not namespace:
        return []
    uids = {obj["metadata"].get("uid") for obj in objects}
    found = [
        event
        for event in client.list(client.collection("v1", "Event", namespace))
        if (event.get("involvedObject") or {}).get("uid") in uids
    ]
    found.sort(key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""))
    return [
        f"{event.get('type')} {event.get('reason')} {event['involvedObject'].get('name')}: "
        f"{event.get('message', '').strip()}"
        for event in found[-SHOWN_EVENTS:]
    ]


def _loudest(pods: JsonObjects) -> JsonObjects:
    """Return the few pods whose logs tell most: those that started and are not ready."""
    unready = [
        pod
        for pod in pods
        for row in (pod.get("status") or {}).get("containerStatuses") or []
        if not row.get("ready")
        and (row.get("restartCount") or "running" in (row.get("state") or {}))
    ]
    return unready[:LOGGED_PODS]


def _log(client: KubeClient, pod: JsonObject) -> list[str]:
    """Return the last lines of a pod's containers; of a crashed one, its last words."""
    metadata = pod["metadata"]
    path = f"{client.collection('v1', 'Pod', metadata['namespace'])}/{metadata['name']}/log"
    lines = []
    for row in (pod.get("status") or {}).get("containerStatuses") or []:
        query = {"container": row["name"], "tailLines": LOG_LINES}
        if "waiting" in (row.get("state") or {}):
            query["previous"] = "true"
        try:
            text = client.text(path, query)
        except KubeError as error:
            text = f"(no log: {error.message})"
        lines += [f"{metadata['name']}/{row['name']}: {line}" for line in text.splitlines()]
    return lines
