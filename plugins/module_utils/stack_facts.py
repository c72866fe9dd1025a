"""What runs, read from those who know: the API server and the registry.

Invariant: reading changes nothing, and a part that cannot be read becomes `{"missing": why}`, so
that the parts that can be read are still told.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ansible.module_utils.kube_client import KubeClient, KubeError, KubeUnreachable
from ansible.module_utils.kube_config import KubeConfigError

Facts = dict[str, Any]

_RESOURCES = "/apis/k8s.imooc.com/v1alpha1/namespaces/{namespace}/imoocpods/{name}"
_DEPLOYMENTS = "/apis/apps/v1/namespaces/{namespace}/deployments/{name}"
_REGISTRY_TIMEOUT = 5


@dataclass(frozen=True)
class Named:
    """A namespaced object, by name."""

    namespace: str
    name: str


def from_cluster(kubeconfig: str, operator: Named, resource: Named) -> Facts:
    """Return the facts `cluster`, `operator` and `resource`."""
    try:
        with KubeClient.from_kubeconfig(kubeconfig) as client:
            return {
                "cluster": _known(lambda: cluster(client)),
                "operator": _known(lambda: deployment(client, operator)),
                "resource": _known(lambda: custom_resource(client, resource)),
            }
    except KubeConfigError as error:
        return {part: {"missing": str(error)} for part in ("cluster", "operator", "resource")}


def cluster(client: KubeClient) -> Facts:
    """Return version and nodes of the cluster."""
    version = client.request("GET", "/version")[1]
    nodes = [
        {
            "name": node["metadata"]["name"],
            "version": node["status"]["nodeInfo"]["kubeletVersion"],
            "ready": _condition(node, "Ready"),
        }
        for node in client.list("/api/v1/nodes")
    ]
    return {"version": version["gitVersion"], "nodes": sorted(nodes, key=lambda n: str(n["name"]))}


def deployment(client: KubeClient, named: Named) -> Facts:
    """Return image and replicas of the operator's Deployment."""
    found = client.get(_DEPLOYMENTS.format(namespace=named.namespace, name=named.name))
    if found is None:
        return {"missing": f"there is no Deployment {named.namespace}/{named.name}"}
    return {
        "namespace": named.namespace,
        "name": named.name,
        "image": found["spec"]["template"]["spec"]["containers"][0]["image"],
        "desired": found["spec"].get("replicas", 1),
        "available": found.get("status", {}).get("availableReplicas", 0),
    }


def custom_resource(client: KubeClient, named: Named) -> Facts:
    """Return how many pods the custom resource wants, and which it has by controller owner."""
    found = client.get(_RESOURCES.format(namespace=named.namespace, name=named.name))
    if found is None:
        return {"missing": f"there is no ImoocPod {named.namespace}/{named.name}"}
    pods = [
        pod
        for pod in client.list(f"/api/v1/namespaces/{named.namespace}/pods")
        if _controller(pod) == found["metadata"]["uid"]
        and "deletionTimestamp" not in pod["metadata"]
    ]
    return {
        "namespace": named.namespace,
        "name": named.name,
        "desired": found["spec"]["replicas"],
        "ready": sum(_condition(pod, "Ready") for pod in pods),
        "pods": sorted(pod["metadata"]["name"] for pod in pods),
    }


def registry(host: str) -> Facts:
    """Return the registry's catalogue, exactly as `/v2/_catalog` shows it."""
    connection = http.client.HTTPConnection(host, timeout=_REGISTRY_TIMEOUT)
    try:
        connection.request("GET", "/v2/_catalog")
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != http.client.OK:
            return {"host": host, "missing": f"/v2/_catalog answers {answer.status}"}
        return {"host": host, "catalog": json.loads(body)}
    except (OSError, http.client.HTTPException, ValueError) as error:
        return {"host": host, "missing": f"no registry answers at {host}: {error}"}
    finally:
        connection.close()


def _known(read: Callable[[], Facts]) -> Facts:
    try:
        return read()
    except (KubeUnreachable, KubeError) as error:
        return {"missing": str(error)}


def _condition(obj: Facts, kind: str) -> bool:
    conditions = obj.get("status", {}).get("conditions") or []
    return any(c["type"] == kind and c["status"] == "True" for c in conditions)


def _controller(obj: Facts) -> str | None:
    """Return the uid of the controller owner, None for an orphan."""
    owners = obj["metadata"].get("ownerReferences") or []
    return next((str(owner["uid"]) for owner in owners if owner.get("controller")), None)
