"""The cluster: nodes, name service, pod network, storage."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from world import Stack, eventually


def test_every_node_is_ready(stack: Stack) -> None:
    nodes = stack.core.list_node().items
    ready = {
        node.metadata.name
        for node in nodes
        for condition in node.status.conditions
        if condition.type == "Ready" and condition.status == "True"
    }
    assert len(nodes) == 1 + stack.workers
    assert len(ready) == len(nodes)


def test_kubeconfig_is_private_and_its_own_file(stack: Stack) -> None:
    mode = stat.S_IMODE((stack.state / "kubeconfig").stat().st_mode)
    assert mode == 0o600


def test_api_server_listens_on_loopback_only(stack: Stack) -> None:
    published = [
        binding["HostIp"]
        for node in stack.nodes
        for bindings in node.attrs["NetworkSettings"]["Ports"].values()
        for binding in bindings or []
    ]
    assert published
    assert set(published) == {"127.0.0.1"}


def test_names_of_services_resolve(
    stack: Stack, scratch_pod: Callable[..., Any], busybox: str
) -> None:
    scratch_pod("resolver", busybox, ["sh", "-c", "nslookup kubernetes.default.svc.cluster.local"])
    end = eventually(
        lambda: stack.core.read_namespaced_pod("resolver", "default").status.phase,
        lambda phase: phase in {"Succeeded", "Failed"},
    )
    assert end == "Succeeded", stack.core.read_namespaced_pod_log("resolver", "default")


def test_pods_on_different_nodes_reach_each_other(
    stack: Stack, scratch_pod: Callable[..., Any], busybox: str
) -> None:
    names = sorted(node.metadata.name for node in stack.core.list_node().items)
    client_node, server_node = names[0], names[-1]  # the same one where there is only one
    anywhere = [{"operator": "Exists"}]
    server = scratch_pod(
        "server",
        busybox,
        ["sh", "-c", "mkdir /www && echo reached >/www/index.html && httpd -f -p 8080 -h /www"],
        nodeName=server_node,
        tolerations=anywhere,
    )
    address = eventually(
        lambda: stack.core.read_namespaced_pod(server.metadata.name, "default").status,
        lambda status: status.phase == "Running" and status.pod_ip is not None,
    ).pod_ip
    scratch_pod(
        "caller",
        busybox,
        [
            "sh",
            "-c",
            f"for i in 1 2 3 4 5; do wget -T 2 -qO- {address}:8080 && exit; sleep 1; done; false",
        ],
        nodeName=client_node,
        tolerations=anywhere,
    )
    end = eventually(
        lambda: stack.core.read_namespaced_pod("caller", "default").status.phase,
        lambda phase: phase in {"Succeeded", "Failed"},
    )
    log = stack.core.read_namespaced_pod_log("caller", "default")
    assert (end, log.strip().splitlines()[-1:]) == ("Succeeded", ["reached"])


@pytest.fixture
def claim(stack: Stack) -> Iterator[str]:
    body = {
        "metadata": {"name": "scratch"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Mi"}},
        },
    }
    stack.core.create_namespaced_persistent_volume_claim("default", body)
    yield "scratch"
    stack.core.delete_namespaced_persistent_volume_claim("scratch", "default")


def test_default_storage_class_provides_a_volume(
    stack: Stack, scratch_pod: Callable[..., Any], busybox: str, claim: str
) -> None:
    scratch_pod(
        "writer",
        busybox,
        ["sh", "-c", "echo kept >/data/file && cat /data/file"],
        containers=[
            {
                "name": "main",
                "image": busybox,
                "command": ["sh", "-c", "echo kept >/data/file && cat /data/file"],
                "volumeMounts": [{"name": "data", "mountPath": "/data"}],
            }
        ],
        volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": claim}}],
    )
    end = eventually(
        lambda: stack.core.read_namespaced_pod("writer", "default").status.phase,
        lambda phase: phase in {"Succeeded", "Failed"},
    )
    assert end == "Succeeded"
    assert stack.core.read_namespaced_pod_log("writer", "default").strip() == "kept"
