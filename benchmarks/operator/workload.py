"""The two resource types that are measured: what to ask for, and when the answer is right."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

NAMESPACE = "bench"
POD = Path(__file__).parent / "peers/pod.json"
"""Annotations and spec of every pod of every peer: what our operator makes of a plain ImoocPod."""


class Status(msgspec.Struct, rename="camel"):
    """What an owner's status says."""

    replicas: int = 0
    observed_generation: int = 0
    pod_names: list[str] | None = None


@dataclass(frozen=True)
class Workload:
    """A resource type whose objects own pods."""

    group_version: str
    kind: str
    plural: str
    names_pods: bool

    def path(self, name: str = "") -> str:
        """Return the path of the collection in the namespace, or of one object."""
        root = f"/apis/{self.group_version}/namespaces/{NAMESPACE}/{self.plural}"
        return f"{root}/{name}" if name else root

    def body(self, name: str, replicas: int) -> bytes:
        """Return a new object."""
        spec: dict[str, Any] = {"replicas": replicas}
        if self.kind == "ReplicaSet":
            pod = json.loads(POD.read_text())
            pod["metadata"]["labels"] = {"app": name}
            spec |= {"selector": {"matchLabels": {"app": name}}, "template": pod}
        meta = {"name": name}
        body = {"apiVersion": self.group_version, "kind": self.kind, "metadata": meta, "spec": spec}
        return json.dumps(body).encode()

    def right(self, wanted: int, generation: int, status: Status, pods: Collection[str]) -> bool:
        """Return whether there are the wanted pods, and the status says so of this generation."""
        return (
            len(pods) == status.replicas == wanted
            and status.observed_generation == generation
            and (not self.names_pods or sorted(status.pod_names or ()) == sorted(pods))
        )


IMOOCPODS = Workload("k8s.imooc.com/v1alpha1", "ImoocPod", "imoocpods", names_pods=True)
REPLICA_SETS = Workload("apps/v1", "ReplicaSet", "replicasets", names_pods=False)
