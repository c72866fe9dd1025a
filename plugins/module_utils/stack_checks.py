"""Judge whether the stack is what its user would look at: images, pods, status, etcd.

Pure: objects in, findings out. An empty list of findings means that all is as it should be.
"""

from __future__ import annotations

from typing import Any

from ansible.module_utils.kube_evidence import controller_uid

JsonObject = dict[str, Any]


def digest(reference: str) -> str:
    """Return the digest of an image reference, "" where it has none."""
    return reference.rpartition("@")[2] if "@" in reference else ""


def image_findings(pods: list[JsonObject], image: str) -> list[str]:
    """Return which pods do not run exactly ``image``, a reference by digest.

    The kubelet tells in imageID what the runtime unpacked. It may name another repository that
    holds the same image, so the digest is what counts.
    """
    wanted = digest(image)
    if not wanted:
        return [f"the expected image {image or '(none)'} is not named by digest"]
    if not pods:
        return [f"no pod runs {image}"]
    return [
        f"pod {pod['metadata']['name']} runs {row.get('imageID') or 'nothing yet'}, not {image}"
        for pod in pods
        for row in (pod.get("status") or {}).get("containerStatuses") or [{}]
        if digest(row.get("imageID", "")) != wanted
    ]


def own_pods(resource: JsonObject, pods: list[JsonObject]) -> list[JsonObject]:
    """Return the pods that the custom resource controls and that nobody is deleting."""
    uid = resource["metadata"]["uid"]
    return [
        pod
        for pod in pods
        if controller_uid(pod) == uid and not pod["metadata"].get("deletionTimestamp")
    ]


def pod_findings(resource: JsonObject, pods: list[JsonObject]) -> list[str]:
    """Return how the resource's own pods differ from what its spec asks and its status says."""
    wanted, status = resource["spec"]["replicas"], resource.get("status") or {}
    names = sorted(pod["metadata"]["name"] for pod in pods)
    findings = [f"pod {pod['metadata']['name']} is not ready" for pod in pods if not _ready(pod)]
    if len(pods) != wanted:
        findings.append(f"{len(pods)} pods where spec.replicas is {wanted}")
    if status.get("replicas") != wanted:
        findings.append(f"status.replicas is {status.get('replicas')}, spec.replicas {wanted}")
    if sorted(status.get("podNames") or []) != names:
        findings.append(f"status.podNames is {status.get('podNames')}, the pods are {names}")
    return findings


def etcd_findings(resource: JsonObject, stored: Any, mod_revision: int) -> list[str]:
    """Return how the object in etcd differs from the one that the API shows.

    The API adds the resourceVersion, which is etcd's revision of the last change; all else is the
    same object.
    """
    shown = {**resource, "metadata": dict(resource["metadata"])}
    version = shown["metadata"].pop("resourceVersion")
    if version != str(mod_revision):
        return [f"the API shows version {version}, etcd holds revision {mod_revision}"]
    if not isinstance(stored, dict):
        return ["etcd's value is not an object that can be decoded"]
    fields = sorted(key for key in {*shown, *stored} if shown.get(key) != stored.get(key))
    return [f"{field} differs between etcd and the API" for field in fields]


def _ready(pod: JsonObject) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)
