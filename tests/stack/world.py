"""What the tests of a running stack see it through: official clients, no code of the project."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Stack:
    """One environment and the clients to look at it."""

    cluster: str
    workers: int
    registry: str
    namespaces: tuple[str, ...]
    """Those the operator watches; none means all."""
    state: Path
    core: Any
    apps: Any
    custom: Any
    storage: Any
    engine: Any

    @property
    def nodes(self) -> list[Any]:
        """The node containers, as the engine has them."""
        label = f"io.x-k8s.kind.cluster={self.cluster}"
        return list(self.engine.containers.list(filters={"label": label}))

    def pods(self, owner: str = "example-imoocpod", namespace: str = "default") -> list[Any]:
        """The pods that an ImoocPod controls and that are not on their way out."""
        return [
            pod
            for pod in self.core.list_namespaced_pod(namespace).items
            if pod.metadata.deletion_timestamp is None
            and any(
                ref.controller and ref.name == owner for ref in pod.metadata.owner_references or []
            )
        ]

    def operators(self) -> list[Any]:
        """The pods of the operator that are not on their way out."""
        return [
            pod
            for pod in self.core.list_namespaced_pod("imoocpod-operator").items
            if pod.metadata.deletion_timestamp is None
        ]

    def holder(self) -> str:
        """Which process holds the operator's lease, empty while none does."""
        lease = self.custom.get_namespaced_custom_object(
            "coordination.k8s.io", "v1", "imoocpod-operator", "leases", "imoocpod-operator"
        )
        identity: str = lease["spec"].get("holderIdentity") or ""
        return identity

    def leader(self) -> str:
        """The name of the operator's pod that holds the lease, empty while nobody does."""
        return self.holder().partition("_")[0]

    def imoocpod(
        self, name: str = "example-imoocpod", namespace: str = "default"
    ) -> dict[str, Any]:
        """The custom resource as the API server has it."""
        found: dict[str, Any] = self.custom.get_namespaced_custom_object(
            "k8s.imooc.com", "v1alpha1", namespace, "imoocpods", name
        )
        return found


def kubectl(stack: Stack, *arguments: str) -> str:
    """What kubectl prints; raise when it fails."""
    return subprocess.run(
        ["kubectl", f"--kubeconfig={stack.state}/kubeconfig", *arguments],
        check=True,
        capture_output=True,
        text=True,
        timeout=90,
    ).stdout


def ready_with(replicas: int) -> Callable[[dict[str, Any]], bool]:
    """Whether an ImoocPod says of its present spec that it has that many pods, all ready."""

    def is_ready(resource: dict[str, Any]) -> bool:
        status = resource.get("status", {})
        return (
            status.get("observedGeneration") == resource["metadata"]["generation"]
            and status.get("replicas") == replicas
            and status.get("readyReplicas", 0) == replicas
            and len(status.get("podNames", [])) == replicas
        )

    return is_ready


def acts(stack: Stack) -> None:
    """Assert that somebody looks after ImoocPods."""
    for replicas in (4, 3):
        kubectl(stack, "scale", "imoocpod/example-imoocpod", f"--replicas={replicas}")
        eventually(stack.imoocpod, ready_with(replicas))


def eventually(look: Callable[[], T], right: Callable[[T], bool], within: float = 60) -> T:
    """Return what ``look`` sees once it is right; fail past ``within`` seconds."""
    deadline = time.monotonic() + within
    while not right(seen := look()):
        assert time.monotonic() < deadline, f"still not right after {within} s; last seen: {seen}"
        time.sleep(0.2)
    return seen
